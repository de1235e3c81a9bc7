/**
 * Where the real firmware slips, and what it should have done: one switch each. `skiboot` repeats the slip, access by
 * access; `corrected` mends it. Code asks the switch by its name. docs/firmware-profiles.md shows this table.
 * Facts: opal-pci 5, 6, 7, 12, ioda2-phb3 7.11, 7.12, 8.
 */
import { type FirmwareSwitch, P7IOC_SWITCHES } from './p7ioc-switches.js';

export type { FirmwareSwitch };

export const FIRMWARE_SWITCHES = {
  peNumberCheck: {
    skiboot:
      'freeze status and freeze clear look at no PE number: one beyond the last reads another word, clears another entry',
    corrected: 'such a number is refused with PARAMETER',
    source:
      'hw/phb3.c: phb3_eeh_freeze_status, phb3_eeh_freeze_clear; hw/p7ioc-phb.c: p7ioc_eeh_freeze_status, p7ioc_eeh_freeze_clear (6.2)',
  },
  freezeClearAction: {
    skiboot: 'freeze clear takes any action word and clears by its two low bits, or nothing',
    corrected: 'an action other than 1, 2 or 3 is refused with PARAMETER',
    source: 'hw/phb3.c: phb3_eeh_freeze_clear; hw/p7ioc-phb.c: p7ioc_eeh_freeze_clear (6.2)',
  },
  frozenErrorType: {
    skiboot: 'the error type of a frozen PE stays "no error"',
    corrected: 'it is "PE MMIO" or "PE DMA", by the cause in the PEST',
    source: 'hw/phb3.c: phb3_eeh_freeze_status',
  },
  brokenFreezeStatus: {
    skiboot: 'freeze status of a broken PHB returns HARDWARE, so the state it stores goes unread',
    corrected: 'it returns SUCCESS, as for a fence',
    source: 'hw/phb3.c: phb3_eeh_freeze_status',
  },
  freezeSetFence: {
    skiboot: 'freeze set does not ask for a fence: it reads ones and writes them back into nothing',
    corrected: 'it returns HARDWARE while the PHB is fenced',
    source: 'hw/phb3.c: phb3_eeh_freeze_set; hw/p7ioc-phb.c: p7ioc_eeh_freeze_set (6.2)',
  },
  errorClearSecondaryStatus: {
    skiboot:
      'the error clear sequence stores 10 00 00 00 to dword 0x1c of the root port: the windows change, no status bit is cleared',
    corrected: 'it writes ones to the secondary status and leaves the I/O window alone',
    source: 'hw/phb3.c: phb3_err_ER_clear; hw/p7ioc-phb.c: p7ioc_ER_err_clear (6.2)',
  },
  errorClearCommandStatus: {
    skiboot: 'the command and status meant for dword 0x04 go to dword 0x40, where they do nothing',
    corrected: 'the status half of dword 0x04 is cleared, the command stays',
    source: 'hw/phb3.c: phb3_err_ER_clear; hw/p7ioc-phb.c: p7ioc_ER_err_clear (6.2)',
  },
  nextErrorFence: {
    skiboot: 'next error finds a fence by the error bits behind it only, and only if an error is pending',
    corrected: 'it asks for the fence first',
    source: 'hw/phb3.c: phb3_eeh_next_error',
  },
  nextErrorBroken: {
    skiboot: "next error of a broken PHB leaves the caller's PE number as it was",
    corrected: 'it stores all ones, no PE in particular',
    source: 'hw/phb3.c: phb3_eeh_next_error (6.2)',
  },
  errorEventOwner: {
    skiboot: 'the error interrupt raises event 0x200 without noting the PHB: the first next error of any PHB lowers it',
    corrected: 'the event stays up until each PHB that raised it was asked',
    source: 'hw/phb3.c: phb3_err_interrupt; core/pci-opal.c: opal_pci_eeh_clear_evt',
  },
  configFence: {
    skiboot: 'configuration accesses trust the last look at the fence, however old',
    corrected: 'each looks anew',
    source: 'hw/phb3.c: PHB3_PCI_CFG_READ, phb3_fenced',
  },
  refusedInjection: {
    skiboot: 'an injection that is refused after the check of the PE has disarmed the one before',
    corrected: 'a refused call leaves the one before armed',
    source: 'hw/phb3.c: phb3_err_inject; hw/p7ioc-phb.c: p7ioc_err_inject (6.2)',
  },
  injectionWindows: {
    skiboot: 'a 64-bit memory injection considers only the first M64 window that carries the PE',
    corrected: "it takes the window with the caller's address, if one has it",
    source: 'hw/phb3.c: phb3_err_inject_mem64',
  },
  disabledM64: {
    skiboot:
      'disabling a single-PE window leaves base, mask and PE bits: the PE becomes part of the mask of a later shared use',
    corrected: 'the entry of a single-PE window is emptied',
    source: 'hw/phb3.c: phb3_phb_mmio_enable',
  },
  bypassStart: {
    skiboot: 'the low eight bits of the start of an untranslated DMA window are lost',
    corrected: 'the window begins where the caller says',
    source: 'hw/phb3.c: phb3_map_pe_dma_window_real',
  },
  unassignedBusCompare: {
    skiboot: 'bus compare code 1, which the ABI does not assign, compares two bits; on P7IOC it is stored as it is',
    corrected: 'it is refused with PARAMETER',
    source: 'hw/phb3.c: phb3_set_pe; hw/p7ioc-phb.c: p7ioc_set_pe (6.2)',
  },
  eoiOwner: {
    skiboot: 'MSI EOI takes any interrupt number and uses its low 11 bits',
    corrected: 'a number that is no message interrupt of this PHB is refused with PARAMETER',
    source: 'hw/phb3.c: phb3_pci_msi_eoi',
  },
  armedRetry: {
    skiboot: 'a fundamental reset that succeeds stays armed for one retry, which a later hot reset then uses',
    corrected: 'the retry is disarmed when the link is up',
    source: 'hw/phb3.c: phb3_freset, phb3_retry_state',
  },
  linkTimeout: {
    skiboot: 'a reset whose link stays away reports success',
    corrected: 'it reports HARDWARE',
    source: 'hw/phb3.c: phb3_poll_link; core/pcie-slot.c: pcie_slot_sm_poll_link',
  },
  linkTimeoutBlock: {
    skiboot:
      'configuration below the root port stays blocked after a reset whose link stays away, or whose slot is empty',
    corrected: 'it is open again',
    source: 'hw/phb3.c: phb3_prepare_link_change, phb3_poll_link; hw/p7ioc-phb.c: p7ioc_prepare_link_change (6.2)',
  },
  failedReinit: {
    skiboot: 'a complete reset goes on after the initialisation failed, and reports success',
    corrected: 'the poll reports HARDWARE and the slot is idle',
    source: 'hw/phb3.c: phb3_creset; hw/p7ioc-phb.c: p7ioc_creset (6.2)',
  },
  brokenInit: {
    skiboot:
      'a broken PHB refuses the configuration writes of its own initialisation: it comes back with the root port as reset left it',
    corrected: 'the initialisation reaches the root port',
    source: 'hw/phb3.c: phb3_init_hw, phb3_pcicfg_check',
  },
  queueTimeout: {
    skiboot:
      'a complete reset that waited in vain for the queue to drain keeps its state: another poll looks once more',
    corrected: 'the slot is idle after the error',
    source: 'hw/phb3.c: phb3_creset',
  },
  reinitLinkFlag: {
    skiboot:
      'the initialisation inside a complete reset enables link events if the link was up before, though PERST is asserted',
    corrected: 'it treats the link as down',
    source: 'hw/phb3.c: phb3_init_utl, phb3_init_rc_cfg',
  },
  naplesBypass: {
    skiboot: 'on Naples, untranslated DMA below 4 GiB is enabled by the first initialisation only',
    corrected: 'by every one',
    source: 'hw/phb3.c: phb3_init_hw',
  },
  ecrcWithoutAer: {
    skiboot: 'an endpoint without AER capability has the ECRC bits set in whatever stands at offset 0x18',
    corrected: 'such an endpoint is left alone',
    source: 'hw/phb3.c: phb3_endpoint_init; hw/p7ioc-phb.c: p7ioc_endpoint_init (6.2)',
  },
  reinitResult: {
    skiboot: 'reinit of a device reports success, also if every access of it was refused',
    corrected: 'it reports HARDWARE then',
    source: 'hw/phb3.c: phb3_device_init, phb3_pci_reinit; hw/p7ioc-phb.c: p7ioc_pci_reinit (6.2)',
  },
  restoreWalk: {
    skiboot:
      'after a reset the first device that is silent ends the restore of bus numbers for all behind it; then every device is initialised, silent or not',
    corrected: 'a silent device, and what is below it, is left out of both',
    source: 'core/pci.c: __pci_restore_bridge_buses, pci_restore_slot_bus_configs',
  },
  idlePoll: {
    skiboot: 'polling an idle slot logs an invalid state and returns HARDWARE',
    corrected: 'it returns SUCCESS, as the description of the interface says',
    source: 'core/pci-slot.c: pci_slot_run_sm',
  },
  brokenOffDelay: {
    skiboot: 'a reset that is broken off leaves its delay running: polls tell the rest of it before the error',
    corrected: 'the delay ends with the reset',
    source: 'core/pci-slot.c: pci_slot_run_sm',
  },
  powerOnLink: {
    skiboot:
      'power on looks for devices at once; if the power needs time, the link must be up within 500 looks 10 ms apart, else BUSY',
    corrected: 'power on waits 20 ms and then polls the link as a reset does; HARDWARE if there is none (7.1 does so)',
    source: 'core/pci-opal.c: opal_pci_set_power_state, set_power_timer (6.2)',
  },
  deviceCompatible: {
    skiboot: 'device nodes have no "compatible": the name is made up and then not published',
    corrected: 'they have "pciexVVVV,DDDD" or "pciVVVV,DDDD"',
    source: 'core/pci.c: pci_add_one_device_node',
  },
  interruptSwizzle: {
    skiboot:
      'the interrupt map of a bridge turns the pins by its own device number only: turns of bridges above it are lost',
    corrected: 'the turns add up on the way',
    source: 'core/pci.c: pci_add_device_nodes',
  },
  ...P7IOC_SWITCHES,
} as const satisfies Record<string, FirmwareSwitch>;

export type FirmwareSwitchName = keyof typeof FIRMWARE_SWITCHES;
export type FirmwareBehaviour = 'skiboot' | 'corrected';
export type FirmwareProfile = Readonly<Record<FirmwareSwitchName, FirmwareBehaviour>>;
/** One behaviour for all, or `skiboot` with single switches set. */
export type FirmwareProfileChoice = FirmwareBehaviour | Partial<FirmwareProfile>;

export const FIRMWARE_SWITCH_NAMES = Object.keys(FIRMWARE_SWITCHES) as readonly FirmwareSwitchName[];
const BEHAVIOURS: readonly string[] = ['skiboot', 'corrected'];

export class FirmwareProfileError extends Error {
  override readonly name = 'FirmwareProfileError';
}

export function firmwareProfile(choice: FirmwareProfileChoice = 'skiboot'): FirmwareProfile {
  const base = typeof choice === 'string' ? choice : 'skiboot';
  const single = typeof choice === 'string' ? {} : choice;
  for (const [name, behaviour] of [['the whole profile', base], ...Object.entries(single)])
    checkBehaviour(name!, behaviour);
  for (const name of Object.keys(single)) checkName(name);
  return { ...sameForAll(base), ...single };
}

function sameForAll(behaviour: FirmwareBehaviour): FirmwareProfile {
  return Object.fromEntries(FIRMWARE_SWITCH_NAMES.map((name) => [name, behaviour])) as FirmwareProfile;
}

function checkBehaviour(name: string, behaviour: unknown): void {
  if (typeof behaviour === 'string' && BEHAVIOURS.includes(behaviour)) return;
  throw new FirmwareProfileError(
    `firmware profile: ${name} cannot be "${String(behaviour)}"; it is "skiboot" or "corrected"`,
  );
}

function checkName(name: string): void {
  if (Object.hasOwn(FIRMWARE_SWITCHES, name)) return;
  throw new FirmwareProfileError(
    `firmware profile: there is no switch "${name}"; the switches are ${FIRMWARE_SWITCH_NAMES.join(', ')}`,
  );
}
