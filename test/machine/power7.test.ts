/** A POWER7 with its software: what boots on it, where things stand, and what a run on it is told as. */
import { describe, expect, it } from 'vitest';
import { SyncHost } from '../../src/hw/sync-host.js';
import { CHIP_NAMES, CHIPS } from '../../src/machine/chips.js';
import { POWER7_GX, PowerNv7 } from '../../src/machine/powernv7.js';
import { PowerSystem } from '../../src/machine/system.js';
import { POWER7_TIMING } from '../../src/machine/timing-profile.js';
import type { SlotOptions } from '../../src/machine/topology.js';
import { Nic } from '../../src/pcie/nic.js';
import { readScenario } from '../../src/scenario/read-scenario.js';
import { formatRun } from '../../src/scenario/report.js';
import { runScenario } from '../../src/scenario/runner.js';

const NIC: SlotOptions = { device: 'nic', driver: 'recovering' };

function booted(slots: Readonly<Record<number, SlotOptions>>): PowerSystem<'p7ioc'> {
  const system = new PowerSystem({
    chip: 'p7ioc',
    slots: new Map(Object.entries(slots).map(([number, slot]) => [Number(number), slot])),
  });
  system.boot();
  return system;
}

describe('a POWER7 machine without software', () => {
  it('has one hub, and as many of its six PHBs wired as are asked for', () => {
    const machine = new PowerNv7({ phbs: 3, slot: (sim, phb) => (phb === 1 ? new Nic(sim, 'card') : undefined) });
    expect(machine.phbs.map(({ name }) => name)).toEqual(['PHB0', 'PHB1', 'PHB2']);
    expect(machine.hub.phbs).toHaveLength(6);
    expect(machine.phbs.map(({ link }) => link.cardInserted)).toEqual([false, true, false]);
    expect(machine.phbs.map(({ link }) => [link.options.maxSpeed, link.options.maxWidth])).toEqual([
      [2, 8],
      [2, 8],
      [2, 8],
    ]);
    expect(machine.firmwarePlaces()).toEqual({ hubs: [{ ...POWER7_GX, phbs: [0, 1, 2] }] });
    expect(machine.timing).toBe(POWER7_TIMING);
    expect(() => new PowerNv7({ phbs: 7 })).toThrow('a chip has 1 to 6 PHBs, not 7');
  });

  it('has the hub where the GX windows are put, with the number and the profile it is given', () => {
    const gx = { hubId: 2, mwin1: 0x200_0000_0000, mwin2: 0x300_0000_0000 };
    const machine = new PowerNv7({ gx, hubProfile: { revision: 'DD1.0' }, slotPower: 'on' });
    const host = new SyncHost(machine.bus);
    expect(host.load(gx.mwin1 + 0x800, 8)).toBe(0xa2_0000_0001n);
    expect(host.load(POWER7_GX.mwin1 + 0x800, 8)).toBe(0xffff_ffff_ffff_ffffn);
    // Slot power is on already.
    expect(host.load(gx.mwin1 + 0x668, 8) & (1n << 46n)).not.toBe(0n);
  });

  it('keeps the windows of all six PHBs clear of the hub', () => {
    const { mwin1, mwin2 } = POWER7_GX;
    expect(mwin2 + 0x60_0000_0000 <= mwin1 || mwin1 + 0x2_0000_0000 <= mwin2).toBe(true);
  });
});

describe('a POWER7 with firmware and Linux', () => {
  it('brings up six cards below six bridges, each in a domain of its own', () => {
    const system = booted({ 1: NIC, 2: { ...NIC, phb: 1 }, 3: { ...NIC, phb: 5 } });
    expect(system.machine.phbs).toHaveLength(6);
    expect(system.slots.map(({ busId, pe }) => [busId, pe])).toEqual([
      ['0000:01:00.0', 0x7d],
      ['0001:01:00.0', 0x7d],
      ['0005:01:00.0', 0x7d],
    ]);
    system.sim.run({ untilNs: system.sim.now + 50e6 });
    expect(system.slots.map(({ packets }) => packets > 30)).toEqual([true, true, true]);
    expect(system.phbNode(5).totalPes).toBe(128);
  });

  it('gives each slot of a switch a PE and aligned buses, and DMA pages of its own segments', () => {
    const system = booted({ 1: NIC, 2: NIC });
    expect(system.slots.map(({ busId }) => busId)).toEqual(['0000:20:00.0', '0000:40:00.0']);
    const ends = system.slots.map(({ dmaPages }) => dmaPages!.windowEnd);
    expect(ends).toEqual([0x4000_0000n, 0x8000_0000n]);
    const random = system.sim.random('test');
    const page = system.slots[1]!.dmaPages!.pick('unmapped', random)!;
    expect(page >= 0x4000_0000n && page < 0x8000_0000n).toBe(true);
    expect(system.slots[1]!.dmaPages!.pick('write-only', random)! >= 0x4000_0000n).toBe(true);
  });

  it('lets a card raise messages by the entry of its own PE', () => {
    const system = booted({ 1: NIC });
    const { address, data } = system.slots[0]!.faultTarget().message(0x12);
    expect([address, [...data]]).toEqual([(9n << 60n) | (0x7dn << 48n), [0x12, 0, 0, 0]]);
    expect(CHIPS.phb3.message(0x21, 0x7d).address).toBe((1n << 60n) + 0x210n);
  });

  it('refuses a slot below a seventh PHB', () => {
    expect(() => booted({ 1: { ...NIC, phb: 6 } })).toThrow('PHB 6 does not exist: a chip has PHB 0 to 5');
  });
});

describe('a scenario on a POWER7', () => {
  const text = (fault: string, slots = '{ 1: { device: nic, driver: recovering } }'): string =>
    [
      'name: told',
      'about: how a run is told',
      `machine: { chip: p7ioc, slots: ${slots} }`,
      `faults: [{ at: 1 ms, ${fault} }]`,
      'expect: [{ not-fenced: phb0 }]',
      'until: 60 ms',
    ].join('\n');
  const report = (fault: string): string =>
    formatRun(runScenario(readScenario('told.yaml', text(fault))), { again: 'again' });

  it('names the machine, the window of a DMA, the causes of a freeze, and registers by either path', () => {
    const told = report('kind: dma-write-unmapped, device: slot1');
    expect(told).toContain('POWER7 with a P7IOC, 1 of its PHBs wired; seed "told"\n');
    expect(told).toMatch(/RID 01:00\.0 -> PE 7d -> TVE [0-7] -> the TCE grants nothing: tce-page-fault/);
    expect(told).toMatch(/FROZEN {2}PESTA 8000203a01000000 .* TCE_PAGE_FAULT/);
    expect(told).toContain('reads CHIP_FENCE_SHADOW -> 0000000000000000');
    expect(told).toContain('reads PEEV[1] -> ');
    expect(told).toContain('takes error interrupt 0x2407 of the bridge');
  });

  it('says what units of the hub report, and that it died', () => {
    const told = report('kind: hub-error, device: hub, unit: i2c, error: fatal');
    expect(told).toContain('I2C reports 1000000000000000');
    expect(told).toContain('DEAD: an error of I2C stopped its link');
    expect(told).toContain('all ones');
  });

  it('says at which line a fault does not fit the chip', () => {
    const read = (yaml: string) => () => readScenario('told.yaml', yaml);
    expect(read(text('kind: hub-error, device: hub').replace('p7ioc', 'phb3'))).toThrow(
      /told\.yaml:4:\d+ {2}hub-error does not fit a machine with phb3: it takes p7ioc/,
    );
    expect(read(text('kind: hub-error, device: hub, unit: gem'))).toThrow('unknown unit "gem"');
    expect(read(text('kind: fence, device: phb1'))).toThrow('fence can hit: phb0');
  });

  it('takes PHBs 0 to 5 and slots up to 48', () => {
    const slots = (given: string) => () => readScenario('told.yaml', text('kind: fence, device: phb0', given));
    expect(slots('{ 48: { device: nic, phb: 5 } }')().slots.get(48)?.phb).toBe(5);
    expect(slots('{ 49: { device: nic } }')).toThrow('from 1 to 48');
    expect(slots('{ 1: { device: nic, phb: 6 } }')).toThrow('from 0 to 5');
  });

  it('may have been written for the other chip', () => {
    const scenario = readScenario('told.yaml', text('kind: fence, device: phb0').replace('chip: p7ioc, ', ''));
    expect(runScenario(scenario).system.chipName).toBe('phb3');
    expect(runScenario(scenario, { chip: 'p7ioc' }).system.chipName).toBe('p7ioc');
  });
});

describe('what tools know of chips', () => {
  it.each(CHIP_NAMES)('%s names its registers by address, its tables by selector, and its windows', (name) => {
    const chip = CHIPS[name];
    const machine = chip.build({ phbs: 1 }) as never;
    const sight = chip.sight(machine);
    const registers = chip.reset
      .lines(machine, 0)
      .map(({ addresses }) => addresses.map((at) => sight.atAddress(0, at)));
    expect(registers.flat().slice(0, 1)).toEqual(['PHB_RESET']);
    expect(new Set(registers.flat())).toEqual(
      new Set(name === 'phb3' ? ['PHB_RESET'] : ['PHB_RESET', 'PHB_HOTPLUG_OVERRIDE']),
    );
    expect(sight.atAddress(0, 0x1000)).toBeUndefined();
    expect(sight.tableOf(0x1f)).toBeUndefined();
    expect(sight.atScom(0, 0, 0n)).toBeUndefined();
    expect(chip.describe(2)).toContain('2');
    expect(chip.unitName(1)).not.toBe('');
  });

  it('P7IOC finds the DMA window by the top bits of an address', () => {
    const { dmaWindow, unitName } = CHIPS.p7ioc;
    expect([dmaWindow(3, 0x7fff_ffffn), dmaWindow(3, 0x1000_0000n), dmaWindow(3, 5n << 53n)]).toEqual([7, 1, 5]);
    expect([unitName(1), unitName(16), unitName(21)]).toEqual(['RGC', 'PHB0', 'PHB5']);
  });
});
