/** Where drawn sequences take their numbers from: a small generator that gives the same everywhere. */
import { ONES, type Step } from './steps.js';

/** Mulberry32: 32 bits of state, the same numbers everywhere. */
export class Dice {
  constructor(private state: number) {}

  next(): number {
    this.state = (this.state + 0x6d2b_79f5) >>> 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }
  below(limit: number): number {
    return this.next() % limit;
  }
  of<T>(things: readonly T[]): T {
    return things[this.below(things.length)]!;
  }
  /** Ones, zeros, single bits, bytes and noise: what registers are sensitive to. */
  word(): bigint {
    const noise = (BigInt(this.next()) << 32n) | BigInt(this.next());
    return this.of([
      ONES,
      0n,
      1n << BigInt(this.below(64)),
      noise,
      noise & 0xffn,
      ONES ^ (1n << BigInt(this.below(64))),
    ]);
  }
}

/** Steps that mean something together, drawn. */
export type Move = (dice: Dice) => Step[];
