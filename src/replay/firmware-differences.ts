/**
 * Where our PHB3 firmware is meant to differ from the recorded one: a switch of the firmware profile mends a slip, and these
 * accesses, return codes or words of memory change with it. Anything else that differs is unexplained. Under profile
 * `skiboot` nothing differs, so nothing is declared for it.
 */
import type { FirmwareProfile, FirmwareSwitchName } from '../opal/firmware-profile.js';
import { type ExpectedDifference, MEMORY } from './expected-difference.js';
import type { RecordedBoard } from './firmware-board.js';
import { P7IOC_DIFFERENCES } from './firmware-differences-p7ioc.js';

export const EXPECTED_DIFFERENCES: readonly ExpectedDifference[] = [
  { switch: 'frozenErrorType', what: [MEMORY], phases: ['25-freeze_clear_mmio'] },
  { switch: 'freezeSetFence', what: ['NFIR'], phases: ['22-freeze_set'] },
  { switch: 'errorClearSecondaryStatus', what: ['PHB_CONFIG_DATA'], phases: ['73-diag_data2_inf'] },
  {
    switch: 'errorClearCommandStatus',
    what: ['PHB_CONFIG_ADDRESS', 'PHB_CONFIG_DATA'],
    phases: ['73-diag_data2_inf'],
  },
  {
    switch: 'nextErrorFence',
    what: ['NFIR'],
    phases: [
      ...['24-next_error_frozen', '70-next_error_none', '72-next_error_inf', '73-diag_data2_inf'],
      '74-next_error_lem_fenced',
    ],
  },
  { switch: 'nextErrorFence', what: ['NFIR_MASK', 'NFIR_WOF'], phases: ['81-fence_next_error'] },
  {
    switch: 'configFence',
    what: ['NFIR'],
    phases: [
      ...['01-probe_init_hw', '02-init_slots_train_scan', '04-cfg_access', '69-diag_data2', '73-diag_data2_inf'],
      ...['76-reinit', '77-reset_hot', '78-reset_fundamental', '79-reset_complete', '84-fence_cfg'],
      ...['85-fence_reset_complete', '86-rp_slot_presence', '87-rp_slot_hot', '88-rp_slot_fund'],
    ],
  },
  {
    switch: 'refusedInjection',
    what: ['PHB_PAPR_ERR_INJ_CTL'],
    phases: [
      ...['32-err_inject_t0_f02', '33-err_inject_t1_f02', '34-err_inject_t0_f03', '35-err_inject_t1_f03'],
      ...['44-err_inject_t0_f08', '45-err_inject_t1_f08', '46-err_inject_t0_f09', '47-err_inject_t1_f09'],
    ],
  },
  {
    switch: 'disabledM64',
    what: ['PHB_IODA_DATA0'],
    phases: ['11-mmio_m64_single', '79-reset_complete', '85-fence_reset_complete'],
  },
  {
    switch: 'reinitLinkFlag',
    what: ['PHB_CONFIG_DATA', 'UTL_PCIE_PORT_IRQ_EN'],
    phases: ['79-reset_complete', '85-fence_reset_complete'],
  },
];

export function differencesOf(board: RecordedBoard): readonly ExpectedDifference[] {
  return 'hub' in board ? P7IOC_DIFFERENCES : EXPECTED_DIFFERENCES;
}

/** The switches that may have made this difference, among those that are set. */
export function switchesBehind(
  profile: FirmwareProfile,
  phase: string,
  what: string,
  expected: readonly ExpectedDifference[] = EXPECTED_DIFFERENCES,
): FirmwareSwitchName[] {
  const behind = expected.filter(
    (each) => each.phases.includes(phase) && each.what.includes(what) && profile[each.switch] === 'corrected',
  );
  return [...new Set(behind.map((each) => each.switch))];
}
