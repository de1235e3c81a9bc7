/** What a PHB3 puts into the trace: the moments a person wants to see on a timeline. */
import { defineTraceKind } from '../sim/trace.js';

/** An error event entered the pipeline: index into ERROR_EVENT_NAMES, or trap bit for injected ones. */
export const ERROR_RAISED = defineTraceKind('phb3.error', 'event', 'pe', 'requester', 'addressHi', 'addressLo');
/** A trap bit was raised by test injection. */
export const ERROR_INJECTED = defineTraceKind('phb3.error-injected', 'trap', 'bit', 'pe');
/** One half (0 MMIO, 1 DMA) of a PE froze (1) or thawed (0). */
export const PE_FREEZE = defineTraceKind('phb3.pe-freeze', 'pe', 'half', 'frozen');
export const FENCED = defineTraceKind('phb3.fence', 'cause');
/** The whole PHB was reset: 1 held, 0 released. */
export const ETU_RESET = defineTraceKind('phb3.etu-reset', 'held');
/** A packet from below was not let through. Reasons: see DROP_REASON. */
export const INBOUND_DROPPED = defineTraceKind(
  'phb3.inbound-dropped',
  'reason',
  'requester',
  'addressHi',
  'addressLo',
  'bytes',
);
/** A load or store that never reached the link. */
export const OUTBOUND_BLOCKED = defineTraceKind('phb3.outbound-blocked', 'reason', 'pe', 'addressHi', 'addressLo');
/** Software touched an offset without a register: 0 read, 1 write. */
export const UNKNOWN_REGISTER = defineTraceKind('phb3.unknown-register', 'window', 'offset:hex', 'write', 'size');
/** A register access that the chip does not carry out in its present state. */
export const REGISTER_BLOCKED = defineTraceKind('phb3.register-blocked', 'reason', 'offset:hex', 'write');

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

export const BLOCK_REASON = {
  fenced: 0,
  'held-in-reset': 1,
  'pe-frozen': 2,
  'no-window': 3,
  'link-down': 4,
  'core-reset': 5,
  size: 6,
} as const;
export type BlockReason = keyof typeof BLOCK_REASON;
