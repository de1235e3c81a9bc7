/**
 * Pending events, handed out in the total order (time, priority, sequence of scheduling).
 *
 * Three tiers by time. Near: an exact heap of all events before `horizon`. Middle: equal stretches of time, each an unordered list
 * that goes into the heap when the heap has run empty. Far: one unordered list of all beyond, from which new stretches are laid
 * out when the old ones are used up. Few events live in the heap alone. The tiers decide how fast an event is found, never which:
 * everything in the heap is earlier than everything outside, and the heap's order is exact.
 */
import { EventHeap } from './event-heap.js';
import { type EventId, EventSlots, NO_SLOT } from './event-slots.js';
import { TICK_NS, type TimeNs } from './time.js';

export type { EventId } from './event-slots.js';

/** Up to so many events a heap alone is fastest. */
const HEAP_ALONE = 192;
const STRETCHES_PER_EVENT = 2;
const MOST_STRETCHES = 2 ** 18;
const SAMPLES = 63;
/** The stretches reach so many times as far as the nearer half of the events. */
const SPAN_IN_MEDIANS = 6;

/** List 0 is the far list, list n + 1 the stretch n. */
const FAR = 0;
/** `where` of a slot in list n is -1 - n. */
const inList = (list: number): number => -1 - list;

export class EventQueue {
  readonly slots = new EventSlots();
  private readonly heap = new EventHeap(this.slots);
  private count = 0;

  private heads = new Int32Array(1).fill(NO_SLOT);
  private stretches = 0;
  /** The next stretch to go into the heap. */
  private upcoming = 0;
  private start: TimeNs = 0;
  private width: TimeNs = 1;
  private perNs = 1;
  /** The heap has all events before this time. */
  private horizon: TimeNs = Number.POSITIVE_INFINITY;
  /** The stretches end here. */
  private farStart: TimeNs = Number.POSITIVE_INFINITY;
  /** A heap of so many events is worth laying out anew. */
  private crowded = HEAP_ALONE;

  get size(): number {
    return this.count;
  }

  /** Adds an event. The caller has checked time, priority and handler. */
  push(time: TimeNs, priority: number, handler: number, a: number, b: number): EventId {
    const slot = this.slots.take(time, priority, handler, a, b);
    this.count++;
    this.place(slot);
    return this.slots.handle(slot);
  }

  /** Time of the next event; +Infinity when there is none. */
  nextTime(): TimeNs {
    while (this.heap.size === 0 && this.count > 0) this.refill();
    return this.heap.firstTime();
  }

  /** Handler of the next event, which `nextTime` has shown to exist. */
  nextHandler(): number {
    return this.slots.handler(this.heap.first());
  }

  nextA(): number {
    return this.slots.a(this.heap.first());
  }

  /** Hands out the slot of the next event, which `nextTime` has shown to exist. The slot's content is good until the next push. */
  pop(): number {
    const slot = this.heap.takeFirst();
    this.count--;
    this.slots.release(slot);
    return slot;
  }

  /** Removes a pending event. False if it ran or was cancelled already. */
  cancel(id: EventId): boolean {
    const slot = this.slots.find(id);
    if (slot === NO_SLOT) return false;
    this.takeOut(slot);
    this.slots.release(slot);
    this.count--;
    return true;
  }

  /** Moves a pending event. Among its new equals it comes last, as if cancelled and scheduled anew; the handle stays good. */
  reschedule(id: EventId, time: TimeNs): boolean {
    const slot = this.slots.find(id);
    if (slot === NO_SLOT) return false;
    this.takeOut(slot);
    this.slots.renew(slot, time);
    this.place(slot);
    return true;
  }

  private place(slot: number): void {
    const time = this.slots.time(slot);
    if (time < this.horizon) {
      this.heap.insert(slot);
      if (this.heap.size > this.crowded) this.layOutAll();
    } else if (time < this.farStart) {
      this.enlist(((time - this.start) * this.perNs + 1) | 0, slot);
    } else {
      this.enlist(FAR, slot);
    }
  }

  private enlist(list: number, slot: number): void {
    this.slots.link(slot, this.heads[list]!);
    this.heads[list] = slot;
    this.slots.where[slot] = inList(list);
  }

  private takeOut(slot: number): void {
    const where = this.slots.where[slot]!;
    if (where > 0) {
      this.heap.remove(slot);
      return;
    }
    const list = inList(where);
    this.heads[list] = this.slots.unlink(slot, this.heads[list]!);
  }

  /** The heap has run empty: the next stretch that holds something goes in, or the far list is laid out. */
  private refill(): void {
    const heads = this.heads;
    let n = this.upcoming;
    while (n < this.stretches && heads[n + 1] === NO_SLOT) n++;
    if (n >= this.stretches) {
      this.layOut(this.collect(new Int32Array(this.count), 0));
      return;
    }
    this.upcoming = n + 1;
    this.horizon = this.start + this.upcoming * this.width;
    let slot = heads[n + 1]!;
    heads[n + 1] = NO_SLOT;
    while (slot !== NO_SLOT) {
      const next = this.slots.next(slot);
      this.heap.insert(slot);
      slot = next;
    }
  }

  private layOutAll(): void {
    const near = this.heap.drain();
    const all = new Int32Array(this.count);
    all.set(near);
    this.layOut(this.collect(all, near.length));
  }

  /** Adds the slots of all lists to `all`, from index `from` on. */
  private collect(all: Int32Array, from: number): Int32Array {
    let at = from;
    for (let list = FAR; list <= this.stretches; list++) {
      for (let slot = this.heads[list]!; slot !== NO_SLOT; slot = this.slots.next(slot)) all[at++] = slot;
    }
    return all;
  }

  /** Lays new stretches out for all pending events, none of which is in the heap or in a list that still counts. */
  private layOut(all: Int32Array): void {
    if (all.length <= HEAP_ALONE) this.heapAlone();
    else this.chooseStretches(all);
    this.crowded = Number.POSITIVE_INFINITY;
    for (const slot of all) this.place(slot);
    // Events that share one instant cannot be spread: try again only when the heap has doubled.
    this.crowded = Math.max(HEAP_ALONE, 2 * this.heap.size);
  }

  private heapAlone(): void {
    this.heads[FAR] = NO_SLOT;
    this.stretches = 0;
    this.upcoming = 0;
    this.horizon = Number.POSITIVE_INFINITY;
    this.farStart = Number.POSITIVE_INFINITY;
  }

  private chooseStretches(all: Int32Array): void {
    const first = this.earliest(all);
    const span = Math.max(1, (this.medianTime(all) - first) * SPAN_IN_MEDIANS);
    this.stretches = Math.min(MOST_STRETCHES, 2 ** Math.ceil(Math.log2(STRETCHES_PER_EVENT * all.length)));
    // A power of two from a tick up, so that an event's stretch is computed without rounding.
    this.width = Math.max(TICK_NS, 2 ** Math.ceil(Math.log2(span / this.stretches)));
    this.perNs = 1 / this.width;
    this.start = Math.floor(first * this.perNs) * this.width;
    this.upcoming = 0;
    this.horizon = this.start;
    this.farStart = this.start + this.stretches * this.width;
    if (this.heads.length < this.stretches + 1) this.heads = new Int32Array(this.stretches + 1);
    this.heads.fill(NO_SLOT);
  }

  private earliest(all: Int32Array): TimeNs {
    let first = Number.POSITIVE_INFINITY;
    for (const slot of all) first = Math.min(first, this.slots.time(slot));
    return first;
  }

  /** The median of a sample: a few very late events must not stretch the stretches. */
  private medianTime(all: Int32Array): TimeNs {
    const sample = new Float64Array(SAMPLES);
    for (let i = 0; i < SAMPLES; i++) sample[i] = this.slots.time(all[Math.floor((i * all.length) / SAMPLES)]!);
    return sample.sort()[SAMPLES >> 1]!;
  }
}
