/**
 * The kernel's TCE tables of one DMA window: a tree in system memory, its lower tables made when first needed.
 * Source: linux powernv/pci-ioda-tce.c: pnv_tce, pnv_tce_build.
 */

import type { SystemMemory } from '../../hw/memory.js';
import type { Process } from '../../sim/process.js';
import { encodeIndirectTce, encodeTce, type Permission } from '../../tce/tce.js';
import { RangeAllocator } from './range-allocator.js';

const TCE_BYTES = 8;
/** A table is at least one page of the kernel: 64 KiB for kernels that map by such pages, else 4 KiB. */
const SMALLEST_TABLE_SHIFT = 12;
const LARGE_KERNEL_PAGE_SHIFT = 16;

export interface DmaWindowShape {
  /** DMA address of its first page; default 0. */
  readonly start?: number;
  readonly sizeBytes: number;
  readonly pageShift: 12 | 16 | 24 | 28;
  readonly levels: number;
}

/** What the bridge needs after every change of entries. */
export interface TceInvalidation {
  /** Entries from page `page` of the window on; the first of them stands at a real address. */
  entries(page: number, count: number, entryAddress: number): Process<void>;
}

/** Whose window it is, for messages. */
export interface WindowOwner {
  readonly pe: number;
  /** Memory in which the tables are written. */
  readonly memory: SystemMemory;
}

export class TceTable {
  /** Bytes of each table of the tree. */
  readonly tableBytes: number;
  readonly root: number;
  private readonly indexBits: number;
  /** Real addresses of every table made, the root first. */
  private readonly tables: number[] = [];
  private readonly pages: RangeAllocator;

  constructor(
    readonly shape: DmaWindowShape,
    private readonly allocator: RangeAllocator,
    private readonly owner: WindowOwner,
    private readonly invalidation: TceInvalidation,
  ) {
    const entryBits = Math.ceil(Math.log2(shape.sizeBytes)) - shape.pageShift;
    const kernelPageShift = shape.pageShift < LARGE_KERNEL_PAGE_SHIFT ? SMALLEST_TABLE_SHIFT : LARGE_KERNEL_PAGE_SHIFT;
    const tableShift = Math.max(Math.ceil(entryBits / shape.levels) + Math.log2(TCE_BYTES), kernelPageShift);
    this.tableBytes = 2 ** tableShift;
    this.indexBits = tableShift - Math.log2(TCE_BYTES);
    // Page 0 is never handed out: a DMA address of 0 is a driver's mistake. Source: linux iommu_table_reserve_pages.
    const first = this.start === 0 ? 1 : 0;
    this.pages = new RangeAllocator(`DMA window of PE#${owner.pe.toString(16)}`, first, this.pageCount - first);
    this.root = this.makeTable();
  }

  get pageBytes(): number {
    return 2 ** this.shape.pageShift;
  }

  /** DMA address of the window's first byte. */
  get start(): number {
    return this.shape.start ?? 0;
  }

  /** Maps `bytes` from a real address; returns the DMA address of the same byte. */
  *map(realAddress: number, bytes: number, permission: Permission): Process<number> {
    const firstPage = Math.floor(realAddress / this.pageBytes);
    const count = Math.floor((realAddress + bytes - 1) / this.pageBytes) - firstPage + 1;
    const index = this.pages.allocate(count);
    for (let i = 0; i < count; i++) this.writeEntry(index + i, encodeTce((firstPage + i) * this.pageBytes, permission));
    yield* this.invalidate(index, count);
    return this.start + index * this.pageBytes + (realAddress % this.pageBytes);
  }

  *unmap(dmaAddress: number, bytes: number): Process<void> {
    const index = this.pageOf(dmaAddress);
    const count = this.pageOf(dmaAddress + bytes - 1) - index + 1;
    this.pages.release(index, count);
    for (let i = 0; i < count; i++) this.writeEntry(index + i, 0n);
    yield* this.invalidate(index, count);
  }

  /** Takes one page's entry away while the books still call it mapped: the mistake of a driver, for experiments. */
  *lose(dmaAddress: number): Process<void> {
    const index = this.pageOf(dmaAddress);
    this.writeEntry(index, 0n);
    yield* this.invalidate(index, 1);
  }

  private pageOf(dmaAddress: number): number {
    return Math.floor((dmaAddress - this.start) / this.pageBytes);
  }

  freeTables(): void {
    for (const table of this.tables.splice(0)) this.allocator.release(table, this.tableBytes);
  }

  private get pageCount(): number {
    return Math.floor(this.shape.sizeBytes / this.pageBytes);
  }

  private writeEntry(index: number, tce: bigint): void {
    const { memory } = this.owner;
    const entries = 2 ** this.indexBits;
    let table = this.root;
    for (let level = this.shape.levels - 1; level > 0; level--) {
      const at = table + TCE_BYTES * (Math.floor(index / entries ** level) % entries);
      const next = memory.read64(at);
      table = next === 0n ? this.makeTable() : Number(next - (next % BigInt(2 ** SMALLEST_TABLE_SHIFT)));
      if (next === 0n) memory.write64(at, encodeIndirectTce(table));
    }
    memory.write64(table + TCE_BYTES * (index % entries), tce);
  }

  private makeTable(): number {
    const table = this.allocator.allocate(this.tableBytes, this.tableBytes);
    this.owner.memory.fill(table, this.tableBytes, 0);
    this.tables.push(table);
    return table;
  }

  /** Where an entry stands matters to windows of one level only, whose entries follow each other. */
  private *invalidate(index: number, count: number): Process<void> {
    yield* this.invalidation.entries(index, count, this.root + TCE_BYTES * index);
  }
}
