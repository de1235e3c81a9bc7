/**
 * The kernel's e1000e driver as its device's PCI side sees it: three message interrupts, switched on when the interface
 * goes up, and its part in recovery. It moves no data.
 * Source: linux drivers/net/ethernet/intel/e1000e/netdev.c: e1000_probe, e1000e_disable_aspm, e1000_io_error_detected,
 * e1000_io_slot_reset, e1000_io_resume; calls as recorded (facts: eeh-linux 24.1, 24.4, 24.7).
 */
import type { Process } from '../../sim/process.js';
import type { PciDevice, PciErrorHandlers } from '../pci/device.js';
import type { SavedState } from '../pci/saved-state.js';
import type { PciDriver } from './driver.js';
import type { DriverServices } from './services.js';

const INTEL = 0x8086;
const INTEL_82574L = 0x10d3;
/** Receive, transmit, everything else. */
const VECTORS = 3;

interface Adapter {
  readonly services: DriverServices;
  interface: 'up' | 'down';
  saved: SavedState;
}

export class E1000eDriver implements PciDriver {
  readonly name = 'e1000e';
  readonly errorHandlers: PciErrorHandlers;
  private readonly adapters = new Map<PciDevice, Adapter>();

  constructor() {
    this.errorHandlers = {
      errorDetected: (device, state) => this.errorDetected(device, state),
      slotReset: (device) => this.slotReset(device),
      resume: (device) => this.resume(device),
    };
  }

  matches({ identity }: PciDevice): 'yes' | 'no' {
    return identity.vendorId === INTEL && identity.deviceId === INTEL_82574L ? 'yes' : 'no';
  }

  *probe(device: PciDevice, services: DriverServices): Process<number> {
    yield* this.lookForAspm(device, services);
    const enabled = yield* services.enableDevice(device);
    if (enabled < 0) return enabled;
    yield* services.setMaster(device);
    const saved = yield* services.saveState(device);
    this.adapters.set(device, { services, saved, interface: 'down' });
    yield* services.enableMessages(device, VECTORS);
    yield* services.readExpress(device, 'LNKSTA');
    return 0;
  }

  *remove(device: PciDevice): Process<void> {
    yield* this.stop(device);
    this.adapters.delete(device);
  }

  /** `ip link set up` */
  *open(device: PciDevice): Process<void> {
    const adapter = this.adapters.get(device)!;
    adapter.interface = 'up';
    yield* this.requestMessages(device, adapter);
  }

  private *errorDetected(device: PciDevice, state: PciDevice['channel']): ReturnType<Handler<'errorDetected'>> {
    if (state === 'perm-failure') return 'disconnect';
    yield* this.stop(device);
    return 'need reset';
  }

  private *slotReset(device: PciDevice): ReturnType<Handler<'slotReset'>> {
    const { services, saved } = this.adapters.get(device)!;
    yield* this.lookForAspm(device, services);
    if ((yield* services.enableDevice(device)) < 0) return 'disconnect';
    yield* services.restoreState(device, saved);
    yield* services.setMaster(device);
    return 'recovered';
  }

  private *resume(device: PciDevice): Process<void> {
    const adapter = this.adapters.get(device)!;
    yield* adapter.services.enableMessages(device, VECTORS);
    if (adapter.interface === 'up') yield* this.requestMessages(device, adapter);
  }

  private *stop(device: PciDevice): Process<void> {
    const { services } = this.adapters.get(device)!;
    yield* services.disableMessages(device);
    yield* services.disableDevice(device);
  }

  private *requestMessages(device: PciDevice, { services }: Adapter): Process<void> {
    for (let vector = 0; vector < VECTORS; vector++) yield* services.requestMessage(device, vector);
  }

  /** The chip must not enter low link states; both ends are asked whether they may. */
  private *lookForAspm(device: PciDevice, services: DriverServices): Process<void> {
    yield* services.readExpress(device, 'LNKCTL');
    if (device.bus.bridge !== undefined) yield* services.readExpress(device.bus.bridge, 'LNKCTL');
  }
}

type Handler<K extends keyof PciErrorHandlers> = NonNullable<PciErrorHandlers[K]>;
