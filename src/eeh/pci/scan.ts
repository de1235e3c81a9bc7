/**
 * Enumeration below a PHB from the bus numbers that firmware gave. Bridges are visited twice, the second time only to put
 * right what had no numbers. Source: linux drivers/pci/probe.c: pci_scan_child_bus_extend, pci_scan_slot,
 * pci_scan_bridge_extend, pci_alloc_child_bus, pci_read_bridge_bases.
 */
import { slotId } from '../../opal/opal-api.js';
import { BRIDGE_CONTROL_FIELDS } from '../../pcie/config-header.js';
import type { Process } from '../../sim/process.js';
import type { KernelContext } from '../context.js';
import { LinkPower } from './aspm.js';
import { configTarget, type PciConfig } from './config.js';
import { deviceName, type HotplugSlot, hex, PciBus, type PciController, type PciDevice } from './device.js';
import { DeviceFeatures } from './device-features.js';
import { DeviceSetup } from './device-setup.js';
import { PciExpress } from './express.js';
import { allOnes, BRIDGE, Capability, HEADER, HeaderType, PCIE } from './regs.js';
import { range } from './resource-text.js';
import { prefetchableSpace } from './windows.js';

const DEVICES_PER_BUS = 32;
const FUNCTIONS = 8;
const LAST_BUS = 0xff;

export class PciScan {
  private readonly express: PciExpress;
  private readonly setup: DeviceSetup;
  private readonly features: DeviceFeatures;
  private readonly linkPower: LinkPower;

  constructor(
    private readonly ctx: KernelContext,
    private readonly config: PciConfig,
  ) {
    this.express = new PciExpress(config);
    this.setup = new DeviceSetup(ctx, config, this.express);
    this.features = new DeviceFeatures(ctx, config, this.express);
    this.linkPower = new LinkPower(ctx, this.express);
  }

  *controller(controller: PciController): Process<void> {
    const name = `${hex(controller.domain, 4)}:00`;
    const { m32 } = controller.node;
    const bus = new PciBus(controller, 0, undefined);
    const line = (text: string): void => this.ctx.log.info(`pci_bus ${name}: ${text}`);
    this.ctx.log.info(`PCI host bridge to bus ${name}`);
    const onBus = `bus address [${range(m32.pciBase, m32.sizeBytes)}]`;
    line(`root bus resource [mem ${range(m32.cpuBase, m32.sizeBytes)}] (${onBus})`);
    const wide = prefetchableSpace(controller.node);
    if (wide !== undefined) line(`root bus resource [mem ${range(wide.base, wide.limit - wide.base + 1)} 64bit pref]`);
    line('root bus resource [bus 00-ff]');
    line(`busn_res: [bus 00-${hex(LAST_BUS)}] end is updated to ${hex(LAST_BUS)}`);
    controller.rootBus = bus;
    yield* this.bus(bus);
    const last = Math.max(...bus.withChildren().map(({ number }) => number));
    line(`busn_res: [bus 00-${hex(LAST_BUS)}] end is updated to ${hex(last, 2)}`);
  }

  /** Adds what is new on the bus and below; returns the new devices, parents first. */
  *bus(bus: PciBus): Process<PciDevice[]> {
    const found: PciDevice[] = [];
    for (let number = 0; number < (hasOneDevice(bus) ? 1 : DEVICES_PER_BUS); number++) {
      found.push(...(yield* this.slot(bus, number << 3)));
    }
    if (bus.scanned === 'no') yield* this.readWindows(bus);
    bus.scanned = 'yes';
    const bridges = bus.devices.filter((device) => device.isBridge);
    for (const bridge of bridges) found.push(...(yield* this.behind(bridge, 'scan')));
    for (const bridge of bridges) found.push(...(yield* this.behind(bridge, 'verify')));
    return found;
  }

  private *slot(bus: PciBus, devfn: number): Process<PciDevice[]> {
    const found: PciDevice[] = [];
    for (let fn = 0; fn < FUNCTIONS; fn++) {
      const known = bus.devices.find((device) => device.devfn === devfn + fn);
      const device = known ?? (yield* this.device(bus, devfn + fn));
      if (device !== undefined && known === undefined) found.push(device);
      if (fn === 0 && (device === undefined || (device.identity.headerType & HeaderType.MULTI_FUNCTION) === 0)) break;
    }
    if (found.length > 0 && bus.bridge !== undefined) yield* this.linkPower.setUp(bus.bridge);
    return found;
  }

  private *device(bus: PciBus, devfn: number): Process<PciDevice | undefined> {
    const { controller } = bus;
    const bdfn = (bus.number << 8) | devfn;
    const node = controller.findNode(bdfn);
    const ids = yield* this.config.value({ controller, bdfn, node }, HEADER.VENDOR_ID.at, 4);
    // The usual answers of nobody. Source: linux probe.c: pci_bus_generic_read_dev_vendor_id.
    if (ids === allOnes(4) || ids === 0 || ids === 0xffff || ids === 0xffff_0000) return undefined;
    const device = yield* this.setup.create(bus, devfn, ids);
    bus.devices.push(device);
    yield* this.features.setUp(device);
    return device;
  }

  /** Master aborts do not disturb anybody while functions are looked for. */
  private *behind(bridge: PciDevice, pass: 'scan' | 'verify'): Process<PciDevice[]> {
    const target = configTarget(bridge);
    const numbers = yield* this.config.value(target, BRIDGE.PRIMARY_BUS.at, 4);
    const control = yield* this.config.value(target, BRIDGE.BRIDGE_CONTROL.at, 2);
    const quiet = control & ~BRIDGE_CONTROL_FIELDS.MASTER_ABORT_MODE;
    yield* this.config.write(target, BRIDGE.BRIDGE_CONTROL.at, 2, quiet);
    yield* this.retryReporting(bridge);
    const found = pass === 'scan' ? yield* this.child(bridge, numbers, control) : [];
    yield* this.config.write(target, BRIDGE.BRIDGE_CONTROL.at, 2, control);
    return found;
  }

  /** A device that is not ready yet may say so, where the root port lets it. */
  private *retryReporting(bridge: PciDevice): Process<void> {
    const able = yield* this.express.read(bridge, 'RTCAP');
    if ((able & PCIE.RTCAP.fields!['CRS_VISIBILITY']!) === 0) return;
    yield* this.express.change(bridge, 'RTCTL', { set: PCIE.RTCTL.fields!['CRS_VISIBILITY']! });
  }

  private *child(bridge: PciDevice, numbers: number, control: number): Process<PciDevice[]> {
    const { bus } = bridge;
    if (bridge.subordinate === undefined) {
      const secondary = (numbers >>> 8) & 0xff;
      if (secondary <= bus.number || secondary === allOnes(1)) return [];
      const child = new PciBus(bus.controller, secondary, bridge, hotplugSlot(bridge));
      bridge.subordinate = child;
      child.bridgeControl = control;
      child.lastNumber = (numbers >>> 16) & 0xff;
      bus.children.push(child);
      yield* this.readSpeed(bridge);
    }
    return yield* this.bus(bridge.subordinate);
  }

  /** Source: linux probe.c: pci_set_bus_speed. */
  private *readSpeed(bridge: PciDevice): Process<void> {
    const target = configTarget(bridge);
    for (const id of [Capability.AGP, Capability.AGP3, Capability.PCIX]) {
      if ((yield* this.config.findCapability(target, id)) !== 0) break;
    }
    if (!bridge.isPcie) return;
    const able = yield* this.express.read(bridge, 'LNKCAP');
    bridge.capabilities.linkReporting = (able & PCIE.LNKCAP.fields!['DLL_ACTIVE']!) !== 0 ? 'yes' : 'no';
    yield* this.express.read(bridge, 'LNKSTA');
  }

  /** What firmware left in the windows; closed ones are not mentioned. */
  private *readWindows(bus: PciBus): Process<void> {
    const { bridge } = bus;
    if (bridge === undefined) return;
    const target = configTarget(bridge);
    const { io, prefetchable } = bridge.bridgeAbilities;
    this.ctx.log.info(`pci ${bridge.name}: PCI bridge to [bus ${hex(bus.number, 2)}]`);
    if (io === 'yes') {
      for (const at of [BRIDGE.IO_BASE.at, BRIDGE.IO_LIMIT.at]) yield* this.config.value(target, at, 1);
    }
    for (const at of [BRIDGE.MEMORY_BASE.at, BRIDGE.MEMORY_LIMIT.at]) yield* this.config.value(target, at, 2);
    if (prefetchable === 'none') return;
    const limits = [BRIDGE.PREFETCHABLE_BASE.at, BRIDGE.PREFETCHABLE_LIMIT.at];
    let type = 0;
    for (const at of limits) type = yield* this.config.value(target, at, 2);
    if ((type & 1) === 0) return;
    const upper = [BRIDGE.PREFETCHABLE_BASE_UPPER.at, BRIDGE.PREFETCHABLE_LIMIT_UPPER.at];
    for (const at of upper) yield* this.config.value(target, at, 4);
  }
}

/** Below a link there is one device, and the root bus of these bridges has the root port alone. */
function hasOneDevice(bus: PciBus): boolean {
  return bus.bridge === undefined || bus.bridge.isDownstreamPort;
}

function hotplugSlot(bridge: PciDevice): HotplugSlot | undefined {
  const { controller } = bridge.bus;
  const node = controller.slotBelow(bridge);
  // The slot driver looks below bridges of the second and third kind only.
  if (node?.hotplug !== 'registered' || controller.model === 'p7ioc') return undefined;
  const name = node.label ?? deviceName(controller, bridge.bdfn);
  return { id: slotId(controller.phbId, bridge.bdfn), name, attention: 'off' };
}
