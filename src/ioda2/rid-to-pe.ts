/**
 * RID to PE: the RTT in memory and the RTC, its cache on the chip. Facts: ioda2-phb3 5.1, 6.3.1, 6.6, 11 #17.
 * An entry that software changed without invalidating the RTC keeps charging the old PE.
 */
import type { SystemMemory } from '../hw/memory.js';
import { AssociativeIndex } from '../tce/associative.js';
import { PE_COUNT } from './pe-state.js';

/** Why a RID has no PE; all below 0, so a result of 0 and more is the PE. */
export const RidFailure = {
  /** The RTE is 0xffff. */
  NO_PE: -1,
  /** The RTE is 0x100 to 0xfffe. */
  INVALID_RTE: -2,
  /** RTT BAR disabled. */
  BAR_DISABLED: -3,
  /** The RTT is not in memory. */
  MEMORY_ERROR: -4,
} as const;
export type RidFailure = (typeof RidFailure)[keyof typeof RidFailure];

export const RTC_ENTRIES = 64;
const RTE_BYTES = 2;
const RTE_NO_PE = 0xffff;

export interface CachedRid {
  readonly rid: number;
  readonly pe: number;
}

export class RidToPe {
  /** Entries fetched from memory so far; wraps at 32 bits. What a request costs follows from the difference. */
  fetches = 0;
  private base: number | undefined;
  /** The RID is the whole key: the other two words are 0. */
  private readonly cache = new AssociativeIndex(RTC_ENTRIES);
  private readonly pes = new Uint8Array(RTC_ENTRIES);

  constructor(private readonly memory: SystemMemory) {}

  /** RTT BAR: base of the RTT, `undefined` while disabled. Cached RIDs stay: only an invalidate drops them (M). */
  setBase(address: number | undefined): void {
    this.base = address;
  }

  /** The PE of a RID, or a `RidFailure`. */
  lookup(rid: number): number {
    const slot = this.cache.find(rid, 0, 0);
    return slot >= 0 ? this.pes[slot]! : this.fetch(rid);
  }

  private fetch(rid: number): number {
    if (this.base === undefined) return RidFailure.BAR_DISABLED;
    this.fetches = (this.fetches + 1) | 0;
    const rte = this.memory.tryRead16(this.base + rid * RTE_BYTES);
    if (rte < 0) return RidFailure.MEMORY_ERROR;
    // A refused entry is not cached (M): software that repairs it need not invalidate.
    if (rte >= PE_COUNT) return rte === RTE_NO_PE ? RidFailure.NO_PE : RidFailure.INVALID_RTE;
    this.pes[this.cache.claim(rid, 0, 0)] = rte;
    return rte;
  }

  /** PHB_RTC_INVALIDATE, all entries. */
  invalidateAll(): void {
    this.cache.releaseAll();
  }

  /** PHB_RTC_INVALIDATE, one RID. */
  invalidate(rid: number): void {
    const slot = this.cache.find(rid, 0, 0);
    if (slot >= 0) this.cache.release(slot);
  }

  /** What the RTC holds, the most recently used first. */
  contents(): CachedRid[] {
    return this.cache.usedSlots().map((slot) => ({ rid: this.cache.tag[slot]!, pe: this.pes[slot]! }));
  }
}
