/** A table on the chip whose entries have two words, behind IODA_DATA0 and IODA_DATA1. Facts: ioda1-p7ioc 4.1. */
import { fromHalves, hiOf, loOf } from '../hw/bits.js';
import { DeclarationError } from '../hw/register.js';
import { type TableDeclaration, TableIndexError } from '../hw/table.js';
import type { IodaTable } from '../ioda/ioda-access.js';

const PAIR_BITS = 128;
const HALVES = 4;

export class PairStore implements IodaTable {
  readonly entries: number;
  /** Four halves an entry, the most significant first. */
  readonly halves: Uint32Array;
  readonly second: Pick<IodaTable, 'read' | 'write'>;
  readonly #declaration: TableDeclaration;
  readonly #onWrite: (index: number) => void;

  /** `onWrite` runs after either word of an entry was given a value: there is no staging (M). */
  constructor(declaration: TableDeclaration, onWrite: (index: number) => void = () => {}) {
    const { name, entries, entryBits } = declaration;
    if (entryBits !== PAIR_BITS) throw new DeclarationError(name, `entries of ${entryBits} bits are not two words`);
    this.#declaration = declaration;
    this.#onWrite = onWrite;
    this.entries = entries;
    this.halves = new Uint32Array(HALVES * entries);
    this.second = {
      read: (index) => this.#word(index, 1),
      write: (index, value) => this.#setWord(index, 1, value),
    };
  }

  read(index: number): bigint {
    return this.#word(index, 0);
  }

  write(index: number, value: bigint): void {
    this.#setWord(index, 0, value);
  }

  /** Both words as one number of 128 bits. */
  entry(index: number): bigint {
    return (this.#word(index, 0) << 64n) | this.#word(index, 1);
  }

  resetAll(): void {
    for (let index = 0; index < this.entries; index++) {
      this.write(index, 0n);
      this.second.write(index, 0n);
    }
  }

  #at(index: number, word: 0 | 1): number {
    const at = HALVES * index + 2 * word;
    if (this.halves[at] === undefined) throw new TableIndexError(this.#declaration.name, index, this.entries);
    return at;
  }

  #word(index: number, word: 0 | 1): bigint {
    const at = this.#at(index, word);
    return fromHalves(this.halves[at]!, this.halves[at + 1]!);
  }

  #setWord(index: number, word: 0 | 1, value: bigint): void {
    const at = this.#at(index, word);
    this.halves[at] = hiOf(value);
    this.halves[at + 1] = loOf(value);
    this.#onWrite(index);
  }
}
