import { describe, expect, it } from 'vitest';
import { hasRtasHeader } from '../../src/diag/context/rtas-record.js';
import { formatHtml } from '../../src/diag/html/page.js';
import { explain, NotALogError } from '../../src/diag/index.js';
import { encodeDiagData } from '../../src/diag/layout.js';
import { PHB3_LAYOUT } from '../../src/diag/phb3/layout.js';
import { PHB4_LAYOUT } from '../../src/diag/phb4/layout.js';
import { formatReport } from '../../src/diag/report.js';
import { bitsOf, dataOf, readLog } from './support.js';

const FROZEN = 1n << 63n;
const TCE_FAULT = encodeDiagData(
  PHB4_LAYOUT,
  dataOf(
    PHB4_LAYOUT,
    {
      brdgCtl: 2n,
      linkStatus: 0xa0830008n,
      lemFir: bitsOf(56),
      lemWOF: bitsOf(56),
      phbErrorStatus: bitsOf(22),
      phbFirstErrorStatus: bitsOf(22),
      phbRxeTceErrorStatus: bitsOf(2),
      phbRxeTceFirstErrorStatus: bitsOf(2),
      phbRxeTceErrorLog0: 0xc0000000000001fan,
    },
    { 506: [0x8300b03800000000n, FROZEN] },
  ),
);

const hex = (bytes: Uint8Array): string => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
const rows = (bytes: Uint8Array, row: (offset: number, digits: string) => string): string =>
  Array.from({ length: Math.ceil(bytes.length / 16) }, (_, i) =>
    row(i * 16, hex(bytes.subarray(i * 16, i * 16 + 16))),
  ).join('\n');
const spaced = (digits: string, size: number): string =>
  (digits.match(new RegExp(`.{1,${size}}`, 'g')) ?? []).join(' ');

describe('a diag-data buffer', () => {
  it.each([
    ['as it is', TCE_FAULT],
    ['as digits', hex(TCE_FAULT)],
    ['as lines of words', rows(TCE_FAULT, (_, digits) => spaced(digits, 8))],
    [
      'by xxd',
      rows(TCE_FAULT, (at, digits) => `${at.toString(16).padStart(8, '0')}: ${spaced(digits, 4)}  ................`),
    ],
    [
      'by hexdump -C',
      rows(TCE_FAULT, (at, digits) => `${at.toString(16).padStart(8, '0')}  ${spaced(digits, 2)}  |................|`),
    ],
    ['by od -tx1', rows(TCE_FAULT, (at, digits) => `${at.toString(16).padStart(7, '0')} ${spaced(digits, 2)}`)],
  ])('%s is explained', (_, input) => {
    const [event] = explain(input).events;
    expect(event).toMatchObject({
      chip: 'phb4',
      faultedPe: 0x1fa,
      cause: { type: 'dma-iommu-fault', certainty: 'certain', direction: 'read' },
    });
  });

  it('that was cut loses its PEST and its certainty, not its cause', () => {
    const { events, dumps } = explain(TCE_FAULT.slice(0, 0x180));
    expect(events[0]!.cause).toMatchObject({ type: 'dma-iommu-fault', certainty: 'likely' });
    expect(dumps[0]!.dump.problems[0]!.text).toContain('384 of 8576 bytes');
  });

  it('cut before its registers is refused like any other binary', () => {
    expect(() => explain(TCE_FAULT.slice(0, 0x100))).toThrow(NotALogError);
  });

  it('of all ones is a bridge that does not answer', () => {
    const ones = encodeDiagData(PHB3_LAYOUT, {
      fields: Object.fromEntries(PHB3_LAYOUT.fields.map((field) => [field.name, (1n << BigInt(field.bytes * 8)) - 1n])),
      pestA: Array.from({ length: 256 }, () => (1n << 64n) - 1n),
      pestB: Array.from({ length: 256 }, () => (1n << 64n) - 1n),
    });
    const [event] = explain(ones).events;
    expect(event).toMatchObject({ severity: 'phb-dead', faultedPe: undefined, cause: { type: 'unknown' } });
    expect(event!.verdict).toContain('does not answer');
    // Ones that nobody sent are no bits: none is a reason, and none an alternative.
    const reasons = event!.evidence.filter(({ aside }) => aside !== true).map(({ text }) => text);
    expect(reasons).toEqual(['the registers of the dump read as ones']);
    expect(event!.alternatives).toEqual([]);
    const { registers } = event!.primary!;
    expect(registers.map(({ label }) => label)).toContain('Lem');
    expect(registers.flatMap(({ bits }) => bits)).toEqual([]);
    expect(event!.evidence.map(({ text }) => text).join()).not.toContain('config write');
  });

  it('has no lines, so the report names none', () => {
    const explanation = explain(TCE_FAULT);
    expect(explanation.events[0]!.evidence.some(({ line }) => line === 0)).toBe(true);
    expect(formatReport(explanation, 'buffer.bin')).toMatch(/^buffer\.bin: 1 event\n/);
    expect(formatReport(explanation, 'buffer.bin')).not.toMatch(/line 0|0 lines/);
    expect(formatHtml(explanation, 'buffer.bin')).not.toMatch(/line 0|0 lines/);
  });
});

describe('an RTAS record', () => {
  const words = [...readLog('201-rtas-event-v6-eeh-serv.txt').matchAll(/^RTAS \d+: (.*)$/gm)].flatMap((match) =>
    match[1]!.trim().split(' '),
  );
  const bytes = Uint8Array.from(words.join('').match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));

  it('as a file or as digits is read like the kernel prints it', () => {
    expect(hasRtasHeader(bytes)).toBe(true);
    for (const input of [bytes, hex(bytes)]) {
      const [event] = explain(input).events;
      expect(event!.rtas).toMatchObject({ version: 6, referenceCode: 'BA188002', effect: 'predictive' });
      expect(event!.location).toBe('U787A.001.DNZ00Z5-P1-C3');
    }
  });

  it('whose rows are out of order or missing keeps what is there', () => {
    const lines = readLog('201-rtas-event-v6-eeh-serv.txt').split('\n');
    const order = [...lines.slice(0, 3), lines[5]!, lines[4]!, lines[3]!, ...lines.slice(6, 47)];
    expect(explain(order.join('\n')).events[0]!.rtas?.referenceCode).toBe('BA188002');
    const cut = explain(lines.slice(0, 8).join('\n')).events[0]!.rtas!;
    expect(cut.problems[0]).toMatch(/of 712 bytes/);
    expect(cut.sections).toContain('PH');
  });

  it('of version 4 tells its fixed part', () => {
    const text = ['RTAS: 7 -------- RTAS event begin --------', 'RTAS 0: 04940000 00000008 8e000000 00000000'].join(
      '\n',
    );
    expect(explain(text).events[0]!.rtas).toMatchObject({
      version: 4,
      severity: 'error',
      disposition: 'not recovered',
    });
  });

  it('that is damaged says so', () => {
    const text = ['RTAS: 7 -------- RTAS event begin --------', 'RTAS 0: ff940000'].join('\n');
    const { rtas, verdict } = explain(text).events[0]!;
    expect(rtas?.problems[0]).toContain('damaged');
    expect(verdict).toContain('Firmware logged an event');
  });
});

describe('other bytes', () => {
  it('that are no text are refused with what to give instead', () => {
    expect(() => explain(new Uint8Array([0x7f, 0x45, 0x4c, 0x46, 0, 0]))).toThrow(/dmesg, journalctl -k/);
  });

  it('in UTF-16 are text', () => {
    const text = readLog('115-phb4-oohal-parser-sample-ur-ca-pe1fd.txt');
    const wide = Uint8Array.from([
      0xff,
      0xfe,
      ...[...text].flatMap((letter) => [letter.charCodeAt(0) & 0xff, letter.charCodeAt(0) >> 8]),
    ]);
    expect(explain(wide).events[0]!.cause.type).toBe('unsupported-request');
  });
});
