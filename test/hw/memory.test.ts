import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MemoryAccessError, PAGE_BYTES, SystemMemory } from '../../src/hw/memory.js';

const BASE = 2 ** 40;
const SIZE = 3 * PAGE_BYTES;

type Step =
  | { readonly kind: 'write'; readonly size: 1 | 2 | 4 | 8; readonly at: number; readonly value: bigint }
  | { readonly kind: 'block'; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: 'fill'; readonly at: number; readonly length: number; readonly byte: number };

/** Addresses crowd around the page boundaries, where accesses are split. */
const address = fc
  .oneof(
    fc.nat(SIZE - 8),
    fc.nat(32).map((n) => PAGE_BYTES - 16 + n),
    fc.nat(32).map((n) => 2 * PAGE_BYTES - 16 + n),
  )
  .map((n) => BASE + n);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant('write' as const),
    size: fc.constantFrom(1 as const, 2 as const, 4 as const, 8 as const),
    at: address,
    value: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  }),
  fc.record({ kind: fc.constant('block' as const), at: address, bytes: fc.uint8Array({ maxLength: 8 }) }),
  fc.record({
    kind: fc.constant('fill' as const),
    at: address.map((at) => Math.min(at, BASE + 2 * PAGE_BYTES - 8)),
    length: fc.oneof(fc.nat(8), fc.nat(PAGE_BYTES + 8)),
    byte: fc.constantFrom(0, 0x5a),
  }),
);

/** One byte after the other: what memory is, in its plainest form. */
class PlainBytes {
  private readonly bytes = new Uint8Array(SIZE);

  apply(change: Step): void {
    const at = change.at - BASE;
    if (change.kind === 'write') this.put(at, BigInt.asUintN(8 * change.size, change.value), change.size);
    else if (change.kind === 'block') this.bytes.set(change.bytes, at);
    else this.bytes.fill(change.byte, at, at + change.length);
  }

  private put(at: number, value: bigint, size: number): void {
    for (let n = 0; n < size; n++) this.bytes[at + n] = Number((value >> BigInt(8 * (size - 1 - n))) & 0xffn);
  }

  read(address: number, size: number): bigint {
    let value = 0n;
    for (const byte of this.bytes.subarray(address - BASE, address - BASE + size)) value = (value << 8n) | BigInt(byte);
    return value;
  }
}

function apply(memory: SystemMemory, change: Step): void {
  if (change.kind === 'block') memory.writeBlock(change.at, change.bytes);
  else if (change.kind === 'fill') memory.fill(change.at, change.length, change.byte);
  else if (change.size === 1) memory.write8(change.at, Number(change.value & 0xffn));
  else if (change.size === 2) memory.write16(change.at, Number(change.value & 0xffffn));
  else if (change.size === 4) memory.write32(change.at, Number(change.value & 0xffff_ffffn));
  else if (change.at % 8 === 0)
    memory.write64Halves(change.at, Number(change.value >> 32n), Number(change.value & 0xffff_ffffn));
  else memory.write64(change.at, change.value);
}

function compare(memory: SystemMemory, model: PlainBytes, at: number): void {
  expect(BigInt(memory.read8(at))).toBe(model.read(at, 1));
  expect(BigInt(memory.read16(at))).toBe(model.read(at, 2));
  expect(BigInt(memory.read32(at))).toBe(model.read(at, 4));
  expect(memory.read64(at)).toBe(model.read(at, 8));
  const aligned = at - (at % 8);
  memory.readHalves(aligned);
  expect([memory.hi, memory.lo]).toEqual([memory.readHi(aligned), memory.readLo(aligned)]);
  expect(BigInt(memory.hi)).toBe(model.read(aligned, 4));
  expect(BigInt(memory.lo)).toBe(model.read(aligned + 4, 4));
  expect([...memory.readBlock(at, 8)].map(BigInt)).toEqual([0, 1, 2, 3, 4, 5, 6, 7].map((n) => model.read(at + n, 1)));
}

describe('system memory', () => {
  it('is a row of bytes, whatever doors and sizes are mixed', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(step, address), { maxLength: 30 }), (steps) => {
        const memory = new SystemMemory({ sizeBytes: SIZE, baseAddress: BASE });
        const model = new PlainBytes();
        for (const [change, probe] of steps) {
          apply(memory, change);
          model.apply(change);
          compare(memory, model, probe);
          compare(memory, model, Math.min(change.at, BASE + SIZE - 8));
        }
      }),
      { seed: 1, numRuns: 200 },
    );
  });

  it('is big-endian', () => {
    const memory = new SystemMemory({ sizeBytes: 64 });
    memory.write64(8, 0x0102_0304_0506_0708n);
    expect([...memory.readBlock(8, 8)]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(memory.read16(9)).toBe(0x0203);
  });

  it('costs nothing until it is written, and a read or a fill with 0 writes nothing', () => {
    const memory = new SystemMemory({ sizeBytes: 2 ** 46 });
    expect(memory.read64(2 ** 45)).toBe(0n);
    memory.fill(2 ** 44, 10 * PAGE_BYTES, 0);
    expect(memory.residentBytes).toBe(0);
    memory.write8(2 ** 46 - 1, 7);
    expect(memory.read8(2 ** 46 - 1)).toBe(7);
    expect(memory.residentBytes).toBe(PAGE_BYTES);
    memory.close();
  });

  it('gives blocks as copies', () => {
    const memory = new SystemMemory({ sizeBytes: 64 });
    memory.readBlock(0, 4)[0] = 9;
    const bytes = Uint8Array.of(1, 2);
    memory.writeBlock(0, bytes);
    bytes[0] = 9;
    expect(memory.read8(0)).toBe(1);
  });

  it('refuses what is not wholly inside, naming the address and the span', () => {
    const memory = new SystemMemory({ sizeBytes: 0x1000, baseAddress: 0x10000 });
    expect(memory.contains(0x10000, 0x1000)).toBe(true);
    for (const at of [0xffff, 0x10ffd, 0x11000, -1, Number.NaN]) {
      expect(memory.contains(at, 4)).toBe(false);
      expect(() => memory.read32(at)).toThrow(MemoryAccessError);
      expect(() => memory.write32(at, 0)).toThrow(MemoryAccessError);
      expect(() => memory.readBlock(at, 4)).toThrow(MemoryAccessError);
      expect(() => memory.fill(at, 4, 0)).toThrow(MemoryAccessError);
    }
    expect(() => memory.readBlock(0x10000, -1)).toThrow(MemoryAccessError);
    expect(() => memory.write64(0x10ff9, 0n)).toThrow(
      'memory access of 8 bytes at 0x10ff9: the memory spans 0x10000..0x10fff',
    );
  });

  it('takes halves only at multiples of 8', () => {
    const memory = new SystemMemory({ sizeBytes: 64 });
    expect(() => memory.readHi(4)).toThrow(/aligned to 8 bytes/);
    expect(() => memory.readLo(1)).toThrow(MemoryAccessError);
    expect(() => memory.readHalves(12)).toThrow(MemoryAccessError);
    expect(() => memory.write64Halves(12, 0, 0)).toThrow(MemoryAccessError);
  });

  it('answers a table walk with what is there, and says where nothing is', () => {
    const memory = new SystemMemory({ sizeBytes: 2 ** 36 });
    const based = new SystemMemory({ sizeBytes: 64, baseAddress: 0x1000 });
    const high = 0x3_4567_89a8;
    memory.write64(high, 0x0123_4567_89ab_cdefn);
    based.write64(0x1038, 7n);
    const halves = (m: SystemMemory): [number, number] => [m.hi, m.lo];

    expect(memory.tryReadHalves(high)).toBe(true);
    expect(halves(memory)).toEqual([0x0123_4567, 0x89ab_cdef]);
    memory.tryReadHalves(0);
    expect(halves(memory)).toEqual([0, 0]);
    expect(memory.tryReadHalvesAt(3, 0x4567_89a8)).toBe(true);
    expect(halves(memory)).toEqual([0x0123_4567, 0x89ab_cdef]);
    expect(memory.tryReadHalvesAt(3, 0x9000_0000)).toBe(true);
    expect(halves(memory)).toEqual([0, 0]);
    expect(based.tryReadHalvesAt(0, 0x1038)).toBe(true);
    expect(halves(based)).toEqual([0, 7]);
    expect(memory.tryRead16(high + 6)).toBe(0xcdef);
    expect(memory.tryRead16(0x5_0000)).toBe(0);

    expect(memory.tryReadHalves(2 ** 36)).toBe(false);
    expect(memory.tryReadHalvesAt(16, 0)).toBe(false);
    expect(memory.tryReadHalvesAt(0xffff_ffff, 0xffff_fff8)).toBe(false);
    expect(based.tryReadHalvesAt(0, 0x1040)).toBe(false);
    expect(based.tryRead16(0xfff)).toBe(-1);
    expect(memory.tryRead16(2 ** 36 - 1)).toBe(-1);
  });

  it.each([
    [{ sizeBytes: 0 }],
    [{ sizeBytes: 1.5 }],
    [{ sizeBytes: 2 ** 47 }],
    [{ sizeBytes: 16, baseAddress: -1 }],
    [{ sizeBytes: 16, baseAddress: 2 ** 53 }],
  ])('cannot be made with %o', (options) => {
    expect(() => new SystemMemory(options)).toThrow(RangeError);
  });
});
