import { describe, expect, it } from 'vitest';
import { PeState } from '../../src/eeh/eeh-flags.js';
import { FakeMachine, type FakeMachineOptions, type FakePhbOptions, ROOT_PORT } from './fake-machine.js';
import { AWARE, StubDriver } from './stub-driver.js';

function machineWith(phb: FakePhbOptions, kernel: FakeMachineOptions['kernel'] = {}): FakeMachine {
  return new FakeMachine({ phbs: [phb], kernel: { drivers: [new StubDriver(AWARE)], ...kernel } }).boot();
}

/** Milliseconds from the freeze to the line. */
function recoverMs(machine: FakeMachine, secondsToRun = 120, last = 'EEH: Recovery successful.'): number {
  const start = machine.sim.now;
  machine.detect();
  machine.runFor(secondsToRun);
  const end = machine.kernel.log.records.findLast((record) => record.text === last);
  return end === undefined ? Number.NaN : Math.round((end.timeNs - start) / 1e6);
}

const resets = (machine: FakeMachine): string[] => machine.opal.calls.filter((call) => call.startsWith('RESET'));

describe('the hot reset of a bus whose device has power management', () => {
  it('waits 65 535 ms for a child that recovery itself has blocked, then resets once more', () => {
    const machine = machineWith({ powerManagement: 'present' });
    expect(Math.abs(recoverMs(machine) - 71_854)).toBeLessThanOrEqual(1);
    const lines = machine.kernel.log.records.filter((record) => record.text.includes('not ready'));
    expect(lines.map((record) => [record.level, record.text])).toEqual([
      ...[1023, 2047, 4095, 8191, 16_383, 32_767].map((waited) => [
        'info',
        `nic 0000:01:00.0: not ready ${waited}ms after bus reset; waiting`,
      ]),
      ['warn', 'nic 0000:01:00.0: not ready 65535ms after bus reset; giving up'],
    ]);
    expect(resets(machine)).toEqual(['RESET(0,4,1)', 'RESET(0,4,0)', 'RESET(0,4,1)']);
  });

  it.each<[string, FakePhbOptions, number]>([
    ['a port without link reporting', { port: ['slot'] }, 72_834],
    ['a port of at most 5 GT/s', { maxSpeed: 2 }, 71_834],
    ['a registered hotplug slot, whose reset ignores the outcome', { slot: { hotplug: 'registered' } }, 69_655],
  ])('takes the documented time below %s', (_, phb, expected) => {
    const took = recoverMs(machineWith({ powerManagement: 'present', ...phb }));
    expect(Math.abs(took - expected)).toBeLessThanOrEqual(2);
  });

  it('is stretched by the timer wheel to what was measured on a real machine, about 75 s', () => {
    const took = recoverMs(machineWith({ powerManagement: 'present', maxSpeed: 1 }, { sleepRounding: 'timer-wheel' }));
    expect(took).toBeGreaterThan(74_500);
    expect(took).toBeLessThan(77_000);
  });

  it('does not wait on kernels that asked the bridge', () => {
    const machine = machineWith({ powerManagement: 'present' }, { quirks: { busResetWait: 'for-bridge' } });
    expect(recoverMs(machine)).toBe(3999);
  });

  it('gives up on a link that does not come back, resets again, and the driver finds no device', () => {
    const driver = new StubDriver({ ...AWARE, reset: 'disconnect' });
    const machine = machineWith({ powerManagement: 'present' }, { drivers: [driver] });
    machine.phb.functions.get(ROOT_PORT)!.set('LNKSTA', 0);
    const took = recoverMs(machine, 30, 'pci 0000:00:00.0: Data Link Layer Link Active not set in 1000 msec');
    expect(took).toBe(2199 + 1800 + 1020);
    expect(resets(machine)).toHaveLength(3);
    expect(machine.eeh.at(-1)).toBe("EEH: Finished:'error_detected(permanent failure)'");
  });

  it('is fundamental, without any bus reset wait, when a driver asked for that', () => {
    const machine = machineWith({ powerManagement: 'present' });
    machine.kernel.device('0000:01:00.0')!.resetWish = 'fundamental';
    expect(recoverMs(machine)).toBe(2199);
    expect(resets(machine)).toEqual(['RESET(0,5,1)']);
  });
});

describe('a full reset', () => {
  it('that firmware refuses is tried three times and then given up', () => {
    const machine = machineWith({});
    machine.kernel.device('0000:01:00.0')!.resetWish = 'fundamental';
    machine.detect();
    machine.opal.fail.set('RESET', -6);
    machine.runFor(30);
    const failures = machine.eeh.filter((line) => line.startsWith('EEH: Failure'));
    expect(failures).toEqual([1, 2, 3].map((attempt) => `EEH: Failure 0 resetting PHB#0-PE#fd (attempt ${attempt})\n`));
    expect(machine.eeh).toContain('eeh_handle_normal_event: Cannot reset, err=-5');
    expect(machine.eeh.at(-1)).toBe("EEH: Finished:'error_detected(permanent failure)'");
    expect(machine.kernel.pe(0, 0xfd)!.in(PeState.RESET | PeState.CFG_BLOCKED)).toBe(false);
  });

  it('by the bus reset of the PCI core cannot fail: that has no result to give', () => {
    const machine = machineWith({});
    machine.detect();
    machine.opal.fail.set('RESET', -6);
    machine.runFor(30);
    expect(resets(machine)).toEqual(['RESET(0,4,1)', 'RESET(0,4,0)']);
    expect(machine.eeh.at(-1)).toBe('EEH: Recovery successful.');
  });

  it('of the unaware path that leaves the PE frozen fails in its own words', () => {
    const machine = machineWith({}, { drivers: [new StubDriver('unaware')] });
    machine.detect();
    machine.opal.fail.set('CLEAR', -6);
    machine.runFor(30);
    expect(machine.eeh).toContain('eeh_handle_normal_event: Unable to reset, err=-5');
    expect(machine.eeh).not.toContain('EEH: Sleep 5s ahead of complete hotplug');
  });

  it('that works at the second try is announced', () => {
    const machine = machineWith({});
    machine.kernel.device('0000:01:00.0')!.resetWish = 'fundamental';
    machine.phb.resetScripts.push([1000, 999, -6]);
    expect(recoverMs(machine)).toBeLessThan(10_000);
    expect(machine.eeh).toContain('EEH: Failure 0 resetting PHB#0-PE#fd (attempt 1)\n');
    expect(machine.eeh).toContain('EEH: PHB#0-PE#fd: Successful reset (attempt 2)');
    expect(machine.eeh.at(-1)).toBe('EEH: Recovery successful.');
  });

  it('of a PHB that stays fenced reports success, and the unfreeze finds out', () => {
    const machine = machineWith({});
    machine.phb.condition = 'fenced';
    machine.phb.resetsToCure = 99;
    machine.opal.raiseError();
    machine.runFor(60);
    expect(machine.eeh.filter((line) => line.includes('resetting PHB#0-PE#0'))).toHaveLength(3);
    expect(resets(machine).filter((call) => call === 'RESET(0,1,1)')).toHaveLength(3);
    expect(machine.eeh).toContain(
      'EEH: Unable to recover from failure from PHB#0-PE#0.\nPlease try reseating or replacing it',
    );
  });

  it('passes through the documented words of the PE state', () => {
    const machine = machineWith({});
    const pe = machine.kernel.pe(0, 0xfd)!;
    const words = [0x800];
    machine.detect();
    machine.sim.run({
      untilNs: machine.sim.now + 10e9,
      when: () => {
        if (words.at(-1) !== pe.state) words.push(pe.state);
        return false;
      },
    });
    // Those that last: the isolation and the event, the reset, and the reenable step share an instant with the next.
    expect(words.map((word) => (word & ~0x800).toString(16))).toEqual(['0', '3', '10f', '10b', '102', '103', '2', '0']);
  });

  it('refreezes a PE that a guest owns', () => {
    const machine = machineWith({});
    const pe = machine.kernel.pe(0, 0xfd)!;
    pe.passedDevices = 1;
    machine.kernel.forceRecovery(pe);
    machine.runFor(60);
    expect(machine.eeh).toContain('PCI 0000:01:00.0#00fd: EEH: not actionable (1,1,0)');
    expect(machine.eeh).toContain('EEH: Note: Leaving passthrough PHB#0-PE#fd frozen.');
    expect(machine.eeh).toContain('EEH: Passed-through PE PHB#0-PE#fd was thawed by reset, re-freezing for safety.');
  });
});

describe('the platform reset', () => {
  it('of a PE without bus fails', () => {
    const machine = machineWith({}, { quirks: { busLookup: 'does-not-lock' } });
    const pe = machine.kernel.pe(0, 0xfd)!;
    machine.detect();
    machine.runFor(0.5);
    pe.clearState(PeState.PRI_BUS);
    pe.edevs.length = 0;
    machine.runFor(10);
    expect(machine.eeh.join()).toContain('pnv_eeh_reset: Cannot find PCI bus for PHB#0-PE#fd');
  });
});
