/** Hotplug slots and recovery. Facts: eeh-linux 7.4, 10, 19. */
import { describe, expect, it, vi } from 'vitest';
import { PeState } from '../../src/eeh/eeh-flags.js';
import type { PciBus } from '../../src/eeh/pci/device.js';
import { Presence } from '../../src/opal/opal-api.js';
import { FakeMachine, type FakePhb, type FakePhbOptions, ROOT_PORT } from './fake-machine.js';
import { AWARE, StubDriver } from './stub-driver.js';

const SURPRISE = { hotplug: 'registered', surprisePluggable: true, label: 'S1' } as const;
const CHANGED = { presence: 0x0008, link: 0x0100 } as const;

function machineWith(phb: FakePhbOptions = {}, driver = new StubDriver(AWARE), prepare?: (phb: FakePhb) => void) {
  const machine = new FakeMachine({ phbs: [{ slot: SURPRISE, ...phb }], kernel: { drivers: [driver] } });
  const port = machine.phb.functions.get(ROOT_PORT)!;
  prepare?.(machine.phb);
  machine.boot();
  const bus = machine.kernel.controllers[0]!.findBus(1) as PciBus;
  return { machine, port, bus, driver };
}

type Setup = ReturnType<typeof machineWith>;

/** The card is pulled: the port notes it and interrupts. */
function pull({ machine, port, bus }: Setup, what: keyof typeof CHANGED = 'link'): void {
  machine.phb.card = 'gone';
  machine.phb.presence = Presence.EMPTY;
  port.set('LNKSTA', 0);
  port.set('SLTSTA', CHANGED[what]);
  machine.run(machine.kernel.slots.interrupt(bus));
}

const events = (machine: FakeMachine): string[] =>
  machine.kernel.log.texts().filter((text) => text.includes('PCI slot'));

describe('a slot', () => {
  it('is registered below bridges of the second kind, never below P7IOC', () => {
    expect(
      machineWith({ compatible: ['ibm,power8-pciex', 'ibm,ioda2-phb'] }).machine.kernel.slots.buses(),
    ).toHaveLength(1);
    const old = new FakeMachine({ phbs: [{ slot: SURPRISE, compatible: ['ibm,p7ioc-pciex', 'ibm,ioda-phb'] }] }).boot();
    expect(old.kernel.slots.buses()).toEqual([]);
  });

  it.each<[string, FakePhbOptions['slot'], number]>([
    ['whose cards come and go by surprise', SURPRISE, 0x1028],
    ['with a presence bit that lies', { ...SURPRISE, brokenPdc: true }, 0x1020],
    ['whose cards do not', { hotplug: 'registered' }, 0],
  ])('%s has events %i enabled', (_, slot, enabled) => {
    expect(machineWith({ slot: slot! }).port.get('SLTCTL')).toBe(enabled);
  });

  it('of a port that uses messages itself has no interrupt of its own', () => {
    const { machine, port, bus } = machineWith();
    port.set('SLTCTL', 0);
    const again = new FakeMachine({ phbs: [{ slot: SURPRISE }] });
    const boot = again.kernel.slots.register.bind(again.kernel.slots);
    again.kernel.slots.register = function* () {
      again.kernel.controllers[0]!.findBus(1)!.bridge!.interrupt = 'message';
      yield* boot();
    };
    again.boot();
    expect(again.phb.functions.get(ROOT_PORT)!.get('SLTCTL')).toBe(0);
    expect([again.kernel.slots.armedSlots, machine.kernel.slots.armedSlots, bus.slot?.name]).toEqual([0, 1, 'S1']);
  });

  it('shows its attention LED while recovery looks at it, until the end, not after a failure', () => {
    const { machine, port, bus } = machineWith();
    const led = (): number => port.get('SLTCTL') & 0x00c0;
    machine.detect();
    machine.runFor(1);
    expect([led(), bus.slot!.attention]).toEqual([0x40, 'on']);
    machine.runFor(80);
    expect([led(), bus.slot!.attention]).toEqual([0xc0, 'off']);
    machine.kernel.settings.maxFreezes = 0;
    machine.detect();
    machine.runFor(10);
    expect(led()).toBe(0x40);
  });

  it('is reset with its interrupt masked, the changes acknowledged, and the outcome ignored', () => {
    const { machine, port, bus } = machineWith();
    machine.detect();
    machine.runFor(1);
    port.set('SLTSTA', 0x0040 | CHANGED.link | CHANGED.presence);
    machine.run(machine.kernel.slots.interrupt(bus));
    expect(events(machine)).toEqual([]);
    machine.runFor(10);
    expect(port.get('SLTSTA')).toBe(0x0040);
    expect(machine.eeh.at(-1)).toBe('EEH: Recovery successful.');
    expect(machine.opal.calls.filter((call) => call.startsWith('RESET'))).toEqual(['RESET(0,4,1)', 'RESET(0,4,0)']);
  });

  it.each([
    ['a root port', false],
    ['a switch port', true],
  ])('that firmware calls empty has a card if it is below %s and its link is up: %s', (_, present) => {
    const slot = { ...SURPRISE, ...(present ? { bridge: 0x0100 } : {}) };
    const { machine, bus } = machineWith({ slot, ...(present ? { bridge: { kind: 'downstream' } as const } : {}) });
    machine.phb.presence = Presence.EMPTY;
    const at = present ? machine.kernel.controllers[0]!.findBus(2)! : bus;
    expect(machine.run(machine.kernel.slots.adapterState(at.slot!))).toBe(present ? 'present' : 'empty');
    machine.phb.functions.get(present ? 0x0100 : ROOT_PORT)!.set('LNKSTA', 0);
    expect(machine.run(machine.kernel.slots.adapterState(at.slot!))).toBe('empty');
  });

  it('whose presence firmware cannot tell says so', () => {
    const { machine, bus } = machineWith();
    machine.phb.presenceRc = -6;
    expect(machine.run(machine.kernel.slots.adapterState(bus.slot!))).toBe('unknown');
    expect(machine.kernel.log.texts()).toEqual(['pci 0000:00:00.0: Error -5 getting presence']);
  });
});

describe('a card that is pulled', () => {
  it('leaves its PE isolated and frozen without an event, is unplugged by the worker, and its slot switched off', () => {
    const setup = machineWith();
    const { machine, driver, bus } = setup;
    const pe = machine.kernel.pe(0, 0xfd)!;
    pull(setup);
    expect(pe.state & (PeState.ISOLATED | PeState.RECOVERING)).toBe(PeState.ISOLATED);
    expect(machine.kernel.events.queued).toEqual([]);
    expect(events(machine)).toEqual(['pci 0000:00:00.0: PCI slot [S1] removed (IRQ: 32)']);
    machine.runFor(1);
    expect(driver.diary.at(-1)).toBe('remove 0000:01:00.0');
    expect(machine.kernel.devices.map(({ name }) => name)).toEqual(['0000:00:00.0']);
    expect(machine.opal.calls).toContain('SET(fd,3)');
    expect(machine.opal.calls.slice(-2)).toEqual([`POWER(${bus.slot!.id.toString(16)},0)`, 'STATUS(fe)']);
    expect(machine.eeh.join()).not.toContain('Recovering');
  });

  it('is noticed by its presence where that is to be trusted, and not otherwise', () => {
    const honest = machineWith();
    pull(honest, 'presence');
    expect(events(honest.machine)).toHaveLength(1);
    const broken = machineWith({ slot: { ...SURPRISE, brokenPdc: true } });
    pull(broken, 'presence');
    expect(events(broken.machine)).toEqual([]);
    pull(broken, 'link');
    expect(events(broken.machine)).toHaveLength(1);
  });

  it('while firmware cannot tell presence is left for another try', () => {
    const setup = machineWith();
    setup.machine.phb.presenceRc = -6;
    pull(setup, 'presence');
    expect(events(setup.machine)).toEqual([
      'pci 0000:00:00.0: PCI slot [S1] error -5 getting presence (0x0008), to retry the operation.',
    ]);
    expect(setup.machine.kernel.devices).toHaveLength(2);
  });

  it('in a slot with no change, or without a slot, is no news', () => {
    const { machine, bus, port } = machineWith();
    port.set('SLTSTA', 0x40);
    machine.run(machine.kernel.slots.interrupt(bus));
    machine.run(machine.kernel.slots.interrupt(machine.kernel.controllers[0]!.rootBus!));
    expect(events(machine)).toEqual([]);
  });

  it('makes the event of a driver that saw ones end with nothing done: the slot is empty', () => {
    const setup = machineWith();
    const { machine } = setup;
    machine.kernel.events.sendAlways(machine.kernel.pe(0, 0xfd)!);
    pull(setup);
    machine.runFor(5);
    expect(machine.eeh).toEqual([]);
    const debug = machine.kernel.log.records.filter(({ level }) => level === 'debug').map(({ text }) => text);
    expect(debug).toContain('EEH: Frozen PHB#0-PE#fd is empty!');
    expect(machine.kernel.devices).toHaveLength(1);
  });

  it('during a recovery is unplugged when the recovery has ended', () => {
    const setup = machineWith({ powerManagement: 'present' });
    const { machine, driver } = setup;
    machine.detect();
    machine.runFor(80);
    machine.detect();
    machine.runFor(72);
    pull(setup);
    const removed = machine.sim.now;
    machine.runFor(5);
    expect(driver.diary.filter((entry) => entry.startsWith('remove'))).toHaveLength(1);
    expect(machine.kernel.log.records.at(-1)!.timeNs).toBeGreaterThanOrEqual(removed);
    expect(machine.kernel.devices).toHaveLength(1);
  });

  it('comes back when it is plugged in again', () => {
    const setup = machineWith();
    const { machine, port, bus, driver } = setup;
    pull(setup);
    machine.runFor(1);
    machine.phb.card = 'plugged';
    machine.phb.presence = Presence.PRESENT;
    port.set('LNKSTA', 0x3103);
    port.set('SLTSTA', 0x40 | CHANGED.link);
    machine.run(machine.kernel.slots.interrupt(bus));
    machine.runFor(1);
    expect(events(machine).at(-1)).toBe('pci 0000:00:00.0: PCI slot [S1] added (IRQ: 32)');
    expect(driver.diary.at(-1)).toBe('probe 0000:01:00.0');
  });
});

/** A card is put in, and its link is up. */
function putIn({ machine, port, bus }: Setup): void {
  machine.phb.card = 'plugged';
  machine.phb.presence = Presence.PRESENT;
  port.set('LNKSTA', 0x3103);
  port.set('SLTSTA', 0x40 | CHANGED.link);
  machine.run(machine.kernel.slots.interrupt(bus));
  machine.runFor(1);
}

describe('the power of a slot', () => {
  const powerOf = ({ machine }: Setup): string[] =>
    machine.opal.calls.filter((call) => /POWER/.test(call)).map((call) => call.replace(/\([0-9a-f]+(,.)?\)/, '$1'));
  const dark = (phb: FakePhb): void => {
    phb.card = 'gone';
    phb.power = 0;
  };

  it('is switched on again for the next card, and asked for before', () => {
    const setup = machineWith();
    pull(setup);
    setup.machine.runFor(1);
    expect(powerOf(setup)).toEqual(['POWER,0']);
    putIn(setup);
    expect(powerOf(setup)).toEqual(['POWER,0', 'GET_POWER', 'POWER,1']);
    expect(setup.machine.phb.power).toBe(1);
  });

  it('is left to the next event where the slot is empty or dark at boot', () => {
    const empty = machineWith({}, undefined, (phb) => {
      phb.presence = Presence.EMPTY;
      phb.card = 'gone';
    });
    putIn(empty);
    expect(powerOf(empty)).toEqual(['GET_POWER']);
    expect(empty.driver.diary.at(-1)).toBe('probe 0000:01:00.0');
    const off = machineWith({}, undefined, dark);
    expect(off.machine.phb.power).toBe(0);
    putIn(off);
    expect(powerOf(off)).toEqual(['GET_POWER', 'POWER,1']);
    expect(off.driver.diary.at(-1)).toBe('probe 0000:01:00.0');
  });

  it('that does not come on leaves the card alone, until the next event', () => {
    const setup = machineWith({}, undefined, dark);
    setup.machine.opal.fail.set('POWER', -6);
    putIn(setup);
    expect(setup.machine.kernel.log.texts()).toContain('pci 0000:00:00.0: Error -5 powering on');
    expect(setup.driver.diary).toEqual([]);
    setup.machine.opal.fail.clear();
    putIn(setup);
    expect(setup.driver.diary).toEqual(['probe 0000:01:00.0']);
  });

  it('that firmware cannot tell counts as on', () => {
    const setup = machineWith();
    pull(setup);
    setup.machine.runFor(1);
    setup.machine.phb.powerRc = -6;
    putIn(setup);
    expect(setup.machine.kernel.log.texts()).toContain('pci 0000:00:00.0: Error -5 getting power status');
    expect(setup.driver.diary.at(-1)).toBe('probe 0000:01:00.0');
    Object.defineProperty(setup.machine.opal, 'pciGetPowerState', { value: undefined });
    pull(setup);
    setup.machine.runFor(1);
    putIn(setup);
    expect(setup.machine.kernel.log.texts()).toContain('pci 0000:00:00.0: Error -6 getting power status');
  });

  it('and the devices behind it are looked at once for each card', () => {
    const setup = machineWith();
    const added = vi.spyOn(setup.machine.kernel.hotplug, 'addDevices');
    putIn(setup);
    expect(events(setup.machine)).toHaveLength(1);
    expect(added).not.toHaveBeenCalled();
    pull(setup);
    setup.machine.runFor(1);
    for (let time = 0; time < 3; time++) putIn(setup);
    expect(added).toHaveBeenCalledTimes(1);
  });

  it('is no matter while nobody can tell whether a card is there', () => {
    const setup = machineWith();
    pull(setup);
    setup.machine.runFor(1);
    setup.machine.phb.presenceRc = -6;
    putIn(setup);
    expect(setup.machine.kernel.devices).toHaveLength(1);
    expect(powerOf(setup)).toEqual(['POWER,0']);
    setup.machine.phb.presenceRc = 0;
    putIn(setup);
    expect(setup.machine.kernel.devices).toHaveLength(2);
  });
});

describe('the interrupt of a slot', () => {
  it('comes by the wire of its port, and is left alone where there is none', () => {
    const none = machineWith({}, undefined, (phb) => phb.functions.get(ROOT_PORT)!.set('INTERRUPT_PIN', 0));
    expect([none.machine.kernel.slots.armedSlots, none.port.get('SLTCTL')]).toEqual([0, 0]);
    const setup = machineWith();
    const { machine, port, driver } = setup;
    machine.phb.card = 'gone';
    machine.phb.presence = Presence.EMPTY;
    port.set('LNKSTA', 0);
    port.set('SLTSTA', CHANGED.link);
    machine.port.interrupts.setLevel(0x800, 0, 5, 'asserted');
    machine.runFor(0.000_5);
    machine.port.interrupts.setLevel(0x800, 0, 5, 'released');
    machine.runFor(1);
    expect(events(machine)[0]).toBe('pci 0000:00:00.0: PCI slot [S1] removed (IRQ: 32)');
    expect(driver.diary.at(-1)).toBe('remove 0000:01:00.0');
    expect(machine.opal.calls.filter((call) => call.startsWith('HANDLE_INTERRUPT'))).toEqual([]);
  });

  it('is asked for once: a second look at the slots changes nothing', () => {
    const { machine } = machineWith();
    machine.run(machine.kernel.slots.register());
    expect(machine.kernel.slots.armedSlots).toBe(1);
    expect(machine.opal.calls).toEqual([]);
  });
});

describe('the port above a pulled card', () => {
  function pullBelowFrozenPort(fail?: string) {
    const setup = machineWith();
    const { machine } = setup;
    if (fail !== undefined) machine.opal.fail.set(fail, -6);
    machine.phb.freeze(0xfe, 3);
    pull(setup);
    machine.runFor(5);
    return { ...setup, lines: machine.kernel.log.texts().filter((text) => text.startsWith('pci 0000:00:00.0: ')) };
  }

  it('is thawed if it froze with it', () => {
    const { machine, lines } = pullBelowFrozenPort();
    expect(lines.slice(1)).toEqual([
      'pci 0000:00:00.0: Upstream bridge PE fe frozen, thawing...',
      'pci 0000:00:00.0: PE fe thawed successfully',
    ]);
    expect(machine.phb.frozen.get(0xfe)).toBe(0);
  });

  it('that does not thaw is given up after three tries', () => {
    const { machine, lines } = pullBelowFrozenPort('CLEAR');
    expect(lines.at(-1)).toBe('pci 0000:00:00.0: Unable to thaw PE fe, hotplug detect will fail!');
    expect(machine.opal.calls.filter((call) => call === 'CLEAR(fe,1)')).toHaveLength(3);
  });

  it('is told of a power switch that failed, or that firmware does not have', () => {
    expect(pullBelowFrozenPort('POWER').lines).toContain('pci 0000:00:00.0: Error -5 powering off');
    const setup = machineWith();
    Object.defineProperty(setup.machine.opal, 'pciSetPowerState', { value: undefined });
    pull(setup);
    setup.machine.runFor(1);
    expect(setup.machine.kernel.log.texts()).toContain('pci 0000:00:00.0: Error -6 powering off');
  });
});
