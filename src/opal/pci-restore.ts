/**
 * Bringing devices back after their link was down: they answer again, know their bus numbers, and are initialised.
 * Source: skiboot core/pci.c: pci_wait_crs, pci_bridge_wait_link, __pci_restore_bridge_buses,
 * pci_restore_slot_bus_configs. Facts: opal-pci 6.8.
 */
import { LNKSTA_FIELDS } from '../pcie/capabilities.js';
import { functionOf } from '../pcie/tlp.js';
import { delay, type Process } from '../sim/process.js';
import { ms, seconds } from '../sim/time.js';
import { readConfig, writeConfig } from './pci-config.js';
import { formatBdfn, type PciDevice } from './pci-device.js';
import type { PciHost } from './pci-host.js';
import { CONFIG, EXPRESS, LNKCAP_DLL_ACTIVE, NO_FUNCTION, RETRY_STATUS } from './pci-registers.js';

const RETRY_POLLS = 40;
const LINK_POLLS = 100;
const POLL_NS = ms(100);
/** After the link came up, and after a reset of a link that cannot tell. */
const LINK_SETTLE_NS = ms(100);
const BLIND_SETTLE_NS = seconds(1);

/** Vendor and device as one word once the function is ready; undefined if none is there. */
export function* awaitFunction(phb: PciHost, bdfn: number): Process<number | undefined> {
  for (let poll = 0; poll < RETRY_POLLS; poll++) {
    const identity = yield* readConfig(phb, bdfn, CONFIG.VENDOR_ID, 4);
    if (identity === NO_FUNCTION || identity === 0) return undefined;
    if (identity !== RETRY_STATUS) return identity;
    yield* delay(POLL_NS);
  }
  phb.log(`${formatBdfn(bdfn)}: timeout waiting for the function to leave retry status`);
  return undefined;
}

/** Waits for the link below a bridge. `reset`: the bridge was just reset. */
export function* awaitLink(phb: PciHost, bridge: PciDevice, before: 'reset' | 'undisturbed'): Process<boolean> {
  const { bdfn, express } = bridge;
  if (express === undefined) return true;
  const capabilities = yield* readConfig(phb, bdfn, express + EXPRESS.LNKCAP, 4);
  if ((capabilities & LNKCAP_DLL_ACTIVE) === 0) {
    if (before === 'reset') yield* delay(BLIND_SETTLE_NS);
    return true;
  }
  for (let poll = 0; poll < LINK_POLLS; poll++) {
    const status = yield* readConfig(phb, bdfn, express + EXPRESS.LNKSTA, 2);
    if ((status & LNKSTA_FIELDS.DLL_ACTIVE) !== 0) {
      yield* delay(LINK_SETTLE_NS);
      return true;
    }
    yield* delay(POLL_NS);
  }
  phb.log(`${formatBdfn(bdfn)}: timeout waiting for the link`);
  return false;
}

/**
 * First all bus numbers, then all initialisation. Firmware says nothing of a device that is silent: its card may be gone, or,
 * on a bridge that blocks configuration requests to a frozen PE, the kernel has yet to thaw it.
 */
export function* restoreDevices(phb: PciHost, devices: readonly PciDevice[]): Process<void> {
  const all = inWalkOrder(devices);
  if (phb.profile.restoreWalk === 'skiboot') {
    for (const device of all) if (!(yield* restoreBus(phb, device))) break;
    for (const device of all) yield* phb.initDevice(device);
    return;
  }
  const answering = new Set<PciDevice>();
  for (const device of all) {
    const below = devices.includes(device) || answering.has(device.parent!);
    if (below && (yield* restoreBus(phb, device))) answering.add(device);
  }
  for (const device of answering) yield* phb.initDevice(device);
}

/** Brothers, then the children of each. Source: skiboot core/pci.c: pci_walk_dev. */
function inWalkOrder(devices: readonly PciDevice[]): PciDevice[] {
  return [...devices, ...devices.flatMap(({ children }) => inWalkOrder(children))];
}

function* restoreBus(phb: PciHost, device: PciDevice): Process<boolean> {
  const { parent, bdfn } = device;
  const first = functionOf(bdfn) === 0;
  if (first && parent?.type === 'downstream-port' && !(yield* awaitLink(phb, parent, 'reset'))) return false;
  const identity = yield* awaitFunction(phb, bdfn);
  if (identity === undefined) return false;
  // A write makes the function learn its bus number.
  yield* writeConfig(phb, { bdfn, offset: CONFIG.VENDOR_ID, size: 4 }, identity);
  if (device.isBridge) yield* writeBusNumbers(phb, device);
  return true;
}

/** What a bridge must know to forward configuration cycles. */
type BusNumbers = Pick<PciDevice, 'bdfn' | 'primaryBus' | 'secondaryBus' | 'subordinateBus'>;

export function* writeBusNumbers(phb: PciHost, bridge: BusNumbers): Process<void> {
  const { bdfn, primaryBus, secondaryBus, subordinateBus } = bridge;
  yield* writeConfig(phb, { bdfn, offset: CONFIG.PRIMARY_BUS, size: 1 }, primaryBus);
  yield* writeConfig(phb, { bdfn, offset: CONFIG.SECONDARY_BUS, size: 1 }, secondaryBus);
  yield* writeConfig(phb, { bdfn, offset: CONFIG.SUBORDINATE_BUS, size: 1 }, subordinateBus);
}
