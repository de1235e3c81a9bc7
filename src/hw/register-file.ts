/**
 * The registers of a bank as storage with behaviour: software's doors obey the declared access kinds and run hooks,
 * hardware's doors bypass both. Two 32-bit halves inside, `bigint` at the border.
 */

import type { Trace } from '../sim/trace.js';
import { defineTraceKind } from '../sim/trace.js';
import { fromHalves, getField, hiOf, loOf, setField } from './bits.js';
import { type DecodedField, decodeFields, formatFields } from './decode.js';
import type { AccessKind, NamedRegisterBank, RegisterInfo } from './register.js';

/** Behaviour beside a declaration: what the block that owns the register adds to an access by software. */
export interface RegisterHooks {
  /** Answers a read; gets the stored value and may change the file (test-and-set, auto-increment). */
  onRead?(stored: bigint): bigint;
  /** Runs after the access kind was applied. `value` is as software wrote it; `old` was stored before (an alias: in its target). */
  onWrite?(value: bigint, old: bigint): void;
}

export interface RegisterFileOptions {
  /** Emits register-read and register-write records for software's accesses. */
  readonly trace?: { readonly trace: Trace; readonly source: number };
}

export const REGISTER_READ = defineTraceKind('register-read', 'offset:hex', 'valueHi', 'valueLo');
export const REGISTER_WRITE = defineTraceKind('register-write', 'offset:hex', 'valueHi', 'valueLo');

/** Software touched an offset the bank does not declare; the chip should have asked `has` and applied its own rule. */
export class UnknownRegisterError extends Error {
  override readonly name = 'UnknownRegisterError';
  constructor(
    readonly bank: string,
    readonly offset: number,
  ) {
    super(`${bank} declares no register at 0x${offset.toString(16)}: ask has(offset) first and apply the chip's rule`);
  }
}

const NO_SLOT = -1;
const TABLE_LIMIT = 1 << 16;

/** Words of a register in `cells`: value in halves, then the mask of writable bits in halves. */
const CELL_WORDS = 4;
const MASK = 2;
/** In a path table: no register here, or one whose access has behaviour beyond storing. */
const NOT_PLAIN = -1;

const READS_STORED: Readonly<Record<AccessKind, boolean>> = {
  'read-write': true,
  'read-only': true,
  'write-only': false,
  'write-1-to-clear': true,
  'and-mask': false,
  'or-mask': false,
  'write-clears': true,
  'self-clearing': true,
};

export class RegisterFile<N extends string = string> {
  /** Halves of the last value read by `read32`. */
  hi = 0;
  lo = 0;

  /** Four words for each slot, so that one access touches one place. */
  private readonly cells: Uint32Array;
  private readonly selfClearing: Uint32Array;
  private readonly targets: Int32Array;
  private readonly hooks: (RegisterHooks | undefined)[];

  /**
   * For each step of the stride from `base` on, where in `cells` an access may simply load or store: the paths without
   * hooks, aliases and trace. Banks that are spread too wide for a table have empty ones.
   */
  private readonly base: number;
  private readonly shift: number;
  private readonly plainReads: Int32Array;
  private readonly plainWrites: Int32Array;
  private readonly slots = new Map<string, number>();

  constructor(
    readonly bank: NamedRegisterBank<N>,
    hooks: Partial<Record<N, RegisterHooks>> = {},
    private readonly options: RegisterFileOptions = {},
  ) {
    const { registers } = bank;
    const count = registers.length;
    this.cells = new Uint32Array(CELL_WORDS * count);
    this.selfClearing = new Uint32Array(2 * count);
    this.targets = new Int32Array(count).fill(NO_SLOT);
    this.hooks = new Array<RegisterHooks | undefined>(count).fill(undefined);

    const offsets = registers.map((register) => register.offset);
    this.base = count === 0 ? 0 : Math.min(...offsets);
    this.shift = bank.stride === 8 ? 3 : 0;
    const span = count === 0 ? 0 : (Math.max(...offsets) - this.base) / bank.stride + 1;
    this.plainReads = new Int32Array(span > TABLE_LIMIT ? 0 : span).fill(NOT_PLAIN);
    this.plainWrites = new Int32Array(this.plainReads.length).fill(NOT_PLAIN);

    for (const register of registers) this.place(register);
    for (const name of bank.names) {
      const hook = hooks[name];
      if (hook !== undefined) this.attach(name, hook);
    }
    this.resetAll();
  }

  private place(register: RegisterInfo<N>): void {
    const { slot, name, writable, selfClearing, target } = register;
    this.slots.set(name, slot);
    this.cells[CELL_WORDS * slot + MASK] = hiOf(writable);
    this.cells[CELL_WORDS * slot + MASK + 1] = loOf(writable);
    this.selfClearing[2 * slot] = hiOf(selfClearing);
    this.selfClearing[2 * slot + 1] = loOf(selfClearing);
    if (target !== undefined) this.targets[slot] = this.bank.get(target).slot;
    this.choosePaths(register);
  }

  private choosePaths({ slot, offset, access, selfClearing }: RegisterInfo<N>): void {
    const step = (offset - this.base) >>> this.shift;
    if (this.options.trace !== undefined || step >= this.plainReads.length) return;
    const hook = this.hooks[slot];
    const stores = (access === 'read-write' || access === 'write-only') && selfClearing === 0n;
    this.plainReads[step] = READS_STORED[access] && hook?.onRead === undefined ? CELL_WORDS * slot : NOT_PLAIN;
    this.plainWrites[step] = stores && hook?.onWrite === undefined ? CELL_WORDS * slot : NOT_PLAIN;
  }

  /** Gives a register its behaviour after construction: each block attaches to what it owns. One owner per register. */
  attach(name: N, hooks: RegisterHooks): void {
    const register = this.bank.get(name);
    if (this.hooks[register.slot] !== undefined) {
      throw new Error(`${this.bank.name}.${name} already has hooks: a register has one owner`);
    }
    this.hooks[register.slot] = hooks;
    this.choosePaths(register);
  }

  // ---- software's doors -------------------------------------------------------------------------------------------

  has(offset: number): boolean {
    return this.bank.byOffset(offset) !== undefined;
  }

  read(offset: number): bigint {
    this.read32(offset);
    return fromHalves(this.hi, this.lo);
  }

  write(offset: number, value: bigint): void {
    this.write32(offset, hiOf(value), loOf(value));
  }

  /** Reads by software into `hi` and `lo`. */
  read32(offset: number): void {
    const at = this.plain(this.plainReads, offset);
    if (at === NOT_PLAIN) {
      this.readWithBehaviour(this.registerAt(offset));
      return;
    }
    this.hi = this.cells[at]!;
    this.lo = this.cells[at + 1]!;
  }

  /** Writes by software; `hi` and `lo` are 32-bit values. */
  write32(offset: number, hi: number, lo: number): void {
    const at = this.plain(this.plainWrites, offset);
    if (at === NOT_PLAIN) {
      this.writeWithBehaviour(this.registerAt(offset), hi, lo);
      return;
    }
    const { cells } = this;
    const maskHi = cells[at + MASK]!;
    const maskLo = cells[at + MASK + 1]!;
    cells[at] = (cells[at]! & ~maskHi) | (hi & maskHi);
    cells[at + 1] = (cells[at + 1]! & ~maskLo) | (lo & maskLo);
  }

  private plain(paths: Int32Array, offset: number): number {
    const delta = offset - this.base;
    const step = delta >>> this.shift;
    // The first test also fails for offsets between two registers, below the first, and beyond 32 bits.
    if (step << this.shift !== delta || step >= paths.length) return NOT_PLAIN;
    return paths[step]!;
  }

  private registerAt(offset: number): RegisterInfo<N> {
    const register = this.bank.byOffset(offset);
    if (register === undefined) throw new UnknownRegisterError(this.bank.name, offset);
    return register;
  }

  private readWithBehaviour(register: RegisterInfo<N>): void {
    const { slot } = register;
    const hook = this.hooks[slot];
    if (hook?.onRead !== undefined) {
      const answer = hook.onRead(this.valueAt(slot));
      this.hi = hiOf(answer);
      this.lo = loOf(answer);
    } else if (READS_STORED[register.access]) {
      this.hi = this.hiAt(slot);
      this.lo = this.loAt(slot);
    } else {
      this.hi = 0;
      this.lo = 0;
    }
    const tracing = this.options.trace;
    tracing?.trace.emit(REGISTER_READ, tracing.source, register.offset, this.hi, this.lo);
  }

  private writeWithBehaviour(register: RegisterInfo<N>, hi: number, lo: number): void {
    const { slot } = register;
    // Before the write takes effect: what it causes must follow it in the trace.
    const tracing = this.options.trace;
    tracing?.trace.emit(REGISTER_WRITE, tracing.source, register.offset, hi >>> 0, lo >>> 0);
    const target = this.targets[slot]! === NO_SLOT ? slot : this.targets[slot]!;
    const hook = this.hooks[slot];
    const old = hook?.onWrite === undefined ? 0n : this.valueAt(target);
    this.applyHalf(register, { written: hi, target, half: 0 });
    this.applyHalf(register, { written: lo, target, half: 1 });
    hook?.onWrite?.(fromHalves(hi, lo), old);
  }

  private applyHalf({ access, slot }: RegisterInfo<N>, write: { written: number; target: number; half: 0 | 1 }): void {
    const { written, half } = write;
    const { cells } = this;
    const cell = CELL_WORDS * write.target + half;
    const stored = cells[cell]!;
    // An alias can change no bit that its target does not let change.
    const mask = cells[CELL_WORDS * slot + MASK + half]! & cells[cell + MASK]!;
    switch (access) {
      case 'read-only':
        return;
      case 'write-1-to-clear':
        cells[cell] = stored & ~(written & mask);
        return;
      case 'write-clears':
        cells[cell] = stored & ~mask;
        return;
      case 'and-mask':
        cells[cell] = stored & (written | ~mask);
        return;
      case 'or-mask':
        cells[cell] = stored | (written & mask);
        return;
      case 'read-write':
      case 'write-only':
      case 'self-clearing':
        // Self-clearing bits are gone before the hook runs, so that a hook can show "busy" by setting them again.
        cells[cell] = ((stored & ~mask) | (written & mask)) & ~this.selfClearing[2 * slot + half]!;
    }
  }

  // ---- hardware's doors -------------------------------------------------------------------------------------------

  /** The place of a register in this file: resolve once, then use `hiAt`, `loAt`, `setAt` in hot paths. */
  slotOf(name: N): number {
    return this.slots.get(name) ?? this.bank.get(name).slot;
  }

  hiAt(slot: number): number {
    return this.cells[CELL_WORDS * slot]!;
  }

  loAt(slot: number): number {
    return this.cells[CELL_WORDS * slot + 1]!;
  }

  setAt(slot: number, hi: number, lo: number): void {
    this.cells[CELL_WORDS * slot] = hi;
    this.cells[CELL_WORDS * slot + 1] = lo;
  }

  get(name: N): bigint {
    return this.valueAt(this.slotOf(name));
  }

  getHi(name: N): number {
    return this.hiAt(this.slotOf(name));
  }

  getLo(name: N): number {
    return this.loAt(this.slotOf(name));
  }

  set(name: N, value: bigint): void {
    this.setAt(this.slotOf(name), hiOf(value), loOf(value));
  }

  or(name: N, value: bigint): void {
    this.set(name, this.get(name) | value);
  }

  /** Clears the bits that are set in `value`. */
  clear(name: N, value: bigint): void {
    this.set(name, this.get(name) & ~value);
  }

  field(name: N, fieldName: string): bigint {
    return getField(this.get(name), this.bank.field(name, fieldName).at);
  }

  setField(name: N, fieldName: string, value: bigint): void {
    this.set(name, setField(this.get(name), this.bank.field(name, fieldName).at, value));
  }

  /** Every register to its declared reset value. No hook runs: what a reset causes is the chip's to say. */
  resetAll(): void {
    for (const name of this.bank.names) this.reset(name);
  }

  reset(name: N): void {
    this.set(name, this.bank.get(name).reset);
  }

  // ---- the debugger's doors ---------------------------------------------------------------------------------------

  /** The stored value, without side effects. */
  peek(name: N): bigint {
    return this.get(name);
  }

  decode(name: N, value = this.peek(name)): DecodedField[] {
    return decodeFields(this.bank.get(name).fields, value);
  }

  /** One line for traces: `ALL=1 PE=5`. */
  format(name: N, value = this.peek(name)): string {
    return formatFields(this.bank.get(name).fields, value);
  }

  private valueAt(slot: number): bigint {
    return fromHalves(this.hiAt(slot), this.loAt(slot));
  }
}
