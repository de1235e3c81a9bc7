/** The card behind the name of an emulated device: one with behaviour where there is one, else its image. */
import type { Simulator } from '../sim/simulator.js';
import { Edu } from './edu.js';
import { Nvme } from './nvme.js';
import { PEER_IMAGES, PeerDevice, type PeerName } from './peer-devices.js';

export function peerCard(sim: Simulator, name: string, peer: PeerName): PeerDevice {
  if (peer === 'edu') return new Edu(sim, name);
  if (peer === 'nvme') return new Nvme(sim, name);
  return new PeerDevice(sim, name, PEER_IMAGES[peer]);
}
