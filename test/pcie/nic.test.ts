import { describe, expect, it } from 'vitest';
import { Nic, type NicOptions } from '../../src/pcie/nic.js';
import {
  NIC_CAUSE,
  NIC_CONTROL,
  NIC_ID,
  NIC_REGISTERS,
  NIC_STATUS,
  type NicRegister,
} from '../../src/pcie/nic-registers.js';
import { MessageCode } from '../../src/pcie/tlp.js';
import { BUS1, Rig } from './rig.js';

const BASE = 0x8000_0000;
const RX_RING = 0x1000;
const TX_RING = 0x2000;
const BUFFERS = 0x1_0000;
const BUFFER_BYTES = 0x800;
const MSI = 0xffff_0000;

function bench(options: NicOptions = {}) {
  const r = new Rig();
  const nic = new Nic(r.sim, 'nic', { framePeriodNs: 100_000, ...options });
  nic.plugInto(r.link);
  r.powerOn();
  const place = () => {
    r.cfgWrite(BUS1, 0x10, 4, BASE);
    r.cfgWrite(BUS1, 0x18, 4, 0x9000_0000);
    r.cfgWrite(BUS1, 0x04, 2, 0x0006);
    r.cfgWrite(BUS1, 0x48, 2, 0x2020);
  };
  place();
  const read = (name: NicRegister) => r.register(BASE + NIC_REGISTERS[name].at);
  const write = (name: NicRegister, value: number) => r.store(BASE + NIC_REGISTERS[name].at, value);
  /** Fills `count` receive descriptors and rings the bell. */
  const postReceive = (count: number, size = 16) => {
    for (let i = 0; i < size; i++) {
      r.setMemory32(RX_RING + 16 * i, BUFFERS + i * BUFFER_BYTES);
      r.setMemory32(RX_RING + 16 * i + 8, BUFFER_BYTES);
    }
    write('RX_RING_LO', RX_RING);
    write('RX_RING_SIZE', size);
    write('RX_TAIL', count);
  };
  const postSend = (index: number, bytes: Uint8Array) => {
    const buffer = 0x8_0000 + index * BUFFER_BYTES;
    r.memory.set(bytes, buffer);
    r.setMemory32(TX_RING + 16 * index, buffer);
    r.setMemory32(TX_RING + 16 * index + 8, bytes.length);
    r.setMemory32(TX_RING + 16 * index + 12, 0);
    write('TX_RING_LO', TX_RING);
    write('TX_RING_SIZE', 8);
    write('TX_TAIL', index + 1);
  };
  const enableMsi = () => {
    r.cfgWrite(BUS1, 0x84, 4, MSI);
    r.cfgWrite(BUS1, 0x8c, 2, 0x0123);
    r.cfgWrite(BUS1, 0x82, 2, 0x0001);
  };
  const msis = () => r.writes.filter((tlp) => tlp.addressLo === MSI);
  return { r, nic, read, write, postReceive, postSend, enableMsi, msis, place };
}

describe('the card receives', () => {
  it('frames into posted buffers, with length and status written back', () => {
    const { r, read, write, postReceive } = bench();
    postReceive(4);
    write('CONTROL', NIC_CONTROL.RECEIVE);
    r.run(350_000);
    expect(read('RX_FRAMES')).toBe(3);
    expect(read('RX_HEAD')).toBe(3);
    for (let i = 0; i < 3; i++) {
      const length = r.memory32(RX_RING + 16 * i + 8);
      expect(length).toBeGreaterThanOrEqual(60);
      expect(length).toBeLessThanOrEqual(1514);
      expect(r.memory32(RX_RING + 16 * i + 12)).toBe(1);
      const frame = r.memory.subarray(BUFFERS + i * BUFFER_BYTES, BUFFERS + i * BUFFER_BYTES + length);
      expect([...frame.subarray(0, 4)]).toEqual([i, 0, 0, 0]);
      expect(frame[length - 1]).toBe((i + length - 1) & 0xff);
    }
    expect(r.memory32(RX_RING + 16 * 3 + 12)).toBe(0);
  });

  it('writes data before status, and status before the interrupt', () => {
    const { r, write, postReceive, enableMsi } = bench();
    enableMsi();
    write('MASK', NIC_CAUSE.RECEIVED);
    postReceive(1);
    write('CONTROL', NIC_CONTROL.RECEIVE);
    r.run(150_000);
    const order = r.writes.map((tlp) => (tlp.addressLo === MSI ? 'msi' : tlp.addressLo < BUFFERS ? 'status' : 'data'));
    expect(order.at(-1)).toBe('msi');
    expect(order.at(-2)).toBe('status');
    expect(new Set(order.slice(0, -2))).toEqual(new Set(['data']));
  });

  it('the same frames in every run', () => {
    const lengths = () => {
      const { r, write, postReceive } = bench();
      postReceive(8);
      write('CONTROL', NIC_CONTROL.RECEIVE);
      r.run(900_000);
      return Array.from({ length: 8 }, (_, i) => r.memory32(RX_RING + 16 * i + 8));
    };
    expect(lengths()).toEqual(lengths());
    expect(new Set(lengths()).size).toBeGreaterThan(4);
    expect(Math.max(...lengths())).toBeGreaterThan(200);
  });

  it('round and round the ring as the driver returns descriptors', () => {
    const { r, read, write, postReceive } = bench({ framePeriodNs: 20_000 });
    postReceive(3, 4);
    write('CONTROL', NIC_CONTROL.RECEIVE);
    for (let i = 0; i < 8; i++) {
      r.run(20_000);
      write('RX_TAIL', (read('RX_HEAD') + 3) % 4);
    }
    expect(read('RX_FRAMES')).toBeGreaterThanOrEqual(7);
    expect(read('RX_DROPPED')).toBe(0);
  });

  it('nothing without descriptors: it counts what it dropped', () => {
    const { r, read, write } = bench();
    write('CONTROL', NIC_CONTROL.RECEIVE);
    r.run(250_000);
    expect(read('RX_DROPPED')).toBe(2);
    expect(read('CAUSE')).toBe(NIC_CAUSE.OVERRUN);
    expect(r.writes).toHaveLength(0);
  });

  it('nothing after receiving was turned off, and a burst only as far as its buffer goes', () => {
    const { r, nic, read, write, postReceive } = bench();
    write('CONTROL', NIC_CONTROL.RECEIVE);
    r.run(10_000);
    write('CONTROL', 0);
    r.run(300_000);
    nic.deliverFrame(new Uint8Array(60));
    expect(read('RX_DROPPED')).toBe(0);
    postReceive(30, 32);
    write('CONTROL', NIC_CONTROL.RECEIVE);
    r.run(1000);
    for (let i = 0; i < 20; i++) nic.deliverFrame(new Uint8Array(60));
    r.run(80_000);
    expect(read('RX_FRAMES')).toBe(16);
    expect(read('RX_DROPPED')).toBe(4);
  });

  it('no more of a frame than the buffer holds', () => {
    const { r, nic, write, postReceive } = bench();
    postReceive(2);
    r.setMemory32(RX_RING + 8, 100);
    write('CONTROL', NIC_CONTROL.RECEIVE);
    r.run(1000);
    nic.deliverFrame(new Uint8Array(500).fill(7));
    r.run(10_000);
    expect(r.memory32(RX_RING + 8)).toBe(100);
    expect(r.memory[BUFFERS + 99]).toBe(7);
    expect(r.memory[BUFFERS + 100]).toBe(0);
  });
});

describe('the card sends', () => {
  it('what lies in the buffers, in order, and says so', () => {
    const { r, nic, read, write, postSend } = bench();
    const sent: Uint8Array[] = [];
    nic.onSend((frame) => sent.push(frame));
    write('CONTROL', NIC_CONTROL.TRANSMIT);
    const frames = [1, 2, 3].map((k) => Uint8Array.from({ length: 700 * k }, (_, i) => i * k));
    for (const [i, frame] of frames.entries()) postSend(i, frame);
    r.run(20_000);
    expect(sent.map((frame) => [...frame])).toEqual(frames.map((frame) => [...frame]));
    expect([read('TX_FRAMES'), read('TX_HEAD'), read('CAUSE')]).toEqual([3, 3, NIC_CAUSE.SENT]);
    expect(r.memory32(TX_RING + 16 * 2 + 12)).toBe(1);
  });

  it('only once transmitting is on', () => {
    const { r, read, write, postSend } = bench();
    postSend(0, new Uint8Array(64));
    r.run(20_000);
    expect(read('TX_FRAMES')).toBe(0);
    write('CONTROL', NIC_CONTROL.TRANSMIT);
    r.run(20_000);
    expect(read('TX_FRAMES')).toBe(1);
  });

  it('nothing while the tail lies outside the ring', () => {
    const { r, write, read } = bench();
    write('TX_RING_SIZE', 4);
    write('TX_TAIL', 9);
    write('CONTROL', NIC_CONTROL.TRANSMIT);
    r.run(20_000);
    expect(read('TX_HEAD')).toBe(0);
    expect(r.reads).toHaveLength(0);
  });
});

describe('a failed DMA', () => {
  it.each([
    ['read that gets no answer', (b: ReturnType<typeof bench>) => (b.r.answersReads = false)],
    ['read without bus master', (b: ReturnType<typeof bench>) => b.r.cfgWrite(BUS1, 0x04, 2, 0x0002)],
  ])('%s halts the ring until the driver resets the card', (_what, breakIt) => {
    const b = bench();
    b.postReceive(4);
    b.write('CONTROL', NIC_CONTROL.RECEIVE);
    b.r.run(1000);
    breakIt(b);
    b.r.run(52e6);
    expect(b.read('STATUS')).toBe(NIC_STATUS.LINK_UP | NIC_STATUS.RECEIVE_HALTED);
    expect(b.read('DMA_ERRORS')).toBe(1);
    expect(b.read('CAUSE') & NIC_CAUSE.DMA_ERROR).toBe(NIC_CAUSE.DMA_ERROR);
    b.r.answersReads = true;
    b.r.cfgWrite(BUS1, 0x04, 2, 0x0006);
    b.r.run(1e6);
    expect(b.read('RX_FRAMES')).toBe(0);
    b.write('CONTROL', NIC_CONTROL.RESET);
    b.postReceive(4);
    b.write('CONTROL', NIC_CONTROL.RECEIVE);
    b.r.run(250_000);
    expect(b.read('RX_FRAMES')).toBe(2);
  });

  it('an absurd descriptor halts sending', () => {
    const { r, read, write, postSend } = bench();
    write('CONTROL', NIC_CONTROL.TRANSMIT);
    postSend(0, new Uint8Array(0));
    r.run(20_000);
    expect(read('STATUS')).toBe(NIC_STATUS.LINK_UP | NIC_STATUS.TRANSMIT_HALTED);
  });

  it('answers to a card that was reset meanwhile change nothing', () => {
    const { r, read, write, postSend } = bench();
    write('CONTROL', NIC_CONTROL.TRANSMIT);
    postSend(0, new Uint8Array(1500));
    r.run(600);
    write('CONTROL', NIC_CONTROL.RESET);
    r.run(20_000);
    expect([read('TX_FRAMES'), read('TX_HEAD'), read('CONTROL')]).toEqual([0, 0, 0]);
  });
});

describe('interrupts', () => {
  it('are one MSI write of 4 bytes per event, masked causes silent', () => {
    const { r, write, postReceive, enableMsi, msis } = bench();
    enableMsi();
    postReceive(8);
    write('CONTROL', NIC_CONTROL.RECEIVE);
    r.run(150_000);
    expect(msis()).toHaveLength(0);
    write('MASK', NIC_CAUSE.RECEIVED);
    r.run(10_000);
    expect(msis()).toHaveLength(1);
    r.run(200_000);
    expect(msis()).toHaveLength(3);
    expect([...msis()[0]!.data!]).toEqual([0x23, 0x01, 0, 0]);
    expect(r.messages).toEqual([]);
  });

  it('are INTx messages while MSI is off: up with the first cause, down when the driver clears it', () => {
    const { r, write, postReceive } = bench();
    write('MASK', NIC_CAUSE.RECEIVED);
    postReceive(8);
    write('CONTROL', NIC_CONTROL.RECEIVE);
    r.run(350_000);
    expect(r.messages).toEqual([MessageCode.ASSERT_INTA]);
    expect(r.config(BUS1, 0x06, 2) & 0x0008).toBe(0x0008);
    write('CAUSE', NIC_CAUSE.RECEIVED);
    r.run(10_000);
    expect(r.messages).toEqual([MessageCode.ASSERT_INTA, MessageCode.DEASSERT_INTA]);
    expect(r.config(BUS1, 0x06, 2) & 0x0008).toBe(0);
  });

  it('stay off the pin while INTx is disabled, and go up when it is enabled again', () => {
    const { r, write, postReceive } = bench();
    r.cfgWrite(BUS1, 0x04, 2, 0x0406);
    write('MASK', NIC_CAUSE.RECEIVED);
    postReceive(8);
    write('CONTROL', NIC_CONTROL.RECEIVE);
    r.run(150_000);
    expect(r.messages).toEqual([]);
    r.cfgWrite(BUS1, 0x04, 2, 0x0006);
    r.run(10_000);
    expect(r.messages).toEqual([MessageCode.ASSERT_INTA]);
  });

  it('by MSI need bus master', () => {
    const { r, nic, enableMsi, msis } = bench();
    enableMsi();
    r.cfgWrite(BUS1, 0x04, 2, 0x0002);
    nic.interrupts.raise(0);
    r.run(10_000);
    expect(msis()).toHaveLength(0);
  });
});

describe('register access', () => {
  it('takes 1, 2, 4 and 8 bytes, aligned, and aborts the rest', () => {
    const { r, read, write } = bench();
    expect(read('ID')).toBe(NIC_ID);
    write('SCRATCH', 0x1122_3344);
    expect(r.register(BASE + 0x10, 1)).toBe(0x44);
    expect(r.register(BASE + 0x12, 2)).toBe(0x1122);
    expect(r.register(BASE + 0x10, 8)).toBe(NIC_ID * 2 ** 32 + 0x1122_3344);
    r.store(BASE + 0x11, 0xaa, 1);
    expect(read('SCRATCH')).toBe(0x1122_aa44);
    expect(r.load(BASE + 0x10, 16)?.status).toBe('CA');
    r.store(BASE + 0x10, 0, 3);
    r.run(10_000);
    expect(read('SCRATCH')).toBe(0x1122_aa44);
    r.store(BASE + 0x2000, 1);
    expect(r.register(BASE + 0x2000)).toBe(0);
  });

  it('has storage in BAR2', () => {
    const { r } = bench();
    r.store(0x9000_0100, 0x55aa);
    expect(r.register(0x9000_0100)).toBe(0x55aa);
  });

  it('starts anew after a hot reset', () => {
    const { r, read, write, postReceive, place } = bench();
    postReceive(4);
    write('CONTROL', NIC_CONTROL.RECEIVE);
    r.run(150_000);
    r.link.setHotReset('asserted');
    r.link.setHotReset('released');
    r.run(300e6);
    place();
    expect([read('RX_FRAMES'), read('CONTROL'), read('RX_TAIL')]).toEqual([0, 0, 0]);
    r.run(300_000);
    expect(read('RX_FRAMES')).toBe(0);
  });

  it('shows power management and function level reset only if asked for', () => {
    const plain = bench();
    expect(plain.r.config(BUS1, 0x81, 1)).toBe(0);
    expect(plain.r.config(BUS1, 0x44) & 0x1000_0000).toBe(0);
    const full = bench({ powerManagement: 'present', functionLevelReset: 'present' });
    expect(full.r.config(BUS1, 0x81, 1)).toBe(0xa0);
    expect(full.r.config(BUS1, 0xa0, 1)).toBe(0x01);
    expect(full.r.config(BUS1, 0x44) & 0x1000_0000).not.toBe(0);
  });
});
