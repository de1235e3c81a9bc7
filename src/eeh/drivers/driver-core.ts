/** Binding of drivers to devices. Probe, remove and error callbacks of one device never overlap: all run under its lock. */
import type { Process } from '../../sim/process.js';
import type { KernelContext } from '../context.js';
import type { BoundDriver, PciDevice } from '../pci/device.js';
import type { PciDriver } from './driver.js';
import type { DriverServices } from './services.js';

export class DriverCore {
  private readonly registered: PciDriver[] = [];
  private services: DriverServices | undefined;

  constructor(private readonly ctx: KernelContext) {}

  /** What drivers get to work with; known once the kernel is put together. */
  useServices(services: DriverServices): void {
    this.services = services;
  }

  /** Binds the driver to every device it wants, in order of discovery. */
  *register(driver: PciDriver): Process<void> {
    this.registered.push(driver);
    for (const controller of this.ctx.controllers) {
      for (const device of controller.buses().flatMap((bus) => [...bus.devices])) yield* this.bind(driver, device);
    }
  }

  *attach(device: PciDevice): Process<void> {
    for (const driver of this.registered) yield* this.bind(driver, device);
  }

  *detach(device: PciDevice): Process<void> {
    if (device.driver !== undefined) yield* device.lock.hold(this.unbind(device, device.driver));
  }

  private *bind(driver: PciDriver, device: PciDevice): Process<void> {
    if (device.driver !== undefined || device.isBridge || driver.matches(device) === 'no') return;
    yield* device.lock.hold(this.probe(driver, device));
  }

  private *probe(driver: PciDriver, device: PciDevice): Process<void> {
    if (this.services === undefined) return;
    device.driver = driver;
    const rc = yield* driver.probe(device, this.services);
    if (rc >= 0) return;
    device.driver = undefined;
    this.ctx.log.warn(`${driver.name}: probe of ${device.name} failed with error ${rc}`);
  }

  private *unbind(device: PciDevice, driver: BoundDriver): Process<void> {
    yield* driver.remove(device);
    device.driver = undefined;
    device.enableCount = 0;
  }
}
