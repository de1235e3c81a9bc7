/** Finding the capabilities of a function. Source: skiboot core/pci.c: pci_find_cap, pci_find_ecap. */
import { CapabilityId, ExtendedCapabilityId } from '../pcie/capabilities.js';
import { STATUS_FIELDS } from '../pcie/config-header.js';
import type { Process } from '../sim/process.js';
import { type ConfigAccess, readConfig } from './pci-config.js';
import { CONFIG, EXTENDED_CAPABILITIES, NO_FUNCTION } from './pci-registers.js';

const LIST_END = 0;
/** A broken list of capabilities must not hang the scan. */
const MAX_CAPABILITIES = 48;

/** Offset of a capability in the standard list. */
export function* findCapability(pci: ConfigAccess, bdfn: number, id: number): Process<number | undefined> {
  const status = yield* readConfig(pci, bdfn, CONFIG.STATUS, 2);
  if ((status & STATUS_FIELDS.CAPABILITY_LIST) === 0) return undefined;
  let at = yield* readConfig(pci, bdfn, CONFIG.CAPABILITY_POINTER, 1);
  for (let seen = 0; seen < MAX_CAPABILITIES && (at & 0xfc) !== LIST_END && at !== 0xff; seen++) {
    const header = yield* readConfig(pci, bdfn, at & 0xfc, 2);
    if ((header & 0xff) === id) return at & 0xfc;
    at = header >> 8;
  }
  return undefined;
}

/** Offset of a capability in the extended list. */
export function* findExtendedCapability(pci: ConfigAccess, bdfn: number, id: number): Process<number | undefined> {
  let at = EXTENDED_CAPABILITIES;
  for (let seen = 0; seen < MAX_CAPABILITIES && at >= EXTENDED_CAPABILITIES; seen++) {
    const header = yield* readConfig(pci, bdfn, at, 4);
    if (header === NO_FUNCTION || header === 0) return undefined;
    if ((header & 0xffff) === id) return at;
    at = (header >>> 20) & 0xffc;
  }
  return undefined;
}

export const findExpress = (pci: ConfigAccess, bdfn: number): Process<number | undefined> =>
  findCapability(pci, bdfn, CapabilityId.PCI_EXPRESS);
export const findAer = (pci: ConfigAccess, bdfn: number): Process<number | undefined> =>
  findExtendedCapability(pci, bdfn, ExtendedCapabilityId.AER);
export const findPowerManagement = (pci: ConfigAccess, bdfn: number): Process<number | undefined> =>
  findCapability(pci, bdfn, CapabilityId.POWER_MANAGEMENT);

const SR_IOV = 0x0010;

/** What firmware would do with the virtual functions it finds is left out (M): no device here has any. */
export const findVirtualFunctions = (pci: ConfigAccess, bdfn: number): Process<number | undefined> =>
  findExtendedCapability(pci, bdfn, SR_IOV);
