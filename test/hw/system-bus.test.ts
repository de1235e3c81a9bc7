import { describe, expect, it } from 'vitest';
import { CpuPort } from '../../src/hw/cpu-port.js';
import { InterruptController } from '../../src/hw/interrupts.js';
import { SystemMemory } from '../../src/hw/memory.js';
import { SyncHost, UnansweredAccessError } from '../../src/hw/sync-host.js';
import {
  BUS_ABANDONED,
  BUS_TIMING,
  BUS_UNCLAIMED,
  MMIO_LOAD,
  SystemBus,
  TicketError,
} from '../../src/hw/system-bus.js';
import { delay, race } from '../../src/sim/process.js';
import { Simulator } from '../../src/sim/simulator.js';
import { CHIP_BASE, FakeChip } from './fake-chip.js';

type LegsNs = Partial<Record<keyof typeof BUS_TIMING, number>>;

function setUp(legsNs: LegsNs = {}) {
  const sim = new Simulator();
  const memory = new SystemMemory({ sizeBytes: 0x10000 });
  const bus = new SystemBus(sim, memory, timingOf(legsNs));
  const chip = new FakeChip(sim, bus);
  const cpu = new CpuPort('cpu0', bus, new InterruptController(sim));
  return { sim, memory, bus, chip, cpu, host: new SyncHost(bus) };
}

function timingOf(legsNs: LegsNs): typeof BUS_TIMING {
  const given = Object.entries(legsNs).map(([name, value]) => [name, { value, known: 'assumed', source: '' }]);
  return { ...BUS_TIMING, ...(Object.fromEntries(given) as Partial<typeof BUS_TIMING>) };
}

describe('a process at a processor port', () => {
  it('reaches the chip after the request leg and goes on when the answer is there', () => {
    const { sim, chip, cpu } = setUp();
    chip.answer = 'later';
    expect(sim.complete('firmware', cpu.load(CHIP_BASE + 0x210, 8))).toBe(0x1122_3344_5566_7788n);
    expect(chip.accesses).toEqual([[BUS_TIMING.mmioLoadNs.value, 'load', 0x210, 8]]);
    expect(cpu.now).toBe(BUS_TIMING.mmioLoadNs.value + 16_000);
  });

  it('gets a value that was answered at once, right-justified to the size asked', () => {
    const { sim, cpu } = setUp();
    expect(sim.complete('one byte', cpu.load(CHIP_BASE, 1))).toBe(0x88n);
    expect(sim.complete('two bytes', cpu.load(CHIP_BASE, 2))).toBe(0x7788n);
    expect(sim.complete('four bytes', cpu.load(CHIP_BASE, 4))).toBe(0x5566_7788n);
  });

  it('stores in program order, each with its own latency', () => {
    const { sim, chip, cpu } = setUp({ mmioStoreNs: 50, mmioLoadNs: 70, scomNs: 200.01 });
    sim.complete(
      'firmware',
      (function* () {
        yield* cpu.store(CHIP_BASE + 8, 4, 0x1_0000_0002n);
        yield* cpu.scomWrite(0x0201_2001, 0xffff_ffff_ffff_fff0n);
        yield* cpu.load(CHIP_BASE, 4);
        yield* cpu.scomRead(0x0201_2000);
      })(),
    );
    expect(chip.accesses).toEqual([
      [50, 'store', 8, 4, 2n],
      [250.125, 'scomWrite', 0x0201_2001, 0xffff_ffff_ffff_fff0n],
      [320.125, 'load', 0, 4],
      [520.25, 'scomRead', 0x0201_2000],
    ]);
  });

  it('reaches memory by bus and directly, and both see one memory', () => {
    const { sim, chip, cpu } = setUp();
    for (const size of [1, 2, 4, 8] as const) {
      sim.complete('store', cpu.store(0x100, size, 0x8877_6655_4433_2211n));
      expect(sim.complete('load', cpu.load(0x100, size))).toBe(BigInt.asUintN(8 * size, 0x8877_6655_4433_2211n));
    }
    expect(cpu.memory.read64(0x100)).toBe(0x8877_6655_4433_2211n);
    expect(cpu.now).toBe(8 * BUS_TIMING.memoryNs.value);
    expect(chip.accesses).toEqual([]);
  });

  it('that is cancelled leaves no wait behind, and the value that comes too late is in the trace', () => {
    const { sim, bus, chip, cpu } = setUp();
    chip.answer = 'later';
    const result = sim.complete('impatient', race(cpu.load(CHIP_BASE, 8), delay(5_000)));
    expect(result.index).toBe(1);
    sim.run();
    const record = sim.trace.tail(1)[0];
    expect(record?.kind).toBe(BUS_ABANDONED);
    expect(record?.toString()).toContain(`address=0003fffe40000000 size=8 value=1122334455667788`);
    expect(() => bus.isDone(chip.tickets[0]!)).toThrow(TicketError);
  });

  it('that is cancelled in the instant of the answer loses it, on record', () => {
    const { sim, chip, cpu } = setUp();
    chip.answer = 'later';
    const handle = sim.spawn('victim', cpu.load(CHIP_BASE, 8));
    sim.run({ when: () => sim.trace.tail(1)[0]?.kind === MMIO_LOAD });
    handle.cancel();
    sim.run();
    expect(handle.state).toBe('cancelled');
    expect(sim.trace.tail(1)[0]?.kind).toBe(BUS_ABANDONED);
  });

  it('that is cancelled during a store does not stop the store', () => {
    const { sim, chip, cpu } = setUp();
    sim.complete('impatient', race(cpu.store(CHIP_BASE, 8, 7n), delay(10)));
    sim.run();
    expect(chip.accesses).toEqual([[100, 'store', 0, 8, 7n]]);
    expect(sim.trace.tail(9).map((record) => record.kind)).not.toContain(BUS_ABANDONED);
  });
});

describe('an address nobody claims', () => {
  it.each([1, 2, 4, 8] as const)('answers all ones to a load of %i bytes, on record', (size) => {
    const { sim, host } = setUp();
    expect(host.load(0x5_0000_0000, size)).toBe((1n << BigInt(8 * size)) - 1n);
    const record = sim.trace.tail(2)[0];
    expect(record?.kind).toBe(BUS_UNCLAIMED);
    expect(record?.values).toEqual([5, 0, size, 0]);
  });

  it('swallows a store, and SCOM behaves alike, on record', () => {
    const { sim, chip, host } = setUp();
    host.store(CHIP_BASE + 0x1000, 8, 1n);
    expect(host.scomRead(0x0901_2000)).toBe(0xffff_ffff_ffff_ffffn);
    host.scomWrite(0x0901_2000, 1n);
    const records = sim.trace.tail(20).filter((record) => record.kind === BUS_UNCLAIMED);
    expect(records.map((record) => record.values[3])).toEqual([1, 2, 3]);
    expect(chip.accesses).toEqual([]);
  });

  it('begins where memory ends: an access across the end is not memory', () => {
    const { host } = setUp();
    expect(host.load(0xfffc, 4)).toBe(0n);
    expect(host.load(0xfffc, 8)).toBe(0xffff_ffff_ffff_ffffn);
  });
});

describe('a host outside virtual time', () => {
  it('runs the simulator to its answer and no further', () => {
    const { sim, chip, host } = setUp();
    chip.answer = 'later';
    let ran = false;
    const later = sim.handler('later', () => {
      ran = true;
    });
    sim.schedule(17_001, 1, later);
    expect(host.load(CHIP_BASE, 8)).toBe(0x1122_3344_5566_7788n);
    expect([sim.now, ran]).toEqual([17_000, false]);
    expect(host.scomRead(0x0201_2000)).toBe(0x1122_3344_5566_7788n);
    expect(ran).toBe(true);
  });

  it('says which access is unanswered when nothing is left to happen', () => {
    const { chip, host, bus } = setUp();
    chip.answer = 'never';
    expect(() => host.load(CHIP_BASE + 0x228, 8)).toThrow(UnansweredAccessError);
    expect(() => host.load(CHIP_BASE + 0x228, 8)).toThrow(
      /mmio-load of 8 bytes at 0x3fffe40000228 is unanswered .*nothing is left to happen/,
    );
    bus.complete(chip.tickets[0]!, 0n);
  });

  it('gives up after a span of virtual time when other things go on for ever', () => {
    const { sim, bus, chip } = setUp();
    chip.answer = 'never';
    const tick = sim.handler('tick', () => sim.schedule(1000, 1, tick));
    sim.schedule(0, 1, tick);
    expect(() => new SyncHost(bus, 50_000).load(CHIP_BASE, 8)).toThrow(/0\.050 000 ms have passed/);
    expect(sim.now).toBe(51_000);
  });
});

describe('a ticket', () => {
  it('keeps its value until it is taken, once', () => {
    const { sim, bus } = setUp();
    const first = bus.beginLoad(CHIP_BASE, 8);
    const second = bus.beginLoad(CHIP_BASE, 1);
    expect(() => bus.take(first)).toThrow(/has no value yet/);
    sim.run();
    expect(bus.isDone(first)).toBe(true);
    expect(bus.take(second)).toBe(0x88n);
    expect(bus.take(first)).toBe(0x1122_3344_5566_7788n);
    expect(() => bus.take(first)).toThrow(TicketError);
    expect(() => bus.isDone(4711)).toThrow(/ticket 4711 is not in use/);
  });

  it('of a store is done when the store has arrived, and carries no value', () => {
    const { sim, bus, chip } = setUp();
    const ticket = bus.beginStore(CHIP_BASE, 8, 5n);
    expect(bus.isDone(ticket)).toBe(false);
    sim.run();
    expect(chip.accesses).toHaveLength(1);
    expect(bus.take(ticket)).toBe(0n);
  });

  it('is not answered twice, and its number does not come again', () => {
    const { sim, bus } = setUp();
    const seen = new Set<number>();
    for (let n = 0; n < 100; n++) {
      const ticket = bus.beginLoad(CHIP_BASE, 8);
      seen.add(ticket);
      sim.run();
      expect(() => bus.complete(ticket, 0n)).toThrow(/already answered/);
      bus.take(ticket);
      expect(() => bus.complete(ticket, 0n)).toThrow(/not in use/);
    }
    expect(seen.size).toBe(100);
  });

  it('is only given for an address that exists', () => {
    const { bus } = setUp();
    for (const address of [-1, 0.5, Number.NaN, 2 ** 53]) {
      expect(() => bus.beginLoad(address, 8)).toThrow(/is not an address on the bus/);
    }
  });

  it('is not given when 65536 values wait untaken', () => {
    const { bus } = setUp();
    for (let n = 0; n < 65536; n++) bus.beginStore(0, 1, 0n);
    expect(() => bus.beginLoad(0, 1)).toThrow(/values are never taken/);
  });
});

it('the first chip attached that claims an address gets the access', () => {
  const { sim, bus, chip, host } = setUp();
  const second = new FakeChip(sim, bus);
  host.load(CHIP_BASE, 8);
  expect([chip.accesses.length, second.accesses.length]).toEqual([1, 0]);
});
