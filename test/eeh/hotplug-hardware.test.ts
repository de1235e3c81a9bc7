/** Cards that come and go on a whole machine: ports interrupt, and nobody calls the kernel by hand. Facts: eeh-linux 17.5, 19. */
import { describe, expect, it, vi } from 'vitest';
import { PeState } from '../../src/eeh/eeh-flags.js';
import type { PortFeatures } from '../../src/machine/topology.js';
import { Power } from '../../src/opal/opal-api.js';
import { CARD, DISK, FullMachine } from './full-machine.js';
import { AWARE, StubDriver } from './stub-driver.js';

const SLTCTL = 0x80;
const SLTSTA = 0x82;
const ARMED = 0x1028;
/** Nobody asked for it, so nobody clears it. */
const COMMAND_COMPLETED = 0x10;
/** A stub driver knows network cards. */
const NIC = 'slot1';

function machine(ports: PortFeatures = {}, cards = 2, votes: ConstructorParameters<typeof StubDriver>[0] = AWARE) {
  const driver = new StubDriver(votes);
  const slots = Object.fromEntries(Array.from({ length: cards }, (_, i) => [i + 1, i === 0 ? CARD : DISK]));
  const full = new FullMachine({ slots, drivers: [driver], ports: { hotPlug: 'yes', ...ports } });
  const socketOf = (name: string) => full.system.slot(name)!.place.socket;
  const port = (device: number) => full.system.switches[0]!.switch.ports[device]!;
  return { full, driver, socketOf, port };
}

/** Messages of hotplug slots with their times in whole microseconds. */
function news(full: FullMachine): string[] {
  return full.kernel.log.records
    .filter(({ text }) => text.includes('PCI slot ['))
    .map(({ timeNs, text }) => `${Math.round((timeNs - full.startNs) / 1e3)} ${text}`);
}

/** OPAL calls by name, of those that are named. */
function calls(full: FullMachine, ...names: ('pciEehFreezeSet' | 'pciSetPowerState' | 'pciMsiEoi' | 'setXive')[]) {
  const made: string[] = [];
  const { opal } = full.system;
  for (const name of names) {
    const real = opal[name].bind(opal) as (...args: unknown[]) => never;
    vi.spyOn(opal, name).mockImplementation(((...args: unknown[]) => {
      made.push(`${name}(${args.map(String).join(',')})`);
      return real(...args);
    }) as never);
  }
  return made;
}

describe('the port of a hotplug slot', () => {
  it('sends its message to the kernel that asked for it, with the PE of its own bus', () => {
    const { full, port } = machine();
    expect(full.kernel.slots.armedSlots).toBe(2);
    for (const device of [0, 1]) {
      const { config } = port(device);
      expect(config.read(SLTCTL, 2) & ARMED).toBe(ARMED);
      expect(config.read(SLTSTA, 2)).toBe(0x40 | COMMAND_COMPLETED);
      // MSI enabled, to the address of 64-bit messages; its number in the data.
      expect([config.read(0x4a, 2) & 1, config.read(0x50, 4), config.read(0x54, 2)]).toEqual([1, 0x1000_0000, device]);
      expect(config.read(0x04, 2) & 0x404).toBe(0x404);
    }
  });

  it('is left alone where it has no way to interrupt, or does not say that cards come and go', () => {
    expect(machine({ hotPlug: 'no' }).full.kernel.slots.armedSlots).toBe(0);
  });
});

describe.each(['message', 'pin'] as const)('a card that is pulled, with interrupts by %s', (interrupts) => {
  it('is isolated and frozen within microseconds, unplugged, and its slot switched off', () => {
    const { full, driver, socketOf, port } = machine({ interrupts });
    const made = calls(full, 'pciEehFreezeSet', 'pciSetPowerState', 'pciMsiEoi');
    const pe = full.kernel.pe(0, full.system.slot(NIC)!.pe!)!;
    full.mark();
    socketOf(NIC).pull();
    full.runFor(0.000_006);
    expect(pe.state & (PeState.ISOLATED | PeState.RECOVERING)).toBe(PeState.ISOLATED);
    full.runFor(1);
    expect(news(full)).toEqual([
      expect.stringMatching(/^\d pci 0000:02:00\.0: PCI slot \[S000003\] removed \(IRQ: 32\)$/),
    ]);
    expect(driver.diary).toEqual(['probe 0000:03:00.0', 'remove 0000:03:00.0']);
    expect(full.kernel.device('0000:03:00.0')).toBeUndefined();
    expect(full.kernel.events.queued).toEqual([]);
    expect(full.has('Recovering')).toBe(false);
    const slot = full.system.phbNode(0).slots[1]!.id;
    const ended = interrupts === 'message' ? ['pciMsiEoi(0,0)'] : [];
    expect(made.filter((call) => !call.startsWith('pciMsiEoi'))).toEqual([
      `pciEehFreezeSet(0,${pe.address},3)`,
      `pciSetPowerState(${slot},0)`,
    ]);
    expect(made.filter((call) => call.startsWith('pciMsiEoi'))).toHaveLength(ended.length);
    expect(port(0).config.read(SLTSTA, 2)).toBe(COMMAND_COMPLETED);
    expect(full.system.machine.interrupts.pending()).toEqual([]);
  });

  it('comes back when it is put in again: its slot is switched on, its link awaited, its driver bound', () => {
    const { full, driver, socketOf } = machine({ interrupts });
    socketOf(NIC).pull();
    full.runFor(1);
    const made = calls(full, 'pciSetPowerState');
    full.mark();
    socketOf(NIC).putBack();
    full.runFor(3);
    // The presence bit tells first, the link 250 ms later, which is no news then.
    expect(news(full).map((text) => text.replace(/^(\d+)\d{3} /, '$1 ms '))).toEqual([
      expect.stringMatching(/^\d pci 0000:02:00\.0: PCI slot \[S000003\] added \(IRQ: 32\)$/),
      '250 ms pci 0000:02:00.0: PCI slot [S000003] added (IRQ: 32)',
    ]);
    expect(made).toEqual([`pciSetPowerState(${full.system.phbNode(0).slots[1]!.id},${Power.ON})`]);
    expect(driver.diary.at(-1)).toBe('probe 0000:03:00.0');
    expect(full.at('Adding to iommu group')).toBeGreaterThan(250);
    expect(full.at('Adding to iommu group')).toBeLessThan(262);
  });
});

describe('slots that share a wire', () => {
  it('hear of each other: only the one whose port noted something acts', () => {
    const { full, socketOf } = machine({ interrupts: 'pin' }, 5);
    socketOf('slot5').pull();
    full.runFor(1);
    expect(news(full)).toHaveLength(1);
    expect(news(full)[0]).toContain('pci 0000:02:04.0: PCI slot [S000007] removed (IRQ: 32)');
    expect(full.system.slot('slot5')!.device).toBeUndefined();
    expect(full.system.slot(NIC)!.device).toBeDefined();
    full.mark();
    socketOf('slot2').pull();
    full.runFor(1);
    expect(news(full)[0]).toContain('(IRQ: 33)');
  });
});

describe('a link that drops in a hotplug slot', () => {
  it('and comes back is a card that went and one that came', () => {
    const { full, driver, socketOf } = machine();
    full.mark();
    socketOf(NIC).link.surpriseDown();
    full.runFor(2);
    expect(news(full).map((text) => text.replace(/.*\] /, ''))).toEqual(['removed (IRQ: 32)', 'added (IRQ: 32)']);
    expect(driver.diary.slice(1)).toEqual(['remove 0000:03:00.0', 'probe 0000:03:00.0']);
    expect(full.has('EEH: Recovering')).toBe(false);
  });

  it('and does not come back within the time of firmware leaves an empty slot, with an error', () => {
    const { full, socketOf } = machine();
    socketOf(NIC).pull();
    full.runFor(1);
    full.mark();
    socketOf(NIC).link.failLanes(0, 1, 2, 3, 4, 5, 6, 7);
    socketOf(NIC).putBack();
    full.runFor(10);
    expect(full.has('pci 0000:02:00.0: Error -19 powering on')).toBe(true);
    expect(full.kernel.device('0000:03:00.0')).toBeUndefined();
  });
});

describe('a recovery', () => {
  /** The PE of the network card freezes, and its driver finds out. */
  function recovering(after: number) {
    const all = machine();
    all.full.detect(NIC);
    all.full.runFor(after);
    return all;
  }

  it('of a card that is pulled while the kernel pauses after its reset finds nobody, and the slot is switched off', () => {
    const { full, driver, socketOf } = machine({}, 2, 'unaware');
    const made = calls(full, 'pciSetPowerState', 'pciEehFreezeSet');
    full.detect(NIC);
    full.runFor(4);
    expect(driver.diary.at(-1)).toBe('remove 0000:03:00.0');
    made.length = 0;
    socketOf(NIC).pull();
    full.runFor(0.1);
    expect(news(full)).toHaveLength(1);
    // Nobody is on the bus whose PE could be isolated.
    expect(made.filter((call) => call.startsWith('pciEehFreezeSet'))).toEqual([]);
    full.runFor(60);
    expect(made).toContain(`pciSetPowerState(${full.system.phbNode(0).slots[1]!.id},${Power.OFF})`);
    expect(full.kernel.device('0000:03:00.0')).toBeUndefined();
    expect(driver.diary.at(-1)).toBe('remove 0000:03:00.0');
  });

  it('whose event was queued when the card went finds an empty slot and ends with nothing done', () => {
    const { full, socketOf } = machine();
    full.mark();
    const pe = full.kernel.pe(0, full.system.slot(NIC)!.pe!)!;
    socketOf(NIC).pull();
    full.kernel.forceRecovery(pe);
    full.runFor(5);
    const debug = full.kernel.log.records.filter(({ level }) => level === 'debug').map(({ text }) => text);
    expect(debug.some((text) => /Frozen PHB#0-PE#fb is empty!/.test(text))).toBe(true);
    expect(full.has('EEH: Recovering')).toBe(false);
    expect(pe.in(PeState.RECOVERING)).toBe(false);
    expect(full.kernel.device('0000:03:00.0')).toBeUndefined();
  });

  it('resets the slot with its interrupt off: what the reset changes is no news', () => {
    const { full, port } = recovering(30);
    expect(news(full)).toEqual([]);
    expect(full.eeh.at(-1)).toBe('EEH: Recovery successful.');
    expect(port(0).config.read(SLTSTA, 2) & 0x108).toBe(0);
    expect(port(0).config.read(SLTCTL, 2) & ARMED).toBe(ARMED);
    const socket = full.system.slot(NIC)!.place.socket;
    full.mark();
    socket.pull();
    full.runFor(1);
    expect(news(full)).toHaveLength(1);
  });

  it('of a whole bridge leaves its slots deaf: nobody gives the ports their interrupt back', () => {
    const { full, port, socketOf } = machine();
    full.fence();
    full.load(NIC);
    full.runFor(60);
    expect(full.eeh.at(-1)).toBe('EEH: Recovery successful.');
    const { config } = port(0);
    expect([config.read(SLTCTL, 2) & ARMED, config.read(0x4a, 2) & 1]).toEqual([0, 0]);
    full.mark();
    socketOf(NIC).pull();
    full.runFor(1);
    expect(news(full)).toEqual([]);
    expect(config.read(SLTSTA, 2) & 0x108).toBe(0x108);
  });

  it('masks the interrupt when one comes during the reset, and lets it in again after it', () => {
    const { full } = machine();
    const made = calls(full, 'setXive');
    full.detect(NIC);
    full.runFor(30);
    const irq = full.system.phbNode(0).msiRange.first;
    const server = full.kernel.context.bootProcessor << 2;
    expect(made).toEqual([`setXive(${irq},${server},255)`, `setXive(${irq},${server},5)`]);
  });

  it('of a card that is pulled during its reset hears nothing of it', () => {
    const { full, driver, socketOf } = recovering(0.5);
    socketOf(NIC).pull();
    full.runFor(60);
    expect(news(full)).toEqual([]);
    // The driver answers for a card that it has no way to ask.
    expect(driver.diary.slice(1)).toEqual(['error frozen', 'reset', 'resume']);
    expect(full.kernel.device('0000:03:00.0')).toBeDefined();
  });
});
