/**
 * The requester side of a device: cuts transfers into packets, keeps tags, gathers completions, times out.
 * Source: PCI Express base specification 2.2.6.2 (tags), 2.3.1.1 (completions), 2.8 (completion timeout).
 */
import { Priority } from '../sim/priority.js';
import type { EventId, HandlerId, Simulator } from '../sim/simulator.js';
import {
  type Address,
  type CompletionStatus,
  memoryRead,
  memoryWrite,
  type Piece,
  splitRequest,
  type Tlp,
} from './tlp.js';

/** How a read ended. `not-master`: the bus master bit is clear, nothing was sent. */
export type ReadStatus = CompletionStatus | 'timeout' | 'poisoned' | 'reset' | 'not-master';

export interface ReadResult {
  readonly status: ReadStatus;
  readonly address: Address;
  /** Whole only if the status is SC. */
  readonly data: Uint8Array;
}

/** The device around the requester. */
export interface RequesterHost {
  readonly rid: number;
  readonly busMaster: boolean;
  readonly maxPayloadBytes: number;
  readonly maxReadRequestBytes: number;
  readonly tags: number;
  readonly completionTimeoutNs: number;
  transmit(tlp: Tlp): void;
  readDone(context: number, result: ReadResult): void;
  completionTimedOut(): void;
  unexpectedCompletion(tlp: Tlp): void;
}

interface Transfer {
  readonly address: Address;
  readonly data: Uint8Array;
  readonly context: number;
  unfinished: number;
  status: ReadStatus;
}

interface Pending {
  readonly transfer: Transfer;
  readonly piece: Piece;
  received: number;
  timer: EventId;
}

export class DmaRequester {
  private readonly byTag: (Pending | undefined)[] = [];
  private readonly freeTags: number[] = [];
  private waiting: { transfer: Transfer; piece: Piece }[] = [];
  private readonly timeout: HandlerId;
  private poisonNext = 0;

  constructor(
    private readonly sim: Simulator,
    name: string,
    private readonly host: RequesterHost,
  ) {
    this.timeout = sim.handler(`${name} completion timeout`, (tag) => this.expire(tag));
    for (let tag = host.tags - 1; tag >= 0; tag--) this.freeTags.push(tag);
  }

  get outstandingReads(): number {
    return this.host.tags - this.freeTags.length;
  }

  /** Writes are posted: there is no answer. False: the bus master bit is clear and nothing was sent. */
  write(address: Address, data: Uint8Array): boolean {
    if (!this.host.busMaster) return false;
    for (const piece of splitRequest(address, data.length, this.host.maxPayloadBytes)) {
      const bytes = data.slice(piece.offset, piece.offset + piece.lengthBytes);
      const tlp = memoryWrite(this.host.rid, piece.address, bytes);
      this.host.transmit(this.takePoison() ? { ...tlp, poisoned: true } : tlp);
    }
    return true;
  }

  /** `context` comes back with the result. */
  read(address: Address, lengthBytes: number, context: number): void {
    const data = new Uint8Array(lengthBytes);
    if (!this.host.busMaster) {
      this.host.readDone(context, { status: 'not-master', address, data });
      return;
    }
    const pieces = splitRequest(address, lengthBytes, this.host.maxReadRequestBytes);
    const transfer: Transfer = { address, data, context, unfinished: pieces.length, status: 'SC' };
    for (const piece of pieces) this.waiting.push({ transfer, piece });
    this.issue();
  }

  /** A completion arrived. */
  receive(tlp: Tlp): void {
    const pending = tlp.requesterId === this.host.rid ? this.byTag[tlp.tag] : undefined;
    if (pending === undefined) {
      this.host.unexpectedCompletion(tlp);
      return;
    }
    const { transfer, piece } = pending;
    if (tlp.status !== 'SC') transfer.status = tlp.status!;
    else if (tlp.poisoned) transfer.status = 'poisoned';
    if (tlp.data !== undefined) {
      transfer.data.set(tlp.data, piece.offset + pending.received);
      pending.received += tlp.data.length;
    }
    if (tlp.status !== 'SC' || pending.received >= piece.lengthBytes) this.finish(tlp.tag);
  }

  /** The device was reset: nothing outstanding will be answered to it any more. */
  abort(): void {
    const transfers = new Set<Transfer>();
    for (const [tag, pending] of this.byTag.entries()) {
      if (pending === undefined) continue;
      this.release(tag);
      transfers.add(pending.transfer);
    }
    for (const { transfer } of this.waiting) transfers.add(transfer);
    this.waiting = [];
    for (const { address, data, context } of transfers) {
      this.host.readDone(context, { status: 'reset', address, data });
    }
  }

  /** The next `count` write packets carry the poison bit. */
  poisonNextWrites(count: number): void {
    this.poisonNext += count;
  }

  private takePoison(): boolean {
    if (this.poisonNext === 0) return false;
    this.poisonNext--;
    return true;
  }

  private issue(): void {
    while (this.waiting.length > 0 && this.freeTags.length > 0) {
      const { transfer, piece } = this.waiting.shift()!;
      const tag = this.freeTags.pop()!;
      const timer = this.sim.schedule(this.host.completionTimeoutNs, Priority.DEVICE, this.timeout, tag);
      this.byTag[tag] = { transfer, piece, received: 0, timer };
      this.host.transmit(memoryRead({ requesterId: this.host.rid, tag }, piece.address, piece.lengthBytes));
    }
  }

  private expire(tag: number): void {
    const pending = this.byTag[tag];
    if (pending === undefined) return;
    pending.transfer.status = 'timeout';
    this.host.completionTimedOut();
    this.finish(tag);
  }

  private finish(tag: number): void {
    const { transfer } = this.release(tag);
    transfer.unfinished--;
    if (transfer.unfinished === 0) {
      const { status, address, data } = transfer;
      this.host.readDone(transfer.context, { status, address, data });
    }
    this.issue();
  }

  private release(tag: number): Pending {
    const pending = this.byTag[tag]!;
    this.sim.cancel(pending.timer);
    this.byTag[tag] = undefined;
    this.freeTags.push(tag);
    return pending;
  }
}
