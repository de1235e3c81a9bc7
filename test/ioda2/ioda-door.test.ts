import { describe, expect, it } from 'vitest';
import { msbMask } from '../../src/hw/bits.js';
import { IODA_TABLE_NAMES, IODA_TABLES } from '../../src/ioda2/tables.js';
import { booted, hex, iodaAddress, ONES, type Rig } from './rig.js';

const door = (rig: Rig): bigint => rig.read('PHB_IODA_DATA0');

describe('IODA_ADDR and IODA_DATA0', () => {
  it('stay on the selected entry without auto-increment, so that it can be read, changed and written', () => {
    const rig = booted();
    rig.select('MRT', 3);
    rig.write('PHB_IODA_DATA0', 0x1234n);
    rig.write('PHB_IODA_DATA0', door(rig) | 0x8000_0000_0000_0000n);
    expect(hex(door(rig))).toBe('8000000000001234');
    expect(rig.read('PHB_IODA_ADDR')).toBe(iodaAddress('MRT', 3, 'stay'));
  });

  it('move on after a read as after a write, and show the next index', () => {
    const rig = booted();
    rig.select('MRT', 1, 'increment');
    rig.write('PHB_IODA_DATA0', 0x11n);
    expect(rig.read('PHB_IODA_ADDR')).toBe(iodaAddress('MRT', 2, 'increment'));
    rig.write('PHB_IODA_DATA0', 0x22n);
    rig.select('MRT', 1, 'increment');
    expect([door(rig), door(rig)]).toEqual([0x11n, 0x22n]);
    expect(rig.read('PHB_IODA_ADDR')).toBe(iodaAddress('MRT', 3, 'increment'));
  });

  it.each(IODA_TABLE_NAMES)('walk the whole of %s and end where the walk began', (table) => {
    const rig = booted();
    const { entries } = IODA_TABLES[table];
    rig.select(table, 0, 'increment');
    for (let i = 0; i < entries - 1; i++) door(rig);
    expect(rig.read('PHB_IODA_ADDR')).toBe(iodaAddress(table, entries - 1, 'increment'));
    door(rig);
    expect(rig.read('PHB_IODA_ADDR')).toBe(iodaAddress(table, 0, 'increment'));
  });

  it('use the index modulo the length of the table', () => {
    const rig = booted();
    rig.setIoda('MRT', 2, 0x77n);
    expect(rig.ioda('MRT', 8 + 2)).toBe(0x77n);
    rig.select('PEEV', 0x1ff, 'increment');
    door(rig);
    expect(rig.read('PHB_IODA_ADDR')).toBe(iodaAddress('PEEV', 0, 'increment'));
  });

  it('answer 0 for a reserved selector, change nothing, and report it as information', () => {
    const rig = booted();
    const reserved = iodaAddress(0, 5, 'increment');
    rig.write('PHB_IODA_ADDR', reserved);
    expect(door(rig)).toBe(0n);
    expect(rig.read('PHB_IODA_ADDR')).toBe(reserved);
    expect(rig.errors()).toEqual({ ERR_STATUS: hex(msbMask(26)), LEM_FIR_ACCUM: hex(msbMask(16)) });
    rig.clearErrors();
    rig.write('PHB_IODA_DATA0', ONES);
    expect(rig.errors()).toHaveProperty('ERR_STATUS', hex(msbMask(26)));
    expect(rig.frozenPes()).toEqual([]);
  });

  it('keep only the bits that exist in an entry', () => {
    const rig = booted();
    for (const [table, kept] of [
      ['LXIVT', '00ffffff000000ff'],
      ['PESTA', '8000000000000000'],
      ['TDR', '0000000000000000'],
      ['IVC_CAM', '0000000000000000'],
      ['M32DT', 'ffffffffffffffff'],
    ] as const) {
      rig.setIoda(table, 1, ONES);
      expect(hex(rig.ioda(table, 1)), table).toBe(kept);
    }
  });

  it('are the same two registers through the ASB, auto-increment included', () => {
    const rig = booted();
    rig.select('MRT', 4, 'increment');
    rig.asbWrite('PHB_IODA_DATA0', 0xabcn);
    rig.write('PHB_IODA_DATA0', 0xdefn);
    rig.asbWrite('PHB_IODA_ADDR', iodaAddress('MRT', 4, 'increment'));
    expect([rig.asbRead('PHB_IODA_DATA0'), rig.asbRead('PHB_IODA_DATA0')]).toEqual([0xabcn, 0xdefn]);
    expect(rig.asbRead('PHB_IODA_ADDR')).toBe(iodaAddress('MRT', 6, 'increment'));
  });

  it('work through the ASB while the AIB is fenced and MMIO does not', () => {
    const rig = booted();
    rig.setIoda('PESTA', 9, msbMask(0));
    rig.setNest('NFIR_OR', 0xf0_0000_0000n);
    expect(rig.ioda('PESTA', 9)).toBe(ONES);
    expect(rig.asbIoda('PESTA', 9)).toBe(msbMask(0));
    rig.asbWrite('PHB_IODA_ADDR', iodaAddress('PESTA', 9, 'stay'));
    rig.asbWrite('PHB_IODA_DATA0', 0n);
    expect(rig.asbIoda('PESTA', 9)).toBe(0n);
  });

  it('start anew after a reset of the whole bridge', () => {
    const rig = booted();
    rig.setIoda('MRT', 1, 5n);
    rig.setIoda('TVT', 511, 5n);
    rig.setIoda('RBA', 3, 5n);
    rig.setIoda('PEEV', 3, 5n);
    rig.etuReset('held');
    rig.etuReset('released');
    expect(rig.read('PHB_IODA_ADDR')).toBe(0n);
    expect(['MRT', 'TVT', 'RBA', 'PEEV', 'M64BT', 'LXIVT', 'M32DT'].map((t) => rig.ioda(t as 'MRT', 1))).toEqual(
      new Array(7).fill(0n),
    );
    expect([rig.ioda('TVT', 511), rig.ioda('RBA', 3), rig.ioda('PEEV', 3), rig.ioda('M64BT', 0)]).toEqual([
      0n,
      0n,
      0n,
      0n,
    ]);
  });
});
