/** The error classes that the bits of PHB3 are sorted into. */
export { type BitList, expandBits, TRAP_NAMES, type TrapName } from '../../ioda/bit-lists.js';

/** What a set error bit does: fences the AIB, freezes PEs, only interrupts, or nothing beyond latching. */
export type ErrorClass = 'FENCE' | 'ER' | 'INF' | 'none';
