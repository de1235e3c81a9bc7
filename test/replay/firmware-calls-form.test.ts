import { readFileSync } from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { readFirmwareCalls } from '../../src/replay/read-firmware-calls.js';
import { RecordingError } from '../../src/replay/recording.js';

const HEAD = [
  'phbsim-firmware-calls 1',
  'name: made-up',
  'source: a test',
  'registers: 3fffe40000000',
  'scom: 2012000 9012000 9013c00',
  'heap: 200010000',
  'memory: 200000000 1000000',
];

const parse = (...lines: string[]) =>
  readFirmwareCalls('x.calls', new TextEncoder().encode([...HEAD, ...lines].join('\n')));

const parseHub = (...lines: string[]) => {
  const head = HEAD.filter((line) => !/^(?:registers|scom):/.test(line));
  return readFirmwareCalls('x.calls', new TextEncoder().encode([...head, ...lines].join('\n')));
};

describe('a recording of firmware calls', () => {
  it('has a board, phases, what firmware did, and what its caller did', () => {
    const recording = parse(
      '',
      '# a remark',
      '= boot',
      'R nest 42 8 ffff900000000000',
      'T 100',
      'W phb 210 8 1 x2',
      'M 200020000 8 2 00ff00ff00ff00ff',
      '= call',
      'F 200000000 32 ee',
      'I fff',
      'C OPAL_PCI_POLL 8000000000000000',
      'T 7',
      'R phb 600 4 30000000',
      'Z -2',
      'T 1000',
      'C OPAL_PCI_NOTHING',
      'Z 0',
    );
    expect(recording).toMatchObject({
      ...{ name: 'made-up', source: 'a test' },
      board: {
        registers: 0x3_fffe_4000_0000,
        scom: { nest: 0x0201_2000, pci: 0x0901_2000, spci: 0x0901_3c00 },
        heap: 0x2_0001_0000,
        memory: { base: 0x2_0000_0000, bytes: 0x100_0000 },
      },
    });
    const write = { direction: 'write', window: 'phb', register: 0x210, size: 8, value: 1n };
    expect(recording.phases[0]).toEqual({
      name: 'boot',
      boot: [
        { direction: 'read', window: 'nest', register: 0x42, size: 8, value: 0xffff_9000_0000_0000n, afterUs: 0 },
        { ...write, afterUs: 100 },
        { ...write, afterUs: 0 },
      ],
      steps: [],
      memory: [
        { address: 0x2_0002_0000, value: 0x00ff_00ff_00ff_00ffn },
        { address: 0x2_0002_0008, value: 0x00ff_00ff_00ff_00ffn },
      ],
    });
    expect(recording.phases[1]!.steps).toEqual([
      { kind: 'fill', address: 0x2_0000_0000, bytes: 32, value: 0xee },
      { kind: 'interrupt', irq: 0xfff },
      {
        ...{ kind: 'call', name: 'OPAL_PCI_POLL', args: [1n << 63n], returned: -2, line: 18 },
        accesses: [{ direction: 'read', window: 'phb', register: 0x600, size: 4, value: 0x3000_0000n, afterUs: 7 }],
      },
      { kind: 'sleep', us: 1000 },
      { kind: 'call', name: 'OPAL_PCI_NOTHING', args: [], accesses: [], returned: 0, line: 23 },
    ]);
  });

  it('may be of a hub with its PHBs, each reached by two paths', () => {
    const { board, phases } = parseHub(
      'hub: 1 3ef00000000 3d000000000 0 3',
      '= boot',
      'R asb3 800 8 2',
      'W hub 3e1c00 8 0',
    );
    expect(board).toEqual({
      hub: { hubId: 1, mwin1: 0x3ef_0000_0000, mwin2: 0x3d0_0000_0000, phbs: [0, 3] },
      heap: 0x2_0001_0000,
      memory: { base: 0x2_0000_0000, bytes: 0x100_0000 },
    });
    expect(phases[0]!.boot).toMatchObject([
      { direction: 'read', window: 'asb3', register: 0x800 },
      { direction: 'write', window: 'hub', register: 0x3e_1c00 },
    ]);
  });

  it.each([
    ['hub: 1 3ef00000000 3d000000000', 'no "hub:" with 4'],
    ['hub: 80 3ef00000000 3d000000000 0', 'names no hub'],
    ['hub: 1 3ef00000000 3d000000000 6', 'names no hub'],
    ['hub: 1 3ef00000000 3d000000000 2 2', 'names no hub'],
    ['hub: 1 3ef00000000 3d000000000 x', 'no "hub:" with 4'],
  ])('with the header %s is refused', (hub, problem) => {
    expect(() => parseHub(hub, '= boot', 'R asb3 800 8 2')).toThrow(problem);
  });

  it('has no window of another chip', () => {
    expect(() => parseHub('hub: 1 3ef00000000 3d000000000 0', '= p', 'R phb 0 8 1')).toThrow('no window "phb"');
    for (const window of ['hub', 'aib0', 'asb5']) {
      expect(() => parse('= p', `R ${window} 0 8 1`)).toThrow(`no window "${window}"`);
    }
    expect(() => parse('= p', 'R aib6 0 8 1')).toThrow('unreadable line');
  });

  it('may be gzipped', () => {
    const text = [...HEAD, '= p', 'W phb 0 8 1'].join('\n');
    expect(readFirmwareCalls('x', gzipSync(text)).phases[0]!.boot).toHaveLength(1);
  });

  it('is shipped with the form described in its head', () => {
    const text = gunzipSync(readFileSync('scenarios/recordings/skiboot-calls-phb3.calls.gz')).toString();
    const head = text.slice(0, text.indexOf('\n= '));
    for (const tag of ['= ', 'C ', 'Z ', 'R|W ', 'T ', 'F ', 'I ', 'M ']) expect(head).toContain(`\n# ${tag}`);
  });

  it.each([
    ['a line that means nothing', ['= p', 'W phb 0 8 1', 'V phb 0 8 1'], 10, 'unreadable line "V phb 0 8 1"'],
    ['a value wider than its access', ['= p', 'W phb 0 1 100'], 9, '0x100 has more than 1 bytes'],
    ['a size that no access has', ['= p', 'W phb 0 3 1'], 9, 'unreadable line'],
    ['an access before the first phase', ['W phb 0 8 1'], 8, 'before the first phase'],
    ['an access after the boot, outside a call', ['= p', 'C A', 'Z 0', 'W phb 0 8 1'], 11, 'after firmware has booted'],
    ['a call inside a call', ['= p', 'C A', 'C B'], 10, 'B is called inside A'],
    ['a return without a call', ['= p', 'Z 0'], 9, 'was not made'],
    ['a phase inside a call', ['= p', 'C A', '= q'], 10, 'phase q begins inside A'],
    ['a phase that comes twice', ['= p', '= p'], 9, 'phase p is there twice'],
    ['a call that never returns', ['= p', 'C A'], 9, 'A never returns: the file is cut'],
    ['something the caller does inside a call', ['= p', 'C A', 'I fff'], 10, 'does something inside A'],
    [
      'memory that the board has not',
      ['= p', 'W phb 0 8 1', 'M 1ffffffff 8 1 0000000000000000'],
      10,
      'not in the memory',
    ],
    [
      'memory that runs out of the board',
      ['= p', 'W phb 0 8 1', 'M 200fffff0 8 3 0000000000000000'],
      10,
      'not in the memory',
    ],
    ['a fill beyond memory', ['= p', 'F 200fffff0 17 ee'], 9, 'not in the memory'],
    [
      'more than any firmware does',
      ['= p', 'W phb 0 8 1 x9', 'M 200000000 0 499992 0000000000000000'],
      10,
      'more than 500000',
    ],
    ['nothing to compare', ['= p', '= q'], 9, 'nothing to compare'],
  ])('with %s is refused, with line and remedy', (_, lines, line, problem) => {
    const attempt = (): unknown => parse(...lines);
    expect(attempt).toThrow(RecordingError);
    expect(attempt).toThrow(`x.calls:${line}  `);
    expect(attempt).toThrow(problem);
    expect(attempt).toThrow('skiboot-calls-phb3.calls.gz');
  });

  it.each(['registers', 'scom', 'heap', 'memory'])('without %s in the header is refused', (field) => {
    const text = [...HEAD.filter((line) => !line.startsWith(field)), '= p', 'W phb 0 8 1'].join('\n');
    expect(() => readFirmwareCalls('x.calls', new TextEncoder().encode(text))).toThrow(`no "${field}:"`);
  });

  it.each([
    ['memory: 200000000 0', 'memory of 0x0 bytes'],
    ['memory: 200000000 1000000000000', 'memory of 0x1000000000000 bytes'],
    ['heap: 100000000', 'the heap is not in memory'],
  ])('with the header %s is refused', (line, problem) => {
    const field = line.slice(0, line.indexOf(':'));
    const text = [...HEAD.filter((each) => !each.startsWith(`${field}:`)), line, '= p', 'W phb 0 8 1'].join('\n');
    expect(() => readFirmwareCalls('x.calls', new TextEncoder().encode(text))).toThrow(problem);
  });

  it('of another form, or of none, is refused', () => {
    const other = readFileSync('scenarios/recordings/skiboot-calls-phb3.rec.gz');
    expect(() => readFirmwareCalls('x', other)).toThrow(
      'this is no recording of firmware calls: it begins with "phbsim-recording 1"',
    );
    expect(() => readFirmwareCalls('x', Uint8Array.of(0xff, 0xfe, 0))).toThrow('binary, not text');
    expect(() => readFirmwareCalls('x', Uint8Array.of(0x1f, 0x8b, 1))).toThrow('the gzip data is damaged');
    expect(() => readFirmwareCalls('x', new Uint8Array(0))).toThrow('it begins with ""');
  });
});
