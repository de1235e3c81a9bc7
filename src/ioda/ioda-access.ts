/**
 * IODA_ADDR and IODA_DATA0, and IODA_DATA1 where entries have two words: the one door to the tables inside the chip,
 * with auto-increment. Facts: ioda2-phb3 4, ioda1-p7ioc 4.1.
 * Sources: skiboot hw/phb3.c: phb3_ioda_sel; skiboot p7ioc hw/p7ioc-phb.c: p7ioc_ioda_reset; qemu pnv_phb3_ioda_access.
 */
import { bit, bits, type FieldSpec, getField, setField } from '../hw/bits.js';

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
  #address = 0n;

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
    return this.#address;
  }

  /** A write of IODA_ADDR selects; nothing is fetched before the data registers are touched. */
  select(address: bigint): void {
    this.#address = address;
  }

  readData(): bigint {
    const { table, index } = this.#current();
    if (!table) return 0n;
    const value = table.read(index);
    this.#advance(table, index);
    return value;
  }

  writeData(value: bigint): void {
    const { table, index } = this.#current();
    if (!table) return;
    table.write(index, value);
    this.#advance(table, index);
  }

  /** IODA_DATA1 leaves the index alone: software writes it first and IODA_DATA0 second, once an entry. */
  readSecond(): bigint {
    const { table, index } = this.#current();
    return table?.second?.read(index) ?? 0n;
  }

  writeSecond(value: bigint): void {
    const { table, index } = this.#current();
    table?.second?.write(index, value);
  }

  #current(): { table: IodaTable | undefined; index: number } {
    const selector = Number(getField(this.#address, TABLE_SELECT));
    const name = this.#directory.bySelector(selector);
    const table = name === undefined ? undefined : this.#tables.get(name);
    if (!table) {
      this.#directory.onReserved(selector);
      return { table, index: 0 };
    }
    return { table, index: Number(getField(this.#address, this.#directory.indexAt)) & (table.entries - 1) };
  }

  /** Reads and writes alike move on, and the register shows the next index, so a walk of a whole table ends where it began. */
  #advance(table: IodaTable, index: number): void {
    if (getField(this.#address, AUTOINCREMENT) === 0n) return;
    this.#address = setField(this.#address, this.#directory.indexAt, BigInt((index + 1) & (table.entries - 1)));
  }
}
