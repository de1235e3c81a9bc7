/**
 * Configuration space of the P7IOC root port, 0:00.0: the standard registers at this chip's offsets and values.
 * Facts: ioda1-p7ioc 1.6, 8.6, 12.7; every register names its source and how well it is known.
 */
import { ABSENT_REGISTERS, type FactRow, factsOf, type RootPortRegister } from '../ioda/root-complex.js';
import { rootAerCapability } from '../pcie/aer-capability.js';
import { pciExpressCapability, powerManagementCapability } from '../pcie/capabilities.js';
import { bridgeHeader } from '../pcie/config-header.js';
import { amend, type ConfigLayout } from '../pcie/config-space.js';

export type RootComplexRegister = RootPortRegister;

/** Where the capabilities of the root port stand: firmware's error cleanup has two of the places hard-coded. */
export const ROOT_COMPLEX_CAPABILITIES = { powerManagement: 0x40, pciExpress: 0x48, aer: 0x100 } as const;

/** "Other bridge": the chip's own class code is wrong, and software patches it to a PCI bridge; which it is, is a choice. */
const CLASS_CODE = 0x06_8000;

export function rootComplexLayout(): ConfigLayout<RootComplexRegister> {
  const { powerManagement, pciExpress, aer } = ROOT_COMPLEX_CAPABILITIES;
  const layout = {
    ...bridgeHeader({ vendorId: 0x1014, deviceId: 0x03b9, classCode: CLASS_CODE, capabilityPointer: powerManagement }),
    ...ABSENT_REGISTERS,
    ...powerManagementCapability({ at: powerManagement, next: pciExpress }),
    ...pciExpressCapability({
      at: pciExpress,
      next: 0,
      port: 'rootPort',
      maxSpeed: 2,
      maxWidth: 8,
      maxPayloadBytes: 4096,
      options: ['slot', 'dll-active-reporting', 'crs-visibility', 'ari-forwarding'],
    }),
    ...rootAerCapability({ at: aer, next: 0 }),
  };
  // Error cleanup of the firmware writes here by mistake, and must do no harm: the body of the capability is read-only.
  return amend(layout, { PMCSR: { writable: 0, writeOneClears: 0 } });
}

const CHOSEN = '(M)';
const PCI_CFG = 'skiboot include/pci-cfg.h';
const INIT = 'skiboot p7ioc hw/p7ioc-phb.c: p7ioc_phb_init_rc_cfg (Init_50..81)';
const CLEAR = 'skiboot p7ioc hw/p7ioc-phb.c: p7ioc_ER_err_clear';
const DIAG = 'skiboot p7ioc hw/p7ioc-phb.c: p7ioc_eeh_read_phb_status';

const FACT_ROWS: readonly FactRow<RootComplexRegister>[] = [
  [['VENDOR_ID', 'DEVICE_ID'], 'linux pci-ioda.c: pnv_p7ioc_rc_quirk; kernel boot logs', 'stated'],
  [['CLASS'], 'skiboot p7ioc hw/p7ioc-phb.c: p7ioc_device_init; value (M)', 'assumed'],
  [['COMMAND', 'STATUS', 'SECONDARY_STATUS'], `${INIT}; ${DIAG}`, 'stated'],
  [['REVISION', 'CACHE_LINE', 'LATENCY_TIMER', 'BIST', 'SECONDARY_LATENCY'], CHOSEN, 'assumed'],
  [['HEADER_TYPE', 'CAPABILITY_POINTER', 'ROM_BAR', 'BAR0', 'BAR1'], CHOSEN, 'assumed'],
  [['PRIMARY_BUS', 'SECONDARY_BUS', 'SUBORDINATE_BUS'], INIT, 'stated'],
  [['IO_BASE', 'IO_LIMIT', 'MEMORY_BASE', 'MEMORY_LIMIT', 'PREFETCHABLE_BASE', 'PREFETCHABLE_LIMIT'], INIT, 'stated'],
  [['PREFETCHABLE_BASE_UPPER', 'PREFETCHABLE_LIMIT_UPPER', 'IO_BASE_UPPER', 'IO_LIMIT_UPPER'], CHOSEN, 'assumed'],
  [['INTERRUPT_LINE', 'INTERRUPT_PIN'], CHOSEN, 'assumed'],
  [['BRIDGE_CONTROL'], `${INIT}; ${DIAG}`, 'stated'],
  [['PM_CAP', 'PMC', 'PMCSR', 'PM_BRIDGE', 'PM_DATA'], `${CLEAR} for the offset; (M)`, 'assumed'],
  [['PCIE_CAP', 'PCIE_FLAGS'], CLEAR, 'derived'],
  [['DEVCAP', 'LNKCAP', 'SLTCAP'], CHOSEN, 'assumed'],
  [['DEVCTL', 'DEVSTA', 'RTCTL', 'RTCAP', 'RTSTA'], INIT, 'stated'],
  [['LNKCTL', 'LNKSTA', 'SLTCTL', 'SLTSTA'], DIAG, 'stated'],
  [['DEVCTL2'], INIT, 'stated'],
  [['DEVCAP2', 'DEVSTA2', 'LNKCAP2', 'LNKSTA2'], CHOSEN, 'assumed'],
  [['LNKCTL2'], 'skiboot 2014 hw/p7ioc-phb.c: p7ioc_sm_link_poll', 'stated'],
  [['AER_CAP', 'UE_STATUS', 'UE_MASK', 'UE_SEVERITY'], `${INIT}; ${CLEAR}; ${PCI_CFG}`, 'stated'],
  [['CE_STATUS', 'CE_MASK', 'AER_CONTROL'], `${INIT}; ${PCI_CFG}`, 'stated'],
  [['HEADER_LOG0', 'HEADER_LOG1', 'HEADER_LOG2', 'HEADER_LOG3'], `${DIAG}; ${PCI_CFG}`, 'stated'],
  [['ROOT_ERROR_COMMAND', 'ROOT_ERROR_STATUS', 'ERROR_SOURCE'], `${INIT}; ${DIAG}`, 'stated'],
];

/** Source and certainty of each register of the root port. */
export const ROOT_COMPLEX_FACTS = factsOf(FACT_ROWS);
