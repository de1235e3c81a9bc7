/**
 * Packets that wait to be sent, in three queues by class, and which of them may overtake.
 * Source: PCI Express base specification 2.4.1, table 2-34: a posted request may pass the others; nothing passes a
 * posted request; each class keeps its own order. Relaxed and ID-based ordering are not used.
 */
import type { TimeNs } from '../sim/time.js';
import { COMPLETION, classOf, dataCredits, NON_POSTED, type PacketClass, POSTED, type Pool } from './flow-control.js';
import { type Tlp, wireBytes } from './tlp.js';

/** What a packet waits for: a credit, or room in the replay buffer. */
export type StallReason = Pool | 'REPLAY';
export const STALL_REASONS: readonly StallReason[] = ['PH', 'PD', 'NPH', 'NPD', 'CPLH', 'CPLD', 'REPLAY'];

const LAST = Number.POSITIVE_INFINITY;
/** A queue is moved together when so many have left it. */
const COMPACT_AT = 256;

export class WaitingPacket {
  readonly packets: PacketClass;
  readonly units: number;
  readonly bytes: number;
  reason: StallReason | undefined = undefined;
  /** It was seen to wait with the wire free. */
  stalled = false;

  constructor(
    readonly tlp: Tlp,
    readonly order: number,
    /** Since when it could have gone, had there been credits: as head of its queue with the wire free. */
    public readySinceNs: TimeNs,
  ) {
    this.packets = classOf(tlp);
    this.units = dataCredits(tlp);
    this.bytes = wireBytes(tlp);
  }
}

/** First in, first out. */
class Lane {
  private items: WaitingPacket[] = [];
  private gone = 0;

  get head(): WaitingPacket | undefined {
    return this.items[this.gone];
  }
  get order(): number {
    return this.items[this.gone]?.order ?? LAST;
  }
  push(packet: WaitingPacket): void {
    this.items.push(packet);
  }
  shift(): void {
    this.gone++;
    if (this.gone < COMPACT_AT && this.gone < this.items.length) return;
    this.items = this.items.slice(this.gone);
    this.gone = 0;
  }
  empty(): WaitingPacket[] {
    const rest = this.items.slice(this.gone);
    this.items = [];
    this.gone = 0;
    return rest;
  }
}

export class TransmitQueue {
  private readonly lanes: readonly Lane[] = [new Lane(), new Lane(), new Lane()];
  private nextOrder = 0;
  private count = 0;

  get size(): number {
    return this.count;
  }

  push(tlp: Tlp, readySinceNs: TimeNs): void {
    const packet = new WaitingPacket(tlp, this.nextOrder++, readySinceNs);
    this.lanes[packet.packets]!.push(packet);
    this.count++;
  }

  /** The oldest packet that no ordering rule keeps back and that `ready` lets go; undefined if there is none. */
  pick(ready: (packet: WaitingPacket) => boolean): WaitingPacket | undefined {
    const posted = this.lanes[POSTED]!;
    const nonPosted = this.lanes[NON_POSTED]!;
    const completions = this.lanes[COMPLETION]!;
    const [first, second] = nonPosted.order < completions.order ? [nonPosted, completions] : [completions, nonPosted];
    if (first.order < posted.order && ready(first.head!)) return first.head;
    if (second.order < posted.order && ready(second.head!)) return second.head;
    return posted.head !== undefined && ready(posted.head) ? posted.head : undefined;
  }

  /** The head of a queue leaves it; who follows is ready from now on at the earliest. */
  remove(packet: WaitingPacket, now: TimeNs): void {
    const lane = this.lanes[packet.packets]!;
    lane.shift();
    this.count--;
    const follower = lane.head;
    if (follower !== undefined && follower.readySinceNs < now) follower.readySinceNs = now;
  }

  /** All that wait, oldest first; the queues are empty then. */
  drain(): Tlp[] {
    const all = this.lanes.flatMap((lane) => lane.empty()).sort((a, b) => a.order - b.order);
    this.count = 0;
    return all.map(({ tlp }) => tlp);
  }
}
