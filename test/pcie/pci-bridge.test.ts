import { describe, expect, it } from 'vitest';
import { Card } from '../../src/pcie/card.js';
import { completion } from '../../src/pcie/completion.js';
import { deviceHeader } from '../../src/pcie/config-header.js';
import { PCI_BRIDGE_TIMING, PciBridge } from '../../src/pcie/pci-bridge.js';
import { PCI_BUS_TIMING } from '../../src/pcie/pci-bus.js';
import {
  atomicRequest,
  bdf,
  ioRead,
  MessageCode,
  memoryRead,
  memoryWrite,
  message,
  type Tlp,
} from '../../src/pcie/tlp.js';
import { BAR0, BARS, Box, COMMAND } from './box.js';
import { BUS1, Rig } from './rig.js';

const DEVICE = (device: number, fn = 0) => bdf(2, device, fn);
const STATUS = 0x06;
const SECONDARY_STATUS = 0x1e;
const BRIDGE_CONTROL = 0x3e;
const DEVCTL = 0x48;
const UE_STATUS = 0x104;
const SEC_UE_STATUS = 0x12c;
const SEC_UE_MASK = 0x130;
const SEC_LOG = 0x13c;
const AT = (device: number) => 0x8000_0000 + device * 0x1_0000;

/** Bridge 01:00.0 with bus 2; conventional devices 02:01.0 (pin A) and 02:04.0 (pin A), functions 0 and 2 in the latter. */
function rig() {
  const r = new Rig();
  const bridge = new PciBridge(r.sim, 'bridge');
  bridge.plugInto(r.link);
  const identity = {
    vendorId: 0x1014,
    deviceId: 3,
    classCode: 0xff_0000,
    capabilityPointer: 0,
    interruptPin: 1,
  } as const;
  const make = () => new Box(r.sim, { layout: deviceHeader(identity, BARS) });
  const [one, four, second] = [make(), make(), make()];
  bridge.bus.insert(1, new Card([one]));
  bridge.bus.insert(4, new Card([four, undefined, second]));
  r.powerOn();
  r.cfgWrite(BUS1, 0x18, 4, 0x00_03_02_01);
  r.cfgWrite(BUS1, 0x20, 4, 0x800f_8000);
  r.cfgWrite(BUS1, 0x24, 4, 0x0001_fff1);
  r.cfgWrite(BUS1, COMMAND, 2, 0x0006);
  r.cfgWrite(BUS1, DEVCTL, 2, 0x202f);
  for (const device of [1, 4]) {
    r.cfgWrite(DEVICE(device), BAR0, 4, AT(device));
    r.cfgWrite(DEVICE(device), 0x18, 4, 0xf000_0000 + AT(device) - AT(0));
    r.cfgWrite(DEVICE(device), COMMAND, 2, 0x0006);
  }
  const send = (tlp: Tlp) => {
    r.port.send(tlp);
    r.run(20_000);
  };
  const secondary = () => r.config(BUS1, SECONDARY_STATUS, 2);
  return { r, bridge, one, four, second, send, secondary };
}

describe('configuration through a PCI Express to PCI bridge', () => {
  it('selects devices and functions of the bus by number', () => {
    const { r, one, second } = rig();
    expect(r.config(BUS1, 0)).toBe(0x8231_104c);
    expect(r.config(BUS1, 0x42, 2)).toBe(0x0072);
    expect(r.config(DEVICE(1), 0)).toBe(0x0003_1014);
    expect(r.config(DEVICE(4), BAR0)).toBe(AT(4));
    expect(r.config(DEVICE(4, 2), BAR0)).toBe(0);
    expect(r.config(DEVICE(4), 0x0e, 1)).toBe(0x80);
    expect(one.rid).toBe(DEVICE(1));
    r.cfgWrite(DEVICE(4, 2), COMMAND, 2, 2);
    expect(second.config.read(COMMAND, 2)).toBe(2);
  });

  it('is unsupported for a device or function that is not there, which is a master abort of the bus', () => {
    const { r, secondary } = rig();
    expect(secondary()).toBe(0);
    expect(r.cfgRead(DEVICE(2), 0)).toMatchObject({ status: 'UR', completerId: BUS1 });
    expect(secondary()).toBe(0x2000);
    r.cfgWrite(BUS1, SECONDARY_STATUS, 2, 0x2000);
    expect(r.cfgWrite(DEVICE(4, 1), COMMAND, 2, 6)?.status).toBe('UR');
    expect(secondary()).toBe(0x2000);
    expect(r.cfgRead(bdf(3, 0, 0), 0)?.status).toBe('UR');
  });

  it('is unsupported beyond 256 bytes, for buses that are not below, and for further functions of the bridge', () => {
    const { r, secondary } = rig();
    expect(r.cfgRead(DEVICE(1), 0x100)?.status).toBe('UR');
    expect(r.cfgRead(bdf(9, 0, 0), 0)?.status).toBe('UR');
    expect(r.cfgRead(bdf(1, 0, 1), 0)?.status).toBe('UR');
    expect(secondary()).toBe(0);
  });

  it('keeps a register that poisoned data would change', () => {
    const { r } = rig();
    const write = (targetId: number, kind: 'CfgWr0' | 'CfgWr1') =>
      r.ask((tag) => ({
        ...memoryWrite(0, { hi: 0, lo: 0 }, Uint8Array.of(0, 0)),
        ...{ kind, tag, targetId, register: COMMAND, poisoned: true },
      }))?.status;
    expect([write(BUS1, 'CfgWr0'), r.config(BUS1, COMMAND, 2)]).toEqual(['UR', 6]);
    expect([write(DEVICE(1), 'CfgWr1'), r.config(DEVICE(1), COMMAND, 2)]).toEqual(['UR', 6]);
  });
});

describe('loads and stores through the bridge', () => {
  it('reach the device, and the bridge completes in its own name', () => {
    const { r, one, four } = rig();
    r.store(AT(4) + 4, 0x1234);
    expect(r.load(AT(4) + 4)).toMatchObject({ status: 'SC', completerId: BUS1 });
    expect(r.register(AT(4) + 4)).toBe(0x1234);
    expect([one.storage[4], four.storage[4]]).toEqual([0, 0x34]);
  });

  it('cost the time of the bridge and of two transactions, data four bytes a clock', () => {
    const { r } = rig();
    const time = (make: () => void) => {
      const start = r.sim.now;
      make();
      return r.sim.now - start;
    };
    const own = time(() => r.cfgRead(BUS1, 0));
    const below = time(() => r.cfgRead(DEVICE(1), 0));
    const { transactionNs, clockNs } = PCI_BUS_TIMING;
    expect(below - own).toBe(2 * PCI_BRIDGE_TIMING.bridgeNs.value + 2 * transactionNs.value + clockNs.value);
  });

  it('one after the other occupy the bus', () => {
    const { r, one } = rig();
    const start = r.sim.now;
    for (let i = 0; i < 20; i++) one.strayWrite(0x1000n, 128);
    r.sim.run({ when: () => r.writes.length === 20 });
    const each = PCI_BUS_TIMING.transactionNs.value + 32 * PCI_BUS_TIMING.clockNs.value;
    expect(r.sim.now - start).toBeGreaterThanOrEqual(20 * each);
    expect(r.sim.now - start).toBeLessThan(20 * each + 2000);
  });

  it('longer than a burst arrive whole', () => {
    const { one, send } = rig();
    send(
      memoryWrite(
        0,
        { hi: 0, lo: AT(1) + 0x40 },
        Uint8Array.from({ length: 256 }, (_, i) => i),
      ),
    );
    expect([...one.storage.subarray(0x40, 0x140)]).toEqual(Array.from({ length: 256 }, (_, i) => i));
  });

  it('are unsupported outside the window, with memory off, for I/O and atomics', () => {
    const { r, send } = rig();
    expect(r.load(0x9000_0000)?.status).toBe('UR');
    expect(r.ask((tag) => ioRead({ requesterId: 0, tag }, 0x100, 4))?.status).toBe('UR');
    const add = (tag: number) =>
      atomicRequest('FetchAdd', { requesterId: 0, tag }, { hi: 0, lo: AT(1) }, new Uint8Array(4));
    expect(r.ask(add)?.status).toBe('UR');
    r.cfgWrite(BUS1, COMMAND, 2, 0x0004);
    expect(r.load(AT(1))?.status).toBe('UR');
    expect(r.messages).toEqual([]);
    send(memoryWrite(0, { hi: 0, lo: AT(1) }, new Uint8Array(4)));
    expect([r.config(BUS1, UE_STATUS), r.messages]).toEqual([0x10_0000, [0x31]]);
  });

  it('that nobody on the bus takes are a master abort: reads unsupported, stores lost, or an error if so set', () => {
    const { r, send, secondary } = rig();
    const hole = memoryWrite(0, { hi: 0, lo: 0x8008_0000 }, new Uint8Array(4));
    expect(r.load(0x8008_0000)?.status).toBe('UR');
    expect(secondary()).toBe(0x2000);
    send(hole);
    expect([r.config(BUS1, SEC_UE_STATUS), r.messages]).toEqual([0, []]);
    r.cfgWrite(BUS1, BRIDGE_CONTROL, 2, 0x0020);
    send(hole);
    expect([r.config(BUS1, SEC_UE_STATUS), r.messages]).toEqual([0x8, []]);
    r.cfgWrite(BUS1, SEC_UE_STATUS, 4, 0x8);
    r.cfgWrite(BUS1, SEC_UE_MASK, 4, 0);
    send(hole);
    expect([r.config(BUS1, SEC_UE_STATUS), r.messages]).toEqual([0x8, [0x31]]);
    expect([0, 4, 8, 12].map((offset) => r.config(BUS1, SEC_LOG + offset))).toEqual([0, 0x70, 0x8008_0000, 0]);
  });

  it('that the device aborts are a completer abort', () => {
    const { r, four, secondary } = rig();
    four.refuses = true;
    expect(r.load(AT(4))?.status).toBe('CA');
    expect(secondary()).toBe(0x1000);
    expect(r.config(BUS1, STATUS, 2) & 0x0800).toBe(0x0800);
    expect(r.config(BUS1, SEC_UE_STATUS)).toBe(0x4);
  });

  it('with poisoned data are bad parity on the bus', () => {
    const { r, one, send, secondary } = rig();
    const bad: Tlp = { ...memoryWrite(0, { hi: 0, lo: AT(1) }, Uint8Array.of(1, 2, 3, 4)), poisoned: true };
    send(bad);
    expect([one.storage[0], secondary()]).toEqual([0, 0]);
    expect(r.config(DEVICE(1), STATUS, 2) & 0x8000).toBe(0x8000);
    expect(r.config(BUS1, STATUS, 2) & 0x8000).toBe(0x8000);
    r.cfgWrite(BUS1, BRIDGE_CONTROL, 2, 0x0001);
    send(bad);
    expect(secondary()).toBe(0x0100);
    expect(r.config(BUS1, SEC_UE_STATUS)).toBe(0x800);
  });

  it('malformed or with a damaged digest end at the bridge', () => {
    const { r, one, send } = rig();
    send({ ...memoryWrite(0, { hi: 0, lo: AT(1) }, new Uint8Array(8).fill(1)), header: { firstByteEnables: 0 } });
    expect([r.messages, r.config(BUS1, UE_STATUS)]).toEqual([[0x33], 0x4_0000]);
    r.cfgWrite(BUS1, 0x118, 4, 0x100);
    send({ ...memoryWrite(0, { hi: 0, lo: AT(1) }, new Uint8Array(8).fill(1)), digest: true, digestDamaged: true });
    expect([r.messages, one.storage[0]]).toEqual([[0x33, 0x31], 0]);
  });
});

describe('DMA of conventional devices', () => {
  it('goes up as secondary bus, device 0, function 0, and comes back to the right device', () => {
    const { r, one, four } = rig();
    r.setMemory32(0x100, 0x1111);
    r.setMemory32(0x200, 0x2222);
    four.strayWrite(0x400n, 200);
    one.dma.read({ hi: 0, lo: 0x100 }, 4, 0);
    four.dma.read({ hi: 0, lo: 0x200 }, 256, 0);
    r.run(100_000);
    const ids = [...r.writes, ...r.reads].map((tlp) => tlp.requesterId);
    expect(new Set(ids)).toEqual(new Set([bdf(2, 0, 0)]));
    expect(r.memory[0x400 + 199]).toBe(0xee);
    expect(one.done[0]!.result).toMatchObject({ status: 'SC' });
    expect([one.done[0]!.result.data[0], four.done[0]!.result.data[0]]).toEqual([0x11, 0x22]);
  });

  it('needs the bus master bit of the bridge: else the device aborts its own request', () => {
    const { r, one } = rig();
    r.cfgWrite(BUS1, COMMAND, 2, 0x0002);
    one.strayWrite(0x400n, 4);
    r.run(20_000);
    expect(r.config(DEVICE(1), STATUS, 2) & 0x2000).toBe(0x2000);
    one.strayRead(0x400n, 4);
    r.run(20_000);
    expect([one.strayReads[0]?.status, r.writes.length, r.reads.length]).toEqual(['UR', 0, 0]);
  });

  it('between two devices stays on the bus, into a hole of the window goes nowhere', () => {
    const { r, one, four } = rig();
    one.strayWrite(BigInt(AT(4)), 4);
    one.strayRead(BigInt(AT(4)), 4);
    one.strayRead(0x8008_0000n, 4);
    r.run(20_000);
    expect(four.storage[0]).toBe(0xee);
    expect(one.strayReads.map((read) => [read.status, read.data[0]])).toEqual([
      ['UR', 0],
      ['SC', 0xee],
    ]);
    expect([r.reads, r.writes]).toEqual([[], []]);
  });

  it.each([
    ['UR', 0x0000, 'SC', 0xff, 0x2000, 0x0000],
    ['UR', 0x0020, 'CA', 0x00, 0x2000, 0x0800],
    ['CA', 0x0000, 'CA', 0x00, 0x1000, 0x0800],
  ] as const)('answered %s with bridge control %i reads %s', (status, control, seen, byte, primary, below) => {
    const { r, one, send, secondary } = rig();
    r.cfgWrite(BUS1, BRIDGE_CONTROL, 2, control);
    r.answersReads = false;
    one.strayRead(0x100n, 4);
    r.run(20_000);
    send(completion(r.reads[0]!, 0, status));
    expect(one.strayReads.map((read) => [read.status, read.data[0]])).toEqual([[seen, byte]]);
    expect(r.config(BUS1, STATUS, 2) & 0x3000).toBe(primary);
    expect(secondary()).toBe(below);
  });

  it('that is not answered times out in the bridge, and the device sees ones', () => {
    const { r, one } = rig();
    r.answersReads = false;
    one.strayRead(0x100n, 4);
    r.run(49e6);
    expect(one.strayReads).toEqual([]);
    r.run(2e6);
    expect([r.config(BUS1, UE_STATUS), r.messages]).toEqual([0x4000, [0x31]]);
    expect([one.strayReads[0]?.status, one.strayReads[0]?.data[0]]).toEqual(['SC', 0xff]);
    r.port.send(completion(r.reads[0]!, 0, 'UR'));
    r.run(20_000);
    expect(r.config(BUS1, 0x110)).toBe(0x2000);
  });

  it('with bad parity goes on poisoned, both ways', () => {
    const { r, one, secondary } = rig();
    one.dma.poisonNextWrites(1);
    one.strayWrite(0x400n, 4);
    one.strayWrite(0x400n, 4);
    r.run(20_000);
    expect(r.writes.map((tlp) => tlp.poisoned)).toEqual([true, undefined]);
    expect(secondary()).toBe(0x8000);
    r.answersReads = false;
    one.strayRead(0x100n, 4);
    r.run(20_000);
    const data = new Uint8Array(4);
    r.port.send({ ...completion(r.reads[0]!, 0, 'SC'), kind: 'CplD', data, lengthBytes: 4, poisoned: true });
    r.run(20_000);
    expect(one.strayReads[0]?.status).toBe('poisoned');
  });

  it('has no atomics', () => {
    const { r, one } = rig();
    one.transmit(atomicRequest('Swap', { requesterId: one.rid, tag: 3 }, { hi: 0, lo: 0x100 }, new Uint8Array(4)));
    r.run(20_000);
    expect(r.reads).toEqual([]);
    expect(one.unexpectedCompletions).toBe(1);
  });
});

describe('lines of the bus', () => {
  it('INTx turns by device number and joins', () => {
    const { r, one, four } = rig();
    one.interrupts.raise(0);
    four.interrupts.raise(0);
    r.run(20_000);
    expect(r.messages).toEqual([MessageCode.ASSERT_INTB, MessageCode.ASSERT_INTA]);
    one.interrupts.clear();
    r.run(20_000);
    expect(r.messages.slice(2)).toEqual([MessageCode.DEASSERT_INTB]);
  });

  it('SERR# is noted, and passes as fatal only if bridge control and the mask let it', () => {
    const { r, one, secondary } = rig();
    one.sendErrorMessage('ERR_FATAL');
    r.run(20_000);
    expect([secondary(), r.config(BUS1, SEC_UE_STATUS), r.messages]).toEqual([0x4000, 0, []]);
    r.cfgWrite(BUS1, BRIDGE_CONTROL, 2, 0x0002);
    one.sendErrorMessage('ERR_NONFATAL');
    r.run(20_000);
    expect([r.config(BUS1, SEC_UE_STATUS), r.messages]).toEqual([0x1000, []]);
    r.cfgWrite(BUS1, SEC_UE_MASK, 4, 0);
    one.sendErrorMessage('ERR_NONFATAL');
    one.sendErrorMessage('ERR_COR');
    r.run(20_000);
    expect(r.messages).toEqual([0x33]);
  });

  it('RST# follows bridge control: devices forget, pins fall, what is under way is lost', () => {
    const { r, one, four } = rig();
    one.interrupts.raise(0);
    r.answersReads = false;
    four.strayRead(0x100n, 4);
    r.run(20_000);
    r.cfgWrite(BUS1, BRIDGE_CONTROL, 2, 0x0040);
    r.run(20_000);
    expect(r.messages).toEqual([MessageCode.ASSERT_INTB, MessageCode.DEASSERT_INTB]);
    expect([one.rid, one.resets.at(-1), four.strayReads[0]?.status]).toEqual([0, 'fundamental', 'reset']);
    r.cfgWrite(BUS1, BRIDGE_CONTROL, 2, 0);
    expect(r.config(DEVICE(1), BAR0)).toBe(0);
    expect(r.config(BUS1, 0x18, 2)).toBe(0x0201);
    r.port.send(completion(r.reads[0]!, 0, 'UR'));
    r.run(20_000);
    expect([four.strayReads.length, four.unexpectedCompletions]).toEqual([1, 0]);
  });

  it('RST# ends transactions that wait for the bus', () => {
    const { r, one } = rig();
    for (let i = 0; i < 20; i++) one.strayWrite(0x1000n, 128);
    r.cfgWrite(BUS1, BRIDGE_CONTROL, 2, 0x0040);
    r.run(100_000);
    expect(r.writes.length).toBeLessThan(5);
    r.cfgWrite(BUS1, BRIDGE_CONTROL, 2, 0);
    const start = r.sim.now;
    r.cfgRead(DEVICE(1), 0);
    expect(r.sim.now - start).toBeLessThan(3000);
  });

  it('a reset of the link resets bridge and bus', () => {
    const { r, bridge, one } = rig();
    r.port.send(memoryRead({ requesterId: 0, tag: 0x70 }, { hi: 0, lo: AT(1) }, 4));
    r.run(900);
    r.link.setHotReset('asserted');
    r.run(1e6);
    r.link.setHotReset('released');
    r.run(300e6);
    expect([bridge.id, one.rid]).toEqual([0, 0]);
    expect(r.config(BUS1, 0x18)).toBe(0);
  });
});

it('a bus has sixteen places, each for one card', () => {
  const { r, bridge } = rig();
  expect(() => bridge.bus.insert(16, new Card([new Box(r.sim)]))).toThrow('IDSEL');
  expect(() => bridge.bus.insert(1, new Card([new Box(r.sim)]))).toThrow('already');
});

it('the bridge ignores what it may and calls unsupported what it does not know', () => {
  const { r, send } = rig();
  send(message(0, MessageCode.PME_TURN_OFF));
  expect(r.messages).toEqual([]);
  send(message(0, 0x7e));
  expect(r.messages).toEqual([0x31]);
  expect(r.config(BUS1, 0x52, 2) & 0x3f).toBe(0x11);
});
