/** Where our P7IOC firmware is meant to differ from the recorded one, as `firmware-differences.ts` has it for PHB3. */
import { type ExpectedDifference, MEMORY } from './expected-difference.js';

const INJECTIONS = Array.from({ length: 20 }, (_, fn) => {
  const number = 27 + 2 * fn;
  return `${number}-err_inject_t0_f${String(fn).padStart(2, '0')}`;
});
const DIAG = ['68-diag_data2', '73-next_error_er_diag', '87-fence_diag'];
const COMPLETE_RESETS = ['83-reset_complete', '89-fence_reset_complete'];

export const P7IOC_DIFFERENCES: readonly ExpectedDifference[] = [
  { switch: 'rgcBuid', what: ['RGC_BUID'], phases: ['01-probe_init_hw'] },
  { switch: 'rgcReadBack', what: ['RGC_IODA_DATA', 'RGC_IODA_LOCK'], phases: ['01-probe_init_hw'] },
  { switch: 'm32Mask', what: ['PHB_M32_BASE_MASK'], phases: ['01-probe_init_hw', ...COMPLETE_RESETS] },
  { switch: 'chipLevel', what: ['PHB_PAPR_ERR_INJ_CTL'], phases: INJECTIONS },
  { switch: 'refusedInjection', what: ['PHB_PAPR_ERR_INJ_CTL'], phases: INJECTIONS },
  {
    switch: 'lastTableEntry',
    what: ['PHB_IODA_DATA0', 'PHB_IODA_DATA1'],
    phases: ['01-probe_init_hw', '05-ioda_reset', ...COMPLETE_RESETS],
  },
  { switch: 'unmappedRequesters', what: ['PHB_IODA_DATA0'], phases: ['06-set_pe', ...COMPLETE_RESETS] },
  {
    switch: 'freezeStatusClass',
    what: ['ASB:PHB_LEM_FIR_ACCUM', 'PHB_IODA_ADDR', 'PHB_IODA_DATA0', MEMORY],
    phases: ['23-next_error_frozen'],
  },
  { switch: 'freezeSetFence', what: ['CHIP_FENCE_SHADOW'], phases: ['21-freeze_set'] },
  {
    switch: 'freezeClearFence',
    what: ['CHIP_FENCE_SHADOW'],
    phases: ['24-freeze_clear_mmio', '25-freeze_clear_dma', '26-freeze_clear_all', '74-next_error_er_clear'],
  },
  { switch: 'errorInterruptScan', what: ['PHB_IODA_ADDR', 'PHB_IODA_DATA0'], phases: ['78-lsi_err_irq'] },
  { switch: 'fencedPeStates', what: ['PHB_IODA_ADDR', 'ASB:PHB_IODA_ADDR'], phases: DIAG },
];
