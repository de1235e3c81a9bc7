/** Error registers as data: each bit's meaning, its class, the LEM bit it feeds and the signal it gives to the rules. */
import { hiOf, loOf } from '../hw/bits.js';
import type { Known } from '../hw/register.js';
import type { Signal } from './signals.js';

/** Facts: phb4-diag 0.1. `none` = status only. */
export type ErrorClass = 'INF' | 'INF1' | 'ER(S)' | 'ER(V)' | 'ER(A)' | 'ER' | 'Fatal' | 'none';

export interface ErrorBit {
  readonly bit: number;
  readonly about: string;
  readonly class: ErrorClass;
  readonly signal: Signal;
  readonly lem?: number;
  readonly known?: Known;
}

/** Rows that share a text name several bits. `lem` counts for all of them. */
export interface ErrorBitRow {
  readonly bits: readonly number[];
  readonly about: string;
  readonly class?: ErrorClass;
  readonly signal?: Signal;
  readonly lem?: number;
  readonly known?: Known;
}

export interface BitTable {
  /** Short name used in "NAME[bit]". */
  readonly register: string;
  readonly about: string;
  readonly source: string;
  readonly known: Known;
  readonly byBit: ReadonlyMap<number, ErrorBit>;
}

export interface BitTableDeclaration {
  readonly register: string;
  readonly about: string;
  readonly source: string;
  readonly known: Known;
  readonly rows: readonly ErrorBitRow[];
}

export interface NamedBit {
  readonly register: string;
  readonly bit: number;
  /** "RXE_TCE[2]" */
  readonly name: string;
  readonly about: string | undefined;
  readonly class: ErrorClass | undefined;
  readonly signal: Signal | undefined;
  readonly lem: number | undefined;
}

/** What a bit does to the rules when its row names no signal: a fatal one is hardware, any other only informs. */
function defaultSignal(row: ErrorBitRow): Signal {
  return row.class === 'Fatal' ? 'internal' : 'informational';
}

export function declareBits(declaration: BitTableDeclaration): BitTable {
  const byBit = new Map<number, ErrorBit>();
  for (const row of declaration.rows) {
    for (const bit of row.bits) {
      if (byBit.has(bit)) throw new Error(`${declaration.register}[${bit}] is declared twice`);
      byBit.set(bit, {
        bit,
        about: row.about,
        class: row.class ?? 'none',
        signal: row.signal ?? defaultSignal(row),
        ...(row.lem === undefined ? {} : { lem: row.lem }),
        ...(row.known === undefined ? {} : { known: row.known }),
      });
    }
  }
  const { register, about, source, known } = declaration;
  return { register, about, source, known, byBit };
}

/** A bit as its chip declares it. */
export interface DeclaredBit {
  readonly bit: number;
  readonly about: string;
  readonly known: Known;
  readonly lem?: number | undefined;
}

const UNKNOWN = 'meaning unknown';

/** The row of a bit that its chip declares; one of which nothing is known says nothing. */
export function rowOf(declared: DeclaredBit, errorClass: ErrorClass, signal: Signal | undefined): ErrorBitRow {
  const { bit, about, known, lem } = declared;
  return {
    bits: [bit],
    about: about.endsWith(UNKNOWN) ? '' : about,
    class: errorClass,
    known,
    ...(signal === undefined ? {} : { signal }),
    ...(lem === undefined ? {} : { lem }),
  };
}

/** Set bits of a word, in IBM numbers (bit 0 first). */
export function setBits(value: bigint, width = 64): number[] {
  const bits: number[] = [];
  const first = 64 - width;
  for (const [half, word] of [hiOf(value), loOf(value)].entries()) {
    for (let left = word; left !== 0; ) {
      const bit = Math.clz32(left);
      if (half * 32 + bit >= first) bits.push(half * 32 + bit - first);
      left &= ~(0x8000_0000 >>> bit);
    }
  }
  return bits;
}

/** Names every set bit; a bit nobody documented is named by its number only. */
export function nameBits(table: BitTable, value: bigint): NamedBit[] {
  return setBits(value).map((bit) => {
    const known = table.byBit.get(bit);
    return {
      register: table.register,
      bit,
      name: `${table.register}[${bit}]`,
      about: known?.about,
      class: known?.class,
      signal: known?.signal,
      lem: known?.lem,
    };
  });
}

/** Bits first to last as a list, for rows of reserved or like bits. */
export function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}
