/**
 * TCE cache: final TCEs by PE, DMA page and page size. Nothing but a kill or the replacement drops an entry, so a TCE
 * that software changed without a kill keeps translating. Facts: ioda2-phb3 4.3, 6.6, 11 #17.
 */
import { fromHalves } from '../hw/bits.js';
import { AssociativeIndex } from './associative.js';

export const TCE_CACHE_ENTRIES = 64;

/** Page shifts are below 64, so PE and page shift share one word of the key. */
const PAGE_SHIFT_BITS = 6;

export interface CachedTce {
  readonly pe: number;
  /** DMA address of the page, with the bit that selects the TVE. */
  readonly dmaPage: bigint;
  readonly pageShift: number;
  readonly realPage: number;
  readonly permission: number;
}

export class TceCache {
  private readonly index: AssociativeIndex;
  private readonly realPages: Float64Array;
  private readonly permissions: Uint8Array;

  constructor(entries = TCE_CACHE_ENTRIES) {
    this.index = new AssociativeIndex(entries);
    this.realPages = new Float64Array(entries);
    this.permissions = new Uint8Array(entries);
  }

  /** Slot of the page that holds the DMA address, or -1. */
  lookup(pe: number, pageShift: number, addressHi: number, addressLo: number): number {
    return this.index.find((pe << PAGE_SHIFT_BITS) | pageShift, addressHi, pageOf(addressLo, pageShift));
  }

  /** Takes the least recently used slot for a page that is not cached; `store` must follow. */
  claim(pe: number, pageShift: number, addressHi: number, addressLo: number): number {
    return this.index.claim((pe << PAGE_SHIFT_BITS) | pageShift, addressHi, pageOf(addressLo, pageShift));
  }

  store(slot: number, realPage: number, permission: number): void {
    this.realPages[slot] = realPage;
    this.permissions[slot] = permission;
  }

  realPage(slot: number): number {
    return this.realPages[slot]!;
  }

  permission(slot: number): number {
    return this.permissions[slot]!;
  }

  invalidateAll(): void {
    this.index.releaseAll();
  }

  invalidatePe(pe: number): void {
    for (let slot = 0; slot < this.index.slots; slot++) {
      if (this.peOf(slot) === pe) this.index.release(slot);
    }
  }

  /** Drops the page of one PE that holds the DMA address, whatever page size it was cached with. */
  invalidatePage(pe: number, addressHi: number, addressLo: number): void {
    for (let slot = 0; slot < this.index.slots; slot++) {
      if (this.peOf(slot) !== pe || this.index.hi[slot] !== addressHi) continue;
      if (this.index.lo[slot] === pageOf(addressLo, this.pageShiftOf(slot))) this.index.release(slot);
    }
  }

  /** What is cached, the most recently used first. */
  contents(): CachedTce[] {
    return this.index.usedSlots().map((slot) => ({
      pe: this.peOf(slot),
      dmaPage: fromHalves(this.index.hi[slot]!, this.index.lo[slot]!),
      pageShift: this.pageShiftOf(slot),
      realPage: this.realPage(slot),
      permission: this.permission(slot),
    }));
  }

  private peOf(slot: number): number {
    return this.index.tag[slot]! >>> PAGE_SHIFT_BITS;
  }

  private pageShiftOf(slot: number): number {
    return this.index.tag[slot]! & (2 ** PAGE_SHIFT_BITS - 1);
  }
}

/** Low half of the page's address; page sizes are below 4 GiB, so the high half is the address's own. */
function pageOf(addressLo: number, pageShift: number): number {
  return ((addressLo >>> pageShift) << pageShift) >>> 0;
}
