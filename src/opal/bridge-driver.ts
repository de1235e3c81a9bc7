/** What the drivers of all bridges answer from what firmware remembers of the bridge. Source: skiboot include/pci.h: struct phb. */
import type { HostPort } from '../hw/host-port.js';
import type { Mutex } from '../sim/mutex.js';
import type { FirmwareProfile } from './firmware-profile.js';
import type { FirmwareServices } from './firmware-services.js';
import type { PciDevice } from './pci-device.js';
import type { Slot } from './slot.js';

/** What firmware remembers of a bridge, of whichever chip. */
export interface BridgeState {
  readonly id: number;
  /** As the log has it. */
  readonly name: string;
  readonly port: HostPort;
  readonly profile: FirmwareProfile;
  readonly services: FirmwareServices;
  readonly lock: Mutex;
  readonly broken: boolean;
  readonly refusedCycles: number;
  devices: readonly PciDevice[];
  maxPayload: number | undefined;
}

export abstract class BridgeDriver<B extends BridgeState> {
  readonly portSlots = new Map<number, Slot>();

  constructor(readonly phb: B) {}

  get id(): number {
    return this.phb.id;
  }
  get port(): HostPort {
    return this.phb.port;
  }
  get profile(): FirmwareProfile {
    return this.phb.profile;
  }
  get lock(): Mutex {
    return this.phb.lock;
  }
  get publishedAs(): object {
    return this.phb;
  }
  get broken(): boolean {
    return this.phb.broken;
  }
  get refusedCycles(): number {
    return this.phb.refusedCycles;
  }

  get devices(): readonly PciDevice[] {
    return this.phb.devices;
  }
  set devices(found: readonly PciDevice[]) {
    this.phb.devices = found;
  }
  get maxPayload(): number | undefined {
    return this.phb.maxPayload;
  }
  set maxPayload(code: number | undefined) {
    this.phb.maxPayload = code;
  }

  log(line: string): void {
    this.phb.services.log(line.startsWith('PCI') ? line : `${this.phb.name}: ${line}`);
  }
}
