/**
 * Configuration space of the PHB3 root port, 0:00.0: the standard registers at this chip's offsets and values.
 * Facts: ioda2-phb3 8.3; every register names its source and how well it is known.
 */
import { ABSENT_REGISTERS, type FactRow, factsOf, type RootPortRegister } from '../ioda/root-complex.js';
import { rootAerCapability } from '../pcie/aer-capability.js';
import { pciExpressCapability, powerManagementCapability } from '../pcie/capabilities.js';
import { bridgeHeader } from '../pcie/config-header.js';
import { amend, type ConfigLayout } from '../pcie/config-space.js';

type SecondaryPcieRegister = 'SECONDARY_PCIE_CAP' | 'LNKCTL3' | 'LANE_ERROR_STATUS';
export type RootComplexRegister = RootPortRegister | SecondaryPcieRegister;

/** Where the capabilities of the root port stand. */
export const ROOT_COMPLEX_CAPABILITIES = {
  powerManagement: 0x40,
  pciExpress: 0x48,
  aer: 0x100,
  secondaryPcie: 0x148,
} as const;

export interface RootComplexOptions {
  readonly maxSpeed: 1 | 2 | 3;
  readonly maxWidth: 8 | 16;
  /** Implementations differ: firmware probes the upper prefetchable registers and emulates them if they do not change. */
  readonly prefetchableUpper?: 'writable' | 'read-only';
}

const SECONDARY_PCIE_ID = 0x0019;

/** Extended capability of 8 GT/s ports; offset and content are choices. */
function secondaryPcie(): ConfigLayout<SecondaryPcieRegister> {
  const at = ROOT_COMPLEX_CAPABILITIES.secondaryPcie;
  return {
    SECONDARY_PCIE_CAP: {
      at,
      size: 4,
      reset: (1 << 16) | SECONDARY_PCIE_ID,
      about: 'secondary PCI Express, version 1',
    },
    LNKCTL3: { at: at + 4, size: 4, writable: 0x3, about: 'equalisation requests, stored' },
    LANE_ERROR_STATUS: { at: at + 8, size: 4, writeOneClears: 0xffff, about: 'lanes that saw errors' },
  };
}

/** The layout of the root port; the slot is not implemented, as firmware leaves it. */
export function rootComplexLayout(options: RootComplexOptions): ConfigLayout<RootComplexRegister> {
  const { maxSpeed, maxWidth, prefetchableUpper = 'writable' } = options;
  const { powerManagement, pciExpress, aer, secondaryPcie: next } = ROOT_COMPLEX_CAPABILITIES;
  const layout: ConfigLayout<RootComplexRegister> = {
    ...bridgeHeader({ vendorId: 0x1014, deviceId: 0x03dc, classCode: 0x060400, capabilityPointer: powerManagement }),
    ...ABSENT_REGISTERS,
    ...powerManagementCapability({ at: powerManagement, next: pciExpress }),
    ...pciExpressCapability({
      at: pciExpress,
      next: 0,
      port: 'rootPort',
      maxSpeed,
      maxWidth,
      maxPayloadBytes: 4096,
      options: ['dll-active-reporting', 'crs-visibility', 'ari-forwarding'],
    }),
    ...rootAerCapability({ at: aer, next }),
    ...secondaryPcie(),
  };
  if (prefetchableUpper === 'writable') return layout;
  return amend(layout, { PREFETCHABLE_BASE_UPPER: { writable: 0 }, PREFETCHABLE_LIMIT_UPPER: { writable: 0 } });
}

const CHOSEN = '(M)';
const DUMP = 'linux commit af87d2fe9544 (diagnostic dump)';
const PCI_CFG = 'skiboot include/pci-cfg.h';
const INIT_RC = 'skiboot hw/phb3.c (Init_45..76)';
const TRACE = 'register trace of skiboot hw/phb3.c';

const FACT_ROWS: readonly FactRow<RootComplexRegister>[] = [
  [['VENDOR_ID', 'DEVICE_ID'], 'qemu pnv_phb.c; skiboot hw/phb3.c: phb3_check_device_quirks', 'stated'],
  [['COMMAND'], PCI_CFG, 'stated'],
  [['STATUS', 'SECONDARY_STATUS'], DUMP, 'stated'],
  [['REVISION', 'CACHE_LINE', 'LATENCY_TIMER', 'BIST', 'SECONDARY_LATENCY'], CHOSEN, 'assumed'],
  [['HEADER_TYPE', 'CAPABILITY_POINTER', 'ROM_BAR'], CHOSEN, 'assumed'],
  [['CLASS', 'BAR0', 'BAR1'], 'kernel boot logs', 'stated'],
  [['PRIMARY_BUS', 'SECONDARY_BUS', 'SUBORDINATE_BUS'], INIT_RC, 'stated'],
  [
    ['IO_BASE', 'IO_LIMIT', 'MEMORY_BASE', 'MEMORY_LIMIT', 'PREFETCHABLE_BASE', 'PREFETCHABLE_LIMIT'],
    INIT_RC,
    'stated',
  ],
  [['PREFETCHABLE_BASE_UPPER', 'PREFETCHABLE_LIMIT_UPPER'], 'skiboot hw/phb3.c: phb3_pcicfg_rc_pref_window', 'stated'],
  [['IO_BASE_UPPER', 'IO_LIMIT_UPPER'], TRACE, 'stated'],
  [['INTERRUPT_LINE', 'INTERRUPT_PIN'], 'qemu pnv_phb.c', 'stated'],
  [['BRIDGE_CONTROL'], `${DUMP}; ${PCI_CFG}`, 'stated'],
  [['PM_CAP', 'PMC', 'PMCSR', 'PM_BRIDGE', 'PM_DATA'], 'kernel boot logs for PME; offset (M)', 'assumed'],
  [['PCIE_CAP', 'PCIE_FLAGS'], 'qemu pnv_phb.c', 'stated'],
  [['DEVCAP', 'LNKCAP'], CHOSEN, 'assumed'],
  [['DEVCTL', 'DEVSTA', 'RTCTL', 'RTCAP', 'RTSTA'], INIT_RC, 'stated'],
  [['LNKCTL', 'LNKSTA', 'SLTCTL', 'SLTSTA'], DUMP, 'stated'],
  [['SLTCAP'], 'skiboot hw/phb3.c: phb3_init_hw (Init_8)', 'derived'],
  [['DEVCAP2', 'DEVCTL2'], `${TRACE}; skiboot core/pci.c`, 'stated'],
  [['DEVSTA2', 'LNKCAP2', 'LNKSTA2'], CHOSEN, 'assumed'],
  [['LNKCTL2'], 'skiboot hw/phb3.c: phb3_link_update', 'stated'],
  [['AER_CAP', 'UE_STATUS', 'UE_MASK', 'UE_SEVERITY'], `qemu pnv_phb.c; ${PCI_CFG}`, 'stated'],
  [['CE_STATUS', 'CE_MASK', 'AER_CONTROL'], `${INIT_RC}; ${PCI_CFG}`, 'stated'],
  [['HEADER_LOG0', 'HEADER_LOG1', 'HEADER_LOG2', 'HEADER_LOG3'], PCI_CFG, 'stated'],
  [['ROOT_ERROR_COMMAND', 'ROOT_ERROR_STATUS', 'ERROR_SOURCE'], `${INIT_RC}; ${PCI_CFG}`, 'stated'],
  [['SECONDARY_PCIE_CAP', 'LNKCTL3', 'LANE_ERROR_STATUS'], CHOSEN, 'assumed'],
];

/** Source and certainty of each register of the root port. */
export const ROOT_COMPLEX_FACTS = factsOf(FACT_ROWS);
