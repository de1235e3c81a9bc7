import { describe, expect, it } from 'vitest';
import { booted, CATCH_ALL, iodaAddress, ONES, PE, Rig, tve } from './rig.js';

const DATA = 'PHB_IODA_DATA0';

describe('the door to the tables', () => {
  const rig = booted();

  it('steps the index at each store to DATA0 and at each load, and shows it', () => {
    rig.select('M32DT', 3, 'increment');
    rig.write(DATA, 7n << 57n);
    rig.write(DATA, 8n << 57n);
    expect(rig.read('PHB_IODA_ADDR')).toBe(iodaAddress('M32DT', 5, 'increment'));
    rig.select('M32DT', 3, 'increment');
    expect([rig.read(DATA), rig.read(DATA)]).toEqual([7n << 57n, 8n << 57n]);
  });

  it('hits the same entry twice without auto-increment', () => {
    rig.select('MXIVT', 9);
    rig.write(DATA, rig.read(DATA) | (5n << 16n));
    expect(rig.read('PHB_IODA_ADDR')).toBe(iodaAddress('MXIVT', 9, 'stay'));
    expect(rig.read(DATA)).toBe(5n << 16n);
  });

  it('does not step at DATA1, so that two words go in with one step', () => {
    const [word0, word1] = tve({ table: 0x12_3000, pe: 9 });
    rig.select('TVT', 20, 'increment');
    rig.write('PHB_IODA_DATA1', word1);
    rig.write(DATA, word0);
    rig.select('TVT', 20);
    expect([rig.read(DATA), rig.read('PHB_IODA_DATA1')]).toEqual([word0, word1]);
    rig.select('TVT', 21);
    expect([rig.read(DATA), rig.read('PHB_IODA_DATA1')]).toEqual([0n, 0n]);
  });

  it('lets a store to DATA1 alone take effect', () => {
    rig.select('PELTV', PE);
    rig.write('PHB_IODA_DATA1', 1n);
    rig.select('PELTV', PE);
    expect(rig.read('PHB_IODA_DATA1')).toBe(1n);
    rig.write('PHB_IODA_DATA1', 0n);
  });

  it('wraps the index at the end of the table', () => {
    rig.select('M64BT', 15, 'increment');
    rig.read(DATA);
    expect(rig.read('PHB_IODA_ADDR')).toBe(iodaAddress('M64BT', 0, 'increment'));
  });

  it('takes an index beyond the table modulo its length', () => {
    rig.setIoda('LXIVT', 8 + 3, 0x0000_0123_0000_0000n);
    expect(rig.ioda('LXIVT', 3)).toBe(0x0000_0123_0000_0000n);
  });

  it.each([13, 15, 21, 31])('reads zero from selector %d and keeps nothing', (selector) => {
    rig.setIoda(selector, 0, ONES);
    expect(rig.ioda(selector, 0)).toBe(0n);
    expect(rig.read('PHB_IODA_ADDR')).toBe(iodaAddress(selector, 0, 'stay'));
  });

  it('has one word in tables of one word: DATA1 reads zero', () => {
    rig.select('PELTM', 0);
    rig.write('PHB_IODA_DATA1', ONES);
    expect(rig.read('PHB_IODA_DATA1')).toBe(0n);
  });

  it.each(['HRT', 'MVT', 'IODT', 'M64DT'] as const)('keeps every entry of %s apart', (table) => {
    rig.select(table, 0, 'increment');
    const entries = table === 'HRT' ? 4 : table === 'MVT' ? 256 : 128;
    for (let index = 0; index < entries; index++) rig.write(DATA, BigInt(index) << 32n);
    rig.select(table, 0, 'increment');
    const read = Array.from({ length: entries }, () => rig.read(DATA));
    expect(read).toEqual(Array.from({ length: entries }, (_, index) => BigInt(index) << 32n));
  });

  it.each(['TCAM', 'TDR'] as const)('shows nothing of the TCE cache through %s', (table) => {
    rig.setIoda(table, 1, ONES);
    expect(rig.ioda(table, 1)).toBe(0n);
  });
});

describe('through the side path', () => {
  it('reaches the same tables before any routing rule exists', () => {
    const rig = new Rig();
    rig.asbWrite('PHB_IODA_ADDR', iodaAddress('PELTM', 4, 'stay'));
    rig.asbWrite('PHB_IODA_DATA0', 0x1234n);
    expect(rig.asbIoda('PELTM', 4)).toBe(0x1234n);
  });

  it('shows the bit of a frozen PE in PEEV, and takes no write there', () => {
    const rig = booted();
    rig.setIoda('PESTA', CATCH_ALL, 1n << 63n);
    expect(rig.ioda('PEEV', 1)).toBe(1n);
    rig.setIoda('PEEV', 1, 0n);
    rig.setIoda('PEEV', 0, ONES);
    expect([rig.ioda('PEEV', 0), rig.ioda('PEEV', 1)]).toEqual([0n, 1n]);
    rig.setIoda('PESTA', CATCH_ALL, 0n);
    expect(rig.ioda('PEEV', 1)).toBe(0n);
  });

  it('keeps what software writes into a PE state, word for word', () => {
    const rig = booted();
    rig.setIoda('PESTA', 3, 0x8710_003c_1234_5678n);
    rig.setIoda('PESTB', 3, 0x8000_0000_0000_1000n);
    expect(rig.pest(3)).toEqual(['8710003c12345678', '8000000000001000']);
    expect(rig.frozenPes()).toEqual([3]);
  });
});

describe('the PELTM', () => {
  const rig = booted();
  /** The PE that an error message of this requester is charged to. */
  const charged = (rid: number): number[] => {
    rig.sendError('ERR_FATAL', rid);
    const pes = rig.frozenPes();
    for (const pe of pes) rig.thaw(pe);
    return pes;
  };

  it('charges every requester to PE 127 that no entry names', () => {
    expect(charged(0x0108)).toEqual([CATCH_ALL]);
  });

  it.each([
    [2, 0x4000_4000_0000_0000n, [0x40, 0x5f], [0x3f, 0x60]],
    [3, 0x4000_6000_0000_0000n, [0x40, 0x4f], [0x3f, 0x50]],
    [4, 0x4000_8000_0000_0000n, [0x40, 0x47], [0x3f, 0x48]],
    [5, 0x4000_a000_0000_0000n, [0x40, 0x43], [0x3f, 0x44]],
    [6, 0x4000_c000_0000_0000n, [0x40, 0x41], [0x3f, 0x42]],
    [7, 0x4000_e000_0000_0000n, [0x40, 0x40], [0x3f, 0x41]],
  ])('compares the bits of the bus number that code %d says', (_code, entry, inside, outside) => {
    rig.setIoda('PELTM', 20, entry);
    expect(inside.map((bus) => charged((bus << 8) | 0x08))).toEqual([[20], [20]]);
    expect(outside.map((bus) => charged((bus << 8) | 0x08))).toEqual([[CATCH_ALL], [CATCH_ALL]]);
  });

  it.each([0x0000_0000_0000_0000n, 0x4000_2000_0000_0000n])('compares no bus with code 0 or 1 (%s)', (entry) => {
    rig.setIoda('PELTM', 20, entry);
    expect([charged(0x0208), charged(0xfe08)]).toEqual([[20], [20]]);
  });

  it('compares device and function where they are valid', () => {
    rig.setIoda('PELTM', 20, 0x4008_f000_0000_0000n);
    expect([charged(0x4008), charged(0x400b), charged(0x4010)]).toEqual([[20], [20], [CATCH_ALL]]);
    rig.setIoda('PELTM', 20, 0x4003_e800_0000_0000n);
    expect([charged(0x4003), charged(0x400b), charged(0x400a)]).toEqual([[20], [20], [CATCH_ALL]]);
  });

  it('lets the lowest entry win', () => {
    rig.setIoda('PELTM', 20, 0x4000_e000_0000_0000n);
    rig.setIoda('PELTM', 21, 0x4000_e000_0000_0000n);
    expect(charged(0x4008)).toEqual([20]);
    rig.setIoda('PELTM', 20, 0x0001_f800_0000_0000n);
    expect(charged(0x4008)).toEqual([21]);
  });

  it('still charges PE 127 when its entry matches no more', () => {
    rig.setIoda('PELTM', CATCH_ALL, 0x0001_f800_0000_0000n);
    expect(charged(0x7708)).toEqual([CATCH_ALL]);
  });
});
