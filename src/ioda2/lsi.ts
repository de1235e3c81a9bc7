/**
 * The eight level interrupts of a PHB3: INTA..INTD of the slot, and the chip's own INF (6) and ER (7).
 * Sources: qemu pnv_phb3_lxivt_write, pnv_phb3_remap_irqs; skiboot include/phb3.h, hw/phb3.c: phb3_lsi_set_xive.
 */
import { TableStore } from '../hw/table.js';
import { IODA_TABLES } from './tables.js';

export const LSI_COUNT = IODA_TABLES.LXIVT.entries;
/** Indices of the LSIs that the PHB raises itself; firmware owns both. */
export const LSI_INF = 6;
export const LSI_ER = 7;

const MASKED = 0xff;
/** The low two bits of a server number choose a link; presentation sees the rest. */
const SERVER_LINK_BITS = 2;

/** Where a level goes: the PBCQ adds its base to the ISN, or knows that interrupts are not routed. */
export interface LevelRoute {
  present(isn: number, vector: { server: number; priority: number }, asserted: boolean): void;
}

export class LsiUnit {
  /** Effective at once for the LSI whose entry is written. */
  readonly lxivt = new TableStore(IODA_TABLES.LXIVT, { onWrite: (index) => this.#refreshOne(index) });
  readonly #asserted = new Uint8Array(LSI_COUNT);
  readonly #presented = new Uint8Array(LSI_COUNT);
  readonly #route: LevelRoute;
  #sourceId = 0;

  constructor(route: LevelRoute) {
    this.#route = route;
  }

  /** PHB_LSI_SOURCE_ID: the upper eight bits of the ISNs. */
  setSourceId(id: number): void {
    this.withdraw();
    this.#sourceId = id;
    this.refresh();
  }

  get sourceId(): number {
    return this.#sourceId;
  }

  assert(index: number): void {
    this.#asserted[index] = 1;
    this.#refreshOne(index);
  }

  deassert(index: number): void {
    this.#asserted[index] = 0;
    this.#refreshOne(index);
  }

  /** Presents every level anew: after a vector or the routing changed. */
  refresh(): void {
    for (let index = 0; index < LSI_COUNT; index++) this.#refreshOne(index);
  }

  /** A masked level is kept and shows as soon as its vector gets a priority. */
  #refreshOne(index: number): void {
    const vector = this.#vector(index);
    const show = this.#asserted[index] === 1 && vector.priority !== MASKED;
    if (!show && this.#presented[index] === 0) return;
    this.#presented[index] = show ? 1 : 0;
    this.#route.present(this.#isn(index), vector, show);
  }

  /** Takes back every level that is presented: the way to the processor is cut, or about to change. */
  withdraw(): void {
    for (let index = 0; index < LSI_COUNT; index++) {
      if (this.#presented[index] === 0) continue;
      this.#presented[index] = 0;
      this.#route.present(this.#isn(index), this.#vector(index), false);
    }
  }

  #isn(index: number): number {
    return this.#sourceId * LSI_COUNT + index;
  }

  #vector(index: number): { server: number; priority: number } {
    return {
      server: Number(this.lxivt.field(index, 'SERVER')) >> SERVER_LINK_BITS,
      priority: Number(this.lxivt.field(index, 'PRIORITY')),
    };
  }

  reset(): void {
    this.#asserted.fill(0);
    this.withdraw();
    this.lxivt.resetAll();
    this.#sourceId = 0;
  }
}
