/** Tables of the chip, on it (behind a selector) or in system memory (behind a BAR), declared as data, and their storage. */
import { ALL_ONES, type FieldSpec, fromHalves, getField, hiOf, loOf, setField } from './bits.js';
import { type DecodedField, decodeFields, formatFields } from './decode.js';
import type { SystemMemory } from './memory.js';
import { DeclarationError, declareFields, type FieldDeclaration, type FieldInfo, type Known } from './register.js';

interface TableFacts {
  readonly name: string;
  /** On-chip tables: the number that selects the table. */
  readonly selector?: number;
  readonly entries: number;
  /** Bits of one entry; a whole number of bytes. Bit 0 is the most significant bit of the whole entry. */
  readonly entryBits: number;
  readonly about: string;
  readonly source: string;
  readonly known: Known;
  /** Bits that exist, in entries of up to 64 bits; writes to others are ignored and they read 0. Default all. */
  readonly writable?: bigint;
  readonly reset?: bigint;
}

export interface TableSpec extends TableFacts {
  readonly fields: Readonly<Record<string, FieldSpec | FieldDeclaration>>;
}

export interface TableDeclaration extends TableFacts {
  readonly writable: bigint;
  readonly reset: bigint;
  readonly fields: readonly FieldInfo[];
  field(name: string): FieldInfo;
  decode(entry: bigint): DecodedField[];
  /** One line: `TABLE_ADDRESS=0x12340 LEVELS=1`. */
  format(entry: bigint): string;
}

export class TableIndexError extends RangeError {
  override readonly name = 'TableIndexError';
  constructor(table: string, index: number, entries: number) {
    super(`${table} has entries 0..${entries - 1}: ${index} is none of them`);
  }
}

export function declareTable(spec: TableSpec): TableDeclaration {
  const { name, entries, entryBits } = spec;
  if (!Number.isInteger(entries) || entries < 1) throw new DeclarationError(name, `${entries} entries`);
  if (!Number.isInteger(entryBits) || entryBits < 8 || entryBits % 8 !== 0) {
    throw new DeclarationError(name, `an entry of ${entryBits} bits is not a whole number of bytes`);
  }
  const every = (1n << BigInt(entryBits)) - 1n;
  const writable = spec.writable ?? every;
  const reset = spec.reset ?? 0n;
  if (writable < 0n || writable > every) throw new DeclarationError(name, `writable exceeds ${entryBits} bits`);
  if (reset < 0n || (reset & ~writable) !== 0n) throw new DeclarationError(name, 'reset sets bits that do not exist');
  const fields = declareFields(name, spec.fields, entryBits);
  return {
    ...spec,
    writable,
    reset,
    fields,
    field(fieldName) {
      const field = fields.find((candidate) => candidate.name === fieldName);
      if (field === undefined) throw new DeclarationError(name, `no field is called ${fieldName}`);
      return field;
    },
    decode: (entry) => decodeFields(fields, entry, entryBits),
    format: (entry) => formatFields(fields, entry, entryBits),
  };
}

export interface TableHooks {
  /** Runs after entry `index` was given a value through any door: the place to decode it once. */
  onWrite?(index: number, hi: number, lo: number): void;
}

/** An on-chip table of entries of up to 64 bits, in halves. Index wrap and auto-increment are the chip's rule. */
export class TableStore {
  readonly hi: Uint32Array;
  readonly lo: Uint32Array;
  private readonly maskHi: number;
  private readonly maskLo: number;

  constructor(
    readonly declaration: TableDeclaration,
    private readonly hooks: TableHooks = {},
  ) {
    const { name, entries, entryBits, writable } = declaration;
    if (entryBits > 64)
      throw new DeclarationError(name, `entries of ${entryBits} bits do not fit a 64-bit table store`);
    this.hi = new Uint32Array(entries);
    this.lo = new Uint32Array(entries);
    this.maskHi = hiOf(writable & ALL_ONES);
    this.maskLo = loOf(writable & ALL_ONES);
    this.hi.fill(hiOf(declaration.reset));
    this.lo.fill(loOf(declaration.reset));
  }

  get entries(): number {
    return this.hi.length;
  }

  read(index: number): bigint {
    this.check(index);
    return fromHalves(this.hi[index]!, this.lo[index]!);
  }

  /** Stores the bits that exist in this table. */
  write(index: number, value: bigint): void {
    this.writeHalves(index, hiOf(value), loOf(value));
  }

  writeHalves(index: number, hi: number, lo: number): void {
    this.check(index);
    this.hi[index] = hi & this.maskHi;
    this.lo[index] = lo & this.maskLo;
    this.hooks.onWrite?.(index, this.hi[index], this.lo[index]);
  }

  field(index: number, fieldName: string): bigint {
    const { at } = this.declaration.field(fieldName);
    return getField(this.read(index), at, this.declaration.entryBits);
  }

  setField(index: number, fieldName: string, value: bigint): void {
    const { at } = this.declaration.field(fieldName);
    this.write(index, setField(this.read(index), at, value, this.declaration.entryBits));
  }

  resetAll(): void {
    for (let index = 0; index < this.entries; index++) this.write(index, this.declaration.reset);
  }

  private check(index: number): void {
    // Also catches fractions and NaN, which a typed array would swallow.
    if (this.hi[index] === undefined) throw new TableIndexError(this.declaration.name, index, this.entries);
  }
}

/** A table in system memory: entries of any width behind a base address that the chip takes from its BAR. */
export class MemoryTable {
  readonly entryBytes: number;

  constructor(
    readonly declaration: TableDeclaration,
    private readonly memory: SystemMemory,
  ) {
    this.entryBytes = declaration.entryBits / 8;
  }

  get sizeBytes(): number {
    return this.entryBytes * this.declaration.entries;
  }

  entryAddress(base: number, index: number): number {
    const { name, entries } = this.declaration;
    if (!Number.isInteger(index) || index < 0 || index >= entries) throw new TableIndexError(name, index, entries);
    return base + index * this.entryBytes;
  }

  read(base: number, index: number): bigint {
    const bytes = this.memory.readBlock(this.entryAddress(base, index), this.entryBytes);
    return bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
  }

  write(base: number, index: number, value: bigint): void {
    const bytes = new Uint8Array(this.entryBytes);
    let rest = BigInt.asUintN(this.declaration.entryBits, value);
    for (let at = bytes.length - 1; at >= 0; at--) {
      bytes[at] = Number(rest & 0xffn);
      rest >>= 8n;
    }
    this.memory.writeBlock(this.entryAddress(base, index), bytes);
  }

  field(base: number, index: number, fieldName: string): bigint {
    const { at } = this.declaration.field(fieldName);
    return getField(this.read(base, index), at, this.declaration.entryBits);
  }
}
