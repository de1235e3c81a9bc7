/**
 * Values that firmware computed from what it had just read. Where the recorded reads bind nobody, such a write must follow the
 * chip's answer instead, as firmware would have: else it would clear what is not set and leave what is.
 * Sources: skiboot hw/phb3.c: phb3_creset (NFIR), phb3_err_ER_clear (LEM, UTL, traps).
 */
import { ALL_ONES } from '../hw/bits.js';
import type { ReadTarget } from './read-target.js';

interface Derivation {
  /** Register whose value was read. */
  readonly from: string;
  readonly compute: (read: bigint) => bigint;
}

const invert = (read: bigint): bigint => ~read & ALL_ONES;
const copy = (read: bigint): bigint => read;

const DERIVATIONS: Readonly<Record<string, Derivation>> = {
  NFIR_AND: { from: 'NFIR', compute: invert },
  PHB_LEM_FIR_AND_MASK: { from: 'PHB_LEM_FIR_ACCUM', compute: invert },
  UTL_SYS_BUS_AGENT_STATUS: { from: 'UTL_SYS_BUS_AGENT_STATUS', compute: copy },
  UTL_PCIE_PORT_STATUS: { from: 'UTL_PCIE_PORT_STATUS', compute: copy },
  UTL_RC_STATUS: { from: 'UTL_RC_STATUS', compute: copy },
  PHB_ERR_STATUS: { from: 'PHB_ERR_STATUS', compute: copy },
  PHB_OUT_ERR_STATUS: { from: 'PHB_OUT_ERR_STATUS', compute: copy },
  PHB_INA_ERR_STATUS: { from: 'PHB_INA_ERR_STATUS', compute: copy },
  PHB_INB_ERR_STATUS: { from: 'PHB_INB_ERR_STATUS', compute: copy },
};

export class DerivedWrites {
  readonly #reads = new Map<string, { recorded: bigint; answered: bigint }>();

  noteRead(target: ReadTarget, recorded: bigint, answered: bigint): void {
    if (target.kind === 'register') this.#reads.set(target.register, { recorded, answered });
  }

  /** The value to write: the recorded one, or the one firmware would have computed from the chip's answer. */
  valueFor(target: ReadTarget, recorded: bigint): bigint {
    if (target.kind !== 'register') return recorded;
    const derivation = DERIVATIONS[target.register];
    const read = derivation && this.#reads.get(derivation.from);
    if (!derivation || !read || derivation.compute(read.recorded) !== recorded) return recorded;
    return derivation.compute(read.answered);
  }
}
