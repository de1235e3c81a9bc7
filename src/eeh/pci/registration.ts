/**
 * A device found becomes known: its PE, its interrupt by wire, its EEH record.
 * Source: linux arch/powerpc/kernel/pci-common.c: pcibios_bus_add_device, pci_read_irq_line; powernv/pci-ioda.c:
 * pnv_pci_ioda_dma_dev_setup.
 */
import type { Process } from '../../sim/process.js';
import type { EehProbe } from '../eeh-probe.js';
import type { PeSetup } from '../powernv/pe-setup.js';
import { configTarget, type PciConfig } from './config.js';
import type { PciDevice } from './device.js';
import { HEADER } from './regs.js';

export class DeviceRegistration {
  constructor(
    private readonly config: PciConfig,
    private readonly peSetup: PeSetup,
    private readonly probe: EehProbe,
  ) {}

  *add(device: PciDevice): Process<void> {
    yield* this.peSetup.addDevice(device);
    yield* this.findInterrupt(device);
    yield* this.probe.probeDevice(device);
  }

  /** The device tree knows interrupts of functions with a pin; a function without one is asked, and then asked again. */
  private *findInterrupt(device: PciDevice): Process<void> {
    if (device.interruptPin !== 0) return;
    const target = configTarget(device);
    yield* this.config.value(target, HEADER.INTERRUPT_PIN.at, 1);
    yield* this.config.value(target, HEADER.INTERRUPT_PIN.at, 1);
  }
}
