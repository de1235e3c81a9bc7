import { describe, expect, it } from 'vitest';
import { PeState } from '../../src/eeh/eeh-flags.js';
import { edevOf } from '../../src/eeh/eeh-pe.js';
import { delay } from '../../src/sim/process.js';
import { seconds } from '../../src/sim/time.js';
import { FakeMachine, type FakeMachineOptions } from './fake-machine.js';
import { AWARE, StubDriver } from './stub-driver.js';

function machineWith(driver: StubDriver | undefined, options: FakeMachineOptions = {}): FakeMachine {
  const kernel = { ...options.kernel, ...(driver === undefined ? {} : { drivers: [driver] }) };
  return new FakeMachine({ ...options, kernel }).boot();
}

const LIMIT = (n: number): string =>
  `EEH: PHB#0-PE#fd has failed ${n} times in the last hour and has been permanently disabled.`;

describe('freeze accounting', () => {
  it('recovers five times and disables at the sixth freeze', () => {
    const driver = new StubDriver(AWARE);
    const machine = machineWith(driver);
    for (let freeze = 1; freeze <= 5; freeze++) {
      machine.detect();
      machine.runFor(10);
      expect(machine.eeh).toContain(
        `EEH: This PCI device has failed ${freeze} times in the last hour and will be permanently disabled after 5 failures.`,
      );
    }
    expect(machine.eeh.filter((line) => line === 'EEH: Recovery successful.')).toHaveLength(5);
    machine.detect();
    machine.runFor(10);
    expect(machine.eeh).toContain(LIMIT(6));
    expect(machine.kernel.device('0000:01:00.0')).toBeUndefined();
    expect(driver.diary.at(-1)).toBe('remove 0000:01:00.0');
    // The state word is immutable from here on, with what recovery left in it.
    expect(machine.kernel.tree.allPhbPes[0]!.subtree().find((pe) => pe.address === 0xfd)!.state).toBe(
      PeState.PRI_BUS | PeState.REMOVED | PeState.RECOVERING | PeState.ISOLATED,
    );
  });

  it('keeps the device away: its config space is refused from then on', () => {
    const machine = machineWith(undefined, { kernel: { maxFreezes: 0 } });
    machine.detect();
    machine.runFor(10);
    expect(machine.eeh).toContain(LIMIT(1));
    expect(machine.run(machine.kernel.rescan())).toEqual([]);
    expect(machine.kernel.device('0000:01:00.0')).toBeUndefined();
  });

  it('starts anew more than an hour after the first freeze of the window, not at the hour', () => {
    const machine = machineWith(new StubDriver(AWARE));
    const pe = machine.kernel.pe(0, 0xfd)!;
    machine.detect();
    machine.runFor(10);
    const first = pe.timestampSeconds;
    machine.sim.run({ untilNs: seconds(first + 3600) });
    machine.detect();
    machine.runFor(10);
    expect(pe.freezeCount).toBe(2);
    machine.detect();
    machine.runFor(10);
    expect(pe.freezeCount).toBe(1);
    expect(pe.timestampSeconds).toBeGreaterThan(first + 3600);
  });

  it('survives the unplug and replug of a complete hotplug', () => {
    const machine = machineWith(new StubDriver('unaware'));
    for (const count of [1, 2]) {
      machine.detect();
      machine.runFor(20);
      expect(machine.kernel.pe(0, 0xfd)!.freezeCount).toBe(count);
    }
  });
});

describe('a PE that does not get well', () => {
  it('is given up at once when firmware calls it permanently unavailable', () => {
    const machine = machineWith(new StubDriver(AWARE));
    machine.phb.freeze(0xfd, 6);
    const pe = machine.kernel.pe(0, 0xfd)!;
    pe.markIsolated();
    machine.kernel.forceRecovery(pe);
    machine.runFor(1);
    expect(machine.eeh).toContain('EEH: Permanent failure');
  });

  it('is waited for 300 seconds while unavailable, then given up; the log costs 300 more and the wait for the port', () => {
    const driver = new StubDriver(AWARE);
    const machine = machineWith(driver);
    machine.phb.condition = 'dead';
    const start = machine.sim.now;
    machine.run(machine.kernel.check.checkDevice(edevOf(machine.kernel.device('0000:01:00.0')!)));
    machine.runFor(700);
    const at = (text: string): number => {
      return (machine.kernel.log.records.find((record) => record.text.startsWith(text))!.timeNs - start) / 1e9;
    };
    expect(at('EEH: Permanent failure')).toBeCloseTo(300, 1);
    // A port that reads as ones is present, powered off, and after 2 s and one link poll up.
    expect(at("EEH: Finished:'error_detected(permanent failure)'")).toBeCloseTo(602.02, 1);
    const queries = machine.eeh.filter(
      (line) => line === 'pnv_ioda_get_pe_state: Failure -6 getting PHB#0-PE#fe state',
    );
    expect(queries.length).toBeGreaterThan(600);
    expect(machine.eeh).toContain("eeh_wait_state: Timeout when getting PE's state (0)");
    expect(machine.kernel.pe(0, 0xfe)!.in(PeState.REMOVED)).toBe(true);
    expect(machine.kernel.devices).toEqual([]);
  });

  it('stays unavailable for a while and recovers', () => {
    const machine = machineWith(new StubDriver(AWARE));
    machine.phb.freeze(0xfd, 5);
    machine.run(machine.kernel.check.checkDevice(edevOf(machine.kernel.device('0000:01:00.0')!)));
    machine.runFor(42);
    machine.phb.freeze(0xfd, 3);
    machine.runFor(30);
    expect(machine.eeh.at(-1)).toBe('EEH: Recovery successful.');
  });

  it('fails when the freeze does not go away after the reset', () => {
    const machine = machineWith(new StubDriver(AWARE));
    machine.detect();
    machine.opal.fail.set('CLEAR', -6);
    machine.runFor(30);
    const failures = machine.eeh.filter((line) => line === 'eeh_unfreeze_pe: Failure -5 enabling IO on PHB#0-PE#fd');
    expect(failures).toHaveLength(3);
    expect(machine.eeh).toContain('pnv_ioda_unfreeze_pe: Failure -6 clear 1 on PHB#0-PE#fd');
    expect(machine.eeh).toContain('eeh_pci_enable: Unexpected state change 2 on PHB#0-PE#fd, err=-5');
    expect(machine.eeh).toContain('eeh_handle_normal_event: Cannot reset, err=-5');
    // An error of the reset leaves KEEP set for ever.
    expect(machine.kernel.pe(0, 0xfd)!.in(PeState.KEEP)).toBe(true);
  });

  it('fails when DMA alone stays frozen', () => {
    const machine = machineWith(new StubDriver({ error: 'can recover' }));
    machine.detect();
    const clear = machine.opal.pciEehFreezeClear.bind(machine.opal);
    machine.opal.pciEehFreezeClear = function* (phb, pe, action) {
      return action === 2 ? 0 : yield* clear(phb, pe, action);
    };
    machine.runFor(30);
    expect(machine.eeh).toContain('EEH: Enabled DMA for affected devices');
    expect(machine.eeh.at(-1)).toBe("EEH: Finished:'error_detected(permanent failure)'");
  });
});

describe('an event', () => {
  it('for a slot that lost its card ends with nothing done; ISOLATED stays', () => {
    const slot = { hotplug: 'registered', label: 'S1', reset: 'by-firmware' } as const;
    const machine = machineWith(new StubDriver(AWARE), { phbs: [{ slot }] });
    machine.phb.presence = 0;
    machine.detect();
    machine.runFor(10);
    expect(machine.eeh).toEqual([]);
    const empty = machine.kernel.log.records.filter((record) => record.level === 'debug');
    expect(empty.map((record) => record.text)).toContain('EEH: Frozen PHB#0-PE#fd is empty!');
    const pe = machine.kernel.pe(0, 0xfd)!;
    expect([pe.state, pe.freezeCount]).toEqual([0x801, 0]);
    expect(machine.kernel.controllers[0]!.findBus(1)!.slot!.attention).toBe('off');
  });

  it('for a slot whose presence cannot be asked is handled as if the card were there', () => {
    const slot = { hotplug: 'registered' } as const;
    const machine = machineWith(new StubDriver(AWARE), { phbs: [{ slot }] });
    machine.phb.presenceRc = -6;
    machine.detect();
    machine.runFor(30);
    expect(machine.eeh.at(-1)).toBe('EEH: Recovery successful.');
  });

  it('for a PE without any bus is refused, and the PE stays marked as recovering', () => {
    const machine = machineWith(undefined);
    const pe = machine.kernel.pe(0, 0xfd)!;
    pe.clearState(PeState.PRI_BUS);
    pe.edevs.length = 0;
    machine.kernel.forceRecovery(pe);
    machine.runFor(1);
    expect(machine.eeh).toEqual(['eeh_handle_normal_event: Cannot find PCI bus for PHB#0-PE#fd']);
    expect(pe.in(PeState.RECOVERING)).toBe(true);
  });

  it('names the locations that firmware published', () => {
    const phbs = [{ slot: { locationCode: 'U78-P1-C7' }, baseLocationCode: 'U78-P1' }];
    const machine = machineWith(new StubDriver(AWARE), { phbs });
    machine.detect();
    machine.runFor(10);
    expect(machine.eeh[1]).toBe('EEH: PE location: U78-P1-C7, PHB location: U78-P1');
  });

  it('turns legacy interrupts off while the device may not be touched', () => {
    const driver = new StubDriver(AWARE);
    const machine = machineWith(driver);
    const device = machine.kernel.device('0000:01:00.0')!;
    device.interrupt = 'legacy';
    machine.detect();
    machine.runFor(1);
    expect(edevOf(device)!.mode & 0x8).toBe(0x8);
    machine.runFor(10);
    expect(edevOf(device)!.mode & 0x8).toBe(0);
  });

  it('forced on a healthy PE does everything but clear a freeze', () => {
    const machine = machineWith(new StubDriver(AWARE));
    machine.kernel.forceRecovery(machine.kernel.pe(0, 0xfd)!);
    machine.runFor(10);
    expect(machine.eeh).toContain('EEH: [(____ptrval____)] eeh_force_recover_write+0xdc/0x170');
    expect(machine.eeh.at(-1)).toBe('EEH: Recovery successful.');
    const status = machine.opal.calls.filter((call) => /^(STATUS|CLEAR|SET)\(/.test(call));
    // One query before the reset; the freeze that the reset set is found and cleared after it.
    expect(status).toEqual([
      ...['STATUS(fd)', 'SET(fd,3)', 'STATUS(fd)', 'SET(fd,3)', 'CLEAR(fd,1)', 'STATUS(fd)'],
      ...['STATUS(fd)', 'CLEAR(fd,2)', 'STATUS(fd)'],
    ]);
  });

  it('kills the worker if a device vanished before a pass without votes', () => {
    const driver = new StubDriver(AWARE);
    const machine = machineWith(driver);
    const edev = edevOf(machine.kernel.device('0000:01:00.0')!);
    driver.errorHandlers!.slotReset = function* () {
      yield* delay(0);
      edev!.device = undefined;
      return 'recovered';
    };
    machine.detect();
    machine.runFor(10);
    expect(machine.eeh).toContain('PCI 0000:01:00.0#00fd: EEH: Device changed during processing!');
    expect(machine.eeh.slice(-3)).toEqual([
      'PCI 0000:01:00.0#00fd: EEH: no device',
      'BUG: Kernel NULL pointer dereference on write at 0x00000000',
      'note: eehd exited with irqs disabled',
    ]);
  });

  it('counts a device that vanished before the error pass as disconnected', () => {
    const machine = machineWith(new StubDriver(AWARE), { phbs: [{ functions: [0xf002] }] });
    edevOf(machine.kernel.device('0000:01:00.1')!)!.device = undefined;
    const worker = machine.kernel.pe(0, 0xfd)!;
    machine.kernel.forceRecovery(worker);
    machine.runFor(10);
    expect(machine.eeh).toContain('PCI 0000:01:00.1#00fd: EEH: no device');
    expect(machine.eeh).toContain(
      "EEH: Finished:'error_detected(IO frozen)' with aggregate recovery state:'disconnect'",
    );
  });
});

describe('the recovery of a root port and what is below it', () => {
  it('resets the root bus, dumps port and endpoint in tree order, and waits for the port with each restore', () => {
    const machine = machineWith(new StubDriver(AWARE), { phbs: [{ port: ['slot'] }] });
    machine.kernel.forceRecovery(machine.kernel.pe(0, 0xfe)!);
    machine.runFor(30);
    const { eeh } = machine;
    expect(eeh).toContain('PCI 0000:00:00.0#00fe: EEH: no driver');
    const port = eeh.indexOf('EEH: of node=0000:00:00.0');
    expect(eeh.slice(port, port + 5)).toEqual([
      'EEH: of node=0000:00:00.0',
      'EEH: PCI device/vendor: 03dc1014',
      'EEH: PCI cmd/status register: 00100006',
      'EEH: Bridge secondary status: 0000',
      'EEH: Bridge control: 0002',
    ]);
    expect(eeh.filter((line) => line.startsWith('EEH: PCI-E AER '))).toHaveLength(2 * 5);
    expect(eeh.indexOf('EEH: of node=0000:01:00.0')).toBeGreaterThan(port);
    expect(eeh.at(-1)).toBe('EEH: Recovery successful.');
    const records = machine.kernel.log.records;
    const took = (records.at(-1)!.timeNs - records[0]!.timeNs) / 1e6;
    // Three restores of a port without link reporting, a root reset, the settle time.
    expect(took).toBeGreaterThan(2199 + 1800 + 3000);
    expect(took).toBeLessThan(2200 + 1800 + 3000 + 10);
  });
});
