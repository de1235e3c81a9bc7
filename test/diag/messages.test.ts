// Lines of firmware, of Linux' AER driver, and RTAS records beyond their fixed part.
import { describe, expect, it } from 'vitest';
import { explain, explainLog } from '../../src/diag/index.js';

const only = (text: string) => {
  const { events } = explainLog(text);
  expect(events).toHaveLength(1);
  return events[0]!;
};

describe('what firmware says of a fence', () => {
  it('a freeze that was escalated is a fence, and its PE has the cause', () => {
    const event = only('[  12.000000001,3] PHB#0030[8:0]: Escalating freeze to fence PESTA[507]=8440002b00000000\n');
    expect(event).toMatchObject({ chip: 'phb4', phb: 0x30, severity: 'phb-fenced', frozenPes: [507] });
    expect(event.cause).toMatchObject({ type: 'unsupported-request', certainty: 'possible' });
    const told = event.evidence.map(({ text }) => text).join('\n');
    expect(told).toMatch(/made a fence of the freeze of PE 1fb \(line 1\)/);
  });

  it('an escalation is part of the dump behind it, whose PE numbers are hexadecimal', () => {
    const lines = [
      'PHB#0030[8:0]: Escalating freeze to fence PESTA[16]=8440002b00000000',
      'PHB#0030[8:0]:                  brdgCtl = 00000002',
      'PHB#0030[8:0]:               linkStatus = a0830008',
      'PHB#0030[8:0]: PEST[1fb] = 8440002b00000000 8000000000000000',
    ];
    const { dumps } = explainLog(lines.join('\n'));
    expect(dumps).toHaveLength(1);
    expect(dumps[0]!.dump.pest.map(({ first }) => first)).toEqual([16, 0x1fb]);
    const listed = explainLog(lines.join('\n').replace('PESTA[16]', 'PESTA[507]')).dumps[0]!.dump.pest;
    expect(listed.map(({ first, b }) => [first, b])).toEqual([[0x1fb, 1n << 63n]]);
  });

  it('a thaw that was refused is told', () => {
    const lines = [
      'PHB#0030[8:0]: eeh_freeze_clear on fenced PHB',
      'PHB4 PHB#48 Diag-data (Version: 1)',
      'brdgCtl:     00000002',
      'nFir:        0000800000000000 0030006e00000000 0000800000000000',
    ];
    const told = only(lines.join('\n')).evidence.map(({ text }) => text);
    expect(told).toContain('Firmware refused to thaw a PE, because the PHB was fenced (line 1).');
  });
});

const AER = [
  '[ 1.000000] pcieport 0030:00:00.0: AER: Uncorrected (Non-Fatal) error received: 0030:0d:00.0',
  '[ 1.000001] nvme 0030:0d:00.0: PCIe Bus Error: severity=Uncorrected (Non-Fatal), type=Transaction Layer, (Requester ID)',
  '[ 1.000002] nvme 0030:0d:00.0:   device [144d:a808] error status/mask=00004000/00400000',
  '[ 1.000003] nvme 0030:0d:00.0:    [14] CmpltTO                (First)',
  '[ 1.000004] nvme 0030:0d:00.0:   TLP Header: 00000001 0d000a0f 2000000c 00000000',
  '[ 1.000005] pcieport 0030:00:00.0: AER: device recovery successful',
];

describe("errors of which Linux' AER driver tells", () => {
  it('have the cause that the status names, the function and the packet', () => {
    const event = only(AER.join('\n'));
    expect(event).toMatchObject({ severity: 'informative', phb: 0x30, lines: { first: 2, last: 6 } });
    expect(event.cause).toMatchObject({ type: 'completion-timeout', certainty: 'likely', requester: '0d:00.0' });
    expect(event.devices[0]).toMatchObject({ address: '0030:0d:00.0', driver: 'nvme', ids: '144d:a808' });
    expect(event.evidence.map(({ text }) => text).join('\n')).toMatch(/packet: .*2000000c/);
    expect(event.recovery?.outcome).toBe('recovered');
  });

  it.each([
    ['00000020', 'link-loss'],
    ['00008000', 'completer-abort'],
    ['00100000', 'unsupported-request'],
    ['00040000', 'pcie-ue'],
  ])('status %s is %s', (status, type) => {
    const text = AER.slice(0, 3).join('\n').replace('00004000/', `${status}/`);
    expect(only(text).cause.type).toBe(type);
    expect(only(text.replace('device recovery', 'x')).recovery).toBeUndefined();
  });

  it('are one event when they come again and again', () => {
    const corrected = [
      'nvme 0030:0d:00.0: PCIe Bus Error: severity=Corrected, type=Physical Layer, (Receiver ID)',
      'nvme 0030:0d:00.0:   device [144d:a808] error status/mask=00000001/00002000',
    ];
    const event = only(Array.from({ length: 50 }, () => corrected.join('\n')).join('\n'));
    expect(event.cause).toMatchObject({ type: 'pcie-ce', certainty: 'likely' });
    expect(event).toMatchObject({ suspect: 'link', lines: { first: 1, last: 100 } });
    expect(event.verdict).toContain('50 times');
    expect(event.advice[0]!.text).toContain('how fast');
  });

  it('are possible only where the status is lost; lines of others are left alone', () => {
    const event = only(`${AER[1]!}\ne1000e 0001:01:00.0:   device [8086:10d3] error status/mask=00008000/00400000\n`);
    expect(event.cause).toMatchObject({ type: 'pcie-ue', certainty: 'possible' });
    expect(only(`${AER[1]!}\nAER: device recovery failed`).recovery?.outcome).toBe('not-recovered');
    expect(explainLog('x: PCIe Bus Error: severity=?\nAER: device recovery failed\nTLP Header: 0').events).toEqual([]);
  });
});

/** A record of the layout that hosts write: fixed part, extended part, then sections. */
function record(
  sections: readonly (readonly [name: string, body: Uint8Array])[],
  head = [6, 0x94, 0, 0xe0],
): Uint8Array {
  const parts = sections.map(([name, body]) => {
    const bytes = new Uint8Array(8 + body.length);
    bytes.set([name.charCodeAt(0), name.charCodeAt(1), bytes.length >> 8, bytes.length & 255, 1]);
    bytes.set(body, 8);
    return bytes;
  });
  const extended = new Uint8Array(16);
  extended.set([0xa6, 0, 0x8e]);
  extended.set([0x49, 0x42, 0x4d], 12);
  const length = 16 + parts.reduce((sum, part) => sum + part.length, 0);
  return Uint8Array.from([
    ...head,
    0,
    0,
    length >> 8,
    length & 255,
    ...extended,
    ...parts.flatMap((part) => [...part]),
  ]);
}

const userHeader = Uint8Array.from([0x40, 0, 0x20, 0, ...new Array<number>(12).fill(0)]);

/** The reading that a host puts into user data. */
function interpretation(type: number, { flags = 3, severity = 1 } = {}): Uint8Array {
  const bytes = new Uint8Array(64);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x45454849);
  view.setUint16(4, 1);
  view.setUint16(6, 64);
  view.setUint16(8, type);
  view.setUint32(12, flags);
  view.setUint32(16, 2);
  view.setUint32(20, 0xfb);
  view.setBigUint64(24, 0x1234000n);
  view.setUint16(32, 0x0300);
  view.setUint32(36, severity);
  view.setBigUint64(40, 0x8000b03a03000000n);
  return bytes;
}

describe('an RTAS record beyond its fixed part', () => {
  it.each([
    [1, {}, 'dma-iommu-fault', 'pe-frozen'],
    [2, { severity: 3 }, 'dma-permission', 'phb-fenced'],
    [4, { severity: 4 }, 'link-loss', 'phb-dead'],
    [12, {}, 'dma-timeout', 'pe-frozen'],
    [6, { flags: 16 }, 'operator-injected', 'pe-frozen'],
    [0x100, {}, 'unknown', 'pe-frozen'],
  ] as const)('has the cause that the host read, type %i', (type, more, cause, severity) => {
    const bytes = record([
      ['UH', userHeader],
      ['UD', interpretation(type, more)],
    ]);
    const [event] = explain(bytes).events;
    expect(event).toMatchObject({ chip: 'rtas', phb: 2, faultedPe: 0xfb, severity, frozenPes: [0xfb] });
    expect(event!.cause.type).toBe(cause);
    expect(event!.cause.address).toBe('flags' in more ? undefined : 0x1234000n);
    expect(event!.cause.requester).toBe('flags' in more ? undefined : '03:00.0');
  });

  it('has subsystem, machine and outlook', () => {
    const machine = new TextEncoder().encode('9119-MHE1234567\0\0\0\0\0');
    const [event] = explain(
      record([
        ['UH', userHeader],
        ['MT', machine],
        ['UD', new Uint8Array(80)],
      ]),
    ).events;
    const told = event!.evidence.map(({ text }) => text).join('\n');
    expect(told).toContain('recoverable, subsystem "I/O adapter"');
    expect(told).toContain('machine 9119-MHE 1234567');
    expect(event!.rtas?.interpretation).toBeUndefined();
  });

  it('of version 4 says by its type what it may have been', () => {
    const rows = (bytes: readonly number[]) =>
      bytes
        .map((byte) => byte.toString(16).padStart(2, '0'))
        .join('')
        .match(/.{8}/g)!
        .join(' ');
    const text = (type: number) =>
      `RTAS: 7 -------- RTAS event begin --------\nRTAS 0: ${rows([4, 0x94, 0x22, type, 0, 0, 0, 8, 0xc6, 0, 0x83, 0])} 00000000\nRTAS: 7 -------- RTAS event end ----------`;
    for (const [type, cause] of [
      [2, 'dma-iommu-fault'],
      [4, 'completion-timeout'],
      [5, 'pcie-ue'],
      [8, 'mmio-error'],
      [224, 'unknown'],
    ] as const) {
      const event = only(text(type));
      expect(event.cause).toMatchObject({ type: cause, certainty: 'possible' });
      expect(event.evidence[0]!.text).toContain('version 4');
      expect(event.evidence[0]!.text).toContain('unrecoverable');
    }
  });
});
