/**
 * One thread recovers, one event at a time, on a whole machine: two failures at once, errors during a recovery, hotplug
 * during a recovery. Facts: eeh-linux 6, 12, 19, 22 (D6, D7, D20).
 */
import { describe, expect, it } from 'vitest';
import { PeState } from '../../src/eeh/eeh-flags.js';
import type { PciDevice } from '../../src/eeh/pci/device.js';
import type { Process } from '../../src/sim/process.js';
import { CARD, DISK, DISK_ID, FullMachine, type FullMachineOptions } from './full-machine.js';
import { AWARE, StubDriver } from './stub-driver.js';

const SUCCESS = 'EEH: Recovery successful.';
const disk = (votes: ConstructorParameters<typeof StubDriver>[0] = AWARE): StubDriver =>
  new StubDriver(votes, { deviceId: DISK_ID, name: 'nvme' });

/** Disks without the stall of 65 s, so that a recovery takes as long as its resets. */
function machine(options: Partial<FullMachineOptions> = {}): FullMachine {
  const { kernel, ...rest } = options;
  return new FullMachine({ slots: { 1: DISK }, drivers: [disk()], kernel: { version: '6.1.0', ...kernel }, ...rest });
}

const TWO_PHBS = { 1: DISK, 2: { ...DISK, phb: 1 } } as const;
const SWITCH = { 1: DISK, 2: DISK } as const;

/** What was recovered, in order, with the times of its first and last line. */
function recoveries(full: FullMachine): { what: string; from: number; to: number }[] {
  const found: { what: string; from: number; to: number }[] = [];
  for (const { text, timeNs } of full.kernel.log.records) {
    const time = (timeNs - full.startNs) / 1e6;
    const what = /^EEH: Recovering ([^,]+)/.exec(text)?.[1];
    if (what !== undefined) found.push({ what, from: time, to: Number.NaN });
    const ended = text === SUCCESS || text.startsWith("EEH: Finished:'error_detected(permanent failure)'");
    if (ended && found.length > 0) found.at(-1)!.to = time;
  }
  return found;
}

const names = (full: FullMachine): string[] => recoveries(full).map(({ what }) => what);

/** None begins before the one before it has ended. */
function expectOneAtATime(full: FullMachine): void {
  const all = recoveries(full);
  for (const [index, { from }] of all.entries()) {
    if (index > 0) expect(from).toBeGreaterThanOrEqual(all[index - 1]!.to);
  }
}

/** Both loads in one instant. */
function together(full: FullMachine, ...slots: string[]): void {
  const all = slots.map((slot) => full.sim.spawn(`load ${slot}`, full.loading(slot)));
  for (const each of all) full.sim.run({ process: each });
}

describe('two bridges that fail at once', () => {
  it('are recovered one after the other, and the second waits as long as the first takes', () => {
    const full = machine({ slots: TWO_PHBS });
    full.fence(0);
    full.fence(1);
    together(full, 'slot1', 'slot2');
    full.runFor(20);
    expect(names(full)).toHaveLength(2);
    expectOneAtATime(full);
    const [first, second] = recoveries(full);
    expect(first!.to - first!.from).toBeGreaterThan(4300);
    expect(second!.from - first!.to).toBeLessThan(1);
    expect(second!.to).toBeLessThan(2 * 4500);
    expect(full.kernel.devices).toHaveLength(4);
  });

  it('and are both told by firmware, are handled within one special event', () => {
    const full = machine({ slots: TWO_PHBS });
    full.fence(1);
    full.fence(0);
    full.interrupt(0);
    full.interrupt(1);
    full.runFor(20);
    const order = full.eeh.filter((line) => /Fenced|successful/.test(line));
    expect(order).toEqual([
      'EEH: Fenced PHB#0 detected, location: N/A',
      SUCCESS,
      'EEH: Fenced PHB#1 detected, location: N/A',
      SUCCESS,
    ]);
    expect(full.kernel.events.handled).toBe(1);
    expect(full.has('Unbalanced')).toBe(false);
  });

  it('keep their devices apart: the one that is well goes on', () => {
    const full = machine({ slots: TWO_PHBS });
    full.fence(0);
    full.load('slot1');
    full.runFor(1);
    full.load('slot2');
    expect(full.kernel.statistics.falsePositives).toBe(0);
    expect(full.system.slot('slot2')!.device!.channel).toBe('normal');
    full.runFor(10);
    expect(names(full)).toEqual(['PHB#0']);
  });
});

describe('events that pile up behind a recovery', () => {
  it('are taken newest first', () => {
    const full = machine({ slots: { 1: DISK, 2: DISK, 3: DISK } });
    const { handled } = full.kernel.events;
    full.detect('slot1');
    full.runFor(0.5);
    for (const slot of ['slot2', 'slot3']) {
      full.freeze(slot);
      full.load(slot);
    }
    full.runFor(20);
    expect(names(full)).toEqual(['PHB#0-PE#fb', 'PHB#0-PE#f9', 'PHB#0-PE#fa']);
    expectOneAtATime(full);
    expect(full.kernel.events.handled - handled).toBe(3);
  });

  it('let a special event go first, which drops those of PEs that are not isolated', () => {
    const full = machine({ slots: TWO_PHBS });
    full.detect('slot1');
    full.runFor(0.5);
    full.kernel.forceRecovery(full.kernel.pe(1, 0xfd)!);
    full.kernel.forceRecovery('hwcheck');
    full.runFor(20);
    expect(names(full)).toEqual(['PHB#0-PE#fd']);
    expect(full.kernel.events.queued).toEqual([]);
    expect(full.kernel.pe(1, 0xfd)!.in(PeState.RECOVERING)).toBe(true);
  });

  it('keep a report of firmware waiting, with its interrupt masked all the while', () => {
    const full = machine({ slots: TWO_PHBS });
    full.detect('slot1');
    full.runFor(1);
    const { startNs } = full;
    full.system.machine.phbs[1]!.scomWrite(0, 0n);
    full.fence(1);
    full.startNs = startNs;
    full.interrupt(1);
    full.runFor(1);
    expect(full.has('Fenced')).toBe(false);
    expect(full.kernel.events.queued).toEqual(['special']);
    full.runFor(20);
    expect(full.at('EEH: Fenced PHB#1 detected')).toBeGreaterThanOrEqual(4000);
    expect(full.at('EEH: Fenced PHB#1 detected') - full.at(SUCCESS)).toBeLessThan(1);
    expect(full.at(SUCCESS, 2)).toBeGreaterThan(8300);
  });
});

describe('an error during a recovery', () => {
  it('of the same PE is only counted: the loads of a driver see ones and nothing is queued', () => {
    const full = machine();
    full.detect();
    full.runFor(1);
    const { startNs } = full;
    for (let i = 0; i < 3; i++) full.load('slot1');
    expect(full.kernel.pe(0, 0xfd)!.checkCount).toBe(3);
    expect(full.kernel.events.queued).toEqual([]);
    expect(full.startNs).toBe(startNs);
    full.runFor(10);
    expect(names(full)).toEqual(['PHB#0-PE#fd']);
  });

  it('of the same PE after its thaw is a second freeze, recovered after the first', () => {
    const driver = disk();
    const full = machine({ drivers: [driver] });
    const { resume } = driver.errorHandlers!;
    let spoiled = 0;
    driver.errorHandlers!.resume = function* (device: PciDevice): Process<void> {
      yield* resume!(device);
      if (spoiled++ > 0) return;
      yield* full.system.opal.pciEehFreezeSet(0, 0xfd, 3);
      yield* full.loading('slot1');
    };
    full.detect();
    full.runFor(20);
    expect(names(full)).toEqual(['PHB#0-PE#fd', 'PHB#0-PE#fd']);
    expectOneAtATime(full);
    expect(full.has('This PCI device has failed 2 times')).toBe(true);
    // The end of the first recovery takes the mark away that the second event had set.
    expect(full.kernel.pe(0, 0xfd)!.state & PeState.RECOVERING).toBe(0);
  });

  it('of another PE below the same bridge waits its turn and is recovered', () => {
    const full = machine({ slots: SWITCH });
    full.detect('slot1');
    full.runFor(1);
    full.freeze('slot2');
    full.load('slot2');
    expect(full.kernel.pe(0, 0xfa)!.in(PeState.ISOLATED)).toBe(true);
    full.runFor(10);
    expect(names(full)).toEqual(['PHB#0-PE#fb', 'PHB#0-PE#fa']);
    expectOneAtATime(full);
    expect(full.at(SUCCESS, 2)).toBeGreaterThan(2 * 2170);
  });

  it('of a PE above it is recovered next, the child once more with it', () => {
    const driver = disk();
    const full = machine({ slots: SWITCH, drivers: [driver] });
    full.detect('slot1');
    full.runFor(1);
    full.kernel.forceRecovery(full.kernel.pe(0, 0xfe)!);
    full.runFor(20);
    expect(names(full)).toEqual(['PHB#0-PE#fb', 'PHB#0-PE#fe']);
    expectOneAtATime(full);
    // Once for its own PE, then both disks for the port above them.
    expect(driver.diary.filter((entry) => entry === 'reset')).toHaveLength(3);
  });

  it('of a PE below one that is being reset is lost in that reset', () => {
    const full = machine({ slots: SWITCH });
    full.kernel.forceRecovery(full.kernel.pe(0, 0xfe)!);
    full.runFor(1);
    full.freeze('slot1');
    full.load('slot1');
    full.runFor(20);
    expect(names(full)).toEqual(['PHB#0-PE#fe']);
    expect(full.kernel.pe(0, 0xfb)!.in(PeState.ISOLATED | PeState.RECOVERING)).toBe(false);
    const { freezeState } = full.run(full.system.opal.pciEehFreezeStatus(0, 0xfb));
    expect([freezeState, full.kernel.events.queued]).toEqual([0, []]);
  });
});

describe('a fence during the recovery of a PE', () => {
  /** The bridge fences while the disk in slot 1 is being reset; the driver of slot 2 finds out. */
  function fenced(kernel: FullMachineOptions['kernel'] = {}): FullMachine {
    const full = machine({ slots: SWITCH, kernel });
    full.detect('slot1');
    full.runFor(1);
    full.fence(0);
    full.load('slot2');
    // The bridge above the disk does not answer: a minute goes by.
    full.runFor(100);
    return full;
  }

  it('makes that recovery fail, and the device it leaves behind makes the recovery of the PHB fail too', () => {
    const full = fenced();
    expect(names(full)).toEqual(['PHB#0']);
    expectOneAtATime(full);
    expect(full.has('eeh_handle_normal_event: Cannot reset, err=-5')).toBe(true);
    // KEEP is still set, so the record of the removed disk stays in its PE without a device (D20).
    expect(full.has('PCI 0000:03:00.0#00fb: EEH: no device')).toBe(true);
    expect(full.has('EEH: Unable to recover from failure from PHB#0-PE#0.')).toBe(true);
    // The failure pass then has no place for the result of that device, and the worker dies (D11).
    expect(full.kernel.log.texts().at(-1)).toBe('note: eehd exited with irqs disabled');
    expect(full.kernel.devices).toHaveLength(5);
  });

  it('takes everything below the PHB, once a missing device is passed by', () => {
    const full = fenced({ quirks: { missingDevice: 'skipped' } });
    expect(full.has('EEH: Unable to recover from failure from PHB#0-PE#0.')).toBe(true);
    expect(full.kernel.devices).toEqual([]);
  });

  it('takes the failed disk only, once a failed reset clears KEEP', () => {
    const full = fenced({ quirks: { failedReset: 'clears-keep', recoveringFlag: 'cleared' } });
    expect(full.eeh.at(-1)).toBe(SUCCESS);
    expect(full.kernel.devices.map(({ name }) => name)).toContain('0000:04:00.0');
    expect(full.kernel.device('0000:03:00.0')).toBeUndefined();
  });
});

describe('hotplug during a recovery', () => {
  it('waits: removal by an operator, then a rescan, in the order they came', () => {
    const driver = disk();
    const full = machine({ slots: SWITCH, drivers: [driver], kernel: { quirks: { recoveryLock: 'whole-event' } } });
    full.detect('slot1');
    full.runFor(0.5);
    const device = full.system.slot('slot2')!.device!;
    const removal = full.sim.spawn('echo 1 > remove', full.kernel.removeDevice(device));
    const rescan = full.sim.spawn('echo 1 > rescan', full.kernel.rescan());
    full.runFor(1);
    expect([removal.state, rescan.state]).toEqual(['running', 'running']);
    expect(full.kernel.context.rescanLock.holder).toBe('eehd');
    full.sim.run({ process: rescan });
    expect(full.at(SUCCESS)).toBeGreaterThan(2170);
    expect(driver.diary.slice(-3)).toEqual(['resume', 'remove 0000:04:00.0', 'probe 0000:04:00.0']);
    expect(full.kernel.devices).toHaveLength(6);
  });

  it('of a device whose event is still queued ends that event with nothing done', () => {
    const full = machine({ slots: SWITCH });
    full.detect('slot1');
    full.runFor(0.5);
    full.kernel.forceRecovery(full.kernel.pe(0, 0xfa)!);
    full.sim.spawn('echo 1 > remove', full.kernel.removeDevice(full.system.slot('slot2')!.device!));
    full.runFor(10);
    expect(names(full)).toEqual(['PHB#0-PE#fb']);
    expect(full.kernel.device('0000:04:00.0')).toBeUndefined();
  });

  it('by a card that is pulled, in a slot that tells, leaves it to the worker when recovery is done', () => {
    const full = machine({ slots: SWITCH, ports: { hotPlug: 'yes' }, kernel: { version: '6.1' } });
    const slot = full.system.slot('slot2')!;
    const bus = full.kernel.controllers[0]!.findBus(4)!;
    expect(bus.slot).toBeDefined();
    full.detect('slot1');
    full.runFor(5);
    slot.place.socket.link.surpriseRemove();
    full.runFor(0.1);
    expect(full.has('removed (IRQ: ')).toBe(true);
    expect(slot.device).toBeDefined();
    full.runFor(100);
    expect(slot.device).toBeUndefined();
    expect(full.at('[PE# fa] Releasing PE')).toBeGreaterThan(full.at(SUCCESS));
  });
});

describe('the thread that recovers', () => {
  it('is held up by a driver that never answers, and with it every other recovery', () => {
    const driver = disk();
    const full = machine({ slots: TWO_PHBS, drivers: [driver, new StubDriver(AWARE)] });
    const { errorDetected } = driver.errorHandlers!;
    let hung = false;
    driver.errorHandlers!.errorDetected = function* (device, state) {
      while (!hung && device.name.startsWith('0000:')) {
        hung = true;
        yield* full.kernel.context.clock.msleep(3_600_000);
      }
      return yield* errorDetected!(device, state);
    };
    full.detect('slot1');
    full.freeze('slot2');
    full.load('slot2');
    full.runFor(3000);
    expect(names(full)).toEqual(['PHB#0-PE#fd']);
    full.runFor(700);
    expect(names(full)).toEqual(['PHB#0-PE#fd', 'PHB#1-PE#fd']);
    expect(full.kernel.devices).toHaveLength(4);
  });

  it('leaves a machine with nothing to do alone', () => {
    const full = machine({ slots: { 1: CARD } });
    full.runFor(10);
    expect([full.kernel.events.handled, full.kernel.log.records]).toEqual([0, []]);
  });
});
