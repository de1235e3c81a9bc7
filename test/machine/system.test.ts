import { describe, expect, it } from 'vitest';
import { WindowPages } from '../../src/machine/dma-pages.js';
import { NotBootedError, PowerSystem } from '../../src/machine/system.js';
import { type SlotOptions, TopologyError } from '../../src/machine/topology.js';
import { ms } from '../../src/sim/time.js';

function booted(slots: Readonly<Record<number, SlotOptions>>, seed = ''): PowerSystem {
  const system = new PowerSystem({ seed, slots: new Map(Object.entries(slots).map(([n, slot]) => [Number(n), slot])) });
  system.boot();
  return system;
}

const NIC = { device: 'nic', driver: 'recovering', framePeriodNs: ms(1) } as const;

describe('a machine with its software', () => {
  it('puts a lone card into the slot of its PHB', () => {
    const system = booted({ 1: NIC });
    expect(system.switches).toEqual([]);
    expect(system.slots.map(({ name, busId, pe, phb }) => [name, busId, pe, phb])).toEqual([
      ['slot1', '0000:01:00.0', 0xfd, 0],
    ]);
  });

  it('puts several cards behind a switch, each on a bus and in a PE of its own', () => {
    const system = booted({ 3: NIC, 1: NIC, 2: { ...NIC, phb: 1 } });
    expect(system.slots.map(({ name, busId, pe }) => [name, busId, pe])).toEqual([
      ['slot1', '0000:03:00.0', 0xfb],
      ['slot2', '0001:01:00.0', 0xfd],
      ['slot3', '0000:04:00.0', 0xfa],
    ]);
    expect(system.switches.map(({ name }) => name)).toEqual(['switch0']);
    expect(system.namesOfPe(0, 0xfd)).toEqual(['switch0']);
    expect(system.namesOfPe(1, 0xfd)).toEqual(['slot2']);
    expect([system.peOfRid(0, 0x0400), system.peOfRid(2, 0), system.slot('slot9')]).toEqual([
      0xfa,
      undefined,
      undefined,
    ]);
  });

  it('binds each driver to the card in its slot and to no other, and lets all work', () => {
    const system = booted({ 1: NIC, 2: { ...NIC, driver: 'none' }, 3: { ...NIC, driver: 'unaware' } });
    system.sim.run({ untilNs: system.sim.now + ms(100) });
    const [one, two, three] = system.slots;
    expect([one?.packets, three?.packets].every((packets) => packets! > 90 && packets! < 101)).toBe(true);
    expect([two?.packets, two?.driver, two?.sent, two?.device?.driver]).toEqual([0, undefined, 0, undefined]);
    expect(one?.device?.driver).toBe(one?.driver);
    expect(three?.device?.driver).toBe(three?.driver);
    expect(one!.sent).toBeGreaterThan(7);
  });

  it('keeps bus id and PE of a device that is gone', () => {
    const system = booted({ 1: NIC, 2: NIC });
    const slot = system.slot('slot2')!;
    system.sim.complete('unplug', system.kernel.removeDevice(slot.device!));
    expect([slot.device, slot.dmaPages, slot.sent]).toEqual([undefined, undefined, 0]);
    expect([slot.busId, slot.pe]).toEqual(['0000:04:00.0', 0xfa]);
  });

  it('has no kernel before it has booted', () => {
    const system = new PowerSystem({ slots: new Map([[1, NIC]]) });
    expect(() => system.kernel).toThrow(NotBootedError);
  });

  it('refuses PHBs that a chip does not have and more slots than a switch takes', () => {
    expect(() => booted({ 1: { ...NIC, phb: 3 } })).toThrow(TopologyError);
    expect(() => booted({ 1: { ...NIC, phb: 3 } })).toThrow('a chip has PHB 0 to 2');
    const nine = Object.fromEntries(Array.from({ length: 9 }, (_, i) => [i + 1, NIC]));
    expect(() => booted(nine)).toThrow('PHB 0 has 9 slots: 8 is the most');
  });
});

describe('pages of a DMA window', () => {
  it('are told apart by what the driver lets the device do there', () => {
    const system = booted({ 1: NIC });
    const { dmaPages, nicDriver, device } = system.slot('slot1')!;
    const random = system.sim.random('test');
    const card = nicDriver!.card(device!)!;
    const receive = new Set(card.buffers.map(({ dmaAddress }) => BigInt(dmaAddress)));
    const ring = BigInt(card.ring.dmaAddress);
    for (let i = 0; i < 50; i++) {
      expect(receive.has(dmaPages!.pick('write-only', random)!)).toBe(true);
      const unmapped = dmaPages!.pick('unmapped', random)!;
      expect(unmapped % 4096n === 0n && unmapped < dmaPages!.windowEnd).toBe(true);
      expect(receive.has(unmapped) || unmapped === ring).toBe(false);
      const readOnly = dmaPages!.pick('read-only', random)!;
      expect(receive.has(readOnly) || readOnly === ring).toBe(false);
    }
    expect(dmaPages!.pick('read-only', random)).toBe(dmaPages!.pick('read-only', random));
  });

  it('run out', () => {
    const system = booted({ 1: { ...NIC, driver: 'none' } });
    const pages = system.slot('slot1')!.dmaPages!;
    const random = system.sim.random('test');
    expect([pages.pick('read-only', random), pages.pick('write-only', random)]).toEqual([undefined, undefined]);
    const { memory } = system.machine;
    const ROOT = 0x10_0000;
    for (let entry = 0; entry < 512; entry++) memory.write64(ROOT + 8 * entry, 3n);
    const full = {
      root: ROOT,
      tableBytes: 4096,
      pageBytes: 4096,
      shape: { sizeBytes: 512 * 4096, pageShift: 12, levels: 1 },
    };
    expect(new WindowPages(memory, full as never).pick('unmapped', random)).toBeUndefined();
  });

  it('are drawn by the seed of the run', () => {
    const pick = (seed: string) => {
      const system = booted({ 1: NIC }, seed);
      return system.slot('slot1')!.dmaPages!.pick('unmapped', system.sim.random('test'));
    };
    expect(pick('a')).toBe(pick('a'));
    expect(pick('a')).not.toBe(pick('b'));
  });
});
