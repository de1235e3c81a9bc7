/**
 * The kernel's TCE tables of one DMA window: a tree in system memory, its lower tables made when first needed, and the
 * invalidation the chip needs after every change. Source: linux powernv/pci-ioda-tce.c: pnv_tce, pnv_tce_build;
 * pci-ioda.c: pnv_pci_phb3_tce_invalidate.
 */

import { setField } from '../../hw/bits.js';
import type { HostPort } from '../../hw/host-port.js';
import { PHB_REGISTERS } from '../../ioda2/registers/phb.js';
import type { Process } from '../../sim/process.js';
import { encodeIndirectTce, encodeTce, type Permission } from '../../tce/tce.js';
import { RangeAllocator } from './range-allocator.js';

const TCE_BYTES = 8;
/** A table is at least one page of the kernel: 64 KiB for kernels that map by such pages, else 4 KiB. */
const SMALLEST_TABLE_SHIFT = 12;
const LARGE_KERNEL_PAGE_SHIFT = 16;

export interface DmaWindowShape {
  readonly sizeBytes: number;
  readonly pageShift: 12 | 16 | 24 | 28;
  readonly levels: number;
}

/** The register through which the operating system drops cached TCEs, and the PE it drops them for. */
export interface TceKillTarget {
  readonly port: HostPort;
  readonly address: number;
  readonly pe: number;
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
    private readonly memory: RangeAllocator,
    private readonly kill: TceKillTarget,
  ) {
    const entryBits = Math.ceil(Math.log2(shape.sizeBytes)) - shape.pageShift;
    const kernelPageShift = shape.pageShift < LARGE_KERNEL_PAGE_SHIFT ? SMALLEST_TABLE_SHIFT : LARGE_KERNEL_PAGE_SHIFT;
    const tableShift = Math.max(Math.ceil(entryBits / shape.levels) + Math.log2(TCE_BYTES), kernelPageShift);
    this.tableBytes = 2 ** tableShift;
    this.indexBits = tableShift - Math.log2(TCE_BYTES);
    // Page 0 is never handed out: a DMA address of 0 is a driver's mistake.
    this.pages = new RangeAllocator(`DMA window of PE#${kill.pe.toString(16)}`, 1, this.pageCount - 1);
    this.root = this.makeTable();
  }

  get pageBytes(): number {
    return 2 ** this.shape.pageShift;
  }

  /** Maps `bytes` from a real address; returns the DMA address of the same byte. */
  *map(realAddress: number, bytes: number, permission: Permission): Process<number> {
    const firstPage = Math.floor(realAddress / this.pageBytes);
    const count = Math.floor((realAddress + bytes - 1) / this.pageBytes) - firstPage + 1;
    const index = this.pages.allocate(count);
    for (let i = 0; i < count; i++) this.writeEntry(index + i, encodeTce((firstPage + i) * this.pageBytes, permission));
    yield* this.invalidate(index, count);
    return index * this.pageBytes + (realAddress % this.pageBytes);
  }

  *unmap(dmaAddress: number, bytes: number): Process<void> {
    const index = Math.floor(dmaAddress / this.pageBytes);
    const count = Math.floor((dmaAddress + bytes - 1) / this.pageBytes) - index + 1;
    this.pages.release(index, count);
    for (let i = 0; i < count; i++) this.writeEntry(index + i, 0n);
    yield* this.invalidate(index, count);
  }

  /** Takes one page's entry away while the books still call it mapped: the mistake of a driver, for experiments. */
  *lose(dmaAddress: number): Process<void> {
    const index = Math.floor(dmaAddress / this.pageBytes);
    this.writeEntry(index, 0n);
    yield* this.invalidate(index, 1);
  }

  /** Drops everything the chip caches for this PE. */
  *invalidateAll(): Process<void> {
    yield* this.store({ BY_PE: 1 });
  }

  freeTables(): void {
    for (const table of this.tables.splice(0)) this.memory.release(table, this.tableBytes);
  }

  private get pageCount(): number {
    return Math.floor(this.shape.sizeBytes / this.pageBytes);
  }

  private writeEntry(index: number, tce: bigint): void {
    const { memory } = this.kill.port;
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
    const table = this.memory.allocate(this.tableBytes, this.tableBytes);
    this.kill.port.memory.fill(table, this.tableBytes, 0);
    this.tables.push(table);
    return table;
  }

  private *invalidate(index: number, count: number): Process<void> {
    for (let i = 0; i < count; i++) {
      // The field takes the address in units of 4 KiB, whatever the page size.
      const granules = (index + i) * 2 ** (this.shape.pageShift - SMALLEST_TABLE_SHIFT);
      yield* this.store({ ONE_PAGE: 1, ADDRESS: granules });
    }
  }

  private *store(fields: Readonly<Record<string, number>>): Process<void> {
    let value = 0n;
    for (const [name, field] of Object.entries({ ...fields, PE: this.kill.pe })) {
      value = setField(value, PHB_REGISTERS.field('PHB_TCE_KILL', name).at, BigInt(field));
    }
    yield* this.kill.port.store(this.kill.address, 8, value);
  }
}
