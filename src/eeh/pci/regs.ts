/**
 * Places and bits of configuration space as the kernel names them, taken from the one declaration of the registers.
 * What only software cares about (header types, class codes, compare values) is declared here.
 */
import { aerCapability } from '../../pcie/aer-capability.js';
import { pciExpressCapability } from '../../pcie/capabilities.js';
import { bridgeHeader, deviceHeader } from '../../pcie/config-header.js';

const NOBODY = { vendorId: 0, deviceId: 0, classCode: 0, capabilityPointer: 0 };
const AT_ZERO = { at: 0, next: 0 };

/** Type 0 and type 1 headers: `.at` is the offset. */
export const HEADER = deviceHeader(NOBODY, []);
export const BRIDGE = bridgeHeader(NOBODY);
/** Offsets relative to the capability. */
export const PCIE = pciExpressCapability({
  ...AT_ZERO,
  port: 'rootPort',
  maxSpeed: 3,
  maxWidth: 16,
  options: ['slot'],
});
export const AER = aerCapability(AT_ZERO);

/** Dwords the EEH core saves and restores by index. Source: linux eeh_pe.c: eeh_restore_device_bars, eeh_restore_bridge_bars. */
export const DWORD = { COMMAND: 1, BAR0: 4, BRIDGE_ROM: 14, INTERRUPT: 15, ROM: 12 } as const;
export const HEADER_DWORDS = 16;

export const HeaderType = { MASK: 0x7f, DEVICE: 0, BRIDGE: 1, MULTI_FUNCTION: 0x80 } as const;
export const ClassCode = { PCI_BRIDGE: 0x0604, ISA_BRIDGE: 0x0601, RAID: 0x0104 } as const;

export const Capability = {
  POWER_MANAGEMENT: 0x01,
  AGP: 0x02,
  VPD: 0x03,
  MSI: 0x05,
  PCIX: 0x07,
  SUBSYSTEM: 0x0d,
  AGP3: 0x0e,
  PCI_EXPRESS: 0x10,
  MSIX: 0x11,
  ADVANCED_FEATURES: 0x13,
  ENHANCED_ALLOCATION: 0x14,
} as const;
export type CapabilityNumber = (typeof Capability)[keyof typeof Capability];

/** Source: linux include/uapi/linux/pci_regs.h. */
export const ExtendedCapability = {
  AER: 0x0001,
  VIRTUAL_CHANNEL: 0x0002,
  MULTIFUNCTION_VC: 0x0008,
  VIRTUAL_CHANNEL_9: 0x0009,
  ACS: 0x000d,
  ARI: 0x000e,
  ATS: 0x000f,
  SRIOV: 0x0010,
  RESIZABLE_BAR: 0x0015,
  LTR: 0x0018,
  DPC: 0x001d,
  L1_SUBSTATES: 0x001e,
  PTM: 0x001f,
} as const;
export type ExtendedCapabilityNumber = (typeof ExtendedCapability)[keyof typeof ExtendedCapability];
export const CAPABILITY_LIST_LIMIT = 48;
export const EXTENDED_START = 0x100;
/** Extended capabilities of the smallest size that fit. */
export const EXTENDED_LIST_LIMIT = (4096 - 256) / 8;

/** Offsets in the power management capability, and its PME bits. */
export const PowerManagement = {
  CAPABILITIES: 2,
  CONTROL: 4,
  PME_MASK: 0xf800,
  PME_SHIFT: 11,
  PME_STATUS: 0x8000,
  PME_ENABLE: 0x0100,
} as const;

export const PciX = { DEVICE_COMMAND: 0, DEVICE_STATUS: 4 } as const;

/** Bits of the slot and link registers that recovery touches. Source: linux include/uapi/linux/pci_regs.h. */
export const Slot = {
  CAP_POWER_CONTROLLER: 0x0002,
  CONTROL_POWER_OFF: 0x0400,
  CONTROL_POWER_INDICATOR: 0x0300,
  CONTROL_POWER_INDICATOR_ON: 0x0100,
  CONTROL_ATTENTION: 0x00c0,
  CONTROL_ATTENTION_ON: 0x0040,
  CONTROL_ATTENTION_OFF: 0x00c0,
  CONTROL_PRESENCE_EVENTS: 0x0008,
  CONTROL_INTERRUPT: 0x0020,
  CONTROL_LINK_EVENTS: 0x1000,
} as const;
/** Device capabilities: the function can be reset by itself. */
export const DEVCAP_FUNCTION_LEVEL_RESET = 0x1000_0000;
/** The Advanced Features capability of conventional functions. */
export const AdvancedFeatures = {
  CAP: 3,
  CONTROL: 4,
  CAP_PENDING: 0x01,
  CAP_RESET: 0x02,
  CONTROL_RESET: 0x01,
  STATUS_PENDING: 0x01,
} as const;
export const LinkSpeeds = { CAP_MASK: 0xf, CAP2_MASK: 0xfe, GEN1: 1, GEN2: 2 } as const;
/** Surprise link down in the AER uncorrectable mask. */
export const AER_SURPRISE_DOWN = 0x0020;

/** All ones for an access of 1, 2 or 4 bytes. */
export function allOnes(size: 1 | 2 | 4): number {
  return 2 ** (8 * size) - 1;
}
