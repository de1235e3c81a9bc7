import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bit, bits } from '../../src/hw/bits.js';
import { SystemMemory } from '../../src/hw/memory.js';
import { DeclarationError } from '../../src/hw/register.js';
import { declareTable, MemoryTable, TableIndexError, TableStore } from '../../src/hw/table.js';
import { word64 } from './register-laws.js';

const FACTS = { about: 'a table for tests', source: '(M)', known: 'assumed' } as const;
const VECTORS = declareTable({
  name: 'VECTORS',
  selector: 2,
  entries: 8,
  entryBits: 64,
  writable: 0x00ff_ffff_0000_00ffn,
  reset: 0x0000_00ff_0000_0000n,
  fields: { SERVER: bits(8, 23), PRIORITY: bits(24, 31), NODE_ID: bits(56, 63) },
  ...FACTS,
});
const RIDS = declareTable({ name: 'RIDS', entries: 65536, entryBits: 16, fields: { PE: bits(0, 15) }, ...FACTS });
const STATES = declareTable({
  name: 'STATES',
  entries: 256,
  entryBits: 128,
  fields: { MMIO_FROZEN: bit(0), RID: bits(32, 47), DMA_STOPPED: bit(64), ADDRESS: bits(68, 127) },
  ...FACTS,
});

describe('an on-chip table', () => {
  it('starts with its reset value and keeps only the bits that exist', () => {
    const table = new TableStore(VECTORS);
    expect(table.entries).toBe(8);
    expect(table.read(7)).toBe(0x0000_00ff_0000_0000n);
    fc.assert(
      fc.property(fc.nat(7), word64, (index, value) => {
        table.write(index, value);
        expect(table.read(index)).toBe(value & VECTORS.writable);
        expect([table.hi[index], table.lo[index]]).toEqual([
          Number((value & VECTORS.writable) >> 32n),
          Number(value & VECTORS.writable & 0xffff_ffffn),
        ]);
      }),
      { seed: 1, numRuns: 200 },
    );
  });

  it('tells of every new value once, also on reset, so that it can be decoded when written', () => {
    const seen: number[][] = [];
    const table = new TableStore(VECTORS, { onWrite: (...write) => seen.push(write) });
    table.write(3, -1n);
    table.setField(3, 'PRIORITY', 5n);
    expect(seen).toEqual([
      [3, 0x00ff_ffff, 0xff],
      [3, 0x00ff_ff05, 0xff],
    ]);
    table.resetAll();
    expect(seen).toHaveLength(10);
    expect(seen.at(-1)).toEqual([7, 0xff, 0]);
    expect(table.field(3, 'PRIORITY')).toBe(0xffn);
    expect(table.field(3, 'SERVER')).toBe(0n);
  });

  it('refuses an index it does not have', () => {
    const table = new TableStore(VECTORS);
    for (const index of [-1, 8, 1.5, Number.NaN]) {
      expect(() => table.read(index)).toThrow(TableIndexError);
      expect(() => table.write(index, 0n)).toThrow(/VECTORS has entries 0..7/);
    }
  });

  it('decodes an entry to names', () => {
    expect(VECTORS.format(0x0000_0405_0000_0000n)).toBe('SERVER=4 PRIORITY=5');
    expect(VECTORS.decode(0x0000_0405_0000_0000n).map((field) => field.value)).toEqual([4n, 5n, 0n]);
    expect(VECTORS.selector).toBe(2);
  });
});

describe('a table in memory', () => {
  const memory = new SystemMemory({ sizeBytes: 1 << 20 });

  it('has big-endian entries one behind the other', () => {
    const rids = new MemoryTable(RIDS, memory);
    expect([rids.entryBytes, rids.sizeBytes]).toEqual([2, 131072]);
    rids.write(0x20000, 0x100, 0x1_00ffn);
    expect(memory.read16(0x20200)).toBe(0x00ff);
    expect(rids.read(0x20000, 0x100)).toBe(0xffn);
    expect(rids.field(0x20000, 0x100, 'PE')).toBe(0xffn);
  });

  it('may have entries wider than a doubleword', () => {
    const states = new MemoryTable(STATES, memory);
    memory.write64(0x1050, 0x8480_002b_0100_0000n);
    memory.write64(0x1058, 0x8000_0000_2000_0000n);
    const entry = states.read(0x1000, 5);
    expect(entry).toBe(0x8480_002b_0100_0000_8000_0000_2000_0000n);
    expect(states.field(0x1000, 5, 'RID')).toBe(0x100n);
    expect(STATES.format(entry)).toBe(
      'MMIO_FROZEN=1 RID=0x100 DMA_STOPPED=1 ADDRESS=0x20000000 other=0x480002b000000000000000000000000',
    );
    states.write(0x1000, 5, entry >> 1n);
    expect(memory.read64(0x1058)).toBe(0x4000_0000_1000_0000n);
  });

  it('refuses an index it does not have', () => {
    const states = new MemoryTable(STATES, memory);
    for (const index of [-1, 256, 0.5]) expect(() => states.read(0, index)).toThrow(TableIndexError);
  });
});

describe('a table declaration', () => {
  const spec = { name: 'T', entries: 4, entryBits: 64, fields: {}, ...FACTS };
  it.each([
    [{ ...spec, entries: 0 }, /T: 0 entries/],
    [{ ...spec, entryBits: 12 }, /12 bits is not a whole number of bytes/],
    [{ ...spec, entryBits: 16, writable: 0x10000n }, /writable exceeds 16 bits/],
    [{ ...spec, writable: 1n, reset: 2n }, /reset sets bits that do not exist/],
    [{ ...spec, fields: { A: bits(60, 64) } }, /T.A: bit 64 does not exist/],
  ])('that contradicts itself is refused', (bad, message) => {
    expect(() => declareTable(bad)).toThrow(DeclarationError);
    expect(() => declareTable(bad)).toThrow(message);
  });

  it('has no field but those it names, and no wide entries in a 64-bit store', () => {
    expect(() => VECTORS.field('X')).toThrow(/VECTORS: no field is called X/);
    expect(() => new TableStore(STATES)).toThrow(/128 bits do not fit/);
  });
});
