import { describe, expect, it } from 'vitest';
import { msbMask } from '../../src/hw/bits.js';
import type { Tlp } from '../../src/pcie/tlp.js';
import { ms } from '../../src/sim/time.js';
import {
  booted,
  hex,
  LEM_MASK,
  M32_BASE,
  M64_BASE,
  M64_SEGMENT,
  m32,
  m64,
  ONES,
  PE,
  RID,
  Rig,
  sharedM64,
  singleM64,
} from './rig.js';

const FROZEN = msbMask(0);
const LOAD_ONES = 0xffff_ffffn;

const lastRead = (rig: Rig): Tlp => rig.card.got('MRd').at(-1)!;
const pciAddress = (tlp: Tlp): bigint => (BigInt(tlp.addressHi) << 32n) | BigInt(tlp.addressLo);

/** The PE that pays for a load: aborted by the card. */
function owner(rig: Rig, address: number): number | undefined {
  rig.card.answers.push('CA');
  rig.load(address);
  const [pe, ...others] = rig.frozenPes();
  expect(others).toEqual([]);
  if (pe !== undefined) rig.thaw(pe);
  return pe;
}

describe('the M64 windows', () => {
  it('forward the address as it is; each segment belongs to the PE of its number', () => {
    const rig = booted();
    for (const pe of [0, 1, 77, 255]) {
      const address = m64(pe, 0xfff_fff8);
      rig.load(address, 8);
      expect(pciAddress(lastRead(rig))).toBe(BigInt(address));
      expect(owner(rig, address)).toBe(pe);
    }
  });

  it('put the upper bits on top', () => {
    const rig = booted();
    rig.write('PHB_M64_UPPER_BITS', ONES);
    expect(rig.read('PHB_M64_UPPER_BITS')).toBe(0xfffc_0000_0000_0000n);
    rig.load(m64(1, 0x40));
    expect(pciAddress(lastRead(rig))).toBe(0xfffc_0000_0000_0000n + BigInt(m64(1, 0x40)));
  });

  it('give a single-PE window to its PE as a whole, whatever its number', () => {
    const rig = booted();
    rig.setIoda('M64BT', 0, 0n);
    rig.setIoda('M64BT', 5, singleM64(M64_BASE + 2 ** 25, 2 ** 25, 0x45));
    rig.setIoda('M64BT', 6, singleM64(M64_BASE + 2 ** 26, 2 ** 26, 0xff));
    expect(rig.ioda('M64BT', 5)).toBe(0xc3b0_0022_3fff_ffe5n);
    expect(owner(rig, M64_BASE + 2 ** 25)).toBe(0x45);
    expect(owner(rig, M64_BASE + 2 ** 26 - 8)).toBe(0x45);
    expect(owner(rig, M64_BASE + 2 ** 26)).toBe(0xff);
    expect(owner(rig, M64_BASE + 2 ** 27 - 4)).toBe(0xff);
    expect(owner(rig, M64_BASE)).toBeUndefined();
    expect(owner(rig, M64_BASE + 2 ** 27)).toBeUndefined();
  });

  it('let the lowest-numbered match win', () => {
    const rig = booted();
    const address = m64(9, 0x100);
    rig.setIoda('M64BT', 15, singleM64(m64(9), 2 ** 25, 33));
    expect(owner(rig, address)).toBe(9);
    rig.setIoda('M64BT', 15, rig.ioda('M64BT', 0));
    rig.setIoda('M64BT', 0, singleM64(m64(9), 2 ** 25, 33));
    expect(owner(rig, address)).toBe(33);
    expect(owner(rig, m64(9, 2 ** 25))).toBe(9);
  });

  it('decode no entry whose enable is clear', () => {
    const rig = booted();
    rig.setIoda('M64BT', 0, sharedM64(M64_BASE, 256 * M64_SEGMENT) & ~msbMask(0));
    expect(rig.load(m64(PE))).toBe(LOAD_ONES);
    expect(rig.errors()).toHaveProperty('OUT_ERR_STATUS', hex(msbMask(2)));
  });

  it('with a smaller shared window have smaller segments', () => {
    const rig = booted();
    rig.setIoda('M64BT', 0, sharedM64(M64_BASE, 2 ** 28));
    expect(owner(rig, M64_BASE + 200 * 2 ** 20 + 5 * 4)).toBe(200);
    expect(owner(rig, M64_BASE + 2 ** 28)).toBeUndefined();
  });
});

describe('the M32 window', () => {
  it('moves addresses to its PCI start; its segments belong to the PEs of M32DT', () => {
    const rig = booted();
    rig.setIoda('M32DT', 3, 99n << 48n);
    rig.load(m32(3, 0x7f_fffc));
    expect(pciAddress(lastRead(rig))).toBe(0x8000_0000n + 3n * 0x80_0000n + 0x7f_fffcn);
    expect(owner(rig, m32(3))).toBe(99);
    expect(owner(rig, m32(4))).toBe(4);
    expect(owner(rig, m32(255, 0x7f_fffc))).toBe(255);
  });

  it('forwards the 64 KiB below 4 GiB although they are MSI space for devices', () => {
    const rig = booted();
    rig.load(m32(255, 0x7f_0000));
    expect(pciAddress(lastRead(rig))).toBe(0xffff_0000n);
  });

  it('comes after the M64 windows, and only when enabled', () => {
    const rig = booted();
    rig.setIoda('M64BT', 1, singleM64(M32_BASE, 2 ** 25, 200));
    expect(owner(rig, m32(1))).toBe(200);
    rig.setIoda('M64BT', 1, 0n);
    rig.write('PHB_PHB3_CONFIG', 0n);
    expect(owner(rig, m32(1))).toBeUndefined();
  });

  it('with a mask of zeros takes every address of the bus', () => {
    const rig = booted();
    rig.write('PHB_M32_BASE_MASK', 0n);
    rig.setIoda('M32DT', Math.floor(M64_BASE / 2 ** 42), 17n << 48n);
    rig.setIoda('M64BT', 0, 0n);
    expect(owner(rig, M64_BASE)).toBe(17);
  });
});

describe('the M32 window at power-on', () => {
  it('once enabled takes the whole bus in 256 segments, for no mask is written yet', () => {
    const rig = new Rig();
    rig.routeInterrupts();
    rig.write('PHB_PHB3_CONFIG', msbMask(16));
    rig.setIoda('M32DT', Math.floor(M64_BASE / 2 ** 42), 17n << 48n);
    rig.setIoda('PESTA', 17, FROZEN);
    expect(rig.load(M64_BASE)).toBe(LOAD_ONES);
    expect(rig.errors()).toEqual({});
  });
});

describe('an address in no window', () => {
  it('reads all ones, drops stores, and is information: no PE freezes', () => {
    const rig = booted();
    rig.setIoda('M64BT', 0, 0n);
    expect(rig.load(m64(PE), 8)).toBe(ONES);
    rig.store(m64(PE), 8, 1n);
    expect(rig.errors()).toEqual({
      OUT_ERR_STATUS: hex(msbMask(2)),
      LEM_FIR_ACCUM: hex(msbMask(1)),
      CPU_LOADSTORE_STATUS: '0000001800000000',
    });
    expect([rig.asbRead('PHB_OUT_ERR_LOG_0'), rig.asbRead('PHB_OUT_ERR_LOG_1')].map(hex)).toEqual([
      '0400000000000000',
      hex(BigInt(m64(PE))),
    ]);
    expect(rig.pendingIsns()).toEqual([0x7fe]);
    expect(rig.card.got('MRd', 'MWr')).toEqual([]);
  });
});

describe('a load from a device', () => {
  it.each([
    ['CA', '8480002b00000000', msbMask(0)],
    ['UR', '8440002b00000000', msbMask(1)],
    ['nothing', '8480002b00000000', msbMask(0)],
    ['CRS', '8440002b00000000', msbMask(1)],
  ] as const)('that ends with %s reads all ones and freezes its PE', (answer, pestA, status) => {
    const rig = booted();
    rig.card.answers.push(answer);
    const before = rig.now;
    expect(rig.load(m32(PE, 0x20), 8)).toBe(ONES);
    if (answer === 'nothing') expect(rig.now - before).toBeGreaterThan(ms(16));
    expect(rig.errors()).toEqual({
      INA_ERR_STATUS: hex(status),
      LEM_FIR_ACCUM: hex(msbMask(43)),
      CPU_LOADSTORE_STATUS: '0000001c00000000',
    });
    expect(rig.pest(PE)).toEqual([pestA, '8000000000000000']);
    expect([rig.read('PHB_INA_ERR1_STATUS'), rig.read('PHB_INA_ERR_LOG_0')]).toEqual([status, 0x0400_0000_0000_0000n]);
    expect(LEM_MASK & msbMask(43)).not.toBe(0n);
    expect(rig.pendingIsns()).toEqual([0x7ff]);
    expect(rig.fenced).toBe(false);
  });

  it('returns the bytes of the device, lowest address first, in every size', () => {
    const rig = booted();
    expect([rig.load(m32(PE, 1), 1), rig.load(m32(PE, 2), 2), rig.load(m32(PE, 4), 4)]).toEqual([
      0x01n,
      0x0203n,
      0x0405_0607n,
    ]);
    expect(rig.load(m32(PE, 8), 8)).toBe(0x0809_0a0b_0c0d_0e0fn);
  });

  it('may be one of many outstanding at a time', () => {
    const rig = booted();
    const { bus, sim } = rig.machine;
    const tickets = Array.from({ length: 300 }, (_, n) => bus.beginLoad(m32(PE, 4 * n), 4));
    while (!tickets.every((ticket) => bus.isDone(ticket))) sim.step();
    const expected = (n: number): bigint => [0, 1, 2, 3].reduce((v, i) => (v << 8n) | BigInt((4 * n + i) & 0xff), 0n);
    expect(tickets.map((ticket) => bus.take(ticket))).toEqual(tickets.map((_, n) => expected(n)));
  });

  it('is refused by the root port while its memory space is off', () => {
    const rig = booted();
    rig.setConfig(0, 4, [0x44, 0x01]);
    expect(rig.load(m32(PE))).toBe(LOAD_ONES);
    expect(rig.pest(PE)[0]).toBe('8440002b00000000');
    rig.store(m32(PE), 4, 1n);
    expect(rig.card.got('MRd', 'MWr')).toEqual([]);
  });
});

describe('a store to a device', () => {
  it('arrives with its bytes in order of address', () => {
    const rig = booted();
    rig.store(m64(PE, 0x10), 8, 0x0102_0304_0506_0708n);
    rig.store(m32(PE, 3), 1, 0xabn);
    rig.run(1000);
    expect(rig.card.got('MWr').map((tlp) => [...tlp.data!])).toEqual([[1, 2, 3, 4, 5, 6, 7, 8], [0xab]]);
  });
});

describe('with the link down', () => {
  it('a store is dropped without a trace in the error registers', () => {
    const rig = booted();
    rig.write('PHB_RESET', 0xd000_0000_0000_0000n);
    rig.write('UTL_PCIE_PORT_STATUS', ONES);
    rig.thawAll();
    rig.clearErrors();
    rig.store(m32(PE), 4, 1n);
    rig.run(ms(20));
    expect(rig.errors()).toEqual({});
    expect(rig.frozenPes()).toEqual([]);
  });

  it('a load ends with all ones after the timeout and freezes its PE', () => {
    const rig = booted();
    rig.write('UTL_PCIE_PORT_IRQ_EN', 0xad42_8000_0000_0000n);
    rig.write('PHB_RESET', 0xd000_0000_0000_0000n);
    const before = rig.now;
    expect(rig.load(m32(PE))).toBe(LOAD_ONES);
    expect(rig.now - before).toBeGreaterThan(ms(16));
    expect(rig.pest(PE)).toEqual(['8480002b00000000', '8000000000000000']);
    expect(rig.frozenPes()).toEqual([PE]);
  });

  it('a load leaves no record of its own where the port event froze the PE before', () => {
    const rig = booted();
    const { bus, sim } = rig.machine;
    rig.link.surpriseRemove();
    rig.setIoda('PESTA', PE, 0n);
    rig.clearErrors();
    const ticket = bus.beginLoad(m32(PE), 4);
    while (!bus.isDone(ticket)) sim.step();
    expect(bus.take(ticket)).toBe(LOAD_ONES);
    expect(rig.errors()).not.toHaveProperty('INA_ERR_STATUS');
    expect(rig.errors()).not.toHaveProperty('LEM_FIR_ACCUM');
    expect(rig.ioda('PESTB', PE)).toBe(FROZEN);
  });

  it('a load on its way when the link drops times out', () => {
    const rig = booted();
    rig.write('UTL_PCIE_PORT_IRQ_EN', 0n);
    const { bus, sim } = rig.machine;
    const ticket = bus.beginLoad(m32(PE), 4);
    rig.run(1050);
    rig.link.surpriseRemove();
    while (!bus.isDone(ticket)) sim.step();
    expect(bus.take(ticket)).toBe(LOAD_ONES);
    expect(rig.pest(PE)[0]).toBe('8480002b00000000');
  });
});

describe('addresses beyond the bus', () => {
  it('belong to nobody, even where their low bits fall into a window', () => {
    const rig = booted();
    expect(rig.load(2 ** 50 + m32(PE))).toBe(LOAD_ONES);
    expect(rig.card.got('MRd')).toEqual([]);
    expect(rig.errors()).toEqual({});
    expect(rig.config(RID, 0, 2)).toBe(0x1410n);
  });
});
