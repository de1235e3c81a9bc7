import { describe, expect, it } from 'vitest';
import { ScenarioError } from '../../src/scenario/problems.js';
import { readScenario } from '../../src/scenario/read-scenario.js';
import { DEFAULT_SETTLE_NS } from '../../src/scenario/scenario.js';
import { ms, seconds, us } from '../../src/sim/time.js';

/** A whole scenario with some of its lines replaced. */
function text(parts: { head?: string; slots?: string; faults?: string; expect?: string; tail?: string } = {}): string {
  return [
    parts.head ?? 'name: trial',
    'about: A trial.',
    'machine:',
    '  slots:',
    parts.slots ?? '    1: { device: nic, driver: recovering }',
    'faults:',
    parts.faults ?? '  - { at: 5 ms, kind: dma-write-unmapped, device: slot1 }',
    'expect:',
    parts.expect ?? '  - { freeze: slot1 }',
    parts.tail ?? '',
  ].join('\n');
}

/** The message of what is wrong. */
function refusal(source: string): string {
  try {
    readScenario('trial.yaml', source);
  } catch (error) {
    expect(error).toBeInstanceOf(ScenarioError);
    return (error as ScenarioError).message;
  }
  return 'accepted';
}

describe('a scenario file', () => {
  it('says who is there, what strikes and what is expected', () => {
    const scenario = readScenario(
      'trial.yaml',
      text({
        slots: ['    1: { device: nic, driver: recovering, frame-every: 2 ms }', '    7: { device: nic, phb: 2 }'].join(
          '\n',
        ),
        faults: '  - { at: 1.5 ms, kind: poisoned-write, device: slot7, count: 3, times: 4, every: 2 s }',
        expect: '  - { freeze: slot7, cause: poisoned-write, within: 10 µs, times: 2 }',
        tail: 'seed: 12\nsettle: 1 min\nuntil: 3 s',
      }),
    );
    expect([...scenario.slots]).toEqual([
      [1, { device: 'nic', driver: 'recovering', framePeriodNs: ms(2) }],
      [7, { device: 'nic', driver: 'none', framePeriodNs: ms(1), phb: 2 }],
    ]);
    expect(scenario.faults).toEqual([
      {
        kind: 'poisoned-write',
        target: 'slot7',
        atNs: us(1500),
        parameters: { count: 3 },
        times: 4,
        everyNs: seconds(2),
      },
    ]);
    expect(scenario.expect).toEqual([
      {
        ...{ kind: 'freeze', pe: 'slot7', causes: ['poisoned-write'], times: 2, withinNs: us(10) },
        text: 'freeze: slot7, cause: poisoned-write, within: 10 µs, times: 2',
      },
    ]);
    expect([scenario.seed, scenario.settleNs, scenario.untilNs]).toEqual(['12', seconds(60), seconds(3)]);
  });

  it('takes its name for the seed, and settles a while', () => {
    const { seed, settleNs, untilNs, maxFreezes } = readScenario('trial.yaml', text());
    expect([seed, settleNs, untilNs, maxFreezes]).toEqual(['trial', DEFAULT_SETTLE_NS, undefined, undefined]);
    expect(readScenario('trial.yaml', text({ tail: 'seed: some words' })).seed).toBe('some words');
  });

  it('may expect each kind of thing', () => {
    const all = [
      '{ freeze: slot1, cause: dma-iommu-fault }',
      '{ freeze: switch0, cause: error-message }',
      '{ pest: slot1, a: 0x8480002b00000000, b: "0xffffffffffffffff" }',
      '{ untouched: slot1 }',
      '{ recovered: slot2, within: 1 s }',
      '{ failed: slot2 }',
      '{ left-frozen: slot2 }',
      '{ answered: slot2, with: CA }',
      '{ log: some text }',
      '{ log: "/[0-9]+ times/" }',
      '{ no-log: some text }',
      '{ no-log: /Recovery/i }',
      '{ fenced: phb0, within: 5 ns }',
      '{ not-fenced: phb0 }',
    ];
    const slots = '    1: { device: nic }\n    2: { device: nic }';
    const { expect: expectations } = readScenario(
      't',
      text({ slots, expect: all.map((each) => `  - ${each}`).join('\n') }),
    );
    expect(expectations.map(({ text: _, ...rest }) => rest)).toEqual([
      {
        kind: 'freeze',
        pe: 'slot1',
        times: 1,
        causes: ['tce-page-fault', 'tce-access-fault', 'tve-invalid', 'tve-requester', 'tve-range'],
      },
      { kind: 'freeze', pe: 'switch0', times: 1, causes: ['err-fatal', 'err-nonfatal'] },
      { kind: 'pest', pe: 'slot1', a: 0x8480_002b_0000_0000n, b: 0xffff_ffff_ffff_ffffn },
      { kind: 'untouched', slot: 'slot1' },
      { kind: 'recovered', slot: 'slot2', withinNs: seconds(1) },
      { kind: 'failed', pe: 'slot2' },
      { kind: 'left-frozen', slot: 'slot2' },
      { kind: 'answered', slot: 'slot2', status: 'CA' },
      { kind: 'log', pattern: 'some text' },
      { kind: 'log', pattern: /[0-9]+ times/ },
      { kind: 'no-log', pattern: 'some text' },
      { kind: 'no-log', pattern: /Recovery/i },
      { kind: 'fenced', phb: 0, withinNs: 5 },
      { kind: 'not-fenced', phb: 0 },
    ]);
  });
});

describe('a scenario that is wrong', () => {
  it('is told file, line, column, the line itself, what was meant and where to look', () => {
    expect(refusal(text({ faults: '  - { at: 5 ms, kind: dma-unmaped, device: slot1 }' }))).toBe(
      [
        'trial.yaml:7:23  unknown fault kind "dma-unmaped"',
        '    7 |   - { at: 5 ms, kind: dma-unmaped, device: slot1 }',
        '      |                       ^ did you mean dma-write-unmapped?',
        '   Fault kinds: phbsim run --faults',
      ].join('\n'),
    );
  });

  it.each([
    [
      'faults',
      '  - { at: 5, kind: err-fatal, device: slot1 }',
      '7:11  at must be a duration, not "5"',
      '5 what? such as 5 ms',
    ],
    [
      'faults',
      '  - { at: 5 mz, kind: err-fatal, device: slot1 }',
      '7:11  unknown unit "mz"',
      'A duration is a number with a unit (ns, us,',
    ],
    ['faults', '  - { at: 25000 min, kind: err-fatal, device: slot1 }', '7:11  at is longer than a day', ''],
    ['faults', '  - { at: soon, kind: err-fatal, device: slot1 }', 'at must be a duration, not "soon"', 'such as 5 ms'],
    ['faults', '  - { at: 5 ms, kind: err-fatal, device: slot2 }', 'unknown device "slot2"', 'did you mean slot1?'],
    ['faults', '  - { at: 5 ms, kind: err-fatal }', 'faults, item 1, lacks "device"', ''],
    ['faults', '  - { at: 5 ms, device: slot1 }', 'faults, item 1, lacks "kind"', ''],
    ['faults', '  - { kind: err-fatal, device: slot1 }', 'faults, item 1, lacks "at"', ''],
    [
      'faults',
      '  - { at: 5 ms, kind: err-fatal, device: slot1, times: 2 }',
      '2 times: say how far apart with "every"',
      '',
    ],
    [
      'faults',
      '  - { at: 5 ms, kind: err-fatal, device: slot1, times: 0 }',
      'whole number from 1 to 1000, not "0"',
      '',
    ],
    [
      'faults',
      '  - { at: 5 ms, kind: err-fatal, device: slot1, bytes: 1 }',
      'item 1, has no "bytes"',
      'Allowed: at, kind, device, times, every',
    ],
    [
      'faults',
      '  - { at: 5 ms, kind: dma-write-unmapped, device: slot1, bytes: 5000 }',
      'from 1 to 4096, not "5000"',
      '',
    ],
    ['faults', '  - err-fatal', 'faults, item 1, must be a map ({ key: value, ... }), not "err-fatal"', ''],
    ['faults', '  kind: err-fatal', 'faults must be a list (- ...), not a map', ''],
    ['slots', '    1: { device: nick }', 'unknown device "nick"', 'did you mean nic?'],
    ['slots', '    1: { device: nic, driver: recovring }', 'unknown driver "recovring"', 'did you mean recovering?'],
    [
      'slots',
      '    1: { device: [] }',
      '5:18  device lists 1 to 8 devices, not 0',
      'a list of functions such as [nic, nic]',
    ],
    ['slots', '    1: { device: {} }', 'unknown device a map', 'Allowed: nic'],
    ['slots', '    1: { device: [nic, nick] }', '5:24  unknown device "nick"', 'did you mean nic?'],
    ['slots', '    1: { device: [nvme, edu], driver: unaware }', 'there is no driver for nvme or edu', 'Leave it out'],
    ['slots', '    1: { device: [nvme, nvme], frame-every: 1 ms }', 'nvme takes no frames', ''],
    ['slots', '    1: { device: pci-bridge }', 'slot 1 lacks "behind"', 'device: pci-bridge, behind: [edu, nic]'],
    ['slots', '    1: { device: pci-bridge, behind: nic }', 'behind must be a list (- ...), not "nic"', ''],
    [
      'slots',
      '    1: { device: pci-bridge, behind: [pci-bridge] }',
      '5:39  unknown device "pci-bridge"',
      'Allowed: nic',
    ],
    ['slots', '    1: { device: nic, behind: [nic] }', 'only a pci-bridge has devices behind it', 'Such as: device'],
    [
      'slots',
      `    1: { device: pci-bridge, behind: [${Array.from({ length: 17 }, () => 'nic').join(', ')}] }`,
      'behind lists 1 to 16 devices, not 17',
      '',
    ],
    ['slots', '    1: { device: [nic, nic] }', '7:51  unknown device "slot1"', 'did you mean slot1.0?'],
    [
      'faults',
      '  - { at: 5 ms, kind: lcrc-error, device: slot1, direction: dwon }',
      'unknown direction "dwon"',
      'did you mean down?',
    ],
    ['faults', '  - { at: 5 ms, kind: link-noise, device: slot1, for: 11 s }', 'for must be 1 ns to 10 s', ''],
    ['faults', '  - { at: 5 ms, kind: link-noise, device: slot1, for: 11 }', 'for must be a duration, not "11"', ''],
    ['expect', '  - { link: slot1 }', 'link lacks what it comes up with: width: x4, speed: gen1, or both', ''],
    ['expect', '  - { link: slot1, width: x3 }', 'unknown link width "x3"', 'did you mean x1?'],
    ['expect', '  - { link: slot9, speed: gen1 }', 'unknown slot "slot9"', ''],
    ['expect', '  - { link-error: slot1 }', 'lacks "error"', ''],
    ['expect', '  - { link-error: slot1, error: bad-tpl }', 'unknown link error "bad-tpl"', 'did you mean bad-tlp?'],
    ['slots', '    1: { driver: none }', 'slot 1 lacks "device"', ''],
    ['slots', '    1: nic', 'slot 1 must be a map', ''],
    ['slots', '    1:', 'slot 1 must be a map ({ key: value, ... }), not nothing', ''],
    ['slots', '    one: { device: nic }', '5:5  slots have numbers from 1 to 24, not "one"', ''],
    ['slots', '    25: { device: nic }', 'from 1 to 24, not "25"', ''],
    ['slots', '    {}', 'a machine has at least one slot', ''],
    ['slots', '    1: { device: nic, phb: 3 }', 'phb must be a whole number from 0 to 2, not "3"', ''],
    ['slots', '    1: { device: nic, frame-every: 1 us }', 'at least 2 us', ''],
    ['slots', '    1: { device: nvme, driver: recovering }', 'there is no driver for nvme', 'Leave it out'],
    ['slots', '    1: { device: edu, frame-every: 1 ms }', 'edu takes no frames', ''],
    ['expect', '  - { freze: slot1 }', 'expect, item 1, has no "freze"', 'did you mean freeze?'],
    ['expect', '  - {}', 'an expectation names something', 'Allowed: freeze, pest,'],
    ['expect', '  - slot1', 'expect, item 1, must be a map', ''],
    [
      'expect',
      '  - { freeze: slot1, cause: tce-pge-fault }',
      'unknown cause "tce-pge-fault"',
      'did you mean tce-page-fault?',
    ],
    ['expect', '  - { freeze: slot1, answered: slot1 }', 'has no "answered"', ''],
    ['expect', '  - { pest: slot1 }', 'pest lacks the words: a: 0x..., b: 0x..., or both', ''],
    ['expect', '  - { pest: slot1, a: 12 }', 'a must be a 64-bit word such as 0x8000b03a00000000, not "12"', ''],
    ['expect', '  - { pest: slot9, a: 0x1 }', 'unknown device "slot9"', ''],
    ['expect', '  - { recovered: switch0 }', 'unknown slot "switch0"', 'Allowed: slot1'],
    ['expect', '  - { answered: slot1 }', 'lacks "with"', ''],
    ['expect', '  - { answered: slot1, with: OK }', 'unknown completion status "OK"', 'Allowed: SC, CA, UR, timeout'],
    ['expect', '  - { log: "/(/" }', 'not a regular expression', ''],
    ['expect', '  - { no-log: /recovery/g }', 'a pattern has no flags "g"', 'write /recovery/, or /recovery/i'],
    ['tail', 'until: 1 ns', 'before what is planned for', ''],
    ['expect', '  - { log: [] }', 'log must be text, not a list', ''],
    ['expect', '  - { log: &a "" }', 'log must be text', ''],
    ['expect', '  - { fenced: phb1 }', 'unknown PHB "phb1"', 'did you mean phb0?'],
    ['expect', '  []', 'a scenario expects something', ''],
    ['tail', 'sede: 4', '10:1  the scenario has no "sede"', 'did you mean seed?'],
    ['tail', 'seed: -1', 'seed must be a whole number', ''],
    ['head', 'name: A Trial', '1:7  a name is small letters, digits and hyphens', ''],
    ['head', 'name: [trial]', 'name must be text, not a list', ''],
    [
      'faults',
      '  - { at: 5 ms, kind: err-fatal, device: slot1, every: 1 s }',
      '7:56  every: say how often with "times"',
      '',
    ],
    [
      'faults',
      '  - { at: 5 ms, kind: err-fatal, device: slot1, times: 1000, every: 2 min }',
      'the last of 1000 strikes comes later than a day',
      '',
    ],
    ['faults', '  - { at: 5 ms, kind: "^~", device: slot1 }', 'unknown fault kind "^~"', '^\n   Fault kinds'],
    ['slots', '    1: { device: nic }\n    "1": { device: nic }', '6:5  slots has "1" twice', ''],
    ['slots', '    "01": { device: nic }', 'from 1 to 24, not "01"', ''],
    [
      'expect',
      '  - { freeze: slot1, recovered: slot1 }',
      '9:22  expect, item 1, has no "recovered" beside "freeze"',
      '',
    ],
    ['tail', ': 1', 'the scenario has no ""', '^\n   Allowed: name'],
    ['head', '{}', '', ''],
  ] as const)('is refused with reason: %s %s', (part, line, message, hint) => {
    const answer = refusal(text({ [part]: line }));
    expect(answer).toContain(message);
    expect(answer).toContain(hint);
    expect(answer).toMatch(/^trial\.yaml:\d+:\d+ {2}/);
  });

  it('is told of everything at once, from top to bottom', () => {
    const answer = refusal(
      text({ head: 'name: A', faults: '  - { at: 5 mz, kind: x, device: slot1 }', tail: 'end: 1' }),
    );
    expect(answer.match(/^trial\.yaml:\d+/gm)).toEqual([
      'trial.yaml:1',
      'trial.yaml:7',
      'trial.yaml:7',
      'trial.yaml:10',
    ]);
  });

  it.each([
    ['', 'trial.yaml:1:1  a scenario is a map'],
    ['just words', 'a scenario is a map'],
    ['- a\n- b', 'a scenario is a map'],
    ['name: [a\nfoo: }', 'trial.yaml:2:'],
    ['name: a\nname: b', 'Map keys must be unique'],
    ['name: a\n---\nname: b', '2:1  a second document begins here'],
    ['['.repeat(20_000), 'nested too deeply'],
    ['name: *b', 'name must be text, not an alias'],
    ['name: &a x\nabout: *a\n', 'about must be text, not an alias'],
  ])('is refused when it is no scenario at all: %j', (source, message) => {
    expect(refusal(source)).toContain(message);
  });

  it('keeps its slots when one of them is wrong: whoever names it is not told off too', () => {
    const answer = refusal(text({ slots: '    1: { deviec: nic }\n    2: nic' }));
    expect(answer.match(/^trial\.yaml:\d+/gm)).toEqual(['trial.yaml:5', 'trial.yaml:5', 'trial.yaml:6']);
  });

  it.each([
    ['dma-unmaped', 'dma-write-unmapped'],
    ['write-unmapped', 'dma-write-unmapped'],
    ['unmapped-read', 'dma-read-unmapped'],
    ['card-def', 'card-deaf'],
    ['completion-timeot', 'completion-timeout'],
    ['fatal', 'err-fatal'],
  ])('is told what was probably meant by a part of a name: %s', (written, meant) => {
    expect(refusal(text({ faults: `  - { at: 5 ms, kind: ${written}, device: slot1 }` }))).toContain(
      `^ did you mean ${meant}?`,
    );
  });

  it('is shown the part of a long line around the place, and no long word whole', () => {
    const word = 'x'.repeat(5000);
    const answer = refusal(text({ faults: `  - { at: 5 ms, device: slot1, kind: ${word}, times: zz }` }));
    const [first, excerpt, caret] = answer.split('\n');
    expect(first).toBe(`trial.yaml:7:38  unknown fault kind "${'x'.repeat(60)}..."`);
    expect(excerpt).toHaveLength(8 + 120 + 3);
    expect(excerpt![caret!.indexOf('^')]).toBe('x');
    const far = refusal(text({ expect: `  - { log: ${word}, withn: 1 s, x: ${word} }` })).split('\n');
    expect(far[1]).toMatch(/^ {4}9 \| \.\.\..{120}\.\.\.$/);
    expect(far[1]!.slice(far[2]!.indexOf('^'))).toMatch(/^withn: 1 s/);
  });

  it('is shown without tabs and without what a terminal would obey', () => {
    const answer = refusal(text({ tail: 'settle:\t\u001b[31m\u0007' }));
    expect(['\t', '\u001b', '\u0007'].filter((character) => answer.includes(character))).toEqual([]);
    expect(answer).toContain('10:9  settle must be a duration, not ".[31m."\n   10 | settle: .[31m.\n');
  });

  it('is told of the first twenty problems, and how many more there are', () => {
    const answer = refusal(text({ expect: '  - {}\n'.repeat(27) }));
    expect(answer.match(/^trial\.yaml:\d+/gm)).toHaveLength(20);
    expect(answer.split('\n').at(-1)).toBe('trial.yaml: ... and 7 more');
  });

  it('is told where a text stops being YAML, how to go on, and how many echoes are left out', () => {
    const source = '#!/bin/sh\n\techo "a: [b: }"\n\t- c: d: e\n\t@f: {\n'.repeat(5);
    const answer = refusal(source);
    expect(answer.match(/^trial\.yaml:\d+:\d+/gm)).toHaveLength(1);
    expect(answer.match(/No YAML from here on\. Mend this first, or give another file/g)).toHaveLength(1);
    expect(answer.split('\n').at(-1)).toMatch(/^trial\.yaml: \.\.\. and \d+ more$/);
  });

  it('lists too many slots of one PHB', () => {
    const slots = Array.from({ length: 9 }, (_, i) => `    ${i + 1}: { device: nic }`).join('\n');
    expect(refusal(text({ slots }))).toContain('PHB 0 has 9 slots; 8 is the most');
  });
});
