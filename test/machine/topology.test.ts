/** What can stand in a slot: cards of several functions, and bridges with conventional devices behind them. */
import { describe, expect, it } from 'vitest';
import { PowerSystem } from '../../src/machine/system.js';
import { type DeviceModel, deviceNames, type SlotOptions, TopologyError } from '../../src/machine/topology.js';
import { ms } from '../../src/sim/time.js';

function booted(slots: Readonly<Record<number, SlotOptions>>): PowerSystem {
  const system = new PowerSystem({ slots: new Map(Object.entries(slots).map(([n, slot]) => [Number(n), slot])) });
  system.boot();
  return system;
}

const MANY = { driver: 'recovering', framePeriodNs: ms(1) } as const;
const place = (system: PowerSystem) => system.slots.map(({ name, busId, pe }) => [name, busId, pe]);

describe('a card of several functions', () => {
  it('has them all on the bus of its slot, in one PE, each with its driver at work', () => {
    const system = booted({ 1: { ...MANY, device: ['nic', 'edu', 'nic'] }, 2: { ...MANY, device: 'nic' } });
    expect(place(system)).toEqual([
      ['slot1.0', '0000:03:00.0', 0xfb],
      ['slot1.1', '0000:03:00.1', 0xfb],
      ['slot1.2', '0000:03:00.2', 0xfb],
      ['slot2', '0000:04:00.0', 0xfa],
    ]);
    expect(system.namesOfPe(0, 0xfb)).toEqual(['slot1.0', 'slot1.1', 'slot1.2']);
    expect(system.slots.map(({ driverKind }) => driverKind)).toEqual([
      'recovering',
      'none',
      'recovering',
      'recovering',
    ]);
    system.sim.run({ untilNs: system.sim.now + ms(50) });
    const packets = system.slots.map((slot) => slot.packets);
    expect([packets[0]! > 40, packets[1], packets[2]! > 40, packets[3]! > 40]).toEqual([true, 0, true, true]);
  });

  it('shares one link, which a fault of any function hits', () => {
    const system = booted({ 1: { ...MANY, device: ['nic', 'nic'] } });
    const [one, two] = system.slots.map((slot) => slot.faultTarget());
    expect(one!.link).toBe(two!.link);
    expect(one!.endpoint).not.toBe(two!.endpoint);
    one!.link.surpriseRemove();
    expect(two!.link.isUp).toBe(false);
  });
});

describe('a bridge to a conventional bus', () => {
  it('has its devices on a bus of their own, in one PE, and itself in that of the bus above', () => {
    const system = booted({ 1: { ...MANY, device: 'pci-bridge', behind: ['edu', 'nic', 'nic'] } });
    expect(place(system)).toEqual([
      ['slot1.0', '0000:02:00.0', 0xfc],
      ['slot1.1', '0000:02:01.0', 0xfc],
      ['slot1.2', '0000:02:02.0', 0xfc],
    ]);
    expect([system.namesOfPe(0, 0xfd), system.bridges.map(({ name }) => name)]).toEqual([['bridge1'], ['bridge1']]);
    system.sim.run({ untilNs: system.sim.now + ms(50) });
    expect(system.slots.map((slot) => slot.packets > 40)).toEqual([false, true, true]);
  });
});

describe('a slot', () => {
  it('names its devices by their numbers where there are several', () => {
    const names = (device: SlotOptions['device'], behind?: readonly DeviceModel[]) =>
      deviceNames(4, { device, driver: 'none', ...(behind === undefined ? {} : { behind }) });
    expect(names('nic')).toEqual(['slot4']);
    expect(names(['nic'])).toEqual(['slot4.0']);
    expect(names('pci-bridge', ['edu', 'nic'])).toEqual(['slot4.0', 'slot4.1']);
  });

  it('takes at least one device, and no more than there are numbers', () => {
    const nics = (count: number): DeviceModel[] => Array.from({ length: count }, () => 'nic');
    const build = (slot: Partial<SlotOptions>) => () => booted({ 2: { driver: 'none', device: 'nic', ...slot } });
    expect(build({ device: [] })).toThrow(TopologyError);
    expect(build({ device: [] })).toThrow('slot 2 has 0 functions: 1 to 8 are possible');
    expect(build({ device: nics(9) })).toThrow('slot 2 has 9 functions: 1 to 8 are possible');
    expect(build({ device: 'pci-bridge' })).toThrow('slot 2 has 0 devices behind its bridge: 1 to 16 are possible');
    expect(build({ device: 'pci-bridge', behind: nics(17) })).toThrow('slot 2 has 17 devices behind its bridge');
  });
});
