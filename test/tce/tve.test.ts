import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hiOf, loOf } from '../../src/hw/bits.js';
import {
  decodeTve,
  encodeTranslatedTve,
  encodeUntranslatedTve,
  PAGE_SHIFTS,
  TveEncodeError,
  TveKind,
  TveTable,
} from '../../src/tce/tve.js';

const GIB = 2 ** 30;

describe('a TVE', () => {
  it('names a table of 4 KiB pages as firmware writes it', () => {
    const value = encodeTranslatedTve({ tableAddress: 0x1_2340_0000, tableBytes: 8 << 20, pageShift: 12 });
    expect(value).toBe(0x0000_0012_3400_0c01n);
    expect(decodeTve(value)).toEqual({
      kind: TveKind.TRANSLATED,
      tableAddress: 0x1_2340_0000,
      levels: 1,
      indexBits: 20,
      pageShift: 12,
    });
  });

  it.each([
    [0n, 'all zero'],
    [0x2000_0001n, 'table size 0'],
    [0x2000_a101n, 'more than 5 levels'],
    [0x2000_e101n, 'more than 5 levels'],
    [0x2000_0102n, 'unknown page size'],
    [0x2000_011fn, 'unknown page size'],
    [0x1_2345_0000n, 'bit 51 clear'],
  ])('%s is invalid: %s', (value, reason) => {
    expect(decodeTve(value)).toEqual({ kind: TveKind.INVALID, reason });
  });

  it('bounds an untranslated window with addresses of 50 bits', () => {
    const value = encodeUntranslatedTve(2 ** 49, 2 ** 49 + 3 * 2 ** 48 - 2 ** 49);
    expect(decodeTve(value)).toEqual({ kind: TveKind.UNTRANSLATED, start: 2 ** 49, end: 3 * 2 ** 48 });
    expect(decodeTve(0x80_1000n)).toEqual({ kind: TveKind.UNTRANSLATED, start: 0, end: 2 * GIB });
  });

  it('is untranslated in CAPI mode without bit 51, as firmware writes it there', () => {
    const window = { kind: TveKind.UNTRANSLATED, end: 0x2_ffff_ff00_0000 };
    expect(decodeTve(0x0000_00ff_ffff_0a00n, 'on')).toEqual({ ...window, start: 0x2_0000_0000_0000 });
    expect(decodeTve(0x0000_00ff_ffff_0200n, 'on')).toEqual({ ...window, start: 0 });
    expect(decodeTve(0x0000_00ff_ffff_0200n, 'off')).toEqual({ kind: TveKind.INVALID, reason: 'bit 51 clear' });
    expect(decodeTve(0n, 'on')).toEqual({ kind: TveKind.INVALID, reason: 'all zero' });
  });

  it('decodes to what was encoded, for every shape', () => {
    const translated = fc.record({
      tableAddress: fc.nat(2 ** 31 - 1).map((n) => n * 4096),
      tableBytes: fc.integer({ min: 12, max: 42 }).map((n) => 2 ** n),
      levels: fc.integer({ min: 1, max: 5 }),
      pageShift: fc.constantFrom(...PAGE_SHIFTS),
    });
    fc.assert(
      fc.property(translated, ({ tableBytes, ...window }) => {
        expect(decodeTve(encodeTranslatedTve({ ...window, tableBytes }))).toEqual({
          kind: TveKind.TRANSLATED,
          ...window,
          indexBits: Math.log2(tableBytes / 8),
        });
      }),
      { seed: 1, numRuns: 200 },
    );
    const granule = 2 ** 24;
    const bounds = fc.tuple(fc.nat(2 ** 26 - 1), fc.nat(2 ** 26 - 1)).map((pair) => pair.sort((a, b) => a - b));
    fc.assert(
      fc.property(bounds, ([first, last]) => {
        const [start, end] = [first! * granule, last! * granule];
        expect(decodeTve(encodeUntranslatedTve(start, end))).toEqual({ kind: TveKind.UNTRANSLATED, start, end });
      }),
      { seed: 2, numRuns: 200 },
    );
  });

  it.each([
    ['table', { tableAddress: 0x1000, tableBytes: 2048, pageShift: 12 }],
    ['table', { tableAddress: 0x1000, tableBytes: 5000, pageShift: 12 }],
    ['multiple of 4096', { tableAddress: 0x1008, tableBytes: 4096, pageShift: 12 }],
    ['multiple of 4096', { tableAddress: Number.NaN, tableBytes: 4096, pageShift: 12 }],
    ['1 to 5', { tableAddress: 0x1000, tableBytes: 4096, levels: 6, pageShift: 12 }],
    ['12, 16, 24, 28', { tableAddress: 0x1000, tableBytes: 4096, pageShift: 13 as 12 }],
  ] as const)('that cannot be expressed is refused with what to give: %s', (remedy, window) => {
    expect(() => encodeTranslatedTve(window)).toThrow(TveEncodeError);
    expect(() => encodeTranslatedTve(window)).toThrow(remedy);
  });

  it.each([
    [1, 2 ** 24],
    [0, 2 ** 24 + 1],
    [2 ** 25, 2 ** 24],
    [0, 2 ** 50],
    [-(2 ** 24), 0],
  ])('refuses untranslated bounds %d..%d', (start, end) => {
    expect(() => encodeUntranslatedTve(start, end)).toThrow(TveEncodeError);
  });
});

describe('the TVT', () => {
  const put = (table: TveTable, index: number, value: bigint) => table.set(index, hiOf(value), loOf(value));

  it('keeps the words as written and decodes them again when the mode changes', () => {
    const table = new TveTable(4);
    put(table, 2, 0x0000_00ff_ffff_0200n);
    expect(table.kind[2]).toBe(TveKind.INVALID);
    table.setCapiMode('on');
    expect(table.kind[2]).toBe(TveKind.UNTRANSLATED);
    expect([table.hi[2], table.lo[2]]).toEqual([0xff, 0xffff_0200]);
    table.setCapiMode('off');
    expect(table.decoded(2)).toEqual({ kind: TveKind.INVALID, reason: 'bit 51 clear' });
  });

  it('raises the floor of an untranslated window at address 0 to 4 GiB, unless low bypass is allowed', () => {
    const table = new TveTable(2);
    put(table, 0, encodeUntranslatedTve(0, 8 * GIB));
    put(table, 1, encodeUntranslatedTve(0, 8 * GIB));
    expect([...table.firstGranule]).toEqual([256, 0]);
    table.setLowBypass('allowed');
    expect([...table.firstGranule]).toEqual([0, 0]);
    table.setLowBypass('refused');
    table.setCapiMode('on');
    expect([...table.firstGranule]).toEqual([0, 0]);
  });

  it('forgets the old shape of an entry that is written again', () => {
    const table = new TveTable(2);
    put(table, 0, encodeTranslatedTve({ tableAddress: 0x1000, tableBytes: 4096, levels: 2, pageShift: 16 }));
    expect([table.kind[0], table.topShift[0], table.beyondReachLo[0], table.beyondReachHi[0]]).toEqual([
      TveKind.TRANSLATED,
      25,
      0,
      0x7ff_fffc,
    ]);
    put(table, 0, 0n);
    expect(table.kind[0]).toBe(TveKind.INVALID);
  });
});
