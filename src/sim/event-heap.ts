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

  insert(slot: number): void {
    let index = ROOT;
    if (this.hole === 0) index = this.appendPlace();
    else this.hole = 0;
    this.times[index] = this.slots.time(slot);
    this.members[index] = slot;
    // An open root is filled by the new event, which has nobody above it; anywhere else it stands at the end, with nobody below.
    if (index === ROOT) this.siftDown(index);
    else this.siftUp(index);
  }

  /** Time of the first event; +Infinity when empty. */
  firstTime(): TimeNs {
    if (this.hole !== 0) this.closeHole();
    return this.times[ROOT]!;
  }

  /** The first event. Only after `firstTime` has given a time. */
  first(): number {
    return this.members[ROOT]!;
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
    this.times[last] = Number.POSITIVE_INFINITY;
    if (index === last) return;
    this.times[index] = time;
    this.members[index] = this.members[last]!;
    if (index !== ROOT && this.precedes(index, (index >> 2) + 2)) this.siftUp(index);
    else this.siftDown(index);
  }

  private precedes(index: number, other: number): boolean {
    const time = this.times[index]!;
    const otherTime = this.times[other]!;
    return time < otherTime || (time === otherTime && this.ordersBefore(index, other));
  }

  private ordersBefore(index: number, other: number): boolean {
    return this.slots.order(this.members[index]!) < this.slots.order(this.members[other]!);
  }

  // Sifting takes places, not times: a double handed to a function that is not inlined costs an allocation.

  private siftUp(from: number): void {
    const { times, members } = this;
    const where = this.slots.where;
    const time = times[from]!;
    const slot = members[from]!;
    const order = this.slots.order(slot);
    let index = from;
    while (index !== ROOT) {
      const parent = (index >> 2) + 2;
      const parentTime = times[parent]!;
      const above = members[parent]!;
      if (parentTime < time || (parentTime === time && this.slots.order(above) < order)) break;
      times[index] = parentTime;
      members[index] = above;
      where[above] = index;
      index = parent;
    }
    times[index] = time;
    members[index] = slot;
    where[slot] = index;
  }

  private siftDown(from: number): void {
    const { times, members } = this;
    const where = this.slots.where;
    const time = times[from]!;
    const slot = members[from]!;
    let index = from;
    for (;;) {
      const first = (index - 2) << 2;
      if (first >= this.end) break;
      const child = this.firstChild(first);
      const childTime = times[child]!;
      const below = members[child]!;
      if (time < childTime || (time === childTime && this.slots.order(slot) < this.slots.order(below))) break;
      times[index] = childTime;
      members[index] = below;
      where[below] = index;
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
      if (time < bestTime || (time === bestTime && child < this.end && this.ordersBefore(child, best))) {
        best = child;
        bestTime = time;
      }
    }
    return best;
  }

  private appendPlace(): number {
    // Four places behind the end are always there, at +Infinity, so that comparing brothers needs no bound.
    if (this.end + 4 >= this.times.length) this.grow();
    return this.end++;
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
