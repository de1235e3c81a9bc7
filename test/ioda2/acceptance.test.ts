/**
 * The least a model of PHB3 must show, check by check in the order of the list. Firmware brings the chip up and speaks
 * to it by its calls; the card is there for what goes wrong. Facts: ioda2-phb3 11.2.
 */
import { describe, expect, it } from 'vitest';
import { msbMask } from '../../src/hw/bits.js';
import {
  FreezeAction,
  FreezeState,
  InjectFunction,
  InjectType,
  ResetScope,
  Severity,
} from '../../src/opal/opal-api.js';
import { DMA_PAGE, FirmwareBench } from './firmware-bench.js';
import { hex, ONES, PE, RESERVED_PE, RID } from './rig.js';

/** Fence enables and LEM mask that firmware programs in CAPI mode. Facts: ioda2-phb3 7.3. */
const CAPI_ENABLES = {
  PHB_ERR_AIB_FENCE_ENABLE: 0xffff_ffdd_8c80_ffc0n,
  PHB_OUT_ERR_AIB_FENCE_ENABLE: 0x9cf3_fe08_f8dc_700fn,
  PHB_INA_ERR_AIB_FENCE_ENABLE: 0xffff_57fb_ff01_ffden,
  PHB_INB_ERR_AIB_FENCE_ENABLE: 0xfcff_e0fb_ff7f_f0ecn,
  PHB_LEM_ERROR_MASK: 0x4001_8e24_0002_2482n,
} as const;

const bench = (): FirmwareBench => new FirmwareBench().withCardInPe(PE);
const CONFIG_READ = { pe: PE, type: InjectType.IOA_BUS_ERR, address: 0n, mask: 0n } as const;

/** An injected error of a configuration read, and the read that meets it. */
function injectIntoConfigRead(rig: FirmwareBench): number {
  expect(rig.call(rig.opal.pciErrInject(0, { ...CONFIG_READ, function: InjectFunction.LD_CFG_ADDR }))).toBe(0);
  return rig.call(rig.opal.pciConfigRead(0, RID, 0, 4)).value;
}

describe('the acceptance checks', () => {
  it('firmware init sequence: ends with ETU_ERR_SUMMARY 0, link up, no PE frozen', () => {
    const rig = new FirmwareBench();
    expect(rig.read('PHB_ETU_ERR_SUMMARY')).toBe(0n);
    expect(rig.read('PHB_PCIE_DLP_TRAIN_CTL') & msbMask(23)).not.toBe(0n);
    expect(rig.machine.phbs[0]!.link.isUp).toBe(true);
    expect(rig.frozenPes()).toEqual([]);
  });

  it('config read of an empty slot: all ones, PE frozen, LEM bit 43, PEST 0x8440002b00000000 (UR)', () => {
    const rig = bench();
    // Nobody has the number; who is above it says so. No PE is mapped for it, so firmware charges the reserved one.
    rig.card.answers.push('UR');
    expect(rig.call(rig.opal.pciConfigRead(0, 0x0208, 0, 4)).value).toBe(0xffff_ffff);
    expect(rig.frozenPes()).toEqual([RESERVED_PE]);
    expect(rig.read('PHB_LEM_FIR_ACCUM')).toBe(msbMask(43));
    expect(rig.pest(RESERVED_PE)).toEqual(['8440002b00000000', '8000000000000000']);
  });

  it('MMIO load CA: PEST A 0x8480002b00000000, B 0x8000000000000000, PLSSR 0x0000001c00000000, INA 0x8000000000000000', () => {
    const rig = bench();
    rig.card.answers.push('CA');
    expect(rig.load()).toBe(0xffff_ffffn);
    expect(rig.pest(PE)).toEqual(['8480002b00000000', '8000000000000000']);
    expect(hex(rig.read('PHB_CPU_LOADSTORE_STATUS'))).toBe('0000001c00000000');
    expect(hex(rig.read('PHB_INA_ERR_STATUS'))).toBe('8000000000000000');
    expect(rig.read('PHB_DMA_CHAN_STATUS')).toBe(0n);
  });

  it('unfreeze MMIO only: loads work, DMA still blocked, PEEV bit still 1', () => {
    const rig = bench();
    rig.card.answers.push('CA');
    rig.load();
    expect(rig.call(rig.opal.pciEehFreezeClear(0, PE, FreezeAction.MMIO))).toBe(0);
    expect(rig.load()).toBe(0x0001_0203n);
    expect(rig.dmaRead(0x1000n)).toEqual(['CA']);
    rig.dmaWrite(0x1000n, [0x42]);
    expect(rig.machine.memory.read8(DMA_PAGE)).toBe(0);
    expect(rig.frozenPes()).toEqual([PE]);
    expect(rig.call(rig.opal.pciEehFreezeStatus(0, PE))).toMatchObject({ freezeState: FreezeState.DMA_FREEZE });
  });

  it('unfreeze both: PEEV bit 0; LEM FIR cleared by the clear sequence', () => {
    const rig = bench();
    rig.card.answers.push('CA');
    rig.load();
    expect(rig.read('PHB_LEM_FIR_ACCUM')).toBe(msbMask(43));
    expect(rig.call(rig.opal.pciEehFreezeClear(0, PE, FreezeAction.ALL))).toBe(0);
    expect(rig.frozenPes()).toEqual([]);
    expect([rig.read('PHB_LEM_FIR_ACCUM'), rig.read('PHB_ETU_ERR_SUMMARY')]).toEqual([0n, 0n]);
    expect([rig.load(), ...rig.dmaRead(0x1000n)]).toEqual([0x0001_0203n, 'SC']);
  });

  it('TCE removal without TCE_KILL: DMA still works until killed', () => {
    const rig = bench();
    rig.dmaWrite(0x1000n, [1]);
    rig.setTce(1, 0n);
    rig.dmaWrite(0x1000n, [2]);
    expect([rig.machine.memory.read8(DMA_PAGE), rig.frozenPes()]).toEqual([2, []]);
    rig.write('PHB_TCE_KILL', msbMask(1) | BigInt(PE));
    rig.dmaWrite(0x1000n, [3]);
    expect([rig.machine.memory.read8(DMA_PAGE), rig.frozenPes()]).toEqual([2, [PE]]);
  });

  it('RTT change without RTC invalidate: old PE still charged', () => {
    const rig = bench();
    rig.dmaWrite(0x1000n, [1]);
    rig.machine.memory.write16(rig.tables.rtt.address + 2 * RID, 9);
    rig.dmaWrite(0x2000n, [1]);
    expect(rig.frozenPes()).toEqual([PE]);
    rig.call(rig.opal.pciEehFreezeClear(0, PE, FreezeAction.ALL));
    rig.write('PHB_RTC_INVALIDATE', msbMask(0));
    rig.dmaWrite(0x2000n, [1]);
    expect(rig.frozenPes()).toEqual([9]);
  });

  it('ERR_FATAL from a device: all PEs in its PELT-V row frozen, others not', () => {
    const rig = bench();
    for (const child of [6, 64, 200]) rig.call(rig.opal.pciSetPeltv(0, PE, child, 1));
    rig.sendError('ERR_FATAL');
    expect(rig.frozenPes()).toEqual([PE, 6, 64, 200]);
  });

  it('NFIR OR 0x000000f000000000: NFIR bit 16, MMIO all ones, ASB still readable, CRESET recovers', () => {
    const rig = bench();
    rig.setNest('NFIR_OR', 0x0000_00f0_0000_0000n);
    expect(rig.nest('NFIR') & msbMask(16)).toBe(msbMask(16));
    expect([rig.read('PHB_VERSION'), rig.load()]).toEqual([ONES, 0xffff_ffffn]);
    expect(rig.asbRead('PHB_VERSION')).toBe(0xa3_0000_0005n);
    expect(rig.call(rig.opal.pciEehFreezeStatus(0, PE))).toMatchObject({ severity: Severity.PHB_FENCED });
    expect(rig.call(rig.resetSlot(ResetScope.PHB_COMPLETE))).toBe(0);
    expect(rig.nest('NFIR')).toBe(0n);
    rig.withCardInPe(PE);
    expect([rig.load(), rig.read('PHB_ETU_ERR_SUMMARY'), ...rig.frozenPes()]).toEqual([0x0001_0203n, 0n]);
  });

  it('PAPR config-read injection: all 256 PEs frozen with port IRQ bit 12 enabled, only the target with it disabled', () => {
    const discard = msbMask(12);
    const target = bench();
    expect(target.read('UTL_PCIE_PORT_IRQ_EN') & discard).toBe(0n);
    expect(injectIntoConfigRead(target)).toBe(0xffff_ffff);
    expect(target.frozenPes()).toEqual([PE]);

    const all = bench();
    all.write('UTL_PCIE_PORT_IRQ_EN', all.read('UTL_PCIE_PORT_IRQ_EN') | discard);
    expect(injectIntoConfigRead(all)).toBe(0xffff_ffff);
    expect(all.frozenPes()).toHaveLength(256);
  });

  it('CAPI fence-enable values: the same injection fences instead of freezing', () => {
    const rig = bench();
    for (const [name, value] of Object.entries(CAPI_ENABLES)) rig.write(name as keyof typeof CAPI_ENABLES, value);
    injectIntoConfigRead(rig);
    expect(rig.nest('NFIR') & msbMask(16)).toBe(msbMask(16));
    expect(rig.read('PHB_VERSION')).toBe(ONES);
    expect(rig.call(rig.opal.pciEehFreezeStatus(0, PE))).toMatchObject({ severity: Severity.PHB_FENCED });

    const frozen = bench();
    injectIntoConfigRead(frozen);
    expect(frozen.nest('NFIR') & msbMask(16)).toBe(0n);
    expect(frozen.call(frozen.opal.pciEehFreezeStatus(0, PE))).toMatchObject({ severity: Severity.PE_ER });
  });
});
