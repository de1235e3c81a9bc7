import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesToValue, swapConfig, unswapConfig, valueToBytes } from '../../src/ioda/byte-order.js';

const SETTINGS = { seed: 1, numRuns: 300 } as const;
const bytesOf = fc.constantFrom(1, 2, 4, 8).chain((length) => fc.uint8Array({ minLength: length, maxLength: length }));
/** A number of the bytes that a double holds exactly. */
const configOf = fc
  .constantFrom(1, 2, 4, 8)
  .chain((sizeBytes) =>
    fc.record({ sizeBytes: fc.constant(sizeBytes), value: fc.nat(2 ** Math.min(8 * sizeBytes, 31) - 1) }),
  );

describe('the bytes of a load', () => {
  it('stand in the value from its top, and back', () => {
    fc.assert(
      fc.property(bytesOf, (bytes) => {
        const value = bytesToValue(bytes);
        expect(value.toString(16).padStart(2 * bytes.length, '0')).toBe(Buffer.from(bytes).toString('hex'));
        expect(valueToBytes(value, bytes.length)).toEqual(bytes);
      }),
      SETTINGS,
    );
  });
});

describe('a configuration register', () => {
  it('is little-endian: its bytes stand in the value the other way round, in every size', () => {
    fc.assert(
      fc.property(configOf, ({ sizeBytes, value }) => {
        const little = value
          .toString(16)
          .padStart(2 * sizeBytes, '0')
          .match(/../g)!
          .reverse()
          .join('');
        expect(swapConfig(value, sizeBytes)).toBe(BigInt(`0x${little}`));
        expect(unswapConfig(swapConfig(value, sizeBytes), sizeBytes)).toBe(value);
      }),
      SETTINGS,
    );
  });

  it('keeps both halves of eight bytes apart', () => {
    expect(swapConfig(0x0001_0203_0405_0607, 8)).toBe(0x0706_0504_0302_0100n);
    expect(unswapConfig(0xc001_4000_0000_0000n, 8)).toBe(0x0040_01c0);
    expect(unswapConfig(0x0000_0000_0100_0000n, 8)).toBe(2 ** 32);
  });

  it('takes as many bytes of a wider value as it has', () => {
    expect([unswapConfig(0x1234_5678n, 2), unswapConfig(0x1234_5678n, 1)]).toEqual([0x7856, 0x78]);
  });
});
