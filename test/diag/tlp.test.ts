import { describe, expect, it } from 'vitest';
import { readTlpEitherWay, readTlpHeader } from '../../src/diag/tlp.js';

describe('the logged header of a packet', () => {
  it.each([
    ['a 32-bit read', [0x00000001, 0x0100040f, 0x80001000, 0], 'MRd from 01:00.0, tag 04, address 0x80001000, 1 dword'],
    [
      'a 64-bit write',
      [0x60000020, 0x0d0012ff, 0x08000000, 0x12345680],
      'MWr from 0d:00.0, tag 12, address 0x0800000012345680, 32 dwords',
    ],
    [
      'a poisoned write',
      [0x40004001, 0x0100000f, 0x1000, 0],
      'MWr from 01:00.0, tag 00, address 0x00001000, 1 dword, poisoned',
    ],
    ['a config read', [0x04000001, 0x0000000f, 0x01000010, 0], 'CfgRd0 from 00:00.0 to 01:00.0 register 0x010'],
    [
      'a config write further down',
      [0x45000001, 0x0000000f, 0x0d000104, 0],
      'CfgWr1 from 00:00.0 to 0d:00.0 register 0x104',
    ],
    [
      'a refused completion',
      [0x0a000000, 0x02302004, 0x00000500, 0],
      'Cpl from 02:06.0 to 00:00.0, tag 05, Unsupported Request, 1024 dwords',
    ],
    [
      'an aborted completion',
      [0x0a000001, 0x02308004, 0x00000500, 0],
      'Cpl from 02:06.0 to 00:00.0, tag 05, Completer Abort, 1 dword',
    ],
    ['an error message', [0x30000000, 0x05000033, 0, 0], 'Msg from 05:00.0: ERR_FATAL'],
    ['a message nobody knows', [0x74000001, 0x05000077, 0, 0], 'MsgD from 05:00.0: code 0x77'],
    ['no packet', [0x9f000000, 0, 0, 0], 'no packet of the specification (first byte 0x9f)'],
  ])('of %s is named', (_, words, text) => {
    expect(readTlpHeader(words)?.text).toBe(text);
  });

  it('that is empty or all ones is none', () => {
    expect(readTlpHeader([0, 0, 0, 0])).toBeUndefined();
    expect(readTlpHeader([0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff])).toBeUndefined();
    expect(readTlpHeader([])).toBeUndefined();
  });

  it('is read with its bytes turned round where only that makes a packet', () => {
    expect(readTlpEitherWay([0xc40000ff, 0, 0, 0])?.name).toBe('unknown');
    expect(readTlpEitherWay([0x04000001, 0, 0, 0])?.name).toBe('CfgRd0');
    expect(readTlpEitherWay([0x9f000004, 0x0f000000, 0x10000001, 0])?.text).toContain('CfgRd0');
  });
});
