/**
 * What a sender keeps until the receiver has acknowledged it, by sequence number. Source: PCI Express base
 * specification 3.5.2.1. Sequence numbers run on here; the wire carries their low twelve bits.
 *
 * The time of a packet's acknowledgement is known when it is sent, as long as nothing goes wrong: the entry holds it,
 * and no event is spent on it.
 */
import type { EventId } from '../sim/simulator.js';
import type { TimeNs } from '../sim/time.js';
import type { Tlp } from './tlp.js';

/** No acknowledgement is on its way. */
export const NEVER = Number.POSITIVE_INFINITY;

const FIRST_CAPACITY = 64;
/** Half of the sequence numbers: more could not be told from old ones (3.5.2.1). */
const MOST_PACKETS = 2047;

export class ReplayBuffer {
  /** The oldest packet without acknowledgement, and the number the next one gets. */
  first = 0;
  next = 0;
  /** Replays since the last acknowledgement; two bits in hardware. */
  replays = 0;
  /** Retrainings since then, because the replays ran out. */
  retrainings = 0;

  private bytesHeld = 0;
  private tlps: (Tlp | undefined)[] = [];
  private bytes = new Float64Array(FIRST_CAPACITY);
  private ends = new Float64Array(FIRST_CAPACITY);
  private acks = new Float64Array(FIRST_CAPACITY);
  private events = new Float64Array(FIRST_CAPACITY);

  constructor(private readonly capacityBytes: number) {}

  /** A packet larger than the whole buffer waits until it is empty. */
  hasRoomFor(bytes: number, now: TimeNs): boolean {
    if (this.fits(bytes)) return true;
    this.settle(now);
    return this.fits(bytes);
  }

  /** Takes a packet in; its times follow by `sent`. */
  add(tlp: Tlp, bytes: number): number {
    if (this.next - this.first === this.bytes.length) this.grow();
    const sequence = this.next++;
    const at = sequence & (this.bytes.length - 1);
    this.tlps[at] = tlp;
    this.bytes[at] = bytes;
    this.bytesHeld += bytes;
    return sequence;
  }

  /** On the wire until `endsAt`, exact; `event` is its arrival. */
  sent(sequence: number, endsAt: number, event: EventId): void {
    const at = sequence & (this.bytes.length - 1);
    this.ends[at] = endsAt;
    this.events[at] = event;
  }

  acknowledgedAt(sequence: number, atNs: TimeNs): void {
    this.acks[sequence & (this.bytes.length - 1)] = atNs;
  }

  /** An acknowledgement covers all before it, also those whose own was lost. */
  acknowledgeThrough(sequence: number, atNs: TimeNs): void {
    for (let i = sequence; i >= this.first && (i === sequence || this.ackOf(i) > atNs); i--) {
      this.acknowledgedAt(i, atNs);
    }
  }

  /** Nothing from here on will be acknowledged unless it is sent again. */
  forgetAcknowledgements(from: number): void {
    for (let i = from; i < this.next; i++) this.acknowledgedAt(i, NEVER);
  }

  /** Lets go of what was acknowledged by now. */
  settle(now: TimeNs): void {
    if (this.first === this.next || this.ackOf(this.first) > now) return;
    const mask = this.bytes.length - 1;
    while (this.first < this.next && this.acks[this.first & mask]! <= now) {
      this.bytesHeld -= this.bytes[this.first & mask]!;
      this.first++;
    }
    this.replays = 0;
    this.retrainings = 0;
  }

  /** When the next acknowledgement makes room; Infinity if none is on its way. */
  nextAckNs(now: TimeNs): TimeNs {
    this.settle(now);
    return this.first < this.next ? this.ackOf(this.first) : NEVER;
  }

  ackOf(sequence: number): TimeNs {
    return this.acks[sequence & (this.bytes.length - 1)]!;
  }
  endOf(sequence: number): number {
    return this.ends[sequence & (this.bytes.length - 1)]!;
  }
  bytesOf(sequence: number): number {
    return this.bytes[sequence & (this.bytes.length - 1)]!;
  }
  eventOf(sequence: number): EventId {
    return this.events[sequence & (this.bytes.length - 1)]!;
  }

  /** The packet has arrived: from now on only its bytes count. */
  takePacket(sequence: number): Tlp {
    const at = sequence & (this.bytes.length - 1);
    const tlp = this.tlps[at]!;
    this.tlps[at] = undefined;
    return tlp;
  }

  clear(): void {
    this.first = 0;
    this.next = 0;
    this.bytesHeld = 0;
    this.replays = 0;
    this.retrainings = 0;
    this.tlps.length = 0;
  }

  private fits(bytes: number): boolean {
    const held = this.next - this.first;
    return held === 0 || (held < MOST_PACKETS && this.bytesHeld + bytes <= this.capacityBytes);
  }

  private grow(): void {
    const old = this.bytes.length;
    const at = this.first & (old - 1);
    const tlps = this.tlps;
    this.tlps = [];
    for (let i = 0; i < old; i++) this.tlps[(this.first + i) & (old * 2 - 1)] = tlps[(at + i) & (old - 1)];
    const moved = (from: Float64Array): Float64Array<ArrayBuffer> => {
      const to = new Float64Array(old * 2);
      for (let i = 0; i < old; i++) to[(this.first + i) & (old * 2 - 1)] = from[(at + i) & (old - 1)]!;
      return to;
    };
    this.bytes = moved(this.bytes);
    this.ends = moved(this.ends);
    this.acks = moved(this.acks);
    this.events = moved(this.events);
  }
}
