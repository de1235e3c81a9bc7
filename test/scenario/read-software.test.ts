import { describe, expect, it } from 'vitest';
import { readScenario } from '../../src/scenario/read-scenario.js';
import type { Scenario } from '../../src/scenario/scenario.js';
import { ms, seconds } from '../../src/sim/time.js';

interface Parts {
  readonly machine?: string;
  readonly driver?: string;
  readonly actions?: string;
  readonly expect?: string;
}

function text({ machine = '', driver = 'recovering', actions, expect = '{ untouched: slot1 }' }: Parts): string {
  return [
    'name: trial',
    'about: A trial.',
    'machine:',
    ...(machine === '' ? [] : [`  ${machine}`]),
    '  slots:',
    `    1: { device: nic, driver: ${driver} }`,
    '    2: { device: nic }',
    'faults: []',
    ...(actions === undefined ? [] : [`actions: [${actions}]`]),
    `expect: [${expect}]`,
  ].join('\n');
}

const read = (parts: Parts): Scenario => readScenario('trial.yaml', text(parts));

function problems(parts: Parts): string[] {
  try {
    read(parts);
  } catch (error) {
    const { message } = error as Error;
    return [...message.matchAll(/^trial\.yaml:\d+:\d+ {2}(.*)$|^ {3}(\S.*)$/gm)].map((match) => match[1] ?? match[2]!);
  }
  return [];
}

describe('a driver in a scenario', () => {
  it('is a name, or a map of deviations from one', () => {
    expect(read({}).slots.get(1)!.driver).toBe('recovering');
    expect(read({ driver: '{}' }).slots.get(1)!.driver).toEqual({});
    const map = [
      'like: can-recover, votes: { error_detected: no AER driver, slot_reset: missing, resume: missing }',
      'reset: fundamental, hangs: { in: mmio_enabled, for: 2 s }',
      'breaks-again: { in: resume, by: dma, times: 3 }, loads: { in: error_detected, count: 9 }',
    ].join(', ');
    expect(read({ driver: `{ ${map} }` }).slots.get(1)!.driver).toEqual({
      like: 'can-recover',
      votes: { error_detected: 'no AER driver', slot_reset: 'missing', resume: 'missing' },
      reset: 'fundamental',
      hangs: { in: 'mmio_enabled', forNs: seconds(2) },
      breaksAgain: { in: 'resume', by: 'dma', times: 3 },
      loads: { in: 'error_detected', count: 9 },
    });
    const short = '{ hangs: { in: resume }, loads: { in: resume }, breaks-again: { in: resume, by: mmio } }';
    expect(read({ driver: short }).slots.get(1)!.driver).toEqual({
      hangs: { in: 'resume' },
      loads: { in: 'resume', count: 1 },
      breaksAgain: { in: 'resume', by: 'mmio' },
    });
  });

  it.each([
    ['recovring', /unknown driver "recovring"/, /Allowed: recovering, .*or a map/],
    [
      '{ votes: { slotreset: none } }',
      /has no "slotreset"/,
      /Allowed: error_detected, mmio_enabled, slot_reset, resume/,
    ],
    ['{ votes: { slot_reset: maybe } }', /unknown vote "maybe"/, /Allowed: none, no AER driver, .*missing/],
    ['{ votes: { resume: none } }', /resume has no answer/, /Allowed: missing/],
    ['{ like: none }', /unknown driver "none"/, /Allowed: recovering, can-recover, unaware$/],
    ['{ hangs: { for: 1 s } }', /hangs lacks "in"/, undefined],
    ['{ loads: { in: resume, count: 0 } }', /count must be a whole number from 1 to 10000/, undefined],
    [
      '{ breaks-again: { in: error_detected, by: mmio } }',
      /unknown callback/,
      /Allowed: mmio_enabled, slot_reset, resume/,
    ],
    ['{ breaks-again: { in: slot_reset, by: dma } }', /unknown callback/, /Allowed: resume$/],
    ['{ breaks-again: { in: slot_reset, by: magic } }', /unknown way to break "magic"/, /Allowed: mmio, dma/],
    ['{ reset: warm }', /unknown reset "warm"/, /Allowed: any, fundamental/],
    ['{ sings: yes }', /has no "sings"/, /Allowed: like, votes/],
  ])('that is %s is a mistake', (driver, message, remedy) => {
    const [first, second] = problems({ driver });
    expect(first).toMatch(message);
    if (remedy !== undefined) expect(second).toMatch(remedy);
  });
});

describe('the software of a machine', () => {
  it('is chosen by name', () => {
    const machine = '{ kernel: 6.17, firmware: corrected, early-log: yes, hot-plug: yes, link-reporting: no }';
    const { kernel, firmware, ports } = read({ machine: machine.slice(2, -2).replaceAll(', ', '\n  ') });
    expect([kernel, firmware]).toEqual([{ version: '6.17', earlyLog: 'on' }, 'corrected']);
    expect(ports).toEqual({ hotPlug: 'yes', linkReporting: 'no' });
    const plain = read({});
    expect([plain.kernel, plain.firmware, plain.ports]).toEqual([undefined, undefined, undefined]);
    expect(read({ machine: 'early-log: no' }).kernel).toEqual({ earlyLog: 'off' });
  });

  it.each([
    ['kernel: 5.4', /unknown kernel "5.4"/],
    ['firmware: slof', /unknown firmware "slof"/],
    ['hot-plug: maybe', /unknown hot-plug "maybe"/],
  ])('with %s is a mistake that names what there is', (machine, message) => {
    const [first, second] = problems({ machine });
    expect(first).toMatch(message);
    expect(second).toMatch(/^Allowed: /);
  });
});

describe('an action in a scenario', () => {
  it('has a time, and a target, a file or neither', () => {
    const actions = [
      '{ at: 5 ms, do: remove, device: slot1 }',
      '{ at: 6 ms, do: rescan }',
      '{ at: 7 ms, do: force-recover, device: phb0 }',
      '{ at: 8 ms, do: read, file: /proc/powerpc/eeh }',
      '{ at: 9 ms, do: write, file: /sys/kernel/debug/powerpc/eeh_max_freezes, value: 0x10 }',
    ].join(', ');
    expect(read({ actions }).actions).toEqual([
      { kind: 'remove', atNs: ms(5), target: 'slot1' },
      { kind: 'rescan', atNs: ms(6) },
      { kind: 'force-recover', atNs: ms(7), target: 'phb0' },
      { kind: 'read', atNs: ms(8), file: '/proc/powerpc/eeh' },
      { kind: 'write', atNs: ms(9), file: '/sys/kernel/debug/powerpc/eeh_max_freezes', value: '0x10' },
    ]);
    expect(read({}).actions).toEqual([]);
  });

  it.each([
    ['{ at: 1 ms, do: explode }', /unknown action "explode"/, /Allowed: remove, rescan/],
    ['{ do: rescan }', /lacks "at"/, undefined],
    ['{ at: 1 ms, device: slot1 }', /lacks "do"/, undefined],
    ['{ at: 1 ms, do: remove, device: phb0 }', /unknown device "phb0"/, /remove can be done to: slot1, slot2/],
    ['{ at: 1 ms, do: remove }', /lacks "device"/, undefined],
    ['{ at: 1 ms, do: rescan, device: slot1 }', /has no "device"/, /Allowed: at, do/],
    ['{ at: 1 ms, do: read, file: eeh }', /a file of the kernel begins with \//, /Such as \/sys/],
    ['{ at: 1 ms, do: write, file: /sys/x }', /lacks "value"/, undefined],
    ['{ at: 1 ms, do: write, file: /sys/x, value: [1] }', /value must be text, not a list/, undefined],
    ['7', /must be a map/, undefined],
  ])('%s is a mistake', (actions, message, remedy) => {
    const [first, second] = problems({ actions });
    expect(first).toMatch(message);
    if (remedy !== undefined) expect(second).toMatch(remedy);
  });
});

describe('an expectation of software', () => {
  it.each([
    ['{ detected: phb0, by: interrupt }', { kind: 'detected', pe: 'phb0', by: 'interrupt', times: 1 }],
    [
      '{ voted: slot1, in: slot_reset, vote: need reset }',
      { kind: 'voted', callback: 'slot_reset', vote: 'need reset' },
    ],
    ['{ reset: slot1, by: whole-phb }', { kind: 'reset', slot: 'slot1', by: 'whole-phb' }],
    ['{ all-ones: slot1, times: 4 }', { kind: 'all-ones', slot: 'slot1', times: 4 }],
    ['{ failed: phb0 }', { kind: 'failed', pe: 'phb0' }],
    ['{ dead: phb0, within: 1 s }', { kind: 'dead', phb: 0, withinNs: seconds(1) }],
    ['{ log-order: [one, /two/] }', { kind: 'log-order', patterns: ['one', /two/] }],
  ])('reads %s', (item, wanted) => {
    expect(read({ expect: item }).expect[0]).toMatchObject(wanted);
  });

  it('stands on one line of the report however it is written', () => {
    const lines = text({ expect: 'X' }).replace(
      'expect: [X]',
      'expect:\n  - log-order:\n      - "a"\n      - "b - c"\n    within: 1 s\n  - { removed:\n      slot1 }',
    );
    const [order, removed] = readScenario('x', lines).expect;
    expect([order!.text, removed!.text]).toEqual(['log-order: "a", "b - c", within: 1 s', 'removed: slot1']);
  });

  it.each([
    ['{ detected: slot1 }', /lacks "by"/],
    ['{ detected: slot1, by: luck }', /unknown way to notice "luck"/],
    ['{ voted: slot1, in: probe, vote: none }', /unknown callback "probe"/],
    ['{ voted: slot1, in: resume, vote: missing }', /unknown vote "missing"/],
    ['{ reset: slot1, by: kick }', /unknown reset "kick"/],
    ['{ log-order: [one] }', /an order has at least two lines/],
    ['{ log-order: one }', /must be a list/],
    ['{ log-order: [one, "/(/"] }', /not a regular expression/],
    ['{ removed: slot1, within: 1 s }', /has no "within"/],
    ['{ dead: slot1 }', /unknown PHB "slot1"/],
    ['{ unplugged: phb0 }', /unknown slot "phb0"/],
    ['{ still-recovering: switch0 }', /unknown device "switch0"/],
  ])('%s is a mistake', (item, message) => {
    expect(problems({ expect: item })[0]).toMatch(message);
  });
});
