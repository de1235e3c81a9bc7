import { describe, expect, it } from 'vitest';
import { completion, completionWithData } from '../../src/pcie/completion.js';
import { LINK_PROFILE } from '../../src/pcie/link-profile.js';
import { Nic } from '../../src/pcie/nic.js';
import { SWITCH_TIMING, Switch } from '../../src/pcie/switch.js';
import {
  addressOf,
  atomicRequest,
  bdf,
  ioRead,
  MessageCode,
  memoryRead,
  memoryWrite,
  message,
  type Tlp,
} from '../../src/pcie/tlp.js';
import { BUS1, Rig } from './rig.js';

const PORT = (device: number) => bdf(2, device, 0);
const COMMAND = 0x04;
const BUSES = 0x18;
const MEMORY = 0x20;
const PREFETCHABLE = 0x24;
const BRIDGE_CONTROL = 0x3e;
const DEVCTL = 0x70;
const UE_STATUS = 0x104;
const CE_STATUS = 0x110;

/** Upstream 01:00.0, internal bus 2, ports 02:00.0 to 02:02.0 with buses 3, 4, 5; cards at 3 and 4, slot 5 empty. */
function rig() {
  const r = new Rig();
  const sw = new Switch(r.sim, 'switch', { downstreamPorts: 3 });
  sw.plugInto(r.link);
  const cards = [0, 1].map((i) => {
    const nic = new Nic(r.sim, `nic${i}`, { framePeriodNs: 1e9 });
    nic.plugInto(sw.ports[i]!.link);
    return nic;
  });
  r.powerOn();
  r.run(300e6);
  return { r, sw, cards };
}

function window(base: number, limit: number): number {
  return ((limit & 0xfff0_0000) | (base >>> 16)) >>> 0;
}

/** Numbers the buses and places BAR0 of the cards at 0x80000000 and 0x80200000, BAR2 at 0x20_0000_0000 + 2^32 each. */
function enumerated() {
  const bench = rig();
  const { r } = bench;
  r.cfgWrite(BUS1, BUSES, 4, 0x00_05_02_01);
  r.cfgWrite(BUS1, MEMORY, 4, window(0x8000_0000, 0x805f_ffff));
  r.cfgWrite(BUS1, PREFETCHABLE, 4, window(0, 0xffff_ffff));
  r.cfgWrite(BUS1, 0x28, 4, 0x20);
  r.cfgWrite(BUS1, 0x2c, 4, 0x22);
  r.cfgWrite(BUS1, COMMAND, 2, 0x0006);
  for (let i = 0; i < 3; i++) {
    r.cfgWrite(PORT(i), BUSES, 4, ((3 + i) << 16) | ((3 + i) << 8) | 2);
    r.cfgWrite(PORT(i), MEMORY, 4, window(0x8000_0000 + i * 0x20_0000, 0x801f_ffff + i * 0x20_0000));
    r.cfgWrite(PORT(i), PREFETCHABLE, 4, window(0, 0xffff_ffff));
    r.cfgWrite(PORT(i), 0x28, 4, 0x20 + i);
    r.cfgWrite(PORT(i), 0x2c, 4, 0x20 + i);
    r.cfgWrite(PORT(i), COMMAND, 2, 0x0006);
  }
  for (let i = 0; i < 2; i++) {
    r.cfgWrite(bdf(3 + i, 0, 0), 0x10, 4, 0x8000_0000 + i * 0x20_0000);
    r.cfgWrite(bdf(3 + i, 0, 0), 0x1c, 4, 0x20 + i);
    r.cfgWrite(bdf(3 + i, 0, 0), COMMAND, 2, 0x0006);
  }
  return bench;
}

describe('configuration through a switch', () => {
  it('reaches upstream port, downstream ports and the cards behind them', () => {
    const { r, sw } = enumerated();
    expect(sw.rid).toBe(BUS1);
    expect(r.config(BUS1, 0)).toBe(0x8732_10b5);
    expect(r.config(PORT(2), 0)).toBe(0x8732_10b5);
    expect(r.config(bdf(3, 0, 0), 0)).toBe(0xf001_1014);
    expect(r.config(bdf(4, 0, 0), 0x10)).toBe(0x8020_0000);
  });

  it('is unsupported for what is not there', () => {
    const { r } = enumerated();
    expect(r.cfgRead(bdf(1, 0, 1), 0)?.status).toBe('UR');
    expect(r.cfgRead(PORT(3), 0)?.status).toBe('UR');
    expect(r.cfgRead(bdf(2, 0, 1), 0)?.status).toBe('UR');
    expect(r.cfgRead(bdf(3, 1, 0), 0)?.status).toBe('UR');
    expect(r.cfgRead(bdf(9, 0, 0), 0)?.status).toBe('UR');
    expect(r.cfgRead(bdf(5, 0, 0), 0)?.status).toBe('UR');
    expect(r.config(BUS1, CE_STATUS)).toBe(0x2000);
  });

  it('is unsupported for a bus that no downstream port has', () => {
    const { r } = enumerated();
    r.cfgWrite(PORT(1), BUSES, 4, 0);
    expect(r.cfgRead(bdf(4, 0, 0), 0)?.status).toBe('UR');
  });

  it('costs time for each hop', () => {
    const { r } = enumerated();
    const time = (target: number) => {
      const start = r.sim.now;
      r.cfgRead(target, 0);
      return r.sim.now - start;
    };
    const extra = time(bdf(3, 0, 0)) - time(PORT(0));
    expect(extra).toBeGreaterThan(2 * SWITCH_TIMING.forwardNs.value + 2 * 120);
    expect(extra).toBeLessThan(2 * SWITCH_TIMING.forwardNs.value + 2 * 120 + 100);
  });
});

describe('memory through a switch', () => {
  it('goes down by window, 32-bit and prefetchable 64-bit', () => {
    const { r } = enumerated();
    r.store(0x8000_0010, 0x1111);
    r.store(0x8020_0010, 0x2222);
    expect([r.register(0x8000_0010), r.register(0x8020_0010)]).toEqual([0x1111, 0x2222]);
    r.store(0x21_0000_0040, 0xabcd);
    expect([r.register(0x21_0000_0040), r.register(0x20_0000_0040)]).toEqual([0xabcd, 0]);
  });

  it('is unsupported outside all windows, with memory off, and into an empty slot', () => {
    const { r } = enumerated();
    expect(r.load(0x9000_0000)?.status).toBe('UR');
    expect(r.load(0x8040_0000)?.status).toBe('UR');
    expect(r.config(PORT(2), CE_STATUS)).toBe(0x2000);
    r.cfgWrite(PORT(0), COMMAND, 2, 0x0004);
    expect(r.load(0x8000_0000)?.status).toBe('UR');
    r.cfgWrite(BUS1, COMMAND, 2, 0x0004);
    expect(r.load(0x8020_0000)?.status).toBe('UR');
  });

  it('goes up from the cards, with their own requester ids, and answers find back', () => {
    const { r, cards } = enumerated();
    r.setMemory32(0x500, 0xfeed);
    cards[0]!.strayWrite(0x400n, 16);
    cards[1]!.strayRead(0x500n, 4);
    r.run(10_000);
    expect(r.writes[0]?.requesterId).toBe(bdf(3, 0, 0));
    expect(cards[1]!.strayReads[0]).toMatchObject({ status: 'SC' });
    expect([...cards[1]!.strayReads[0]!.data]).toEqual([0xed, 0xfe, 0, 0]);
    expect(cards[0]!.strayReads).toHaveLength(0);
  });

  it('goes from card to card without passing the root', () => {
    const { r, cards } = enumerated();
    cards[0]!.strayWrite(0x21_0000_0000n, 4);
    cards[0]!.strayRead(0x21_0000_0000n, 4);
    r.run(10_000);
    expect(r.writes).toHaveLength(0);
    expect(r.reads).toHaveLength(0);
    expect([...cards[0]!.strayReads[0]!.data]).toEqual([0xee, 0xee, 0xee, 0xee]);
  });

  it('from below needs bus master in the port and in the upstream port', () => {
    const { r, cards } = enumerated();
    r.cfgWrite(PORT(0), COMMAND, 2, 0x0002);
    cards[0]!.strayRead(0x500n, 4);
    cards[0]!.strayWrite(0x500n, 4);
    r.run(10_000);
    expect(cards[0]!.strayReads[0]?.status).toBe('UR');
    expect(r.config(PORT(0), UE_STATUS)).toBe(0x10_0000);
    r.cfgWrite(BUS1, COMMAND, 2, 0x0002);
    cards[1]!.strayRead(0x500n, 4);
    r.run(10_000);
    expect(cards[1]!.strayReads[0]?.status).toBe('UR');
    expect(r.writes).toHaveLength(0);
  });

  it('from below never goes up if the address lies below: own window or a hole', () => {
    const { r, cards } = enumerated();
    cards[0]!.strayRead(0x8010_0000n, 4);
    cards[0]!.strayRead(0x22_0000_0000n, 4);
    r.run(10_000);
    expect(cards[0]!.strayReads.map((read) => read.status)).toEqual(['UR', 'UR']);
    expect(r.reads).toHaveLength(0);
  });

  it('rejected stores become error messages where reporting is on', () => {
    const { r } = enumerated();
    r.cfgWrite(BUS1, DEVCTL, 2, 0x000e);
    r.store(0x9000_0000, 1);
    r.run(10_000);
    expect(r.messages).toEqual([MessageCode.ERR_NONFATAL]);
    expect(r.config(BUS1, UE_STATUS)).toBe(0x10_0000);
  });

  it('calls a completion for nobody unexpected, and refuses configuration from below', () => {
    const { r, cards } = enumerated();
    const stray = memoryRead({ requesterId: bdf(9, 0, 0), tag: 0 }, addressOf(0n), 4);
    r.port.send(completion(stray, 0, 'UR'));
    r.run(10_000);
    expect([r.config(BUS1, CE_STATUS), r.config(BUS1, UE_STATUS)]).toEqual([0x2000, 0]);
    cards[0]!.transmit({ ...stray, kind: 'CfgRd0', requesterId: bdf(3, 0, 0), targetId: BUS1, register: 0 });
    r.run(10_000);
    expect(cards[0]!.unexpectedCompletions).toBe(1);
  });
});

describe('messages through a switch', () => {
  it('turn the pin by device number and join at the top', () => {
    const { r, cards } = enumerated();
    const pin = (card: number, code: number) => {
      cards[card]!.transmit(message(0, code));
      r.run(10_000);
    };
    pin(0, MessageCode.ASSERT_INTB);
    pin(1, MessageCode.ASSERT_INTA);
    pin(0, MessageCode.DEASSERT_INTB);
    expect(r.messages).toEqual([MessageCode.ASSERT_INTB]);
    pin(1, MessageCode.DEASSERT_INTA);
    expect(r.messages).toEqual([MessageCode.ASSERT_INTB, MessageCode.DEASSERT_INTB]);
  });

  it('of a card that was pulled are taken back', () => {
    const { r, sw, cards } = enumerated();
    cards[1]!.transmit(message(0, MessageCode.ASSERT_INTD));
    r.run(10_000);
    sw.ports[1]!.link.surpriseRemove();
    r.run(10_000);
    expect(r.messages).toEqual([MessageCode.ASSERT_INTA, MessageCode.DEASSERT_INTA]);
  });

  it('of errors pass only where both bridges forward SERR', () => {
    const { r, cards } = enumerated();
    cards[0]!.sendErrorMessage('ERR_FATAL');
    r.run(10_000);
    expect(r.messages).toEqual([]);
    r.cfgWrite(PORT(0), BRIDGE_CONTROL, 2, 0x0002);
    r.cfgWrite(BUS1, BRIDGE_CONTROL, 2, 0x0002);
    cards[0]!.sendErrorMessage('ERR_FATAL');
    cards[1]!.sendErrorMessage('ERR_FATAL');
    r.run(10_000);
    expect(r.messages).toEqual([MessageCode.ERR_FATAL]);
  });
});

describe('resets and links of a switch', () => {
  it('secondary bus reset of one port leaves the other card alone', () => {
    const { r, sw } = enumerated();
    r.cfgWrite(PORT(0), BRIDGE_CONTROL, 2, 0x0040);
    expect([sw.ports[0]!.link.state, sw.ports[1]!.link.state]).toEqual(['hot-reset', 'l0']);
    expect(r.cfgRead(bdf(3, 0, 0), 0)?.status).toBe('UR');
    r.cfgWrite(PORT(0), BRIDGE_CONTROL, 2, 0x0000);
    r.run(300e6);
    expect(r.config(bdf(3, 0, 0), 0x10)).toBe(0);
    expect(r.config(bdf(4, 0, 0), 0x10)).toBe(0x8020_0000);
    // The unsupported read is on record as advisory, a surprise is not.
    expect([r.config(PORT(0), CE_STATUS), r.config(PORT(0), UE_STATUS)]).toEqual([0x2000, 0]);
  });

  it('secondary bus reset of the upstream port resets the ports and all below, not the port itself', () => {
    const { r, sw } = enumerated();
    r.cfgWrite(BUS1, BRIDGE_CONTROL, 2, 0x0040);
    r.run(1e6);
    expect(sw.ports.map((port) => port.link.state)).toEqual(['hot-reset', 'hot-reset', 'hot-reset']);
    r.cfgWrite(BUS1, BRIDGE_CONTROL, 2, 0x0000);
    expect(sw.ports[0]!.link.state).toBe('detect');
    r.run(300e6);
    expect(sw.ports[0]!.link.isUp).toBe(true);
    expect(r.config(BUS1, BUSES, 2)).toBe(0x0201);
    expect(r.config(PORT(0), BUSES)).toBe(0);
  });

  it('a reset from above passes through, hot or fundamental, and all comes back', () => {
    const { r, sw, cards } = enumerated();
    for (const reset of ['hot', 'perst'] as const) {
      if (reset === 'hot') r.link.setHotReset('asserted');
      else r.link.setPerst('asserted');
      expect(sw.ports.map((port) => port.link.isUp)).toEqual([false, false, false]);
      expect(cards[0]!.rid).toBe(0);
      r.run(10e6);
      if (reset === 'hot') r.link.setHotReset('released');
      else r.link.setPerst('deasserted');
      r.run(600e6);
      expect(sw.ports.map((port) => port.link.isUp)).toEqual([true, true, false]);
      expect(r.config(BUS1, BUSES)).toBe(0);
    }
  });

  it('a packet inside the switch is lost when the reset comes', () => {
    const { r } = enumerated();
    r.port.send(memoryWrite(0, addressOf(0x8000_0010n), Uint8Array.of(1, 2, 3, 4)));
    r.run(200);
    r.link.setHotReset('asserted');
    r.run(10_000);
    r.link.setHotReset('released');
    r.run(600e6);
    expect(r.link.down.sentPackets).toBeGreaterThan(0);
    expect(r.config(BUS1, UE_STATUS)).toBe(0);
  });

  it('a pulled card is a surprise down of its port', () => {
    const { r, sw } = enumerated();
    sw.ports[0]!.link.surpriseRemove();
    expect(r.config(PORT(0), UE_STATUS)).toBe(0x20);
    expect(r.config(PORT(0), 0x7a, 2) & 0x2000).toBe(0);
    expect(r.config(PORT(1), 0x7a, 2) & 0x2000).toBe(0x2000);
  });

  it('gives its ports the link timing it was given', () => {
    const r = new Rig();
    const electricalDetectNs = { value: 900e6, known: 'assumed', source: 'test' } as const;
    const profile = { ...LINK_PROFILE, electricalDetectNs };
    const sw = new Switch(r.sim, 'slow', { downstreamPorts: 1, profile });
    sw.plugInto(r.link);
    new Nic(r.sim, 'nic').plugInto(sw.ports[0]!.link);
    r.link.setPerst('deasserted');
    r.run(899e6);
    expect([r.link.isUp, sw.ports[0]!.link.electricalPresence]).toEqual([true, false]);
    r.run(1e6);
    expect(sw.ports[0]!.link.electricalPresence).toBe(true);
  });

  it('without the options a port reports neither surprise nor data link active', () => {
    const r = new Rig();
    const sw = new Switch(r.sim, 'plain', { downstreamPorts: 1, portOptions: [], maxSpeed: 2, maxWidth: 4 });
    sw.plugInto(r.link);
    new Nic(r.sim, 'nic').plugInto(sw.ports[0]!.link);
    r.powerOn();
    r.run(300e6);
    r.cfgWrite(BUS1, BUSES, 4, 0x05_02_01);
    expect(r.config(PORT(0), 0x7a, 2)).toBe(0x1042);
    expect(r.config(BUS1, 0x7a, 2)).toBe(0x1042);
    sw.ports[0]!.link.surpriseRemove();
    expect(r.config(PORT(0), UE_STATUS)).toBe(0);
  });
});

describe('what a switch checks in packets that pass', () => {
  const STATUS = 0x06;
  const SECONDARY_STATUS = 0x1e;
  const at = (lo: number) => ({ hi: 0, lo });
  const reporting = () => {
    const bench = enumerated();
    const { r } = bench;
    for (const id of [BUS1, PORT(0), PORT(1)]) {
      r.cfgWrite(id, DEVCTL, 2, 0x000f);
      r.cfgWrite(id, 0x114, 4, 0);
      r.cfgWrite(id, BRIDGE_CONTROL, 2, 0x0002);
    }
    const senders: number[] = [];
    r.link.down.observe((tlp) => tlp.kind === 'Msg' && senders.push(tlp.requesterId));
    const send = (tlp: Tlp) => {
      r.port.send(tlp);
      r.run(20_000);
    };
    return { ...bench, senders, send };
  };

  it('malformed packets go no further, from above and from below', () => {
    const { r, cards, senders, send } = reporting();
    send({ ...memoryWrite(0, at(0x8000_0010), new Uint8Array(8)), header: { firstByteEnables: 0 } });
    expect(r.config(BUS1, UE_STATUS)).toBe(0x4_0000);
    cards[1]!.damageNextPackets('write', 'crosses-4k', 1);
    cards[1]!.strayWrite(0x1000n, 16);
    r.run(20_000);
    expect(r.config(PORT(1), UE_STATUS)).toBe(0x4_0000);
    expect([r.messages, senders, r.writes]).toEqual([[0x33, 0x33], [BUS1, PORT(1)], []]);
    expect(r.config(bdf(3, 0, 0), UE_STATUS)).toBe(0);
  });

  it('poison passes and is advisory where it came in, fatal if so set', () => {
    const { r, cards, senders } = reporting();
    cards[0]!.dma.poisonNextWrites(2);
    cards[0]!.strayWrite(0x1000n, 4);
    r.run(20_000);
    expect(r.writes[0]).toMatchObject({ poisoned: true });
    expect([r.messages, senders]).toEqual([[0x30], [PORT(0)]]);
    expect([r.config(PORT(0), UE_STATUS), r.config(BUS1, UE_STATUS)]).toEqual([0x1000, 0]);
    expect(r.config(PORT(0), SECONDARY_STATUS, 2)).toBe(0x8000);
    r.cfgWrite(PORT(0), 0x10c, 4, 0x1000);
    cards[0]!.strayWrite(0x1000n, 4);
    r.run(20_000);
    expect(r.messages).toEqual([0x30, 0x33]);
  });

  it('poison it sends on shows as a parity error where the response is on', () => {
    const { r, cards, send } = reporting();
    r.cfgWrite(BUS1, COMMAND, 2, 0x0046);
    r.cfgWrite(PORT(0), BRIDGE_CONTROL, 2, 0x0003);
    cards[1]!.dma.poisonNextWrites(1);
    cards[1]!.strayWrite(0x1000n, 4);
    r.run(20_000);
    expect(r.config(BUS1, STATUS, 2) & 0x8100).toBe(0x0100);
    send({ ...memoryWrite(0, at(0x8000_0010), new Uint8Array(4)), poisoned: true });
    expect(r.config(PORT(0), SECONDARY_STATUS, 2) & 0x8100).toBe(0x0100);
    expect(r.config(BUS1, STATUS, 2) & 0x8100).toBe(0x8100);
    r.answersReads = false;
    r.cfgWrite(BUS1, STATUS, 2, 0x8100);
    cards[0]!.strayRead(0x100n, 4);
    r.run(20_000);
    send({ ...completionWithData(r.reads[0]!, 0, new Uint8Array(4)), poisoned: true });
    expect(cards[0]!.strayReads[0]?.status).toBe('poisoned');
    expect(r.config(BUS1, STATUS, 2) & 0x8100).toBe(0x8100);
  });

  it('a damaged digest passes, and is an error of the port only while it checks', () => {
    const { r, senders, send } = reporting();
    const bad: Tlp = {
      ...memoryWrite(0, at(0x8000_000c), Uint8Array.of(1, 0, 0, 0)),
      digest: true,
      digestDamaged: true,
    };
    send(bad);
    expect(r.messages).toEqual([]);
    r.cfgWrite(BUS1, 0x118, 4, 0x100);
    send(bad);
    expect([r.messages, senders]).toEqual([[0x31], [BUS1]]);
    const config = { ...bad, kind: 'CfgWr0', targetId: BUS1, register: BUSES, data: new Uint8Array(4) } as const;
    send(config);
    expect(r.config(BUS1, BUSES)).toBe(0x00_05_02_01);
  });

  it('poisoned writes to its own registers change nothing', () => {
    const { r } = reporting();
    const poisoned = r.ask((tag) => ({
      ...memoryWrite(0, at(0), new Uint8Array(4)),
      ...{ kind: 'CfgWr1', tag, targetId: PORT(0), register: BUSES, poisoned: true },
    }));
    expect(poisoned?.status).toBe('UR');
    expect(r.config(PORT(0), BUSES)).toBe(0x00_03_03_02);
  });

  it('I/O and atomics are unsupported both ways', () => {
    const { r, cards } = reporting();
    expect(r.ask((tag) => ioRead({ requesterId: 0, tag }, 0x1000, 4))?.status).toBe('UR');
    const swap = (tag: number) => atomicRequest('Swap', { requesterId: 0, tag }, at(0x8000_0010), new Uint8Array(4));
    expect(r.ask(swap)?.status).toBe('UR');
    const from = { requesterId: bdf(3, 0, 0), tag: 20 };
    cards[0]!.transmit(atomicRequest('Swap', from, at(0x100), new Uint8Array(4)));
    cards[0]!.transmit(ioRead(from, 0x100, 4));
    r.run(20_000);
    expect([cards[0]!.unexpectedCompletions, r.reads]).toEqual([2, []]);
  });

  it('atomics pass where the switch can route them', () => {
    const r = new Rig();
    const sw = new Switch(r.sim, 'switch', { downstreamPorts: 1, portOptions: ['atomic-routing'] });
    sw.plugInto(r.link);
    const nic = new Nic(r.sim, 'nic', { framePeriodNs: 1e9 });
    nic.plugInto(sw.ports[0]!.link);
    r.powerOn();
    r.run(300e6);
    r.answersReads = false;
    r.cfgWrite(BUS1, BUSES, 4, 0x00_05_02_01);
    r.cfgWrite(PORT(0), BUSES, 4, 0x00_03_03_02);
    r.cfgWrite(BUS1, MEMORY, 4, window(0x8000_0000, 0x805f_ffff));
    r.cfgWrite(BUS1, PREFETCHABLE, 4, 0x0001_fff1);
    r.cfgWrite(PORT(0), MEMORY, 4, window(0x8000_0000, 0x805f_ffff));
    r.cfgWrite(PORT(0), PREFETCHABLE, 4, 0x0001_fff1);
    r.cfgWrite(BUS1, COMMAND, 2, 6);
    r.cfgWrite(PORT(0), COMMAND, 2, 6);
    nic.transmit(atomicRequest('FetchAdd', { requesterId: bdf(3, 0, 0), tag: 0 }, at(0x100), new Uint8Array(8)));
    r.run(20_000);
    expect(r.reads[0]?.kind).toBe('FetchAdd');
  });

  it('errors of its links are correctable errors of the port at that end', () => {
    const { r, sw, senders } = reporting();
    sw.ports[1]!.link.down.damageNextPackets(1);
    r.cfgRead(bdf(4, 0, 0), 0);
    r.run(1e6);
    expect(r.config(PORT(1), CE_STATUS) & 0x40).toBe(0x40);
    r.link.up.damageNextPackets(1);
    r.cfgRead(BUS1, 0);
    r.run(1e6);
    expect(r.config(BUS1, CE_STATUS) & 0x40).toBe(0x40);
    expect(senders).toEqual([PORT(1), BUS1]);
  });

  it('what the root says to all goes to all, what ends here ends, and the rest is unsupported', () => {
    const { r, sw, send } = reporting();
    const heard: number[] = [];
    for (const port of sw.ports) port.link.up.observe((tlp) => heard.push(tlp.messageCode!));
    send(message(0, MessageCode.PME_TURN_OFF));
    expect(heard).toEqual([MessageCode.PME_TURN_OFF, MessageCode.PME_TURN_OFF]);
    send(message(0, 0x50));
    expect([heard.length, r.messages]).toEqual([2, []]);
    send(message(0, 0x7e));
    expect([heard.length, r.messages]).toEqual([2, [0x31]]);
    send(message(0, MessageCode.ASSERT_INTA));
    expect(r.messages).toEqual([0x31, 0x33]);
  });

  it('severe messages show in the status of the bridges they pass, others go up without any enable', () => {
    const { r, cards } = enumerated();
    cards[0]!.sendErrorMessage('ERR_NONFATAL');
    cards[0]!.transmit(message(bdf(3, 0, 0), 0x18));
    r.run(20_000);
    expect(r.messages).toEqual([0x18]);
    expect([r.config(PORT(0), SECONDARY_STATUS, 2), r.config(BUS1, SECONDARY_STATUS, 2)]).toEqual([0x4000, 0]);
    r.cfgWrite(PORT(0), BRIDGE_CONTROL, 2, 0x0002);
    r.cfgWrite(BUS1, BRIDGE_CONTROL, 2, 0x0002);
    r.cfgWrite(BUS1, COMMAND, 2, 0x0106);
    cards[0]!.sendErrorMessage('ERR_COR');
    r.run(20_000);
    expect(r.config(BUS1, SECONDARY_STATUS, 2)).toBe(0);
    cards[0]!.sendErrorMessage('ERR_FATAL');
    r.run(20_000);
    expect(r.messages).toEqual([0x18, 0x30, 0x33]);
    expect(r.config(BUS1, SECONDARY_STATUS, 2)).toBe(0x4000);
    expect([r.config(BUS1, STATUS, 2) & 0x4000, r.config(PORT(0), STATUS, 2) & 0x4000]).toEqual([0x4000, 0]);
  });

  it('its own answers and messages carry a digest while it generates them', () => {
    const { r, send } = reporting();
    const sent: (boolean | undefined)[] = [];
    r.cfgWrite(BUS1, 0x118, 4, 0x40);
    r.link.down.observe((tlp) => sent.push(tlp.digest));
    r.cfgRead(BUS1, 0);
    send(memoryWrite(0, at(0x9000_0000), new Uint8Array(4)));
    expect(sent).toEqual([true, true]);
  });
});
