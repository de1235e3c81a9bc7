/**
 * TVE, the translation validation entry: where the TCE table of a DMA window stands and how far it reaches, or the
 * bounds of an untranslated window. Facts: ioda2-phb3 4.4, 6.3.3, 6.3.4, 11 #5. Decoded when written, not when used.
 */
import { bit, bits, type FieldSpec, fromHalves, getField, setField } from '../hw/bits.js';

/** Fields of both shapes of a TVE; which shape it is, PAGE_SIZE 0 or not decides. */
export const TVE = {
  TABLE: bits(0, 47),
  LEVELS: bits(48, 50),
  TABLE_SIZE: bits(51, 55),
  PAGE_SIZE: bits(59, 63),
  /** Untranslated shape: the window's start and end in units of 16 MiB, each cut in two. */
  START: bits(0, 23),
  END: bits(24, 47),
  NON_TRANSLATE: bit(51),
  START_HIGH: bits(52, 53),
  END_HIGH: bits(54, 55),
} as const satisfies Record<string, FieldSpec>;

export const TveKind = { INVALID: 0, TRANSLATED: 1, UNTRANSLATED: 2 } as const;
export type TveKind = (typeof TveKind)[keyof typeof TveKind];

/** Shifts of the page sizes that exist: 4 KiB, 64 KiB, 16 MiB, 256 MiB. */
export const PAGE_SHIFTS = [12, 16, 24, 28] as const;
export type PageShift = (typeof PAGE_SHIFTS)[number];
export const MAX_LEVELS = 5;

/** The offset inside a window ends below address bit 59 (LSB-0), which selects the TVE. */
export const WINDOW_BITS = 59;
const TABLE_GRANULE = 0x1000;
const BOUND_GRANULE_SHIFT = 24;
const PAGE_SHIFT_BASE = 11;
/** TABLE_SIZE is log2(table bytes) - 11: 2^(TABLE_SIZE + 8) entries of 8 bytes. */
const TABLE_BYTES_BASE = 11;
const INDEX_BITS_BASE = 8;
const MAX_TABLE_SIZE = 31;
/** 4 GiB in units of the bounds: below it lies what a 32-bit request can reach. */
const FOUR_GIB = 1 << (32 - BOUND_GRANULE_SHIFT);

export type InvalidTve = 'all zero' | 'table size 0' | 'more than 5 levels' | 'unknown page size' | 'bit 51 clear';

export interface InvalidEntry {
  readonly kind: typeof TveKind.INVALID;
  readonly reason: InvalidTve;
}
export interface TranslatedEntry {
  readonly kind: typeof TveKind.TRANSLATED;
  readonly tableAddress: number;
  readonly levels: number;
  /** Address bits one level consumes: a table has 2^indexBits entries. */
  readonly indexBits: number;
  readonly pageShift: PageShift;
}
export interface UntranslatedEntry {
  readonly kind: typeof TveKind.UNTRANSLATED;
  /** Bounds of the window; the end is exclusive (M). */
  readonly start: number;
  readonly end: number;
}
export type DecodedTve = InvalidEntry | TranslatedEntry | UntranslatedEntry;

/** In CAPI mode a page size of 0 means untranslated even with bit 51 clear. */
export type CapiMode = 'off' | 'on';

const number = (value: bigint, field: FieldSpec): number => Number(getField(value, field));
const invalid = (reason: InvalidTve): InvalidEntry => ({ kind: TveKind.INVALID, reason });

export function decodeTve(value: bigint, capiMode: CapiMode = 'off'): DecodedTve {
  if (value === 0n) return invalid('all zero');
  return number(value, TVE.PAGE_SIZE) === 0 ? decodeUntranslated(value, capiMode) : decodeTranslated(value);
}

function decodeUntranslated(value: bigint, capiMode: CapiMode): DecodedTve {
  if (number(value, TVE.NON_TRANSLATE) === 0 && capiMode === 'off') return invalid('bit 51 clear');
  const granule = 2 ** BOUND_GRANULE_SHIFT;
  return {
    kind: TveKind.UNTRANSLATED,
    start: (number(value, TVE.START_HIGH) * 2 ** 24 + number(value, TVE.START)) * granule,
    end: (number(value, TVE.END_HIGH) * 2 ** 24 + number(value, TVE.END)) * granule,
  };
}

function decodeTranslated(value: bigint): DecodedTve {
  const tableSize = number(value, TVE.TABLE_SIZE);
  if (tableSize === 0) return invalid('table size 0');
  const levels = number(value, TVE.LEVELS) + 1;
  if (levels > MAX_LEVELS) return invalid('more than 5 levels');
  const shift = number(value, TVE.PAGE_SIZE) + PAGE_SHIFT_BASE;
  const pageShift = PAGE_SHIFTS.find((known) => known === shift);
  // (M) Firmware programs four sizes and no source says what another code does: refused like a broken entry.
  if (pageShift === undefined) return invalid('unknown page size');
  const tableAddress = number(value, TVE.TABLE) * TABLE_GRANULE;
  return { kind: TveKind.TRANSLATED, tableAddress, levels, indexBits: tableSize + INDEX_BITS_BASE, pageShift };
}

/** A TVE that the format cannot express. */
export class TveEncodeError extends RangeError {
  override readonly name = 'TveEncodeError';
}

export interface TranslatedWindow {
  readonly tableAddress: number;
  /** Size of each table of the tree: a power of two from 4 KiB. */
  readonly tableBytes: number;
  readonly levels?: number;
  readonly pageShift: PageShift;
}

export function encodeTranslatedTve(window: TranslatedWindow): bigint {
  const { tableAddress, tableBytes, levels = 1, pageShift } = window;
  const tableSize = Math.log2(tableBytes) - TABLE_BYTES_BASE;
  if (!Number.isInteger(tableSize) || tableSize < 1 || tableSize > MAX_TABLE_SIZE) {
    throw new TveEncodeError(`TCE table of ${tableBytes} bytes: give a power of two from 4096`);
  }
  if (!Number.isInteger(levels) || levels < 1 || levels > MAX_LEVELS) {
    throw new TveEncodeError(`TCE tree of ${levels} levels: give 1 to ${MAX_LEVELS}`);
  }
  if (!(tableAddress >= 0) || tableAddress % TABLE_GRANULE !== 0 || tableAddress >= 2 ** 60) {
    throw new TveEncodeError(`TCE table at ${tableAddress}: give a real address that is a multiple of 4096`);
  }
  if (!PAGE_SHIFTS.includes(pageShift)) {
    throw new TveEncodeError(`TCE page shift ${pageShift}: give one of ${PAGE_SHIFTS.join(', ')}`);
  }
  let value = setField(0n, TVE.TABLE, BigInt(tableAddress / TABLE_GRANULE));
  value = setField(value, TVE.LEVELS, BigInt(levels - 1));
  value = setField(value, TVE.TABLE_SIZE, BigInt(tableSize));
  return setField(value, TVE.PAGE_SIZE, BigInt(pageShift - PAGE_SHIFT_BASE));
}

/** The untranslated window from `start` up to, not including, `end`: multiples of 16 MiB below 2^50. */
export function encodeUntranslatedTve(start: number, end: number): bigint {
  const granule = 2 ** BOUND_GRANULE_SHIFT;
  if (!(start >= 0 && start <= end && end < 2 ** 50) || start % granule !== 0 || end % granule !== 0) {
    throw new TveEncodeError(`untranslated window ${start}..${end}: give multiples of 16 MiB below 2^50, start first`);
  }
  const first = BigInt(start / granule);
  const last = BigInt(end / granule);
  let value = setField(0n, TVE.NON_TRANSLATE, 1n);
  value = setField(value, TVE.START, first);
  value = setField(value, TVE.START_HIGH, first >> 24n);
  value = setField(value, TVE.END, last);
  return setField(value, TVE.END_HIGH, last >> 24n);
}

/** Untranslated windows below 4 GiB: Murano and Venice refuse them, Naples can allow them (PHB_CONTROL bit 11). */
export type LowBypass = 'refused' | 'allowed';

/** The TVT: stored words and, in typed arrays, what the DMA path needs of each entry. */
export class TveTable {
  readonly entries: number;
  readonly hi: Uint32Array;
  readonly lo: Uint32Array;
  readonly kind: Uint8Array;
  readonly levels: Uint8Array;
  readonly indexBits: Uint8Array;
  readonly pageShift: Uint8Array;
  /** Address bits the first level's index is shifted by. */
  readonly topShift: Uint8Array;
  /** Halves of the address of the first table. */
  readonly tableHi: Uint32Array;
  readonly tableLo: Uint32Array;
  /** Address bits that must be 0, because the tables do not reach them. */
  readonly beyondReachHi: Uint32Array;
  readonly beyondReachLo: Uint32Array;
  /** Untranslated bounds in units of 16 MiB: first address inside, first address past the end. */
  readonly firstGranule: Uint32Array;
  readonly endGranule: Uint32Array;

  private capiMode: CapiMode = 'off';
  private lowBypass: LowBypass = 'refused';

  constructor(entries: number) {
    this.entries = entries;
    this.hi = new Uint32Array(entries);
    this.lo = new Uint32Array(entries);
    this.kind = new Uint8Array(entries);
    this.levels = new Uint8Array(entries);
    this.indexBits = new Uint8Array(entries);
    this.pageShift = new Uint8Array(entries);
    this.topShift = new Uint8Array(entries);
    this.tableHi = new Uint32Array(entries);
    this.tableLo = new Uint32Array(entries);
    this.beyondReachHi = new Uint32Array(entries);
    this.beyondReachLo = new Uint32Array(entries);
    this.firstGranule = new Uint32Array(entries);
    this.endGranule = new Uint32Array(entries);
  }

  set(index: number, hi: number, lo: number): void {
    this.hi[index] = hi;
    this.lo[index] = lo;
    const tve = this.decoded(index);
    this.kind[index] = tve.kind;
    if (tve.kind === TveKind.TRANSLATED) this.storeTranslated(index, tve);
    if (tve.kind === TveKind.UNTRANSLATED) this.storeUntranslated(index, tve);
  }

  decoded(index: number): DecodedTve {
    return decodeTve(fromHalves(this.hi[index]!, this.lo[index]!), this.capiMode);
  }

  setCapiMode(mode: CapiMode): void {
    this.capiMode = mode;
    this.decodeAll();
  }

  setLowBypass(lowBypass: LowBypass): void {
    this.lowBypass = lowBypass;
    this.decodeAll();
  }

  private decodeAll(): void {
    for (let index = 0; index < this.entries; index++) this.set(index, this.hi[index]!, this.lo[index]!);
  }

  private storeTranslated(index: number, tve: TranslatedEntry): void {
    this.levels[index] = tve.levels;
    this.indexBits[index] = tve.indexBits;
    this.pageShift[index] = tve.pageShift;
    this.topShift[index] = (tve.levels - 1) * tve.indexBits + tve.pageShift;
    this.tableHi[index] = Math.floor(tve.tableAddress / 2 ** 32);
    this.tableLo[index] = tve.tableAddress >>> 0;
    const reach = Math.min(tve.levels * tve.indexBits + tve.pageShift, WINDOW_BITS);
    this.beyondReachHi[index] = reach > 32 ? 2 ** (WINDOW_BITS - 32) - 2 ** (reach - 32) : 2 ** (WINDOW_BITS - 32) - 1;
    this.beyondReachLo[index] = reach >= 32 ? 0 : 2 ** 32 - 2 ** reach;
  }

  private storeUntranslated(index: number, tve: UntranslatedEntry): void {
    const first = tve.start / 2 ** BOUND_GRANULE_SHIFT;
    // The even entry serves the window at address 0. CAPI entries are spared: they carry no bit 51 and CAPI has
    // its own address map (M).
    const restricted = this.lowBypass === 'refused' && this.capiMode === 'off' && index % 2 === 0;
    this.firstGranule[index] = restricted ? Math.max(first, FOUR_GIB) : first;
    this.endGranule[index] = tve.end / 2 ** BOUND_GRANULE_SHIFT;
  }
}
