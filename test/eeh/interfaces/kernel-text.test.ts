import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EINVAL, ERANGE } from '../../../src/eeh/errno.js';
import { parseSwitch, parseUnsigned, scanHex } from '../../../src/eeh/interfaces/kernel-text.js';

describe('a number written to a file', () => {
  it('may be hex, octal or decimal, with a newline behind it', () => {
    const texts = ['5', '5\n', '+5', '0x1F', '0X1f\n', '017', '0', '0\n', '18446744073709551615'];
    expect(texts.map(parseUnsigned)).toEqual([5n, 5n, 5n, 31n, 31n, 15n, 0n, 0n, 2n ** 64n - 1n]);
  });

  it('is refused when it is none, and when it does not fit 64 bits', () => {
    const texts = ['', '\n', ' 5', '5 ', '5\n\n', '-1', '0x', '08', '0x1g', 'five', '1.5'];
    expect(texts.map(parseUnsigned)).toEqual(texts.map(() => EINVAL));
    expect(['18446744073709551616', '0x10000000000000000'].map(parseUnsigned)).toEqual([ERANGE, ERANGE]);
  });

  it('comes back as it was written, in every base', () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 2n ** 64n - 1n), (value) => {
        expect(parseUnsigned(`${value}\n`)).toBe(value);
        expect(parseUnsigned(`0x${value.toString(16)}`)).toBe(value);
        expect(parseUnsigned(`0${value.toString(8)}`)).toBe(value);
      }),
      { seed: 1, numRuns: 200 },
    );
  });
});

describe('a switch', () => {
  it('is on or off by its first letters, and otherwise nothing', () => {
    expect(['y', 'Yes\n', '1', 'on', 'ON\n'].map(parseSwitch)).toEqual(['on', 'on', 'on', 'on', 'on']);
    expect(['n', 'No', '0\n', 'off', 'OF'].map(parseSwitch)).toEqual(['off', 'off', 'off', 'off', 'off']);
    expect(['', 'o', 'maybe', '2', ' y'].map(parseSwitch)).toEqual(new Array(5).fill(undefined));
  });
});

describe('hex numbers between separators', () => {
  it('are read up to where the text stops fitting', () => {
    expect(scanHex('0000:01:00.0\n', '::.')).toEqual([0n, 1n, 0n, 0n]);
    expect(scanHex('0001:0x1f: 1e.7', '::.')).toEqual([1n, 0x1fn, 0x1en, 7n]);
    expect(scanHex('0:1', '::.')).toEqual([0n, 1n]);
    expect(scanHex('0:1.0', '::.')).toEqual([0n, 1n]);
    expect(scanHex('0:', ':')).toEqual([0n]);
    expect(scanHex('xyz', ':')).toEqual([]);
    expect(scanHex('0x', ':')).toEqual([0n]);
    expect(scanHex('fd:0:4:3fe000000000:ffffffffffffffff rest', '::::')).toEqual([
      ...[0xfdn, 0n, 4n, 0x3fe0_0000_0000n],
      0xffff_ffff_ffff_ffffn,
    ]);
    expect(scanHex('1ffffffffffffffff', '')).toEqual([0xffff_ffff_ffff_ffffn]);
  });
});
