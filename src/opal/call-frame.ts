/**
 * The arguments of one OPAL call as registers hold them, and the memory behind those that are pointers.
 * A register is cut to the width that firmware declares; what a pointer leads to is big-endian.
 * Source: skiboot include/opal-internal.h: opal_addr_valid. Facts: opal-pci 1.1, 1.2.
 */
import type { SystemMemory } from '../hw/memory.js';

const SCALAR_BITS = { u8: 8, u16: 16, u32: 32, u64: 64 } as const;
/** Bytes that a pointer leads to. Those of a buffer are told by another argument. */
const POINTER_BYTES = { 'u8*': 1, 'be16*': 2, 'be32*': 4, 'be64*': 8, 'buffer*': 0 } as const;

type ScalarKind = keyof typeof SCALAR_BITS;
type PointerKind = keyof typeof POINTER_BYTES;

export interface OpalArgument {
  readonly name: string;
  readonly kind: ScalarKind | PointerKind;
  /** A pointer that firmware looks at before it stores; any other must not be null (M). */
  readonly mayBeNull: boolean;
}

/** `pe u64, events be64*?`: names and kinds, in the order of the registers. */
export function declareArguments(text: string): readonly OpalArgument[] {
  return text.split(', ').map((each) => {
    const [name, kind = ''] = each.split(' ');
    const plain = kind.replace('?', '');
    if (name === undefined || !(isScalar(plain) || isPointer(plain))) throw new Error(`"${each}" is no argument`);
    return { name, kind: plain, mayBeNull: kind.endsWith('?') };
  });
}

const isScalar = (kind: string): kind is ScalarKind => kind in SCALAR_BITS;
const isPointer = (kind: string): kind is PointerKind => kind in POINTER_BYTES;

const TOP_NIBBLE_SHIFT = 60n;
/** Where real memory begins as firmware and operating systems write it. */
const REAL_MODE_NIBBLES: readonly bigint[] = [0x0n, 0xcn];
const ADDRESS_BITS = 60;

export class CallFrame {
  private readonly words = new Map<string, bigint>();
  private readonly kinds = new Map<string, PointerKind>();
  /** Each pointer leads into memory, or is null where it may be. */
  readonly pointersAreValid: boolean;

  constructor(
    declared: readonly OpalArgument[],
    registers: readonly bigint[],
    private readonly memory: SystemMemory,
  ) {
    let valid = true;
    for (const [index, { name, kind, mayBeNull }] of declared.entries()) {
      const register = registers[index]!;
      if (isScalar(kind)) this.words.set(name, BigInt.asUintN(SCALAR_BITS[kind], register));
      else {
        const address = BigInt.asUintN(ADDRESS_BITS, register);
        this.words.set(name, address);
        this.kinds.set(name, kind);
        const isNull = register === 0n;
        valid &&= isNull ? mayBeNull : this.leadsIntoMemory(register, POINTER_BYTES[kind]);
      }
    }
    this.pointersAreValid = valid;
  }

  /** Whether the call has an argument of this name. */
  has(name: string): boolean {
    return this.words.has(name);
  }

  /** 64 bits. */
  word(name: string): bigint {
    const word = this.words.get(name);
    if (word === undefined) throw new Error(`the call has no argument "${name}"`);
    return word;
  }

  /** A number that is right when it is small; of one too large for a number the low 32 bits are, and it stays large. */
  number(name: string): number {
    const word = this.word(name);
    return word <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(word) : 2 ** 52 + Number(BigInt.asUintN(32, word));
  }

  /** Stores through a pointer; nothing through a null one. */
  put(name: string, value: number | bigint): void {
    const address = this.number(name);
    if (address === 0) return;
    switch (this.kinds.get(name)) {
      case 'u8*':
        this.memory.write8(address, Number(value));
        break;
      case 'be16*':
        this.memory.write16(address, Number(value));
        break;
      case 'be32*':
        this.memory.write32(address, Number(value));
        break;
      default:
        this.memory.write64(address, BigInt.asUintN(64, BigInt(value)));
    }
  }

  putBlock(name: string, bytes: Uint8Array, at = 0): void {
    this.memory.writeBlock(this.number(name) + at, bytes);
  }

  byteAt(name: string): number {
    return this.memory.read8(this.number(name));
  }

  /** True if a buffer of this many bytes lies in memory as a whole (M): firmware looks at its beginning only. */
  bufferFits(name: string, bytes: number): boolean {
    return this.memory.contains(this.number(name), bytes);
  }

  private leadsIntoMemory(register: bigint, bytes: number): boolean {
    if (!REAL_MODE_NIBBLES.includes(register >> TOP_NIBBLE_SHIFT)) return false;
    return this.memory.contains(Number(BigInt.asUintN(ADDRESS_BITS, register)), Math.max(1, bytes));
  }
}
