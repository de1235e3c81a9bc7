/**
 * The TVT as the DMA path uses it: decoded when written, by entry. Facts: ioda1-p7ioc 4.6, 6.3 steps 6 to 9, 12.8.
 * Source: skiboot p7ioc hw/p7ioc-phb.c: p7ioc_map_pe_dma_window.
 */
import { getField } from '../hw/bits.js';
import { PairStore } from './pair-store.js';
import { ridFilter } from './rid-filter.js';
import { IODA_TABLES } from './tables.js';

const TVT = IODA_TABLES.TVT;
const TWO_32 = 2 ** 32;
/** TABLE_SIZE is log2(window) - 26. */
const WINDOW_BASE_BITS = 26;
/** 256 TiB, the largest window there is; a larger code counts as no window (M). */
const MAX_WINDOW_BITS = 48;
const PAGE_SHIFT_BASE = 11;
/** 4 KiB, 64 KiB, 16 MiB, 16 GiB. */
export const PAGE_SHIFTS: readonly number[] = [12, 16, 24, 34];
const TABLE_GRANULE = 0x1000;

export class DmaWindows {
  readonly tvt = new PairStore(TVT, (index) => this.#decode(index));
  readonly valid = new Uint8Array(TVT.entries);
  readonly pe = new Uint8Array(TVT.entries);
  readonly ridMask = new Uint16Array(TVT.entries);
  readonly ridValue = new Uint16Array(TVT.entries);
  readonly pageShift = new Uint8Array(TVT.entries);
  /** Halves of the real address of the TCE table. */
  readonly tableHi = new Uint32Array(TVT.entries);
  readonly tableLo = new Uint32Array(TVT.entries);
  /** Address bits inside the window. */
  readonly insideHi = new Uint32Array(TVT.entries);
  readonly insideLo = new Uint32Array(TVT.entries);

  #decode(index: number): void {
    const entry = this.tvt.entry(index);
    const field = (name: string): number => Number(getField(entry, TVT.field(name).at, TVT.entryBits));
    const { mask, value } = ridFilter(field);
    const windowBits = WINDOW_BASE_BITS + field('TABLE_SIZE');
    const pageShift = PAGE_SHIFT_BASE + field('PAGE_SIZE');
    const exists = field('TABLE_SIZE') !== 0 && windowBits <= MAX_WINDOW_BITS && PAGE_SHIFTS.includes(pageShift);
    const inside = 2 ** windowBits - 1;
    this.valid[index] = exists ? 1 : 0;
    this.pe[index] = field('PE');
    this.ridMask[index] = mask;
    this.ridValue[index] = value;
    this.pageShift[index] = pageShift;
    const table = field('TABLE_ADDRESS') * TABLE_GRANULE;
    this.tableHi[index] = Math.floor(table / TWO_32);
    this.tableLo[index] = table % TWO_32;
    this.insideHi[index] = Math.floor(inside / TWO_32);
    this.insideLo[index] = windowBits >= 32 ? 0xffff_ffff : inside;
  }

  reset(): void {
    this.tvt.resetAll();
  }
}
