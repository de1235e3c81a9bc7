/**
 * From a TVE and a DMA address to a real address: bounds or reach, TCE cache, table walk, permission.
 * Facts: ioda2-phb3 6.3.3, 6.3.4, 11 #6, #29.
 */
import type { SystemMemory } from '../hw/memory.js';
import { TceCache } from './cache.js';
import { Permission, permissionOf, realPageOf } from './tce.js';
import { TveKind, TveTable, WINDOW_BITS } from './tve.js';
import { reaches, TceWalker, WalkStatus } from './walk.js';

/** A direction is the TCE permission it needs: a device that reads needs the read bit. */
export const DmaDirection = { READ: Permission.READ, WRITE: Permission.WRITE } as const;
export type DmaDirection = (typeof DmaDirection)[keyof typeof DmaDirection];

export const TceStatus = {
  /** `realAddress` is valid. */
  OK: 0,
  TVE_INVALID: 1,
  /** Beyond the reach of the tables, or outside the bounds of an untranslated window. */
  TVE_RANGE: 2,
  /** The entry has neither permission bit, at the last level or above. */
  TCE_PAGE_FAULT: 3,
  TCE_ACCESS_FAULT: 4,
  /** A table could not be read. */
  MEMORY_ERROR: 5,
} as const;
export type TceStatus = (typeof TceStatus)[keyof typeof TceStatus];

const GRANULE_SHIFT = 24;
/** Untranslated windows live in the 50 bits of a real address; the window's bits above must be 0 (M). */
const REAL_ADDRESS_HI = 2 ** (50 - 32) - 1;
const ABOVE_REAL_ADDRESS_HI = 2 ** (WINDOW_BITS - 32) - 2 ** (50 - 32);

export interface TceTranslationOptions {
  readonly memory: SystemMemory;
  readonly peCount: number;
  /** A power of two: TVE `index` belongs to PE `index / tvesPerPe`. */
  readonly tvesPerPe: number;
}

export class TceTranslation {
  readonly tves: TveTable;
  readonly cache = new TceCache();
  /** Where the last table walk ended. */
  readonly walker: TceWalker;

  /** One cell instead of a field: a double in a field could be allocated anew at every write. */
  private readonly result = new Float64Array(1);
  private readonly peShift: number;

  constructor(options: TceTranslationOptions) {
    this.tves = new TveTable(options.peCount * options.tvesPerPe);
    this.walker = new TceWalker(options.memory);
    this.peShift = Math.log2(options.tvesPerPe);
  }

  /** Valid after status OK. */
  get realAddress(): number {
    return this.result[0]!;
  }

  /** One access that stays inside one page, through TVE `index`. Halves are unsigned. */
  translate(index: number, addressHi: number, addressLo: number, direction: DmaDirection): TceStatus {
    const { tves, cache } = this;
    if (tves.kind[index] !== TveKind.TRANSLATED) return this.untranslated(index, addressHi, addressLo);
    // Before the cache: a window that shrank refuses at once, also what is still cached.
    if (!reaches(tves, index, addressHi, addressLo)) return TceStatus.TVE_RANGE;
    const pageShift = tves.pageShift[index]!;
    const slot = cache.lookup(index >>> this.peShift, pageShift, addressHi, addressLo);
    if (slot < 0) return this.walk(index, addressHi, addressLo, direction);
    if ((cache.permission(slot) & direction) === 0) return TceStatus.TCE_ACCESS_FAULT;
    this.result[0] = cache.realPage(slot) + offsetInPage(addressLo, pageShift);
    return TceStatus.OK;
  }

  /** A miss. Only a TCE that granted the access is cached, so a page mapped later needs no kill. */
  private walk(index: number, addressHi: number, addressLo: number, direction: DmaDirection): TceStatus {
    const { walker, cache } = this;
    const status = walker.walk(this.tves, index, addressHi, addressLo);
    if (status === WalkStatus.MEMORY_ERROR) return TceStatus.MEMORY_ERROR;
    const permission = permissionOf(walker.tceLo);
    if (permission === Permission.NONE) return TceStatus.TCE_PAGE_FAULT;
    if ((permission & direction) === 0) return TceStatus.TCE_ACCESS_FAULT;
    const pageShift = this.tves.pageShift[index]!;
    const realPage = realPageOf(walker.tceHi, walker.tceLo, pageShift);
    cache.store(cache.claim(index >>> this.peShift, pageShift, addressHi, addressLo), realPage, permission);
    this.result[0] = realPage + offsetInPage(addressLo, pageShift);
    return TceStatus.OK;
  }

  private untranslated(index: number, addressHi: number, addressLo: number): TceStatus {
    const { kind, firstGranule, endGranule } = this.tves;
    if (kind[index] === TveKind.INVALID) return TceStatus.TVE_INVALID;
    if ((addressHi & ABOVE_REAL_ADDRESS_HI) !== 0) return TceStatus.TVE_RANGE;
    const hi = addressHi & REAL_ADDRESS_HI;
    const granule = hi * 2 ** (32 - GRANULE_SHIFT) + (addressLo >>> GRANULE_SHIFT);
    if (granule < firstGranule[index]! || granule >= endGranule[index]!) return TceStatus.TVE_RANGE;
    this.result[0] = hi * 2 ** 32 + addressLo;
    return TceStatus.OK;
  }
}

function offsetInPage(addressLo: number, pageShift: number): number {
  return addressLo & ((1 << pageShift) - 1);
}
