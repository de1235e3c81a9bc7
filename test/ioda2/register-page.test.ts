import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { msbMask } from '../../src/hw/bits.js';
import type { AccessSize } from '../../src/hw/host-port.js';
import { PHB_REGISTERS } from '../../src/ioda2/registers/phb.js';
import { booted, hex, m32, ONES, PE, RID, Rig } from './rig.js';

const PAGE = 4096;
const badOffset = { ERR_STATUS: hex(msbMask(26)), LEM_FIR_ACCUM: hex(msbMask(16)) };

describe('the register page', () => {
  it('answers whole doublewords only: parts and misaligned ones read all ones and write nothing', () => {
    const rig = booted();
    const at = rig.address('PHB_RTT_BAR');
    const value = rig.read('PHB_RTT_BAR');
    expect([rig.host.load(at, 4), rig.host.load(at + 4, 4), rig.host.load(at + 1, 1)]).toEqual([
      0xffff_ffffn,
      0xffff_ffffn,
      0xffn,
    ]);
    expect(rig.host.load(at + 4, 8)).toBe(ONES);
    rig.host.store(at, 4, 0n);
    rig.host.store(at + 4, 8, 0n);
    expect([rig.read('PHB_RTT_BAR'), rig.errors()]).toEqual([value, {}]);
  });

  it('reads 0 where no register is, ignores writes there, and says so as information', () => {
    const rig = booted();
    const hole = rig.machine.addressMap.phbBase(0) + 0xcb8;
    expect(rig.host.load(hole, 8)).toBe(0n);
    expect(rig.errors()).toEqual(badOffset);
    expect(rig.pendingIsns()).toEqual([0x7fe]);
    rig.clearErrors();
    rig.host.store(hole, 8, 1n);
    expect(rig.errors()).toEqual(badOffset);
    rig.clearErrors();
    expect(rig.asbRead(0xcb8)).toBe(0n);
    rig.asbWrite(0xcb8, 1n);
    expect(rig.errors()).toEqual(badOffset);
  });

  it('is the same through the ASB, side effects included', () => {
    const rig = booted();
    rig.asbWrite('PHB_LEM_ERROR_OR_MASK', msbMask(0));
    expect(rig.read('PHB_LEM_ERROR_MASK') & msbMask(0)).toBe(msbMask(0));
    expect([rig.asbRead('PHB_FFI_LOCK'), rig.read('PHB_FFI_LOCK')]).toEqual([0n, msbMask(0)]);
    expect(rig.asbRead(0x164)).toBe(ONES);
    rig.setSpci(0, 0xffff_0800n);
    expect(rig.host.scomRead(0x0901_3c00)).toBe(0x800n);
    expect(rig.host.scomRead(0x0901_3c02)).toBe(0xa3_0000_0005n);
  });

  it('keeps the UTL out of reach while the core is in reset', () => {
    const rig = new Rig();
    expect(rig.read('PHB_PCIE_DLP_TRAIN_CTL')).toBe(msbMask(22));
    rig.write('UTL_PCIE_PORT_IRQ_EN', 1n);
    expect([rig.read('UTL_PCIE_PORT_IRQ_EN'), rig.asbRead('UTL_PCIE_PORT_IRQ_EN')]).toEqual([ONES, ONES]);
    rig.write('PHB_RESET', 0xd000_0000_0000_0000n);
    rig.run(2_000_000);
    expect(rig.read('PHB_PCIE_DLP_TRAIN_CTL')).toBe(0n);
    expect(rig.read('UTL_PCIE_PORT_IRQ_EN')).toBe(0n);
  });

  it('ends a DMA read sync at once', () => {
    const rig = booted();
    rig.write('PHB_DMARD_SYNC', 0n);
    expect(rig.read('PHB_DMARD_SYNC')).toBe(0n);
    rig.write('PHB_DMARD_SYNC', msbMask(0));
    expect(rig.read('PHB_DMARD_SYNC')).toBe(msbMask(1));
  });

  it('survives any sequence of accesses, by any door, and still answers', () => {
    const offset = fc.oneof(
      fc.nat(PAGE - 1),
      fc.constantFrom(...PHB_REGISTERS.names.map((name) => PHB_REGISTERS.get(name).offset)),
    );
    const value = fc.oneof(fc.bigInt({ min: 0n, max: ONES }), fc.constantFrom(0n, ONES, msbMask(0)));
    const access = fc.record({
      door: fc.constantFrom('load', 'store', 'asb-read', 'asb-write', 'window-load', 'window-store', 'dma'),
      offset,
      size: fc.constantFrom<AccessSize>(1, 2, 4, 8),
      value,
    });
    fc.assert(
      fc.property(fc.array(access, { maxLength: 40 }), (accesses) => {
        const rig = booted();
        for (const { door, offset: at, size, value: written } of accesses) {
          const address = rig.machine.addressMap.phbBase(0) + at;
          if (door === 'load') expect(rig.host.load(address, size)).toBeLessThan(1n << BigInt(8 * size));
          else if (door === 'store') rig.host.store(address, size, written);
          else if (door === 'asb-read') rig.asbRead(at);
          else if (door === 'asb-write') rig.asbWrite(at, written);
          else if (door === 'window-load') rig.load(m32(at & 0xff, (at >> 4) & ~7), size);
          else if (door === 'window-store') rig.store(m32(at & 0xff, at & ~7), size, written);
          else rig.dmaWrite(written, [1, 2, 3, 4]);
        }
        expect([0xa3_0000_0005n, ONES]).toContain(rig.read('PHB_VERSION'));
        expect(rig.asbRead('PHB_VERSION')).toBe(0xa3_0000_0005n);
      }),
      { seed: 11, numRuns: 120 },
    );
  });
});

describe('the PBCQ', () => {
  it('claims the windows and the page only while their enables are set', () => {
    const rig = booted();
    rig.setNest('BAR_ENABLE', 0x7800_0000_0000_0000n);
    rig.load(0x3b00_0000_0000);
    expect(rig.errors()).toEqual({});
    rig.setNest('BAR_ENABLE', 0x9800_0000_0000_0000n);
    expect(rig.read('PHB_VERSION')).toBe(ONES);
    expect(rig.load(m32(PE))).toBe(0xffff_ffffn);
    expect(rig.card.got('MRd')).toEqual([]);
    expect(rig.asbRead('PHB_VERSION')).toBe(0xa3_0000_0005n);
  });

  it('answers 0 for SCOM registers that are not there, and keeps nothing in them', () => {
    const rig = booted();
    for (const address of [0x0201_2009, 0x0901_2002]) {
      rig.host.scomWrite(address, ONES);
      expect(rig.host.scomRead(address)).toBe(0n);
    }
    expect(rig.host.scomRead(0x0201_2046)).toBe(ONES);
    expect(rig.errors()).toEqual({});
  });

  it('moves the page with its BAR', () => {
    const rig = booted();
    const old = rig.address('PHB_VERSION');
    rig.setNest('PHB_BAR', rig.nest('PHB_BAR') + (0x1000n << 14n));
    expect([rig.host.load(old, 8), rig.host.load(old + 0x1000, 8)]).toEqual([ONES, 0xa3_0000_0005n]);
    expect(rig.config(RID, 0)).toBe(0xffff_ffffn);
  });
});
