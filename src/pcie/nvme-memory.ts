/**
 * Host memory as an NVMe controller uses it: reads that call back, and the pages that a command's PRP entries name.
 * Source: NVM Express 1.2, 4.3.
 */
import type { DmaRequester, ReadResult } from './dma-requester.js';
import { NVME_STATUS, type NvmeCommand, type NvmeStatus } from './nvme-format.js';
import { SlotStore } from './slot-store.js';
import type { Address } from './tlp.js';

export type ReadDone = (result: ReadResult) => void;

export class NvmeMemory {
  private readonly waiting = new SlotStore<{ done: ReadDone; life: number }>();
  private life = 0;

  constructor(private readonly dma: DmaRequester) {}

  read(address: Address, lengthBytes: number, done: ReadDone): void {
    this.dma.read(address, lengthBytes, this.waiting.put({ done, life: this.life }));
  }

  /** False: the device may not write. */
  write(address: Address, data: Uint8Array): boolean {
    return this.dma.write(address, data);
  }

  /** The requester has the outcome of a read. */
  readDone(context: number, result: ReadResult): void {
    const { done, life } = this.waiting.take(context);
    if (life === this.life && result.status !== 'reset') done(result);
  }

  /** Nobody waits any more for what was asked until now. */
  forget(): void {
    this.life++;
  }
}

/** A piece of host memory within a page. */
export interface Segment {
  readonly address: Address;
  readonly lengthBytes: number;
}

export interface Extent {
  readonly lengthBytes: number;
  readonly pageBytes: number;
}

const ENTRY_BYTES = 8;

/**
 * Finds the pages of a command's data. The first entry may begin inside a page, all others are whole pages; two fit the
 * command, more are in lists in memory, the last entry of a full list page leading to the next.
 */
export class PrpWalk {
  private readonly segments: Segment[] = [];
  private remaining: number;

  constructor(
    private readonly memory: NvmeMemory,
    private readonly extent: Extent,
    private readonly done: (found: readonly Segment[] | NvmeStatus) => void,
  ) {
    this.remaining = extent.lengthBytes;
  }

  start({ prp1, prp2 }: NvmeCommand): void {
    const { pageBytes } = this.extent;
    if (prp1.lo % 4 !== 0) {
      this.done(NVME_STATUS.INVALID_PRP_OFFSET);
      return;
    }
    this.take(prp1, pageBytes - (prp1.lo % pageBytes));
    if (this.remaining === 0) this.done(this.segments);
    else if (this.remaining > pageBytes) this.fetchList(prp2);
    else if (this.takePage(prp2)) this.done(this.segments);
  }

  private fetchList(pointer: Address): void {
    const { pageBytes } = this.extent;
    if (pointer.lo % ENTRY_BYTES !== 0) {
      this.done(NVME_STATUS.INVALID_PRP_OFFSET);
      return;
    }
    const room = (pageBytes - (pointer.lo % pageBytes)) / ENTRY_BYTES;
    const needed = Math.ceil(this.remaining / pageBytes);
    this.memory.read(pointer, Math.min(room, needed) * ENTRY_BYTES, (list) => {
      if (list.status === 'SC') this.takeList(entriesOf(list.data), room < needed);
      else this.done(NVME_STATUS.DATA_TRANSFER_ERROR);
    });
  }

  private takeList(entries: readonly Address[], goesOn: boolean): void {
    const next = goesOn ? entries.at(-1) : undefined;
    for (const entry of goesOn ? entries.slice(0, -1) : entries) if (!this.takePage(entry)) return;
    if (next === undefined) this.done(this.segments);
    // Only the first list may begin inside a page; that bounds how many there can be.
    else if (next.lo % this.extent.pageBytes !== 0) this.done(NVME_STATUS.INVALID_PRP_OFFSET);
    else this.fetchList(next);
  }

  private takePage(address: Address): boolean {
    const aligned = address.lo % this.extent.pageBytes === 0;
    if (aligned) this.take(address, this.extent.pageBytes);
    else this.done(NVME_STATUS.INVALID_PRP_OFFSET);
    return aligned;
  }

  private take(address: Address, room: number): void {
    const lengthBytes = Math.min(room, this.remaining);
    this.segments.push({ address, lengthBytes });
    this.remaining -= lengthBytes;
  }
}

function entriesOf(bytes: Uint8Array): Address[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: bytes.length / ENTRY_BYTES }, (_, i) => ({
    lo: view.getUint32(ENTRY_BYTES * i, true),
    hi: view.getUint32(ENTRY_BYTES * i + 4, true),
  }));
}

/** Reads all segments into one; `undefined` if any of them fails. */
export function fetchSegments(
  memory: NvmeMemory,
  segments: readonly Segment[],
  done: (data: Uint8Array | undefined) => void,
): void {
  const total = segments.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
  const data = new Uint8Array(total);
  let unfinished = segments.length;
  let failed = false;
  let at = 0;
  for (const { address, lengthBytes } of segments) {
    const place = at;
    at += lengthBytes;
    memory.read(address, lengthBytes, (result) => {
      if (result.status === 'SC') data.set(result.data, place);
      else failed = true;
      unfinished--;
      if (unfinished === 0) done(failed ? undefined : data);
    });
  }
}

/** Writes data to the segments. False: not all of it left the device. */
export function storeSegments(memory: NvmeMemory, segments: readonly Segment[], data: Uint8Array): boolean {
  let at = 0;
  for (const { address, lengthBytes } of segments) {
    if (!memory.write(address, data.subarray(at, at + lengthBytes))) return false;
    at += lengthBytes;
  }
  return true;
}
