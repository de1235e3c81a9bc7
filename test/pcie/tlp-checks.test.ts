import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { completion, completionWithData } from '../../src/pcie/completion.js';
import {
  addressOf,
  atomicRequest,
  bdf,
  configRead,
  configWrite,
  errorMessage,
  ioRead,
  ioWrite,
  MessageCode,
  memoryRead,
  memoryWrite,
  message,
  type Tlp,
} from '../../src/pcie/tlp.js';
import { type Malformation, malformation } from '../../src/pcie/tlp-checks.js';
import { PACKET_DEFECTS, type PacketDefect, withDefect } from '../../src/pcie/tlp-defects.js';
import { headerOf } from '../../src/pcie/tlp-header.js';

const FROM = { requesterId: bdf(3, 0, 1), tag: 0x2a };
const LOW = addressOf(0x8000_1000n);
const HIGH = addressOf(0x12_8000_1004n);
const bytes = (length: number) => new Uint8Array(length);

describe('a header', () => {
  const read = memoryRead(FROM, LOW, 16);
  const config = { target: bdf(4, 2, 1), register: 0x13e, type: 1 } as const;
  it.each([
    ['a 32-bit read', read, [0x0000_0004, 0x0301_2aff, 0x8000_1000, 0]],
    ['a 64-bit read', memoryRead(FROM, HIGH, 4), [0x2000_0001, 0x0301_2a0f, 0x12, 0x8000_1004]],
    ['a read of no bytes', memoryRead(FROM, LOW, 0), [0x0000_0001, 0x0301_2a00, 0x8000_1000, 0]],
    [
      'bytes 3 to 5',
      memoryWrite(FROM.requesterId, addressOf(0x1003n), bytes(3)),
      [0x4000_0002, 0x0301_0038, 0x1000, 0],
    ],
    ['4 KiB', memoryRead(FROM, LOW, 4096), [0, 0x0301_2aff, 0x8000_1000, 0]],
    ['poison', { ...memoryWrite(1, LOW, bytes(4)), poisoned: true }, [0x4000_4001, 0x0001_000f, 0x8000_1000, 0]],
    ['a digest', { ...memoryWrite(1, LOW, bytes(4)), digest: true }, [0x4000_8001, 0x0001_000f, 0x8000_1000, 0]],
    [
      'class 5, no snoop, relaxed and ID ordering',
      { ...read, trafficClass: 5, attributes: 7 },
      [0x0054_3004, 0x0301_2aff, 0x8000_1000, 0],
    ],
    ['a configuration write', configWrite(FROM, config, bytes(2)), [0x4500_0001, 0x0301_2a0c, 0x0411_013c, 0]],
    ['a configuration read', configRead(FROM, { ...config, type: 0 }, 1), [0x0400_0001, 0x0301_2a04, 0x0411_013c, 0]],
    ['an I/O read', ioRead(FROM, 0x1f2, 2), [0x0200_0001, 0x0301_2a0c, 0x1f0, 0]],
    ['an I/O write', ioWrite(FROM, 0x1f0, bytes(4)), [0x4200_0001, 0x0301_2a0f, 0x1f0, 0]],
    ['an atomic', atomicRequest('CAS', FROM, HIGH, bytes(16)), [0x6e00_0004, 0x0301_2a00, 0x12, 0x8000_1004]],
    ['a refusal', completion(read, bdf(1, 0, 0), 'UR'), [0x0a00_0000, 0x0100_2010, 0x0301_2a00, 0]],
    ['an abort', completion(read, bdf(1, 0, 0), 'CA'), [0x0a00_0000, 0x0100_8010, 0x0301_2a00, 0]],
    [
      'an answer',
      completionWithData(memoryRead(FROM, addressOf(0x1046n), 2), bdf(1, 0, 0), bytes(2)),
      [0x4a00_0001, 0x0100_0002, 0x0301_2a46, 0],
    ],
    ['an error message', errorMessage(0x300, 'ERR_FATAL'), [0x3000_0000, 0x0300_0033, 0, 0]],
    ['a pin', message(0x300, MessageCode.ASSERT_INTB), [0x3400_0000, 0x0300_0021, 0, 0]],
    ['a broadcast', message(0, MessageCode.PME_TURN_OFF), [0x3300_0000, 0x0000_0019, 0, 0]],
  ] as [string, Tlp, number[]][])('shows %s bit by bit', (_what, tlp, dwords) => {
    expect(headerOf(tlp).map((dword) => dword.toString(16))).toEqual(dwords.map((dword) => dword.toString(16)));
  });
});

describe('a receiver calls malformed', () => {
  const rules = { maxPayloadBytes: 256, from: 'above' } as const;
  const write = memoryWrite(1, LOW, bytes(16));
  const config = configRead(FROM, { target: 0x100, register: 0, type: 0 }, 4);
  it.each([
    ['a type nobody defined', { ...write, header: { formatAndType: 0x7f } }, 'undefined-type'],
    ['a length that is not the payload', { ...write, header: { lengthDwords: 5 } }, 'length-not-payload'],
    ['data that are not there', { ...write, lengthBytes: 32 }, 'length-not-payload'],
    ['a payload over its limit', memoryWrite(1, LOW, bytes(257)), 'payload-too-long'],
    ['a completion over its limit', completionWithData(memoryRead(FROM, LOW, 512), 0, bytes(512)), 'payload-too-long'],
    ['a write over a 4 KiB boundary', memoryWrite(1, addressOf(0x1ffcn), bytes(8)), 'crosses-4k'],
    ['a read over a 4 KiB boundary', memoryRead(FROM, addressOf(0x1ff0n), 17), 'crosses-4k'],
    [
      'one doubleword with a last byte enable',
      { ...memoryRead(FROM, LOW, 4), header: { lastByteEnables: 1 } },
      'byte-enables',
    ],
    ['several without a first byte enable', { ...write, header: { firstByteEnables: 0 } }, 'byte-enables'],
    ['several without a last byte enable', { ...write, header: { lastByteEnables: 0 } }, 'byte-enables'],
    ['a hole after the first byte enable', { ...write, header: { firstByteEnables: 0x5 } }, 'byte-enables'],
    ['a hole before the last byte enable', { ...write, header: { lastByteEnables: 0xa } }, 'byte-enables'],
    ['configuration of two doublewords', { ...config, header: { lengthDwords: 2 } }, 'not-one-dword'],
    ['configuration with a last byte enable', { ...config, header: { lastByteEnables: 8 } }, 'byte-enables'],
    ['configuration in another traffic class', { ...config, trafficClass: 1 }, 'traffic-class'],
    ['I/O across a doubleword', ioRead(FROM, 0x1f2, 4), 'not-one-dword'],
    ['an error message in another traffic class', { ...errorMessage(1, 'ERR_COR'), trafficClass: 3 }, 'traffic-class'],
    ['an interrupt pin from above', message(1, MessageCode.ASSERT_INTA), 'interrupt-from-above'],
    ['an atomic of 12 bytes', atomicRequest('Swap', FROM, LOW, bytes(12)), 'operand'],
    ['an atomic off its boundary', atomicRequest('FetchAdd', FROM, HIGH, bytes(8)), 'operand'],
    ['a 16-byte operand of an addition', atomicRequest('FetchAdd', FROM, LOW, bytes(16)), 'operand'],
  ] as [string, Tlp, Malformation][])('%s', (_what, tlp, broken) => {
    expect(malformation(tlp, rules)).toBe(broken);
  });

  it.each([
    ['a hole in one doubleword', { ...memoryRead(FROM, LOW, 4), header: { firstByteEnables: 0x9 } }],
    [
      'holes in an aligned quadword',
      { ...memoryRead(FROM, LOW, 8), header: { firstByteEnables: 0x9, lastByteEnables: 5 } },
    ],
    ['a write to the end of a page', memoryWrite(1, addressOf(0x1f00n), bytes(256))],
    ['a long read', memoryRead(FROM, LOW, 4096)],
    ['compare and swap of 16 bytes', atomicRequest('CAS', FROM, LOW, bytes(32))],
    ['another traffic class of a write', { ...write, trafficClass: 7 }],
  ] as [string, Tlp][])('not %s', (_what, tlp) => {
    expect(malformation(tlp, rules)).toBeUndefined();
  });

  it('pins only from above', () => {
    expect(malformation(message(1, MessageCode.ASSERT_INTA), { ...rules, from: 'below' })).toBeUndefined();
  });

  it('every write with a defect of its form, and none without', () => {
    const broken: Partial<Record<PacketDefect, Malformation>> = {
      'length-not-payload': 'length-not-payload',
      'payload-too-long': 'payload-too-long',
      'crosses-4k': 'crosses-4k',
      'byte-enables': 'byte-enables',
      'undefined-type': 'undefined-type',
    };
    const address = fc.integer({ min: 0, max: 0xffff_f000 });
    fc.assert(
      fc.property(
        address,
        fc.integer({ min: 1, max: 128 }),
        fc.constantFrom(...PACKET_DEFECTS),
        (lo, length, defect) => {
          const at = Math.floor(lo / 256) * 256 + (lo % 128);
          const tlp = memoryWrite(1, { hi: 0, lo: at }, bytes(length));
          expect(malformation(tlp, rules)).toBeUndefined();
          expect(malformation(withDefect(tlp, defect, 256), rules)).toBe(broken[defect]);
        },
      ),
      { seed: 1, numRuns: 300 },
    );
  });
});
