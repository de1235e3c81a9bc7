/**
 * Flow-control credits as the sender of one direction counts them: what the receiver advertised, what is spent, and what
 * is on its way back. Source: PCI Express base specification 2.6.1; 2.4.1 for the three classes.
 */
import type { TimeNs } from '../sim/time.js';
import { isCompletion, isPosted, type Tlp } from './tlp.js';

/** Headers and data of posted requests, non-posted requests and completions. */
export const POOLS = ['PH', 'PD', 'NPH', 'NPD', 'CPLH', 'CPLD'] as const;
export type Pool = (typeof POOLS)[number];
export type Credits = Readonly<Record<Pool, number>>;

export const POSTED = 0;
export const NON_POSTED = 1;
export const COMPLETION = 2;
export type PacketClass = typeof POSTED | typeof NON_POSTED | typeof COMPLETION;

const CREDIT_BYTES = 16;
const FIRST_CAPACITY = 64;
/** The counters are of 8 and 12 bits, and half of their range tells new from old (2.6.1.2). */
const MOST_HEADERS = 127;
const MOST_DATA = 2047;

export function classOf(tlp: Tlp): PacketClass {
  return isPosted(tlp) ? POSTED : isCompletion(tlp) ? COMPLETION : NON_POSTED;
}

export function dataCredits(tlp: Tlp): number {
  return tlp.data === undefined ? 0 : Math.ceil(tlp.data.length / CREDIT_BYTES);
}

/** Refuses what no receiver could advertise. Infinity stands for "infinite", which goes over the wire as 0. */
export function checkCredits(credits: Credits): void {
  for (const [index, pool] of POOLS.entries()) {
    const amount = credits[pool];
    const most = index % 2 === 0 ? MOST_HEADERS : MOST_DATA;
    const possible = amount === Number.POSITIVE_INFINITY || (Number.isInteger(amount) && amount >= 1 && amount <= most);
    if (!possible) {
      throw new RangeError(`${pool}: ${amount} credits cannot be advertised; give 1 to ${most}, or Infinity`);
    }
  }
}

export class CreditAccount {
  private readonly advertised = new Float64Array(POOLS.length);
  private readonly free = new Float64Array(POOLS.length);
  /** Drained, but the receiver says nothing of it. */
  private readonly withheld = new Float64Array(POOLS.length);
  /** Told in updates that were damaged: the next good one of the class, which counts from the start, brings them too. */
  private readonly untold = new Float64Array(POOLS.length);

  // Updates on their way, oldest first, in a ring.
  private times = new Float64Array(FIRST_CAPACITY);
  private classes = new Uint8Array(FIRST_CAPACITY);
  private headers = new Float64Array(FIRST_CAPACITY);
  private data = new Float64Array(FIRST_CAPACITY);
  private head = 0;
  private tail = 0;

  /** The link came up and its receiver advertised these; everything before is forgotten. */
  initialise(credits: Credits): void {
    for (const [index, pool] of POOLS.entries()) this.advertised[index] = credits[pool];
    this.free.set(this.advertised);
    this.withheld.fill(0);
    this.untold.fill(0);
    this.head = this.tail;
  }

  /** Spends one header and `units` of data if both are there. A packet larger than a whole pool needs the whole pool. */
  spend(packets: PacketClass, units: number, now: TimeNs): boolean {
    if (!this.covers(packets, units)) {
      this.settle(now);
      if (!this.covers(packets, units)) return false;
    }
    this.free[packets * 2]!--;
    this.free[packets * 2 + 1]! -= units;
    return true;
  }

  /** Which pool keeps such a packet back. */
  lacking(packets: PacketClass): Pool {
    return POOLS[this.free[packets * 2]! < 1 ? packets * 2 : packets * 2 + 1]!;
  }

  isEndless(packets: PacketClass): boolean {
    const endless = Number.POSITIVE_INFINITY;
    return this.advertised[packets * 2] === endless && this.advertised[packets * 2 + 1] === endless;
  }

  /** The receiver has drained a packet; the sender knows it at `atNs`. */
  giveBack(packets: PacketClass, units: number, atNs: TimeNs): void {
    const at = packets * 2;
    this.push(packets, 1 + this.untold[at]!, units + this.untold[at + 1]!, atNs);
    this.untold[at] = 0;
    this.untold[at + 1] = 0;
  }

  withhold(packets: PacketClass, units: number): void {
    this.withheld[packets * 2]!++;
    this.withheld[packets * 2 + 1]! += units;
  }

  /** The update was damaged on its way. */
  lose(packets: PacketClass, units: number): void {
    this.untold[packets * 2]!++;
    this.untold[packets * 2 + 1]! += units;
  }

  /** The receiver speaks again of all it withheld. */
  release(atNs: TimeNs): void {
    this.pushAll(this.withheld, atNs);
  }

  /** The update that is repeated after a while whether anything changed or not. */
  repeat(atNs: TimeNs): void {
    this.pushAll(this.untold, atNs);
  }

  available(pool: Pool, now: TimeNs): number {
    this.settle(now);
    return this.free[POOLS.indexOf(pool)]!;
  }

  /** When the sender will know more; Infinity if nothing is on its way. */
  nextUpdateNs(now: TimeNs): TimeNs {
    this.settle(now);
    return this.head === this.tail ? Number.POSITIVE_INFINITY : this.times[this.head]!;
  }

  private covers(packets: PacketClass, units: number): boolean {
    const at = packets * 2;
    return this.free[at]! >= 1 && this.free[at + 1]! >= Math.min(units, this.advertised[at + 1]!);
  }

  private pushAll(amounts: Float64Array, atNs: TimeNs): void {
    for (const packets of [POSTED, NON_POSTED, COMPLETION] as const) {
      const at = packets * 2;
      if (amounts[at]! > 0) this.push(packets, amounts[at]!, amounts[at + 1]!, atNs);
      amounts[at] = 0;
      amounts[at + 1] = 0;
    }
  }

  private push(packets: PacketClass, headers: number, units: number, atNs: TimeNs): void {
    const mask = this.times.length - 1;
    if (((this.tail + 1) & mask) === this.head) {
      this.grow();
      this.push(packets, headers, units, atNs);
      return;
    }
    this.times[this.tail] = atNs;
    this.classes[this.tail] = packets;
    this.headers[this.tail] = headers;
    this.data[this.tail] = units;
    this.tail = (this.tail + 1) & mask;
  }

  private settle(now: TimeNs): void {
    const mask = this.times.length - 1;
    while (this.head !== this.tail && this.times[this.head]! <= now) {
      const at = this.classes[this.head]! * 2;
      this.free[at]! += this.headers[this.head]!;
      this.free[at + 1]! += this.data[this.head]!;
      this.head = (this.head + 1) & mask;
    }
  }

  private grow(): void {
    const old = this.times.length;
    const unrolled = <T extends Float64Array | Uint8Array>(from: T, to: T): T => {
      for (let i = 0; i < old; i++) to[i] = from[(this.head + i) & (old - 1)]!;
      return to;
    };
    const count = (this.tail - this.head) & (old - 1);
    this.times = unrolled(this.times, new Float64Array(old * 2));
    this.classes = unrolled(this.classes, new Uint8Array(old * 2));
    this.headers = unrolled(this.headers, new Float64Array(old * 2));
    this.data = unrolled(this.data, new Float64Array(old * 2));
    this.head = 0;
    this.tail = count;
  }
}
