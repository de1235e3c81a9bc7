/**
 * Error injection as PAPR defines it: CTL says which operations, ADDR and MASK say which addresses.
 * Sources: skiboot hw/phb3.c: phb3_err_inject_finalize; skiboot commits 2bb9c4bb2, ae0339ee4. Facts: ioda2-phb3 7.9.
 */
import { fieldMask, getField } from '../hw/bits.js';
import type { RegisterFile } from '../hw/register-file.js';
import { PHB_REGISTERS, type PhbRegisterName } from './registers/phb.js';

export type InjectedOperation = 'mmio' | 'config' | 'dma';
export type Direction = 'read' | 'write';

/** Which operations a control field arms. */
const ARMS: Readonly<Record<InjectedOperation, string>> = { mmio: 'OUTBOUND', config: 'CONFIG', dma: 'INBOUND' };
const DIRECTION_FIELD: Readonly<Record<Direction, string>> = { read: 'READ', write: 'WRITE' };

const controlAt = (field: string) => PHB_REGISTERS.field('PHB_PAPR_ERR_INJ_CTL', field).at;

/** MMIO compares the low 48 bits of the processor address. */
const MMIO_BITS = (1n << 48n) - 1n;

/**
 * Whether an injection that has fired stays armed. The architecture says it fires once; a remark in firmware says that
 * chips kept on firing. Open conflict: the sources of both are in docs/architecture.md.
 */
export type InjectionPersistence = 'one-shot' | 'persistent';

/** `error`: the trap bit of the injection is raised. `freeze`: only the PE freezes (M). */
export type InjectionEffect = 'error' | 'freeze';

export class PaprInjection {
  readonly #registers: RegisterFile<PhbRegisterName>;
  readonly #persistence: InjectionPersistence;

  constructor(registers: RegisterFile<PhbRegisterName>, persistence: InjectionPersistence) {
    this.#registers = registers;
    this.#persistence = persistence;
  }

  /** What happens if this operation is the one to fail; a one-shot injection is spent by that. */
  fires(operation: InjectedOperation, direction: Direction, address: bigint): InjectionEffect | undefined {
    const control = this.#registers.get('PHB_PAPR_ERR_INJ_CTL');
    if (control === 0n) return undefined;
    const armed = (field: string): boolean => getField(control, controlAt(field)) === 1n;
    if (!armed(ARMS[operation]) || !armed(DIRECTION_FIELD[direction])) return undefined;
    if (!this.#matches(operation, address)) return undefined;
    if (!armed('STICKY') && this.#persistence === 'one-shot') {
      this.#registers.set(
        'PHB_PAPR_ERR_INJ_CTL',
        control & ~(fieldMask(controlAt('READ')) | fieldMask(controlAt('WRITE'))),
      );
    }
    return armed('FREEZE') ? 'freeze' : 'error';
  }

  #matches(operation: InjectedOperation, address: bigint): boolean {
    const mask = this.#registers.get('PHB_PAPR_ERR_INJ_MASK');
    const wanted = this.#registers.get('PHB_PAPR_ERR_INJ_ADDR') & mask;
    const seen = operation === 'mmio' ? address & MMIO_BITS : address;
    return (seen & mask) === wanted;
  }
}
