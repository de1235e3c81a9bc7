import { describe, expect, it } from 'vitest';
import { msbMask } from '../../src/hw/bits.js';
import { BUS_TIMING } from '../../src/hw/system-bus.js';
import { memoryWrite } from '../../src/pcie/tlp.js';
import { booted, halves, IRQ_BASE, m32, m64, ONES, PE, RID, type Rig } from './rig.js';

const CQ_OUTBOUND = msbMask(0);
const CQ_INBOUND = msbMask(1);

describe('the MMIO windows of the PBCQ', () => {
  it('claim the addresses that equal the BAR in the bits of the mask', () => {
    const rig = booted();
    expect(rig.load(m64(PE, 4))).toBe(0x0405_0607n);
    rig.setNest('MMIO_MASK0', rig.nest('MMIO_MASK0') | (1n << (14n + 33n)));
    expect(rig.load(m64(PE, 4))).toBe(0x0405_0607n);
    expect(rig.load(m64(0x20, 4))).toBe(0xffff_ffffn);
  });

  it('claim nothing when the BAR has a bit that its mask leaves out', () => {
    const rig = booted();
    const bar = rig.nest('MMIO_BAR0');
    rig.setNest('MMIO_BAR0', bar | ((0x1_0000n << 14n) << 4n));
    expect(rig.load(m64(PE))).toBe(0xffff_ffffn);
    expect(rig.card.got('MRd')).toEqual([]);
    rig.setNest('MMIO_BAR0', bar);
    rig.load(m64(PE));
    expect(rig.card.got('MRd')).toHaveLength(1);
  });

  it('keep only the address bits that a BAR has', () => {
    const rig = booted();
    for (const [name, kept] of [
      ['MMIO_BAR0', 0xffff_ffff_c000_0000n],
      ['MMIO_MASK1', 0xffff_ffff_c000_0000n],
      ['PHB_BAR', 0xffff_ffff_fc00_0000n],
      ['BAR_ENABLE', 0xf800_0000_0000_0000n],
    ] as const) {
      rig.setNest(name, ONES);
      expect(rig.nest(name), name).toBe(kept);
    }
  });
});

describe('the interrupt range of the PBCQ', () => {
  const deliver = (rig: Rig, isn: number): number[] => {
    rig.setIve(isn, {});
    rig.msi(isn);
    return rig.endInterrupts();
  };

  it('has messages up to its last eight numbers, which are the LSIs', () => {
    const rig = booted();
    expect(deliver(rig, 0x7f7)).toEqual([0x7f7]);
    expect(deliver(rig, 0x7f8)).toEqual([]);
    rig.sendMessage(0x20);
    expect(rig.pendingIsns()).toEqual([0x7f8]);
  });

  it('is as long as the mask leaves open', () => {
    const rig = booted();
    rig.setNest('IRSN_MASK', (0x7ffffn - 0xffn) << 45n);
    expect([deliver(rig, 0xf7), deliver(rig, 0xf8)]).toEqual([[0xf7], []]);
    rig.setNest('IRSN_MASK', 0n);
    expect(deliver(rig, 0x10)).toEqual([]);
  });

  it('moves with the compare value, which must be aligned to it', () => {
    const rig = booted();
    rig.setNest('IRSN_COMPARE', BigInt(2 * IRQ_BASE) << 45n);
    expect(deliver(rig, 0x10)).toEqual([IRQ_BASE + 0x10]);
    rig.setNest('IRSN_COMPARE', BigInt(IRQ_BASE + 0x400) << 45n);
    expect(deliver(rig, 0x11)).toEqual([]);
  });
});

describe('CQ status', () => {
  it('shows a load or configuration read that waits, until it ends', () => {
    const rig = booted();
    expect(rig.nest('CQ_STATUS')).toBe(0n);
    rig.card.answers.push('nothing');
    rig.machine.bus.beginLoad(m32(PE), 4);
    rig.run(2000);
    expect(rig.nest('CQ_STATUS')).toBe(CQ_OUTBOUND);
    rig.run(20_000_000);
    expect(rig.nest('CQ_STATUS')).toBe(0n);
  });

  it('shows requests from below that are under way, and is idle once the bridge was reset', () => {
    const rig = booted();
    const wireNs = rig.wireNs();
    rig.setIve(0x10, {});
    for (const address of [0x1000n, 0xffff_0000n]) {
      const ticket = rig.machine.bus.beginScomRead(0x0201_200f);
      rig.run(Math.floor(BUS_TIMING.scomNs.value - wireNs - 50));
      rig.card.send(memoryWrite(RID, halves(address), Uint8Array.of(0x10, 0, 0, 0)));
      rig.run(2000);
      expect(rig.machine.bus.take(ticket)).toBe(CQ_INBOUND);
      expect(rig.nest('CQ_STATUS')).toBe(0n);
    }
    rig.card.answers.push('nothing');
    rig.machine.bus.beginLoad(m32(PE), 4);
    rig.run(2000);
    rig.etuReset('held');
    expect(rig.nest('CQ_STATUS')).toBe(0n);
  });

  it('is read-only', () => {
    const rig = booted();
    rig.setNest('CQ_STATUS', ONES);
    expect(rig.nest('CQ_STATUS')).toBe(0n);
  });
});
