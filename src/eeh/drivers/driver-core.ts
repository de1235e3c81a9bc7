/** Binding of drivers to devices. Probe, remove and error callbacks of one device never overlap: all run under its lock. */
import type { Process } from '../../sim/process.js';
import type { KernelContext } from '../context.js';
import { EBUSY, ENODEV } from '../errno.js';
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

  /** As sysfs lists them: registrations of one name are one driver. */
  get names(): string[] {
    return [...new Set(this.registered.map(({ name }) => name))];
  }

  /** What writing to a driver's bind file does. */
  *bindByName(name: string, device: PciDevice): Process<number> {
    const driver = this.registered.find((each) => each.name === name && each.matches(device) === 'yes');
    if (driver === undefined || device.isBridge) return ENODEV;
    return yield* device.lock.hold(this.probeUnbound(driver, device));
  }

  private *probeUnbound(driver: PciDriver, device: PciDevice): Process<number> {
    return device.driver === undefined ? yield* this.probe(driver, device) : EBUSY;
  }

  private *bind(driver: PciDriver, device: PciDevice): Process<void> {
    if (device.driver !== undefined || device.isBridge || driver.matches(device) === 'no') return;
    yield* device.lock.hold(this.probe(driver, device));
  }

  private *probe(driver: PciDriver, device: PciDevice): Process<number> {
    if (this.services === undefined) return ENODEV;
    device.driver = driver;
    const rc = yield* driver.probe(device, this.services);
    if (rc >= 0) return 0;
    device.driver = undefined;
    this.ctx.log.warn(`${driver.name}: probe of ${device.name} failed with error ${rc}`);
    return rc;
  }

  private *unbind(device: PciDevice, driver: BoundDriver): Process<void> {
    yield* driver.remove(device);
    device.driver = undefined;
    device.enableCount = 0;
  }
}
