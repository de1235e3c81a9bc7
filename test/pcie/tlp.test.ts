import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { completionWithData, splitCompletions } from '../../src/pcie/completion.js';
import {
  addressOf,
  addressPlus,
  addressValue,
  bdf,
  configRead,
  configWrite,
  errorMessage,
  formatBdf,
  memoryRead,
  memoryWrite,
  splitRequest,
  wireBytes,
} from '../../src/pcie/tlp.js';

const FROM = { requesterId: bdf(1, 0, 0), tag: 3 };
const HIGH = addressOf(0x1_2345_6780n);
const LOW = addressOf(0x2345_6780n);

describe('bytes on the wire', () => {
  it.each([
    ['a 64-bit write', memoryWrite(1, HIGH, new Uint8Array(64)), 24 + 64],
    ['a 32-bit write', memoryWrite(1, LOW, new Uint8Array(64)), 20 + 64],
    ['a 64-bit read request', memoryRead(FROM, HIGH, 512), 24],
    ['a 32-bit read request', memoryRead(FROM, LOW, 512), 20],
    ['a completion', completionWithData(memoryRead(FROM, HIGH, 128), 0, new Uint8Array(128)), 20 + 128],
    ['a configuration read', configRead(FROM, { target: 0x100, register: 0, type: 0 }, 4), 20],
    ['a configuration write', configWrite(FROM, { target: 0x100, register: 0, type: 1 }, new Uint8Array(4)), 24],
    ['a message', errorMessage(1, 'ERR_FATAL'), 28],
    ['a write with end-to-end CRC', { ...memoryWrite(1, HIGH, new Uint8Array(8)), digest: true }, 24 + 8 + 4],
  ])('%s', (_what, tlp, bytes) => {
    expect(wireBytes(tlp)).toBe(bytes);
  });
});

describe('cutting', () => {
  const anyAddress = fc.bigInt({ min: 0n, max: 0xffff_ffff_0000n });

  it('never lets a request cross 4 KiB or exceed its largest size, and covers each byte once', () => {
    fc.assert(
      fc.property(
        anyAddress,
        fc.integer({ min: 1, max: 20_000 }),
        fc.constantFrom(128, 256, 512, 4096),
        (at, length, max) => {
          const pieces = splitRequest(addressOf(at), length, max);
          let next = at;
          for (const piece of pieces) {
            const start = addressValue(piece.address.hi, piece.address.lo);
            expect(start).toBe(next);
            expect(piece.offset).toBe(Number(next - at));
            expect(piece.lengthBytes).toBeLessThanOrEqual(max);
            expect(start >> 12n).toBe((start + BigInt(piece.lengthBytes) - 1n) >> 12n);
            next += BigInt(piece.lengthBytes);
          }
          expect(next).toBe(at + BigInt(length));
        },
      ),
      { seed: 1, numRuns: 200 },
    );
  });

  it('uses as few packets as the payload size allows when the start is aligned', () => {
    expect(splitRequest(addressOf(0x1000n), 1500, 256)).toHaveLength(6);
    expect(splitRequest(addressOf(0x1000n), 257, 256)).toHaveLength(2);
  });

  it('ends every completion but the last on a read completion boundary and counts the bytes down', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 4095 }),
        fc.integer({ min: 1, max: 4096 }),
        fc.constantFrom(128, 256, 512),
        fc.constantFrom(64 as const, 128 as const),
        (start, length, maxPayloadBytes, boundaryBytes) => {
          const data = Uint8Array.from({ length }, (_, i) => i * 7);
          const request = memoryRead(FROM, addressOf(BigInt(start)), length);
          const pieces = splitCompletions(request, 0, data, { maxPayloadBytes, boundaryBytes });
          let done = 0;
          for (const [i, piece] of pieces.entries()) {
            expect(piece.byteCount).toBe(length - done);
            expect(piece.lowerAddress).toBe((start + done) & 0x7f);
            expect(piece.lengthBytes).toBeLessThanOrEqual(maxPayloadBytes);
            expect([...piece.data!]).toEqual([...data.subarray(done, done + piece.lengthBytes)]);
            done += piece.lengthBytes;
            if (i < pieces.length - 1) expect((start + done) % boundaryBytes).toBe(0);
          }
          expect(done).toBe(length);
        },
      ),
      { seed: 1, numRuns: 200 },
    );
  });
});

describe('addresses and identifiers', () => {
  it('carries from the lower half into the upper', () => {
    expect(addressPlus({ hi: 1, lo: 0xffff_fff0 }, 0x20)).toEqual({ hi: 2, lo: 0x10 });
    expect(addressPlus({ hi: 0xffff_ffff, lo: 0xffff_ffff }, 1)).toEqual({ hi: 0, lo: 0 });
  });

  it('writes bus, device and function as people do', () => {
    expect(formatBdf(bdf(0x0a, 0x1f, 7))).toBe('0a:1f.7');
  });
});
