/**
 * Connects processors, memory and chips. An access is a ticket: it travels the request leg as an event, its target
 * answers now or later, and the value stays with the ticket until the requester leaves.
 */
import { Priority } from '../sim/priority.js';
import type { HandlerId, Simulator } from '../sim/simulator.js';
import type { Task, Wait } from '../sim/task.js';
import { quantize, type TimeNs } from '../sim/time.js';
import { defineTraceKind, type TraceKind } from '../sim/trace.js';
import { fromHalves, hiOf, loOf } from './bits.js';
import type { Figure } from './figure.js';
import type { AccessSize } from './host-port.js';
import type { SystemMemory } from './memory.js';

/** A chip's MMIO side. */
export interface BusTarget {
  claims(address: number): boolean;
  /** Answers through `bus.complete(ticket, value)`, now or later. */
  load(address: number, size: AccessSize, ticket: number): void;
  store(address: number, size: AccessSize, value: bigint): void;
}

/** A chip's side service: control and status registers by PCB address. */
export interface ScomTarget {
  claimsScom(address: number): boolean;
  /** Answers through `bus.complete(ticket, value)`, now or later. */
  scomRead(address: number, ticket: number): void;
  scomWrite(address: number, value: bigint): void;
}

/** Time of the request leg. MMIO to a device adds what PCI Express takes. */
export interface BusTiming {
  readonly mmioLoadNs: Figure;
  readonly mmioStoreNs: Figure;
  readonly scomNs: Figure;
  readonly memoryNs: Figure;
}

const UNMEASURED = '(M) no source measures it';

export const BUS_TIMING: BusTiming = {
  mmioLoadNs: { value: 1000, known: 'assumed', source: UNMEASURED },
  mmioStoreNs: { value: 100, known: 'assumed', source: UNMEASURED },
  scomNs: { value: 2000, known: 'assumed', source: UNMEASURED },
  memoryNs: { value: 100, known: 'assumed', source: UNMEASURED },
};

export const MMIO_LOAD = defineTraceKind('mmio-load', 'addressHi', 'addressLo', 'size', 'valueHi', 'valueLo');
export const MMIO_STORE = defineTraceKind('mmio-store', 'addressHi', 'addressLo', 'size', 'valueHi', 'valueLo');
export const SCOM_READ = defineTraceKind('scom-read', 'addressHi', 'addressLo', 'size', 'valueHi', 'valueLo');
export const SCOM_WRITE = defineTraceKind('scom-write', 'addressHi', 'addressLo', 'size', 'valueHi', 'valueLo');
/** Nobody claimed the address: a read answers all ones, a write is lost. */
export const BUS_UNCLAIMED = defineTraceKind('bus-unclaimed', 'addressHi', 'addressLo', 'size', 'operation');
/** A value came for a requester that no longer waits. */
export const BUS_ABANDONED = defineTraceKind('bus-abandoned', 'addressHi', 'addressLo', 'size', 'valueHi', 'valueLo');

export type BusOperation = 'load' | 'store' | 'scom-read' | 'scom-write';
const OPERATIONS: readonly BusOperation[] = ['load', 'store', 'scom-read', 'scom-write'];
const OPERATION_KINDS: Readonly<Record<BusOperation, TraceKind>> = {
  load: MMIO_LOAD,
  store: MMIO_STORE,
  'scom-read': SCOM_READ,
  'scom-write': SCOM_WRITE,
};

/** A ticket is used after its value was taken, or answered twice: a broken invariant of a chip or of the caller. */
export class TicketError extends Error {
  override readonly name = 'TicketError';
  constructor(ticket: number, what: string) {
    super(`bus ticket ${ticket} ${what}: a ticket is answered once and taken once`);
  }
}

/** Tickets are slot + SLOT_LIMIT * generation; the slot is used again, the ticket number is not. */
const SLOT_LIMIT = 65536;

/** One access in flight, or a free place for one. The process that requested it waits for the slot itself. */
class Slot implements Wait {
  ticket: number;
  state: 'free' | 'open' | 'done' | 'taken' | 'abandoned' = 'free';
  operation: BusOperation = 'load';
  address = 0;
  size: AccessSize = 8;
  hi = 0;
  lo = 0;
  private waiter: Task | undefined;

  constructor(index: number) {
    this.ticket = index;
  }

  get about(): string {
    return `bus access ${this.ticket % SLOT_LIMIT}`;
  }

  begin(task: Task): void {
    this.waiter = task;
  }

  end(): void {
    this.waiter = undefined;
  }

  settle(): void {
    this.state = 'done';
    this.waiter?.wake(undefined);
  }
}

export class SystemBus {
  private readonly targets: BusTarget[] = [];
  private readonly scomTargets: ScomTarget[] = [];
  private readonly slots: Slot[] = [];
  private readonly freeSlots: number[] = [];
  private readonly legsNs: Readonly<Record<keyof BusTiming, TimeNs>>;
  private readonly arrival: HandlerId;
  private readonly traceSource: number;

  constructor(
    readonly sim: Simulator,
    readonly memory: SystemMemory,
    timing: BusTiming = BUS_TIMING,
  ) {
    this.legsNs = {
      mmioLoadNs: quantize(timing.mmioLoadNs.value),
      mmioStoreNs: quantize(timing.mmioStoreNs.value),
      scomNs: quantize(timing.scomNs.value),
      memoryNs: quantize(timing.memoryNs.value),
    };
    this.arrival = sim.handler('bus-arrival', (ticket) => this.arrive(this.slotOf(ticket)));
    this.traceSource = sim.trace.source('bus');
  }

  /** Chips are asked in the order in which they were attached. */
  attach(target: BusTarget & ScomTarget): void {
    this.attachMmio(target);
    this.attachScom(target);
  }

  attachMmio(target: BusTarget): void {
    this.targets.push(target);
  }

  attachScom(target: ScomTarget): void {
    this.scomTargets.push(target);
  }

  // ---- requesters -------------------------------------------------------------------------------------------------

  /** Sends a load on its way; its value waits under the ticket until `take`. */
  beginLoad(address: number, size: AccessSize): number {
    return this.begin('load', address, size, 0n);
  }

  /** Sends a store on its way; the ticket completes, with 0, when the store has reached its target. */
  beginStore(address: number, size: AccessSize, value: bigint): number {
    return this.begin('store', address, size, value);
  }

  beginScomRead(address: number): number {
    return this.begin('scom-read', address, 8, 0n);
  }

  beginScomWrite(address: number, value: bigint): number {
    return this.begin('scom-write', address, 8, value);
  }

  isDone(ticket: number): boolean {
    return this.slotOf(ticket).state === 'done';
  }

  /** What one process yields to wait until the ticket completes. Good until the value is taken. */
  completion(ticket: number): Wait {
    return this.slotOf(ticket);
  }

  /** The value of a ticket that is done, once. */
  value(ticket: number): bigint {
    const slot = this.slotOf(ticket);
    if (slot.state !== 'done') throw new TicketError(ticket, 'has no value yet');
    slot.state = 'taken';
    return fromHalves(slot.hi, slot.lo);
  }

  /** Gives the value and ends the ticket. */
  take(ticket: number): bigint {
    const value = this.value(ticket);
    this.leave(ticket);
    return value;
  }

  /**
   * The requester goes, with its value or without (its process was cancelled): the ticket ends. An access that is already
   * on the bus goes on.
   */
  leave(ticket: number): void {
    const slot = this.slotOf(ticket);
    if (slot.state === 'taken') this.release(slot);
    else if (slot.state === 'done') this.discard(slot);
    else slot.state = 'abandoned';
  }

  // ---- targets ----------------------------------------------------------------------------------------------------

  /** A target's answer to a load or SCOM read; bits beyond the access's size are cut off. */
  complete(ticket: number, value: bigint): void {
    const slot = this.slotOf(ticket);
    if (slot.state === 'done' || slot.state === 'taken') throw new TicketError(ticket, 'was already answered');
    slot.hi = slot.size === 8 ? hiOf(value) : 0;
    slot.lo = (loOf(value) & sizeMask(slot.size)) >>> 0;
    this.record(OPERATION_KINDS[slot.operation], slot);
    this.finish(slot);
  }

  /** What the ticket asks for, for messages. */
  describe(ticket: number): string {
    const { operation, address, size } = this.slotOf(ticket);
    return `${OPERATION_KINDS[operation].name} of ${size} bytes at 0x${address.toString(16)}`;
  }

  // ---- one access -------------------------------------------------------------------------------------------------

  /** As `beginLoad` and its siblings, by operation; reads give no value. */
  begin(operation: BusOperation, address: number, size: AccessSize, value: bigint): number {
    if (!Number.isSafeInteger(address) || address < 0) {
      throw new RangeError(`${address} is not an address on the bus: give a whole number from 0 to 2^53 - 1`);
    }
    const slot = this.acquire();
    slot.state = 'open';
    slot.operation = operation;
    slot.address = address;
    slot.size = size;
    slot.hi = size === 8 ? hiOf(value) : 0;
    slot.lo = (loOf(value) & sizeMask(size)) >>> 0;
    this.sim.schedule(this.requestNs(slot), Priority.CHIP, this.arrival, slot.ticket);
    return slot.ticket;
  }

  private requestNs({ operation, address, size }: Slot): TimeNs {
    if (operation === 'scom-read' || operation === 'scom-write') return this.legsNs.scomNs;
    if (this.memory.contains(address, size)) return this.legsNs.memoryNs;
    return operation === 'load' ? this.legsNs.mmioLoadNs : this.legsNs.mmioStoreNs;
  }

  private arrive(slot: Slot): void {
    switch (slot.operation) {
      case 'load':
        this.arriveLoad(slot);
        return;
      case 'store':
        this.arriveStore(slot);
        return;
      case 'scom-read':
        this.arriveScomRead(slot);
        return;
      case 'scom-write':
        this.arriveScomWrite(slot);
    }
  }

  private arriveLoad(slot: Slot): void {
    const { address, size, ticket } = slot;
    if (this.memory.contains(address, size)) {
      this.complete(ticket, this.loadMemory(address, size));
      return;
    }
    const target = this.targetOf(address);
    if (target === undefined) this.answerUnclaimed(slot);
    else target.load(address, size, ticket);
  }

  private arriveStore(slot: Slot): void {
    const { address, size } = slot;
    const value = fromHalves(slot.hi, slot.lo);
    // Before it takes effect: what it causes must follow it in the trace.
    this.record(MMIO_STORE, slot);
    const target = this.targetOf(address);
    if (this.memory.contains(address, size)) this.storeMemory(address, size, value);
    else if (target === undefined) this.recordUnclaimed(slot);
    else target.store(address, size, value);
    this.finishWrite(slot);
  }

  private arriveScomRead(slot: Slot): void {
    const target = this.scomTargetOf(slot.address);
    if (target === undefined) this.answerUnclaimed(slot);
    else target.scomRead(slot.address, slot.ticket);
  }

  private arriveScomWrite(slot: Slot): void {
    this.record(SCOM_WRITE, slot);
    const target = this.scomTargetOf(slot.address);
    if (target === undefined) this.recordUnclaimed(slot);
    else target.scomWrite(slot.address, fromHalves(slot.hi, slot.lo));
    this.finishWrite(slot);
  }

  private targetOf(address: number): BusTarget | undefined {
    for (let i = 0; i < this.targets.length; i++) if (this.targets[i]!.claims(address)) return this.targets[i];
    return undefined;
  }

  private scomTargetOf(address: number): ScomTarget | undefined {
    for (let i = 0; i < this.scomTargets.length; i++) {
      if (this.scomTargets[i]!.claimsScom(address)) return this.scomTargets[i];
    }
    return undefined;
  }

  private answerUnclaimed(slot: Slot): void {
    this.recordUnclaimed(slot);
    this.complete(slot.ticket, 0xffff_ffff_ffff_ffffn);
  }

  private finishWrite(slot: Slot): void {
    slot.hi = 0;
    slot.lo = 0;
    this.finish(slot);
  }

  private finish(slot: Slot): void {
    if (slot.state === 'abandoned') this.discard(slot);
    else slot.settle();
  }

  /** A write has done its work; a value that was read is lost, which the trace must show. */
  private discard(slot: Slot): void {
    if (slot.operation === 'load' || slot.operation === 'scom-read') this.record(BUS_ABANDONED, slot);
    this.release(slot);
  }

  private loadMemory(address: number, size: AccessSize): bigint {
    switch (size) {
      case 1:
        return BigInt(this.memory.read8(address));
      case 2:
        return BigInt(this.memory.read16(address));
      case 4:
        return BigInt(this.memory.read32(address));
      case 8:
        return this.memory.read64(address);
    }
  }

  private storeMemory(address: number, size: AccessSize, value: bigint): void {
    switch (size) {
      case 1:
        this.memory.write8(address, loOf(value));
        return;
      case 2:
        this.memory.write16(address, loOf(value));
        return;
      case 4:
        this.memory.write32(address, loOf(value));
        return;
      case 8:
        this.memory.write64(address, value);
    }
  }

  // ---- slots and records ------------------------------------------------------------------------------------------

  private acquire(): Slot {
    const free = this.freeSlots.pop();
    if (free !== undefined) return this.slots[free]!;
    const index = this.slots.length;
    if (index === SLOT_LIMIT)
      throw new RangeError(`more than ${SLOT_LIMIT} accesses in flight: values are never taken`);
    const slot = new Slot(index);
    this.slots.push(slot);
    return slot;
  }

  private release(slot: Slot): void {
    slot.state = 'free';
    this.freeSlots.push(slot.ticket % SLOT_LIMIT);
    slot.ticket += SLOT_LIMIT;
  }

  private slotOf(ticket: number): Slot {
    const slot = this.slots[ticket % SLOT_LIMIT];
    if (slot === undefined || slot.ticket !== ticket || slot.state === 'free') {
      throw new TicketError(ticket, 'is not in use');
    }
    return slot;
  }

  private record(kind: TraceKind, { address, size, hi, lo }: Slot): void {
    this.sim.trace.emit(kind, this.traceSource, Math.floor(address / 2 ** 32), address >>> 0, size, hi, lo);
  }

  private recordUnclaimed({ address, size, operation }: Slot): void {
    const addressHi = Math.floor(address / 2 ** 32);
    this.sim.trace.emit(BUS_UNCLAIMED, this.traceSource, addressHi, address >>> 0, size, OPERATIONS.indexOf(operation));
  }
}

function sizeMask(size: AccessSize): number {
  return size >= 4 ? 0xffff_ffff : (1 << (8 * size)) - 1;
}
