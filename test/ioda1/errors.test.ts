import { describe, expect, it } from 'vitest';
import { msbMask } from '../../src/hw/bits.js';
import { trapRegisterName } from '../../src/ioda/trap-registers.js';
import { asb, booted, CATCH_ALL, hex, lsiIrq, m32, mve, ONES, PE, RGC_IRQ, RID, type Rig, WINDOW } from './rig.js';

const pageFault = (rig: Rig) => rig.dmaWrite(WINDOW + 0x9000n, [1]);

describe('an error that freezes', () => {
  it('freezes the PE itself, though its PELT-V is empty', () => {
    const rig = booted();
    pageFault(rig);
    expect(rig.frozenPes()).toEqual([PE]);
  });

  it('freezes the PEs of its PELT-V with it, in both halves and without details', () => {
    const rig = booted();
    rig.setPair('PELTV', PE, [msbMask(PE) | msbMask(0) | msbMask(63), msbMask(0) | msbMask(62)]);
    pageFault(rig);
    expect(rig.frozenPes()).toEqual([0, PE, 63, 64, 126]);
    expect(rig.pest(64)).toEqual(['8000000000000000', '8000000000000000']);
    expect(rig.pest(PE)[0]).toBe('8000203a01000000');
  });

  it('keeps the details of a PE that falls with another one but was frozen before', () => {
    const rig = booted();
    rig.setPair('PELTV', CATCH_ALL, [msbMask(PE), 0n]);
    pageFault(rig);
    rig.sendError('ERR_FATAL', 0x7708);
    expect(rig.pest(PE)[0]).toBe('8000203a01000000');
    expect(rig.frozenPes()).toEqual([PE, CATCH_ALL]);
  });

  it('keeps the details of the first error until software clears them', () => {
    const rig = booted();
    pageFault(rig);
    rig.sendError('ERR_FATAL', 0x0200);
    expect(rig.pest(PE)[0]).toBe('8000203a01000000');
  });

  it('freezes nothing where its freeze enable is off, and still shows in trap and LEM', () => {
    const rig = booted();
    rig.write('PHB_INA_ERR_FREEZE_ENABLE', 0n);
    pageFault(rig);
    expect(rig.frozenPes()).toEqual([]);
    expect(rig.errors()).toMatchObject({ INA_ERR_STATUS: '0000000400000000', LEM_FIR_ACCUM: '0000000000000020' });
  });

  it('reaches no LEM where its LEM enable is off', () => {
    const rig = booted();
    rig.write('PHB_INA_ERR_LEM_ENABLE', 0n);
    pageFault(rig);
    expect(rig.errors()['LEM_FIR_ACCUM']).toBeUndefined();
  });

  it('does not latch under the status mask', () => {
    const rig = booted();
    rig.write('PHB_INA_ERR_STATUS_MASK', ONES);
    rig.write('PHB_INA_ERR1_STATUS_MASK', ONES);
    pageFault(rig);
    expect([rig.read('PHB_INA_ERR_STATUS'), rig.read('PHB_INA_ERR1_STATUS')]).toEqual([0n, 0n]);
  });
});

describe('the first error', () => {
  it('stays in ERR1 and the logs; later ones only add to the status', () => {
    const rig = booted();
    pageFault(rig);
    rig.sendError('ERR_FATAL', 0x0200);
    expect(hex(rig.read('PHB_INA_ERR_STATUS'))).toBe('0000000400004000');
    expect(hex(rig.read('PHB_INA_ERR1_STATUS'))).toBe('0000000400000000');
    expect(hex(rig.read('PHB_INA_ERR_LOG_0'))).toBe('0100003a00000005');
    expect(rig.read('PHB_INA_ERR_LOG_1')).toBe(WINDOW + 0x9000n);
  });

  it('is kept by the LEM in WOF, masked or not, as long as nothing else was set', () => {
    const rig = booted();
    pageFault(rig);
    rig.sendError('ERR_FATAL', 0x0200);
    expect(hex(rig.read('PHB_LEM_FIR_ACCUM'))).toBe('0000000008000020');
    expect(hex(rig.read('PHB_LEM_WOF'))).toBe('0000000000000020');
  });

  it('is not recorded anew when software clears WOF and leaves the FIR', () => {
    const rig = booted();
    pageFault(rig);
    rig.write('PHB_LEM_WOF', 0n);
    rig.sendError('ERR_FATAL', 0x0200);
    expect(rig.read('PHB_LEM_WOF')).toBe(0n);
    rig.write('PHB_LEM_FIR_ACCUM', 0n);
    rig.sendError('ERR_NONFATAL', 0x0300);
    expect(hex(rig.read('PHB_LEM_WOF'))).toBe('0000000004000000');
  });

  it('leaves the summary at zero once the traps are cleared', () => {
    const rig = booted();
    pageFault(rig);
    expect(hex(rig.read('PHB_ETU_ERR_SUMMARY'))).toBe('2000000000000000');
    expect(hex(rig.read('PHB_DMA_CHAN_STATUS'))).toBe('0000001c00000000');
    rig.clearErrors();
    rig.thaw(PE);
    expect(rig.errors()).toEqual({});
    expect(rig.read('PHB_ETU_ERR_SUMMARY')).toBe(0n);
  });
});

describe('the error interrupt of a PHB', () => {
  it('is level 7, and comes once for each status bit that comes up', () => {
    const rig = booted();
    pageFault(rig);
    expect(rig.interrupts.take()?.irq).toBe(lsiIrq(7));
    rig.interrupts.eoi(lsiIrq(7));
    pageFault(rig);
    expect(rig.interrupts.pending()).toEqual([]);
    rig.sendError('ERR_FATAL', 0x0200);
    expect(rig.interrupts.take()?.irq).toBe(lsiIrq(7));
    rig.interrupts.eoi(lsiIrq(7));
    rig.write('PHB_INA_ERR_STATUS', rig.read('PHB_INA_ERR_STATUS'));
    rig.thaw(PE);
    pageFault(rig);
    expect(rig.interrupts.take()?.irq).toBe(lsiIrq(7));
  });

  it('does not come for what only logs, nor while its enable is off', () => {
    const rig = booted();
    rig.sendError('ERR_COR');
    rig.write('PHB_INA_ERR_IRQ_ENABLE', 0n);
    pageFault(rig);
    expect(rig.interrupts.pending()).toEqual([]);
    rig.write('PHB_INA_ERR_IRQ_ENABLE', ONES);
    expect(rig.interrupts.pending()).toEqual([lsiIrq(7)]);
  });

  it('does not bring the hub in: PE errors are masked there', () => {
    const rig = booted();
    pageFault(rig);
    expect([rig.hubRead('GEM_RFIR'), rig.hubRead('GEM_RWOF')]).toEqual([0n, 0n]);
  });
});

describe('error injection through a trap', () => {
  it.each(['PHB', 'OUT', 'INA', 'INB'] as const)('runs every bit of %s through its enables', (trap) => {
    for (const bit of [0, 8, 17, 33, 40, 58]) {
      const rig = booted();
      rig.asbWrite(trapRegisterName(trap, 'ERR_INJECT'), msbMask(bit));
      expect(rig.asbRead(trapRegisterName(trap, 'ERR_STATUS')), `${bit}`).toBe(msbMask(bit));
      expect(rig.asbRead(trapRegisterName(trap, 'ERR1_STATUS')), `${bit}`).toBe(msbMask(bit));
      const fences = (rig.asbRead(trapRegisterName(trap, 'ERR_AIB_FENCE_ENABLE')) & msbMask(bit)) !== 0n;
      const freezes = (rig.asbRead(trapRegisterName(trap, 'ERR_FREEZE_ENABLE')) & msbMask(bit)) !== 0n;
      expect(rig.hub.phbs[0]!.isFenced, `${bit}`).toBe(fences);
      expect(rig.frozenPes(), `${bit}`).toHaveLength(freezes ? 128 : 0);
    }
  });
});

describe('a fence', () => {
  const fenced = (options: Parameters<typeof booted>[0] = {}): Rig => {
    const rig = booted(options);
    rig.write('PHB_OUT_ERR_INJECT', msbMask(0));
    return rig;
  };

  it('shows in trap, LEM, fence shadow and WOF, in its crossbar port and in the RGC', () => {
    const rig = fenced();
    expect(rig.errors()).toMatchObject({
      OUT_ERR_STATUS: '8000000000000000',
      LEM_FIR_ACCUM: '8000000000000000',
      LEM_WOF: '8000000000000000',
    });
    expect(hex(rig.hubRead('CHIP_FENCE_SHADOW'))).toBe('0003000000000000');
    expect(hex(rig.hubRead('CHIP_FENCE_WOF'))).toBe('0001000000000000');
    expect(hex(rig.hubRead('CI_P2_LEM_FIR_ACCUM'))).toBe('8000000000000000');
    expect(hex(rig.hubRead('RGC_LEM_FIR_ACCUM'))).toBe('0000200000000000');
  });

  it('reaches the processor as an interrupt of the hub, with PHB and units in the first-error register', () => {
    const rig = fenced();
    expect(rig.interrupts.take()).toMatchObject({ irq: RGC_IRQ, server: 0x10, priority: 0x40 });
    expect(hex(rig.hubRead('GEM_RWOF'))).toBe(hex(msbMask(16)));
    expect(hex(rig.hubRead('GEM_RFIR'))).toBe(hex(msbMask(16) | msbMask(6) | msbMask(1)));
    expect(rig.hubRead('GEM_XFIR')).toBe(0n);
  });

  it('blocks the AIB: registers, windows and configuration read all ones, and no store arrives', () => {
    const rig = fenced();
    expect(rig.read('PHB_VERSION')).toBe(ONES);
    expect(rig.load(m32(PE), 8)).toBe(ONES);
    expect(rig.config(RID, 0)).toBe(0xffff_ffffn);
    rig.write('PHB_TIMEOUT_CTRL1', 5n);
    rig.store(m32(PE), 4, 1n);
    rig.run(10_000);
    expect(rig.asbRead('PHB_TIMEOUT_CTRL1')).toBe(0n);
    expect(rig.card.received).toEqual([]);
  });

  it('leaves the side path open: real registers, and configuration cycles', () => {
    const rig = fenced();
    expect(rig.asbRead('PHB_VERSION')).toBe(0x000000a200000002n);
    rig.asbWrite('PHB_CONFIG_ADDRESS', msbMask(0));
    expect(rig.load(asb(0) + 0x130, 4)).toBe(0x1410b903n);
    rig.asbWrite('PHB_TIMEOUT_CTRL1', 5n);
    expect(rig.asbRead('PHB_TIMEOUT_CTRL1')).toBe(5n);
  });

  it('drops a table selection that comes over the AIB, so that firmware reads another entry', () => {
    const rig = booted();
    rig.setIoda('MVT', 3, mve(RID, PE));
    rig.select('MVT', 3);
    rig.write('PHB_OUT_ERR_INJECT', msbMask(0));
    rig.select('PESTA', 0);
    expect(rig.asbRead('PHB_IODA_DATA0')).toBe(mve(RID, PE));
  });

  it('takes that selection where the profile says so', () => {
    const rig = fenced({ profile: { fencedTableSelect: 'applied' } });
    rig.select('LXIVT', 0);
    expect(rig.asbRead('PHB_IODA_DATA0')).not.toBe(0n);
    expect(rig.read('PHB_IODA_DATA0')).toBe(ONES);
  });

  it('takes and answers nothing from below', () => {
    const rig = fenced();
    rig.memory.write8(rig.machine.memory.baseAddress + 0x60_1000, 0);
    expect(rig.dmaRead(WINDOW + 0x1000n, 4)).toEqual([]);
    rig.msi(6, 0x23);
    expect(rig.endInterrupts().filter((irq) => irq !== RGC_IRQ)).toEqual([]);
  });

  it('ends a load that was on its way with all ones', () => {
    const rig = booted();
    rig.card.answers.push('nothing');
    const ticket = rig.machine.bus.beginLoad(m32(PE), 4);
    rig.run(100_000);
    rig.write('PHB_OUT_ERR_INJECT', msbMask(0));
    expect(rig.machine.bus.take(ticket)).toBe(0xffff_ffffn);
  });

  it('keeps frozen PEs frozen', () => {
    const rig = booted();
    pageFault(rig);
    rig.write('PHB_OUT_ERR_INJECT', msbMask(0));
    expect(rig.frozenPes()).toEqual([PE]);
  });

  it('of one PHB leaves the others alone, each with bits of its own', () => {
    const rig = booted();
    for (const phb of [1, 2, 3, 4, 5]) {
      rig.initPhb(phb);
      rig.write('PHB_OUT_ERR_INJECT', msbMask(0), phb);
      expect(rig.hub.phbs.map(({ isFenced }) => isFenced).indexOf(true)).toBe(1);
      expect(rig.hubRead('CHIP_FENCE_SHADOW') & (0x0003_0000_0000_0000n >> BigInt(4 * phb))).not.toBe(0n);
    }
    expect(rig.load(m32(PE), 4)).toBe(0x00010203n);
    expect(hex(rig.hubRead('CHIP_FENCE_SHADOW'))).toBe('0000333330000000');
    expect(hex(rig.hubRead('CHIP_FENCE_WOF'))).toBe('0000111110000000');
  });
});
