/** What the trace says of errors and freezes, and how far a test error reaches. */
import { describe, expect, it } from 'vitest';
import { msbMask } from '../../src/hw/bits.js';
import { TRAP_NAMES } from '../../src/ioda2/error-bits/bit-lists.js';
import { ERROR_EVENT_NAMES } from '../../src/ioda2/error-bits/events.js';
import { ERROR_INJECTED, ERROR_RAISED, PE_FREEZE } from '../../src/ioda2/trace.js';
import { booted, PE, RID } from './rig.js';
import { records } from './trace-records.js';

const NO_PE = 0xffff;
const FROZEN = msbMask(0);

describe('the trace of an error', () => {
  it('names event, PE, requester and address', () => {
    const rig = booted();
    const event = ERROR_EVENT_NAMES.indexOf('tce-page-fault');
    const seen = records(rig, ERROR_RAISED, () => rig.dmaWrite(0x4008n, [1]));
    expect(seen).toEqual([[event, PE, RID, 0, 0x4008]]);
  });

  it('says so where no PE, no requester and no address belong to it', () => {
    const rig = booted();
    const event = ERROR_EVENT_NAMES.indexOf('register-address');
    const unknownOffset = (): void => {
      rig.host.load(rig.machine.addressMap.phbBase(0) + 0xff8, 8);
    };
    expect(records(rig, ERROR_RAISED, unknownOffset)).toEqual([[event, NO_PE, 0, 0, 0]]);
  });

  it('tells a test error by trap, bit and PE', () => {
    const rig = booted();
    rig.write('PHB_INA_ERR_INJECT', msbMask(24));
    expect(records(rig, ERROR_INJECTED, () => rig.dmaWrite(0x1000n, [1]))).toEqual([
      [TRAP_NAMES.indexOf('INA'), 24, PE],
    ]);
    const atOnce = booted();
    expect(records(atOnce, ERROR_INJECTED, () => atOnce.write('PHB_ERR_INJECT', msbMask(40)))).toEqual([
      [TRAP_NAMES.indexOf('PHB'), 40, NO_PE],
    ]);
  });

  it('shows each half of a PE when it freezes and when it is let go, once', () => {
    const rig = booted();
    const fault = (): void => rig.dmaWrite(0x4008n, [1]);
    const halves = (state: 0 | 1): number[][] => [
      [PE, 0, state],
      [PE, 1, state],
    ];
    expect(records(rig, PE_FREEZE, fault)).toEqual(halves(1));
    expect(records(rig, PE_FREEZE, fault)).toEqual([]);
    expect(records(rig, PE_FREEZE, () => rig.setIoda('PESTA', PE, FROZEN))).toEqual([]);
    expect(records(rig, PE_FREEZE, () => rig.thaw(PE))).toEqual(halves(0));
  });

  it('shows both halves let go when the bridge is reset', () => {
    const rig = booted();
    rig.dmaWrite(0x4008n, [1]);
    const reset = (): void => {
      rig.etuReset('held');
      rig.etuReset('released');
    };
    expect(records(rig, PE_FREEZE, reset)).toEqual([
      [PE, 0, 0],
      [PE, 1, 0],
    ]);
  });
});

describe('a test error of a DMA', () => {
  it('in INA freezes that PE alone, whatever its row of the PELT-V says', () => {
    const rig = booted();
    rig.setPeltv(PE, [8]);
    rig.write('PHB_INA_ERR_INJECT', msbMask(24));
    rig.dmaWrite(0x1000n, [1]);
    expect(rig.frozenPes()).toEqual([PE]);
  });

  it('leaves a PEST that blames no transaction, with the LEM bit of its trap bit', () => {
    const rig = booted();
    rig.write('PHB_INA_ERR_INJECT', msbMask(24));
    rig.dmaWrite(0x1000n, [1]);
    expect(rig.pest(PE)).toEqual(['8700002900000000', '8000000000000000']);
  });
});

describe('the summary of DMA errors', () => {
  it.each(['PESTA', 'PESTB'] as const)('keeps its freeze bit while one half of a PE is frozen: %s', (half) => {
    const rig = booted();
    rig.dmaWrite(0x4008n, [1]);
    rig.setIoda(half === 'PESTA' ? 'PESTB' : 'PESTA', PE, 0n);
    expect(rig.asbRead('PHB_DMA_CHAN_STATUS')).toBe(0x1c_0000_0000n);
    rig.thaw(PE);
    expect(rig.asbRead('PHB_DMA_CHAN_STATUS')).toBe(0x18_0000_0000n);
  });

  it('has no freeze bit for an error that freezes nobody', () => {
    const rig = booted();
    rig.setRte(RID, 0xffff);
    rig.dmaWrite(0x1000n, [1]);
    expect(rig.frozenPes()).toEqual([]);
    expect(rig.asbRead('PHB_DMA_CHAN_STATUS')).toBe(0x18_0000_0000n);
  });
});
