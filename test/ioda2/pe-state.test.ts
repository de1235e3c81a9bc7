import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { msbMask } from '../../src/hw/bits.js';
import { booted, m32, m64, ONES, PE, PEST, RID, type Rig } from './rig.js';

const FROZEN = msbMask(0);

/** A load that the card aborts. */
function failLoad(rig: Rig, pe = PE): void {
  rig.card.answers.push('CA');
  expect(rig.load(m32(pe, 0x10))).toBe(0xffff_ffffn);
}

describe('PESTA, PESTB and PEEV', () => {
  it('freeze and thaw a PE half by half; PEEV names it while either half stands', () => {
    const rig = booted();
    rig.setIoda('PESTA', 70, FROZEN);
    expect(rig.frozenPes()).toEqual([70]);
    rig.setIoda('PESTB', 70, FROZEN);
    rig.setIoda('PESTA', 70, 0n);
    expect(rig.frozenPes()).toEqual([70]);
    rig.setIoda('PESTB', 70, 0n);
    expect(rig.frozenPes()).toEqual([]);
  });

  it('leave no trap, LEM bit, interrupt or memory entry when software freezes', () => {
    const rig = booted();
    rig.setIoda('PESTA', PE, ONES);
    expect(rig.errors()).toEqual({});
    expect(rig.pendingIsns()).toEqual([]);
    expect(rig.memory.read64(PEST + 16 * PE)).toBe(0n);
  });

  it('let a direct PEEV write stand until PESTA or PESTB of that PE is written', () => {
    const rig = booted();
    rig.setIoda('PESTA', 3, FROZEN);
    rig.setIoda('PEEV', 0, 0n);
    expect(rig.frozenPes()).toEqual([]);
    rig.setIoda('PESTA', 4, FROZEN);
    expect(rig.frozenPes()).toEqual([4]);
    rig.setIoda('PESTB', 3, FROZEN);
    expect(rig.frozenPes()).toEqual([3, 4]);
    expect(rig.ioda('PESTA', 3)).toBe(FROZEN);
  });

  it('always agree, whatever PEs software freezes and thaws in whatever order', () => {
    const rig = booted();
    const step = fc.record({
      pe: fc.nat(255),
      table: fc.constantFrom('PESTA' as const, 'PESTB' as const),
      value: fc.constantFrom(0n, FROZEN, ONES, FROZEN >> 1n),
    });
    const half = { PESTA: new Set<number>(), PESTB: new Set<number>() };
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        for (const { pe, table, value } of steps) {
          rig.setIoda(table, pe, value);
          if ((value & FROZEN) === 0n) half[table].delete(pe);
          else half[table].add(pe);
        }
        const union = [...new Set([...half.PESTA, ...half.PESTB])].sort((a, b) => a - b);
        expect(rig.frozenPes()).toEqual(union);
        for (const { pe } of steps) {
          expect(rig.ioda('PESTA', pe)).toBe(half.PESTA.has(pe) ? FROZEN : 0n);
          expect(rig.ioda('PESTB', pe)).toBe(half.PESTB.has(pe) ? FROZEN : 0n);
        }
      }),
      { seed: 3, numRuns: 60 },
    );
  });
});

describe('the PEST in memory', () => {
  it('keeps the cause with bit 0 clear in both words; the chip has the freeze bits', () => {
    const rig = booted();
    failLoad(rig);
    expect(rig.memory.read64(PEST + 16 * PE)).toBe(0x0480_002b_0000_0000n);
    expect(rig.memory.read64(PEST + 16 * PE + 8)).toBe(0n);
    expect([rig.ioda('PESTA', PE), rig.ioda('PESTB', PE)]).toEqual([FROZEN, FROZEN]);
  });

  it('keeps the first error of a frozen PE while traps and LEM show the second too', () => {
    const rig = booted();
    failLoad(rig);
    rig.sendError('ERR_FATAL');
    expect(rig.pest(PE)).toEqual(['8480002b00000000', '8000000000000000']);
    expect(rig.errors()).toMatchObject({ INB_ERR_STATUS: '0000000000000040', LEM_FIR_ACCUM: '0000000008100000' });
  });

  it('keeps the first error when one half is thawed, and takes the next after both were', () => {
    const rig = booted();
    failLoad(rig);
    rig.setIoda('PESTA', PE, 0n);
    rig.sendError('ERR_FATAL');
    expect(rig.pest(PE)[0]).toBe('8480002b00000000');
    rig.thaw(PE);
    rig.sendError('ERR_FATAL');
    expect(rig.pest(PE)[0]).toBe('8710002401000000');
  });

  it('outlives a thaw and a reset of the bridge', () => {
    const rig = booted();
    failLoad(rig);
    rig.thaw(PE);
    rig.etuReset('held');
    expect(rig.memory.read64(PEST + 16 * PE)).toBe(0x0480_002b_0000_0000n);
  });

  it('fences the bridge when it is needed and its BAR is disabled; the PE is frozen all the same', () => {
    const rig = booted();
    rig.write('PHB_PEST_BAR', BigInt(PEST));
    failLoad(rig);
    expect(rig.fenced).toBe(true);
    expect(rig.errors()).toMatchObject({
      INA_ERR_STATUS: '8000000000000000',
      INB_ERR_STATUS: '0000000000001000',
      LEM_FIR_ACCUM: '0000000000104000',
      LEM_WOF: '0000000000004000',
    });
    expect([rig.asbIoda('PESTA', PE), rig.asbIoda('PEEV', 0)]).toEqual([FROZEN, msbMask(PE)]);
  });

  it('fences the bridge when it lies outside of memory', () => {
    const rig = booted();
    rig.write('PHB_PEST_BAR', FROZEN | 0x10_0000_0000n);
    failLoad(rig);
    expect(rig.errors()).toMatchObject({ INA_ERR_STATUS: '8000000008000000' });
    expect(rig.fenced).toBe(true);
  });
});

describe('a frozen PE', () => {
  it('gets all ones from loads, and neither loads nor stores leave the bridge', () => {
    const rig = booted();
    rig.setIoda('PESTA', PE, FROZEN);
    expect([rig.load(m32(PE), 1), rig.load(m32(PE), 8), rig.load(m64(PE), 4)]).toEqual([0xffn, ONES, 0xffff_ffffn]);
    rig.store(m32(PE), 4, 1n);
    rig.store(m64(PE), 8, 1n);
    rig.run(10_000);
    expect(rig.card.received.filter((tlp) => tlp.kind.startsWith('M'))).toEqual([]);
    expect(rig.errors()).toEqual({});
  });

  it('still reads and writes configuration space', () => {
    const rig = booted();
    rig.setIoda('PESTA', PE, FROZEN);
    rig.setIoda('PESTB', PE, FROZEN);
    rig.setConfig(RID, 0x3c, [0x0b]);
    expect(rig.config(RID, 0x3c, 1)).toBe(0x0bn);
  });

  it('with only its DMA stopped still answers loads; with only its MMIO frozen still moves data', () => {
    const rig = booted();
    rig.setIoda('PESTB', PE, FROZEN);
    expect(rig.load(m32(PE, 4))).toBe(0x0405_0607n);
    expect(rig.dmaRead(0x1000n, 4).map((tlp) => tlp.status)).toEqual(['CA']);
    rig.setIoda('PESTB', PE, 0n);
    rig.setIoda('PESTA', PE, FROZEN);
    expect(rig.dmaRead(0x1000n, 4).map((tlp) => tlp.status)).toEqual(['SC']);
    expect(rig.errors()).toEqual({});
  });

  it('changes nothing for PEs outside its row of the PELT-V', () => {
    const rig = booted();
    const rows = fc.uniqueArray(fc.nat(255), { maxLength: 6 });
    fc.assert(
      fc.property(
        fc.nat(255),
        rows,
        fc.constantFrom('ERR_FATAL' as const, 'ERR_NONFATAL' as const),
        (pe, row, kind) => {
          for (let byte = 0; byte < 32; byte++) rig.memory.write8(0x20_0000 + 32 * pe + byte, 0);
          rig.setPeltv(pe, row);
          rig.setRte(RID, pe);
          rig.sendError(kind);
          expect(rig.frozenPes()).toEqual([...row].sort((a, b) => a - b));
          for (const other of row) rig.thaw(other);
          const outside = row.includes((pe + 1) & 255) ? undefined : (pe + 1) & 255;
          if (outside !== undefined) expect(rig.load(m32(outside, 8))).toBe(0x0809_0a0bn);
          rig.clearErrors();
        },
      ),
      { seed: 7, numRuns: 40 },
    );
  });
});
