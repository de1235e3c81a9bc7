// No real dump of a P7IOC is public: these are synthetic, built from the structure and printed in the kernel's forms.
import { describe, expect, it } from 'vitest';
import { explain, explainLog } from '../../src/diag/index.js';
import { encodeDiagData, formatDiagData } from '../../src/diag/layout.js';
import { formatHubDiagData } from '../../src/diag/p7ioc/hub.js';
import { P7IOC_LAYOUT, type P7iocDiagField } from '../../src/diag/p7ioc/layout.js';
import { bitsOf, dataOf, onlyDump, type PestByPe } from './support.js';

const FROZEN = 1n << 63n;
const ALIVE = { brdgCtl: 2n, linkStatus: 0xa0830008n };

function explainP7ioc(fields: Partial<Record<P7iocDiagField, bigint>>, pest: PestByPe = {}, before = '') {
  const lines = formatDiagData(P7IOC_LAYOUT, dataOf(P7IOC_LAYOUT, { ...ALIVE, ...fields }, pest), 3);
  return explainLog(`${before}${lines.join('\n')}\n`);
}

const LEM = (bit: number) => ({ lemFir: bitsOf(bit), lemWOF: bitsOf(bit) });
const trap = (prefix: 'phb' | 'mmio' | 'dma0' | 'dma1', bit: number) => ({
  [`${prefix}ErrorStatus`]: bitsOf(bit),
  [`${prefix}FirstErrorStatus`]: bitsOf(bit),
});
const record = (type: number, lem: number, ...causes: number[]): bigint =>
  FROZEN | bitsOf(...causes) | (BigInt(type) << 56n) | (BigInt(lem) << 32n);

describe('a synthetic dump of a P7IOC bridge', () => {
  it.each([
    ['a TCE page fault', { ...LEM(58), ...trap('dma0', 29) }, record(2, 58, 16, 18), 'dma-iommu-fault'],
    ['a DMA outside its window', { ...LEM(35), ...trap('dma0', 28) }, record(0, 35, 16), 'dma-iommu-fault'],
    ["an MSI of another PE's interrupt", { ...LEM(33), ...trap('dma0', 27) }, record(1, 33, 16), 'msi-error'],
    ['an Unsupported Request', { ...LEM(43), ...trap('dma0', 1) }, record(4, 43, 2, 9), 'unsupported-request'],
    ['a Completer Abort', { ...LEM(43), ...trap('dma0', 0) }, record(4, 43, 2, 8), 'completer-abort'],
    ['a refused config write', { ...LEM(12), ...trap('mmio', 17) }, record(7, 12, 2, 4, 9), 'config-error'],
    ['an injected load', { ...LEM(3), ...trap('mmio', 28) }, record(4, 3, 2), 'operator-injected'],
    ['a fatal message', { ...LEM(36), ...trap('dma0', 49) }, record(7, 36, 11), 'pcie-ue'],
  ])('with %s names it and the PE', (_, fields, a, type) => {
    const { events, dumps } = explainP7ioc(fields, { 5: [a, FROZEN | 0x1000n] });
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({ chip: 'p7ioc', phb: 3, faultedPe: 5, severity: 'pe-frozen' });
    expect(events[0]!.cause.type).toBe(type);
    expect(dumps[0]!.pes[0]!.role).toBe('faulted');
  });

  it('with a completion timeout is a fence, because firmware lets that bit fence', () => {
    const { events } = explainP7ioc({ ...LEM(40), ...trap('dma0', 19), uncorrErrorStatus: 0x4000n });
    expect(events[0]).toMatchObject({ severity: 'phb-fenced', cause: { type: 'completion-timeout' } });
  });

  it('gives back every register, from text and from the buffer', () => {
    const fields = Object.fromEntries(
      P7IOC_LAYOUT.fields
        .filter((field) => field.name !== 'rsv3')
        .map((field, i) => [field.name, field.bytes === 4 ? BigInt(0x100 + i) : (BigInt(i + 1) << 32n) | 1n]),
    );
    const data = dataOf(P7IOC_LAYOUT, fields, { 127: [FROZEN, FROZEN] });
    for (const input of [formatDiagData(P7IOC_LAYOUT, data, 3).join('\n'), encodeDiagData(P7IOC_LAYOUT, data)]) {
      const { dump } = onlyDump(explain(input));
      expect(dump.chip).toBe('p7ioc');
      for (const [name, value] of Object.entries(fields)) expect(dump.words.get(name)?.value, name).toBe(value);
      expect(dump.pest).toMatchObject([{ first: 0x7f, last: 0x7f }]);
    }
  });

  it('of a kernel before 3.15 has one word a line, with a colon or with an equals sign', () => {
    const words = [
      ['brdgCtl', '00000002'],
      ['linkStatus', 'a0830008'],
      ['p7iocPlssr', '0000001c00000000'],
      ['lemFir', '0000000000000020'],
      ['lemErrorMask', '0000000000000000'],
      ['lemWOF', '0000000000000020'],
      ['dma0ErrorStatus', '0000000400000000'],
      ['dma0FirstErrorStatus', '0000000400000000'],
    ] as const;
    const colon = [
      'P7IOC PHB#3 Diag-data (Version: 1)',
      '',
      ...words.map(([name, value]) => `  ${`${name}:`.padEnd(22)}${value}`),
      '  PE[  5] PESTA:        8200a03a00000000',
      '          PESTB:        8000000000001000',
    ];
    const equals = [
      'PHB 3 diagnostic data:',
      ...words.map(([name, value]) => `  ${name.padEnd(20)} = 0x${value}`),
      '  PE[  5] PESTA        = 0x8200a03a00000000',
      '          PESTB        = 0x8000000000001000',
    ];
    for (const lines of [colon, equals]) {
      const { events, dumps } = explainLog(lines.join('\n'));
      expect(dumps).toHaveLength(1);
      expect(dumps[0]!.dump.words.get('phbPlssr')?.value).toBe(0x1c00000000n);
      expect(events[0]).toMatchObject({ chip: 'p7ioc', phb: 3, faultedPe: 5, cause: { type: 'dma-iommu-fault' } });
      expect(events[0]!.cause.address).toBe(0x1000n);
    }
  });
});

describe('a synthetic dump of the P7IOC hub', () => {
  it('with an error that ends the hub says that every bridge is lost', () => {
    const lines = formatHubDiagData({
      type: 'RGC',
      words: { gemRwof: bitsOf(1), lemFir: bitsOf(0), lemWof: bitsOf(0), rgcStatus: 1n },
    });
    const [event] = explainLog(lines.join('\n')).events;
    expect(event).toMatchObject({ chip: 'p7ioc', severity: 'phb-dead', cause: { type: 'internal-error' } });
    expect(event!.verdict).toContain('every bridge behind it is lost');
    expect(event!.evidence.map(({ text }) => text)).toContainEqual('RGC LEM[0]');
  });

  it('with an informational error says that nothing is harmed', () => {
    const lines = formatHubDiagData({ type: 'BI', instance: 1, words: { lemFir: bitsOf(2), lemWof: bitsOf(2) } });
    const [event] = explainLog(lines.join('\n')).events;
    expect(event).toMatchObject({ severity: 'informative', title: 'informational error in BI Downbound of the hub' });
  });

  it('in the long form of old kernels is read word by word', () => {
    const text = [
      'P7IOC diag-data for MISC',
      '',
      '  GEM XFIR:        0000000000000000',
      '  LEM FIR:         0000000001000000',
      '  LEM WOF:         0000000001000000',
    ].join('\n');
    expect(explainLog(text).events[0]).toMatchObject({ severity: 'phb-dead', title: 'clock in MISC of the hub' });
  });

  it('without its header is left alone', () => {
    expect(explainLog('  GEM: 0000000000000001 0000000000000000\n').events).toEqual([]);
  });
});
