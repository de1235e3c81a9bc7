import { describe, expect, it } from 'vitest';
import { ALL_ONES, setField } from '../../../src/hw/bits.js';
import { SystemMemory } from '../../../src/hw/memory.js';
import { MemoryTable, type TableDeclaration, TableStore } from '../../../src/hw/table.js';
import { IODA_TABLE_NAMES, IODA_TABLES, iodaTableBySelector, MEMORY_TABLES } from '../../../src/ioda2/tables.js';

const compose = (table: TableDeclaration, fields: Record<string, bigint>) =>
  Object.entries(fields).reduce(
    (entry, [name, value]) => setField(entry, table.field(name).at, value, table.entryBits),
    0n,
  );
const part = (table: TableDeclaration, entry: bigint, name: string) =>
  (entry >> BigInt(table.entryBits - 1 - table.field(name).at.last)) &
  ((1n << BigInt(table.field(name).at.last - table.field(name).at.first + 1)) - 1n);

describe('the on-chip tables', () => {
  it('have the selectors and lengths of the chip', () => {
    expect(IODA_TABLE_NAMES.map((name) => [IODA_TABLES[name].selector, name, IODA_TABLES[name].entries])).toEqual([
      [1, 'LIST', 8],
      [2, 'LXIVT', 8],
      [3, 'IVC_CAM', 32],
      [4, 'RBA', 32],
      [5, 'RCAM', 64],
      [6, 'MRT', 8],
      [7, 'PESTA', 256],
      [8, 'PESTB', 256],
      [9, 'TVT', 512],
      [10, 'TCAM', 64],
      [11, 'TDR', 64],
      [16, 'M64BT', 16],
      [17, 'M32DT', 256],
      [20, 'PEEV', 4],
    ]);
  });

  it('have lengths that an index can wrap at', () => {
    const odd = IODA_TABLE_NAMES.filter((name) => (IODA_TABLES[name].entries & (IODA_TABLES[name].entries - 1)) !== 0);
    expect(odd).toEqual([]);
  });

  it('are found by selector, and reserved selectors find none', () => {
    for (const name of IODA_TABLE_NAMES) expect(iodaTableBySelector(IODA_TABLES[name].selector!)).toBe(name);
    for (const reserved of [0, 12, 15, 18, 19, 21, 31]) expect(iodaTableBySelector(reserved)).toBeUndefined();
  });

  it.each([
    ['LIST', 0n],
    ['IVC_CAM', 0n],
    ['RCAM', 0n],
    ['TCAM', 0n],
    ['TDR', 0n],
    ['PESTA', 0x8000000000000000n],
    ['PESTB', 0x8000000000000000n],
    ['LXIVT', 0x00ffffff000000ffn],
    ['TVT', ALL_ONES],
    ['M64BT', ALL_ONES],
    ['M32DT', ALL_ONES],
    ['PEEV', ALL_ONES],
    ['RBA', ALL_ONES],
    ['MRT', ALL_ONES],
  ] as const)('%s keeps its own bits of a write of all ones', (name, kept) => {
    const store = new TableStore(IODA_TABLES[name]);
    const last = store.entries - 1;
    store.write(last, ALL_ONES);
    expect(store.read(last)).toBe(kept);
  });
});

describe('table entries', () => {
  it('hold a translating TVE as the worked example encodes it', () => {
    const address = 0x123400000n;
    const tve = compose(IODA_TABLES.TVT, { TABLE_ADDRESS: address >> 12n, LEVELS: 0n, TABLE_SIZE: 12n, PAGE_SIZE: 1n });
    expect(tve).toBe(0x0000001234000c01n);
    expect(IODA_TABLES.TVT.format(tve)).toBe('TABLE_ADDRESS=0x123400 TABLE_SIZE=0xc PAGE_SIZE=1');
  });

  it('have room for five levels of the largest table in 256 MiB pages', () => {
    const tve = compose(IODA_TABLES.TVT, { LEVELS: 4n, TABLE_SIZE: 31n, PAGE_SIZE: 17n });
    expect(tve).toBe(0x0000000000009f11n);
  });

  it('hold the untranslated TVE of CAPI mode: its range starts and ends where the chip says', () => {
    const tve = 0x000000ffffff0a00n;
    const bound = (low: string, high: string) =>
      ((part(IODA_TABLES.TVT, tve, high) << 24n) | part(IODA_TABLES.TVT, tve, low)) << 24n;
    expect(bound('BYPASS_START', 'BYPASS_START_HIGH')).toBe(0x0002000000000000n);
    expect(bound('BYPASS_END', 'BYPASS_END_HIGH')).toBe(0x0002ffffff000000n);
    expect(part(IODA_TABLES.TVT, tve, 'BYPASS')).toBe(0n);
  });

  it('hold a shared M64 window of 64 GiB', () => {
    const entry = compose(IODA_TABLES.M64BT, {
      ENABLE: 1n,
      BASE: 0x3b0000000000n >> 20n,
      MASK: (1n << 30n) - 0x10000n,
    });
    expect(entry).toBe(0x83b000003fff0000n);
  });

  it('hold an M64 window of one PE, whose number is split in two', () => {
    const pe = 0x45n;
    const entry = compose(IODA_TABLES.M64BT, {
      ENABLE: 1n,
      SINGLE_PE: 1n,
      SINGLE_BASE: 0x3b0002000000n >> 25n,
      SINGLE_PE_HIGH: pe >> 5n,
      SINGLE_MASK: (1n << 25n) - 1n,
      SINGLE_PE_LOW: pe & 0x1fn,
    });
    expect(entry).toBe(0xc3b000223fffffe5n);
  });

  it('hold the PE of an M32 segment and the idle vector of an LSI', () => {
    expect(compose(IODA_TABLES.M32DT, { PE: 5n })).toBe(5n << 48n);
    expect(compose(IODA_TABLES.LXIVT, { PRIORITY: 0xffn })).toBe(0x000000ff00000000n);
  });
});

describe('the tables in memory', () => {
  const sizeOf = (table: TableDeclaration) => (table.entries * table.entryBits) / 8;

  it('have the sizes their BARs are aligned to', () => {
    expect(sizeOf(MEMORY_TABLES.RTT)).toBe(128 * 1024);
    expect(sizeOf(MEMORY_TABLES.PELTV)).toBe(8 * 1024);
    expect(sizeOf(MEMORY_TABLES.PEST)).toBe(4 * 1024);
    expect(sizeOf(MEMORY_TABLES.IVT)).toBe(256 * 1024);
    expect(sizeOf(MEMORY_TABLES.IVT_SHORT)).toBe(32 * 1024);
    expect(sizeOf(MEMORY_TABLES.RBA)).toBe(256);
  });

  it('place the bytes of a vector: server, priority, generation and P, Q, PE', () => {
    const vector = compose(MEMORY_TABLES.IVT_SHORT, {
      SERVER: 0x20n,
      PRIORITY: 5n,
      GENERATION: 2n,
      P: 1n,
      Q: 1n,
      PE: 3n,
    });
    expect(vector >> 64n).toBe(0x0000200505010003n);
    const long = compose(MEMORY_TABLES.IVT, { SERVER: 0x20n, PRIORITY: 5n, GENERATION: 2n, P: 1n, Q: 1n, PE: 3n });
    expect(long >> 960n).toBe(0x0000200505010003n);
  });

  it('read the published PEST entry as a whole of two doublewords', () => {
    const entry = (0x8480002b00000000n << 64n) | 0x8000000000001000n;
    expect(MEMORY_TABLES.PEST.format(entry)).toBe(
      'MMIO_FROZEN=1 COMPLETER_ABORT=1 TRANSACTION_TYPE=mmio-load LEM_BIT=0x2b DMA_STOPPED=1 ADDRESS=0x1000',
    );
  });

  it('place the permissions of a TCE in its last bits', () => {
    expect(compose(MEMORY_TABLES.TCE, { READ: 1n })).toBe(1n);
    expect(compose(MEMORY_TABLES.TCE, { WRITE: 1n })).toBe(2n);
    expect(compose(MEMORY_TABLES.TCE, { ADDRESS: 0x12345n })).toBe(0x12345000n);
  });

  it('stand in memory entry after entry', () => {
    const memory = new SystemMemory({ sizeBytes: 0x40000 });
    new MemoryTable(MEMORY_TABLES.RTT, memory).write(0x20000, 0x0100, 0x00ffn);
    expect(memory.read16(0x20000 + 0x200)).toBe(0x00ff);
  });
});
