/** What the kernel asks of a device driver. Facts: eeh-linux 8.4, 20. */
import type { Process } from '../../sim/process.js';
import type { BoundDriver, PciDevice } from '../pci/device.js';
import type { DriverServices } from './services.js';

export interface PciDriver extends BoundDriver {
  matches(device: PciDevice): 'yes' | 'no';
  /** An errno below 0 refuses the device. */
  probe(device: PciDevice, services: DriverServices): Process<number>;
  /** Something that grows as long as its devices work, for those who want to see it come back to life. */
  readonly progress?: number;
}

/** error_detected and slot_reset: only such drivers keep their device through a reset. */
export function isFullyAware(driver: BoundDriver | undefined): driver is BoundDriver {
  const handlers = driver?.errorHandlers;
  return handlers?.errorDetected !== undefined && handlers.slotReset !== undefined;
}
