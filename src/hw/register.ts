/**
 * Register declarations as data. The register file, the decoder, the trace, the reference page and the tests all read
 * these declarations; nobody else writes an offset or a mask.
 */
import { ALL_ONES, type FieldSpec, fieldWidth, hex64 } from './bits.js';

/** How well a fact is known: a source says so, it follows from one, related hardware suggests it, or we chose it. */
export const KNOWN = ['stated', 'derived', 'inferred', 'assumed'] as const;
export type Known = (typeof KNOWN)[number];

/**
 * What software's access does.
 * - `read-write`: a write replaces the writable bits.
 * - `read-only`: a write changes nothing.
 * - `write-only`: a write is stored for the hardware; a read answers 0 unless a hook answers.
 * - `write-1-to-clear`: a write clears the writable bits it has ones in.
 * - `and-mask`, `or-mask`: a write is applied to the target register with AND or OR; a read answers 0.
 * - `write-clears`: any write clears the writable bits.
 * - `self-clearing`: as read-write, but the self-clearing bits read 0 again once the write took effect.
 */
export type AccessKind =
  | 'read-write'
  | 'read-only'
  | 'write-only'
  | 'write-1-to-clear'
  | 'and-mask'
  | 'or-mask'
  | 'write-clears'
  | 'self-clearing';

export interface FieldDeclaration {
  readonly at: FieldSpec;
  readonly about: string;
  /** Names of values. */
  readonly values?: Readonly<Record<string, number>>;
  /** A second reading of bits that other fields name: may overlap them and is left out when decoding. */
  readonly view?: true;
}

export interface RegisterDeclaration {
  readonly offset: number;
  readonly access: AccessKind;
  readonly about: string;
  readonly source: string;
  readonly known: Known;
  /** Value after reset; default 0. */
  readonly reset?: bigint;
  readonly resetKnown?: Known;
  /** Bits a write can change; default all ones. The others keep their value. */
  readonly writable?: bigint;
  /** Name of the register an and-mask or or-mask acts on. */
  readonly target?: string;
  /** Bits that read 0 again after the write took effect; default for `self-clearing`: every writable bit. */
  readonly selfClearing?: bigint;
  readonly fields?: Readonly<Record<string, FieldSpec | FieldDeclaration>>;
}

/** A field with every default filled in. */
export interface FieldInfo {
  readonly name: string;
  readonly at: FieldSpec;
  readonly about: string;
  readonly values: Readonly<Record<string, number>>;
  readonly view: boolean;
}

/** A register with every default filled in. `slot` is its place in a register file of the bank. */
export interface RegisterInfo<N extends string = string> {
  readonly name: N;
  readonly slot: number;
  readonly offset: number;
  readonly access: AccessKind;
  readonly about: string;
  readonly source: string;
  readonly known: Known;
  readonly reset: bigint;
  readonly resetKnown: Known;
  readonly writable: bigint;
  readonly target: N | undefined;
  readonly selfClearing: bigint;
  readonly fields: readonly FieldInfo[];
}

/** A set of registers behind one window: MMIO byte offsets (stride 8) or SCOM register numbers (stride 1). */
export interface NamedRegisterBank<N extends string = string> {
  readonly name: string;
  readonly stride: 8 | 1;
  readonly names: readonly N[];
  readonly registers: readonly RegisterInfo<N>[];
  byOffset(offset: number): RegisterInfo<N> | undefined;
  /** The declaration; throws DeclarationError when the bank has no such register. */
  get(name: N): RegisterInfo<N>;
  field(name: N, fieldName: string): FieldInfo;
}

export interface RegisterBank<D = Record<string, RegisterDeclaration>> extends NamedRegisterBank<keyof D & string> {
  readonly declarations: D;
}

/** The names of the registers of a bank: `RegisterName<typeof PHB3>`. */
export type RegisterName<B> = B extends NamedRegisterBank<infer N> ? N : never;

/** A declaration contradicts itself or its neighbours: a mistake in the chip's data, found when the module loads. */
export class DeclarationError extends Error {
  override readonly name = 'DeclarationError';
  constructor(where: string, what: string) {
    super(`${where}: ${what}`);
  }
}

function isFieldSpec(field: FieldSpec | FieldDeclaration): field is FieldSpec {
  return 'first' in field;
}

/** Fields with defaults filled in, checked against the width of the word and against each other. */
export function declareFields(
  where: string,
  fields: Readonly<Record<string, FieldSpec | FieldDeclaration>>,
  width: number,
): readonly FieldInfo[] {
  const infos = Object.entries(fields).map(([name, field]): FieldInfo => {
    if (isFieldSpec(field)) return { name, at: field, about: '', values: {}, view: false };
    return { name, at: field.at, about: field.about, values: field.values ?? {}, view: field.view ?? false };
  });
  for (const info of infos) checkField(`${where}.${info.name}`, info, width);
  const placed = infos.filter((info) => !info.view).sort((a, b) => a.at.first - b.at.first);
  placed.reduce<FieldInfo | undefined>((before, info) => {
    if (before !== undefined && info.at.first <= before.at.last) {
      throw new DeclarationError(where, `fields ${before.name} and ${info.name} overlap at bit ${info.at.first}`);
    }
    return info;
  }, undefined);
  return infos;
}

function checkField(where: string, { at, values }: FieldInfo, width: number): void {
  if (!Number.isInteger(at.first) || !Number.isInteger(at.last) || at.first < 0 || at.last < at.first) {
    throw new DeclarationError(where, `${at.first}:${at.last} is no field (IBM numbering: first <= last)`);
  }
  if (at.last >= width) throw new DeclarationError(where, `bit ${at.last} does not exist: the word has ${width} bits`);
  const limit = 2 ** fieldWidth(at);
  for (const [name, value] of Object.entries(values)) {
    if (!Number.isInteger(value) || value < 0 || value >= limit) {
      throw new DeclarationError(where, `value ${name} = ${value} does not fit in ${fieldWidth(at)} bits`);
    }
  }
}

function checkMask(where: string, what: string, value: bigint): bigint {
  if (value < 0n || value > ALL_ONES) throw new DeclarationError(where, `${what} ${value} is not a 64-bit value`);
  return value;
}

function registerInfo<N extends string>(bank: string, slot: number, name: N, d: RegisterDeclaration): RegisterInfo<N> {
  const where = `${bank}.${name}`;
  const writable = checkMask(where, 'writable', d.writable ?? ALL_ONES);
  const selfClearing = checkMask(
    where,
    'selfClearing',
    d.selfClearing ?? (d.access === 'self-clearing' ? writable : 0n),
  );
  if ((selfClearing & ~writable) !== 0n) {
    throw new DeclarationError(where, `self-clearing bits ${hex64(selfClearing & ~writable)} are not writable`);
  }
  if (selfClearing !== 0n && d.access !== 'self-clearing' && d.access !== 'read-write') {
    throw new DeclarationError(where, `selfClearing has no meaning for a ${d.access} register`);
  }
  return {
    name,
    slot,
    offset: d.offset,
    access: d.access,
    about: d.about,
    source: d.source,
    known: d.known,
    reset: checkMask(where, 'reset', d.reset ?? 0n),
    resetKnown: d.resetKnown ?? (d.reset === undefined ? 'assumed' : d.known),
    writable,
    target: d.target as N | undefined,
    selfClearing,
    fields: declareFields(where, d.fields ?? {}, 64),
  };
}

class Bank<N extends string, D> implements RegisterBank<D> {
  readonly names: readonly (keyof D & string)[];
  private readonly named = new Map<string, RegisterInfo<keyof D & string>>();
  private readonly fields = new Map<string, ReadonlyMap<string, FieldInfo>>();
  private readonly placed = new Map<number, RegisterInfo<keyof D & string>>();

  constructor(
    readonly name: string,
    readonly stride: 8 | 1,
    readonly declarations: D,
    readonly registers: readonly RegisterInfo<N & keyof D>[],
  ) {
    this.names = registers.map((register) => register.name);
    for (const register of registers) {
      this.checkOffset(register);
      this.named.set(register.name, register);
      this.fields.set(register.name, new Map(register.fields.map((field) => [field.name, field])));
      this.placed.set(register.offset, register);
    }
    for (const register of registers) this.checkTarget(register);
  }

  byOffset(offset: number): RegisterInfo<keyof D & string> | undefined {
    return this.placed.get(offset);
  }

  get(name: keyof D & string): RegisterInfo<keyof D & string> {
    const register = this.named.get(name);
    if (register === undefined) throw new DeclarationError(this.name, `no register is called ${name}`);
    return register;
  }

  field(name: keyof D & string, fieldName: string): FieldInfo {
    const field = this.fields.get(name)?.get(fieldName);
    if (field !== undefined) return field;
    const { fields } = this.get(name);
    const known = fields.map((candidate) => candidate.name).join(', ') || 'none';
    throw new DeclarationError(`${this.name}.${name}`, `no field is called ${fieldName}; declared: ${known}`);
  }

  private checkOffset({ name, offset }: RegisterInfo): void {
    const where = `${this.name}.${name}`;
    if (!Number.isSafeInteger(offset) || offset < 0 || offset % this.stride !== 0) {
      throw new DeclarationError(where, `offset ${offset} is not a multiple of ${this.stride}`);
    }
    const taken = this.placed.get(offset);
    if (taken !== undefined) {
      throw new DeclarationError(where, `offset 0x${offset.toString(16)} already belongs to ${taken.name}`);
    }
  }

  private checkTarget({ name, access, target }: RegisterInfo): void {
    const where = `${this.name}.${name}`;
    const isAlias = access === 'and-mask' || access === 'or-mask';
    if (!isAlias) {
      if (target !== undefined) throw new DeclarationError(where, `a ${access} register has no target`);
      return;
    }
    const aimed = target === undefined ? undefined : this.named.get(target);
    if (aimed === undefined) throw new DeclarationError(where, `target ${target ?? '(none)'} is not in the bank`);
    if (aimed.target !== undefined) throw new DeclarationError(where, `target ${aimed.name} is itself an alias`);
  }
}

/**
 * Declares the registers of one window. Stride 8: MMIO byte offsets; stride 1: SCOM register numbers.
 * Throws DeclarationError on overlapping registers or fields, a bad offset, or an unknown target.
 */
export function declareRegisters<const D extends Record<string, RegisterDeclaration>>(
  bank: string,
  stride: 8 | 1,
  declarations: D,
): RegisterBank<D> {
  // In the order of the window, however the declaration groups them.
  const placed = Object.entries(declarations).sort(([, a], [, b]) => a.offset - b.offset);
  const registers = placed.map(([name, declaration], slot) =>
    registerInfo(bank, slot, name as keyof D & string, declaration),
  );
  return new Bank(bank, stride, declarations, registers);
}
