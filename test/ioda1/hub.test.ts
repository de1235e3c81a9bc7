import { describe, expect, it } from 'vitest';
import { msbMask } from '../../src/hw/bits.js';
import { HUB_UNIT_NAMES, HUB_UNITS } from '../../src/ioda1/error-bits/units.js';
import { aib, asb, booted, hex, io, MWIN1, MWIN2, m32, ONES, RGC_IRQ, Rig, vector } from './rig.js';

/** Software's way to make a unit report: the OR port of its macro. */
const report = (rig: Rig, unit: (typeof HUB_UNIT_NAMES)[number], ...bits: number[]) =>
  rig.hubWrite(
    `${unit}_LEM_FIR_OR_MASK`,
    bits.reduce((mask, bit) => mask | msbMask(bit), 0n),
  );

describe('the address map', () => {
  it('has the side path of all six PHBs before any rule is set, and no fast path', () => {
    const rig = new Rig();
    for (const phb of [0, 1, 2, 3, 4, 5]) {
      expect(rig.load(asb(phb) + 0x800, 8)).toBe(0x000000a200000002n);
      expect(rig.load(aib(phb) + 0x800, 8)).toBe(ONES);
    }
  });

  it('has the fast path of each PHB once base and rule are set', () => {
    const rig = booted();
    for (const phb of [0, 1, 2, 3, 4, 5]) {
      rig.store(aib(phb) + 0xf80, 8, BigInt(phb) + 1n);
      expect(rig.load(asb(phb) + 0xf80, 8)).toBe(BigInt(phb) + 1n);
    }
  });

  it.each([
    ['an offset without a register', MWIN1 + 0x3e_0000],
    ['beyond the register space', MWIN1 + 0x1000_0000],
    ['a PHB number that does not exist', MWIN1 + 6 * 0x1_0000],
  ])('answers all ones at %s', (_name, address) => {
    const rig = booted();
    expect(rig.load(address, 8)).toBe(ONES);
    rig.store(address, 8, 1n);
    expect(rig.hub.isDead).toBe(false);
  });

  it('answers all ones to a partial access of a hub register, and takes no such store', () => {
    const rig = booted();
    expect(rig.load(MWIN1 + 0x3e_0020, 4)).toBe(0xffff_ffffn);
    rig.store(MWIN1 + 0x3e_0020, 4, 0n);
    expect(rig.hubRead('GEM_MASK')).toBe(0x000f_033f_ffff_ffffn);
  });

  it('answers all ones where no rule leads anywhere', () => {
    const rig = booted();
    rig.hubWrite('CI_RMATC_47', 0n);
    expect(rig.load(MWIN1 + 0x3e_0020, 8)).toBe(ONES);
    rig.store(MWIN1 + 0x3e_0020, 8, 0n);
    expect(rig.load(m32(0), 4)).toBe(0x00010203n);
  });

  it('leaves addresses outside of its two ranges to others', () => {
    const { hub } = booted();
    expect([MWIN1 - 1, MWIN1 + 0x2_0000_0000, MWIN2 - 1, MWIN2 + 0x60_0000_0000].map((at) => hub.claims(at))).toEqual([
      false,
      false,
      false,
      false,
    ]);
  });

  it('follows the lowest rule that matches', () => {
    const rig = booted();
    const [mask, match] = [rig.hubRead('CI_RMASK_3'), rig.hubRead('CI_RMATC_3')];
    rig.hubWrite('CI_RMASK_0', mask);
    rig.hubWrite('CI_RMATC_0', (match & ~msbMask(2)) | msbMask(5));
    expect(rig.load(io(5), 4)).toBe(0xffff_ffffn);
    expect(hex(rig.asbRead('PHB_OUT_ERR_STATUS', 3))).toBe('2000000000000000');
  });

  it('sends a store to every port of its rule', () => {
    const rig = booted();
    for (const phb of [0, 1]) rig.initPhb(phb);
    rig.hubWrite('RGC_PHB1_BASE', BigInt(aib(0)));
    rig.hubWrite('CI_RMATC_2', rig.hubRead('CI_RMATC_2') | msbMask(3));
    rig.store(aib(0) + 0xf80, 8, 9n);
    expect([rig.asbRead('PHB_TRACE_CONTROL', 0), rig.asbRead('PHB_TRACE_CONTROL', 1)]).toEqual([9n, 9n]);
  });
});

describe('the tables of the hub interrupts', () => {
  const rig = booted();

  it('step their index on stores only, so that initialisation fills every entry though it reads back', () => {
    rig.hubWrite('RGC_IODA_ADDR', 0x8002_0000_0000_0000n);
    for (let level = 0; level < 16; level++) {
      rig.hubWrite('RGC_IODA_DATA', BigInt(level) << 40n);
      rig.hubRead('RGC_IODA_DATA');
    }
    const vectors = Array.from({ length: 16 }, (_, level) => rig.hub.peekTable('XIVT', level));
    expect(vectors).toEqual(Array.from({ length: 16 }, (_, level) => BigInt(level) << 40n));
    expect(rig.hubRead('RGC_IODA_ADDR')).toBe(0x8002_0000_0000_0000n);
  });

  it('are not guarded by the lock that a read takes', () => {
    expect([rig.hubRead('RGC_IODA_LOCK'), rig.hubRead('RGC_IODA_LOCK')]).toEqual([0n, msbMask(0)]);
    rig.hubWrite('RGC_IODA_ADDR', 0x0000_0000_0000_0002n);
    rig.hubWrite('RGC_IODA_DATA', 7n);
    expect(rig.hub.peekTable('HRT', 2)).toBe(7n);
    rig.hubWrite('RGC_IODA_LOCK', 0n);
    expect(rig.hubRead('RGC_IODA_LOCK')).toBe(0n);
  });

  it('have no fourth table', () => {
    rig.hubWrite('RGC_IODA_ADDR', 0x0003_0000_0000_0000n);
    rig.hubWrite('RGC_IODA_DATA', ONES);
    expect(rig.hubRead('RGC_IODA_DATA')).toBe(0n);
  });
});

describe.each(HUB_UNIT_NAMES)('the macro of %s', (unit) => {
  it('reads back FIR and mask through its AND and OR ports, and clears by AND', () => {
    const rig = booted();
    rig.hubWrite(`${unit}_LEM_ACTION0`, ONES);
    rig.hubWrite(`${unit}_LEM_ERROR_MASK`, ONES);
    report(rig, unit, 20, 21);
    expect(rig.hubRead(`${unit}_LEM_FIR_OR_MASK`)).toBe(msbMask(20) | msbMask(21));
    rig.hubWrite(`${unit}_LEM_FIR_AND_MASK`, ~msbMask(20) & ONES);
    expect(rig.hubRead(`${unit}_LEM_FIR_AND_MASK`)).toBe(msbMask(21));
    rig.hubWrite(`${unit}_LEM_ERROR_AND_MASK`, 0xffn);
    rig.hubWrite(`${unit}_LEM_ERROR_OR_MASK`, 0x100n);
    expect([rig.hubRead(`${unit}_LEM_ERROR_AND_MASK`), rig.hubRead(`${unit}_LEM_ERROR_OR_MASK`)]).toEqual([
      0x1ffn,
      0x1ffn,
    ]);
  });

  it('keeps in WOF what came first and together', () => {
    const rig = booted();
    rig.hubWrite(`${unit}_LEM_ERROR_MASK`, ONES);
    report(rig, unit, 20, 21);
    report(rig, unit, 22);
    expect(rig.hubRead(`${unit}_LEM_WOF`)).toBe(msbMask(20) | msbMask(21));
  });

  it('drives its bit of the global macro while a recoverable error stands unmasked', () => {
    const rig = booted();
    const { gemBit } = HUB_UNITS[unit];
    rig.hubWrite(`${unit}_LEM_ACTION0`, ONES);
    rig.hubWrite(`${unit}_LEM_ERROR_MASK`, ONES);
    report(rig, unit, 36);
    expect(rig.hubRead('GEM_RFIR')).toBe(0n);
    rig.hubWrite(`${unit}_LEM_ERROR_MASK`, ~msbMask(36) & ONES);
    expect([rig.hubRead('GEM_RFIR'), rig.hubRead('GEM_RIRQFIR'), rig.hubRead('GEM_RWOF')]).toEqual([
      msbMask(gemBit),
      msbMask(gemBit),
      msbMask(gemBit),
    ]);
    expect(rig.interrupts.pending()).toEqual([RGC_IRQ]);
    rig.hubWrite(`${unit}_LEM_FIR_ACCUM`, 0n);
    expect([rig.hubRead('GEM_RFIR'), rig.hubRead('GEM_RWOF')]).toEqual([0n, msbMask(gemBit)]);
  });
});

describe('the global error macro', () => {
  it('lets a masked unit show, but not interrupt', () => {
    const rig = booted();
    rig.hubWrite('GEM_MASK', ONES);
    report(rig, 'RGC', 18);
    expect([rig.hubRead('GEM_RFIR'), rig.hubRead('GEM_RIRQFIR')]).toEqual([msbMask(1), 0n]);
    expect(rig.interrupts.pending()).toEqual([]);
    rig.hubWrite('GEM_MASK', 0n);
    expect(rig.interrupts.pending()).toEqual([RGC_IRQ]);
  });

  it('keeps the first unit until software clears it, and takes the next that comes', () => {
    const rig = booted();
    report(rig, 'RGC', 18);
    report(rig, 'CI_P0', 4);
    expect(rig.hubRead('GEM_RWOF')).toBe(msbMask(1));
    rig.hubWrite('GEM_RWOF', 0n);
    report(rig, 'I2C', 0);
    expect(rig.hubRead('GEM_RWOF')).toBe(msbMask(1) | msbMask(4) | msbMask(25));
  });

  it('interrupts once, and not again before every error is cleared', () => {
    const rig = booted();
    report(rig, 'RGC', 18);
    expect(rig.interrupts.take()).toEqual({ irq: RGC_IRQ, server: 0x10, priority: 0x40 });
    rig.interrupts.eoi(RGC_IRQ);
    report(rig, 'BI_UP', 4);
    expect(rig.interrupts.pending()).toEqual([]);
    rig.hubWrite('RGC_LEM_FIR_ACCUM', 0n);
    rig.hubWrite('BI_UP_LEM_FIR_ACCUM', 0n);
    report(rig, 'RGC', 18);
    expect(rig.interrupts.take()?.irq).toBe(RGC_IRQ);
  });

  it('does not interrupt while its vector is masked or the hub has no bus unit', () => {
    const rig = booted();
    rig.hubWrite('RGC_IODA_ADDR', 0x0002_0000_0000_0000n);
    rig.hubWrite('RGC_IODA_DATA', vector({ priority: 0xff }));
    report(rig, 'RGC', 18);
    expect(rig.interrupts.pending()).toEqual([]);
    rig.hubWrite('RGC_BUID', 0n);
    rig.hubWrite('RGC_IODA_DATA', vector({ server: 1 }));
    expect(rig.interrupts.pending()).toEqual([]);
    rig.hubWrite('RGC_BUID', 0x0000_0010_0000_0000n);
    expect(rig.interrupts.pending()).toEqual([RGC_IRQ]);
  });

  it('shows an unmasked informational error of a PHB', () => {
    const rig = booted();
    rig.initPhb(3);
    rig.asbWrite('PHB_LEM_FIR_OR_MASK', msbMask(1), 3);
    expect(rig.hubRead('GEM_RWOF')).toBe(msbMask(19));
  });
});

describe('damage control of a crossbar port', () => {
  it.each([2, 5, 8, 9, 10, 11, 13])('fences the PHB of the port for error %d', (bit) => {
    const rig = booted();
    rig.initPhb(4);
    report(rig, 'CI_P6', bit);
    expect(rig.hub.phbs.map(({ isFenced }) => isFenced)).toEqual([false, false, false, false, true, false]);
    expect(hex(rig.hubRead('CHIP_FENCE_SHADOW'))).toBe('0000000300000000');
    expect(rig.hub.isDead).toBe(false);
  });

  it('fences nothing for error 0, which only tells of a fence', () => {
    const rig = booted();
    report(rig, 'CI_P6', 0);
    expect(rig.hubRead('CHIP_FENCE_SHADOW')).toBe(0n);
  });

  it('fences nothing once its enables are cleared', () => {
    const rig = booted();
    rig.hubWrite('CI_P6_LDCP', 0n);
    report(rig, 'CI_P6', 2);
    expect(rig.hubRead('CHIP_FENCE_SHADOW')).toBe(0n);
  });
});

describe('a hub with a fatal error', () => {
  it.each([
    ['RGC', 0],
    ['BI_UP', 0],
    ['BI_DOWN', 1],
    ['CI_P0', 1],
    ['CI_P1', 1],
    ['CI_P5', 3],
    ['MISC', 30],
    ['I2C', 3],
  ] as const)('of %s no longer answers: registers, PHBs, windows', (unit, bit) => {
    const rig = booted();
    report(rig, unit, bit);
    expect(rig.hub.isDead).toBe(true);
    expect([rig.hubRead('GEM_XFIR'), rig.hubRead('CHIP_FENCE_SHADOW'), rig.asbRead('PHB_VERSION')]).toEqual([
      ONES,
      ONES,
      ONES,
    ]);
    expect(rig.load(m32(5), 4)).toBe(0xffff_ffffn);
    rig.store(m32(5), 4, 1n);
    rig.run(10_000);
    expect(rig.card.received).toEqual([]);
    rig.sendMessage(0x20);
    expect(rig.interrupts.pending()).toEqual([]);
  });

  it('shows its error registers, and nothing else, where the profile lets it', () => {
    const rig = booted({ profile: { deadHub: 'errors-readable' } });
    report(rig, 'RGC', 0);
    expect([rig.hubRead('GEM_XFIR'), rig.hubRead('RGC_LEM_WOF'), rig.hubRead('RGC_CCRR')]).toEqual([
      msbMask(1),
      msbMask(0),
      ONES,
    ]);
  });

  it('goes on where damage control leaves the error out', () => {
    const rig = booted();
    report(rig, 'RGC', 26);
    expect([rig.hub.isDead, rig.hubRead('GEM_XFIR')]).toEqual([false, msbMask(1)]);
  });

  it('dies of a fault inside a unit as of a report through its macro', () => {
    const rig = booted();
    rig.hub.reportUnitError('BI_UP', 40);
    expect([rig.hub.isDead, rig.hubRead('GEM_RWOF')]).toEqual([false, msbMask(2)]);
    rig.hub.reportUnitError('BI_UP', 32);
    expect(rig.hub.isDead).toBe(true);
  });
});
