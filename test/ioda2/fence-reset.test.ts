import { describe, expect, it } from 'vitest';
import { msbMask, msbMasks } from '../../src/hw/bits.js';
import { NFIR_BITS } from '../../src/ioda2/error-bits/nfir.js';
import type { PbcqNestRegisterName } from '../../src/ioda2/registers/pbcq.js';
import { PHB_REGISTERS, type PhbRegisterName } from '../../src/ioda2/registers/phb.js';
import { booted, ENABLES, hex, m32, ONES, PE, PEST, RID, type Rig, TRAPS } from './rig.js';

/** Fence enables that firmware programs in CAPI mode. Facts: ioda2-phb3 7.3. */
const CAPI_FENCES = {
  PHB: 0xffff_ffdd_8c80_ffc0n,
  PHB_OUT: 0x9cf3_fe08_f8dc_700fn,
  PHB_INA: 0xffff_57fb_ff01_ffden,
  PHB_INB: 0xfcff_e0fb_ff7f_f0ecn,
} as const;

const FENCE = msbMask(16);
const FORCE = msbMasks(24, 25, 26, 27);

/** What firmware's complete reset does to PBCQ and ETU. */
function completeReset(rig: Rig): void {
  if (!rig.fenced) rig.setNest('NFIR_OR', FORCE);
  const saved = rig.nest('NFIR');
  rig.etuReset('held');
  rig.run(10_000_000);
  expect(rig.nest('CQ_STATUS')).toBe(0n);
  rig.setNest('NFIR_AND', ~saved & ONES);
}

describe('a fence', () => {
  it.each([24, 25, 26, 27])('follows when software sets NFIR bit %i', (bit) => {
    const rig = booted();
    rig.setNest('NFIR_OR', msbMask(bit));
    expect(rig.nest('NFIR')).toBe(msbMask(bit) | FENCE);
    expect(rig.nest('NFIR_WOF') & FENCE).toBe(bit === 24 || bit === 27 ? 0n : FENCE);
    expect(rig.read('PHB_VERSION')).toBe(ONES);
  });

  it('follows when software writes NFIR bit 16 itself, but not for other bits', () => {
    const rig = booted();
    rig.setNest('NFIR', msbMask(5));
    expect([rig.fenced, rig.read('PHB_VERSION')]).toEqual([false, 0xa3_0000_0005n]);
    rig.setNest('NFIR', FENCE);
    expect(rig.read('PHB_VERSION')).toBe(ONES);
  });

  it.each(NFIR_BITS.filter(({ bit }) => bit !== 16))(
    'follows NFIR bit $bit ($name) exactly if the service firmware made it freeze the unit',
    ({ bit, prd }) => {
      const rig = booted();
      rig.setNest('NFIR_OR', msbMask(bit));
      expect(rig.fenced).toBe(prd === 'freeze' || FORCE === (FORCE | msbMask(bit)));
      expect(rig.read('PHB_VERSION')).toBe(rig.fenced ? ONES : 0xa3_0000_0005n);
    },
  );

  it('does not follow a freezing bit that is masked, or whose actions ask for something else', () => {
    const rig = booted();
    rig.setNest('NFIR_MASK', msbMask(3));
    rig.setNest('NFIR_ACTION0', ONES & ~msbMask(4));
    rig.setNest('NFIR_OR', msbMasks(3, 4));
    expect([rig.fenced, rig.nest('NFIR_WOF')]).toEqual([false, msbMask(4)]);
  });

  it('turns every MMIO into all ones, while registers answer through the ASB', () => {
    const rig = booted();
    rig.setNest('NFIR_OR', FORCE);
    expect([rig.read('PHB_LEM_ERROR_MASK'), rig.load(m32(PE), 8), rig.config(0, 0)]).toEqual([
      ONES,
      ONES,
      0xffff_ffffn,
    ]);
    rig.write('PHB_LEM_FIR_ACCUM', 1n);
    rig.store(m32(PE), 4, 1n);
    expect(rig.asbRead('PHB_LEM_FIR_ACCUM')).toBe(0n);
    rig.asbWrite('PHB_LEM_FIR_ACCUM', 2n);
    expect(rig.asbRead('PHB_LEM_FIR_ACCUM')).toBe(2n);
    expect(rig.asbRead('PHB_VERSION')).toBe(0xa3_0000_0005n);
    expect(rig.card.got('MRd', 'MWr')).toEqual([]);
  });

  it('ends outstanding loads and configuration reads with all ones', () => {
    const rig = booted();
    const { bus, sim } = rig.machine;
    rig.card.answers.push('nothing', 'nothing', 'nothing', 'nothing');
    rig.setConfig(RID, 0x40, [1]);
    const tickets = [
      bus.beginLoad(m32(PE), 8),
      bus.beginLoad(m32(PE, 8), 2),
      bus.beginLoad(rig.address('PHB_CONFIG_DATA'), 4),
    ];
    rig.run(5000);
    expect(rig.card.answers).toEqual([]);
    const before = sim.now;
    rig.setNest('NFIR_OR', FORCE);
    expect(tickets.map((ticket) => bus.take(ticket))).toEqual([ONES, 0xffffn, 0xffff_ffffn]);
    expect(sim.now - before).toBeLessThan(10_000);
    rig.run(20_000_000);
    expect(rig.errors()).toEqual({});
  });

  it('comes back when it is cleared while it is still driven', () => {
    const rig = booted();
    rig.setNest('NFIR_OR', FORCE);
    rig.setNest('NFIR_AND', 0n);
    expect(rig.nest('NFIR')).toBe(FENCE);
    rig.setNest('NFIR', 0n);
    expect(rig.nest('NFIR')).toBe(FENCE);
  });

  it('comes back while one of the forcing bits stands, once the reset is over', () => {
    const rig = booted();
    rig.setNest('NFIR_OR', FORCE);
    rig.etuReset('held');
    rig.setNest('NFIR_AND', ~FENCE & ONES);
    expect(rig.fenced).toBe(false);
    rig.etuReset('released');
    rig.setNest('NFIR_AND', ~msbMask(24) & ONES);
    expect(rig.fenced).toBe(true);
  });

  it('does not follow forcing bits set while the bridge is held in reset', () => {
    const rig = booted();
    rig.etuReset('held');
    rig.setNest('NFIR_OR', FORCE);
    expect(rig.nest('NFIR')).toBe(FORCE);
  });

  it('by an error shows in WOF, freezes no PE and happens once', () => {
    const rig = booted();
    rig.setNest('NFIR_MASK', 0x0030_006e_0000_0000n);
    rig.write('PHB_ERR_INJECT', msbMask(0));
    expect([rig.nest('NFIR'), rig.nest('NFIR_WOF')]).toEqual([FENCE, FENCE]);
    rig.setNest('NFIR_WOF', 0n);
    rig.asbWrite('PHB_ERR_INJECT', msbMask(1));
    expect([rig.nest('NFIR'), rig.nest('NFIR_WOF')]).toEqual([FENCE, 0n]);
    expect(rig.asbIoda('PEEV', 0)).toBe(0n);
    expect(rig.errors()).toMatchObject({ ERR_STATUS: hex(msbMasks(0, 1)), LEM_WOF: hex(msbMask(17)) });
  });

  it('is ended by a complete reset', () => {
    const rig = booted();
    rig.setNest('NFIR_OR', FORCE);
    completeReset(rig);
    expect(rig.nest('NFIR')).toBe(0n);
    rig.boot();
    expect(rig.link.isUp).toBe(true);
    expect([rig.config(RID, 0), rig.load(m32(PE))]).toEqual([0x1410_01f0n, 0x0001_0203n]);
    expect(rig.errors()).toEqual({});
  });
});

describe('a reset of the ETU', () => {
  it('answers no register access, by MMIO or ASB, and lets nothing through', () => {
    const rig = booted();
    rig.etuReset('held');
    expect([rig.read('PHB_VERSION'), rig.asbRead('PHB_VERSION'), rig.load(m32(PE))]).toEqual([
      ONES,
      ONES,
      0xffff_ffffn,
    ]);
    rig.asbWrite('PHB_LEM_FIR_ACCUM', 1n);
    rig.etuReset('released');
    expect([rig.asbRead('PHB_VERSION'), rig.asbRead('PHB_LEM_FIR_ACCUM')]).toEqual([0xa3_0000_0005n, 0n]);
  });

  it('clears registers, traps, LEM and freezes, and keeps the PBCQ and memory', () => {
    const rig = booted();
    rig.sendMessage(0x20);
    rig.card.answers.push('CA');
    rig.load(m32(PE));
    rig.write('PHB_PAPR_ERR_INJ_CTL', 1n);
    const kept: PbcqNestRegisterName[] = [
      ...(['PHB_BAR', 'MMIO_BAR0', 'MMIO_BAR1', 'MMIO_MASK0', 'MMIO_MASK1'] as const),
      ...(['BAR_ENABLE', 'IRSN_COMPARE', 'IRSN_MASK', 'LSI_SOURCE_ID'] as const),
    ];
    const before = kept.map((name) => rig.nest(name));
    rig.etuReset('held');
    // The level of INTA is gone; the error interrupt was sent before and cannot be taken back.
    expect(rig.pendingIsns()).toEqual([0x7ff]);
    rig.etuReset('released');
    expect(rig.errors()).toEqual({});
    expect(rig.frozenPes()).toEqual([]);
    expect([rig.read('PHB_LEM_ERROR_MASK'), rig.read('PHB_RTT_BAR'), rig.read('PHB_PAPR_ERR_INJ_CTL')]).toEqual([
      ONES,
      0n,
      0n,
    ]);
    expect(rig.read('UTL_PCIE_PORT_STATUS')).toBe(ONES);
    rig.write('PHB_RESET', 0xd000_0000_0000_0000n);
    rig.run(5_000_000);
    expect([rig.read('UTL_PCIE_PORT_STATUS'), rig.config(0, 0x104), rig.config(0, 0x18)]).toEqual([0n, 0n, 0n]);
    expect(kept.map((name) => rig.nest(name))).toEqual(before);
    expect(rig.memory.read64(PEST + 16 * PE)).toBe(0x0480_002b_0000_0000n);
  });

  it('writes no PEST entry although the link goes down with it', () => {
    const rig = booted();
    rig.etuReset('held');
    rig.run(1000);
    for (const pe of [0, PE, 255]) expect(rig.memory.read64(PEST + 16 * pe)).toBe(0n);
    expect(rig.link.isUp).toBe(false);
  });

  it('ends what was outstanding and resets the card', () => {
    const rig = booted();
    const { bus, sim } = rig.machine;
    rig.card.answers.push('nothing');
    const resets = rig.card.resets;
    const ticket = bus.beginLoad(m32(PE), 4);
    rig.run(3000);
    rig.etuReset('held');
    while (!bus.isDone(ticket)) sim.step();
    expect(bus.take(ticket)).toBe(0xffff_ffffn);
    expect(rig.card.resets).toBeGreaterThan(resets);
  });

  it('written again in the state it has changes nothing', () => {
    const rig = booted();
    rig.setNest('NFIR_OR', FORCE);
    rig.etuReset('released');
    rig.setNest('NFIR_AND', 0n);
    expect(rig.asbRead('PHB_RTT_BAR')).not.toBe(0n);
    expect(rig.fenced).toBe(true);
    rig.etuReset('held');
    rig.etuReset('held');
    expect(rig.read('PHB_VERSION')).toBe(ONES);
  });
});

/** Every register of the page that software can read back, through the side path. */
function snapshot(rig: Rig): Record<string, bigint> {
  const skipped = new Set<PhbRegisterName>([
    ...(['PHB_CONFIG_DATA', 'PHB_LOCK0', 'PHB_LOCK1', 'PHB_FFI_LOCK', 'PHB_IODA_ADDR', 'PHB_IODA_DATA0'] as const),
    ...(['PHB_CONFIG_ADDRESS', 'PHB_PCIE_DLP_TRAIN_CTL', 'PHB_PCIE_LINK_MANAGEMENT', 'PHB_RESET'] as const),
    'UTL_PCIE_PORT_STATUS',
  ]);
  const names = PHB_REGISTERS.names.filter((name) => !skipped.has(name));
  return Object.fromEntries(names.map((name) => [name, rig.asbRead(name)]));
}

function tables(rig: Rig): bigint[] {
  const entries = [...Array(8).keys()].map((index) => rig.asbIoda('LXIVT', index));
  return [...entries, rig.asbIoda('TVT', 2 * PE), rig.asbIoda('M64BT', 0), rig.asbIoda('M32DT', 7), ...rig.peev()];
}

describe('a reset of the slot', () => {
  it.each([
    {
      kind: 'hot',
      assert: (rig: Rig) => rig.setConfig(0, 0x3e, [0x42, 0x00]),
      release: (rig: Rig) => rig.setConfig(0, 0x3e, [0x02, 0x00]),
    },
    {
      kind: 'fundamental',
      assert: (rig: Rig) => rig.write('PHB_RESET', 0xd000_0000_0000_0000n),
      release: (rig: Rig) => rig.write('PHB_RESET', 0xf000_0000_0000_0000n),
    },
  ])('that is $kind keeps every register, table, freeze and error of the bridge', ({ assert, release }) => {
    const rig = booted();
    rig.write('UTL_PCIE_PORT_IRQ_EN', 0xad42_8000_0000_0000n);
    rig.card.answers.push('CA');
    rig.load(m32(PE));
    const before = [snapshot(rig), tables(rig)];
    const rootPort = [0x04, 0x18, 0x50, 0x108].map((register) => rig.config(0, register));
    const { resets } = rig.card;
    assert(rig);
    rig.run(1_000_000_000);
    expect(rig.link.isUp).toBe(false);
    release(rig);
    rig.run(1_000_000_000);
    expect([rig.link.isUp, rig.card.resets]).toEqual([true, resets + 1]);
    expect([snapshot(rig), tables(rig)]).toEqual(before);
    expect([0x04, 0x18, 0x50, 0x108].map((register) => rig.config(0, register))).toEqual(rootPort);
    expect(rig.frozenPes()).toEqual([PE]);
    expect(rig.read('UTL_PCIE_PORT_STATUS')).toBe(msbMask(11));
  });
});

describe('a reset of the core', () => {
  it('clears the UTL and the root port, and nothing of the ETU', () => {
    const rig = booted();
    rig.card.answers.push('CA');
    rig.load(m32(PE));
    rig.write('UTL_PCIE_PORT_IRQ_EN', 0xad42_8000_0000_0000n);
    rig.write('UTL_PCIE_PORT_CONTROL', 0x8588_0070_0000_0000n);
    const errors = rig.errors();
    rig.write('PHB_RESET', 0n);
    rig.write('PHB_RESET', 0xd000_0000_0000_0000n);
    rig.run(5_000_000);
    expect([rig.read('UTL_PCIE_PORT_IRQ_EN'), rig.read('UTL_PCIE_PORT_CONTROL'), rig.config(0, 0x18)]).toEqual([
      0n,
      0n,
      0n,
    ]);
    expect([rig.errors(), rig.frozenPes(), rig.ioda('M64BT', 0) !== 0n]).toEqual([errors, [PE], true]);
  });
});

describe('a dead bridge', () => {
  it('reads all ones where firmware looks: the LEM through the side path while held in reset', () => {
    const rig = booted();
    rig.etuReset('held');
    expect(rig.asbRead('PHB_LEM_FIR_ACCUM')).toBe(ONES);
  });
});

describe('CAPI mode', () => {
  it('makes each recoverable bit fence, and OUT 41 besides, which stays masked', () => {
    const rig = booted();
    for (const trap of TRAPS) {
      const moved = (ENABLES[trap][2] ^ CAPI_FENCES[trap]) & ONES;
      const multipleHit = trap === 'PHB_OUT' ? msbMask(41) : 0n;
      expect(moved & ~multipleHit).toBe(ENABLES[trap][1]);
      rig.write(`${trap}_ERR_AIB_FENCE_ENABLE`, CAPI_FENCES[trap]);
      rig.write(`${trap}_ERR_FREEZE_ENABLE`, 0n);
    }
    rig.sendError('ERR_NONFATAL');
    expect([rig.fenced, rig.asbIoda('PEEV', 0), rig.asbRead('PHB_INB_ERR_STATUS')]).toEqual([true, 0n, msbMask(58)]);
  });

  it('is left in a complete reset by the switch of the side path alone', () => {
    const rig = booted();
    rig.setSpci(3, msbMask(0));
    rig.setNest('NFIR_OR', FORCE);
    expect(rig.host.scomRead(0x0901_3c03)).toBe(msbMask(0));
    rig.setSpci(3, 0n);
    completeReset(rig);
    rig.boot();
    rig.write('PHB_CONTROL', msbMasks(11));
    rig.setIoda('TVT', 2 * PE, 0x0000_00ff_ffff_0200n);
    rig.dmaWrite(0x0040_1000n, [0x42]);
    expect([rig.memory.read8(0x0040_1000), rig.frozenPes()]).toEqual([0, [PE]]);
  });

  it('lets untranslated entries without bit 51 pass, and only then', () => {
    const rig = booted();
    rig.setIoda('TVT', 2 * PE, 0x0000_00ff_ffff_0200n);
    rig.dmaWrite(0x1_0000_1000n, [1]);
    expect(rig.frozenPes()).toEqual([PE]);
    rig.thaw(PE);
    rig.setSpci(3, msbMasks(0, 1));
    rig.write('PHB_CONTROL', msbMasks(11));
    rig.dmaWrite(0x0040_1000n, [0x42]);
    expect(rig.memory.read8(0x0040_1000)).toBe(0x42);
    rig.setSpci(3, 0n);
    rig.dmaWrite(0x0040_1000n, [0x43]);
    expect([rig.memory.read8(0x0040_1000), rig.frozenPes()]).toEqual([0x42, [PE]]);
  });

  it('makes the same error fence instead of freeze', () => {
    const rig = booted();
    rig.write('PHB_INA_ERR_FREEZE_ENABLE', 0n);
    rig.write('PHB_INA_ERR_AIB_FENCE_ENABLE', 0xffff_57fb_ff01_ffden);
    rig.card.answers.push('CA');
    expect(rig.load(m32(PE))).toBe(0xffff_ffffn);
    expect([rig.fenced, rig.asbIoda('PEEV', 0)]).toEqual([true, 0n]);
  });
});
