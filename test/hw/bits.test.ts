import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ALL_ONES,
  bit,
  bits,
  fieldMask,
  fieldWidth,
  fromHalves,
  getField,
  getFieldOfHalves,
  hex64,
  hiOf,
  loOf,
  msbMask,
  msbMasks,
  setField,
} from '../../src/hw/bits.js';
import { word64 } from './register-laws.js';

const field64 = fc.tuple(fc.nat(63), fc.nat(63)).map(([a, b]) => bits(Math.min(a, b), Math.max(a, b)));

describe('IBM bit numbers', () => {
  it('count from the most significant bit', () => {
    expect(msbMask(0)).toBe(0x8000_0000_0000_0000n);
    expect(msbMask(16)).toBe(0x0000_8000_0000_0000n);
    expect(msbMask(63)).toBe(1n);
    expect(msbMasks(0, 1, 63)).toBe(0xc000_0000_0000_0001n);
    expect(msbMasks()).toBe(0n);
  });

  it('build the configuration address of a known access', () => {
    let address = setField(0n, bit(0), 1n);
    address = setField(address, bits(4, 19), 0x0100n);
    address = setField(address, bits(20, 31), 0x104n);
    address = setField(address, bits(40, 47), 5n);
    expect(address).toBe(0x8010_0104_0005_0000n);
    expect(getField(address, bits(4, 19))).toBe(0x0100n);
    expect(fieldMask(bits(40, 47))).toBe(0x0000_0000_00ff_0000n);
  });

  it('work in words of other widths', () => {
    expect(getField(0x00ffn, bits(8, 15), 16)).toBe(0xffn);
    expect(setField(0n, bit(0), 1n, 128)).toBe(1n << 127n);
    expect(fieldWidth(bits(0, 127))).toBe(128);
  });

  it('that do not exist are refused', () => {
    expect(() => msbMask(64)).toThrow(/bit 64 is outside/);
    expect(() => bits(5, 4)).toThrow(/bits\(5, 4\) is no field/);
    expect(() => bit(-1)).toThrow(RangeError);
    expect(() => bits(0.5, 1)).toThrow(RangeError);
    expect(() => getField(0n, bits(60, 64))).toThrow(/does not fit in 64 bits/);
  });
});

describe('a field', () => {
  it('reads back what was set, cut to its width, and leaves the other bits alone', () => {
    fc.assert(
      fc.property(word64, field64, word64, (word, spec, value) => {
        const changed = setField(word, spec, value);
        expect(getField(changed, spec)).toBe(BigInt.asUintN(fieldWidth(spec), value));
        expect(changed & ~fieldMask(spec)).toBe(word & ~fieldMask(spec));
      }),
      { seed: 1, numRuns: 500 },
    );
  });

  it('of up to 32 bits is the same from the halves as from the whole word', () => {
    const narrow = field64.filter((spec) => fieldWidth(spec) <= 32);
    fc.assert(
      fc.property(word64, narrow, (word, spec) => {
        expect(getFieldOfHalves(hiOf(word), loOf(word), spec)).toBe(Number(getField(word, spec)));
      }),
      { seed: 2, numRuns: 2000 },
    );
  });
});

describe('halves', () => {
  it('make up the word again', () => {
    expect(hiOf(0x8000_0001_ffff_fffen)).toBe(0x8000_0001);
    expect(loOf(0x8000_0001_ffff_fffen)).toBe(0xffff_fffe);
    fc.assert(
      fc.property(word64, (word) => fromHalves(hiOf(word), loOf(word)) === word),
      { seed: 3, numRuns: 200 },
    );
  });

  it('given as signed numbers are taken as unsigned', () => {
    expect(fromHalves(-1, -2)).toBe(0xffff_ffff_ffff_fffen);
  });
});

it('a word prints as exactly 16 digits', () => {
  expect(hex64(0x2an)).toBe('000000000000002a');
  expect(hex64(ALL_ONES)).toBe('ffffffffffffffff');
  expect(hex64(-1n)).toBe('ffffffffffffffff');
});
