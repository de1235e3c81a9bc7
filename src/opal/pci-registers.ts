/** Offsets in configuration space, taken from the declarations of src/pcie. Capabilities count from their own start. */
import { CORRECTABLE, rootAerCapability, UNCORRECTABLE } from '../pcie/aer-capability.js';
import { DEVCTL_FIELDS, DEVSTA_FIELDS, pciExpressCapability } from '../pcie/capabilities.js';
import { bridgeHeader, deviceHeader } from '../pcie/config-header.js';
import type { ConfigLayout } from '../pcie/config-space.js';

function offsetsOf<N extends string>(layout: ConfigLayout<N>): Readonly<Record<N, number>> {
  const names = Object.keys(layout) as N[];
  return Object.fromEntries(names.map((name) => [name, layout[name].at])) as Record<N, number>;
}

const NOBODY = { vendorId: 0, deviceId: 0, classCode: 0, capabilityPointer: 0 };

export const CONFIG = { ...offsetsOf(deviceHeader(NOBODY, [])), ...offsetsOf(bridgeHeader(NOBODY)) };
export const EXPRESS = offsetsOf(pciExpressCapability({ port: 'rootPort', at: 0, next: 0, maxSpeed: 1, maxWidth: 1 }));
export const AER = offsetsOf(rootAerCapability({ at: 0, next: 0 }));

export const EXTENDED_CAPABILITIES = 0x100;

/** A function that does not answer reads as ones; one that is not ready yet, as this. */
export const NO_FUNCTION = 0xffff_ffff;
export const RETRY_STATUS = 0xffff_0001;

export const HEADER_LAYOUT = 0x7f;
export const HEADER_BRIDGE = 1;
export const HEADER_MULTIFUNCTION = 0x80;

export const EXPRESS_VERSION = 0x000f;
export const SLOT_IMPLEMENTED = 0x0100;
export const DEVCAP_MAX_PAYLOAD = 0x7;
export const DEVCTL_MAX_PAYLOAD_SHIFT = 5;
export const LNKCAP_DLL_ACTIVE = 0x0010_0000;
export const LNKSTA_WIDTH_SHIFT = 4;
export const SLTCAP_POWER_CONTROL = 0x02;
export const SLTCAP_SURPRISE = 0x20;
export const SLTCAP_HOT_PLUG = 0x40;
export const SLTCTL_POWER_OFF = 0x0400;
/** The power indicator, lit and dark. */
export const SLTCTL_POWER_INDICATOR = 0x0300;
export const SLTCTL_INDICATOR_ON = 0x0100;
export const SLTCTL_INDICATOR_OFF = 0x0300;
export const DEVCAP2_TIMEOUT_DISABLE = 0x10;
export const DEVCTL2_TIMEOUT_DISABLE = 0x10;
export const BRIDGE_CONTROL_MASTER_ABORT = 0x0020;
export const AER_ECRC_GENERATE = 0x40;
export const AER_ECRC_CHECK = 0x100;

/** The errors of the root port that firmware leaves to the PHB's own traps. Source: skiboot hw/phb3.c: phb3_init_rc_cfg. */
export const ROOT_UE_MASK =
  UNCORRECTABLE.POISONED_TLP | UNCORRECTABLE.COMPLETION_TIMEOUT | UNCORRECTABLE.COMPLETER_ABORT | UNCORRECTABLE.ECRC;
export const ROOT_UE_SEVERITY =
  UNCORRECTABLE.DATA_LINK_PROTOCOL |
  UNCORRECTABLE.SURPRISE_DOWN |
  UNCORRECTABLE.FLOW_CONTROL |
  UNCORRECTABLE.UNEXPECTED_COMPLETION |
  UNCORRECTABLE.RECEIVER_OVERFLOW |
  UNCORRECTABLE.MALFORMED_TLP;
export const CE_MASK = CORRECTABLE.ADVISORY_NONFATAL;

export const ALL_DEVICE_ERRORS =
  DEVSTA_FIELDS.CORRECTABLE | DEVSTA_FIELDS.NONFATAL | DEVSTA_FIELDS.FATAL | DEVSTA_FIELDS.UNSUPPORTED_REQUEST;
export const REPORT_ALL_ERRORS =
  DEVCTL_FIELDS.CORRECTABLE | DEVCTL_FIELDS.NONFATAL | DEVCTL_FIELDS.FATAL | DEVCTL_FIELDS.UNSUPPORTED_REQUEST;
