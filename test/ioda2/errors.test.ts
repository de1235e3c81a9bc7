import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { msbMask, msbMasks } from '../../src/hw/bits.js';
import { LEM_BITS, lemClassMask } from '../../src/ioda2/error-bits/lem.js';
import { TRAP_BITS } from '../../src/ioda2/error-bits/traps.js';
import {
  booted,
  ENABLES,
  hex,
  IRQ_BASE,
  m32,
  ONES,
  PAGE_AT,
  PE,
  RID,
  type Rig,
  TRAPS,
  type TrapPrefix,
} from './rig.js';

const LOAD = '0000001c00000000';

function failLoad(rig: Rig, answer: 'CA' | 'UR' = 'CA', pe = PE): void {
  rig.card.answers.push(answer);
  rig.load(m32(pe));
}

describe('an error trap', () => {
  it('keeps the first error and its log while later ones only add status', () => {
    const rig = booted();
    rig.dmaWrite(0x5000n, [1]);
    rig.thaw(PE);
    failLoad(rig, 'UR');
    expect(rig.read('PHB_INA_ERR_STATUS')).toBe(msbMasks(1, 49));
    expect(rig.read('PHB_INA_ERR1_STATUS')).toBe(msbMask(49));
    expect([rig.read('PHB_INA_ERR_LOG_0'), rig.read('PHB_INA_ERR_LOG_1')]).toEqual([0x0100_0000n, 0x5000n]);
    rig.write('PHB_INA_ERR_STATUS', ONES);
    rig.thaw(PE);
    failLoad(rig);
    expect(rig.read('PHB_INA_ERR1_STATUS')).toBe(msbMask(49));
    rig.write('PHB_INA_ERR1_STATUS', 0n);
    rig.thaw(PE);
    failLoad(rig, 'UR');
    expect([rig.read('PHB_INA_ERR1_STATUS'), rig.read('PHB_INA_ERR_LOG_0')]).toEqual([
      msbMask(1),
      0x0400_0000_0000_0000n,
    ]);
  });

  it('has status bits that software clears one by one', () => {
    const rig = booted();
    failLoad(rig);
    rig.thaw(PE);
    failLoad(rig, 'UR');
    rig.write('PHB_INA_ERR_STATUS', msbMask(0));
    expect(rig.read('PHB_INA_ERR_STATUS')).toBe(msbMask(1));
  });

  it('latches no masked bit, but the other routes go on', () => {
    const rig = booted();
    rig.write('PHB_INA_ERR_STATUS_MASK', msbMask(0));
    rig.write('PHB_INA_ERR1_STATUS_MASK', msbMask(0));
    failLoad(rig);
    expect([rig.read('PHB_INA_ERR_STATUS'), rig.read('PHB_INA_ERR1_STATUS')]).toEqual([0n, 0n]);
    expect([rig.frozenPes(), rig.read('PHB_LEM_FIR_ACCUM'), rig.pendingIsns()]).toEqual([[PE], msbMask(43), []]);
    failLoad(rig, 'UR', PE + 1);
    expect(rig.read('PHB_INA_ERR1_STATUS')).toBe(msbMask(1));
  });

  it('freezes, informs the LEM and interrupts each only where its enable says so', () => {
    const rig = booted();
    rig.write('PHB_INA_ERR_FREEZE_ENABLE', 0n);
    failLoad(rig);
    expect([rig.frozenPes(), rig.pendingIsns()]).toEqual([[], [0x7fe]]);
    rig.endInterrupts();
    rig.clearErrors();
    rig.write('PHB_INA_ERR_IRQ_ENABLE', 0n);
    failLoad(rig);
    expect(rig.pendingIsns()).toEqual([]);
    rig.write('PHB_INA_ERR_FREEZE_ENABLE', ENABLES.PHB_INA[1]);
    rig.write('PHB_INA_ERR_IRQ_ENABLE', ENABLES.PHB_INA[3]);
    expect(rig.pendingIsns()).toEqual([]);
    rig.clearErrors();
    rig.write('PHB_INA_ERR_LEM_ENABLE', 0n);
    failLoad(rig);
    expect(rig.errors()).toEqual({ INA_ERR_STATUS: hex(msbMask(0)), CPU_LOADSTORE_STATUS: LOAD });
  });

  it('interrupts when a status bit rises, once: not again after the end, nor for the same error while it stands', () => {
    const rig = booted();
    failLoad(rig);
    expect(rig.endInterrupts()).toEqual([0x7ff]);
    expect(rig.pendingIsns()).toEqual([]);
    rig.thaw(PE);
    failLoad(rig);
    expect(rig.pendingIsns()).toEqual([]);
    rig.thaw(PE);
    failLoad(rig, 'UR');
    expect(rig.endInterrupts()).toEqual([0x7ff]);
    rig.write('PHB_INA_ERR_STATUS', msbMask(0));
    rig.thaw(PE);
    failLoad(rig);
    expect(rig.endInterrupts()).toEqual([0x7ff]);
  });

  it('interrupts by two lines: ER for what freezes, INF for the rest', () => {
    const rig = booted();
    failLoad(rig);
    rig.setIoda('M64BT', 0, 0n);
    rig.load(0x3b00_0000_0000);
    expect(rig.endInterrupts()).toEqual([0x7ff, 0x7fe]);
  });

  it('does not lose an interrupt to one in service, nor to a vector that is masked', () => {
    const rig = booted();
    failLoad(rig);
    expect(rig.interrupts.take()!.irq - IRQ_BASE).toBe(0x7ff);
    rig.thaw(PE);
    failLoad(rig, 'UR');
    expect(rig.pendingIsns()).toEqual([]);
    rig.interrupts.eoi(IRQ_BASE + 0x7ff);
    expect(rig.endInterrupts()).toEqual([0x7ff]);
    rig.clearErrors();
    rig.setLxivt(7, { server: 0x40, priority: 0xff });
    rig.thaw(PE);
    failLoad(rig);
    expect(rig.pendingIsns()).toEqual([]);
    rig.setLxivt(7, { server: 0x40, priority: 7 });
    expect(rig.pendingIsns()).toEqual([0x7ff]);
  });

  it('whose interrupt could not get out, for the queue does not route it, is gone', () => {
    const rig = booted();
    rig.setNest('BAR_ENABLE', 0xe000_0000_0000_0000n);
    failLoad(rig);
    rig.setNest('BAR_ENABLE', 0xf800_0000_0000_0000n);
    expect(rig.pendingIsns()).toEqual([]);
  });
});

describe('the LEM', () => {
  it('takes masked bits into the FIR only, the first unmasked ones into WOF as well', () => {
    const rig = booted();
    failLoad(rig);
    expect([rig.read('PHB_LEM_FIR_ACCUM'), rig.read('PHB_LEM_WOF')]).toEqual([msbMask(43), 0n]);
    rig.write('PHB_LEM_ERROR_AND_MASK', ~msbMask(58) & ONES);
    rig.thaw(PE);
    rig.dmaWrite(0x5000n, [1]);
    expect(rig.read('PHB_LEM_WOF')).toBe(msbMask(58));
    rig.write('PHB_LEM_ERROR_AND_MASK', 0n);
    rig.sendError('ERR_FATAL');
    expect([rig.read('PHB_LEM_FIR_ACCUM'), rig.read('PHB_LEM_WOF')]).toEqual([msbMasks(36, 43, 58), msbMask(58)]);
  });

  it('set by software shows in WOF but freezes and fences nothing', () => {
    const rig = booted();
    rig.write('PHB_LEM_FIR_OR_MASK', msbMasks(0, 43));
    expect([rig.read('PHB_LEM_FIR_ACCUM'), rig.read('PHB_LEM_WOF')]).toEqual([msbMasks(0, 43), msbMask(0)]);
    expect([rig.fenced, rig.frozenPes(), rig.pendingIsns()]).toEqual([false, [], []]);
    rig.write('PHB_LEM_WOF', ONES);
    rig.write('PHB_LEM_FIR_ACCUM', msbMask(7));
    expect([rig.read('PHB_LEM_FIR_ACCUM'), rig.read('PHB_LEM_WOF')]).toEqual([msbMask(7), 0n]);
  });
});

describe('the summaries', () => {
  it('tell loads and stores from DMA', () => {
    const rig = booted();
    failLoad(rig);
    expect([rig.read('PHB_CPU_LOADSTORE_STATUS'), rig.read('PHB_DMA_CHAN_STATUS')].map(hex)).toEqual([LOAD, hex(0n)]);
    expect(rig.read('PHB_ETU_ERR_SUMMARY')).toBe(msbMask(2));
  });

  it('do not show again what was cleared when the other kind of error follows', () => {
    const rig = booted();
    failLoad(rig);
    rig.clearErrors();
    rig.thaw(PE);
    rig.dmaWrite(0x5000n, [1]);
    expect(hex(rig.read('PHB_CPU_LOADSTORE_STATUS'))).toBe(hex(0n));
    expect(hex(rig.read('PHB_DMA_CHAN_STATUS'))).toBe(LOAD);
  });

  it('lose each bit with what it sums up, and ETU_ERR_SUMMARY is zero after the clear sequence', () => {
    const rig = booted();
    failLoad(rig);
    rig.write('PHB_INA_ERR_STATUS', ONES);
    expect(hex(rig.read('PHB_CPU_LOADSTORE_STATUS'))).toBe('0000000c00000000');
    rig.write('PHB_INA_ERR1_STATUS', 0n);
    expect(hex(rig.read('PHB_CPU_LOADSTORE_STATUS'))).toBe('0000000400000000');
    rig.thaw(PE);
    expect(rig.read('PHB_CPU_LOADSTORE_STATUS')).toBe(0n);
    rig.clearErrors();
    expect(rig.read('PHB_ETU_ERR_SUMMARY')).toBe(0n);
    expect(rig.errors()).toEqual({});
  });
});

describe('a test error in ERR_INJECT', () => {
  const trapOf = { PHB: 'PHB', PHB_OUT: 'OUT', PHB_INA: 'INA', PHB_INB: 'INB' } as const;
  const enabled = (trap: TrapPrefix, route: 0 | 1 | 2 | 3, bit: number): boolean =>
    (ENABLES[trap][route] & msbMask(bit)) !== 0n;

  it('in OUT 0 fences the bridge at the next configuration read, which returns all ones', () => {
    const rig = booted();
    rig.write('PHB_OUT_ERR_INJECT', msbMask(0));
    expect(rig.fenced).toBe(false);
    expect(rig.config(0, 0)).toBe(0xffff_ffffn);
    expect(rig.fenced).toBe(true);
    expect(rig.errors()).toMatchObject({
      OUT_ERR_STATUS: hex(msbMask(0)),
      LEM_FIR_ACCUM: hex(msbMask(0)),
      LEM_WOF: hex(msbMask(0)),
    });
    expect(rig.asbRead('PHB_OUT_ERR_INJECT')).toBe(0n);
  });

  it('in INA 0 freezes the PE of the next configuration access, which returns all ones', () => {
    const rig = booted();
    rig.write('PHB_INA_ERR_INJECT', msbMask(0));
    expect(rig.config(RID, 0)).toBe(0xffff_ffffn);
    expect(rig.frozenPes()).toEqual([PE]);
    expect(rig.card.received).toEqual([]);
    expect(rig.config(RID, 0)).toBe(0x1410_01f0n);
  });

  it('in INA 0 fences the bridge under the enables of CAPI mode', () => {
    const rig = booted();
    rig.write('PHB_INA_ERR_FREEZE_ENABLE', 0n);
    rig.write('PHB_INA_ERR_AIB_FENCE_ENABLE', 0xffff_57fb_ff01_ffden);
    rig.write('PHB_INA_ERR_INJECT', msbMask(0));
    expect(rig.config(RID, 0)).toBe(0xffff_ffffn);
    expect([rig.fenced, rig.frozenPes().length]).toEqual([true, 256]);
    expect(rig.asbIoda('PEEV', 0)).toBe(0n);
  });

  it('in INB 57 pays with the PEs of the row of the next DMA, which is refused', () => {
    const rig = booted();
    rig.setPeltv(PE, [8]);
    rig.write('PHB_INB_ERR_INJECT', msbMask(57));
    expect(rig.dmaRead(0x1000n, 4).map((tlp) => tlp.status)).toEqual(['CA']);
    expect(rig.frozenPes()).toEqual([PE, 8]);
    rig.thawAll();
    rig.write('PHB_INB_ERR_INJECT', msbMask(40));
    rig.dmaWrite(0x1000n, [1]);
    expect(rig.memory.read8(PAGE_AT(1))).toBe(0);
    expect(rig.errors()).toMatchObject({ DMA_CHAN_STATUS: '0000001800000000' });
  });

  it('in INA hits the completion of a load, in OUT the load before it leaves', () => {
    const rig = booted();
    rig.write('PHB_INA_ERR_INJECT', msbMask(1));
    expect(rig.load(m32(PE))).toBe(0xffff_ffffn);
    expect(rig.card.got('MRd')).toHaveLength(1);
    rig.thaw(PE);
    rig.write('PHB_OUT_ERR_INJECT', msbMask(17));
    expect(rig.load(m32(PE))).toBe(0xffff_ffffn);
    expect(rig.card.got('MRd')).toHaveLength(1);
    expect(rig.frozenPes()).toEqual([PE]);
    rig.thaw(PE);
    rig.write('PHB_OUT_ERR_INJECT', msbMask(2));
    rig.store(m32(PE), 4, 1n);
    rig.run(1000);
    expect(rig.card.got('MWr')).toEqual([]);
    expect(rig.frozenPes()).toEqual([]);
  });

  it('in the PHB trap is raised at once', () => {
    const rig = booted();
    rig.write('PHB_ERR_INJECT', msbMask(40));
    expect(rig.frozenPes()).toHaveLength(256);
    expect(rig.errors()).toMatchObject({ ERR_STATUS: hex(msbMask(40)), LEM_FIR_ACCUM: hex(msbMask(61)) });
  });

  it.each(TRAPS)('of any bit in %s does what the enables of the firmware make of it', (trap) => {
    const name = trapOf[trap];
    const pe = 3;
    fc.assert(
      fc.property(fc.nat(63), (bit) => {
        const rig = booted();
        rig.write(`${trap}_ERR_INJECT`, msbMask(bit));
        if (name !== 'PHB') rig.config(RID, 0, 4, pe);
        const fences = enabled(trap, 2, bit);
        expect(rig.fenced).toBe(fences);
        const lem = TRAP_BITS[name][bit]!.lem;
        const forwarded = lem !== undefined && enabled(trap, 0, bit);
        expect(rig.asbRead('PHB_LEM_FIR_ACCUM')).toBe(forwarded ? msbMask(lem) : 0n);
        if (fences) return;
        const frozen = enabled(trap, 1, bit) ? (name === 'PHB' ? 256 : 1) : 0;
        expect(rig.frozenPes()).toHaveLength(frozen);
        const isn = enabled(trap, 3, bit) ? [frozen > 0 ? 0x7ff : 0x7fe] : [];
        expect(rig.pendingIsns()).toEqual(isn);
      }),
      { seed: 5, numRuns: 25 },
    );
  });

  it('reaches every LEM bit that the firmware sorts, and no fatal one is masked', () => {
    const rig = booted();
    const mask = rig.read('PHB_LEM_ERROR_MASK');
    expect(lemClassMask('FENCE') & mask).toBe(0n);
    expect(lemClassMask('ER') & ~mask).toBe(0n);
    expect(LEM_BITS).toHaveLength(64);
  });
});
