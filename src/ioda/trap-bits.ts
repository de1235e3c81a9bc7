/** The bits of the four error traps as data: the part of their declarations that does not depend on the chip. */
import { msbMasks } from '../hw/bits.js';
import type { Known } from '../hw/register.js';
import type { TrapName } from './bit-lists.js';

export interface NamedTrapBit {
  readonly trap: TrapName;
  readonly bit: number;
  /** Name of the error, or the trap with the bit in brackets when it has no public meaning. */
  readonly name: string;
  readonly about: string;
  /** Confidence in the meaning; the class is derived from programmed values. */
  readonly known: Known;
}

export type Meaning = readonly [name: string, about: string, known: Known];

/** A bit with the meaning that is known of it. */
export function namedTrapBit(trap: TrapName, bit: number, meanings: Readonly<Record<number, Meaning>>): NamedTrapBit {
  const [name, about, known] = meanings[bit] ?? [`${trap}[${bit}]`, 'meaning unknown', 'assumed'];
  return { trap, bit, name, about, known };
}

/** Every bit of every trap, indexed by bit number. */
export function allTrapBits<B>(declare: (trap: TrapName, bit: number) => B): Readonly<Record<TrapName, readonly B[]>> {
  const bitsOf = (trap: TrapName): B[] => Array.from({ length: 64 }, (_, bit) => declare(trap, bit));
  return { PHB: bitsOf('PHB'), OUT: bitsOf('OUT'), INA: bitsOf('INA'), INB: bitsOf('INB') };
}

/** All bits of one class, as a register value. */
export function classMask<C>(bits: readonly { readonly bit: number; readonly class: C }[], wanted: C): bigint {
  return msbMasks(...bits.filter((entry) => entry.class === wanted).map((entry) => entry.bit));
}
