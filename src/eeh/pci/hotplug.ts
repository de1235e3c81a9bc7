/**
 * Unplugging and replugging devices in software. The caller holds the rescan lock.
 * Source: linux arch/powerpc/kernel/pci-hotplug.c: pci_hp_remove_devices, pci_hp_add_devices; drivers/pci/remove.c.
 */
import { OpalStatus, Presence } from '../../opal/opal-api.js';
import type { Process } from '../../sim/process.js';
import type { KernelContext } from '../context.js';
import type { DriverCore } from '../drivers/driver-core.js';
import type { EehProbe } from '../eeh-probe.js';
import type { PeSetup } from '../powernv/pe-setup.js';
import { type HotplugSlot, hex, type PciBus, type PciDevice } from './device.js';
import type { DeviceEnable } from './enable.js';
import type { DeviceRegistration } from './registration.js';
import type { PciResources } from './resources.js';
import type { PciScan } from './scan.js';

export interface HotplugParts {
  readonly scan: PciScan;
  readonly resources: PciResources;
  readonly peSetup: PeSetup;
  readonly probe: EehProbe;
  readonly enable: DeviceEnable;
  readonly registration: DeviceRegistration;
  readonly drivers: DriverCore;
}

export type SlotState = 'present' | 'empty' | 'unknown';

export class PciHotplug {
  constructor(
    private readonly ctx: KernelContext,
    private readonly parts: HotplugParts,
  ) {}

  /** Everything on the bus and below, deepest first, the last device of a bus first. */
  *removeDevices(bus: PciBus): Process<void> {
    for (const child of [...bus.children]) yield* this.removeDevices(child);
    for (const device of [...bus.devices].reverse()) yield* this.removeDevice(device);
  }

  *removeDevice(device: PciDevice): Process<void> {
    const { bus } = device;
    if (device.subordinate !== undefined) yield* this.removeSubordinate(device, device.subordinate);
    yield* this.parts.drivers.detach(device);
    const group = this.parts.peSetup.peOf(device)?.dma?.iommuGroup;
    if (group !== undefined && !device.isBridge) {
      this.ctx.log.info(`pci ${device.name}: Removing from iommu group ${group}`);
    }
    this.parts.probe.removeDevice(device);
    bus.devices.splice(bus.devices.indexOf(device), 1);
    if (bus.bridge !== undefined && bus.devices.length === 0) bus.bridge.linkState = undefined;
    yield* this.parts.peSetup.removeDevice(device);
  }

  /**
   * Finds what is on the bus now; new devices get addresses, a PE, their EEH record and a driver. A root bus is scanned as
   * the rescan file does it, any other as the recovery does, which writes the windows above it anew.
   * Source: linux pci_rescan_bus; arch/powerpc/kernel/pci-hotplug.c: pci_hp_add_devices.
   */
  *addDevices(bus: PciBus): Process<PciDevice[]> {
    const found = yield* this.parts.scan.bus(bus);
    if (bus.bridge === undefined) yield* this.parts.resources.assign(bus);
    else if (found.length > 0) yield* this.openAbove(bus.bridge, bus);
    for (const device of found) {
      yield* this.parts.registration.add(device);
      yield* this.parts.drivers.attach(device);
    }
    return found;
  }

  private *openAbove(bridge: PciDevice, bus: PciBus): Process<void> {
    yield* this.parts.resources.assignBelow(bridge, bus);
    yield* this.parts.enable.reenable(bridge);
    yield* this.parts.enable.setMaster(bridge, 'on');
  }

  /** What firmware says about the card. */
  *slotState(slot: HotplugSlot): Process<SlotState> {
    const { rc, state } = yield* this.ctx.opal.pciGetPresenceState(slot.id);
    if (rc !== OpalStatus.SUCCESS) return 'unknown';
    return state === Presence.EMPTY ? 'empty' : 'present';
  }

  private *removeSubordinate(bridge: PciDevice, below: PciBus): Process<void> {
    yield* this.removeDevices(below);
    const { children } = bridge.bus;
    children.splice(children.indexOf(below), 1);
    bridge.subordinate = undefined;
    this.ctx.log.info(`pci_bus ${below.name}: busn_res: [bus ${hex(below.number, 2)}] is released`);
  }
}
