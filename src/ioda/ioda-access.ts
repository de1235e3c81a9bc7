/**
 * IODA_ADDR and IODA_DATA0, and IODA_DATA1 where entries have two words: the one door to the tables inside the chip,
 * with auto-increment. Facts: ioda2-phb3 4, ioda1-p7ioc 4.1.
 * Sources: skiboot hw/phb3.c: phb3_ioda_sel; skiboot p7ioc hw/p7ioc-phb.c: p7ioc_ioda_reset; qemu pnv_phb3_ioda_access.
 */
import { bit, bits, type FieldSpec, fromHalves, getFieldOfHalves, hiOf, loOf, setField } from '../hw/bits.js';

/** A table as the door sees it. Indices are already wrapped to `entries`, a power of two. */
export interface IodaTable {
  readonly entries: number;
  read(index: number): bigint;
  write(index: number, value: bigint): void;
  /** The second words of its entries, behind IODA_DATA1. */
  readonly second?: Pick<IodaTable, 'read' | 'write'>;
}

/** Fields of IODA_ADDR; the width of the index is the chip's. */
export const IODA_ADDRESS_FIELDS = {
  AUTOINCREMENT: { at: bit(0), about: 'step the index after each data access' },
  TABLE: { at: bits(11, 15), about: 'table selector' },
} as const;

const AUTOINCREMENT = IODA_ADDRESS_FIELDS.AUTOINCREMENT.at;
const TABLE_SELECT = IODA_ADDRESS_FIELDS.TABLE.at;

export interface IodaDirectory<N extends string> {
  /** Field of IODA_ADDR with the index. */
  readonly indexAt: FieldSpec;
  bySelector(selector: number): N | undefined;
  /** A selector without a table was used. */
  onReserved(selector: number): void;
}

export class IodaAccess<N extends string> {
  readonly #tables = new Map<N, IodaTable>();
  readonly #directory: IodaDirectory<N>;
  /** IODA_ADDR in halves: every access of a data register takes it apart. */
  #hi = 0;
  #lo = 0;

  constructor(directory: IodaDirectory<N>) {
    this.#directory = directory;
  }

  attach(name: N, table: IodaTable): void {
    this.#tables.set(name, table);
  }

  /** For tools: a table without the door. */
  table(name: N): IodaTable | undefined {
    return this.#tables.get(name);
  }

  get address(): bigint {
    return fromHalves(this.#hi, this.#lo);
  }

  /** A write of IODA_ADDR selects; nothing is fetched before the data registers are touched. */
  select(address: bigint): void {
    this.#hi = hiOf(address);
    this.#lo = loOf(address);
  }

  readData(): bigint {
    const table = this.#selected();
    if (!table) return 0n;
    const value = table.read(this.#index(table));
    this.#advance(table);
    return value;
  }

  writeData(value: bigint): void {
    const table = this.#selected();
    if (!table) return;
    table.write(this.#index(table), value);
    this.#advance(table);
  }

  /** IODA_DATA1 leaves the index alone: software writes it first and IODA_DATA0 second, once an entry. */
  readSecond(): bigint {
    const table = this.#selected();
    return table?.second?.read(this.#index(table)) ?? 0n;
  }

  writeSecond(value: bigint): void {
    const table = this.#selected();
    table?.second?.write(this.#index(table), value);
  }

  #selected(): IodaTable | undefined {
    const selector = getFieldOfHalves(this.#hi, this.#lo, TABLE_SELECT);
    const name = this.#directory.bySelector(selector);
    const table = name === undefined ? undefined : this.#tables.get(name);
    if (!table) this.#directory.onReserved(selector);
    return table;
  }

  #index({ entries }: IodaTable): number {
    return getFieldOfHalves(this.#hi, this.#lo, this.#directory.indexAt) & (entries - 1);
  }

  /** Reads and writes alike move on, and the register shows the next index, so a walk of a whole table ends where it began. */
  #advance(table: IodaTable): void {
    if (getFieldOfHalves(this.#hi, this.#lo, AUTOINCREMENT) === 0) return;
    const next = (this.#index(table) + 1) & (table.entries - 1);
    this.select(setField(this.address, this.#directory.indexAt, BigInt(next)));
  }
}
