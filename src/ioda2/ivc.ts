/**
 * IVC, the interrupt vector cache: 32 vectors, the least recently used leaves. Nothing but an invalidate, an update or the
 * replacement changes what it holds, so a vector that software changed in memory alone keeps its old server, priority, PE,
 * P and Q here. Facts: ioda2-phb3 6.4.4, 6.6, 11 #17, #20.
 * Sources: skiboot hw/phb3.c: phb3_pci_msi_eoi, phb3_msi_set_xive, phb3_set_ive_pe; skiboot commits ca31bfedc, c8bea6e01.
 */
import { getField } from '../hw/bits.js';
import { AssociativeIndex } from '../tce/associative.js';
import { IVE, withIveField } from './ive.js';
import { PHB_REGISTERS } from './registers/phb.js';
import { IODA_TABLES } from './tables.js';

export const IVC_ENTRIES = IODA_TABLES.IVC_CAM.entries;

const updateAt = (field: string) => PHB_REGISTERS.field('PHB_IVC_UPDATE', field).at;

/** Each enable of IVC_UPDATE, the field of the register that it lets through, and the field of the vector it replaces. */
const UPDATES = [
  { enable: updateAt('ENABLE_P'), from: updateAt('P'), field: IVE.P },
  { enable: updateAt('ENABLE_Q'), from: updateAt('Q'), field: IVE.Q },
  // The register has no bits for the upper third of the server: they become 0 (M).
  { enable: updateAt('ENABLE_SERVER'), from: updateAt('SERVER'), field: IVE.SERVER },
  { enable: updateAt('ENABLE_PRIORITY'), from: updateAt('PRIORITY'), field: IVE.PRIORITY },
  { enable: updateAt('ENABLE_GENERATION'), from: updateAt('GENERATION'), field: IVE.GENERATION },
] as const;
const CONDITIONAL = updateAt('CONDITIONAL');
const MATCH_GENERATION = updateAt('MATCH_GENERATION');
const UPDATE_ISN = updateAt('ISN');

export class InterruptVectorCache {
  readonly hi = new Uint32Array(IVC_ENTRIES);
  readonly lo = new Uint32Array(IVC_ENTRIES);
  /** The ISN is the whole key: the other two words are 0. */
  private readonly index = new AssociativeIndex(IVC_ENTRIES);

  /** Slot of the vector, which becomes the most recently used, or -1. */
  find(isn: number): number {
    return this.index.find(isn, 0, 0);
  }

  /** Takes the least recently used slot for a vector that is not cached, and returns it. */
  fill(isn: number, hi: number, lo: number): number {
    const slot = this.index.claim(isn, 0, 0);
    this.hi[slot] = hi;
    this.lo[slot] = lo;
    return slot;
  }

  /** PHB_IVC_UPDATE. What is not cached needs no update: software has written memory before. */
  update(value: bigint): void {
    const slot = this.find(Number(getField(value, UPDATE_ISN)));
    if (slot < 0) return;
    const generation = Number(getField(value, MATCH_GENERATION));
    if (getField(value, CONDITIONAL) === 1n && IVE.GENERATION.of(this.lo[slot]!) !== generation) return;
    for (const { enable, from, field } of UPDATES) {
      if (getField(value, enable) === 0n) continue;
      const half = field.half === 'hi' ? this.hi : this.lo;
      half[slot] = withIveField(half[slot]!, field, Number(getField(value, from)));
    }
  }

  invalidateAll(): void {
    this.index.releaseAll();
  }

  invalidate(isn: number): void {
    const slot = this.find(isn);
    if (slot >= 0) this.index.release(slot);
  }
}
