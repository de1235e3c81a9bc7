/**
 * Where pending events lie: one slot of 64 bytes each, a cache line. A handle names slot and generation, so that the handle of an
 * event that ran or was cancelled never hits the slot's next tenant.
 */
import { SimulationError } from './errors.js';
import type { TimeNs } from './time.js';

export type EventId = number;

export const NO_SLOT = -1;
/** `where` of a slot without an event. */
export const FREE = 0;

const FIRST_CAPACITY = 1024;
const SLOT_BITS = 22;
const SLOT_COUNT = 2 ** SLOT_BITS;
const LAST_GENERATION = 2 ** 31 - 1;

// A slot in doubles: time, order, a, b; then in 32-bit words: handler, generation, links to neighbours in a list.
const DOUBLES = 8;
const ORDER = 1;
const A = 2;
const B = 3;
const WORDS = 16;
const HANDLER = 8;
const GENERATION = 9;
const NEXT = 10;
const PREVIOUS = 11;

/** Priority and sequence in one exact number: three bits of priority above fifty of sequence. */
const PRIORITY_STEP = 2 ** 50;

export class EventSlots {
  private doubles = new Float64Array(FIRST_CAPACITY * DOUBLES);
  private words = new Int32Array(this.doubles.buffer);
  /** Which structure holds the slot's event: its place in the heap from 1 up, in a list from -1 down, or FREE. */
  where = new Int32Array(FIRST_CAPACITY);
  private firstFree = NO_SLOT;
  private used = 0;
  private sequence = 0;

  /** A slot for a new event, its order the last of its priority. */
  take(time: TimeNs, priority: number, handler: number, a: number, b: number): number {
    let slot = this.firstFree;
    if (slot === NO_SLOT) slot = this.fresh();
    else this.firstFree = this.words[slot * WORDS + NEXT]!;
    const at = slot * DOUBLES;
    const doubles = this.doubles;
    doubles[at] = time;
    doubles[at + ORDER] = priority * PRIORITY_STEP + this.sequence++;
    doubles[at + A] = a;
    doubles[at + B] = b;
    this.words[slot * WORDS + HANDLER] = handler;
    return slot;
  }

  release(slot: number): void {
    this.where[slot] = FREE;
    const at = slot * WORDS;
    const generation = this.words[at + GENERATION]!;
    // Out of generations: the slot is retired rather than letting an old handle hit a new event.
    if (generation === LAST_GENERATION) return;
    this.words[at + GENERATION] = generation + 1;
    this.words[at + NEXT] = this.firstFree;
    this.firstFree = slot;
  }

  /** Moves the event to a time, behind all others of its priority. */
  renew(slot: number, time: TimeNs): void {
    const at = slot * DOUBLES;
    this.doubles[at] = time;
    this.doubles[at + ORDER] = Math.floor(this.doubles[at + ORDER]! / PRIORITY_STEP) * PRIORITY_STEP + this.sequence++;
  }

  handle(slot: number): EventId {
    return this.words[slot * WORDS + GENERATION]! * SLOT_COUNT + slot;
  }

  /** The slot a handle names, or NO_SLOT if its event is no longer pending (or the handle was never given out). */
  find(id: EventId): number {
    const slot = id % SLOT_COUNT;
    if (!(slot >= 0 && slot < this.used) || this.where[slot] === FREE) return NO_SLOT;
    return this.handle(slot) === id ? slot : NO_SLOT;
  }

  time(slot: number): TimeNs {
    return this.doubles[slot * DOUBLES]!;
  }

  order(slot: number): number {
    return this.doubles[slot * DOUBLES + ORDER]!;
  }

  a(slot: number): number {
    return this.doubles[slot * DOUBLES + A]!;
  }

  b(slot: number): number {
    return this.doubles[slot * DOUBLES + B]!;
  }

  handler(slot: number): number {
    return this.words[slot * WORDS + HANDLER]!;
  }

  next(slot: number): number {
    return this.words[slot * WORDS + NEXT]!;
  }

  /** Puts the slot before `head` (or NO_SLOT) of a list. */
  link(slot: number, head: number): void {
    const words = this.words;
    words[slot * WORDS + NEXT] = head;
    words[slot * WORDS + PREVIOUS] = NO_SLOT;
    if (head !== NO_SLOT) words[head * WORDS + PREVIOUS] = slot;
  }

  /** Takes the slot out of a list whose head is `head`; returns the list's head from now on. */
  unlink(slot: number, head: number): number {
    const words = this.words;
    const next = words[slot * WORDS + NEXT]!;
    const previous = words[slot * WORDS + PREVIOUS]!;
    if (next !== NO_SLOT) words[next * WORDS + PREVIOUS] = previous;
    if (previous === NO_SLOT) return next;
    words[previous * WORDS + NEXT] = next;
    return head;
  }

  private fresh(): number {
    if (this.used === SLOT_COUNT) {
      throw new SimulationError(`more than ${SLOT_COUNT} events are pending: something schedules without end`);
    }
    if (this.used === this.where.length) this.grow();
    return this.used++;
  }

  private grow(): void {
    const doubles = new Float64Array(this.doubles.length * 2);
    doubles.set(this.doubles);
    const where = new Int32Array(this.where.length * 2);
    where.set(this.where);
    this.doubles = doubles;
    this.words = new Int32Array(doubles.buffer);
    this.where = where;
  }
}
