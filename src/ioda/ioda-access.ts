/**
 * IODA_ADDR and IODA_DATA0: the one door to the tables inside the chip, with auto-increment.
 * Sources: skiboot hw/phb3.c: phb3_ioda_sel; qemu pnv_phb3.c: pnv_phb3_ioda_access.
 */
import { getField, setField } from '../hw/bits.js';
import { PHB_REGISTERS } from './registers/phb.js';
import { type IodaTableName, iodaTableBySelector } from './tables.js';

/** A table as the door sees it. Indices are already wrapped to `entries`, a power of two. */
export interface IodaTable {
  readonly entries: number;
  read(index: number): bigint;
  write(index: number, value: bigint): void;
}

const fieldAt = (name: string) => PHB_REGISTERS.field('PHB_IODA_ADDR', name).at;
const AUTOINCREMENT = fieldAt('AUTOINCREMENT');
const TABLE_SELECT = fieldAt('TABLE');
const INDEX = fieldAt('INDEX');

export class IodaAccess {
  readonly #tables = new Map<IodaTableName, IodaTable>();
  readonly #onReservedSelector: (selector: number) => void;
  #address = 0n;

  constructor(onReservedSelector: (selector: number) => void) {
    this.#onReservedSelector = onReservedSelector;
  }

  attach(name: IodaTableName, table: IodaTable): void {
    this.#tables.set(name, table);
  }

  /** For tools: a table without the door. */
  table(name: IodaTableName): IodaTable | undefined {
    return this.#tables.get(name);
  }

  get address(): bigint {
    return this.#address;
  }

  /** A write of IODA_ADDR selects; nothing is fetched before IODA_DATA0 is touched. */
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

  #current(): { table: IodaTable | undefined; index: number } {
    const selector = Number(getField(this.#address, TABLE_SELECT));
    const name = iodaTableBySelector(selector);
    const table = name === undefined ? undefined : this.#tables.get(name);
    if (!table) {
      this.#onReservedSelector(selector);
      return { table, index: 0 };
    }
    return { table, index: Number(getField(this.#address, INDEX)) & (table.entries - 1) };
  }

  /** Reads and writes alike move on, and the register shows the next index, so a walk of a whole table ends where it began. */
  #advance(table: IodaTable, index: number): void {
    if (getField(this.#address, AUTOINCREMENT) === 0n) return;
    this.#address = setField(this.#address, INDEX, BigInt((index + 1) & (table.entries - 1)));
  }
}
