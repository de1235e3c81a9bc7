/** What every bridge puts into the trace, under its chip's name: the moments a person wants to see on a timeline. */
import { hiOf, loOf } from '../hw/bits.js';
import { defineTraceKind, type Trace, type TraceKind } from '../sim/trace.js';
import type { FailingOperation } from './pest.js';

export function bridgeTraceKinds(chip: string) {
  const kind = (name: string, ...fields: string[]) => defineTraceKind(`${chip}.${name}`, ...fields);
  return {
    /** An error event entered the pipeline: index into ERROR_EVENT_NAMES. */
    ERROR_RAISED: kind('error', 'event', 'pe', 'requester', 'addressHi', 'addressLo'),
    /** One half (0 MMIO, 1 DMA) of a PE froze (1) or thawed (0). */
    PE_FREEZE: kind('pe-freeze', 'pe', 'half', 'frozen'),
    FENCED: kind('fence', 'cause'),
    /** A packet from below was not let through. Reasons: the chip's DROP_REASON. */
    INBOUND_DROPPED: kind('inbound-dropped', 'reason', 'requester', 'addressHi', 'addressLo', 'bytes'),
    /** A load or store that never reached the link. Reasons: the chip's BLOCK_REASON. */
    OUTBOUND_BLOCKED: kind('outbound-blocked', 'reason', 'pe', 'addressHi', 'addressLo'),
    /** A register access that the chip does not carry out in its present state. */
    REGISTER_BLOCKED: kind('register-blocked', 'reason', 'offset:hex', 'write'),
  };
}

/** PE of an event that charges none. */
const NO_PE = 0xffff;

/** Where the records of one bridge go. */
export interface TracedBridge {
  readonly trace: Trace;
  readonly source: number;
}

/** ERROR_RAISED; `event` is the number of the event's name. */
export function traceRaised(
  { trace, source }: TracedBridge,
  kind: TraceKind,
  event: number,
  { pe = NO_PE, requesterId = 0, address = 0n }: FailingOperation & { readonly pe?: number },
): void {
  trace.emit(kind, source, event, pe, requesterId, hiOf(address), loOf(address));
}

/** Why a load, store or register access is not carried out. */
export const BLOCK_REASONS = {
  fenced: 0,
  'held-in-reset': 1,
  'pe-frozen': 2,
  'no-window': 3,
  'link-down': 4,
  'core-reset': 5,
  size: 6,
} as const;
