/**
 * RID to PE: the PELTM, whose lowest matching entry names the PE. Facts: ioda1-p7ioc 4.7, 6.1 step 5, 6.3 step 3.
 * The chip compares all entries at once; here the answer of each RID is kept until an entry changes.
 */
import { getField } from '../hw/bits.js';
import { TableStore } from '../hw/table.js';
import { ridFilter } from './rid-filter.js';
import { IODA_TABLES, PE_COUNT } from './tables.js';

const PELTM = IODA_TABLES.PELTM;
/** Charged where nothing matches: only possible if the last entry was changed (M). */
export const CATCH_ALL_PE = PE_COUNT - 1;
const NOT_LOOKED_UP = 0xff;
const RIDS = 0x1_0000;

export class RidToPe {
  readonly peltm = new TableStore(PELTM, { onWrite: (pe) => this.#decode(pe) });
  readonly #masks = new Uint16Array(PE_COUNT);
  readonly #values = new Uint16Array(PE_COUNT);
  readonly #known = new Uint8Array(RIDS).fill(NOT_LOOKED_UP);
  #stale = false;

  lookup(rid: number): number {
    if (this.#stale) this.#forget();
    const known = this.#known[rid]!;
    return known === NOT_LOOKED_UP ? this.#search(rid) : known;
  }

  /** Entries are written by the hundred, requesters come later. */
  #forget(): void {
    this.#known.fill(NOT_LOOKED_UP);
    this.#stale = false;
  }

  #search(rid: number): number {
    let pe = 0;
    while (pe < CATCH_ALL_PE && (rid & this.#masks[pe]!) !== this.#values[pe]) pe++;
    this.#known[rid] = pe;
    return pe;
  }

  #decode(pe: number): void {
    const entry = this.peltm.read(pe);
    const { mask, value } = ridFilter((name) => Number(getField(entry, PELTM.field(name).at)));
    this.#masks[pe] = mask;
    this.#values[pe] = value;
    this.#stale = true;
  }
}
