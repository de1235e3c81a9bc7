/** Hot-plug events of ports. Source: PCI Express base specification 6.7.3, 7.8.9 to 7.8.11. */
import { describe, expect, it } from 'vitest';
import type { PciExpressOption } from '../../src/pcie/capabilities.js';
import { amend } from '../../src/pcie/config-space.js';
import { Nic } from '../../src/pcie/nic.js';
import { Switch } from '../../src/pcie/switch.js';
import { addressValue, bdf, MessageCode, message } from '../../src/pcie/tlp.js';
import { BUS1, Rig, rootLayout } from './rig.js';

const SECOND = bdf(2, 1, 0);
const COMMAND = 0x04;
const INTX_DISABLE = 0x0400;
const BRIDGE_CONTROL = 0x3e;
const MSI_CONTROL = 0x4a;
const LNKCTL = 0x78;
const SLTCTL = 0x80;
const SLTSTA = 0x82;
const PRESENCE_CHANGED = 0x0008;
const COMMAND_COMPLETED = 0x0010;
const PRESENT = 0x0040;
const LINK_CHANGED = 0x0100;
/** Slot control: the interrupt, and events it may be for. */
const INTERRUPT = 0x0020;
const OF_PRESENCE = 0x0008;
const OF_COMMANDS = 0x0010;
const OF_LINK = 0x1000;
const ALL = INTERRUPT | OF_PRESENCE | OF_LINK;
const MESSAGE_ADDRESS = 0x1000_0000_0000_0000n;

interface Options {
  readonly port?: readonly PciExpressOption[];
  readonly interrupts?: 'pin' | 'message';
}

const HOT_PLUG = ['slot', 'dll-active-reporting', 'hot-plug-surprise'] as const;

/** A switch with two ports, a card in the second one, whose device number is 1. */
function setup({ port = HOT_PLUG, interrupts = 'message' }: Options = {}) {
  const r = new Rig();
  const sw = new Switch(r.sim, 'switch', { downstreamPorts: 2, portOptions: port, portInterrupts: interrupts });
  sw.plugInto(r.link);
  const { link, events } = sw.ports[1]!;
  const card = new Nic(r.sim, 'card', { framePeriodNs: 1e9 });
  card.plugInto(link);
  r.powerOn();
  r.run(300e6);
  r.cfgWrite(BUS1, 0x18, 4, 0x00_04_02_01);
  r.cfgWrite(SECOND, 0x18, 4, 0x00_04_04_02);
  for (const id of [BUS1, SECOND]) r.cfgWrite(id, COMMAND, 2, 0x0006);
  const status = (): number => r.config(SECOND, SLTSTA, 2);
  const acknowledge = (bits: number) => r.cfgWrite(SECOND, SLTSTA, 2, bits);
  const control = (bits: number) => {
    r.cfgWrite(SECOND, SLTCTL, 2, bits);
    r.run(1e6);
  };
  acknowledge(0xffff);
  r.messages.length = 0;
  return { r, sw, link, card, events, status, acknowledge, control };
}

function withMessages(options: Options = {}) {
  const all = setup(options);
  const { r } = all;
  r.cfgWrite(SECOND, 0x4c, 4, 0);
  r.cfgWrite(SECOND, 0x50, 4, Number(MESSAGE_ADDRESS >> 32n));
  r.cfgWrite(SECOND, 0x54, 2, 0x0007);
  r.cfgWrite(SECOND, MSI_CONTROL, 2, 1);
  return all;
}

const wires = (r: Rig): number[] =>
  r.messages.filter((code) => code >= MessageCode.ASSERT_INTA && code <= MessageCode.DEASSERT_INTD);
const UP = MessageCode.ASSERT_INTA + 1;
const DOWN = MessageCode.DEASSERT_INTA + 1;

describe('slot status of a hot-plug port', () => {
  it('latches presence and link when a card goes, each until a one is written to it', () => {
    const { r, link, status, acknowledge } = setup();
    expect(status()).toBe(PRESENT);
    link.surpriseRemove();
    r.run(1e6);
    expect(status()).toBe(PRESENCE_CHANGED | LINK_CHANGED);
    acknowledge(PRESENCE_CHANGED);
    expect(status()).toBe(LINK_CHANGED);
    acknowledge(0);
    expect(status()).toBe(LINK_CHANGED);
    acknowledge(LINK_CHANGED);
    expect(status()).toBe(0);
  });

  it('latches presence when a card comes, and the link when it is up', () => {
    const { r, link, card, status, acknowledge } = setup();
    link.surpriseRemove();
    r.run(1e6);
    acknowledge(0xffff);
    card.plugInto(link);
    r.run(1e6);
    expect(status()).toBe(PRESENT | PRESENCE_CHANGED);
    r.run(300e6);
    expect(status()).toBe(PRESENT | PRESENCE_CHANGED | LINK_CHANGED);
  });

  it.each([
    ['link disable', LNKCTL, 0x10],
    ['secondary bus reset', BRIDGE_CONTROL, 0x40],
  ])('latches the link alone in a %s, when it goes and when it comes back', (_, register, bit) => {
    const { r, status, acknowledge } = setup();
    r.cfgWrite(SECOND, register, 2, bit);
    r.run(1e6);
    expect(status()).toBe(PRESENT | LINK_CHANGED);
    acknowledge(LINK_CHANGED);
    r.cfgWrite(SECOND, register, 2, 0);
    r.run(1e6);
    expect(status()).toBe(PRESENT);
    r.run(300e6);
    expect(status()).toBe(PRESENT | LINK_CHANGED);
  });

  it('knows nothing of the link where the port does not report it', () => {
    const { r, link, status } = setup({ port: ['slot', 'hot-plug-surprise'] });
    link.surpriseRemove();
    r.run(1e6);
    expect(status()).toBe(PRESENCE_CHANGED);
  });

  it('tells that a command is done, some time after each write to slot control', () => {
    const { r, status, acknowledge } = setup();
    r.cfgWrite(SECOND, SLTCTL, 2, 0x0040);
    expect(status()).toBe(PRESENT);
    r.run(20e3);
    expect(status()).toBe(PRESENT | COMMAND_COMPLETED);
    acknowledge(COMMAND_COMPLETED);
    r.run(1e6);
    expect(status()).toBe(PRESENT);
    r.cfgWrite(SECOND, SLTCTL, 2, 0x0040);
    r.cfgWrite(SECOND, SLTCTL, 2, 0x00c0);
    r.run(20e3);
    expect(status()).toBe(PRESENT | COMMAND_COMPLETED);
  });

  it.each([
    ['does not say so', [...HOT_PLUG, 'no-command-completed'] as const],
    ['is not for hot-plug', ['slot', 'dll-active-reporting'] as const],
  ])('tells nothing of commands where the port %s', (_, port) => {
    const { control, status } = setup({ port });
    control(0x0040);
    expect(status()).toBe(PRESENT);
  });

  it('has bits for button, latch and power faults only with what could cause them', () => {
    const bare = setup();
    for (const event of ['button-pressed', 'latch-opened', 'power-fault'] as const) {
      expect(bare.events!.notice(event)).toBe(false);
    }
    expect(bare.status()).toBe(PRESENT);
    const { events, status, acknowledge } = setup({
      port: [...HOT_PLUG, 'attention-button', 'latch-sensor', 'power-controller'],
    });
    events!.notice('button-pressed');
    expect(status()).toBe(PRESENT | 0x01);
    events!.notice('power-fault');
    expect(status()).toBe(PRESENT | 0x03);
    events!.notice('latch-closed');
    expect(status()).toBe(PRESENT | 0x03);
    events!.notice('latch-opened');
    expect(status()).toBe(PRESENT | 0x27);
    acknowledge(0xffff);
    expect(status()).toBe(PRESENT | 0x20);
    events!.notice('latch-closed');
    expect(status()).toBe(PRESENT | 0x04);
  });
});

describe('the pin of a hot-plug port', () => {
  it('is up as long as an event stands that may interrupt, turned by the device number of the port', () => {
    const { r, link, control, acknowledge } = setup({ interrupts: 'pin' });
    expect(r.config(SECOND, 0x3d, 1)).toBe(1);
    expect(r.config(SECOND, 0x34, 1)).toBe(0x68);
    control(ALL);
    link.surpriseRemove();
    r.run(1e6);
    expect(wires(r)).toEqual([UP]);
    expect(r.config(SECOND, 0x06, 2) & 8).toBe(8);
    acknowledge(PRESENCE_CHANGED);
    r.run(1e6);
    expect(wires(r)).toEqual([UP]);
    acknowledge(LINK_CHANGED);
    r.run(1e6);
    expect(wires(r)).toEqual([UP, DOWN]);
  });

  it.each([
    ['the interrupt is off', OF_PRESENCE | OF_LINK],
    ['no event is enabled', INTERRUPT],
    ['another event is enabled', INTERRUPT | OF_COMMANDS],
  ])('stays down while %s, and the event stands until it may go up', (_, enabled) => {
    const { r, link, control, acknowledge } = setup({ interrupts: 'pin' });
    control(enabled);
    acknowledge(COMMAND_COMPLETED);
    link.surpriseRemove();
    r.run(1e6);
    expect(wires(r).filter((code) => code === UP).length - wires(r).filter((code) => code === DOWN).length).toBe(0);
    r.messages.length = 0;
    control(INTERRUPT | OF_PRESENCE);
    expect(wires(r)).toEqual([UP]);
    control(INTERRUPT);
    expect(wires(r)).toEqual([UP, DOWN]);
  });

  it('follows the disable bit of the command register', () => {
    const { r, link, control } = setup({ interrupts: 'pin' });
    control(ALL);
    link.surpriseRemove();
    r.run(1e6);
    r.cfgWrite(SECOND, COMMAND, 2, 0x0006 | INTX_DISABLE);
    r.run(1e6);
    r.cfgWrite(SECOND, COMMAND, 2, 0x0006);
    r.run(1e6);
    expect(wires(r)).toEqual([UP, DOWN, UP]);
  });

  it('is joined with the pin of the card below, which falls with its link alone', () => {
    const { r, link, control, sw, acknowledge } = setup({ interrupts: 'pin' });
    control(ALL);
    sw.fromBelow(sw.ports[1]!, { ...assertA(), requesterId: bdf(4, 0, 0) });
    r.run(1e6);
    expect(wires(r)).toEqual([UP]);
    link.surpriseRemove();
    r.run(1e6);
    expect(wires(r)).toEqual([UP]);
    acknowledge(0xffff);
    r.run(1e6);
    expect(wires(r)).toEqual([UP, DOWN]);
  });

  it('falls when the port itself is reset, and what stood is forgotten', () => {
    const { r, link, control, status } = setup({ interrupts: 'pin' });
    control(ALL);
    link.surpriseRemove();
    r.run(1e6);
    r.cfgWrite(BUS1, BRIDGE_CONTROL, 2, 0x40);
    r.run(1e6);
    expect(wires(r)).toEqual([UP, DOWN]);
    r.cfgWrite(BUS1, BRIDGE_CONTROL, 2, 0);
    r.run(1e6);
    r.cfgWrite(SECOND, 0x18, 4, 0x00_04_04_02);
    expect(status()).toBe(0);
    control(INTERRUPT | OF_COMMANDS);
    r.run(1e6);
    expect(wires(r)).toEqual([UP, DOWN, UP]);
  });
});

describe('the message of a hot-plug port', () => {
  it('is a write of the port itself, once for all events that come together, and again when all were cleared', () => {
    const { r, link, card, control, acknowledge } = withMessages();
    control(ALL);
    link.surpriseRemove();
    r.run(1e6);
    expect(r.writes).toHaveLength(1);
    const [write] = r.writes;
    expect([write!.requesterId, addressValue(write!.addressHi, write!.addressLo)]).toEqual([SECOND, MESSAGE_ADDRESS]);
    expect([...write!.data!]).toEqual([7, 0, 0, 0]);
    acknowledge(PRESENCE_CHANGED);
    card.plugInto(link);
    r.run(1e6);
    expect(r.writes).toHaveLength(1);
    acknowledge(0xffff);
    r.run(300e6);
    expect(r.writes).toHaveLength(2);
    expect(wires(r)).toEqual([]);
  });

  it('is sent when an event that stands is enabled', () => {
    const { r, link, control } = withMessages({ port: [...HOT_PLUG, 'no-command-completed'] });
    link.surpriseRemove();
    r.run(1e6);
    expect(r.writes).toEqual([]);
    control(ALL);
    expect(r.writes).toHaveLength(1);
  });

  it.each([
    ['a command that is done', OF_COMMANDS],
    ['a button', 0x0001],
    ['a power fault', 0x0002],
    ['a latch', 0x0004],
  ])('tells of %s', (_, enable) => {
    const { r, control, events } = withMessages({
      port: [...HOT_PLUG, 'attention-button', 'latch-sensor', 'power-controller'],
    });
    control(INTERRUPT | enable);
    if (enable !== OF_COMMANDS) {
      expect(r.writes).toEqual([]);
      for (const event of ['button-pressed', 'power-fault', 'latch-opened'] as const) events!.notice(event);
    }
    r.run(1e6);
    expect(r.writes).toHaveLength(1);
  });

  it('needs the bus master bits of the port and of the switch', () => {
    const mute = withMessages();
    mute.control(ALL);
    mute.r.cfgWrite(SECOND, COMMAND, 2, 0x0002);
    mute.link.surpriseRemove();
    mute.r.run(1e6);
    expect(mute.r.writes).toEqual([]);
    const closed = withMessages();
    closed.control(ALL);
    closed.r.cfgWrite(BUS1, COMMAND, 2, 0x0002);
    closed.link.surpriseRemove();
    closed.r.run(1e6);
    expect(closed.r.writes).toEqual([]);
    // The upstream port refuses it, as it would a card's.
    expect(closed.r.config(BUS1, 0x72, 2) & 0x08).toBe(0x08);
  });

  it('gives way to the pin when messages are switched off, and takes it down when they are switched on', () => {
    const { r, link, control } = withMessages();
    control(ALL);
    link.surpriseRemove();
    r.run(1e6);
    for (const enable of [0, 1]) {
      r.cfgWrite(SECOND, MSI_CONTROL, 2, enable);
      r.run(1e6);
    }
    expect(wires(r)).toEqual([UP, DOWN]);
    expect(r.writes).toHaveLength(1);
  });
});

describe('a port without hot-plug', () => {
  it('latches the changes and has neither pin nor message', () => {
    const { r, link, control, status, events } = setup({ port: ['slot', 'dll-active-reporting'] });
    expect([r.config(SECOND, 0x3d, 1), r.config(SECOND, 0x34, 1), events]).toEqual([0, 0x68, undefined]);
    control(ALL);
    link.surpriseRemove();
    r.run(1e6);
    expect(status()).toBe(PRESENCE_CHANGED | LINK_CHANGED);
    expect([wires(r), r.writes]).toEqual([[], []]);
  });
});

describe('a root port with a hot-plug slot', () => {
  function root() {
    const layout = rootLayout(['slot', 'hot-plug-surprise']);
    const r = new Rig({ maxSpeed: 3, maxWidth: 8 }, amend(layout, { INTERRUPT_PIN: { reset: 1 } }));
    const card = new Nic(r.sim, 'card', { framePeriodNs: 1e9 });
    card.plugInto(r.link);
    r.powerOn();
    const { config } = r.port;
    const at = (register: 'SLTCTL' | 'SLTSTA') => config.layout[register].at;
    config.write(at('SLTSTA'), 2, 0xffff);
    config.write(at('SLTCTL'), 2, ALL);
    return { r, config, at };
  }

  it('interrupts the chip by its pin, joined with that of the card', () => {
    const { r, config, at } = root();
    r.port.receive(assertA());
    r.link.surpriseRemove();
    r.run(1e6);
    expect(wires(r)).toEqual([MessageCode.ASSERT_INTA]);
    config.write(at('SLTSTA'), 2, 0xffff);
    r.run(1e6);
    expect(wires(r)).toEqual([MessageCode.ASSERT_INTA, MessageCode.DEASSERT_INTA]);
  });

  it('holds the wire while the card lets go of it', () => {
    const { r, config, at } = root();
    config.write(at('SLTCTL'), 2, INTERRUPT | OF_COMMANDS);
    r.run(1e6);
    r.port.receive(assertA());
    r.port.receive(message(BUS1, MessageCode.DEASSERT_INTA));
    expect(wires(r)).toEqual([MessageCode.ASSERT_INTA]);
  });

  it('takes its pin down when it is reset', () => {
    const { r } = root();
    r.link.surpriseRemove();
    r.run(1e6);
    r.port.reset('hot');
    expect(wires(r)).toEqual([MessageCode.ASSERT_INTA, MessageCode.DEASSERT_INTA]);
  });
});

function assertA() {
  return message(BUS1, MessageCode.ASSERT_INTA);
}
