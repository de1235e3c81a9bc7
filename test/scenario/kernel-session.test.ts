import { describe, expect, it } from 'vitest';
import { UsageError } from '../../src/eeh/interfaces/usage-error.js';
import { formatProcedures, formatSession, procedureStatus, sessionStatus } from '../../src/scenario/kernel-report.js';
import {
  type ProcedureResult,
  runCommands,
  runProcedure,
  type SessionResult,
} from '../../src/scenario/kernel-session.js';
import { readScenario } from '../../src/scenario/read-scenario.js';
import type { Scenario } from '../../src/scenario/scenario.js';

const SCENARIO = [
  'name: session',
  'about: A card writes where it has no business.',
  'machine: { slots: { 1: { device: nic, driver: unaware, frame-every: 10 ms } } }',
  'faults: [{ at: 50 ms, kind: dma-write-unmapped, device: slot1 }]',
  'expect: [{ freeze: slot1, within: 10 us }]',
].join('\n');
const HEALTHY = SCENARIO.replace(/faults: .*/, 'faults: []').replace(/expect: .*/, 'expect: [{ untouched: slot1 }]');

const scenario = (text = SCENARIO): Scenario => readScenario('session.yaml', text);
const session = (...lines: string[]): SessionResult =>
  runCommands(
    scenario(),
    lines.map((text, i) => ({ text, place: `line ${i + 1}` })),
  );

const STATE = '/sys/bus/pci/devices/0000:01:00.0/eeh_pe_state';

describe('commands in the kernel of a scenario', () => {
  it('run one after the other, at the times they ask for, while the faults strike', () => {
    const { results } = session(
      `cat ${STATE}`,
      'at 40 ms',
      `cat ${STATE}; sleep 1`,
      `cat ${STATE}`,
      'at 20 s',
      `cat ${STATE}`,
    );
    expect(results.map(({ text, errors }) => [text, ...errors].join(''))).toEqual([
      ...['0x00000078 0x00000800\n', '', '0x00000078 0x00000800\n', ''],
      ...[`cat: ${STATE}: No such file or directory`, '', '0x00000078 0x00000800\n'],
    ]);
    expect(results[0]!.startNs).toBe(0);
    expect(results[1]!.endNs).toBe(40e6);
    expect(results[6]!.startNs).toBe(20e9);
  });

  it('give the same in every run', () => {
    const run = (): SessionResult => session('at 60 ms', 'dmesg');
    expect(run()).toEqual(run());
  });

  it('cannot go back in time', () => {
    const { results } = session('sleep 1', 'at 5 ms', 'echo on');
    expect(results[1]).toMatchObject({ errors: ['at: 5 ms is over'], status: 1 });
    expect(results[2]!.text).toBe('on\n');
    expect(sessionStatus(session('at 5 ms', 'at 5 ms'))).toBe(0);
  });

  it('are all read before the first runs, and a wrong one is named', () => {
    expect(() => session('echo 1', 'reboot')).toThrow(UsageError);
    expect(() => session('echo 1', 'reboot')).toThrow('line 2: reboot: no such command: there are at, cat');
    expect(() => session('at noon')).toThrow('line 1: at: "noon" is no moment. A duration is a number with a unit');
    expect(() => session('at 25000 min')).toThrow('is no moment');
  });

  it('are shown with the virtual time, and bytes that no terminal should get spelled out', () => {
    const result = session(
      'at 1 ms',
      'cat /none',
      'setpci -s 1:0.0 0.l',
      'cat /sys/bus/pci/devices/0000:01:00.0/config',
    );
    const lines = formatSession(result).split('\n');
    expect(lines.slice(0, 6)).toEqual([
      '        0.000 000 ms  $ at 1 ms',
      '        1.000 000 ms  $ cat /none',
      'cat: /none: No such file or directory',
      '        1.000 000 ms  $ setpci -s 1:0.0 0.l',
      'f0011014',
      expect.stringContaining('$ cat /sys/bus'),
    ]);
    expect(lines[6]).toMatch(/^\\x14\\x10\\x01\\xf0/);
    expect(lines.at(-1)).toMatch(/^digest [0-9a-f]{16} at \d+\.\d{3} \d{3} ms, seed "session"$/);
    expect(sessionStatus(result)).toBe(1);
  });
});

describe('a procedure', () => {
  it('prints what the real one prints, with the time, and has its exit status', () => {
    const results = runProcedure(scenario(HEALTHY), 'selftest', { atNs: 5e6, seed: 'other' });
    expect(results).toHaveLength(1);
    expect(results[0]).toMatchObject({ name: 'selftest', seed: 'other', status: 0, result: { failed: [] } });
    expect(results[0]!.lines[0]!.timeNs).toBeGreaterThan(5e6);
    const text = formatProcedures(results);
    expect(text.split('\n')[0]).toBe('selftest');
    expect(text).toMatch(/^ +\d+\.\d{3} \d{3} ms {2}0000:01:00\.0, Recovered after 10 seconds$/m);
    expect(text).toMatch(/\n +[\d.]+ \d{3} ms {2}0 devices failed to recover \(1 tested\)\nexit status 0; digest /);
    expect(procedureStatus(results)).toBe(0);
  });

  it('meets the faults of the scenario', () => {
    const [result] = runProcedure(scenario(), 'selftest', { atNs: 51e6 });
    const lines = result!.lines.map(({ text }) => text);
    expect(lines).toContain('Found 0 breakable devices...');
  });

  it('of op-test is one test, or all four on a fresh machine each', () => {
    const one = runProcedure(scenario(HEALTHY), 'op-test-max-fenced-phb');
    expect(one.map(({ name, status }) => [name, status])).toEqual([['op-test-max-fenced-phb', 0]]);
    const all = runProcedure(scenario(HEALTHY), 'op-test', { skipPhbs: ['PCI0000'] });
    expect(all.map(({ name }) => name)).toEqual([
      ...['op-test-basic-fenced-phb', 'op-test-max-fenced-phb', 'op-test-basic-frozen-pe', 'op-test-max-frozen-pe'],
    ]);
    expect(all.every(({ lines }) => lines.at(-1)!.text === 'OK')).toBe(true);
    expect(formatProcedures(all).split('\n\n')).toHaveLength(4);
  });

  it('that broke nothing is no success, and neither is one of several that failed', () => {
    const result = (status: number, tested: number): ProcedureResult => ({
      ...{ name: 'selftest', seed: '', lines: [], result: {}, endNs: 0, digest: '', status, tested },
    });
    expect(procedureStatus([result(4, 0)])).toBe(1);
    expect(procedureStatus([result(0, 1), result(0, 0)])).toBe(1);
    expect(procedureStatus([result(0, 1), result(1, 1)])).toBe(1);
    expect(procedureStatus([result(0, 1), result(0, 2)])).toBe(0);
  });
});
