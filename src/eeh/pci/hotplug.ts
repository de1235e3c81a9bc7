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
import type { PciResources } from './resources.js';
import type { PciScan } from './scan.js';

export interface HotplugParts {
  readonly scan: PciScan;
  readonly resources: PciResources;
  readonly peSetup: PeSetup;
  readonly probe: EehProbe;
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
    yield* this.parts.peSetup.removeDevice(device);
  }

  /** Finds what is on the bus now; new devices get addresses, a PE, their EEH record and a driver. */
  *addDevices(bus: PciBus): Process<PciDevice[]> {
    const found = yield* this.parts.scan.bus(bus);
    if (found.length > 0) yield* this.parts.resources.assign(bus);
    for (const each of bus.withChildren()) {
      const fresh = found.filter((device) => device.bus === each);
      if (fresh.length > 0) yield* this.parts.peSetup.configureBus(each, fresh);
    }
    for (const device of found) yield* this.parts.probe.probeDevice(device);
    for (const device of found) yield* this.parts.drivers.attach(device);
    return found;
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
