/**
 * A function's configuration space: 4 KiB, little-endian, its registers declared as data.
 * Reserved bytes read 0 and ignore writes (PCI Express base specification 7.2). Bit masks count from the least
 * significant bit, as the PCI specifications do.
 */

export type ConfigSize = 1 | 2 | 3 | 4;

/** One declared register. What is neither `writable` nor `writeOneClears` is read-only. */
export interface ConfigRegister {
  readonly at: number;
  readonly size: ConfigSize;
  readonly about: string;
  readonly reset?: number;
  readonly writable?: number;
  readonly writeOneClears?: number;
  /** Keeps its value over a hot reset (sticky bits of the specification). */
  readonly sticky?: true;
  readonly fields?: Readonly<Record<string, number>>;
}
export type ConfigLayout<N extends string = string> = Readonly<Record<N, ConfigRegister>>;

/** What a register does besides holding bits. */
export interface ConfigHooks {
  /** The value a read returns, made from the stored one: live status bits. */
  onRead?(stored: number): number;
  /** Runs after the write took effect. `written` is what software wrote, with the old bytes where it wrote none. */
  onWrite?(value: number, old: number, written: number): void;
}

export type ResetKind = 'fundamental' | 'hot';

export const CONFIG_BYTES = 4096;

/** A declaration with everything said: all of one shape, for the code that reads them is hot. */
interface PlacedRegister {
  readonly name: string;
  readonly at: number;
  readonly size: ConfigSize;
  readonly reset: number;
  readonly writable: number;
  readonly writeOneClears: number;
  readonly sticky: boolean;
  readonly fields: ReadonlyMap<string, number>;
  hooks: ConfigHooks | undefined;
}

function placed(name: string, register: ConfigRegister): PlacedRegister {
  const { at, size, reset = 0, writable = 0, writeOneClears = 0, sticky = false, fields = {} } = register;
  const masks = new Map(Object.entries(fields));
  return { name, at, size, reset, writable, writeOneClears, sticky, fields: masks, hooks: undefined };
}

export class ConfigDeclarationError extends Error {
  constructor(space: string, problem: string) {
    super(`registers of ${space}: ${problem}`);
    this.name = 'ConfigDeclarationError';
  }
}

export class ConfigAccessError extends Error {
  constructor(space: string, offset: number, size: number) {
    super(
      `registers of ${space}: access of ${size} bytes at 0x${offset.toString(16)}; ` +
        'use 1, 2 or 4 bytes, naturally aligned, below 0x1000',
    );
    this.name = 'ConfigAccessError';
  }
}

export class ConfigSpace<N extends string = string> {
  readonly layout: ConfigLayout<N>;
  private readonly bytes = new Uint8Array(CONFIG_BYTES);
  private readonly writable = new Uint8Array(CONFIG_BYTES);
  private readonly writeOneClears = new Uint8Array(CONFIG_BYTES);
  /** Per byte the index + 1 of its register in `registers`, 0 where none is declared. */
  private readonly owner = new Uint16Array(CONFIG_BYTES);
  /** By address. */
  private readonly registers: readonly PlacedRegister[];
  private readonly declared: ReadonlyMap<string, PlacedRegister>;

  constructor(
    readonly name: string,
    layout: ConfigLayout<N>,
  ) {
    this.layout = layout;
    this.registers = Object.entries<ConfigRegister>(layout)
      .map(([name, register]) => placed(name, register))
      .sort((a, b) => a.at - b.at);
    this.declared = new Map(this.registers.map((register) => [register.name, register]));
    for (const [index, register] of this.registers.entries()) this.place(register, index + 1);
    this.reset('fundamental');
  }

  /** Attaches behaviour to a register; at most one owner per register. */
  hook(register: N, hooks: ConfigHooks): void {
    const declared = this.declaration(register);
    if (declared.hooks !== undefined) throw new ConfigDeclarationError(this.name, `${register} is hooked twice`);
    declared.hooks = hooks;
  }

  /** Software door: a read of 1, 2 or 4 bytes. */
  read(offset: number, size: number): number {
    this.check(offset, size);
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + this.byteForRead(offset + i);
    return value;
  }

  /** Software door: a write of 1, 2 or 4 bytes. */
  write(offset: number, size: number, value: number): void {
    this.check(offset, size);
    let at = offset;
    while (at < offset + size) {
      const owner = this.owner[at]!;
      let end = at + 1;
      while (end < offset + size && this.owner[end] === owner) end++;
      if (owner !== 0)
        this.writeRegister(this.registers[owner - 1]!, { from: at, to: end, value: value / 2 ** (8 * (at - offset)) });
      at = end;
    }
  }

  /** Looks without side effects: for tools. */
  peek(offset: number, size: number): number {
    this.check(offset, size);
    return this.bytesAt(offset, size);
  }

  /** Hardware door: the stored value of a register. */
  get(register: N): number {
    return this.stored(this.declaration(register));
  }

  /** What software would read now, live bits included. */
  live(register: N): number {
    return this.seen(this.declaration(register));
  }

  /** Hardware door: bypasses access kinds and hooks. */
  set(register: N, value: number): void {
    this.store(this.declaration(register), value);
  }

  or(register: N, bits: number): void {
    this.set(register, (this.get(register) | bits) >>> 0);
  }

  clear(register: N, bits: number): void {
    this.set(register, (this.get(register) & ~bits) >>> 0);
  }

  /** A field by name, shifted down. */
  field(register: N, field: string): number {
    const declared = this.declaration(register);
    const mask = this.maskIn(declared, field);
    return (this.seen(declared) & mask) >>> shiftOf(mask);
  }

  /** True if any bit of the field is set. */
  has(register: N, field: string): boolean {
    return this.field(register, field) !== 0;
  }

  setField(register: N, field: string, value: number): void {
    const mask = this.mask(register, field);
    this.set(register, ((this.get(register) & ~mask) | ((value << shiftOf(mask)) & mask)) >>> 0);
  }

  mask(register: N, field: string): number {
    return this.maskIn(this.declaration(register), field);
  }

  /** True if the layout declares this register (optional capabilities). */
  declares(register: string): boolean {
    return this.declared.has(register);
  }

  /** The register that holds a byte, for traces and tools. */
  registerAt(offset: number): string | undefined {
    return this.registers[(this.owner[offset] ?? 0) - 1]?.name;
  }

  reset(kind: ResetKind): void {
    for (const register of this.registers) {
      if (kind === 'hot' && register.sticky) continue;
      this.store(register, register.reset);
    }
  }

  private declaration(register: N): PlacedRegister {
    const declared = this.declared.get(register);
    if (declared === undefined) throw new ConfigDeclarationError(this.name, `no register ${register}`);
    return declared;
  }

  private maskIn(register: PlacedRegister, field: string): number {
    const mask = register.fields.get(field);
    if (mask === undefined) throw new ConfigDeclarationError(this.name, `${register.name} declares no field ${field}`);
    return mask;
  }

  private stored({ at, size }: PlacedRegister): number {
    return this.bytesAt(at, size);
  }

  /** What a read returns: the stored value with its live bits. */
  private seen(register: PlacedRegister): number {
    const stored = this.stored(register);
    return register.hooks?.onRead?.(stored) ?? stored;
  }

  private store({ at, size }: PlacedRegister, value: number): void {
    for (let i = 0; i < size; i++) this.bytes[at + i] = Math.floor(value / 2 ** (8 * i)) & 0xff;
  }

  private place({ name, at, size, reset, writable, writeOneClears }: PlacedRegister, owner: number): void {
    const limit = 2 ** (8 * size);
    if (at < 0 || at + size > CONFIG_BYTES) throw new ConfigDeclarationError(this.name, `${name} lies outside 4 KiB`);
    for (const value of [reset, writable, writeOneClears]) {
      if (value < 0 || value >= limit) throw new ConfigDeclarationError(this.name, `${name} holds only ${size} bytes`);
    }
    if ((writable & writeOneClears) !== 0) {
      throw new ConfigDeclarationError(this.name, `${name} declares a bit both writable and write-1-to-clear`);
    }
    for (let i = 0; i < size; i++) {
      const other = this.owner[at + i]!;
      if (other !== 0)
        throw new ConfigDeclarationError(this.name, `${name} overlaps ${this.registers[other - 1]!.name}`);
      this.owner[at + i] = owner;
      this.writable[at + i] = Math.floor(writable / 2 ** (8 * i)) & 0xff;
      this.writeOneClears[at + i] = Math.floor(writeOneClears / 2 ** (8 * i)) & 0xff;
    }
  }

  private check(offset: number, size: number): void {
    const sized = size === 1 || size === 2 || size === 4;
    if (!sized || offset % size !== 0 || offset < 0 || offset + size > CONFIG_BYTES) {
      throw new ConfigAccessError(this.name, offset, size);
    }
  }

  private bytesAt(offset: number, size: number): number {
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + this.bytes[offset + i]!;
    return value;
  }

  private byteForRead(offset: number): number {
    const owner = this.owner[offset]!;
    if (owner === 0) return 0;
    const register = this.registers[owner - 1]!;
    if (register.hooks?.onRead === undefined) return this.bytes[offset]!;
    return Math.floor(this.seen(register) / 2 ** (8 * (offset - register.at))) & 0xff;
  }

  private writeRegister(register: PlacedRegister, part: { from: number; to: number; value: number }): void {
    const { at, size } = register;
    const old = this.stored(register);
    let written = 0;
    for (let i = at + size - 1; i >= at; i--) {
      const inside = i >= part.from && i < part.to;
      const byte = inside ? Math.floor(part.value / 2 ** (8 * (i - part.from))) & 0xff : this.bytes[i]!;
      if (inside) this.writeByte(i, byte);
      // Bytes outside the write must not look like ones written to write-1-to-clear bits.
      written = written * 256 + (inside ? byte : byte & ~this.writeOneClears[i]!);
    }
    register.hooks?.onWrite?.(this.stored(register), old, written);
  }

  private writeByte(offset: number, byte: number): void {
    const writable = this.writable[offset]!;
    const kept = this.bytes[offset]! & ~writable & ~(byte & this.writeOneClears[offset]!);
    this.bytes[offset] = (kept | (byte & writable)) & 0xff;
  }
}

function shiftOf(mask: number): number {
  return 31 - Math.clz32(mask & -mask);
}

/** The same layout with some registers' declarations changed: how one device differs from the standard. */
export function amend<N extends string>(
  layout: ConfigLayout<N>,
  changes: Partial<Record<NoInfer<N>, Partial<ConfigRegister>>>,
): ConfigLayout<N> {
  const out = { ...layout } as Record<N, ConfigRegister>;
  for (const name of Object.keys(changes) as N[]) out[name] = { ...layout[name], ...changes[name] };
  return out;
}
