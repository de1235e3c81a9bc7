import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  amend,
  ConfigAccessError,
  ConfigDeclarationError,
  type ConfigLayout,
  ConfigSpace,
} from '../../src/pcie/config-space.js';

const LAYOUT = {
  FIXED: { at: 0x00, size: 4, reset: 0x1234_5678, about: 'read-only' },
  STORAGE: { at: 0x04, size: 2, writable: 0x0ff0, about: 'some bits', fields: { LOW: 0x00f0, HIGH: 0x0f00 } },
  STATUS: { at: 0x06, size: 2, reset: 0x0010, writeOneClears: 0xff00, about: 'write 1 to clear', sticky: true },
  CLASS: { at: 0x09, size: 3, reset: 0x01_0802, about: 'three bytes' },
  WIDE: { at: 0x10, size: 4, writable: 0xffff_ffff, reset: 0x8000_0001, about: 'all bits' },
} as const satisfies ConfigLayout;

const space = () => new ConfigSpace<keyof typeof LAYOUT>('test', LAYOUT);

describe('a configuration space', () => {
  it('is little-endian and reads by bytes, words and doublewords', () => {
    const config = space();
    expect(config.read(0, 4)).toBe(0x1234_5678);
    expect([0, 1, 2, 3].map((i) => config.read(i, 1))).toEqual([0x78, 0x56, 0x34, 0x12]);
    expect(config.read(2, 2)).toBe(0x1234);
    expect(config.read(8, 4)).toBe(0x0108_0200);
  });

  it('changes only writable bits, and write-1-to-clear bits only where a 1 was written', () => {
    const config = space();
    config.set('STATUS', 0xff10);
    config.write(4, 4, 0x0300_ffff);
    expect(config.get('STORAGE')).toBe(0x0ff0);
    expect(config.get('STATUS')).toBe(0xfc10);
    config.write(7, 1, 0x04);
    expect(config.get('STATUS')).toBe(0xf810);
    config.write(0, 4, 0);
    expect(config.read(0, 4)).toBe(0x1234_5678);
  });

  it('reads 0 where nothing is declared and ignores writes there', () => {
    const config = space();
    config.write(0x20, 4, 0xffff_ffff);
    expect(config.read(0x20, 4)).toBe(0);
    expect(config.registerAt(0x20)).toBeUndefined();
    expect(config.registerAt(0x0a)).toBe('CLASS');
  });

  it('answers any sequence of partial writes as a memory with masks does', () => {
    const access = fc.record({ size: fc.constantFrom(1, 2, 4), slot: fc.nat(31), value: fc.nat(0xffff_ffff) });
    fc.assert(
      fc.property(fc.array(access, { maxLength: 40 }), (accesses) => {
        const config = space();
        const model = Uint8Array.from({ length: 32 }, (_, i) => config.peek(i, 1));
        const writable = new Uint8Array(32);
        const clears = new Uint8Array(32);
        writable.set([0xf0, 0x0f], 4);
        writable.set([255, 255, 255, 255], 0x10);
        clears.set([0, 0xff], 6);
        for (const { size, slot, value } of accesses) {
          const at = (slot - (slot % size)) % 32;
          const written = value % 2 ** (8 * size);
          config.write(at, size, written);
          for (let i = 0; i < size; i++) {
            const byte = Math.floor(written / 2 ** (8 * i)) & 0xff;
            const kept = model[at + i]! & ~writable[at + i]! & ~(byte & clears[at + i]!);
            model[at + i] = kept | (byte & writable[at + i]!);
          }
          for (let i = 0; i < 32; i++) expect(config.read(i, 1)).toBe(model[i]);
        }
      }),
      { seed: 1, numRuns: 100 },
    );
  });

  it('tells a hook what was written, and shows live bits through a partial read', () => {
    const config = space();
    const seen: number[][] = [];
    config.hook('STORAGE', { onWrite: (value, old, written) => seen.push([value, old, written]) });
    config.hook('STATUS', { onRead: (stored) => stored | 0x4000 });
    config.write(4, 2, 0xffff);
    config.write(5, 1, 0x02);
    expect(seen).toEqual([
      [0x0ff0, 0x0000, 0xffff],
      [0x02f0, 0x0ff0, 0x02f0],
    ]);
    expect(config.read(7, 1)).toBe(0x40);
    expect(config.live('STATUS')).toBe(0x4010);
    expect(config.peek(6, 2)).toBe(0x0010);
  });

  it('does not take untouched status bits for written ones', () => {
    const config = space();
    let written = -1;
    config.hook('STATUS', { onWrite: (_value, _old, w) => (written = w) });
    config.set('STATUS', 0xff10);
    config.write(6, 1, 0);
    expect(written).toBe(0);
  });

  it('reads and writes fields by name', () => {
    const config = space();
    config.setField('STORAGE', 'HIGH', 0xa);
    config.setField('STORAGE', 'LOW', 0x15);
    expect(config.get('STORAGE')).toBe(0x0a50);
    expect(config.field('STORAGE', 'HIGH')).toBe(0xa);
    expect(config.has('STORAGE', 'LOW')).toBe(true);
  });

  it('resets all, or all but the sticky registers', () => {
    const config = space();
    config.set('WIDE', 0);
    config.set('STATUS', 0xff00);
    config.reset('hot');
    expect([config.get('WIDE'), config.get('STATUS')]).toEqual([0x8000_0001, 0xff00]);
    config.reset('fundamental');
    expect(config.get('STATUS')).toBe(0x0010);
  });

  it('keeps bit 31 a plain number', () => {
    const config = space();
    config.or('WIDE', 0x4000_0000);
    config.clear('WIDE', 1);
    expect(config.get('WIDE')).toBe(0xc000_0000);
    expect(config.read(0x10, 4)).toBe(0xc000_0000);
  });
});

describe('mistakes are told', () => {
  it.each([
    [1, 2],
    [2, 4],
    [0x1000, 1],
    [0, 3],
    [-4, 4],
  ])('access at %i of %i bytes', (offset, size) => {
    expect(() => space().read(offset, size)).toThrow(ConfigAccessError);
    expect(() => space().write(offset, size, 0)).toThrow(/naturally aligned/);
  });

  it.each([
    ['overlaps', { A: { at: 0, size: 4, about: '' }, B: { at: 2, size: 2, about: '' } }],
    ['outside 4 KiB', { A: { at: 0xffe, size: 4, about: '' } }],
    ['holds only 1 bytes', { A: { at: 0, size: 1, reset: 0x100, about: '' } }],
    ['both writable', { A: { at: 0, size: 1, writable: 3, writeOneClears: 1, about: '' } }],
  ] as [string, ConfigLayout][])('a layout that %s', (problem, layout) => {
    expect(() => new ConfigSpace('bad', layout)).toThrow(ConfigDeclarationError);
    expect(() => new ConfigSpace('bad', layout)).toThrow(problem);
  });

  it('an unknown register or field, and a second owner of a register', () => {
    const config = new ConfigSpace('test', LAYOUT as ConfigLayout);
    expect(() => config.get('NOTHING')).toThrow('no register NOTHING');
    expect(() => config.field('STORAGE', 'MIDDLE')).toThrow('no field MIDDLE');
    config.hook('WIDE', {});
    expect(() => config.hook('WIDE', {})).toThrow('hooked twice');
  });
});

it('amend changes one register and leaves the others', () => {
  const changed = amend<keyof typeof LAYOUT>(LAYOUT, { FIXED: { reset: 7 } });
  expect(changed.FIXED).toEqual({ ...LAYOUT.FIXED, reset: 7 });
  expect(changed.WIDE).toBe(LAYOUT.WIDE);
});
