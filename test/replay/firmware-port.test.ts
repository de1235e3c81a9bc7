import { describe, expect, it } from 'vitest';
import type { AccessSize } from '../../src/hw/host-port.js';
import type { FirmwareAccess } from '../../src/replay/firmware-phases.js';
import { RecordedPort } from '../../src/replay/firmware-port.js';
import { delay, type Process } from '../../src/sim/process.js';
import { Simulator } from '../../src/sim/simulator.js';
import { us } from '../../src/sim/time.js';

const REGISTERS = 0x3_fffe_4000_0000;
const NEST = 0x0201_2000;
const BOARD = {
  registers: REGISTERS,
  scom: { nest: NEST, pci: 0x0901_2000, spci: 0x0901_3c00 },
  heap: 0x1000,
  memory: { base: 0, bytes: 0x10_0000 },
};

const read = (register: number, value: bigint): FirmwareAccess => ({
  ...{ direction: 'read', window: 'phb', register, size: 8, value, afterUs: 0 },
});
const write = (register: number, value: bigint): FirmwareAccess => ({ ...read(register, value), direction: 'write' });

class Bench {
  readonly sim = new Simulator();
  readonly port = new RecordedPort(this.sim, BOARD);

  constructor(...expected: FirmwareAccess[]) {
    this.port.follow(expected);
  }

  load(register: number, size: AccessSize = 8): bigint {
    return this.run(this.port.load(REGISTERS + register, size));
  }

  store(register: number, value: bigint): void {
    this.run(this.port.store(REGISTERS + register, 8, value));
  }

  run<T>(process: Process<T>): T {
    return this.sim.complete('firmware', process);
  }
}

describe('a recording in place of the chip', () => {
  it('answers what was read, in its order, and keeps what is done with its waits', () => {
    const bench = new Bench(read(0x10, 1n), write(0x18, 2n), read(0x10, 3n));
    expect(bench.load(0x10)).toBe(1n);
    bench.run(delay(us(7)));
    bench.store(0x18, 9n);
    expect(bench.load(0x10)).toBe(3n);
    expect(bench.port.accesses).toEqual([read(0x10, 1n), { ...write(0x18, 9n), afterUs: 7 }, read(0x10, 3n)]);
  });

  it('stays on the path when firmware reads something more', () => {
    const bench = new Bench(read(0x10, 1n), read(0x18, 2n), read(0x20, 3n));
    expect(bench.load(0x10)).toBe(1n);
    expect(bench.load(0x99 & ~7)).toBe(0n);
    expect([bench.load(0x18), bench.load(0x20)]).toEqual([2n, 3n]);
  });

  it('does not jump ahead to a lone access of the same place', () => {
    const bench = new Bench(read(0x10, 1n), read(0x18, 2n), read(0x20, 3n), read(0x28, 4n));
    expect(bench.load(0x20)).toBe(3n);
    expect([bench.load(0x10), bench.load(0x18), bench.load(0x20), bench.load(0x28)]).toEqual([1n, 2n, 3n, 4n]);
  });

  it('comes back to the path when firmware leaves something out', () => {
    const bench = new Bench(read(0x10, 1n), write(0x18, 2n), read(0x20, 3n), read(0x28, 4n), read(0x10, 5n));
    expect([bench.load(0x20), bench.load(0x28), bench.load(0x10)]).toEqual([3n, 4n, 5n]);
  });

  it('holds what was written and what the recording passed, for reads that it does not have', () => {
    const bench = new Bench(write(0x18, 2n), read(0x20, 3n), read(0x28, 4n));
    expect([bench.load(0x20), bench.load(0x28)]).toEqual([3n, 4n]);
    expect(bench.load(0x18)).toBe(2n);
    bench.store(0x18, 7n);
    expect(bench.load(0x18)).toBe(7n);
  });

  it('sets and clears nest errors through their own registers', () => {
    const bench = new Bench();
    const nfir = (): bigint => bench.run(bench.port.scomRead(NEST));
    bench.run(bench.port.scomWrite(NEST, 0xf0n));
    bench.run(bench.port.scomWrite(NEST + 2, 0x0fn));
    expect(nfir()).toBe(0xffn);
    bench.run(bench.port.scomWrite(NEST + 1, 0x3cn));
    expect(nfir()).toBe(0x3cn);
  });

  it('knows the windows of a hub: its own registers, and each PHB by two paths', () => {
    const sim = new Simulator();
    const hub = { hubId: 1, mwin1: 0x3ef_0000_0000, mwin2: 0x3d0_0000_0000, phbs: [0] };
    const port = new RecordedPort(sim, { hub, heap: 0x1000, memory: { base: 0, bytes: 0x10_0000 } });
    port.follow([]);
    const load = (offset: number) => sim.complete('load', port.load(hub.mwin1 + offset, 8));
    for (const offset of [0x800, 0x1_0808, 0x8_0640, 0xd_0228, 0x3e_1c00]) load(offset);
    expect(port.accesses.map(({ window, register }) => [window, register])).toEqual([
      ['asb0', 0x800],
      ['asb1', 0x808],
      ['aib0', 0x640],
      ['aib5', 0x228],
      ['hub', 0x3e_1c00],
    ]);
    expect(() => load(-8)).toThrow('address 0x3eefffffff8 has no register of the recorded bridges');
    expect(() => sim.complete('scom', port.scomRead(0))).toThrow('has no register of the recorded bridges');
  });

  it('ends firmware that polls for ever, and knows no other SCOM registers', () => {
    const bench = new Bench();
    const forever = function* (): Process<void> {
      for (;;) yield* bench.port.load(REGISTERS, 8);
    };
    expect(() => bench.run(forever())).toThrow('our firmware goes on after 2000 accesses');
    expect(() => bench.run(bench.port.scomRead(0x0200_0000))).toThrow(
      'SCOM 0x2000000 has no register of the recorded bridges',
    );
  });
});
