/**
 * Error injection as PAPR defines it: CTL says which operations, ADDR and MASK say which addresses.
 * Sources: skiboot hw/phb3.c: phb3_err_inject_finalize; skiboot p7ioc hw/p7ioc-phb.c: p7ioc_err_inject_finalize;
 * skiboot commits 2bb9c4bb2, ae0339ee4. Facts: ioda2-phb3 7.9, ioda1-p7ioc 7.9.
 */
import { bit, fieldMask, getField } from '../hw/bits.js';
import type { RegisterStore } from './register-store.js';

export type InjectedOperation = 'mmio' | 'config' | 'dma';
export type Direction = 'read' | 'write';

/** Fields of PAPR_ERR_INJ_CTL. */
export const INJECTION_CONTROL_FIELDS = {
  INBOUND: { at: bit(0), about: 'match DMA' },
  OUTBOUND: { at: bit(1), about: 'match MMIO' },
  STICKY: { at: bit(2), about: 'stay armed after firing' },
  CONFIG: { at: bit(3), about: 'match configuration cycles' },
  READ: { at: bit(4), about: 'match reads' },
  WRITE: { at: bit(5), about: 'match writes' },
  FREEZE: { at: bit(6), about: 'freeze; firmware never sets it' },
} as const;

type ControlField = keyof typeof INJECTION_CONTROL_FIELDS;
export type InjectionRegister = 'PHB_PAPR_ERR_INJ_CTL' | 'PHB_PAPR_ERR_INJ_ADDR' | 'PHB_PAPR_ERR_INJ_MASK';

/** Which operations a control field arms. */
const ARMS: Readonly<Record<InjectedOperation, ControlField>> = {
  mmio: 'OUTBOUND',
  config: 'CONFIG',
  dma: 'INBOUND',
};
const DIRECTION_FIELD: Readonly<Record<Direction, ControlField>> = { read: 'READ', write: 'WRITE' };

/**
 * Whether an injection that has fired stays armed. The architecture says it fires once; a remark in firmware says that
 * chips kept on firing. Open conflict: the sources of both are in docs/architecture.md.
 */
export type InjectionPersistence = 'one-shot' | 'persistent';

/** `error`: the trap bit of the injection is raised. `freeze`: only the PE freezes (M). */
export type InjectionEffect = 'error' | 'freeze';

export interface PaprInjectionParts {
  readonly registers: RegisterStore<InjectionRegister>;
  readonly persistence: InjectionPersistence;
  /** Bits of the operand that the chip compares, where MASK has them. */
  readonly compared: Readonly<Record<InjectedOperation, bigint>>;
}

export class PaprInjection {
  readonly #parts: PaprInjectionParts;

  constructor(parts: PaprInjectionParts) {
    this.#parts = parts;
  }

  /** What happens if this operation is the one to fail; a one-shot injection is spent by that. */
  fires(operation: InjectedOperation, direction: Direction, operand: bigint): InjectionEffect | undefined {
    const { registers, persistence } = this.#parts;
    const control = registers.get('PHB_PAPR_ERR_INJ_CTL');
    if (control === 0n) return undefined;
    const armed = (field: ControlField): boolean => getField(control, INJECTION_CONTROL_FIELDS[field].at) === 1n;
    if (!armed(ARMS[operation]) || !armed(DIRECTION_FIELD[direction])) return undefined;
    if (!this.#matches(operation, operand)) return undefined;
    if (!armed('STICKY') && persistence === 'one-shot') {
      const { READ, WRITE } = INJECTION_CONTROL_FIELDS;
      registers.set('PHB_PAPR_ERR_INJ_CTL', control & ~(fieldMask(READ.at) | fieldMask(WRITE.at)));
    }
    return armed('FREEZE') ? 'freeze' : 'error';
  }

  #matches(operation: InjectedOperation, operand: bigint): boolean {
    const { registers, compared } = this.#parts;
    const mask = registers.get('PHB_PAPR_ERR_INJ_MASK');
    return (operand & compared[operation] & mask) === (registers.get('PHB_PAPR_ERR_INJ_ADDR') & mask);
  }
}
