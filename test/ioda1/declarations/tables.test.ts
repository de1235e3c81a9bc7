import { describe, expect, it } from 'vitest';
import { ALL_ONES, setField } from '../../../src/hw/bits.js';
import { type TableDeclaration, TableStore } from '../../../src/hw/table.js';
import { PairStore } from '../../../src/ioda1/pair-store.js';
import {
  IODA_TABLE_NAMES,
  IODA_TABLES,
  iodaTableBySelector,
  RGC_TABLES,
  TCE_FORMAT,
} from '../../../src/ioda1/tables.js';

const compose = (table: TableDeclaration, fields: Record<string, bigint>) =>
  Object.entries(fields).reduce(
    (entry, [name, value]) => setField(entry, table.field(name).at, value, table.entryBits),
    0n,
  );

describe('the eighteen tables', () => {
  it('have the selectors, lengths and words of the chip', () => {
    const rows = IODA_TABLE_NAMES.map((name) => {
      const { selector, entries, entryBits } = IODA_TABLES[name];
      return [selector, name, entries, entryBits / 64];
    });
    expect(rows).toEqual([
      [0, 'HRT', 4, 1],
      [1, 'LIST', 8, 1],
      [2, 'LXIVT', 8, 1],
      [3, 'MIST', 256, 1],
      [4, 'MXIVT', 256, 1],
      [5, 'MVT', 256, 1],
      [6, 'PELTM', 128, 1],
      [7, 'PESTA', 128, 1],
      [8, 'PESTB', 128, 1],
      [9, 'TVT', 128, 2],
      [10, 'TCAM', 64, 1],
      [11, 'TDR', 64, 1],
      [12, 'PELTV', 128, 2],
      [16, 'M64BT', 16, 1],
      [17, 'IODT', 128, 1],
      [18, 'M32DT', 128, 1],
      [19, 'M64DT', 128, 1],
      [20, 'PEEV', 2, 1],
    ]);
  });

  it('are found by selector, and reserved selectors find none', () => {
    for (const name of IODA_TABLE_NAMES) expect(iodaTableBySelector(IODA_TABLES[name].selector!)).toBe(name);
    for (const reserved of [13, 14, 15, 21, 31]) expect(iodaTableBySelector(reserved)).toBeUndefined();
  });

  it('have lengths that an index can wrap at', () => {
    const odd = IODA_TABLE_NAMES.filter((name) => (IODA_TABLES[name].entries & (IODA_TABLES[name].entries - 1)) !== 0);
    expect(odd).toEqual([]);
  });

  it('say a sentence, a source and how sure they are', () => {
    for (const table of [...Object.values(IODA_TABLES), ...Object.values(RGC_TABLES), TCE_FORMAT]) {
      expect(table.about, table.name).toMatch(/^[^.]+\.$/);
      expect(table.source, table.name).not.toBe('');
      for (const field of table.fields) expect(field.about, `${table.name}.${field.name}`).not.toBe('');
    }
  });

  it.each([
    ['LIST', 0xc000000000000000n],
    ['MIST', 0xc000000000000000n],
    ['LXIVT', 0x00ffffff00000030n],
    ['MXIVT', 0x00ffffff007f0030n],
    ['TCAM', 0n],
    ['TDR', 0n],
    ['PELTM', ALL_ONES],
    ['PESTA', ALL_ONES],
  ] as const)('%s keeps its own bits of a write of all ones', (name, kept) => {
    const store = new TableStore(IODA_TABLES[name]);
    store.write(store.entries - 1, ALL_ONES);
    expect(store.read(store.entries - 1)).toBe(kept);
  });
});

describe('worked examples of entries', () => {
  it('M32 segment of PE 5', () => {
    expect(compose(IODA_TABLES.M32DT, { PE: 5n })).toBe(0x0a00000000000000n);
  });

  it('buses 0x10 to 0x13, one requester, and the idle pattern', () => {
    expect(compose(IODA_TABLES.PELTM, { BUS: 0x10n, BUS_VALID: 5n })).toBe(0x1000a00000000000n);
    const one = { BUS: 1n, BUS_VALID: 7n, DEVICE_VALID: 1n, FUNCTION_VALID: 1n };
    expect(compose(IODA_TABLES.PELTM, one)).toBe(0x0100f80000000000n);
    expect(compose(IODA_TABLES.PELTM, { ...one, BUS: 0n, FUNCTION: 1n })).toBe(0x0001f80000000000n);
  });

  it('a DMA window of 256 MiB for one bus, 4 KiB pages, PE 5', () => {
    const window = compose(IODA_TABLES.TVT, {
      TABLE_ADDRESS: 0x123400000n >> 12n,
      BUS_VALID: 7n,
      TABLE_SIZE: 2n,
      BUS: 0x10n,
      PAGE_SIZE: 1n,
      PE: 5n,
    });
    expect([window >> 64n, window & ALL_ONES]).toEqual([0x000000123400e210n, 0x0000010000000005n]);
  });

  it('an MVE, a vector and a masked vector', () => {
    expect(compose(IODA_TABLES.MVT, { VALID: 1n, BUS_VALID: 7n, BUS: 0x10n, PE: 5n })).toBe(0x8000071000050000n);
    expect(compose(IODA_TABLES.MXIVT, { SERVER: 2n, PRIORITY: 0xa0n, PE: 5n })).toBe(0x000002a000050000n);
    expect(compose(RGC_TABLES.XIVT, { PRIORITY: 0xffn })).toBe(0x000000ff00000000n);
  });

  it('an M64 window of 2 GiB', () => {
    const entry = compose(IODA_TABLES.M64BT, { ENABLE: 1n, BASE: 0x3d0800n, MASK: 0xffff80n });
    expect(entry).toBe(0x803d080000ffff80n);
  });

  it('the permissions and the page of a TCE', () => {
    expect(compose(TCE_FORMAT, { READ: 1n, WRITE: 1n, ADDRESS: 0x12345n })).toBe(0x12345003n);
  });
});

describe('entries of two words', () => {
  it('are kept word by word, and either store takes effect', () => {
    const written: number[] = [];
    const store = new PairStore(IODA_TABLES.PELTV, (index) => written.push(index));
    store.second.write(7, 3n);
    store.write(7, 5n);
    expect([store.read(7), store.second.read(7), store.entry(7)]).toEqual([5n, 3n, (5n << 64n) | 3n]);
    expect(written).toEqual([7, 7]);
    store.resetAll();
    expect(store.entry(7)).toBe(0n);
  });

  it('refuse an index and a table that they do not have', () => {
    const store = new PairStore(IODA_TABLES.TVT);
    expect(() => store.read(128)).toThrow(RangeError);
    expect(() => new PairStore(IODA_TABLES.PELTM)).toThrow(/not two words/);
  });
});
