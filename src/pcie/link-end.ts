/**
 * One end of a link: sends packets to the other end, one after the other, each taking its time on the wire.
 * Facts: pcie-timing. Packets on their way when the link drops are lost.
 */
import { Priority } from '../sim/priority.js';
import type { HandlerId, Simulator } from '../sim/simulator.js';
import { quantize, type TimeNs } from '../sim/time.js';
import { defineTraceKind } from '../sim/trace.js';
import { SlotStore } from './slot-store.js';
import { TLP_KINDS, type Tlp, type TlpSink, wireBytes } from './tlp.js';

/** A packet enters the wire. `kind` indexes TLP_KINDS; `requester` and, in its upper half, the tag. */
export const TLP_SENT = defineTraceKind('pcie.tlp', 'kind', 'requester', 'target', 'addressHi', 'addressLo', 'length');
/** A packet was lost: on the way when the link dropped, or refused while it was down. */
export const TLP_LOST = defineTraceKind('pcie.lost', 'kind', 'requester');

/** What an end needs to know of its link at the moment of sending. */
export interface LinkTiming {
  readonly isUp: boolean;
  readonly nsPerByte: number;
  readonly flightNs: number;
  readonly replayNs: number;
  /** Nothing leaves before this time (recovery). */
  readonly heldUntil: TimeNs;
  /** Counts the times the link came up: a packet belongs to one of them. */
  readonly session: number;
}

export type PacketObserver = (tlp: Tlp, end: LinkEnd) => void;

export class LinkEnd {
  /** Packets and bytes this end has put on the wire, packets lost on the way and packets refused while down. */
  sentPackets = 0;
  sentBytes = 0;
  lostPackets = 0;
  refusedPackets = 0;
  replayedPackets = 0;

  private sink: TlpSink | undefined;
  private readonly inFlight = new SlotStore<Tlp>();
  private readonly arrival: HandlerId;
  private readonly observers: PacketObserver[] = [];
  /** Exact, not on the 1/8 ns grid: rounding each packet would cost small packets 2 % of the bandwidth. */
  private busyUntil = 0;
  private damageNext = 0;
  private far: LinkEnd | undefined;
  private readonly source: number;

  constructor(
    private readonly sim: Simulator,
    readonly name: string,
    private readonly timing: LinkTiming,
  ) {
    this.arrival = sim.handler(`${name} arrival`, (slot, session) => this.arrive(slot, session));
    this.source = sim.trace.source(name);
  }

  /** Joins the two ends of a link. */
  static join(a: LinkEnd, b: LinkEnd): void {
    a.far = b;
    b.far = a;
  }

  /** Who takes the packets that arrive at this end. */
  attach(sink: TlpSink): void {
    this.sink = sink;
  }

  /** False: the link is down and the packet is gone. */
  send(tlp: Tlp): boolean {
    if (!this.timing.isUp) {
      this.refusedPackets++;
      this.traceLoss(tlp);
      return false;
    }
    const bytes = wireBytes(tlp);
    const start = Math.max(this.sim.now, this.busyUntil, this.timing.heldUntil);
    this.busyUntil = start + bytes * this.timing.nsPerByte + this.replayDelay();
    this.sentPackets++;
    this.sentBytes += bytes;
    this.traceSend(tlp);
    for (const observer of this.observers) observer(tlp, this);
    const arrivesAt = quantize(this.busyUntil + this.timing.flightNs);
    this.sim.scheduleAt(arrivesAt, Priority.LINK, this.arrival, this.inFlight.put(tlp), this.timing.session);
    return true;
  }

  /** Time at which the wire is free for the next packet. */
  get freeAt(): TimeNs {
    return Math.max(quantize(this.busyUntil), this.sim.now);
  }

  get packetsInFlight(): number {
    return this.inFlight.size;
  }

  /** The next `count` packets arrive damaged once and are sent again (LCRC error, NAK, replay). */
  damageNextPackets(count: number): void {
    this.damageNext += count;
  }

  /** Sees every packet this end sends. For traces and tests. */
  observe(observer: PacketObserver): void {
    this.observers.push(observer);
  }

  /** The link dropped: the wire is idle again. */
  idle(): void {
    this.busyUntil = this.sim.now;
  }

  private replayDelay(): number {
    if (this.damageNext === 0) return 0;
    this.damageNext--;
    this.replayedPackets++;
    return this.timing.replayNs;
  }

  private traceSend(tlp: Tlp): void {
    const requester = ((tlp.tag & 0xff) << 16) | tlp.requesterId;
    const target = tlp.targetId ?? tlp.completerId ?? tlp.messageCode ?? 0;
    const addressLo = tlp.register ?? tlp.addressLo;
    const kind = TLP_KINDS.indexOf(tlp.kind);
    this.sim.trace.emit(TLP_SENT, this.source, kind, requester, target, tlp.addressHi, addressLo, tlp.lengthBytes);
  }

  private traceLoss(tlp: Tlp): void {
    this.sim.trace.emit(TLP_LOST, this.source, TLP_KINDS.indexOf(tlp.kind), tlp.requesterId);
  }

  private arrive(slot: number, session: number): void {
    const tlp = this.inFlight.take(slot);
    if (session !== this.timing.session || !this.timing.isUp) {
      this.lostPackets++;
      this.traceLoss(tlp);
      return;
    }
    this.far?.sink?.receive(tlp);
  }
}
