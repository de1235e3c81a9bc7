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
export const ClassCode = { PCI_BRIDGE: 0x0604, ISA_BRIDGE: 0x0601 } as const;

export const Capability = { POWER_MANAGEMENT: 0x01, PCIX: 0x07, PCI_EXPRESS: 0x10, ADVANCED_FEATURES: 0x13 } as const;
export const CAPABILITY_LIST_LIMIT = 48;
export const EXTENDED_START = 0x100;

export const PciX = { DEVICE_COMMAND: 0, DEVICE_STATUS: 4 } as const;

/** Bits of the slot and link registers that recovery touches. Source: linux include/uapi/linux/pci_regs.h. */
export const Slot = {
  CAP_POWER_CONTROLLER: 0x0002,
  CONTROL_POWER_OFF: 0x0400,
  CONTROL_POWER_INDICATOR: 0x0300,
  CONTROL_POWER_INDICATOR_ON: 0x0100,
} as const;
export const LinkSpeeds = { CAP_MASK: 0xf, CAP2_MASK: 0xfe, GEN1: 1, GEN2: 2 } as const;
/** Surprise link down in the AER uncorrectable mask. */
export const AER_SURPRISE_DOWN = 0x0020;

/** All ones for an access of 1, 2 or 4 bytes. */
export function allOnes(size: 1 | 2 | 4): number {
  return 2 ** (8 * size) - 1;
}
