/**
 * Interrupt vectors as the PHB uses them: from the IVC where it is on and holds them, else from the IVT in memory. P and Q
 * are written through to memory. Facts: ioda2-phb3 5.4, 6.4.2 steps 4 and 5, 6.4.3, 6.4.4.
 * Sources: qemu pnv_phb3_msi.c: phb3_msi_ive_addr, phb3_msi_set_p, phb3_msi_set_q.
 */
import type { SystemMemory } from '../hw/memory.js';
import { InterruptVectorCache } from './ivc.js';
import { IVE, withIveField } from './ive.js';
import { MEMORY_TABLES } from './tables.js';

/** Sources a PHB has at all; the last eight are the LSIs. */
export const MSI_SOURCES = MEMORY_TABLES.IVT.entries;

export type VectorFault = 'table-disabled' | 'out-of-range' | 'memory-error';

const NOT_CACHED = -1;

export class InterruptVectors {
  /** Halves of the vector loaded last. */
  hi = 0;
  lo = 0;

  readonly #memory: SystemMemory;
  readonly #cache = new InterruptVectorCache();
  #caching: 'off' | 'on' = 'off';
  #base: number | undefined;
  #entries = 0;
  #strideBytes = MEMORY_TABLES.IVT_SHORT.entryBits / 8;
  /** The vector loaded last: where it stands in memory, and its slot of the cache. */
  #address = 0;
  #slot = NOT_CACHED;

  constructor(memory: SystemMemory) {
    this.#memory = memory;
  }

  /** PHB_IVT_BAR: base and number of vectors; `undefined` while disabled. Cached vectors stay (M). */
  setTable(base: number | undefined, entries: number): void {
    this.#base = base;
    this.#entries = entries;
  }

  /** PHB_CONTROL bit 24: vectors stand 128 bytes apart, else 16. */
  setStride(stride: 'long' | 'short'): void {
    this.#strideBytes = MEMORY_TABLES[stride === 'long' ? 'IVT' : 'IVT_SHORT'].entryBits / 8;
  }

  /** PHB_CONTROL bit 23. Off, nothing is looked up, kept or updated, and what was held is lost (M). */
  setCaching(state: 'off' | 'on'): void {
    this.#caching = state;
    if (state === 'off') this.#cache.invalidateAll();
  }

  /** True if loading this vector costs no access to memory. */
  holds(isn: number): boolean {
    return this.#cache.find(isn) >= 0;
  }

  /** Makes the vector of a source the current one, or says why there is none. */
  load(isn: number): VectorFault | undefined {
    if (this.#base === undefined) return 'table-disabled';
    if (isn >= this.#entries || isn >= MSI_SOURCES) return 'out-of-range';
    this.#address = this.#base + isn * this.#strideBytes;
    this.#slot = this.#cache.find(isn);
    if (this.#slot >= 0) {
      this.hi = this.#cache.hi[this.#slot]!;
      this.lo = this.#cache.lo[this.#slot]!;
      return undefined;
    }
    return this.#fetch(isn);
  }

  #fetch(isn: number): VectorFault | undefined {
    const memory = this.#memory;
    if (!memory.tryReadHalves(this.#address)) return 'memory-error';
    this.hi = memory.hi;
    this.lo = memory.lo;
    if (this.#caching === 'on') this.#slot = this.#cache.fill(isn, this.hi, this.lo);
    return undefined;
  }

  get server(): number {
    return IVE.SERVER.of(this.hi);
  }
  get priority(): number {
    return IVE.PRIORITY.of(this.hi);
  }
  get pe(): number {
    return IVE.PE.of(this.lo);
  }
  get presented(): boolean {
    return IVE.P.of(this.lo) === 1;
  }
  get queued(): boolean {
    return IVE.Q.of(this.lo) === 1;
  }

  /** Sets P of the current vector. The byte in memory gets the generation along with it, as far as the chip knows it. */
  present(): void {
    this.#set('P');
  }

  /** Sets Q of the current vector. */
  queue(): void {
    this.#set('Q');
  }

  /** P and Q live in bytes of their own: software writes the rest of the entry at the same time. */
  #set(name: 'P' | 'Q'): void {
    const field = IVE[name];
    this.lo = withIveField(this.lo, field, 1);
    if (this.#slot >= 0) this.#cache.lo[this.#slot] = this.lo;
    const address = this.#address + field.byte;
    if (this.#memory.contains(address, 1)) this.#memory.write8(address, (this.lo >>> field.shift) & 0xff);
  }

  // ---- PHB_IVC_INVALIDATE, PHB_IVC_UPDATE -------------------------------------------------------------------------

  invalidateAll(): void {
    this.#cache.invalidateAll();
  }

  invalidate(isn: number): void {
    this.#cache.invalidate(isn);
  }

  update(value: bigint): void {
    this.#cache.update(value);
  }

  reset(): void {
    this.setTable(undefined, 0);
    this.setStride('short');
    this.setCaching('off');
  }
}
