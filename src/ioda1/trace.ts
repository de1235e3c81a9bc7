/** What a P7IOC puts into the trace: the moments a person wants to see on a timeline. Sources are the hub and its PHBs. */
import { defineTraceKind } from '../sim/trace.js';

/** An error event entered the pipeline: index into ERROR_EVENT_NAMES. */
export const ERROR_RAISED = defineTraceKind('p7ioc.error', 'event', 'pe', 'requester', 'addressHi', 'addressLo');
/** A trap bit was raised by test injection. */
export const ERROR_INJECTED = defineTraceKind('p7ioc.error-injected', 'trap', 'bit');
/** One half (0 MMIO, 1 DMA) of a PE froze (1) or thawed (0). */
export const PE_FREEZE = defineTraceKind('p7ioc.pe-freeze', 'pe', 'half', 'frozen');
/** The trap bit, or CI_FENCE for the crossbar. */
export const FENCED = defineTraceKind('p7ioc.fence', 'cause');
/** A PHB in its configuration reset: 1 held, 0 released. */
export const PHB_RESET = defineTraceKind('p7ioc.phb-reset', 'held');
/** A packet from below was not let through. Reasons: see DROP_REASON. */
export const INBOUND_DROPPED = defineTraceKind(
  'p7ioc.inbound-dropped',
  'reason',
  'requester',
  'addressHi',
  'addressLo',
  'bytes',
);
/** A load or store that never reached the link. */
export const OUTBOUND_BLOCKED = defineTraceKind('p7ioc.outbound-blocked', 'reason', 'pe', 'addressHi', 'addressLo');
/** Software touched an offset without a register. */
export const UNKNOWN_REGISTER = defineTraceKind('p7ioc.unknown-register', 'offset:hex', 'write', 'size');
/** A register access that the chip does not carry out in its present state. */
export const REGISTER_BLOCKED = defineTraceKind('p7ioc.register-blocked', 'reason', 'offset:hex', 'write');
/** No routing rule of the crossbar takes the address. */
export const UNROUTED = defineTraceKind('p7ioc.unrouted', 'addressHi', 'addressLo', 'write');
/** A unit of the hub reported: its bit of the global error macro, and which error bits. */
export const UNIT_ERROR = defineTraceKind('p7ioc.unit-error', 'unit', 'bitsHi', 'bitsLo');
/** The hub stopped answering. */
export const HUB_DEAD = defineTraceKind('p7ioc.hub-dead', 'unit');

/** Cause of a fence that the crossbar asked for: no trap bit. */
export const CI_FENCE = 64;

export const DROP_REASON = {
  fenced: 0,
  'pe-stopped': 1,
  refused: 2,
  unexpected: 3,
  'held-in-reset': 4,
  dead: 5,
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
  dead: 7,
} as const;
export type BlockReason = keyof typeof BLOCK_REASON;
