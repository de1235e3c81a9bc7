/**
 * How a device gets its EEH record and leaves it. Source: linux powernv/eeh-powernv.c: pnv_eeh_probe; eeh.c:
 * eeh_probe_device, eeh_remove_device; facts: eeh-linux 2.3.
 */
import { PortType } from '../pcie/capabilities.js';
import type { Process } from '../sim/process.js';
import type { AddressCache } from './address-cache.js';
import type { KernelContext } from './context.js';
import type { EehConfig } from './eeh-config.js';
import { DEV_MODE_KEPT_BY_PROBE, DevMode, PeState } from './eeh-flags.js';
import { EehDev, type EehPe, edevOf } from './eeh-pe.js';
import type { EehSettings } from './eeh-settings.js';
import type { EehTree } from './eeh-tree.js';
import type { PciDevice } from './pci/device.js';
import { ClassCode } from './pci/regs.js';
import { EehCapabilities } from './powernv/eeh-capabilities.js';
import type { PeSetup } from './powernv/pe-setup.js';

/** Devices whose config space must not be touched while they are frozen: vendor, device. */
const CONFIG_RESTRICTED: readonly (readonly [number, number])[] = [
  [0x14e4, 0x1656],
  [0x14e4, 0x1657],
  [0x14e4, 0x168a],
  [0x14e4, 0x168e],
];

export interface ProbeParts {
  readonly settings: EehSettings;
  readonly tree: EehTree;
  readonly config: EehConfig;
  readonly cache: AddressCache;
  readonly peSetup: PeSetup;
  /** Called once, when the first device was probed. */
  readonly start: () => void;
}

export class EehProbe {
  private readonly capabilities: EehCapabilities;

  constructor(
    private readonly ctx: KernelContext,
    private readonly parts: ProbeParts,
  ) {
    this.capabilities = new EehCapabilities(ctx);
  }

  *probeDevice(device: PciDevice): Process<void> {
    const { node } = device;
    const edev = edevOf(device) ?? new EehDev(device.bus.controller, node.bdfn);
    node.edev = edev;
    if (edev.pe !== undefined || device.baseClass === ClassCode.ISA_BRIDGE) return;
    yield* this.describe(edev, device);
    edev.peConfigAddress = node.peNumber ?? device.bus.controller.node.reservedPe;
    if (this.parts.tree.insert(edev, this.upstreamPe(device)) !== 'inserted') {
      this.ctx.log.warn(`${edev.logPrefix}Failed to add device to PE (code -19)`);
      return;
    }
    this.joinedPe(edev, device);
    if (this.parts.settings.started === 'no') this.parts.start();
    yield* this.parts.config.save(edev);
    edev.device = device;
    this.parts.cache.insertDevice(device);
    if (this.parts.settings.enabled) edev.mode |= DevMode.SYSFS;
  }

  /** The bus told that the device goes. Without a record in a PE, or with EEH off, nothing happens. */
  removeDevice(device: PciDevice): void {
    const edev = edevOf(device);
    if (edev?.pe === undefined || edev.device === undefined || !this.parts.settings.enabled) return;
    edev.device = undefined;
    edev.inError = 'no';
    if (edev.pe.in(PeState.KEEP)) edev.mode |= DevMode.DISCONNECTED;
    else this.parts.tree.remove(edev);
    edev.mode |= DevMode.NO_HANDLER;
    edev.mode &= ~DevMode.SYSFS;
    this.parts.cache.removeDevice(device);
  }

  private *describe(edev: EehDev, device: PciDevice): Process<void> {
    edev.mode &= DEV_MODE_KEPT_BY_PROBE;
    yield* this.capabilities.find(edev);
    edev.linkReporting = device.capabilities.linkReporting;
    if (!device.isPciBridgeClass) return;
    edev.mode |= DevMode.BRIDGE;
    if (edev.pcieCapability === 0) return;
    const portType = yield* this.capabilities.portType(edev);
    if (portType === PortType.rootPort) edev.mode |= DevMode.ROOT_PORT;
    if (portType === PortType.downstream) edev.mode |= DevMode.DS_PORT;
  }

  private joinedPe(edev: EehDev, device: PciDevice): void {
    const { pe } = edev;
    if (pe === undefined) return;
    const { vendorId, deviceId } = device.identity;
    if (CONFIG_RESTRICTED.some(([vendor, id]) => vendor === vendorId && id === deviceId)) {
      pe.state |= PeState.CFG_RESTRICTED;
    }
    if (pe.in(PeState.PRI_BUS)) return;
    pe.bus = device.bus;
    pe.state |= PeState.PRI_BUS;
  }

  /** The PE of the bridge above; none on the root bus. */
  private upstreamPe(device: PciDevice): EehPe | undefined {
    const physical = edevOf(device)?.physicalFunction;
    if (physical !== undefined) return edevOf(physical)?.pe;
    for (let bus = device.bus; bus.bridge !== undefined; bus = bus.bridge.bus) {
      const pe = edevOf(bus.bridge)?.pe;
      if (pe !== undefined) return pe;
    }
    return undefined;
  }
}
