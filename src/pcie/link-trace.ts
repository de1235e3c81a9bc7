/** What a link leaves in the trace of its packets. */
import { defineTraceKind, type Trace } from '../sim/trace.js';
import { TLP_KINDS, type Tlp, type TlpKind } from './tlp.js';

/** A packet enters the wire. `kind` indexes TLP_KINDS; `requester` and, in its upper half, the tag. */
export const TLP_SENT = defineTraceKind('pcie.tlp', 'kind', 'requester', 'target', 'addressHi', 'addressLo', 'length');
/** A packet was lost: on the way or waiting when the link dropped, or refused while it was down. */
export const TLP_LOST = defineTraceKind('pcie.lost', 'kind', 'requester');
/** A packet has to wait. `reason` indexes STALL_REASONS. */
export const TLP_STALLED = defineTraceKind('pcie.stall', 'reason', 'waiting');
/** The wait is over; `stalled` in nanoseconds, as far as the wire was free, rounded up. */
export const TLP_RESUMED = defineTraceKind('pcie.resume', 'reason', 'stalled');
/** Packets from `first` to before `next` are sent again; sequence numbers as on the wire. */
export const TLP_REPLAYED = defineTraceKind('pcie.replay', 'first', 'next');

const KIND_INDEX = Object.fromEntries(TLP_KINDS.map((kind, index) => [kind, index])) as Readonly<
  Record<TlpKind, number>
>;

export function traceSent(trace: Trace, source: number, tlp: Tlp): void {
  const requester = ((tlp.tag & 0xff) << 16) | tlp.requesterId;
  const target = tlp.targetId ?? tlp.completerId ?? tlp.messageCode ?? 0;
  const addressLo = tlp.register ?? tlp.addressLo;
  const kind = KIND_INDEX[tlp.kind];
  trace.emit(TLP_SENT, source, kind, requester, target, tlp.addressHi, addressLo, tlp.lengthBytes);
}

export function traceLost(trace: Trace, source: number, tlp: Tlp): void {
  trace.emit(TLP_LOST, source, KIND_INDEX[tlp.kind], tlp.requesterId);
}
