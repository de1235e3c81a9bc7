import { describe, expect, it } from 'vitest';
import { timelineOf } from '../../src/scenario/timeline.js';
import { run, verdicts } from './run.js';

const QUIET = '{ device: nic, driver: recovering, frame-every: 10 ms }';
const PAIR = [QUIET, QUIET];
const actions = (...items: string[]): string[] => ['actions:', ...items.map((item) => `  - { ${item} }`)];

describe('an operator', () => {
  it('has what cannot be done told as missed, with the reason', () => {
    const result = run({
      slots: PAIR,
      faults: [],
      expect: ['removed: slot1'],
      more: [
        ...actions(
          'at: 1 ms, do: plug, device: slot1',
          'at: 2 ms, do: unplug, device: slot1',
          'at: 3 ms, do: unplug, device: slot1',
          'at: 4 ms, do: remove, device: slot1',
          'at: 20 ms, do: remove, device: slot1',
          'at: 21 ms, do: check, device: slot1',
          'at: 22 ms, do: read, file: /sys/nothing',
          'at: 23 ms, do: read, file: /proc/powerpc/eeh',
          'at: 24 ms, do: write, file: /sys/nothing, value: 1',
          'at: 25 ms, do: write, file: /sys/kernel/debug/powerpc/eeh_max_freezes, value: 7',
          'at: 26 ms, do: hwcheck',
        ),
        'until: 60 ms',
      ],
    });
    expect(result.observer.actions.map(({ missed }) => missed)).toEqual([
      'the slot of slot1 is filled',
      undefined,
      'the slot of slot1 is empty',
      undefined,
      'the kernel does not have slot1 now',
      'the kernel does not have slot1 now',
      '/sys/nothing: No such file or directory',
      undefined,
      '/sys/nothing: No such file or directory',
      undefined,
      undefined,
    ]);
    expect(result.system.kernel.settings.maxFreezes).toBe(7);
    expect(verdicts(result)).toEqual(['met: the kernel does not have it']);
    const told = timelineOf(result).filter(({ who }) => who === 'operator');
    expect(told[0]).toEqual({ timeNs: 1e6, who: 'operator', what: 'plug slot1  missed: the slot of slot1 is filled' });
    expect(told[3]!.what).toBe('remove slot1');
  });

  it('waits where the kernel is busy with a recovery', () => {
    const result = run({
      slots: PAIR,
      faults: ['at: 50 ms, kind: dma-write-unmapped, device: slot1'],
      expect: ['unplugged: slot2'],
      more: actions('at: 500 ms, do: remove, device: slot2', 'at: 3 s, do: thaw, device: slot1'),
    });
    const [removal, thaw] = result.observer.actions;
    expect(removal!.endedNs! - removal!.timeNs).toBeGreaterThan(1e9);
    expect(thaw!.endedNs).toBe(thaw!.timeNs);
  });

  it('recovers any PE by name, the PHB and the switch among them', () => {
    const result = run({
      slots: PAIR,
      faults: [],
      expect: [
        'detected: switch0, by: force-recover',
        'detected: phb0, by: force-recover',
        'reset: slot1, by: whole-phb',
      ],
      more: actions('at: 5 ms, do: force-recover, device: switch0', 'at: 12 s, do: force-recover, device: phb0'),
    });
    expect(verdicts(result).slice(0, 2)).toEqual(['met: noticed by force-recover', 'met: noticed by force-recover']);
    expect(verdicts(result)[2]).toBe('met: whole-phb reset');
  });
});

describe('an expectation of software', () => {
  it('is not met, with the reason, where the kernel did something else', () => {
    const result = run({
      slots: PAIR,
      faults: ['at: 50 ms, kind: dma-write-unmapped, device: slot1'],
      expect: [
        'unplugged: slot1',
        'replugged: slot1',
        'removed: slot1',
        'failed: phb0',
        'still-recovering: slot1',
        'still-recovering: slot2',
        'detected: slot1, by: load',
        'detected: slot2, by: load',
        'voted: slot1, in: error_detected, vote: disconnect',
        'voted: slot2, in: error_detected, vote: need reset',
        'reset: slot1, by: fundamental',
        'reset: slot2, by: hot',
        'no-reset: slot1',
        'no-reset: slot2',
        'all-ones: slot2, times: 2',
        'log-order: ["EEH: Recovery successful.", "EEH: Recovering"]',
        'log-order: ["no such", "words"]',
        'dead: phb0',
        'informative: phb0',
      ],
      more: ['until: 3 s'],
    });
    expect(verdicts(result)).toEqual([
      'not-met: the kernel never lost it',
      'not-met: the kernel never lost it',
      'not-met: the kernel has it',
      'not-met: the kernel has not given it up',
      'not-met: nobody recovers it',
      'not-met: nobody recovers it',
      'not-met: noticed by interrupt',
      'not-met: the kernel noticed nothing',
      "not-met: its driver said 'need reset'",
      'not-met: its driver was not asked',
      'not-met: hot reset only',
      'not-met: no reset reached it',
      'not-met: hot reset',
      'met: no reset reached it',
      'not-met: 0 loads gave all ones',
      'not-met: after 1 of them no line has EEH: Recovering',
      'not-met: no line has no such',
      'not-met: the kernel has not said so',
      'not-met: the kernel has not said so',
    ]);
  });

  it('of a replug waits for a driver where there is one, and is not content with the device alone', () => {
    const result = run({
      slots: [QUIET, '{ device: nic }'],
      faults: [],
      expect: ['replugged: slot1', 'replugged: slot2', 'still-recovering: slot1'],
      more: [
        ...actions(
          'at: 1 ms, do: remove, device: slot1',
          'at: 20 ms, do: remove, device: slot2',
          'at: 40 ms, do: rescan',
        ),
        'settle: 10 ms',
      ],
    });
    expect(verdicts(result).slice(0, 2)).toEqual(['met: found again, and bound', 'met: found again']);
    const gone = run({
      slots: [QUIET, QUIET],
      faults: [],
      expect: ['replugged: slot1'],
      more: [...actions('at: 1 ms, do: remove, device: slot1'), 'until: 50 ms'],
    });
    expect(verdicts(gone)).toEqual(['not-met: the kernel has not found it again']);
  });

  it('sees the reset of devices behind a bridge to conventional PCI', () => {
    const result = run({
      slots: ['{ device: pci-bridge, behind: [nic, nic], driver: recovering }', QUIET],
      faults: ['at: 50 ms, kind: dma-write-unmapped, device: slot1.1'],
      expect: ['reset: slot1.0, by: hot, within: 1 s'],
      more: ['settle: 1 ms'],
    });
    expect(verdicts(result)).toEqual(['met: hot reset']);
  });
});
