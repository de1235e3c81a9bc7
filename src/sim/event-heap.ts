/** The near events, exactly ordered: a four-way heap of times beside slot numbers. Equal times are told apart by the slots' order. */
import type { EventSlots } from './event-slots.js';
import type { TimeNs } from './time.js';

// Children of p are 4(p-2) to 4(p-2)+3, the parent of c is c/4 + 2: brothers start at a multiple of four, in one cache line.
const ROOT = 3;
const FIRST_CAPACITY = 256;

export class EventHeap {
  private times = new Float64Array(FIRST_CAPACITY).fill(Number.POSITIVE_INFINITY);
  private members = new Int32Array(FIRST_CAPACITY);
  private end = ROOT;
  /** The event taken out last left its place at the root open: the next one put in may have it. */
  private hole = 0;

  constructor(private readonly slots: EventSlots) {}

  get size(): number {
    return this.end - ROOT - this.hole;
  }

  insert(time: TimeNs, slot: number): void {
    if (this.hole !== 0) {
      this.hole = 0;
      this.siftDown(ROOT, time, slot);
      return;
    }
    // Four places behind the end are always there, at +Infinity, so that comparing brothers needs no bound.
    if (this.end + 4 >= this.times.length) this.grow();
    this.siftUp(this.end++, time, slot);
  }

  /** Time of the first event; +Infinity when empty. */
  firstTime(): TimeNs {
    if (this.hole !== 0) this.closeHole();
    return this.times[ROOT]!;
  }

  /** Takes the first event out. Only after `firstTime` has given a time. */
  takeFirst(): number {
    this.hole = 1;
    // No event put in meanwhile may climb over the open root.
    this.times[ROOT] = Number.NEGATIVE_INFINITY;
    return this.members[ROOT]!;
  }

  /** Takes an event out from anywhere. */
  remove(slot: number): void {
    this.removeAt(this.slots.where[slot]!);
  }

  /** Empties the heap into a list of slots, in no order. */
  drain(): Int32Array {
    if (this.hole !== 0) this.closeHole();
    const all = this.members.slice(ROOT, this.end);
    this.times.fill(Number.POSITIVE_INFINITY, ROOT, this.end);
    this.end = ROOT;
    return all;
  }

  private closeHole(): void {
    this.hole = 0;
    this.removeAt(ROOT);
  }

  private removeAt(index: number): void {
    const last = --this.end;
    const time = this.times[last]!;
    const slot = this.members[last]!;
    this.times[last] = Number.POSITIVE_INFINITY;
    if (index === last) return;
    if (index !== ROOT && this.precedes(time, slot, (index >> 2) + 2)) this.siftUp(index, time, slot);
    else this.siftDown(index, time, slot);
  }

  private precedes(time: TimeNs, slot: number, index: number): boolean {
    const other = this.times[index]!;
    if (time !== other) return time < other;
    return this.slots.order(slot) < this.slots.order(this.members[index]!);
  }

  private siftUp(from: number, time: TimeNs, slot: number): void {
    const { times, members } = this;
    const where = this.slots.where;
    let index = from;
    while (index !== ROOT) {
      const parent = (index >> 2) + 2;
      if (!this.precedes(time, slot, parent)) break;
      times[index] = times[parent]!;
      const moved = members[parent]!;
      members[index] = moved;
      where[moved] = index;
      index = parent;
    }
    times[index] = time;
    members[index] = slot;
    where[slot] = index;
  }

  private siftDown(from: number, time: TimeNs, slot: number): void {
    const { times, members } = this;
    const where = this.slots.where;
    let index = from;
    for (;;) {
      const first = (index - 2) << 2;
      if (first >= this.end) break;
      const child = this.firstChild(first);
      if (!(times[child]! <= time) || this.precedes(time, slot, child)) break;
      times[index] = times[child]!;
      const moved = members[child]!;
      members[index] = moved;
      where[moved] = index;
      index = child;
    }
    times[index] = time;
    members[index] = slot;
    where[slot] = index;
  }

  /** The brother that goes first. Places behind the end lose against any event. */
  private firstChild(first: number): number {
    const times = this.times;
    let best = first;
    let bestTime = times[first]!;
    for (let child = first + 1; child < first + 4; child++) {
      const time = times[child]!;
      if (
        time < bestTime ||
        (time === bestTime && child < this.end && this.precedes(time, this.members[child]!, best))
      ) {
        best = child;
        bestTime = time;
      }
    }
    return best;
  }

  private grow(): void {
    const times = new Float64Array(this.times.length * 2).fill(Number.POSITIVE_INFINITY);
    times.set(this.times);
    const members = new Int32Array(times.length);
    members.set(this.members);
    this.times = times;
    this.members = members;
  }
}
