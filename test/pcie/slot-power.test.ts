import { describe, expect, it } from 'vitest';
import type { PciExpressOption } from '../../src/pcie/capabilities.js';
import { Nic } from '../../src/pcie/nic.js';
import { Switch } from '../../src/pcie/switch.js';
import { bdf } from '../../src/pcie/tlp.js';
import { BUS1, Rig } from './rig.js';

const PORT = bdf(2, 0, 0);
const CARD = bdf(3, 0, 0);
const SLTCAP = 0x7c;
const SLTCTL = 0x80;
const SLTSTA = 0x82;
const UE_STATUS = 0x104;
const POWER_OFF = 0x0700;
const POWER_ON = 0x0100;

/** A switch with one port, a card in it, buses numbered. */
function rig(options: readonly PciExpressOption[]) {
  const r = new Rig();
  const sw = new Switch(r.sim, 'switch', {
    downstreamPorts: 1,
    portOptions: ['slot', 'dll-active-reporting', 'surprise-down-reporting', ...options],
  });
  sw.plugInto(r.link);
  const card = new Nic(r.sim, 'card', { framePeriodNs: 1e9 });
  card.plugInto(sw.ports[0]!.link);
  r.powerOn();
  r.run(300e6);
  r.cfgWrite(BUS1, 0x18, 4, 0x00_03_02_01);
  r.cfgWrite(PORT, 0x18, 4, 0x00_03_03_02);
  r.cfgWrite(CARD, 0x3c, 1, 0x55);
  return { r, link: sw.ports[0]!.link, card };
}

function read(r: Rig, id: number, offset: number, size: number): number {
  const data = r.cfgRead(id, offset, size)?.data;
  return [...(data ?? [])].reduce((value, byte, index) => value + byte * 256 ** index, 0);
}

describe('a port with a power controller', () => {
  it('says so, takes the power from its card and gives it back', () => {
    const { r, link } = rig(['hot-plug', 'power-controller']);
    expect(read(r, PORT, SLTCAP, 4)).toBe(0x52);
    r.cfgWrite(PORT, SLTCTL, 2, POWER_OFF);
    r.run(1e6);
    expect([link.isUp, link.slotPower]).toEqual([false, 'off']);
    // The card is still in the slot, and its loss is no surprise.
    expect(read(r, PORT, SLTSTA, 2) & 0x40).toBe(0x40);
    expect(read(r, PORT, UE_STATUS, 4)).toBe(0);
    r.cfgWrite(PORT, SLTCTL, 2, POWER_ON);
    r.run(300e6);
    expect(link.isUp).toBe(true);
    // Registers of the card are as after power-on.
    expect(read(r, CARD, 0x3c, 1)).toBe(0);
  });

  it('keeps its slot dark through resets of the link, and lights it when the port itself is reset', () => {
    const { r, link } = rig(['power-controller']);
    r.cfgWrite(PORT, SLTCTL, 2, POWER_OFF);
    for (const bits of [0x40, 0]) r.cfgWrite(PORT, 0x3e, 2, bits);
    r.run(300e6);
    expect(link.isUp).toBe(false);
    r.cfgWrite(BUS1, 0x3e, 2, 0x40);
    r.run(1e6);
    r.cfgWrite(BUS1, 0x3e, 2, 0);
    r.run(300e6);
    expect([link.isUp, link.slotPower]).toEqual([true, 'on']);
  });

  it('does not power a card that is put in while it is off', () => {
    const { r, link } = rig(['power-controller']);
    r.cfgWrite(PORT, SLTCTL, 2, POWER_OFF);
    link.surpriseRemove();
    new Nic(r.sim, 'other', { framePeriodNs: 1e9 }).plugInto(link);
    r.run(300e6);
    expect(link.isUp).toBe(false);
    r.cfgWrite(PORT, SLTCTL, 2, POWER_ON);
    r.run(300e6);
    expect(link.isUp).toBe(true);
  });
});

describe('a port without one', () => {
  it('ignores the bit', () => {
    const { r, link } = rig([]);
    expect(read(r, PORT, SLTCAP, 4)).toBe(0);
    r.cfgWrite(PORT, SLTCTL, 2, POWER_OFF);
    r.run(1e6);
    expect([link.isUp, link.slotPower]).toEqual([true, 'on']);
  });
});
