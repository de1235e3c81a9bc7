/** Named random streams: each is Johannes Baagøe's Alea (`seedrandom`), seeded by root seed and path; there is no global stream. */
import seedrandom from 'seedrandom';
import { SimulationError } from './errors.js';

const TWO_32 = 0x1_0000_0000;

export class RandomStream {
  private readonly draw: seedrandom.PRNG;

  constructor(
    rootSeed: string,
    readonly name: string,
  ) {
    // A JSON pair keeps seed "a", path "b/c" apart from seed "a/b", path "c".
    this.draw = seedrandom.alea(JSON.stringify([rootSeed, name]));
  }

  uint32(): number {
    return this.draw.int32() >>> 0;
  }

  /** A whole number from 0 to n - 1, each equally likely: draws that would favour small numbers are thrown away. */
  below(n: number): number {
    if (!Number.isInteger(n) || n < 1 || n > TWO_32) {
      throw new SimulationError(`random stream "${this.name}": below(${n}) needs a whole number from 1 to 2^32`);
    }
    const fair = TWO_32 - (TWO_32 % n);
    let x = this.uint32();
    while (x >= fair) x = this.uint32();
    return x % n;
  }

  /** True in `numerator` of `denominator` cases. Integers, so that no rounding of a probability can differ between hosts. */
  chance(numerator: number, denominator: number): boolean {
    if (!Number.isInteger(numerator) || numerator < 0 || numerator > denominator) {
      throw new SimulationError(
        `random stream "${this.name}": chance(${numerator}, ${denominator}) is not a ratio from 0 to 1`,
      );
    }
    return this.below(denominator) < numerator;
  }

  pick<T>(items: readonly T[]): T {
    if (items.length === 0) {
      throw new SimulationError(`random stream "${this.name}": pick from an empty list`);
    }
    return items[this.below(items.length)] as T;
  }
}
