/** What was plugged into the recorded machine, found in what its devices answered to the first look at them. */

import { unswapConfig } from '../ioda/byte-order.js';
import type { Card } from '../machine/powernv8.js';
import { Nic } from '../pcie/nic.js';
import { peerCard } from '../pcie/peer-cards.js';
import { PEER_IMAGES, type PeerImage } from '../pcie/peer-devices.js';
import type { Simulator } from '../sim/simulator.js';
import { SelectorTracker } from './read-target.js';
import { isAccess, type Recording } from './recording.js';

const FIRST_DEVICE = 0x0100;
const VENDOR_AND_DEVICE_BYTES = 4;

/** Vendor and device id as one doublewword of configuration space, by PHB number. */
export function identitiesOf(recording: Recording): Map<number, number> {
  const trackers = new Map<number, SelectorTracker>();
  const found = new Map<number, number>();
  for (const access of recording.steps.filter(isAccess)) {
    const tracker = trackers.get(access.phb) ?? new SelectorTracker();
    trackers.set(access.phb, tracker);
    const target = tracker.touch(access);
    const isIdentity = target.kind === 'config' && target.target === FIRST_DEVICE && target.offset === 0;
    if (!isIdentity || access.direction !== 'read' || access.size !== VENDOR_AND_DEVICE_BYTES) continue;
    const identity = unswapConfig(access.value, VENDOR_AND_DEVICE_BYTES);
    if (identity !== 0xffff_ffff && !found.has(access.phb)) found.set(access.phb, identity);
  }
  return found;
}

/** A device with this identity: one of those described, else a network card that calls itself so. */
export function cardWithIdentity(sim: Simulator, phb: number, identity: number): Card {
  const image = Object.values(PEER_IMAGES).find((candidate) => identityOf(candidate) === identity);
  if (image) return peerCard(sim, `slot${phb} ${image.name}`, image.name);
  return new Nic(sim, `slot${phb}`, { vendorId: identity & 0xffff, deviceId: Math.floor(identity / 0x1_0000) });
}

function identityOf({ layout }: PeerImage): number {
  return (layout.VENDOR_ID.reset ?? 0) + (layout.DEVICE_ID.reset ?? 0) * 0x1_0000;
}
