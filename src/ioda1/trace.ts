/** What a P7IOC puts into the trace: the moments a person wants to see on a timeline. Sources are the hub and its PHBs. */
import { BLOCK_REASONS, bridgeTraceKinds } from '../ioda/trace-kinds.js';
import { defineTraceKind } from '../sim/trace.js';

export const { ERROR_RAISED, PE_FREEZE, FENCED, INBOUND_DROPPED, OUTBOUND_BLOCKED, REGISTER_BLOCKED } =
  bridgeTraceKinds('p7ioc');
/** A trap bit was raised by test injection. */
export const ERROR_INJECTED = defineTraceKind('p7ioc.error-injected', 'trap', 'bit');
/** A PHB in its configuration reset: 1 held, 0 released. */
export const PHB_RESET = defineTraceKind('p7ioc.phb-reset', 'held');
/** Software touched an offset without a register. */
export const UNKNOWN_REGISTER = defineTraceKind('p7ioc.unknown-register', 'offset:hex', 'write', 'size');
/** No routing rule of the crossbar takes the address. */
export const UNROUTED = defineTraceKind('p7ioc.unrouted', 'addressHi', 'addressLo', 'write');
/** A unit of the hub reported: its bit of the global error macro, and which error bits. */
export const UNIT_ERROR = defineTraceKind('p7ioc.unit-error', 'unit', 'bitsHi', 'bitsLo');
/** The hub stopped answering. */
export const HUB_DEAD = defineTraceKind('p7ioc.hub-dead', 'unit');

/** Cause of a fence that the crossbar asked for; else it is the trap bit. */
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

export const BLOCK_REASON = { ...BLOCK_REASONS, dead: 7 } as const;
export type BlockReason = keyof typeof BLOCK_REASON;
