/** The error registers that both bridges have, as the rigs of the tests clear and show them. */
import { TRAP_NAMES } from '../../src/ioda/bit-lists.js';
import { type TrapRegisterName, trapRegisterName } from '../../src/ioda/trap-registers.js';

type LemName = `PHB_LEM_${'FIR_ACCUM' | 'FIR_AND_MASK' | 'WOF'}`;
type SummaryName = 'PHB_DMA_CHAN_STATUS' | 'PHB_CPU_LOADSTORE_STATUS';
type ErrorRegister = TrapRegisterName | LemName | SummaryName;

interface Registers {
  read(name: ErrorRegister): bigint;
  write(name: ErrorRegister, value: bigint): void;
}

const ONES = 0xffff_ffff_ffff_ffffn;

const SHOWN: readonly ErrorRegister[] = [
  ...TRAP_NAMES.map((trap) => trapRegisterName(trap, 'ERR_STATUS')),
  ...(['PHB_LEM_FIR_ACCUM', 'PHB_LEM_WOF', 'PHB_DMA_CHAN_STATUS', 'PHB_CPU_LOADSTORE_STATUS'] as const),
];

/** What firmware's error cleanup does to traps and LEM, with the LEM bits that it found before. */
export function clearErrors(registers: Registers, fir: bigint): void {
  for (const trap of TRAP_NAMES) {
    registers.write(trapRegisterName(trap, 'ERR_STATUS'), registers.read(trapRegisterName(trap, 'ERR_STATUS')));
    for (const name of ['ERR1_STATUS', 'ERR_LOG_0', 'ERR_LOG_1'] as const)
      registers.write(trapRegisterName(trap, name), 0n);
  }
  registers.write('PHB_LEM_FIR_AND_MASK', ~fir & ONES);
  registers.write('PHB_LEM_WOF', 0n);
}

/** The error state in one object, for comparison with what facts say: registers that are not zero. */
export function errorState(read: (name: ErrorRegister) => bigint): Record<string, string> {
  const values = SHOWN.map((name) => [name.replace('PHB_', ''), read(name)] as const);
  return Object.fromEntries(
    values.filter(([, value]) => value !== 0n).map(([name, value]) => [name, value.toString(16).padStart(16, '0')]),
  );
}
