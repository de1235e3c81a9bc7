/** The registers that both bridges wire to their blocks in the same way. Facts: ioda2-phb3 3.2.1, ioda1-p7ioc 3.9. */
import type { IodaAccess } from './ioda-access.js';
import type { RegisterStore } from './register-store.js';

const M32_REGISTERS = ['PHB_M32_BASE_ADDR', 'PHB_M32_BASE_MASK', 'PHB_M32_START_ADDR'] as const;

interface MemoryWindows {
  setM32(base: bigint, mask: bigint, start: bigint): void;
  setM64UpperBits(bits: bigint): void;
}

export function wireMemoryWindows(
  registers: RegisterStore<(typeof M32_REGISTERS)[number] | 'PHB_M64_UPPER_BITS'>,
  windows: MemoryWindows,
): void {
  const [base, mask, start] = M32_REGISTERS;
  const m32 = { onWrite: () => windows.setM32(registers.get(base), registers.get(mask), registers.get(start)) };
  for (const name of M32_REGISTERS) registers.attach(name, m32);
  registers.attach('PHB_M64_UPPER_BITS', {
    onWrite: () => windows.setM64UpperBits(registers.get('PHB_M64_UPPER_BITS')),
  });
}

export function wireTables(
  registers: RegisterStore<'PHB_IODA_ADDR' | 'PHB_IODA_DATA0'>,
  ioda: IodaAccess<string>,
): void {
  registers.attach('PHB_IODA_ADDR', { onRead: () => ioda.address, onWrite: (value) => ioda.select(value) });
  registers.attach('PHB_IODA_DATA0', { onRead: () => ioda.readData(), onWrite: (value) => ioda.writeData(value) });
}

/** Reading a lock takes it: 0 means that the reader has it now. */
export function wireLocks<N extends string>(registers: RegisterStore<N>, names: readonly N[]): void {
  for (const name of names) {
    registers.attach(name, {
      onRead: (stored) => {
        registers.setField(name, 'LOCK', 1n);
        return stored;
      },
    });
  }
}
