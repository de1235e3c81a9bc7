/** Finding the capabilities of a function. Source: skiboot core/pci.c: pci_find_cap, pci_find_ecap. */
import { CapabilityId, ExtendedCapabilityId } from '../pcie/capabilities.js';
import { STATUS_FIELDS } from '../pcie/config-header.js';
import type { Process } from '../sim/process.js';
import { CONFIG, EXTENDED_CAPABILITIES, NO_FUNCTION } from './pci-registers.js';
import type { Phb3 } from './phb3.js';
import { readConfig } from './phb3-config.js';

const LIST_END = 0;
/** A broken list of capabilities must not hang the scan. */
const MAX_CAPABILITIES = 48;

/** Offset of a capability in the standard list. */
export function* findCapability(phb: Phb3, bdfn: number, id: number): Process<number | undefined> {
  const status = yield* readConfig(phb, bdfn, CONFIG.STATUS, 2);
  if ((status & STATUS_FIELDS.CAPABILITY_LIST) === 0) return undefined;
  let at = yield* readConfig(phb, bdfn, CONFIG.CAPABILITY_POINTER, 1);
  for (let seen = 0; seen < MAX_CAPABILITIES && (at & 0xfc) !== LIST_END && at !== 0xff; seen++) {
    const header = yield* readConfig(phb, bdfn, at & 0xfc, 2);
    if ((header & 0xff) === id) return at & 0xfc;
    at = header >> 8;
  }
  return undefined;
}

/** Offset of a capability in the extended list. */
export function* findExtendedCapability(phb: Phb3, bdfn: number, id: number): Process<number | undefined> {
  let at = EXTENDED_CAPABILITIES;
  for (let seen = 0; seen < MAX_CAPABILITIES && at >= EXTENDED_CAPABILITIES; seen++) {
    const header = yield* readConfig(phb, bdfn, at, 4);
    if (header === NO_FUNCTION || header === 0) return undefined;
    if ((header & 0xffff) === id) return at;
    at = (header >>> 20) & 0xffc;
  }
  return undefined;
}

export const findExpress = (phb: Phb3, bdfn: number): Process<number | undefined> =>
  findCapability(phb, bdfn, CapabilityId.PCI_EXPRESS);
export const findAer = (phb: Phb3, bdfn: number): Process<number | undefined> =>
  findExtendedCapability(phb, bdfn, ExtendedCapabilityId.AER);
export const findPowerManagement = (phb: Phb3, bdfn: number): Process<number | undefined> =>
  findCapability(phb, bdfn, CapabilityId.POWER_MANAGEMENT);
