/** The card behind the name of an emulated device: one with behaviour where there is one, else its image. */
import type { Simulator } from '../sim/simulator.js';
import { Edu, type EduTiming } from './edu.js';
import type { EndpointTiming } from './endpoint-options.js';
import { Nvme, type NvmeTiming } from './nvme.js';
import { PEER_IMAGES, PeerDevice, type PeerName } from './peer-devices.js';

/** What cards take of a machine's timing. */
export interface PeerTiming {
  readonly endpoint?: EndpointTiming;
  readonly edu?: EduTiming;
  readonly nvme?: NvmeTiming;
}

export function peerCard(sim: Simulator, name: string, peer: PeerName, timing: PeerTiming = {}): PeerDevice {
  const { endpoint, edu, nvme } = timing;
  if (peer === 'edu') return new Edu(sim, name, { timing: { ...endpoint, ...edu } });
  if (peer === 'nvme') return new Nvme(sim, name, { timing: { ...endpoint, ...nvme } });
  return new PeerDevice(sim, name, PEER_IMAGES[peer], endpoint);
}
