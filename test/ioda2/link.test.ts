import { describe, expect, it } from 'vitest';
import { msbMask, msbMasks } from '../../src/hw/bits.js';
import { ms } from '../../src/sim/time.js';
import { booted, hex, m32, PE, RID, Rig } from './rig.js';

const TRAINED = msbMasks(19, 21, 23);
const LINK_DOWN = msbMask(11);
const RELEASED = 0xf000_0000_0000_0000n;
const PERST_ASSERTED = 0xd000_0000_0000_0000n;

function train(rig: Rig): bigint {
  return rig.read('PHB_PCIE_DLP_TRAIN_CTL');
}

describe('DLP_TRAIN_CTL', () => {
  it('goes from core in reset over presence to an active link', () => {
    const rig = new Rig();
    expect(train(rig)).toBe(msbMask(22));
    rig.write('PHB_RESET', PERST_ASSERTED);
    rig.run(ms(5));
    expect(train(rig)).toBe(0n);
    rig.write('PHB_RESET', RELEASED);
    rig.run(ms(110));
    expect(train(rig)).toBe(msbMask(19));
    rig.run(ms(200));
    expect(train(rig)).toBe(TRAINED);
    expect(rig.read('PHB_PCIE_LINK_MANAGEMENT')).toBe(msbMask(8));
    rig.write('PHB_PCIE_DLP_TRAIN_CTL', 0n);
    expect(train(rig)).toBe(TRAINED);
  });

  it('shows nothing in an empty slot, whose presence pins both read 1', () => {
    const empty = booted({ slot: 'none' });
    expect(train(empty)).toBe(0n);
    expect(empty.read('PHB_HOTPLUG_OVERRIDE')).toBe(msbMasks(10, 11));
    expect(booted().read('PHB_HOTPLUG_OVERRIDE')).toBe(0n);
  });

  it('waits with training until core and PERST are both released, in whatever order', () => {
    const rig = new Rig();
    rig.write('PHB_RESET', msbMask(2));
    rig.run(ms(500));
    expect(train(rig)).toBe(msbMask(22));
    rig.write('PHB_RESET', RELEASED);
    rig.run(ms(500));
    expect(train(rig)).toBe(TRAINED);
  });

  it('a core reset before the core was ready starts its time anew', () => {
    const rig = new Rig();
    rig.write('PHB_RESET', PERST_ASSERTED);
    rig.run(ms(0.5));
    rig.write('PHB_RESET', 0n);
    rig.run(ms(5));
    expect(train(rig)).toBe(msbMask(22));
  });
});

describe('a lost link', () => {
  it('freezes all PEs through the UTL when the port interrupt is enabled', () => {
    const rig = booted();
    rig.link.surpriseRemove();
    expect(rig.read('UTL_PCIE_PORT_STATUS')).toBe(LINK_DOWN);
    expect(rig.frozenPes()).toHaveLength(256);
    expect(rig.errors()).toMatchObject({
      ERR_STATUS: hex(msbMask(32)),
      CPU_LOADSTORE_STATUS: '0000001c00000000',
      DMA_CHAN_STATUS: '0000001c00000000',
    });
    for (const pe of [0, 254]) expect(rig.pest(pe)).toEqual(['8701003c00000000', '8000000000000000']);
    expect(rig.pendingIsns()).toEqual([0x7ff]);
    expect(train(rig) & TRAINED).toBe(0n);
  });

  it('freezes nothing when the port interrupt is masked: it only latches', () => {
    const rig = booted();
    rig.write('UTL_PCIE_PORT_IRQ_EN', 0xad42_8000_0000_0000n);
    rig.write('PHB_RESET', PERST_ASSERTED);
    expect(rig.read('UTL_PCIE_PORT_STATUS')).toBe(LINK_DOWN);
    expect([rig.frozenPes(), rig.errors()]).toEqual([[], {}]);
    rig.write('UTL_PCIE_PORT_STATUS', LINK_DOWN);
    rig.write('PHB_RESET', RELEASED);
    rig.run(ms(400));
    expect([rig.config(RID, 0), rig.load(m32(PE))]).toEqual([0x1410_01f0n, 0x0001_0203n]);
    expect(rig.read('UTL_PCIE_PORT_STATUS')).toBe(0n);
  });

  it('in CAPI mode fences', () => {
    const rig = booted();
    rig.write('PHB_ERR_FREEZE_ENABLE', 0n);
    rig.write('PHB_ERR_AIB_FENCE_ENABLE', 0xffff_ffdd_8c80_ffc0n);
    rig.link.surpriseRemove();
    expect([rig.fenced, rig.asbIoda('PEEV', 0)]).toEqual([true, 0n]);
  });

  it('comes from a hot reset too, which keeps every register and table of the bridge', () => {
    const rig = booted();
    rig.write('UTL_PCIE_PORT_IRQ_EN', 0n);
    const resets = rig.card.resets;
    rig.setConfig(0, 0x3e, [0x40, 0x00]);
    expect(train(rig) & msbMask(23)).toBe(0n);
    expect(rig.card.resets).toBe(resets + 1);
    rig.setConfig(0, 0x3e, [0x00, 0x00]);
    rig.run(ms(300));
    expect([rig.config(RID, 0), rig.load(m32(PE)), rig.errors()]).toEqual([0x1410_01f0n, 0x0001_0203n, {}]);
  });
});

describe('the request timer of the core', () => {
  /** How long a load waits that nobody answers, in ms. */
  function waitMs(code: bigint): [waited: number, rig: Rig] {
    const rig = booted();
    rig.write('UTL_PCIE_PORT_CONTROL', 0x8588_0000_0000_0000n | (code << 36n));
    rig.card.answers.push('nothing');
    const before = rig.now;
    expect(rig.load(m32(PE))).toBe(0xffff_ffffn);
    return [Math.floor((rig.now - before) / ms(1)), rig];
  }

  it.each([
    [7n, 16],
    [6n, 8],
    [1n, 0],
    [0n, 16],
    [8n, 32],
  ] as const)('with code %i ends a load after %i ms like an abort', (code, expected) => {
    const [waited, rig] = waitMs(code);
    expect(waited).toBe(expected);
    expect(rig.pest(PE)[0]).toBe('8480002b00000000');
    expect(rig.fenced).toBe(false);
  });

  it('set longer than the completion table waits, lets that run out: the bridge fences', () => {
    const [waited, rig] = waitMs(9n);
    expect(waited).toBe(32);
    expect(rig.errors()).toMatchObject({ INA_ERR_STATUS: hex(msbMask(34)), LEM_FIR_ACCUM: hex(msbMask(44)) });
    expect([rig.fenced, rig.asbIoda('PEEV', 0)]).toEqual([true, 0n]);
  });
});

describe('LINK_MANAGEMENT', () => {
  it('changes the width: pending is up for a while, then the link has the new width', () => {
    const rig = booted();
    expect(rig.link.width).toBe(8);
    rig.write('PHB_PCIE_LINK_MANAGEMENT', msbMask(0) | (4n << 56n));
    expect(rig.read('PHB_PCIE_LINK_MANAGEMENT')).toBe((4n << 56n) | msbMasks(8, 9));
    rig.run(ms(100));
    expect([rig.link.width, rig.link.isUp, rig.read('PHB_PCIE_LINK_MANAGEMENT') & msbMask(9)]).toEqual([4, true, 0n]);
    rig.write('PHB_PCIE_LINK_MANAGEMENT', msbMask(0) | (3n << 56n));
    rig.run(ms(20));
    expect(rig.link.width).toBe(2);
    rig.write('PHB_PCIE_LINK_MANAGEMENT', msbMask(0));
    rig.run(ms(20));
    expect(rig.link.width).toBe(1);
    expect(rig.errors()).toEqual({});
  });

  it('changes the speed without a pending bit', () => {
    const rig = booted();
    for (const [target, speed] of [
      [1n, 1],
      [2n, 2],
      [9n, 3],
      [0n, 1],
    ] as const) {
      rig.write('PHB_PCIE_LINK_MANAGEMENT', msbMask(11) | (target << 48n));
      expect(rig.read('PHB_PCIE_LINK_MANAGEMENT') & msbMasks(9, 11)).toBe(0n);
      rig.run(ms(20));
      expect(rig.link.speed).toBe(speed);
    }
  });

  it('written without a command only stores the targets; a reset of the bridge forgets them', () => {
    const rig = booted();
    rig.write('PHB_PCIE_LINK_MANAGEMENT', 1n << 56n);
    rig.run(ms(20));
    expect(rig.link.width).toBe(8);
    rig.write('PHB_PCIE_LINK_MANAGEMENT', msbMask(0) | (1n << 56n));
    rig.run(ms(20));
    expect(rig.link.width).toBe(1);
    rig.etuReset('held');
    rig.boot();
    expect(rig.link.width).toBe(8);
  });
});
