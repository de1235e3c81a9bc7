import { describe, expect, it } from 'vitest';
import { PeState } from '../../src/eeh/eeh-flags.js';
import { edevOf } from '../../src/eeh/eeh-pe.js';
import { ENDPOINT, FakeMachine, type FakeMachineOptions } from './fake-machine.js';
import { AWARE, StubDriver } from './stub-driver.js';

const BAR0 = 0x3ff8_0000_0000;

/** Booted, with nobody to handle events: what detection alone does stays visible. */
function quiet(options: FakeMachineOptions = {}): FakeMachine {
  const machine = new FakeMachine(options);
  machine.kernel.events.worker = function* () {};
  return machine.boot();
}

function load(machine: FakeMachine, address = BAR0): void {
  const { check } = machine.kernel;
  machine.run(check.checkAddress(address));
}

describe('the check after a load of all ones', () => {
  it('finds a frozen PE, isolates it, captures the evidence and queues recovery', () => {
    const machine = quiet();
    machine.phb.freeze(0xfd);
    machine.run(machine.kernel.check.checkDevice(edevOf(machine.kernel.device('0000:01:00.0')!)));
    const pe = machine.kernel.pe(0, 0xfd)!;
    expect(machine.opal.calls).toEqual(['STATUS(0)', 'STATUS(fd)', 'SET(fd,3)', 'DIAG(0)', 'STATUS(fe)']);
    expect(pe.state).toBe(PeState.PRI_BUS | PeState.ISOLATED | PeState.RECOVERING);
    expect(machine.kernel.device('0000:01:00.0')!.channel).toBe('frozen');
    expect(machine.kernel.statistics.slotResets).toBe(1);
  });

  it('counts a healthy PE as a false positive, in the PE and globally', () => {
    const machine = quiet();
    load(machine);
    load(machine);
    expect(machine.kernel.statistics.falsePositives).toBe(2);
    expect(machine.kernel.pe(0, 0xfd)!.falsePositives).toBe(2);
    expect(machine.kernel.statistics.totalMmioFfs).toBe(2);
    expect(machine.kernel.events.queued).toEqual([]);
    expect(machine.opal.calls).toEqual(['STATUS(0)', 'STATUS(fd)', 'STATUS(0)', 'STATUS(fd)']);
  });

  it('counts an address that belongs to no device and asks firmware nothing', () => {
    const machine = quiet();
    load(machine, 0x1000);
    expect(machine.kernel.statistics.noDevice).toBe(1);
    expect(machine.opal.calls).toEqual([]);
  });

  it('counts a device without record, and one whose record has left its PE', () => {
    const machine = quiet();
    expect(machine.run(machine.kernel.check.checkDevice(undefined))).toBe(0);
    expect(machine.kernel.statistics.noNode).toBe(1);
    const device = machine.kernel.device('0000:01:00.0')!;
    machine.run(machine.kernel.removeDevice(device));
    expect(machine.run(machine.kernel.check.checkDevice(edevOf(device)))).toBe(0);
    expect(machine.kernel.statistics.ignoredChecks).toBe(1);
  });

  it('reports one event for two loads that see ones at the same time', () => {
    const machine = quiet();
    machine.phb.freeze(0xfd);
    const { check } = machine.kernel;
    const both = [1, 2].map((n) => machine.sim.spawn(`load ${n}`, check.checkAddress(BAR0)));
    machine.sim.run({ process: both[1]! });
    expect(machine.kernel.statistics.slotResets).toBe(1);
    expect(machine.kernel.pe(0, 0xfd)!.checkCount).toBe(1);
  });

  it('counts the reads during a recovery from zero each time', () => {
    const machine = new FakeMachine({ kernel: { drivers: [new StubDriver(AWARE)] } }).boot();
    machine.detect();
    machine.runFor(1);
    load(machine);
    expect(machine.kernel.pe(0, 0xfd)!.checkCount).toBe(1);
    machine.runFor(10);
    expect(machine.kernel.pe(0, 0xfd)!.checkCount).toBe(0);
  });

  it('says so once, at exactly 2 100 000 reads of a device under recovery', () => {
    const driver = new StubDriver(AWARE);
    const machine = new FakeMachine({ kernel: { drivers: [driver] } }).boot();
    const pe = machine.kernel.pe(0, 0xfd)!;
    pe.markIsolated();
    pe.checkCount = 2_099_998;
    load(machine);
    expect(machine.eeh).toEqual([]);
    load(machine);
    load(machine);
    expect(machine.eeh).toEqual([
      'PCI 0000:01:00.0#00fd: EEH: 2100000 reads ignored for recovering device at location=N/A driver=nic',
      'PCI 0000:01:00.0#00fd: EEH: Might be infinite loop in nic driver',
    ]);
  });

  it('leaves a PE that was handed to a guest to its owner', () => {
    const machine = quiet();
    machine.kernel.pe(0, 0xfd)!.passedDevices = 1;
    machine.phb.freeze(0xfd);
    load(machine);
    expect(machine.opal.calls).toEqual(['STATUS(0)']);
  });

  it('recovers at a parent that is frozen by half, and names it twice', () => {
    const machine = quiet();
    machine.phb.freeze(0xfd);
    machine.phb.freeze(0xfe, 1);
    load(machine);
    expect(machine.kernel.pe(0, 0xfe)!.in(PeState.ISOLATED | PeState.RECOVERING)).toBe(true);
    expect(machine.eeh[0]).toBe('EEH: Failure of PHB#0-PE#fe will be handled at parent PHB#0-PE#fe.');
  });

  it('isolates a parent that is frozen whole and forgets it', () => {
    const machine = quiet();
    machine.phb.freeze(0xfd);
    machine.phb.freeze(0xfe, 3);
    const edev = edevOf(machine.kernel.device('0000:01:00.0')!);
    machine.run(machine.kernel.check.checkDevice(edev));
    expect(machine.kernel.pe(0, 0xfe)!.in(PeState.ISOLATED)).toBe(true);
    expect(machine.kernel.pe(0, 0xfe)!.in(PeState.RECOVERING)).toBe(false);
    expect(machine.kernel.pe(0, 0xfd)!.in(PeState.RECOVERING)).toBe(true);
  });

  it('finds a fenced PHB before it asks for the PE', () => {
    const machine = quiet();
    machine.phb.condition = 'fenced';
    const edev = edevOf(machine.kernel.device('0000:01:00.0')!);
    expect(machine.run(machine.kernel.check.checkDevice(edev))).toBe(1);
    expect(machine.opal.calls).toEqual(['STATUS(0)', 'DIAG(0)']);
    expect(machine.kernel.pe(0, 'phb')!.in(PeState.RECOVERING)).toBe(true);
    expect(machine.kernel.pe(0, 0xfd)!.in(PeState.ISOLATED)).toBe(true);
    expect(machine.run(machine.kernel.check.checkDevice(edev))).toBe(1);
    expect(machine.opal.calls).toHaveLength(2);
  });

  it('does not see a dead PHB as such: the top-most PE below it is chosen as unavailable', () => {
    const machine = quiet();
    machine.phb.condition = 'dead';
    const edev = edevOf(machine.kernel.device('0000:01:00.0')!);
    machine.run(machine.kernel.check.checkDevice(edev));
    expect(machine.eeh).toEqual([
      'pnv_eeh_get_phb_state: Failure -6 getting PHB#0 state',
      'pnv_ioda_get_pe_state: Failure -6 getting PHB#0-PE#fd state',
      'pnv_ioda_get_pe_state: Failure -6 getting PHB#0-PE#fe state',
      'EEH: Failure of PHB#0-PE#fe will be handled at parent PHB#0-PE#fe.',
      ...machine.eeh.slice(4),
    ]);
    expect(machine.kernel.pe(0, 0xfe)!.in(PeState.RECOVERING)).toBe(true);
  });

  it('drops new events when recovery is switched off, but not forced ones', () => {
    const machine = quiet();
    machine.kernel.settings.recovery = 'off';
    machine.phb.freeze(0xfd);
    machine.run(machine.kernel.check.checkDevice(edevOf(machine.kernel.device('0000:01:00.0')!)));
    expect(machine.eeh).toEqual(['EEH: Event dropped due to no_recover setting']);
    expect(machine.kernel.pe(0, 0xfd)!.in(PeState.RECOVERING)).toBe(false);
    machine.kernel.forceRecovery(machine.kernel.pe(0, 0xfd)!);
    expect(machine.kernel.events.queued).toHaveLength(1);
  });
});

describe('a config read through the PCI core', () => {
  it('of all ones runs the check, and fails if the PE is frozen', () => {
    const machine = quiet();
    const target = { controller: machine.kernel.controllers[0]!, bdfn: ENDPOINT };
    const node = machine.kernel.controllers[0]!.findNode(ENDPOINT);
    machine.phb.card = 'gone';
    const healthy = machine.run(machine.kernel.config.read({ ...target, node }, 0, 4));
    expect(healthy).toEqual({ status: 'ok', value: 0xffff_ffff });
    expect(machine.kernel.statistics.falsePositives).toBe(1);
    machine.phb.freeze(0xfd);
    const frozen = machine.run(machine.kernel.config.read({ ...target, node }, 0, 4));
    expect(frozen).toEqual({ status: 'not-found', value: 0xffff_ffff });
  });

  it('is refused without asking anybody while the PE is blocked or the device was given up', () => {
    const machine = quiet();
    const controller = machine.kernel.controllers[0]!;
    const node = controller.findNode(ENDPOINT)!;
    const target = { controller, bdfn: ENDPOINT, node };
    machine.kernel.pe(0, 0xfd)!.state |= PeState.CFG_BLOCKED;
    expect(machine.run(machine.kernel.config.read(target, 0, 2))).toEqual({ status: 'not-found', value: 0xffff });
    expect(machine.run(machine.kernel.config.write(target, 4, 2, 0))).toBe('not-found');
    machine.kernel.pe(0, 0xfd)!.state &= ~PeState.CFG_BLOCKED;
    edevOf(machine.kernel.device('0000:01:00.0')!)!.mode |= 0x400;
    expect(machine.run(machine.kernel.config.read(target, 0, 1))).toEqual({ status: 'not-found', value: 0xff });
    expect(machine.kernel.statistics.totalMmioFfs).toBe(0);
  });
});

describe('MMIO accessors', () => {
  it('hand the value over in the byte order of PCI and check only ones', () => {
    const machine = quiet();
    machine.phb.read = () => 0x1122_3344n;
    const { io } = machine.kernel;
    expect(machine.run(io.read32(BAR0))).toBe(0x4433_2211);
    expect(machine.run(io.readBigEndian(BAR0, 4))).toBe(0x1122_3344n);
    expect(machine.kernel.statistics.totalMmioFfs).toBe(0);
    machine.phb.read = (_, size) => (1n << BigInt(8 * size)) - 1n;
    for (const size of [1, 2, 4, 8] as const) machine.run(io.read(BAR0, size));
    machine.run(io.readUnchecked(BAR0, 4));
    expect(machine.kernel.statistics.totalMmioFfs).toBe(4);
    machine.run(io.write(BAR0, 4, 0x1122_3344n));
    machine.run(io.writeBigEndian(BAR0, 8, 5n));
    expect(machine.port.stores.slice(-2)).toEqual([
      { address: BAR0, size: 4, value: 0x4433_2211n },
      { address: BAR0, size: 8, value: 5n },
    ]);
  });

  it('look at the last four bytes of a block', () => {
    const machine = quiet();
    machine.phb.read = (offset) => (offset < 4 ? 0n : 0xffn);
    machine.run(machine.kernel.io.readBlock(BAR0, 6));
    expect(machine.kernel.statistics.totalMmioFfs).toBe(0);
    machine.run(machine.kernel.io.readBlock(BAR0, 8));
    expect(machine.kernel.statistics.totalMmioFfs).toBe(1);
    machine.run(machine.kernel.io.readBlock(BAR0 + 8, 3));
    expect(machine.kernel.statistics.totalMmioFfs).toBe(1);
  });
});

describe('the address cache', () => {
  it('knows BARs from their first to their last byte, and forgets a removed device', () => {
    const machine = quiet();
    const { addressCache } = machine.kernel;
    expect(addressCache.entries().map(({ first, last }) => [first, last])).toEqual([
      [BAR0, BAR0 + 0x3fff],
      [BAR0 + 0x1_0000, BAR0 + 0x1_ffff],
    ]);
    expect(addressCache.find(BAR0 + 0x3fff)?.bdfn).toBe(ENDPOINT);
    expect(addressCache.find(BAR0 + 0x4000)).toBeUndefined();
    const two = quiet({ phbs: [{}, {}] });
    two.run(two.kernel.removeDevice(two.kernel.device('0000:01:00.0')!));
    two.run(two.kernel.rescan());
    const firsts = two.kernel.addressCache.entries().map(({ first }) => first);
    expect(firsts).toHaveLength(4);
    expect(firsts).toEqual([...firsts].sort((a, b) => a - b));
    const device = machine.kernel.device('0000:01:00.0')!;
    addressCache.insertDevice(device);
    expect(machine.eeh).toEqual(['PIAR: overlapping address range', 'PIAR: overlapping address range']);
    machine.run(machine.kernel.removeDevice(device));
    expect(addressCache.entries()).toEqual([]);
  });
});
