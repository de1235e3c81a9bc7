import { readFileSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { MAX_MMIO_BLOCK_BYTES } from '../../src/cosim/address-space.js';
import { CosimMachine, type CosimMachineOptions, DEFAULT_COSIM_MACHINE } from '../../src/cosim/cosim-machine.js';
import { THREAD_SERVER } from '../../src/cosim/interrupt-presenter.js';
import { QtestSession } from '../../src/cosim/qtest-protocol.js';
import { msbMask } from '../../src/hw/bits.js';
import { PHB_REGISTERS, type PhbRegisterName } from '../../src/ioda2/registers/phb.js';
import { Priority } from '../../src/sim/priority.js';
import { MAX_TIME_NS, ms } from '../../src/sim/time.js';
import { FORCE_INTERRUPT_2064, finish, OPEN_PHB0, PHB0, Scratch, settled, writePhb0 } from './support.js';

const ONES = 'OK 0xffffffffffffffff';
const VERSION = 'OK 0x000000a300000005';
const TRAIN_CTL = PHB_REGISTERS.get('PHB_PCIE_DLP_TRAIN_CTL').offset;
const RELEASE_RESETS = `writeq ${PHB0 + PHB_REGISTERS.get('PHB_RESET').offset} 0xf000000000000000`;
const REPLY = /^(OK|OK [!-~]*|FAIL [ -~]+|ERR [ -~]+)$/;

const scratch = new Scratch();
afterAll(() => scratch.remove());

function session(options?: CosimMachineOptions) {
  const machine = new CosimMachine(options);
  const unasked: string[] = [];
  const qtest = new QtestSession(machine, (line) => unasked.push(line));
  const ask = (line: string): string => settled(qtest.execute(line));
  const write = (name: PhbRegisterName, value: bigint): void => {
    expect(ask(writePhb0(name, value))).toBe('OK');
  };
  return { machine, unasked, qtest, ask, write };
}

/** PHB0 open, its resets released and its link up. */
function trained() {
  const all = session();
  all.ask(OPEN_PHB0);
  all.ask(RELEASE_RESETS);
  all.ask('clock_step 1000000000');
  return all;
}

describe("the machine on QEMU's map", () => {
  it('opens PHB0 through the XSCOM window', () => {
    const { ask, machine } = session();
    expect(ask('readq 0x3fffe40000800')).toBe(ONES);
    expect(ask(OPEN_PHB0)).toBe('OK');
    expect(ask('readq 0x3fffe40000800')).toBe(VERSION);
    expect(ask('readq 0x3fc0020120428')).toBe('OK 0xf800000000000000');
    expect(ask('readq 0x3fffe40100800')).toBe(ONES);
    expect(machine.clockNs).toBe(0);
  });

  it('has the PHBs it was asked for', () => {
    expect(session({ ...DEFAULT_COSIM_MACHINE, slots: ['empty'] }).machine.phbs).toHaveLength(1);
    for (const slots of [[], ['nic', 'nic', 'nic', 'nic']] as const) {
      expect(() => new CosimMachine({ ...DEFAULT_COSIM_MACHINE, slots })).toThrow('a chip has 1 to 3 PHBs');
    }
  });

  it('has memory that the two byte orders of the protocol see alike', () => {
    const { ask } = session();
    expect(ask('writeq 0x1000 0x1122334455667788')).toBe('OK');
    expect(ask('read 0x1000 8')).toBe('OK 0x1122334455667788');
    expect(ask('readl 0x1004')).toBe('OK 0x0000000055667788');
    expect(ask('readw 0x1003')).toBe('OK 0x0000000000004455');
    expect(ask('writel 0x1001 0xaabbccdd')).toBe('OK');
    expect(ask('readq 0x1000')).toBe('OK 0x11aabbccdd667788');
    expect(ask('memset 0x1000 3 0xee')).toBe('OK');
    expect(ask('b64read 0x1000 4')).toBe(`OK ${Buffer.from('eeeeeecc', 'hex').toString('base64')}`);
  });

  it('answers ones where nothing is, and past the end of memory', () => {
    const { ask } = session({ ...DEFAULT_COSIM_MACHINE, memory: { sizeBytes: 2 ** 16 } });
    expect(ask('readl 0x100000')).toBe('OK 0x00000000ffffffff');
    expect(ask('read 0xfffc 8')).toBe('OK 0x00000000ffffffff');
    expect(ask('write 0xfffc 8 0x0102030405060708')).toBe('OK');
    expect(ask('readl 0xfffc')).toBe('OK 0x0000000001020304');
    expect(ask('memset 0x100000 16 0')).toBe('OK');
  });

  it('reads and writes register pages as blocks, in pieces of what alignment allows', () => {
    const { ask } = session();
    ask(OPEN_PHB0);
    expect(ask('read 0x3fffe40000800 8')).toBe('OK 0x000000a300000005');
    expect(ask('readl 0x3fffe40000801')).toBe('OK 0x00000000ffffffff');
    const address = PHB0 + 0x168;
    const before = ask(`readq ${address}`);
    expect(ask(`write ${address} 8 0x8000000000100000`)).toBe('OK');
    expect(ask(`readq ${address}`)).toBe('OK 0x8000000000100000');
    expect(ask(`readq ${address}`)).not.toBe(before);
  });

  it('takes aligned 64-bit accesses only in the XSCOM window', () => {
    const { ask } = session();
    for (const line of [
      'readl 0x3fc0020120428',
      'readq 0x3fc0020120424',
      'writew 0x3fc0020120428 0',
      'read 0x3fc0020120428 4',
      'write 0x3fc0020120424 8 0x0011223344556677',
    ]) {
      expect(ask(line)).toMatch(/^ERR 0x3fc002012042[48] is in the XSCOM window/);
    }
    expect(ask('read 0x3fc0020120428 8')).toBe('OK 0x0000000000000000');
    expect(ask('write 0x3fc0020120428 8 0xf800000000000000')).toBe('OK');
    expect(ask('readq 0x3fffe40000800')).toBe(VERSION);
  });

  it('bounds a block of accesses that go one by one', () => {
    const { ask } = session();
    const tooMuch = MAX_MMIO_BLOCK_BYTES + 1;
    expect(ask(`read 0x3fffe40000000 ${tooMuch}`)).toMatch(/^ERR a block outside memory/);
    expect(ask(`memset 0x3fffe40000000 ${tooMuch} 0`)).toMatch(/^ERR a block outside memory/);
    expect(ask(`read ${Number.MAX_SAFE_INTEGER - 3} 8`)).toMatch(/^ERR the block reaches beyond the bus/);
  });

  it('answers more than a million accesses at one instant', () => {
    const { machine } = session();
    const accesses = 1_050_000;
    for (let i = 0; i < accesses; i++) machine.load(0, 8);
    expect(machine.sim.dispatchedEvents).toBeGreaterThanOrEqual(accesses);
    expect(machine.clockNs).toBe(0);
  });

  it('survives any sequence of commands on its registers, windows and memory', () => {
    const address = fc.oneof(
      fc.nat(0xfff).map((offset) => PHB0 + offset),
      fc.nat(0x7f).map((register) => 0x3_fc00_2012_0000 + 8 * register),
      fc.nat(0xffff),
      fc.constantFrom(0x3_ff80_0000_0000, 0x3_d000_0000_0000, 0x3_ffff_8000_0000, Number.MAX_SAFE_INTEGER),
    );
    const letter = fc.constantFrom('b', 'w', 'l', 'q');
    const value = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
    const line = fc.oneof(
      fc.tuple(letter, address).map(([size, at]) => `read${size} ${at}`),
      fc.tuple(letter, address, value).map(([size, at, word]) => `write${size} ${at} ${word}`),
      fc.tuple(address, fc.integer({ min: 1, max: 40 })).map(([at, size]) => `read ${at} ${size}`),
      fc.tuple(address, fc.integer({ min: 1, max: 40 })).map(([at, size]) => `memset ${at} ${size} 0x5a`),
      fc.nat(1_000_000).map((ns) => `clock_step ${ns}`),
    );
    fc.assert(
      fc.property(fc.array(line, { minLength: 20, maxLength: 60 }), (lines) => {
        const { ask } = session();
        ask(OPEN_PHB0);
        for (const text of lines) {
          const reply = ask(text);
          expect(reply).toMatch(REPLY);
          expect(reply).not.toMatch(/^FAIL/);
        }
      }),
      { seed: 5, numRuns: 40 },
    );
  });
});

describe('virtual time', () => {
  it('lets the link train only as the clock is stepped', () => {
    const { machine, ask } = session();
    ask(OPEN_PHB0);
    ask(RELEASE_RESETS);
    const { link } = machine.phbs[0]!;
    for (let i = 0; i < 1000; i++) ask('readq 0x3fffe40000800');
    expect([machine.clockNs, link.isUp, link.electricalPresence]).toEqual([0, false, false]);
    const train = (): string => ask(`readq ${PHB0 + TRAIN_CTL}`);
    expect(train()).toBe('OK 0x0000020000000000');
    expect(ask('clock_step 110000000')).toBe('OK 110000000');
    expect(train()).toBe('OK 0x0000100000000000');
    expect(ask('clock_step 90000000')).toBe('OK 200000000');
    expect([train(), link.isUp]).toEqual(['OK 0x0000100000000000', false]);
    expect(ask('clock_set 300000000')).toBe('OK 300000000');
    expect([train(), link.isUp]).toEqual(['OK 0x0000150000000000', true]);
  });

  it('goes from event to event without an argument', () => {
    const { machine, ask } = session();
    ask(OPEN_PHB0);
    ask(RELEASE_RESETS);
    const times = new Set(['OK 0']);
    while (!machine.phbs[0]!.link.isUp) {
      const reply = ask('clock_step');
      expect(times.has(reply)).toBe(false);
      times.add(reply);
    }
    expect(times.size).toBeGreaterThan(3);
    while (machine.sim.pendingEvents > 0) ask('clock_step');
    expect(ask('clock_step')).toBe(`OK ${machine.clockNs}`);
  });

  it('never goes back and ends where its numbers end', () => {
    const { ask } = session();
    ask('clock_set 5000');
    expect(ask('clock_set 10')).toBe('OK 5000');
    expect(ask('clock_step -1')).toBe('OK 5000');
    expect(ask(`clock_step ${2n ** 60n}`)).toMatch(/^ERR the clock ends at/);
    expect(ask(`clock_set ${Math.floor(MAX_TIME_NS)}`)).toBe(`OK ${Math.floor(MAX_TIME_NS)}`);
  });

  it('passes as far as a configuration request to a device needs, and no further', () => {
    const { machine, ask, write } = trained();
    const data = PHB0 + PHB_REGISTERS.get('PHB_CONFIG_DATA').offset;
    const ROOT_PORT_BUSES = msbMask(0) | (0x18n << 32n);
    write('PHB_CONFIG_ADDRESS', ROOT_PORT_BUSES);
    expect(ask(`writel ${data} 0x0001ff00`)).toBe('OK');
    write('PHB_CONFIG_ADDRESS', msbMask(0) | (0x100n << 44n));
    const before = machine.clockNs;
    expect(ask(`readl ${data}`)).toBe('OK 0x000000003412e811');
    expect(machine.clockNs - before).toBeGreaterThan(500);
    expect(machine.clockNs - before).toBeLessThan(5000);
  });

  it('is the same for the same commands', () => {
    const run = (): string => {
      const { machine, ask } = trained();
      for (let register = 0; register < 0x1000; register += 8) ask(`readq ${PHB0 + register}`);
      ask('clock_step 123456');
      return machine.sim.digest();
    };
    expect(run()).toBe(run());
  });

  it('is cut into slices when much happens, and says so when it cannot move', () => {
    const { machine } = session();
    const ticker = machine.sim.handler('ticker', () => machine.sim.schedule(10, Priority.DEVICE, ticker));
    machine.sim.schedule(10, Priority.DEVICE, ticker);
    let slices = 0;
    for (const work = machine.advanceTo(ms(1)); work.next().done !== true; ) slices++;
    expect(slices).toBeGreaterThanOrEqual(10);
    expect(machine.clockNs).toBe(ms(1));
    const circle = machine.sim.handler('circle', () => machine.sim.schedule(0, Priority.DEVICE, circle));
    machine.sim.schedule(0, Priority.DEVICE, circle);
    expect(() => finish(machine.advanceTo(ms(2)))).toThrow('the clock does not get past it');
  });

  it('passes by itself when more waits for it than a buffer would hold', () => {
    const { machine } = session();
    const nothing = machine.sim.handler('nothing', () => {});
    for (let i = 0; i < 4096; i++) machine.sim.schedule(1 + i, Priority.DEVICE, nothing);
    machine.load(0, 8);
    const held = machine.sim.pendingEvents;
    expect(held).toBeGreaterThan(2048);
    for (let i = 0; i < 10; i++) machine.sim.schedule(5000, Priority.DEVICE, nothing);
    for (const access of [
      () => machine.store(0, 8, 0n),
      () => machine.readBlock(0, 8),
      () => machine.writeBlock(0, new Uint8Array(8)),
      () => machine.fill(0, 8, 0),
    ]) {
      for (let i = 0; i < 4100; i++) machine.sim.schedule(1e6 + i, Priority.DEVICE, nothing);
      access();
      expect(machine.sim.pendingEvents).toBeLessThanOrEqual(2048);
    }
  });
});

describe('interrupts at the presentation', () => {
  it('are one pulse for a message and a change for a level, while somebody listens', () => {
    const { machine, unasked, qtest, ask } = session();
    const { interrupts } = machine;
    expect(ask('irq_intercept_in /machine/interrupts')).toBe('OK');
    expect(interrupts.present(6, THREAD_SERVER, 5)).toBe(true);
    expect(interrupts.present(6, THREAD_SERVER, 5)).toBe(true);
    expect(interrupts.present(7, THREAD_SERVER, 0xff)).toBe(false);
    interrupts.setLevel(8, THREAD_SERVER, 5, 'asserted');
    interrupts.setLevel(8, THREAD_SERVER, 6, 'asserted');
    interrupts.setLevel(8, THREAD_SERVER, 0xff, 'asserted');
    interrupts.setLevel(8, THREAD_SERVER, 5, 'asserted');
    interrupts.setLevel(8, THREAD_SERVER, 5, 'released');
    interrupts.signal(9, THREAD_SERVER, 5);
    const pulse = ['IRQ raise 6', 'IRQ lower 6'];
    const level = ['IRQ raise 8', 'IRQ lower 8'];
    expect(unasked).toEqual([...pulse, ...pulse, ...level, ...level, 'IRQ raise 9', 'IRQ lower 9']);
    qtest.close();
    expect(interrupts.present(10, THREAD_SERVER, 5)).toBe(false);
    expect(unasked).toHaveLength(10);
  });

  it('come from a chip once firmware has routed them', () => {
    const { unasked, ask } = session();
    ask('irq_intercept_in interrupts');
    for (const command of FORCE_INTERRUPT_2064) expect(ask(command)).toMatch(/^OK/);
    expect(unasked).toEqual(['IRQ raise 2064', 'IRQ lower 2064']);
  });
});

describe('shared memory', () => {
  it('is a file that both sides see at once', () => {
    const file = scratch.path('ram');
    const { machine, ask } = session({ slots: ['empty'], memory: { file, baseAddress: 0x10000, sizeBytes: 0x20000 } });
    expect(ask('writeq 0x10008 0x0123456789abcdef')).toBe('OK');
    expect(readFileSync(file).subarray(8, 16).toString('hex')).toBe('0123456789abcdef');
    writeFileSync(file, Buffer.alloc(0x20000, 0x77));
    expect(ask('readl 0x1fffc')).toBe('OK 0x0000000077777777');
    expect(ask('readb 0')).toBe('OK 0x00000000000000ff');
    machine.close();
    expect(ask('readl 0x1fffc')).toMatch(/^FAIL memory file .* is already closed/);
  });
});
