import { describe, expect, it } from 'vitest';
import { msbMask } from '../../src/hw/bits.js';
import { SyncHost } from '../../src/hw/sync-host.js';
import { QEMU_POWERNV8, REAL_MACHINE } from '../../src/machine/hostboot.js';
import { PHBS_PER_CHIP, PowerNv8 } from '../../src/machine/powernv8.js';
import { Nic } from '../../src/pcie/nic.js';
import { ms } from '../../src/sim/time.js';

const ONES = 0xffff_ffff_ffff_ffffn;
const VERSION = 0x800;
const nest = (phb: number, register: number): number => 0x0201_2000 + 0x400 * phb + register;
const pci = (phb: number, register: number): number => 0x0901_2000 + 0x400 * phb + register;

describe('a POWER8 machine', () => {
  it('has as many bridges as asked for, up to what a chip has', () => {
    expect(new PowerNv8().phbs.map((phb) => phb.name)).toEqual(['PHB0']);
    expect(new PowerNv8({ phbs: PHBS_PER_CHIP }).phbs.map((phb) => phb.name)).toEqual(['PHB0', 'PHB1', 'PHB2']);
    for (const phbs of [0, 4, 1.5, -1, Number.NaN]) expect(() => new PowerNv8({ phbs })).toThrow('a chip has 1 to 3');
  });

  it('has the windows of service firmware before the first access', () => {
    const machine = new PowerNv8({ phbs: 3 });
    const host = new SyncHost(machine.bus);
    for (const phb of [0, 1, 2]) {
      const read = (register: number): bigint => host.scomRead(nest(phb, register));
      expect(read(0x42)).toBe(BigInt(0x3_fffe_4000_0000 + 0x10_0000 * phb) << 14n);
      expect(read(0x40)).toBe(BigInt(0x3b00_0000_0000 + 0x10_0000_0000 * phb) << 14n);
      expect(read(0x43)).toBe(0xffff_c000_0000_0000n & (~((2n ** 36n - 1n) << 14n) & ONES));
      expect(read(0x41)).toBe(BigInt(0x3fe0_0000_0000 + 0x8000_0000 * phb) << 14n);
      expect(read(0x44)).toBe(~((2n ** 31n - 1n) << 14n) & ONES & 0xffff_ffff_c000_0000n);
      expect(read(0x45)).toBe(0xe000_0000_0000_0000n);
      expect([read(0x03), read(0x06), read(0x07)]).toEqual([
        0x0030_006e_0000_0000n,
        0x5b0f_8190_0000_0000n,
        0x7f0f_8190_0000_0000n,
      ]);
      expect(host.scomRead(pci(phb, 0x0b))).toBe(read(0x42));
      expect(host.load(REAL_MACHINE.phbBase(phb) + VERSION, 8)).toBe(0xa3_0000_0005n);
    }
  });

  it('of the emulated kind leaves the enables to firmware and programs no FIR', () => {
    const machine = new PowerNv8({ addressMap: QEMU_POWERNV8, phbs: 2 });
    const host = new SyncHost(machine.bus);
    expect(host.scomRead(nest(1, 0x45))).toBe(0n);
    expect(host.load(QEMU_POWERNV8.phbBase(1) + VERSION, 8)).toBe(ONES);
    expect(host.scomRead(nest(1, 0x40)) >> 14n).toBe(0x3_d010_0000_0000n);
    expect(host.scomRead(nest(0, 0x06))).toBe(0n);
    host.scomWrite(nest(1, 0x45), msbMask(2));
    expect(host.load(QEMU_POWERNV8.phbBase(1) + VERSION, 8)).toBe(0xa3_0000_0005n);
  });

  it('keeps bridges apart: a fence of one leaves the others alone', () => {
    const machine = new PowerNv8({ phbs: 2 });
    const host = new SyncHost(machine.bus);
    host.scomWrite(nest(0, 0x02), msbMask(24));
    expect(host.load(REAL_MACHINE.phbBase(0) + VERSION, 8)).toBe(ONES);
    expect(host.load(REAL_MACHINE.phbBase(1) + VERSION, 8)).toBe(0xa3_0000_0005n);
  });

  it('plugs the card of each slot into its link', () => {
    const machine = new PowerNv8({
      phbs: 2,
      slot: (sim, phb) => (phb === 1 ? new Nic(sim, 'nic') : undefined),
    });
    expect(machine.phbs.map((phb) => phb.link.cardInserted)).toEqual([false, true]);
  });

  it('gives processors ports of their own that see the same machine', () => {
    const machine = new PowerNv8({ memory: { sizeBytes: 2 ** 20 } });
    const values: bigint[] = [];
    const port = machine.cpu();
    expect([port.name, machine.cpu('cpu7').name]).toEqual(['cpu0', 'cpu7']);
    machine.sim.spawn(
      'software',
      (function* () {
        yield* port.store(0x100, 8, 42n);
        values.push(yield* machine.cpu('cpu1').load(0x100, 8));
        values.push(yield* port.load(REAL_MACHINE.phbBase(0) + VERSION, 8));
      })(),
    );
    machine.sim.run({ untilNs: ms(1) });
    expect(values).toEqual([42n, 0xa3_0000_0005n]);
    expect(machine.memory.contains(2 ** 20, 1)).toBe(false);
  });

  it('lets tools look at a table without moving the index', () => {
    const machine = new PowerNv8();
    const host = new SyncHost(machine.bus);
    const address = REAL_MACHINE.phbBase(0) + 0x220;
    host.store(address, 8, msbMask(0) | (6n << 48n) | 3n);
    host.store(address + 8, 8, 0x55n);
    expect(machine.phbs[0]!.peekTable('MRT', 3)).toBe(0x55n);
    expect(host.load(address, 8)).toBe(msbMask(0) | (6n << 48n) | 4n);
  });

  it('gives the same run for the same seed, whatever else ran before', () => {
    const run = (): string => {
      const machine = new PowerNv8({ seed: 'same', slot: (sim) => new Nic(sim, 'nic') });
      const host = new SyncHost(machine.bus);
      host.store(REAL_MACHINE.phbBase(0) + 0x808, 8, 0xf000_0000_0000_0000n);
      machine.sim.run({ untilNs: ms(400) });
      return machine.sim.digest();
    };
    expect(run()).toBe(run());
  });
});
