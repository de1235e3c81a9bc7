import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EDU_TIMING, Edu, type EduOptions } from '../../src/pcie/edu.js';
import { EDU_DMA_REFUSED } from '../../src/pcie/edu-dma.js';
import {
  EDU_BUFFER_AT,
  EDU_BUFFER_BYTES,
  EDU_COMMAND,
  EDU_IDENTIFICATION,
  EDU_INTERRUPT,
  EDU_REGISTERS,
  EDU_STATUS,
  type EduRegister,
} from '../../src/pcie/edu-registers.js';
import { MessageCode } from '../../src/pcie/tlp.js';
import { BUS1, Rig } from './rig.js';

const BASE = 0x8000_0000;
const MSI = 0xffff_0000;
const DELAY_NS = EDU_TIMING.dmaDelayNs.value;
const ONES = 0xffff_ffff;
const { START, TO_HOST, INTERRUPT } = EDU_COMMAND;

function bench(options: EduOptions = {}) {
  const r = new Rig();
  const edu = new Edu(r.sim, 'edu', options);
  edu.plugInto(r.link);
  r.powerOn();
  const place = () => {
    r.cfgWrite(BUS1, 0x10, 4, BASE);
    r.cfgWrite(BUS1, 0x04, 2, 0x0006);
  };
  place();
  const at = (name: EduRegister) => BASE + EDU_REGISTERS[name].at;
  const read = (name: EduRegister, size = 4) => r.register(at(name), size);
  const write = (name: EduRegister, value: number, size = 4) => r.store(at(name), value, size);
  const enableMsi = () => {
    r.cfgWrite(BUS1, 0x44, 4, MSI);
    r.cfgWrite(BUS1, 0x4c, 2, 0x0123);
    r.cfgWrite(BUS1, 0x42, 2, 0x0001);
  };
  const msis = () => r.writes.filter((tlp) => tlp.addressLo === MSI).length;
  /** Programs a transfer and lets the device begin; the caller waits. */
  const command = (from: number, to: number, count: number, bits: number = START) => {
    write('DMA_SOURCE', from, 8);
    write('DMA_DESTINATION', to, 8);
    write('DMA_COUNT', count, 8);
    write('DMA_COMMAND', bits, 8);
  };
  const transfer = (from: number, to: number, count: number, bits: number = START) => {
    command(from, to, count, bits);
    r.run(DELAY_NS + 1e6);
  };
  return { r, edu, place, at, read, write, enableMsi, msis, command, transfer };
}

const bytes = (length: number, first = 0) => Uint8Array.from({ length }, (_, i) => first + 7 * i);

describe('the registers', () => {
  it('say what the device is, and that it lives', () => {
    const { read, write } = bench();
    expect(read('IDENTIFICATION')).toBe(EDU_IDENTIFICATION);
    write('LIVENESS', 0x1234_5678);
    expect(read('LIVENESS')).toBe(0xedcb_a987);
    write('IDENTIFICATION', 0);
    expect(read('IDENTIFICATION')).toBe(EDU_IDENTIFICATION);
  });

  it('stand in the processor order where the machine has it so', () => {
    const { r, write, at } = bench({ byteOrder: 'big' });
    expect(Array.from(r.load(BASE)!.data!)).toEqual([0x01, 0x00, 0x00, 0xed]);
    write('DMA_SOURCE', 0x0807_0605_0403, 8);
    expect(Array.from(r.load(at('DMA_SOURCE'), 8)!.data!)).toEqual([3, 4, 5, 6, 7, 8, 0, 0]);
    expect(Array.from(r.load(at('DMA_SOURCE'))!.data!)).toEqual([7, 8, 0, 0]);
    write('LIVENESS', 0x1122_3344);
    expect(r.register(at('LIVENESS'))).toBe(0xeedd_ccbb);
  });

  it('take 4 bytes in their first part and 4 or 8 in the second', () => {
    const { r, read, write, at } = bench();
    expect(r.register(BASE, 8)).toBe(2 ** 64);
    write('LIVENESS', 5);
    write('LIVENESS', 9, 8);
    expect(read('LIVENESS')).toBe(~5 >>> 0);
    write('DMA_COUNT', 0x1_2345_6789, 8);
    expect([read('DMA_COUNT', 8), read('DMA_COUNT')]).toEqual([0x1_2345_6789, 0x2345_6789]);
    write('DMA_COUNT', 0x77);
    expect(read('DMA_COUNT', 8)).toBe(0x77);
    r.store(at('DMA_COUNT') + 4, 1);
    expect([read('DMA_COUNT', 8), r.register(at('DMA_COUNT') + 4)]).toEqual([0x77, ONES]);
  });

  it('read ones and ignore writes where there is none', () => {
    const { r, read } = bench();
    for (const offset of [0x0c, 0x7c, 0xa0, 0x4_0000, 0xf_fffc]) {
      r.store(BASE + offset, 1);
      expect(r.register(BASE + offset)).toBe(ONES);
    }
    expect([read('INTERRUPT_RAISE'), read('INTERRUPT_ACKNOWLEDGE')]).toEqual([ONES, ONES]);
    expect(r.messages).toEqual([]);
  });

  it.each([
    [0x00, 1],
    [0x00, 2],
    [0x80, 2],
    [0x02, 4],
    [0x84, 8],
    [0x80, 16],
  ])('abort an access at 0x%s of %i bytes', (offset, size) => {
    const { r, edu } = bench();
    expect(r.load(BASE + offset, size)?.status).toBe('CA');
    r.cfgWrite(BUS1, 0x04, 2, 0x0106);
    const before = r.messages.length;
    r.store(BASE + offset, 1, size);
    r.run(5000);
    expect(r.messages.slice(before)).toEqual([MessageCode.ERR_NONFATAL]);
    expect(edu.config.has('STATUS', 'SENT_SERR')).toBe(true);
  });
});

describe('the factorial', () => {
  it.each([
    [0, 1],
    [1, 1],
    [5, 120],
    [12, 479_001_600],
    [13, 1_932_053_504],
    [33, 0x8000_0000],
    [34, 0],
    [1000, 0],
  ])('of %i is %i in 32 bits', (operand, product) => {
    const { r, read, write } = bench();
    write('FACTORIAL', operand);
    r.run(100_000);
    expect([read('FACTORIAL'), read('STATUS')]).toEqual([product, 0]);
  });

  it('takes its time, and no other operand meanwhile', () => {
    const { r, read, write } = bench();
    write('FACTORIAL', 5_000_000);
    r.run(1000);
    write('FACTORIAL', 3);
    expect([read('STATUS'), read('FACTORIAL')]).toEqual([EDU_STATUS.COMPUTING, 5_000_000]);
    r.run(4_900_000);
    expect(read('STATUS')).toBe(EDU_STATUS.COMPUTING);
    r.run(200_000);
    expect([read('STATUS'), read('FACTORIAL')]).toEqual([0, 0]);
  });

  it('interrupts when it is done, if asked to', () => {
    const { r, read, write } = bench();
    write('FACTORIAL', 3);
    r.run(10_000);
    expect(r.messages).toEqual([]);
    write('STATUS', ONES);
    expect(read('STATUS')).toBe(EDU_STATUS.INTERRUPT);
    write('FACTORIAL', 4);
    r.run(10_000);
    expect(read('INTERRUPT_STATUS')).toBe(EDU_INTERRUPT.FACTORIAL);
    expect(r.messages).toEqual([MessageCode.ASSERT_INTA]);
    write('STATUS', 0);
    expect(read('STATUS')).toBe(0);
  });
});

describe('interrupts', () => {
  it('hold the pin until all of them are acknowledged', () => {
    const { r, read, write } = bench();
    write('INTERRUPT_RAISE', 0x8000_0003);
    expect(read('INTERRUPT_STATUS')).toBe(0x8000_0003);
    write('INTERRUPT_ACKNOWLEDGE', 0x8000_0001);
    r.run(1000);
    expect(r.messages).toEqual([MessageCode.ASSERT_INTA]);
    write('INTERRUPT_ACKNOWLEDGE', 0xff);
    r.run(1000);
    expect(r.messages).toEqual([MessageCode.ASSERT_INTA, MessageCode.DEASSERT_INTA]);
    expect(read('INTERRUPT_STATUS')).toBe(0);
  });

  it('go out as one message write each, also while one stands', () => {
    const { r, write, enableMsi, msis } = bench();
    enableMsi();
    write('INTERRUPT_RAISE', 0);
    r.run(1000);
    expect(msis()).toBe(0);
    write('INTERRUPT_RAISE', 1);
    write('INTERRUPT_RAISE', 1);
    write('INTERRUPT_RAISE', 0);
    r.run(1000);
    expect(msis()).toBe(3);
    expect(r.messages).toEqual([]);
    expect(Array.from(r.writes[0]!.data!)).toEqual([0x23, 0x01, 0, 0]);
  });
});

describe('DMA', () => {
  it('brings bytes from host memory to the buffer and back, 100 ms after the command', () => {
    const { r, edu, read, transfer, command } = bench();
    r.memory.set(bytes(1000, 3), 0x1234);
    command(0x1234, EDU_BUFFER_AT + 8, 1000);
    r.run(DELAY_NS - 10_000);
    expect(r.reads).toEqual([]);
    expect(read('DMA_COMMAND', 8)).toBe(START);
    r.run(1e6);
    expect(read('DMA_COMMAND', 8)).toBe(0);
    expect(edu.lastTransfer).toEqual({
      ...{ direction: 'from-host', address: { hi: 0, lo: 0x1234 }, lengthBytes: 1000, status: 'SC' },
    });
    transfer(EDU_BUFFER_AT + 8, 0x8_0001, 1000, START | TO_HOST);
    expect(r.memory.slice(0x8_0001, 0x8_0001 + 1000)).toEqual(bytes(1000, 3));
    expect(edu.lastTransfer?.status).toBe('posted');
  });

  it('reads in requests of 128 bytes and writes no larger packets: the device has no PCI Express capability', () => {
    const { r, transfer } = bench();
    transfer(0x1000, EDU_BUFFER_AT, 512);
    transfer(EDU_BUFFER_AT, 0x2000, 512, START | TO_HOST);
    expect(r.reads.map((tlp) => tlp.lengthBytes)).toEqual([128, 128, 128, 128]);
    expect(r.writes.map((tlp) => tlp.lengthBytes)).toEqual([128, 128, 128, 128]);
  });

  it('takes no other command, and no parameters, while one runs; nor a command without start', () => {
    const { r, edu, read, write, command, msis, enableMsi } = bench();
    enableMsi();
    write('DMA_COMMAND', TO_HOST | INTERRUPT, 8);
    expect(read('DMA_COMMAND', 8)).toBe(0);
    command(0x1000, EDU_BUFFER_AT, 16);
    command(0x2000, EDU_BUFFER_AT + 16, 32, START | TO_HOST | INTERRUPT);
    expect([read('DMA_SOURCE', 8), read('DMA_COUNT', 8), read('DMA_COMMAND', 8)]).toEqual([0x1000, 16, START]);
    r.run(3 * DELAY_NS);
    expect([edu.lastTransfer?.direction, r.reads.length, msis()]).toEqual(['from-host', 1, 0]);
  });

  it('interrupts behind its data', () => {
    const { r, read, enableMsi, transfer } = bench();
    enableMsi();
    transfer(EDU_BUFFER_AT, 0x2000, 16, START | TO_HOST | INTERRUPT);
    expect(r.writes.map((tlp) => tlp.addressLo)).toEqual([0x2000, MSI]);
    expect(read('INTERRUPT_STATUS')).toBe(EDU_INTERRUPT.DMA);
    expect(read('DMA_COMMAND', 8)).toBe(TO_HOST | INTERRUPT);
  });

  it('has 28 address bits unless told otherwise', () => {
    const narrow = bench();
    narrow.transfer(0x1_2000_0000 + 0x3000, EDU_BUFFER_AT, 16);
    expect(narrow.r.reads[0]).toMatchObject({ addressHi: 0, addressLo: 0x3000 });
    const wide = bench({ dmaMask: 0xffff_ffff_ffff_ffffn });
    wide.transfer(2 ** 59 + 0x3000, EDU_BUFFER_AT, 16);
    wide.transfer(EDU_BUFFER_AT, 2 ** 59 + 0x3000, 16, START | TO_HOST);
    expect(wide.r.reads[0]).toMatchObject({ addressHi: 0x0800_0000, addressLo: 0x3000 });
    expect(wide.r.writes[0]).toMatchObject({ addressHi: 0x0800_0000, addressLo: 0x3000 });
  });

  it.each([
    ['before the buffer', EDU_BUFFER_AT - 1, 1],
    ['past its end', EDU_BUFFER_AT + EDU_BUFFER_BYTES - 15, 16],
    ['more than it', EDU_BUFFER_AT, EDU_BUFFER_BYTES + 1],
    ['beyond 4 GiB', 2 ** 32 + EDU_BUFFER_AT, 16],
    ['more than 4 GiB', EDU_BUFFER_AT, 2 ** 32 + 16],
  ])('refuses what lies %s, and ends the command', (_what, inBuffer, count) => {
    for (const direction of [0, TO_HOST]) {
      const { r, edu, read, transfer } = bench();
      const refused: number[][] = [];
      r.sim.trace.subscribe((record) => refused.push([...record.values]), [EDU_DMA_REFUSED]);
      transfer(direction ? inBuffer : 0x1000, direction ? 0x1000 : inBuffer, count, START | INTERRUPT | direction);
      expect([r.reads, r.writes]).toEqual([[], []]);
      expect(edu.lastTransfer?.status).toBe('outside-buffer');
      expect(refused.map((values) => values.slice(0, 4))).toEqual([
        [Math.floor(inBuffer / 2 ** 32), inBuffer % 2 ** 32, Math.floor(count / 2 ** 32), count % 2 ** 32],
      ]);
      expect(read('DMA_COMMAND', 8)).toBe(INTERRUPT | direction);
      expect(read('INTERRUPT_STATUS')).toBe(EDU_INTERRUPT.DMA);
    }
  });

  it('reaches the last byte of the buffer, and does nothing for no bytes', () => {
    const { r, edu, transfer } = bench();
    r.memory.fill(0x5a, 0x1000, 0x2000);
    transfer(0x1000, EDU_BUFFER_AT, EDU_BUFFER_BYTES);
    expect(edu.peekBuffer()).toEqual(new Uint8Array(EDU_BUFFER_BYTES).fill(0x5a));
    r.reads.length = 0;
    transfer(0x1000, EDU_BUFFER_AT + EDU_BUFFER_BYTES, 0);
    expect([r.reads, edu.lastTransfer?.status]).toEqual([[], 'SC']);
    transfer(EDU_BUFFER_AT, 0x1000, 0, START | TO_HOST);
    expect([r.writes, edu.lastTransfer?.status]).toEqual([[], 'posted']);
  });

  it('leaves zeros where a read fails, keeps why, and still ends the command', () => {
    const { r, edu, read, transfer } = bench();
    r.memory.fill(0x5a, 0x1000, 0x1100);
    transfer(0x1000, EDU_BUFFER_AT, 64);
    r.answersReads = false;
    transfer(0x1000, EDU_BUFFER_AT + 8, 16, START | INTERRUPT);
    expect([read('DMA_COMMAND', 8), read('INTERRUPT_STATUS')]).toEqual([START | INTERRUPT, 0]);
    r.run(60e6);
    expect([edu.lastTransfer?.status, read('INTERRUPT_STATUS')]).toEqual(['timeout', EDU_INTERRUPT.DMA]);
    const expected = new Uint8Array(64).fill(0x5a).fill(0, 8, 24);
    expect(edu.peekBuffer().slice(0, 64)).toEqual(expected);
  });

  it('gets nothing out while the bus master bit is clear', () => {
    const { r, edu, transfer } = bench();
    r.cfgWrite(BUS1, 0x04, 2, 0x0002);
    transfer(0x1000, EDU_BUFFER_AT, 16);
    expect(edu.lastTransfer?.status).toBe('not-master');
    transfer(EDU_BUFFER_AT, 0x1000, 16, START | TO_HOST);
    expect(edu.lastTransfer?.status).toBe('not-master');
    expect([r.reads, r.writes]).toEqual([[], []]);
  });

  it('returns any bytes from any place of the buffer as they came', () => {
    const { r, transfer } = bench();
    const range = fc
      .tuple(fc.nat(EDU_BUFFER_BYTES), fc.nat(EDU_BUFFER_BYTES))
      .map(([a, b]) => ({ offset: Math.min(a, b), count: Math.abs(a - b) }));
    fc.assert(
      fc.property(range, fc.nat(0xfff), fc.nat(0xffff), ({ offset, count }, from, to) => {
        r.memory.set(bytes(count, from), 0x1_0000 + from);
        r.memory.fill(0xee, 0x8_0000 + to - 1, 0x8_0000 + to + count + 1);
        transfer(0x1_0000 + from, EDU_BUFFER_AT + offset, count);
        transfer(EDU_BUFFER_AT + offset, 0x8_0000 + to, count, START | TO_HOST);
        expect(r.memory.slice(0x8_0000 + to, 0x8_0000 + to + count)).toEqual(bytes(count, from));
        expect([r.memory[0x8_0000 + to - 1], r.memory[0x8_0000 + to + count]]).toEqual([0xee, 0xee]);
      }),
      { seed: 1, numRuns: 60 },
    );
  });
});

it('a reset makes it forget all, also what it was about to do', () => {
  const { r, edu, place, read, write, command } = bench();
  write('LIVENESS', 1);
  write('STATUS', EDU_STATUS.INTERRUPT);
  write('FACTORIAL', 1_000_000_000);
  write('INTERRUPT_RAISE', 2);
  command(0x1000, EDU_BUFFER_AT, 16);
  r.run(1000);
  r.link.setPerst('asserted');
  r.run(1e6);
  r.link.setPerst('deasserted');
  r.run(300e6);
  place();
  expect([read('LIVENESS'), read('STATUS'), read('FACTORIAL'), read('INTERRUPT_STATUS')]).toEqual([0, 0, 0, 0]);
  expect([read('DMA_COMMAND', 8), read('DMA_SOURCE', 8), read('DMA_DESTINATION', 8)]).toEqual([0, 0, 0]);
  r.run(2e9);
  expect([r.reads, edu.lastTransfer, read('INTERRUPT_STATUS')]).toEqual([[], undefined, 0]);
});

it('a reset amid a DMA read ends the read without an effect', () => {
  const { r, edu, place, read, command } = bench();
  r.answersReads = false;
  command(0x1000, EDU_BUFFER_AT, 16, START | INTERRUPT);
  r.run(DELAY_NS + 10_000);
  expect(r.reads).toHaveLength(1);
  r.link.setPerst('asserted');
  r.run(1e6);
  r.link.setPerst('deasserted');
  r.run(300e6);
  place();
  expect([edu.lastTransfer, read('DMA_COMMAND', 8), read('INTERRUPT_STATUS')]).toEqual([undefined, 0, 0]);
});

it('says nothing of a DMA read that a reset has ended, not even while its link is up', () => {
  const { r, edu, command } = bench();
  r.answersReads = false;
  command(0x1000, EDU_BUFFER_AT, 16, START | INTERRUPT);
  r.run(DELAY_NS + 10_000);
  edu.resetBy('hot');
  r.run(1e6);
  expect([r.messages, edu.lastTransfer]).toEqual([[], undefined]);
});
