/**
 * The TCE cache of a P7IOC PHB: TCEs by the real address they came from, because that is how software kills them.
 * Facts: ioda1-p7ioc 5, 6.6; 64 entries from the length of its table; one TCE an entry (M).
 */
import { AssociativeIndex } from '../tce/associative.js';
import { IODA_TABLES } from './tables.js';

const TCE_BYTES = 8;
const PAIR_BYTES = 16;
const TAG = 0;

export class TceCache {
  readonly #index = new AssociativeIndex(IODA_TABLES.TDR.entries);
  /** Halves of the TCE of each slot. */
  readonly hi = new Uint32Array(IODA_TABLES.TDR.entries);
  readonly lo = new Uint32Array(IODA_TABLES.TDR.entries);

  /** Slot of the TCE at this address, or -1. */
  find(addressHi: number, addressLo: number): number {
    return this.#index.find(TAG, addressHi, addressLo);
  }

  keep(addressHi: number, addressLo: number, tceHi: number, tceLo: number): void {
    const slot = this.#index.claim(TAG, addressHi, addressLo);
    this.hi[slot] = tceHi;
    this.lo[slot] = tceLo;
  }

  /** The TCE at this address. */
  kill(addressHi: number, addressLo: number): void {
    const slot = this.#index.find(TAG, addressHi, addressLo);
    if (slot >= 0) this.#index.release(slot);
  }

  /** Both TCEs of the sixteen bytes. */
  killPair(addressHi: number, addressLo: number): void {
    const first = (addressLo & -PAIR_BYTES) >>> 0;
    this.kill(addressHi, first);
    this.kill(addressHi, first + TCE_BYTES);
  }

  killAll(): void {
    this.#index.releaseAll();
  }

  /** How many TCEs are held; for tools. */
  get size(): number {
    return this.#index.usedSlots().length;
  }
}
