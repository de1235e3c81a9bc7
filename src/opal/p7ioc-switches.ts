/**
 * Slips of the P7IOC driver, one switch each; `firmware-profile.ts` says what a switch is.
 * Facts: ioda1-p7ioc 12, opal-pci 12.
 */

export interface FirmwareSwitch {
  readonly skiboot: string;
  readonly corrected: string;
  /** Where the real firmware has it; a number in brackets is the version, if it is not all of them. */
  readonly source: string;
}

export const P7IOC_SWITCHES = {
  // ---- initialisation and resets
  rgcBuid: {
    skiboot: 'the bus unit id of the hub is stored with the number of the hub above it, into bits that do not exist',
    corrected: 'its nine bits are stored',
    source: 'hw/p7ioc-inits.c: p7ioc_init_RGC (6.2)',
  },
  rgcReadBack: {
    skiboot:
      'what is stored into the hub interrupt tables and their lock is read back, which may step the index or take the lock',
    corrected: 'it is only stored',
    source: 'hw/p7ioc-inits.c: p7ioc_init_RGC (6.2)',
  },
  invalidationBroadcast: {
    skiboot: 'the rule for TCE invalidations mixes the numbers of the ports into one: a single port receives them',
    corrected: 'it names the ports of all PHBs',
    source: 'hw/p7ioc-inits.c: p7ioc_init_ci_routing (6.2)',
  },
  m32Mask: {
    skiboot: 'the compare mask of the M32 window is stored without its upper half',
    corrected: 'its upper half is ones, as that of the I/O window',
    source: 'hw/p7ioc-phb.c: p7ioc_phb_init (6.2)',
  },
  chipLevel: {
    skiboot: 'the chip revision is masked so that it never equals one of the levels it is compared with',
    corrected: 'family and level are kept',
    source: 'hw/p7ioc-phb.c: p7ioc_phb_init (6.2)',
  },
  fundamentalTraining: {
    skiboot: 'a fundamental reset that has to wait for the receiver goes on as a hot reset: PERST is never asserted',
    corrected: 'it waits as itself, then asserts PERST',
    source: 'hw/p7ioc-phb.c: p7ioc_freset (6.2)',
  },
  powerOverride: {
    skiboot: 'an order to switch slot power stores slot status bits into the power override register',
    corrected: 'the other bits of that register stay as they are',
    source: 'hw/p7ioc-phb.c: p7ioc_set_power_state (6.2)',
  },
  // ---- PE set-up, errors, interrupts
  lastTableEntry: {
    skiboot: 'a reset of the tables writes 127 of the 128 entries of most tables: the last keeps what the chip has',
    corrected: 'it writes all of them',
    source: 'hw/p7ioc-phb.c: p7ioc_ioda_reset (6.2)',
  },
  unmappedRequesters: {
    skiboot: 'an unmapped PE is left with an entry that matches every requester, and takes those of higher PEs',
    corrected: 'it is left with the entry that matches none',
    source: 'hw/p7ioc-phb.c: p7ioc_set_pe (6.2)',
  },
  peltvChild: {
    skiboot: 'bit 4 of the number of a child PE is lost: 16 becomes 0, 31 becomes 15, 127 becomes 111',
    corrected: 'the child is the one that was named',
    source: 'hw/p7ioc-phb.c: p7ioc_set_peltv (6.2)',
  },
  dmaWindowRemoval: {
    skiboot: 'a DMA window cannot be taken away: no levels, or no table, is refused with PARAMETER',
    corrected: 'no table takes the window away',
    source: 'hw/p7ioc-phb.c: p7ioc_map_pe_dma_window (6.2)',
  },
  freezeStatusClass: {
    skiboot:
      'freeze status that is the first to see a frozen PE notes an error without a class: the next error is then "none", and the PE comes with the one after',
    corrected: 'it notes the class, and the next error is the PE',
    source: 'hw/p7ioc-phb.c: p7ioc_eeh_freeze_status, p7ioc_eeh_next_error (6.2)',
  },
  freezeClearFence: {
    skiboot: 'freeze clear does not ask for a fence: it reads ones, stores into nothing and reports success',
    corrected: 'it returns HARDWARE while the PHB is fenced',
    source: 'hw/p7ioc-phb.c: p7ioc_eeh_freeze_clear (6.2)',
  },
  errorInterruptScan: {
    skiboot: 'the error interrupt looks for frozen PEs only if an error is known already, whose class it may overwrite',
    corrected: 'it looks if none is known',
    source: 'hw/p7ioc-phb.c: p7ioc_phb_err_interrupt (6.2)',
  },
  hubInformation: {
    skiboot: 'errors of the hub itself that stop nothing are found, and never told',
    corrected: 'next error tells them until somebody reads the diagnostic data of the hub',
    source: 'hw/p7ioc.c: p7ioc_check_LEM (6.2)',
  },
  informativeErrors: {
    skiboot:
      'an informational error of a PHB is forgotten as soon as it is told, so that the call for diagnostic data clears it no more, and the note of the first error is never cleared: the interrupt of the hub stays up, and no other error of that kind is told',
    corrected: 'the call for diagnostic data clears the error and the note, and looks who else reports',
    source: 'hw/p7ioc-phb.c: p7ioc_eeh_next_error, p7ioc_get_diag_data; hw/p7ioc.c: p7ioc_check_GEM (6.2)',
  },
  upboundInformation: {
    skiboot: 'of the upbound bus interface, bit 32 counts as information and bit 40 as fatal',
    corrected: 'bit 40 is information, as it is programmed into the chip, and bit 32 fatal',
    source: 'hw/p7ioc.c: p7ioc_err_bit (6.2)',
  },
  crossbarDiagData: {
    skiboot:
      'status and damage control of a crossbar port in the diagnostic data are twice its error bits: the offsets count from the wrong base',
    corrected: 'they are what they are called',
    source: 'hw/p7ioc.c: p7ioc_get_diag_data (6.2)',
  },
  fencedPeStates: {
    skiboot:
      'the PE states in the diagnostic data of a fenced PHB are those of whatever table was selected before: the selection goes by the path that the fence closes',
    corrected: 'it goes by the side path, like the reads',
    source: 'hw/p7ioc-phb.c: p7ioc_eeh_read_phb_status (6.2)',
  },
  injectionWindow: {
    skiboot:
      'a DMA injection takes the first window entry with the number of the PE, set up or not, although the chip compares four bits of its number',
    corrected:
      'it takes the first that is set up among those that the chip can tell apart, and refuses if there is none',
    source: 'hw/p7ioc-phb.c: p7ioc_err_inject_dma (6.2)',
  },
} as const satisfies Record<string, FirmwareSwitch>;
