import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ALL_ONES } from '../../../src/hw/bits.js';
import {
  decodePest,
  encodePest,
  PEST_A_FIELDS,
  PEST_B_FIELDS,
  PEST_CAUSES,
  TRANSACTION_TYPE,
  type TransactionType,
} from '../../../src/ioda2/error-bits/pest.js';

describe('a PEST entry', () => {
  it('decodes the published dump: a load answered with completer abort', () => {
    expect(decodePest(0x8480002b00000000n, 0x8000000000000000n)).toEqual({
      mmioFrozen: true,
      dmaStopped: true,
      causes: ['COMPLETER_ABORT'],
      transactionType: 'mmio-load',
      lemBit: 43,
      requesterId: 0,
      msiData: 0,
      address: 0n,
    });
  });

  it('decodes a TCE page fault of a write', () => {
    expect(decodePest(0x8000b03a01000000n, 0x8000000000001000n)).toMatchObject({
      causes: ['IODA_ERROR', 'TCE_PAGE_FAULT', 'TCE_ACCESS_FAULT'],
      transactionType: 'dma-write',
      lemBit: 58,
      requesterId: 0x0100,
      address: 0x1000n,
    });
  });

  it('drops the top three bits of an address: the word has no room for them', () => {
    expect(encodePest({ address: ALL_ONES }).b).toBe(0x1fffffffffffffffn);
  });

  it('refuses numbers that do not fit', () => {
    expect(() => encodePest({ lemBit: 64 })).toThrow(/64 does not fit in bits 26:31/);
    expect(() => encodePest({ requesterId: -1 })).toThrow(/does not fit in bits 32:47/);
    expect(() => encodePest({ msiData: 0.5 })).toThrow(/does not fit/);
  });

  it('survives encoding and decoding whatever its parts', () => {
    const entry = fc.record({
      mmioFrozen: fc.boolean(),
      dmaStopped: fc.boolean(),
      causes: fc.subarray([...PEST_CAUSES]),
      transactionType: fc.constantFrom(...(Object.keys(TRANSACTION_TYPE) as TransactionType[])),
      lemBit: fc.nat(63),
      requesterId: fc.nat(0xffff),
      msiData: fc.nat(0xffff),
      address: fc.bigInt(0n, (1n << 61n) - 1n),
    });
    fc.assert(
      fc.property(entry, (parts) => {
        const { a, b } = encodePest(parts);
        expect(decodePest(a, b)).toEqual(parts);
      }),
      { seed: 1, numRuns: 200 },
    );
  });

  it('leaves the reserved bits alone', () => {
    const covered = (fields: Record<string, { at: { first: number; last: number } }>) =>
      Object.values(fields).flatMap(({ at }) => Array.from({ length: at.last - at.first + 1 }, (_, i) => at.first + i));
    const missing = (fields: Parameters<typeof covered>[0]) =>
      Array.from({ length: 64 }, (_, bit) => bit).filter((bit) => !covered(fields).includes(bit));
    expect(missing(PEST_A_FIELDS)).toEqual([1, 12, 17, 22, 23, 24, 25]);
    expect(missing(PEST_B_FIELDS)).toEqual([1, 2]);
  });
});
