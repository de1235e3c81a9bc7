import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DiagDataError, formatPest } from '../../src/diag/layout.js';
import { decodePhb3DiagData, encodePhb3DiagData, formatPhb3DiagData, PHB3_LAYOUT } from '../../src/diag/phb3/layout.js';
import { PHB4_LAYOUT } from '../../src/diag/phb4/layout.js';
import { ALL_ONES } from '../../src/hw/bits.js';
import { dataOf } from './support.js';

const FROZEN = 1n << 63n;
const view = (bytes: Uint8Array) => new DataView(bytes.buffer);

describe('the PHB3 diag-data structure', () => {
  it('has every field at the offset firmware uses', () => {
    const offset = Object.fromEntries(PHB3_LAYOUT.fields.map((field) => [field.name, field.offset]));
    expect(offset).toMatchObject({
      brdgCtl: 0x0c,
      deviceStatus: 0x1c,
      rootErrorStatus: 0x30,
      sourceId: 0x4c,
      errorClass: 0x58,
      nFir: 0x68,
      phbPlssr: 0x80,
      lemWOF: 0xa0,
      phbErrorStatus: 0xa8,
      mmioErrorLog1: 0xe0,
      dma0ErrorStatus: 0xe8,
      dma1ErrorLog1: 0x120,
    });
  });

  it('is big-endian, with version, type and length in front and the PEST columns at the end', () => {
    const data = dataOf(
      PHB3_LAYOUT,
      { deviceStatus: 0x0102_0304n, lemFir: 0x1122_3344_5566_7788n },
      { 255: [FROZEN | 5n, FROZEN] },
    );
    const bytes = encodePhb3DiagData(data);
    expect(bytes).toHaveLength(4392);
    expect([0, 4, 8].map((offset) => view(bytes).getUint32(offset))).toEqual([1, 2, 0x1128]);
    expect([...bytes.subarray(0x1c, 0x20)]).toEqual([1, 2, 3, 4]);
    expect(view(bytes).getBigUint64(0x90)).toBe(0x1122_3344_5566_7788n);
    expect(view(bytes).getBigUint64(0x128 + 255 * 8)).toBe(FROZEN | 5n);
    expect(view(bytes).getBigUint64(0x928 + 255 * 8)).toBe(FROZEN);
    expect(view(bytes).getUint32(0x54)).toBe(0);
  });

  it('gives back what was put in, for any contents', () => {
    const fields = fc.record(
      Object.fromEntries(
        PHB3_LAYOUT.fields.map(({ name, bytes }) => [
          name,
          fc.bigInt({ min: 0n, max: (1n << BigInt(bytes * 8)) - 1n }),
        ]),
      ),
    );
    const column = fc.array(fc.bigInt({ min: 0n, max: ALL_ONES }), { minLength: 256, maxLength: 256 });
    fc.assert(
      fc.property(fields, column, column, (values, pestA, pestB) => {
        const back = decodePhb3DiagData(encodePhb3DiagData({ fields: values, pestA, pestB }));
        expect(back).toEqual({ version: 1, fields: values, pestA, pestB });
      }),
      { seed: 1, numRuns: 20 },
    );
  });

  it('refuses what is no PHB3 buffer, and says why', () => {
    const bytes = encodePhb3DiagData(dataOf(PHB3_LAYOUT, {}));
    expect(() => decodePhb3DiagData(bytes.subarray(0, 4391))).toThrow(/4392 bytes, got 4391/);
    view(bytes).setUint32(4, 3);
    expect(() => decodePhb3DiagData(bytes)).toThrow(/ioType is 3/);
    expect(() => encodePhb3DiagData({ fields: { brdgCtl: 1n << 32n }, pestA: [], pestB: [] })).toThrow(DiagDataError);
    expect(() => encodePhb3DiagData({ fields: { brdgCtl: -1n }, pestA: [], pestB: [] })).toThrow(/brdgCtl/);
    expect(() => encodePhb3DiagData({ fields: {}, pestA: Array(257).fill(0n), pestB: [] })).toThrow(/256 PEST entries/);
  });
});

describe("the kernel's text of a dump", () => {
  it('of PHB3 prints only lines with something in them, values from column 13, the number in hex', () => {
    const data = dataOf(
      PHB3_LAYOUT,
      {
        brdgCtl: 2n,
        deviceStatus: 0xfn,
        slotStatus: 0x400000n,
        linkStatus: 0xb0830008n,
        devCmdStatus: 0x00100147n,
        devSecStatus: 0x2000n,
        nFirMask: 0x0030006e00000000n,
        phbPlssr: 0x0000001c00000000n,
        lemFir: 0x100000n,
        lemErrorMask: 0x42498e327f502eaen,
        dma0ErrorStatus: FROZEN,
        dma0FirstErrorStatus: FROZEN,
        dma0ErrorLog0: 0x0402030000000000n,
      },
      { 8: [0x8480002b00000000n, FROZEN] },
    );
    expect(formatPhb3DiagData(data, 0x1f)).toEqual([
      'PHB3 PHB#1f Diag-data (Version: 1)',
      'brdgCtl:     00000002',
      'RootSts:     0000000f 00400000 b0830008 00100147 00002000',
      'PhbSts:      0000001c00000000 0000000000000000',
      'Lem:         0000000000100000 42498e327f502eae 0000000000000000',
      'InAErr:      8000000000000000 8000000000000000 0402030000000000 0000000000000000',
      'PE[008] A/B: 8480002b00000000 8000000000000000',
    ]);
  });

  it('folds equal neighbours and leaves a run at the end of the table open', () => {
    const frozen = { a: FROZEN, b: FROZEN };
    const idle = { a: 5n, b: 0n };
    expect(formatPest([frozen, frozen, frozen, idle, frozen, frozen])).toEqual([
      'PE[000] A/B: 8000000000000000 8000000000000000',
      'PE[..002] A/B: as above',
      'PE[004] A/B: 8000000000000000 8000000000000000',
    ]);
  });

  it('prints no first line for a table that starts with ones', () => {
    const ones = { a: ALL_ONES, b: ALL_ONES };
    expect(formatPest([ones, ones, { a: 0n, b: 0n }])).toEqual(['PE[..001] A/B: as above']);
  });

  it('of PHB4 has its fields where its firmware puts them', () => {
    const offset = Object.fromEntries(PHB4_LAYOUT.fields.map((field) => [field.name, field.offset]));
    expect(offset).toMatchObject({
      brdgCtl: 0x0c,
      sourceId: 0x40,
      nFir: 0x48,
      phbErrorStatus: 0x88,
      phbRxeTceErrorLog1: 0x120,
      phbPcieDlpErrorLog1: 0x148,
      phbPcieDlpErrorStatus: 0x158,
      phbRegbErrorLog1: 0x178,
    });
  });
});
