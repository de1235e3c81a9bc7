/**
 * The eight LSIs of a PHB3: INTA..INTD of the slot are levels; the chip's own INF (6) and ER (7) interrupt once each time
 * an error arrives. Sources: qemu pnv_phb3_lxivt_write, pnv_phb3_remap_irqs; skiboot include/phb3.h, hw/phb3.c:
 * phb3_lsi_set_xive; skiboot commit 9b6433c29 (PHB3: rising edge of an error status bit; true levels only from PHB4 on).
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

export interface LsiVector {
  readonly server: number;
  readonly priority: number;
}

/** Where an interrupt goes: the PBCQ adds its base to the ISN, or knows that interrupts are not routed. */
export interface LsiRoute {
  present(isn: number, vector: LsiVector, asserted: boolean): void;
  /** An interrupt that is not held up. */
  signal(isn: number, vector: LsiVector): void;
}

export class LsiUnit {
  /** Effective at once for the LSI whose entry is written. */
  readonly lxivt = new TableStore(IODA_TABLES.LXIVT, { onWrite: (index) => this.#refreshOne(index) });
  readonly #asserted = new Uint8Array(LSI_COUNT);
  readonly #presented = new Uint8Array(LSI_COUNT);
  /** Edges that came while their vector was masked. */
  readonly #edges = new Uint8Array(LSI_COUNT);
  readonly #route: LsiRoute;
  #sourceId = 0;

  constructor(route: LsiRoute) {
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

  /** An edge. Masked, it waits for a priority; more of them until then are one (M). */
  pulse(index: number): void {
    this.#edges[index] = 1;
    this.#deliverEdge(index);
  }

  #deliverEdge(index: number): void {
    const vector = this.#vector(index);
    if (this.#edges[index] === 0 || vector.priority === MASKED) return;
    this.#edges[index] = 0;
    this.#route.signal(this.#isn(index), vector);
  }

  /** Presents every level anew: after a vector or the routing changed. */
  refresh(): void {
    for (let index = 0; index < LSI_COUNT; index++) this.#refreshOne(index);
  }

  /** A masked level is kept and shows as soon as its vector gets a priority. */
  #refreshOne(index: number): void {
    this.#deliverEdge(index);
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

  #vector(index: number): LsiVector {
    return {
      server: Number(this.lxivt.field(index, 'SERVER')) >> SERVER_LINK_BITS,
      priority: Number(this.lxivt.field(index, 'PRIORITY')),
    };
  }

  reset(): void {
    this.#asserted.fill(0);
    this.#edges.fill(0);
    this.withdraw();
    this.lxivt.resetAll();
    this.#sourceId = 0;
  }
}
