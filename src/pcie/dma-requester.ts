/**
 * The requester side of a device: cuts transfers into packets, keeps tags, gathers completions, times out.
 * Source: PCI Express base specification 2.2.6.2 (tags), 2.3.1.1, 2.3.2 (completions), 2.8 (completion timeout).
 */
import { Priority } from '../sim/priority.js';
import type { EventId, HandlerId, Simulator } from '../sim/simulator.js';
import {
  type Address,
  type AtomicKind,
  atomicRequest,
  type CompletionStatus,
  memoryRead,
  memoryWrite,
  type Piece,
  type Requester,
  splitRequest,
  type Tlp,
} from './tlp.js';

/** How a read ended. `not-master`: nothing was sent, the bus master bit is clear; `atomics-off`: atomics are not enabled. */
export type ReadStatus = CompletionStatus | 'timeout' | 'poisoned' | 'reset' | 'not-master' | 'atomics-off';

export interface ReadResult {
  readonly status: ReadStatus;
  readonly address: Address;
  /** Whole only if the status is SC. */
  readonly data: Uint8Array;
}

/** What a completion can be besides an answer. */
export type CompletionProblem = 'UR' | 'CA' | 'poisoned' | 'malformed' | 'unexpected';

/** The device around the requester. */
export interface RequesterHost {
  readonly rid: number;
  readonly busMaster: boolean;
  readonly maxPayloadBytes: number;
  readonly maxReadRequestBytes: number;
  /** Tags it has, and how many of them it may use now. */
  readonly tags: number;
  readonly usableTags: number;
  /** Attributes it may set now. */
  readonly allowedAttributes: number;
  readonly mayRequestAtomics: boolean;
  /** Infinity: no timeout. */
  readonly completionTimeoutNs: number;
  transmit(tlp: Tlp): void;
  readDone(context: number, result: ReadResult): void;
  completionTimedOut(): void;
  completionProblem(problem: CompletionProblem, tlp: Tlp): void;
}

interface Transfer {
  readonly address: Address;
  readonly data: Uint8Array;
  readonly context: number;
  unfinished: number;
  status: ReadStatus;
}

interface Waiting {
  readonly transfer: Transfer;
  readonly piece: Piece;
  readonly attributes: number;
  readonly atomic?: { readonly kind: AtomicKind; readonly operands: Uint8Array };
}

interface Pending {
  readonly transfer: Transfer;
  readonly piece: Piece;
  received: number;
  readonly timer: EventId | undefined;
}

export class DmaRequester {
  private readonly byTag: (Pending | undefined)[] = [];
  private readonly freeTags: number[] = [];
  private waiting: Waiting[] = [];
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
  write(address: Address, data: Uint8Array, attributes = 0): boolean {
    if (!this.host.busMaster) return false;
    for (const piece of splitRequest(address, data.length, this.host.maxPayloadBytes)) {
      const bytes = data.slice(piece.offset, piece.offset + piece.lengthBytes);
      const tlp = this.attributed(memoryWrite(this.host.rid, piece.address, bytes), attributes);
      this.host.transmit(this.takePoison() ? { ...tlp, poisoned: true } : tlp);
    }
    return true;
  }

  /** `context` comes back with the result. */
  read(address: Address, lengthBytes: number, context: number, attributes = 0): void {
    const data = new Uint8Array(lengthBytes);
    if (!this.host.busMaster) {
      this.host.readDone(context, { status: 'not-master', address, data });
      return;
    }
    const pieces = splitRequest(address, lengthBytes, this.host.maxReadRequestBytes);
    const transfer: Transfer = { address, data, context, unfinished: pieces.length, status: 'SC' };
    for (const piece of pieces) this.waiting.push({ transfer, piece, attributes });
    this.issue();
  }

  /** The old value of memory comes back as the result. Compare-and-swap: the value compared with stands first. */
  atomic(kind: AtomicKind, address: Address, operands: Uint8Array, context: number): void {
    const lengthBytes = kind === 'CAS' ? operands.length / 2 : operands.length;
    const data = new Uint8Array(lengthBytes);
    const status = this.host.busMaster ? 'atomics-off' : 'not-master';
    if (!this.host.busMaster || !this.host.mayRequestAtomics) {
      this.host.readDone(context, { status, address, data });
      return;
    }
    const transfer: Transfer = { address, data, context, unfinished: 1, status: 'SC' };
    const piece = { address, offset: 0, lengthBytes };
    this.waiting.push({ transfer, piece, attributes: 0, atomic: { kind, operands } });
    this.issue();
  }

  /** A completion arrived. */
  receive(tlp: Tlp): void {
    const pending = tlp.requesterId === this.host.rid ? this.byTag[tlp.tag] : undefined;
    if (pending === undefined) {
      this.host.completionProblem('unexpected', tlp);
      return;
    }
    if (!fits(tlp, pending)) {
      this.host.completionProblem('malformed', tlp);
      return;
    }
    this.take(tlp, pending);
    if (tlp.status !== 'SC' || pending.received >= pending.piece.lengthBytes) this.finish(tlp.tag);
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

  private take(tlp: Tlp, { transfer, piece, received }: Pending): void {
    if (tlp.status === 'UR' || tlp.status === 'CA') {
      transfer.status = tlp.status;
      this.host.completionProblem(tlp.status, tlp);
    }
    if (tlp.poisoned) {
      transfer.status = 'poisoned';
      this.host.completionProblem('poisoned', tlp);
    }
    if (tlp.data === undefined) return;
    transfer.data.set(tlp.data, piece.offset + received);
    this.byTag[tlp.tag]!.received += tlp.data.length;
  }

  private attributed(tlp: Tlp, attributes: number): Tlp {
    const set = attributes & this.host.allowedAttributes;
    return set === 0 ? tlp : { ...tlp, attributes: set };
  }

  private takePoison(): boolean {
    if (this.poisonNext === 0) return false;
    this.poisonNext--;
    return true;
  }

  private issue(): void {
    while (this.waiting.length > 0) {
      const tag = this.takeTag();
      if (tag === undefined) return;
      const { transfer, piece, attributes, atomic } = this.waiting.shift()!;
      this.byTag[tag] = { transfer, piece, received: 0, timer: this.startTimer(tag) };
      const from: Requester = { requesterId: this.host.rid, tag };
      const tlp = atomic
        ? atomicRequest(atomic.kind, from, piece.address, atomic.operands)
        : memoryRead(from, piece.address, piece.lengthBytes);
      this.host.transmit(this.attributed(tlp, attributes));
    }
  }

  /** The last freed of those that may be used; software may have taken tags away since. */
  private takeTag(): number | undefined {
    const limit = this.host.usableTags;
    if (this.outstandingReads >= limit) return undefined;
    const index = this.freeTags.findLastIndex((tag) => tag < limit);
    return index < 0 ? undefined : this.freeTags.splice(index, 1)[0];
  }

  private startTimer(tag: number): EventId | undefined {
    const limitNs = this.host.completionTimeoutNs;
    return Number.isFinite(limitNs) ? this.sim.schedule(limitNs, Priority.DEVICE, this.timeout, tag) : undefined;
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
    if (pending.timer !== undefined) this.sim.cancel(pending.timer);
    this.byTag[tag] = undefined;
    this.freeTags.push(tag);
    return pending;
  }
}

/**
 * False for a completion that answers this request in a way none may: a retry of a memory request, success without
 * data, more or other bytes than are due (2.3.2).
 */
function fits(tlp: Tlp, { piece, received }: Pending): boolean {
  if (tlp.status === 'CRS') return false;
  if (tlp.status !== 'SC') return true;
  const due = piece.lengthBytes - received;
  return tlp.data !== undefined && tlp.data.length <= due && (tlp.byteCount ?? due) === due;
}
