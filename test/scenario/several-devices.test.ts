/** Cards of several functions and bridges with conventional devices, as scenario files speak of them. */
import { describe, expect, it } from 'vitest';
import { namesOf } from '../../src/scenario/names.js';
import { readScenario } from '../../src/scenario/read-scenario.js';
import { formatRun } from '../../src/scenario/report.js';
import { timelineOf } from '../../src/scenario/timeline.js';
import { run, verdicts } from './run.js';

const SLOTS = [
  '{ device: [nic, edu, nic], driver: recovering }',
  '{ device: pci-bridge, behind: [nic, edu], driver: unaware }',
];

describe('a slot with several devices', () => {
  it('is read as a list of functions, or as a bridge and what is behind it', () => {
    const { slots } = readScenario(
      'trial.yaml',
      [
        'name: trial',
        'about: A trial.',
        `machine: { slots: { 1: ${SLOTS[0]}, 2: ${SLOTS[1]} } }`,
        'faults: []',
        'expect: [{ freeze: bridge2 }, { untouched: slot1.2 }]',
      ].join('\n'),
    );
    expect(slots.get(1)).toMatchObject({ device: ['nic', 'edu', 'nic'], driver: 'recovering' });
    expect(slots.get(2)).toMatchObject({ device: 'pci-bridge', behind: ['nic', 'edu'], driver: 'unaware' });
    expect(namesOf(slots)).toEqual({
      slots: ['slot1.0', 'slot1.1', 'slot1.2', 'slot2.0', 'slot2.1'],
      bridges: ['bridge2'],
      switches: ['switch0'],
      phbs: ['phb0'],
      hubs: [],
    });
  });

  it('tells of the function that misbehaved, and of its neighbours in the PE', () => {
    const result = run({
      slots: SLOTS,
      faults: ['at: 20 ms, kind: function-error, device: slot1.2, error: completer-abort'],
      expect: ['freeze: slot1.2, cause: err-nonfatal', 'freeze: slot1.0', 'freeze: bridge2', 'freeze: slot2.0'],
      more: ['until: 30 ms'],
    });
    expect(result.verdicts.map(({ state }) => state)).toEqual(['met', 'met', 'not-met', 'not-met']);
    const lines = timelineOf(result).map(({ who, what }) => `${who}: ${what}`);
    expect(lines.slice(0, 2)).toEqual([
      'slot1.2: fault: function-error  error completer-abort',
      'slot1.2: ERR_NONFATAL  RID 03:00.2',
    ]);
    expect(lines.find((line) => line.includes('FROZEN'))).toContain('(slot1.0, slot1.1, slot1.2)');
    expect(formatRun(result, { again: '' })).toContain('  slot2.1  edu  0000:05:01.0, PHB0 PE');
  });

  it('freezes with the bridge above it, which has a PE of its own', () => {
    const result = run({
      slots: SLOTS,
      faults: ['at: 20 ms, kind: err-fatal, device: switch0'],
      expect: ['freeze: bridge2, cause: err-fatal', 'freeze: slot2.1, cause: err-fatal'],
      more: ['until: 30 ms'],
    });
    const [bridge, device] = result.verdicts;
    expect([bridge!.state, device!.state]).toEqual(['met', 'met']);
    const pes = ['bridge2', 'slot2.1'].map((name) => result.observer.freezesOf(name)[0]!.pe);
    expect(pes[0]).not.toBe(pes[1]);
  });
});

describe('an expectation of a device without a driver', () => {
  it('to be untouched is not met when its link drops or the kernel takes it away', () => {
    const result = run({
      slots: ['{ device: nvme }', '{ device: nvme }', '{ device: nvme }'],
      faults: ['at: 20 ms, kind: link-bounce, device: slot1', 'at: 20 ms, kind: err-fatal, device: slot2'],
      expect: ['untouched: slot1', 'untouched: slot2', 'untouched: slot3'],
      more: ['until: 40 ms'],
    });
    expect(verdicts(result)).toEqual([
      'not-met: its link went down',
      'not-met: its PE froze (err-fatal)',
      'met: no freeze, no reset, no unplug; nobody drives it',
    ]);
  });
});

describe('expectations of a link', () => {
  it('are not met, with the reason, where the link did something else', () => {
    const result = run({
      faults: ['at: 20 ms, kind: lane-failure, device: slot1, first: 1'],
      expect: [
        'link: slot1, width: x1',
        'link: slot1, width: x4',
        'link: slot2, speed: gen3',
        'link-error: slot1, error: receiver-error, times: 2',
        'link-error: slot1, error: bad-tlp',
        'stalled: slot1',
        'link: slot1, speed: gen3, within: 1 us',
      ],
      more: ['until: 30 ms'],
    });
    expect(verdicts(result)).toEqual([
      'met: its link came up, Gen3 x1',
      'not-met: its link came up, but Gen3 x1',
      'not-met: its link never trained again',
      'met: 2 x receiver-error, found by the card',
      'not-met: its link had 0 x bad-tlp',
      'not-met: no packet on its link waited for credits',
      'not-met: too late, 1.000 000 ms after the fault: its link came up, Gen3 x1',
    ]);
  });

  it('are open before anything has happened', () => {
    const result = run({
      faults: [],
      expect: ['link: slot1, width: x8', 'link-error: slot1, error: bad-tlp', 'stalled: slot1'],
      more: ['until: 10 ms'],
    });
    expect(verdicts(result)).toEqual([
      'not-met: nothing has happened to its link yet',
      'not-met: its link had 0 x bad-tlp',
      'not-met: no packet on its link waited for credits',
    ]);
  });
});

describe('the timeline', () => {
  const told = (faults: readonly string[], slots = ['{ device: nic, driver: recovering, frame-every: 50 us }']) =>
    timelineOf(run({ slots, faults, expect: ['no-log: nothing'], more: ['until: 40 ms'] }))
      .filter(({ who }) => who.startsWith('slot'))
      .map(({ who, what }) => `${who}: ${what}`);

  it('tells errors of a link by kind, with how often and who found them', () => {
    const lines = told(['at: 20 ms, kind: link-noise, device: slot1, for: 5 ms, percent: 20']);
    expect(
      lines.some((line) => /^slot1: link error: bad-tlp, found by the port, \d\d+ times until \d+\.\d/.test(line)),
    ).toBe(true);
  });

  it('tells what packets wait for', () => {
    const lines = told(['at: 20 ms, kind: credit-stall, device: slot1, for: 5 ms']);
    expect(lines.some((line) => /^slot1: packets wait for posted (data|header) credits at the card/.test(line))).toBe(
      true,
    );
  });

  it('tells of a defective packet what is wrong with it', () => {
    const kinds = ['malformed-tlp', '4k-crossing', 'ecrc-error', 'poisoned-write'];
    const packets = kinds.map(
      (kind) => told([`at: 20.049 ms, kind: ${kind}, device: slot1`]).find((line) => / MWr .*RID/.test(line)) ?? '',
    );
    expect(packets.map((line) => line.replace(/ {2}[0-9a-f]{16}.*/, ''))).toEqual([
      'slot1: MWr malformed (undefined-type)',
      'slot1: MWr malformed (crosses-4k)',
      'slot1: MWr with a wrong ECRC',
      'slot1: MWr poisoned',
    ]);
  });
});
