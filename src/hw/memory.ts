/**
 * Ordinary system memory: big-endian, sparse in 64 KiB pages, optionally kept in a file that another process shares.
 *
 * Without a file an access costs a few nanoseconds. With a file every access is one pread or pwrite (about a
 * microsecond): nothing is cached here, so each side sees what the other wrote, as with QEMU's
 * `memory-backend-file,share=on`, which maps the same pages of the host's page cache.
 */
import { fromHalves, hiOf, loOf } from './bits.js';
import { MemoryFile } from './memory-file.js';

export interface SystemMemoryOptions {
  readonly sizeBytes: number;
  /** Real address of the first byte; default 0. */
  readonly baseAddress?: number;
  /** Path of a file that holds the bytes, created and extended as needed. */
  readonly file?: string;
}

/** An access outside the memory, or one that the door used does not allow. */
export class MemoryAccessError extends Error {
  override readonly name = 'MemoryAccessError';
  constructor(
    readonly address: number,
    readonly length: number,
    reason: string,
  ) {
    super(`memory access of ${length} bytes at 0x${address.toString(16)}: ${reason}`);
  }
}

export const PAGE_BYTES = 65536;
/** Two levels, so that a large memory costs nothing until it is used: 4096 pages (256 MiB) in a chunk. */
const CHUNK_PAGES = 4096;
const CHUNK_BYTES = CHUNK_PAGES * PAGE_BYTES;
// Masks and shifts where they can be: the remainder of a double costs more than the whole access.
const IN_PAGE = PAGE_BYTES - 1;
const PAGE_SHIFT = 16;
const IN_CHUNK = CHUNK_PAGES - 1;
const TWO_32 = 2 ** 32;
/** Chunk numbers of addresses below this stay in 31 bits. */
const CHUNK_HI_LIMIT = 2 ** 26;
const MAX_SIZE_BYTES = 2 ** 46;

type Chunk = (DataView | undefined)[];

export class SystemMemory {
  readonly sizeBytes: number;
  readonly baseAddress: number;
  /** Halves of the last doubleword read by `readHalves`. */
  hi = 0;
  lo = 0;

  private readonly chunks: (Chunk | undefined)[];
  private readonly file: MemoryFile | undefined;
  /** Carries values to and from the slow path: file backing and accesses over a page boundary. */
  private readonly scratch = new DataView(new ArrayBuffer(8));
  private readonly scratchBytes = new Uint8Array(this.scratch.buffer);

  constructor(options: SystemMemoryOptions) {
    const { sizeBytes, baseAddress = 0 } = options;
    if (!Number.isInteger(sizeBytes) || sizeBytes <= 0 || sizeBytes > MAX_SIZE_BYTES) {
      throw new RangeError(`memory of ${sizeBytes} bytes: give 1 to 2^46 bytes`);
    }
    if (!Number.isSafeInteger(baseAddress) || baseAddress < 0 || !Number.isSafeInteger(baseAddress + sizeBytes)) {
      throw new RangeError(`memory at base address ${baseAddress}: give a real address`);
    }
    this.sizeBytes = sizeBytes;
    this.baseAddress = baseAddress;
    this.chunks = new Array<Chunk | undefined>(Math.ceil(sizeBytes / CHUNK_BYTES)).fill(undefined);
    this.file = options.file === undefined ? undefined : new MemoryFile(options.file, sizeBytes);
  }

  contains(address: number, length: number): boolean {
    const offset = address - this.baseAddress;
    return offset >= 0 && length >= 0 && offset + length <= this.sizeBytes;
  }

  // ---- single values ----------------------------------------------------------------------------------------------

  read8(address: number): number {
    const offset = this.offsetOf(address, 1);
    const page = this.pageAt(offset);
    return page === undefined ? this.fetch(offset, 1).getUint8(0) : page.getUint8(offset & IN_PAGE);
  }

  read16(address: number): number {
    const offset = this.offsetOf(address, 2);
    const at = offset & IN_PAGE;
    const page = at > PAGE_BYTES - 2 ? undefined : this.pageAt(offset);
    return page === undefined ? this.fetch(offset, 2).getUint16(0) : page.getUint16(at);
  }

  read32(address: number): number {
    const offset = this.offsetOf(address, 4);
    const at = offset & IN_PAGE;
    const page = at > PAGE_BYTES - 4 ? undefined : this.pageAt(offset);
    return page === undefined ? this.fetch(offset, 4).getUint32(0) : page.getUint32(at);
  }

  read64(address: number): bigint {
    const offset = this.offsetOf(address, 8);
    const at = offset & IN_PAGE;
    const page = at > PAGE_BYTES - 8 ? undefined : this.pageAt(offset);
    if (page === undefined) return this.fetch(offset, 8).getBigUint64(0);
    return fromHalves(page.getUint32(at), page.getUint32(at + 4));
  }

  write8(address: number, value: number): void {
    const offset = this.offsetOf(address, 1);
    const page = this.pageAt(offset);
    if (page !== undefined) {
      page.setUint8(offset & IN_PAGE, value);
      return;
    }
    this.scratch.setUint8(0, value);
    this.store(offset, 1);
  }

  write16(address: number, value: number): void {
    const offset = this.offsetOf(address, 2);
    const at = offset & IN_PAGE;
    const page = at > PAGE_BYTES - 2 ? undefined : this.pageAt(offset);
    if (page !== undefined) {
      page.setUint16(at, value);
      return;
    }
    this.scratch.setUint16(0, value);
    this.store(offset, 2);
  }

  write32(address: number, value: number): void {
    const offset = this.offsetOf(address, 4);
    const at = offset & IN_PAGE;
    const page = at > PAGE_BYTES - 4 ? undefined : this.pageAt(offset);
    if (page !== undefined) {
      page.setUint32(at, value);
      return;
    }
    this.scratch.setUint32(0, value);
    this.store(offset, 4);
  }

  write64(address: number, value: bigint): void {
    const offset = this.offsetOf(address, 8);
    this.putHalves(offset, hiOf(value), loOf(value));
  }

  // ---- aligned doublewords in halves: the hot path of table look-ups ------------------------------------------------

  /** High half of the big-endian doubleword at an 8-aligned address. */
  readHi(address: number): number {
    const offset = this.doublewordOffset(address);
    const page = this.pageAt(offset);
    return page === undefined ? this.fetch(offset, 4).getUint32(0) : page.getUint32(offset & IN_PAGE);
  }

  /** Low half of the big-endian doubleword at an 8-aligned address. */
  readLo(address: number): number {
    const offset = this.doublewordOffset(address);
    const page = this.pageAt(offset);
    return page === undefined ? this.fetch(offset + 4, 4).getUint32(0) : page.getUint32((offset & IN_PAGE) + 4);
  }

  /** Reads both halves of an 8-aligned doubleword at once, into `hi` and `lo`. */
  readHalves(address: number): void {
    const offset = this.doublewordOffset(address);
    const page = this.pageAt(offset);
    if (page === undefined) {
      const word = this.fetch(offset, 8);
      this.hi = word.getUint32(0);
      this.lo = word.getUint32(4);
      return;
    }
    const at = offset & IN_PAGE;
    this.hi = page.getUint32(at);
    this.lo = page.getUint32(at + 4);
  }

  /** As `readHalves`, but false instead of an error where there is no memory: one check for a table walk. */
  tryReadHalves(address: number): boolean {
    const offset = address - this.baseAddress;
    if (!(offset >= 0 && offset + 8 <= this.sizeBytes)) return false;
    const page = this.pageAt(offset);
    if (page === undefined) {
      this.readHalves(address);
      return true;
    }
    const at = offset & IN_PAGE;
    this.hi = page.getUint32(at);
    this.lo = page.getUint32(at + 4);
    return true;
  }

  /**
   * As `tryReadHalves` with the address in halves: whole numbers all the way, for the innermost loop of a table walk.
   * The address is 8-aligned.
   */
  tryReadHalvesAt(addressHi: number, addressLo: number): boolean {
    const chunk = this.baseAddress === 0 ? this.chunks[(addressHi << 4) | (addressLo >>> 28)] : undefined;
    const page =
      addressHi < CHUNK_HI_LIMIT && chunk !== undefined ? chunk[(addressLo >>> PAGE_SHIFT) & IN_CHUNK] : undefined;
    if (page === undefined) return this.tryReadHalves(addressHi * TWO_32 + addressLo);
    const at = addressLo & IN_PAGE;
    this.hi = page.getUint32(at);
    this.lo = page.getUint32(at + 4);
    return true;
  }

  /** As `read16`, but -1 instead of an error where there is no memory. */
  tryRead16(address: number): number {
    const offset = address - this.baseAddress;
    if (!(offset >= 0 && offset + 2 <= this.sizeBytes)) return -1;
    const at = offset & IN_PAGE;
    const page = at > PAGE_BYTES - 2 ? undefined : this.pageAt(offset);
    return page === undefined ? this.fetch(offset, 2).getUint16(0) : page.getUint16(at);
  }

  write64Halves(address: number, hi: number, lo: number): void {
    this.putHalves(this.doublewordOffset(address), hi, lo);
  }

  private putHalves(offset: number, hi: number, lo: number): void {
    const at = offset & IN_PAGE;
    const page = at > PAGE_BYTES - 8 ? undefined : this.pageAt(offset);
    if (page !== undefined) {
      page.setUint32(at, hi);
      page.setUint32(at + 4, lo);
      return;
    }
    this.scratch.setUint32(0, hi);
    this.scratch.setUint32(4, lo);
    this.store(offset, 8);
  }

  // ---- blocks -----------------------------------------------------------------------------------------------------

  /** A copy of `length` bytes. */
  readBlock(address: number, length: number): Uint8Array {
    const offset = this.offsetOf(address, length);
    const bytes = new Uint8Array(length);
    this.copyOut(offset, bytes);
    return bytes;
  }

  writeBlock(address: number, bytes: Uint8Array): void {
    this.copyIn(this.offsetOf(address, bytes.length), bytes);
  }

  fill(address: number, length: number, byte: number): void {
    let offset = this.offsetOf(address, length);
    const end = offset + length;
    while (offset < end) {
      const step = Math.min(PAGE_BYTES - (offset & IN_PAGE), end - offset);
      // A page that does not exist already reads 0.
      if (this.file !== undefined) this.file.write(offset, new Uint8Array(step).fill(byte));
      else if (byte !== 0 || this.pageAt(offset) !== undefined) this.bytesAt(offset, step).fill(byte);
      offset += step;
    }
  }

  /** Lets go of the backing file, where there is one. */
  close(): void {
    this.file?.close();
  }

  /** Bytes of host memory that hold pages: 0 for memory that was never written, or lives in a file. */
  get residentBytes(): number {
    const pages = this.chunks.reduce(
      (sum, chunk) => sum + (chunk?.filter((page) => page !== undefined).length ?? 0),
      0,
    );
    return pages * PAGE_BYTES;
  }

  // ---- pages ------------------------------------------------------------------------------------------------------

  private offsetOf(address: number, length: number): number {
    const offset = address - this.baseAddress;
    // Written so that NaN fails too.
    if (!(offset >= 0 && length >= 0 && offset + length <= this.sizeBytes)) throw this.outside(address, length);
    return offset;
  }

  private doublewordOffset(address: number): number {
    if ((address & 7) !== 0) throw new MemoryAccessError(address, 8, 'this door needs an address aligned to 8 bytes');
    return this.offsetOf(address, 8);
  }

  private outside(address: number, length: number): MemoryAccessError {
    const first = this.baseAddress.toString(16);
    const last = (this.baseAddress + this.sizeBytes - 1).toString(16);
    return new MemoryAccessError(address, length, `the memory spans 0x${first}..0x${last}`);
  }

  private pageAt(offset: number): DataView | undefined {
    return this.chunks[Math.floor(offset / CHUNK_BYTES)]?.[(offset >>> PAGE_SHIFT) & IN_CHUNK];
  }

  private pageForWriting(offset: number): DataView {
    const existing = this.pageAt(offset);
    if (existing !== undefined) return existing;
    const chunkNumber = Math.floor(offset / CHUNK_BYTES);
    const chunk = this.chunks[chunkNumber] ?? new Array<DataView | undefined>(CHUNK_PAGES).fill(undefined);
    const page = new DataView(new ArrayBuffer(PAGE_BYTES));
    this.chunks[chunkNumber] = chunk;
    chunk[(offset >>> PAGE_SHIFT) & IN_CHUNK] = page;
    return page;
  }

  /** The bytes of one page, created if missing. */
  private bytesAt(offset: number, length: number): Uint8Array {
    return new Uint8Array(this.pageForWriting(offset).buffer, offset & IN_PAGE, length);
  }

  private fetch(offset: number, length: number): DataView {
    this.copyOut(offset, this.scratchBytes.subarray(0, length));
    return this.scratch;
  }

  private store(offset: number, length: number): void {
    this.copyIn(offset, this.scratchBytes.subarray(0, length));
  }

  private copyOut(offset: number, bytes: Uint8Array): void {
    if (this.file !== undefined) {
      this.file.read(offset, bytes);
      return;
    }
    for (let done = 0; done < bytes.length; ) {
      const at = (offset + done) & IN_PAGE;
      const step = Math.min(PAGE_BYTES - at, bytes.length - done);
      const page = this.pageAt(offset + done);
      if (page === undefined) bytes.fill(0, done, done + step);
      else bytes.set(new Uint8Array(page.buffer, at, step), done);
      done += step;
    }
  }

  private copyIn(offset: number, bytes: Uint8Array): void {
    if (this.file !== undefined) {
      this.file.write(offset, bytes);
      return;
    }
    for (let done = 0; done < bytes.length; ) {
      const step = Math.min(PAGE_BYTES - ((offset + done) & IN_PAGE), bytes.length - done);
      this.bytesAt(offset + done, step).set(bytes.subarray(done, done + step));
      done += step;
    }
  }
}
