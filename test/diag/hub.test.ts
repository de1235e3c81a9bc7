import { describe, expect, it } from 'vitest';
import {
  decodeHubDiagData,
  encodeHubDiagData,
  formatHubDiagData,
  HUB_DIAG_BYTES,
  type HubDiagData,
} from '../../src/diag/p7ioc/hub.js';

const word = (value: bigint): string => value.toString(16).padStart(16, '0');
const COMMON = { gemXfir: 1n, gemRwof: 5n, lemFir: 6n, lemWof: 0xan };
const GEM = `  GEM: ${[1n, 0n, 0n, 0n, 5n].map(word).join(' ')}`;
const LEM = `  LEM: ${[6n, 0n, 0n, 0n, 0xan].map(word).join(' ')}`;

describe('diag data of a P7IOC hub', () => {
  it.each<[HubDiagData, string[]]>([
    [
      { type: 'RGC', words: { ...COMMON, rgcStatus: 0x11n, rgcLdcp: 0x12n } },
      ['P7IOC diag-data for RGC\n', GEM, LEM, `  RGC: ${word(0x11n)} ${word(0x12n)}`],
    ],
    [
      { type: 'BI', instance: 1, words: { biFenceStatus: 4n } },
      ['P7IOC diag-data for BI Downbound\n', `  BI:  ${[0n, 0n, 0n, 4n].map(word).join(' ')}`],
    ],
    [{ type: 'BI', instance: 0, words: {} }, ['P7IOC diag-data for BI Upbound\n']],
    [
      { type: 'CI', instance: 1, words: { ciPortLdcp: 2n, lemFir: 6n, lemWof: 0xan } },
      ['P7IOC diag-data for CI Port 1\n', LEM, `  CI:  ${word(0n)} ${word(2n)}`],
    ],
    [{ type: 'MISC', words: COMMON }, ['P7IOC diag-data for MISC\n', GEM, LEM]],
    [{ type: 'I2C', words: { gemXfir: 1n, gemRwof: 5n } }, ['P7IOC diag-data for I2C\n', GEM]],
  ])('is printed as the kernel does, leaving out what is zero (%#)', (data, lines) => {
    const bytes = encodeHubDiagData(data);
    expect(bytes).toHaveLength(HUB_DIAG_BYTES);
    expect(formatHubDiagData(decodeHubDiagData(bytes)!)).toEqual(lines);
    expect(formatHubDiagData(data)).toEqual(lines);
  });

  it('stands at the offsets of the structure', () => {
    const bytes = encodeHubDiagData({
      type: 'CI',
      instance: 3,
      words: { gemXfir: 0x8877n, lemWof: 1n, ciPortStatus: 2n },
    });
    expect([bytes[1], bytes[14], bytes[15], bytes[87], bytes[95], bytes[104]]).toEqual([3, 0x88, 0x77, 1, 2, 3]);
  });

  it('of an unknown type, or cut short, is none', () => {
    const bytes = encodeHubDiagData({ type: 'RGC', words: {} });
    expect(decodeHubDiagData(bytes.subarray(0, 127))).toBeUndefined();
    bytes[1] = 9;
    expect(decodeHubDiagData(bytes)).toBeUndefined();
    expect(decodeHubDiagData(new Uint8Array(0))).toBeUndefined();
  });
});
