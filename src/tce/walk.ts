/**
 * The TCE table walk: from a TVE and a DMA address to the final TCE, through 1 to 5 levels of tables in memory.
 * Facts: ioda2-phb3 6.3.3 steps 5, 7, 8; linux pci-ioda-tce.c: pnv_tce.
 */
import type { SystemMemory } from '../hw/memory.js';
import { nextTableLo, permissionOf } from './tce.js';
import { type TveTable, WINDOW_BITS } from './tve.js';

export const WalkStatus = {
  OK: 0,
  /** The address has bits that the tables do not reach. */
  OUT_OF_REACH: 1,
  /** An entry above the last level has neither permission bit. */
  INDIRECT_FAULT: 2,
  MEMORY_ERROR: 3,
} as const;
export type WalkStatus = (typeof WalkStatus)[keyof typeof WalkStatus];

/** The TVE select and the address space above it take no part in the walk, however far a table reaches (M). */
const WINDOW_HI = 2 ** (WINDOW_BITS - 32) - 1;
const ENTRY_BYTES = 8;
const TWO_32 = 2 ** 32;

/** True when the tables of a translated TVE reach the address. */
export function reaches(tves: TveTable, index: number, addressHi: number, addressLo: number): boolean {
  return ((addressHi & tves.beyondReachHi[index]!) | (addressLo & tves.beyondReachLo[index]!)) === 0;
}

/** `indexBits` bits of the address from bit `shift` (LSB-0) up; 12 <= shift, indexBits <= 39. */
function tableIndex(hi: number, lo: number, shift: number, indexBits: number): number {
  if (indexBits >= 32) return wideIndex(hi, lo, shift, indexBits);
  const keep = (1 << indexBits) - 1;
  if (shift < 32) return ((lo >>> shift) | (hi << (32 - shift))) & keep;
  return shift < 64 ? (hi >>> (shift - 32)) & keep : 0;
}

/** The same for tables of 2^32 entries and more: page numbers have 47 bits, so doubles are exact. */
function wideIndex(hi: number, lo: number, shift: number, indexBits: number): number {
  const pageNumber = hi * 2 ** 20 + (lo >>> 12);
  return Math.floor(pageNumber / 2 ** (shift - 12)) % 2 ** indexBits;
}

export class TceWalker {
  /** Halves of the entry read last: the final TCE when the walk succeeds. Not set by a failed read. */
  tceHi = 0;
  tceLo = 0;
  /** Levels below the entry where the walk ended: 0 for a final TCE. */
  levelsLeft = 0;
  /** Entries fetched from memory so far; wraps at 32 bits. */
  fetches = 0;

  /** One cell instead of a field: a double in a field could be allocated anew at every write. */
  private readonly entryAddress = new Float64Array(1);

  constructor(private readonly memory: SystemMemory) {}

  /** Real address of the entry where the walk ended. */
  get tceAddress(): number {
    return this.entryAddress[0]!;
  }

  /** `index` names a translated entry of `tves`. */
  walk(tves: TveTable, index: number, addressHi: number, addressLo: number): WalkStatus {
    if (!reaches(tves, index, addressHi, addressLo)) return WalkStatus.OUT_OF_REACH;
    const { memory } = this;
    const hi = addressHi & WINDOW_HI;
    const indexBits = tves.indexBits[index]!;
    let shift = tves.topShift[index]!;
    let tableHi = tves.tableHi[index]!;
    let tableLo = tves.tableLo[index]!;
    let levelsLeft = tves.levels[index]!;
    let status: WalkStatus = WalkStatus.OK;
    let entryHi = 0;
    let entryLo = 0;
    for (;;) {
      const offset = tableIndex(hi, addressLo, shift, indexBits) * ENTRY_BYTES;
      const sum = tableLo + offset;
      entryLo = sum >>> 0;
      // Tables are aligned to 4 KiB only, so one may lie across a 4 GiB boundary.
      entryHi = sum === entryLo ? tableHi : tableHi + Math.floor(sum / TWO_32);
      levelsLeft--;
      if (!memory.tryReadHalvesAt(entryHi, entryLo)) {
        status = WalkStatus.MEMORY_ERROR;
        break;
      }
      if (levelsLeft === 0) break;
      if (permissionOf(memory.lo) === 0) {
        status = WalkStatus.INDIRECT_FAULT;
        break;
      }
      tableHi = memory.hi;
      tableLo = nextTableLo(memory.lo);
      shift -= indexBits;
    }
    this.entryAddress[0] = entryHi * TWO_32 + entryLo;
    this.levelsLeft = levelsLeft;
    this.fetches = (this.fetches + tves.levels[index]! - levelsLeft) | 0;
    if (status === WalkStatus.MEMORY_ERROR) return status;
    this.tceHi = memory.hi;
    this.tceLo = memory.lo;
    return status;
  }
}
