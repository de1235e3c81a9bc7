/** What a PHB3 puts into the trace: the moments a person wants to see on a timeline. */
import { BLOCK_REASONS, bridgeTraceKinds } from '../ioda/trace-kinds.js';
import { defineTraceKind } from '../sim/trace.js';

export const { ERROR_RAISED, PE_FREEZE, FENCED, INBOUND_DROPPED, OUTBOUND_BLOCKED, REGISTER_BLOCKED } =
  bridgeTraceKinds('phb3');
/** A trap bit was raised by test injection. */
export const ERROR_INJECTED = defineTraceKind('phb3.error-injected', 'trap', 'bit', 'pe');
/** The whole PHB was reset: 1 held, 0 released. */
export const ETU_RESET = defineTraceKind('phb3.etu-reset', 'held');
/** Software touched an offset without a register: 0 read, 1 write. */
export const UNKNOWN_REGISTER = defineTraceKind('phb3.unknown-register', 'window', 'offset:hex', 'write', 'size');

export const DROP_REASON = {
  fenced: 0,
  'pe-stopped': 1,
  'no-pe': 2,
  refused: 3,
  unexpected: 4,
  'held-in-reset': 5,
  hung: 6,
} as const;
export type DropReason = keyof typeof DROP_REASON;

export const BLOCK_REASON = BLOCK_REASONS;
export type BlockReason = keyof typeof BLOCK_REASON;
