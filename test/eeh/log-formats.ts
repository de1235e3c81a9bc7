/**
 * Every format the EEH code of the kernel can print, with level, line end and the run below that prints it, or why none
 * does. Facts: eeh-linux 13.1 to 13.6; `%` as in printf.
 */
import type { LineEnd, LogLevel } from '../../src/eeh/log.js';
import type { RunName } from './log-runs.js';

export interface LogFormat {
  readonly level: LogLevel;
  readonly format: string;
  readonly end: LineEnd;
  readonly run?: RunName;
  /** Why nothing here prints it. */
  readonly never?: string;
}

const LEVELS = { e: 'err', w: 'warn', i: 'info', d: 'debug' } as const;
type Row = readonly [keyof typeof LEVELS, string, RunName];
const rows = (end: LineEnd, ...list: Row[]): LogFormat[] =>
  list.map(([level, format, run]) => ({ level: LEVELS[level], format, end, run }));
const never = (why: string, ...list: (readonly [keyof typeof LEVELS, string])[]): LogFormat[] =>
  list.map(([level, format]) => ({ level: LEVELS[level], format, end: 'newline', never: why }));

const DEVICE = 'PCI %04x:%02x:%02x.%x#%04x: EEH: ';
const DRIVER = '%s %04x:%02x:%02x.%x: ';
const PE_LINE = 'pci %s: [PE# %02x] ';
const Q4 = '%016llx %016llx %016llx %016llx';

/** 13.1 */
const RECOVERY: LogFormat[] = [
  ...rows(
    'newline',
    ['e', 'EEH: Recovering PHB#%x, location: %s', 'fence'],
    ['e', 'EEH: Recovering PHB#%x-PE#%x', 'aware'],
    ['e', 'EEH: PE location: %s, PHB location: %s', 'aware'],
    ['e', 'EEH: Frozen PHB#%x-PE#%x detected', 'aware'],
    ['e', 'EEH: Call Trace:', 'aware'],
    ['e', 'EEH: [%pK] %pS', 'aware'],
    [
      'e',
      'EEH: PHB#%x-PE#%x has failed %d times in the last hour and has been permanently disabled.',
      'too many freezes',
    ],
    [
      'w',
      'EEH: This PCI device has failed %d times in the last hour and will be permanently disabled after %d failures.',
      'aware',
    ],
    ['i', 'EEH: Notify device drivers to shutdown', 'aware'],
    ['i', "EEH: Beginning: '%s'", 'aware'],
    ['i', "EEH: Finished:'%s' with aggregate recovery state:'%s'", 'aware'],
    ['w', `${DEVICE}Device changed during processing!`, 'device vanishes'],
    ['i', 'EEH: Collect temporary log', 'aware'],
    ['i', 'EEH: Enable I/O for affected devices', 'can recover'],
    ['i', 'EEH: Notify device drivers to resume I/O', 'can recover'],
    ['i', 'EEH: Enabled DMA for affected devices', 'can recover'],
    ['i', 'EEH: Reset with hotplug activity', 'unaware'],
    ['i', 'EEH: Reset without hotplug activity', 'aware'],
    ['i', 'EEH: Sleep 5s ahead of %s hotplug', 'unaware'],
    ['i', 'EEH: Removing %s without EEH sensitive driver', 'mixed'],
    ['i', 'EEH: Notify device driver to resume', 'aware'],
    ['i', 'EEH: Recovery successful.', 'aware'],
    [
      'e',
      'EEH: Unable to recover from failure from PHB#%x-PE#%x.\nPlease try reseating or replacing it',
      'too many freezes',
    ],
    ['w', '%s: Unable to reset, err=%d', 'unaware, no thaw'],
    ['w', '%s: Cannot reset, err=%d', 'no thaw'],
    ['w', 'EEH: Permanent failure', 'unavailable'],
    ['e', '%s: Cannot find PCI bus for PHB#%x-PE#%x', 'no bus'],
    ['e', '%s: PCI bus for PHB#%x-PE#%x disappeared', 'bus disappears'],
    ['w', 'EEH: Failure %d resetting PHB#%x-PE#%x (attempt %d)\n', 'no reset'],
    ['w', 'EEH: PHB#%x-PE#%x: Successful reset (attempt %d)', 'second reset works'],
    ['w', 'EEH: PHB#%x-PE#%x: Slot inactive after reset: 0x%x (attempt %d)', 'dead, by reset'],
    ['i', 'EEH: Passed-through PE PHB#%x-PE#%x was thawed by reset, re-freezing for safety.', 'passed'],
    ['i', 'EEH: Note: Leaving passthrough PHB#%x-PE#%x frozen.', 'passed'],
    ['d', 'EEH: Frozen PHB#%x-PE#%x is empty!', 'empty slot'],
    ['e', 'EEH: Failure of PHB#%x-PE#%x will be handled at parent PHB#%x-PE#%x.', 'parent'],
    ['e', `${DEVICE}%d reads ignored for recovering device at location=%s driver=%s`, 'many reads'],
    ['e', `${DEVICE}Might be infinite loop in %s driver`, 'many reads'],
  ),
  ...rows(
    'open',
    ['i', "EEH: Finished:'%s'", 'aware'],
    ['i', `${DEVICE}Invoking %s->error_detected(IO frozen)`, 'aware'],
    ['i', `${DEVICE}Invoking %s->mmio_enabled()`, 'can recover'],
    ['i', `${DEVICE}Invoking %s->slot_reset()`, 'aware'],
    ['i', `${DEVICE}Invoking %s->resume()`, 'aware'],
    ['i', `${DEVICE}Invoking %s->error_detected(permanent failure)`, 'drivers told'],
    ['i', `${DEVICE}%s driver reports: '%s'`, 'aware'],
    ['i', `${DEVICE}no device`, 'device vanishes'],
    ['i', `${DEVICE}no driver`, 'fence'],
    ['i', `${DEVICE}driver not EEH aware`, 'unaware'],
    ['i', `${DEVICE}driver bound too late`, 'bound too late'],
    ['i', `${DEVICE}not actionable (%d,%d,%d)`, 'too many freezes'],
  ),
  ...never('a query of PowerNV never answers with an error number', [
    'w',
    'EEH: Unrecoverable slot failure on PHB#%x-PE#%x',
  ]),
];

/** 13.2 */
const FAILURES: LogFormat[] = [
  ...rows(
    'newline',
    ['w', '%s: Unexpected state change %d on PHB#%x-PE#%x, err=%d', 'no thaw'],
    ['w', '%s: Failure %d enabling IO on PHB#%x-PE#%x', 'no thaw'],
    ['w', '%s: Failure %d enabling DMA on PHB#%x-PE#%x', 'no DMA thaw'],
    ['w', "%s: Timeout when getting PE's state (%d)", 'unavailable'],
    ['w', '%s: Firmware returned bad wait value %d', 'odd waits'],
    ['w', '%s: Firmware returned too long wait value %d', 'odd waits'],
    ['w', '%s: Failure %d reenabling %s', 'no reenable'],
    ['w', 'pnv_eeh_get_phb_state: Failure %lld getting PHB#%x state', 'unavailable'],
    ['w', 'pnv_ioda_get_pe_state: Failure %lld getting PHB#%x-PE#%x state', 'unavailable'],
    ['w', 'pnv_eeh_get_phb_diag: Failure %lld getting PHB#%x diag-data', 'no firmware'],
    ['w', 'pnv_ioda_freeze_pe: Failure %lld freezing PHB#%x-PE#%x', 'no firmware'],
    ['w', 'pnv_ioda_unfreeze_pe: Failure %lld clear %d on PHB#%x-PE#%x', 'no thaw'],
    ['w', 'pnv_eeh_reset: Failure %lld clearing error injection registers', 'P7IOC'],
    ['w', "pnv_eeh_restore_config: Can't reinit PCI dev 0x%x (%lld)", 'no firmware'],
    ['w', 'pnv_pci_dump_phb_diag_data: Unrecognized ioType %d', 'forced'],
    ['w', 'pnv_eeh_err_inject: Invalid error type %d', 'injection'],
    ['w', 'pnv_eeh_err_inject: Invalid error function %d', 'injection'],
    ['w', "pnv_eeh_err_inject: Firmware doesn't support error injection", 'injection'],
    ['w', 'pnv_eeh_err_inject: Failure %lld injecting error %d-%d to PHB#%x-PE#%x', 'injection'],
    ['w', 'pnv_eeh_wait_for_pending: Pending transaction while issuing FLR to %04x:%02x:%02x.%01x', 'virtual function'],
    [
      'w',
      'pnv_eeh_wait_for_pending: Pending transaction while issuing AF FLR to %04x:%02x:%02x.%01x',
      'virtual function',
    ],
    ['w', 'pnv_pci_handle_eeh_config: Failure %ld clearing frozen PHB#%x-PE#%x', 'boot with a freeze'],
    ['w', "eeh_phb_check_failure Can't find PE for PHB#%x", 'strange PHB'],
    ['w', 'PCI: no EEH dev found for %s', 'strange PHB'],
    ['e', 'pcibios_set_pcie_reset_state: No PE found on PCI device %s', 'no PE'],
    ['w', '%s: Invalid PHB#%x-PE#%x state %x', 'odd state'],
    ['w', '%s: Invalid option %d', 'odd state'],
    ['i', `${DRIVER}not ready %dms after bus reset; waiting`, 'stall'],
    ['w', `${DRIVER}not ready %dms after bus reset; giving up`, 'stall'],
    ['i', `${DRIVER}ready %dms after bus reset`, 'slow bridge'],
    ['i', `${DRIVER}Data Link Layer Link Active not set in 1000 msec`, 'no link'],
  ),
  ...never('types leave no such value', ['w', 'eeh_pci_enable: Invalid function %d']),
  ...never('every device is on a PHB that has its PE', ['w', `${DEVICE}Failed to add device to PE (code %d)`]),
  ...never('virtual functions are not made again', ['w', `${DEVICE}Not for VF`]),
  ...never('making the files of sysfs cannot fail', ['w', 'EEH: Unable to create sysfs entries']),
  ...never(
    'only on PHBs without the calls for compound PEs, of which there are none',
    ['w', 'pnv_eeh_set_option: Failure %lld freezing PHB#%x-PE#%x'],
    ['w', 'pnv_eeh_set_option: Failure %lld enable %d for PHB#%x-PE#%x'],
    ['w', 'pnv_eeh_get_pe_state: Failure %lld getting PHB#%x-PE%x state'],
  ),
];

/** 13.3, section 12 */
const EVENTS_AND_BOOT: LogFormat[] = [
  ...rows(
    'newline',
    ['e', 'EEH: dead IOC detected', 'hub'],
    ['i', 'EEH: IOC informative error detected', 'hub'],
    ['e', 'EEH: dead PHB#%x detected, location: %s', 'dead'],
    ['e', 'EEH: Fenced PHB#%x detected, location: %s', 'fence'],
    ['i', 'EEH: PHB#%x informative error detected, location: %s', 'informative'],
    ['e', 'EEH: Frozen PE#%x on PHB#%x detected', 'interrupt'],
    ['i', 'EEH: Clear non-existing PHB#%x-PE#%llx', 'interrupt'],
    ['i', 'EEH: PHB location: %s', 'interrupt'],
    ['w', '%s: Unexpected error type %d', 'interrupt'],
    ['i', 'EEH: Capable adapter found: recovery enabled.', 'boot'],
    ['i', 'EEH: No capable adapters found: recovery disabled.', 'boot'],
    ['i', 'EEH: Recovery disabled by kernel parameter.', 'boot'],
    ['i', 'EEH: PowerNV platform initialized', 'boot'],
    ['e', 'EEH: Event dropped due to no_recover setting', 'recovery off'],
    ['i', `${DRIVER}eeh_dev_check_failure(%s) = %d`, 'tools'],
    ['e', `${DRIVER}Going to break: %pR`, 'tools'],
    ['e', `${DRIVER}Unable to find Memory BAR to cause EEH with`, 'tools'],
    ['i', `${PE_LINE}Secondary bus 0x%016x associated with PE#%x`, 'boot'],
    ['i', `${PE_LINE}Releasing PE`, 'unaware'],
    ['i', `${PE_LINE}Removing DMA window #%d`, 'unaware'],
    ['i', `${PE_LINE}Disabling 64-bit DMA bypass`, 'unaware'],
    ['i', `${PE_LINE}Setting up 32-bit TCE table at 0..%08x`, 'boot'],
    ['i', `${PE_LINE}Setting up window#%d %llx..%llx pg=%lx`, 'boot'],
    ['i', `${PE_LINE}Enabling 64-bit DMA bypass`, 'boot'],
    ['i', 'pci_bus %04x:%02x: Configuring PE for bus', 'boot'],
    ['i', 'pci %04x:%02x:%02x.%x: Configured PE#%x', 'boot'],
    ['i', 'pci %04x:%02x:%02x.%x: Added to existing PE#%x', 'mixed'],
    ['i', 'pci %04x:%02x:%02x.%x: Adding to iommu group %d', 'boot'],
    ['i', 'pci %04x:%02x:%02x.%x: Removing from iommu group %d', 'unaware'],
    ['i', `${DRIVER}PCI slot [%s] %s (IRQ: %d)`, 'pulled card'],
    ['w', `${DRIVER}Upstream bridge PE %02x frozen, thawing...`, 'pulled card'],
    ['w', `${DRIVER}PE %02x thawed successfully`, 'pulled card'],
    ['w', `${DRIVER}Unable to thaw PE %02x, hotplug detect will fail!`, 'pulled card'],
  ),
  ...never('the kernel here does not run out of memory', ['e', 'EEH: out of memory, event not handled']),
  ...never('types leave no such value', ['w', '%s: Invalid value %d from next_error()']),
  ...never('mapping a BAR cannot fail', ['e', `${DRIVER}Unable to map MMIO BAR %pR`]),
  ...never('the tools parse the string before they know the device: held by the tests of the interfaces', [
    'e',
    'eeh_debug_lookup_pdev: expected 4 args, got %d',
  ]),
  ...never('PEs of single devices are made for IODA1 bridges and virtual functions only', [
    'i',
    `${PE_LINE}Associated device to PE`,
  ]),
  ...never('devices here have 64 bits of address and set their mask without a message', [
    'i',
    `${PE_LINE}Using 64-bit DMA iommu bypass (through TVE#0)`,
  ]),
];

/** 13.4 */
const DEVICE_DUMP: LogFormat[] = rows(
  'newline',
  ['w', 'EEH: of node=%04x:%02x:%02x.%01x', 'aware'],
  ['w', 'EEH: PCI device/vendor: %08x', 'aware'],
  ['w', 'EEH: PCI cmd/status register: %08x', 'aware'],
  ['w', 'EEH: Bridge secondary status: %04x', 'root port'],
  ['w', 'EEH: Bridge control: %04x', 'root port'],
  ['w', 'EEH: PCI-X cmd: %08x', 'PCI-X'],
  ['w', 'EEH: PCI-X status: %08x', 'PCI-X'],
  ['w', 'EEH: PCI-E capabilities and status follow:', 'aware'],
  ['w', 'EEH: PCI-E 00: %08x %08x %08x %08x ', 'aware'],
  ['w', 'EEH: PCI-E 10: %08x %08x %08x %08x ', 'aware'],
  ['w', 'EEH: PCI-E 20: %08x ', 'aware'],
  ['w', 'EEH: PCI-E AER capability register set follows:', 'root port'],
  ['w', 'EEH: PCI-E AER 00: %08x %08x %08x %08x ', 'root port'],
  ['w', 'EEH: PCI-E AER 10: %08x %08x %08x %08x ', 'root port'],
  ['w', 'EEH: PCI-E AER 20: %08x %08x %08x %08x ', 'root port'],
  ['w', 'EEH: PCI-E AER 30: %08x %08x ', 'root port'],
);

/** 13.5 */
const DIAG_DUMP: LogFormat[] = [
  ...rows(
    'newline',
    ['i', 'PHB3 PHB#%x Diag-data (Version: %d)', 'PHB3 dump'],
    ['i', 'P7IOC PHB#%x Diag-data (Version: %d)', 'P7IOC dump'],
    ['i', 'brdgCtl:     %08x', 'PHB3 dump'],
    ['i', 'UtlSts:      %08x %08x %08x', 'PHB3 dump'],
    ['i', 'RootSts:     %08x %08x %08x %08x %08x', 'PHB3 dump'],
    ['i', 'RootErrSts:  %08x %08x %08x', 'PHB3 dump'],
    ['i', 'RootErrLog:  %08x %08x %08x %08x', 'PHB3 dump'],
    ['i', 'RootErrLog1: %08x %016llx %016llx', 'PHB3 dump'],
    ['i', 'nFir:        %016llx %016llx %016llx', 'PHB3 dump'],
    ['i', 'PhbSts:      %016llx %016llx', 'PHB3 dump'],
    ['i', 'Lem:         %016llx %016llx %016llx', 'PHB3 dump'],
    ['i', `PhbErr:      ${Q4}`, 'PHB3 dump'],
    ['i', `OutErr:      ${Q4}`, 'PHB3 dump'],
    ['i', `InAErr:      ${Q4}`, 'PHB3 dump'],
    ['i', `InBErr:      ${Q4}`, 'PHB3 dump'],
    ['i', 'PE[%03x] A/B: %016llx %016llx', 'PHB3 dump'],
    ['i', 'PE[..%03x] A/B: as above', 'PHB3 dump'],
    ['i', 'PHB4 PHB#%d Diag-data (Version: %d)', 'PHB4 dump'],
    ['i', 'brdgCtl:    %08x', 'PHB4 dump'],
    ['i', 'RootSts:    %08x %08x %08x %08x %08x', 'PHB4 dump'],
    ['i', 'RootErrSts: %08x %08x %08x', 'PHB4 dump'],
    ['i', 'RootErrLog: %08x %08x %08x %08x', 'PHB4 dump'],
    ['i', 'sourceId:   %08x', 'PHB4 dump'],
    ['i', 'nFir:       %016llx %016llx %016llx', 'PHB4 dump'],
    ['i', 'PhbSts:     %016llx %016llx', 'PHB4 dump'],
    ['i', 'Lem:        %016llx %016llx %016llx', 'PHB4 dump'],
    ['i', `PhbErr:     ${Q4}`, 'PHB4 dump'],
    ['i', `PhbTxeErr:  ${Q4}`, 'PHB4 dump'],
    ['i', `RxeArbErr:  ${Q4}`, 'PHB4 dump'],
    ['i', `RxeMrgErr:  ${Q4}`, 'PHB4 dump'],
    ['i', `RxeTceErr:  ${Q4}`, 'PHB4 dump'],
    ['i', `PblErr:     ${Q4}`, 'PHB4 dump'],
    ['i', 'PcieDlp:    %016llx %016llx %016llx', 'PHB4 dump'],
    ['i', `RegbErr:    ${Q4}`, 'PHB4 dump'],
  ),
];

/** 13.6 */
const HUB_DUMP: LogFormat[] = rows(
  'newline',
  ['i', 'P7IOC diag-data for RGC\n', 'hub'],
  ['i', 'P7IOC diag-data for BI %s\n', 'hub'],
  ['i', 'P7IOC diag-data for CI Port %d\n', 'hub'],
  ['i', 'P7IOC diag-data for MISC\n', 'hub'],
  ['i', 'P7IOC diag-data for I2C\n', 'hub'],
  ['i', '  GEM: %016llx %016llx %016llx %016llx %016llx', 'hub'],
  ['i', '  LEM: %016llx %016llx %016llx %016llx %016llx', 'hub'],
  ['i', '  RGC: %016llx %016llx', 'hub'],
  ['i', `  BI:  ${Q4}`, 'hub'],
  ['i', '  CI:  %016llx %016llx', 'hub'],
  ['w', '%s: Failed to get HUB#%llx diag-data (%ld)', 'hub'],
  ['w', '%s: Invalid type of HUB#%llx diag-data (%d)', 'hub'],
);

export const LOG_FORMATS: readonly LogFormat[] = [
  ...RECOVERY,
  ...FAILURES,
  ...EVENTS_AND_BOOT,
  ...DEVICE_DUMP,
  ...DIAG_DUMP,
  ...HUB_DUMP,
];

/** A printf format as a pattern of the whole text. */
export function patternOf(format: string): RegExp {
  const escaped = format.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const body = escaped.replace(/%(?:(0)(\d+))?(?:l*)([dxsp])(K|S|R)?/g, (_, _zero, width, kind, pointer) => {
    if (kind === 'p')
      return { K: '\\(____ptrval____\\)', S: '\\S+( \\[\\w+\\])?', R: '\\[.+\\]' }[pointer as 'K' | 'S' | 'R'];
    if (kind === 'x') return width === undefined ? '[0-9a-f]+' : `[0-9a-f]{${width}}`;
    return kind === 'd' ? '-?\\d+' : "[^']+?";
  });
  return new RegExp(`^${body}$`);
}
