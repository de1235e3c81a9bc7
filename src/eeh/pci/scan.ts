/**
 * Enumeration below a PHB from the bus numbers that firmware gave: who is there, what it can do, how big its BARs are.
 * Source: linux drivers/pci/probe.c: pci_scan_slot, pci_setup_device, pci_scan_bridge.
 */

import { slotId } from '../../opal/opal-api.js';
import { ExtendedCapabilityId, PortType } from '../../pcie/capabilities.js';
import { BAR_64BIT, BAR_IO, BAR_PREFETCHABLE, COMMAND_FIELDS } from '../../pcie/config-header.js';
import type { Process } from '../../sim/process.js';
import type { KernelContext } from '../context.js';
import { type ConfigTarget, configTarget, type PciConfig } from './config.js';
import {
  type DeviceCapabilities,
  type DeviceIdentity,
  deviceName,
  type HotplugSlot,
  hex,
  PciBus,
  type PciController,
  PciDevice,
  type PciResource,
  ROM_INDEX,
} from './device.js';
import { allOnes, BRIDGE, Capability, DWORD, HEADER, HeaderType, PCIE } from './regs.js';

const DEVICES_PER_BUS = 32;
const FUNCTIONS = 8;
const LAST_DEVICE_BAR = 5;
const BAR_FLAGS = 0xf;
const ROM_ADDRESS_MASK = 0xffff_f800;

export class PciScan {
  constructor(
    private readonly ctx: KernelContext,
    private readonly config: PciConfig,
  ) {}

  *controller(controller: PciController): Process<void> {
    this.ctx.log.info(`PCI host bridge to bus ${hex(controller.domain, 4)}:00`);
    controller.rootBus = new PciBus(controller, 0, undefined);
    yield* this.bus(controller.rootBus);
  }

  /** Adds what is new on the bus and below; returns the new devices, parents first. */
  *bus(bus: PciBus): Process<PciDevice[]> {
    const found: PciDevice[] = [];
    for (let number = 0; number < (hasOneDevice(bus) ? 1 : DEVICES_PER_BUS); number++) {
      found.push(...(yield* this.slot(bus, number << 3)));
    }
    for (const bridge of bus.devices.filter((device) => device.isBridge)) found.push(...(yield* this.behind(bridge)));
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
    return found;
  }

  private *behind(bridge: PciDevice): Process<PciDevice[]> {
    const { bus } = bridge;
    if (bridge.subordinate === undefined) {
      const secondary = yield* this.config.value(configTarget(bridge), BRIDGE.SECONDARY_BUS.at, 1);
      if (secondary <= bus.number || secondary === allOnes(1)) return [];
      bridge.subordinate = new PciBus(bus.controller, secondary, bridge, hotplugSlot(bridge));
      bus.children.push(bridge.subordinate);
    }
    return yield* this.bus(bridge.subordinate);
  }

  private *device(bus: PciBus, devfn: number): Process<PciDevice | undefined> {
    const { controller } = bus;
    const bdfn = (bus.number << 8) | devfn;
    const probe: ConfigTarget = { controller, bdfn, node: controller.findNode(bdfn) };
    const ids = yield* this.config.value(probe, HEADER.VENDOR_ID.at, 4);
    // The usual answers of nobody. Source: linux probe.c: pci_bus_generic_read_dev_vendor_id.
    if (ids === allOnes(4) || ids === 0 || ids === 0xffff || ids === 0xffff_0000) return undefined;
    const node = controller.addNode(bdfn);
    const target = { controller, bdfn, node };
    const identity = yield* this.identity(target, ids);
    const device = new PciDevice(this.ctx.sim, bus, devfn, node, identity, yield* this.capabilities(target));
    bus.devices.push(device);
    this.ctx.log.info(
      `pci ${device.name}: [${hex(identity.vendorId, 4)}:${hex(identity.deviceId, 4)}] ` +
        `type ${hex(identity.headerType & HeaderType.MASK, 2)} class 0x${hex(identity.classCode, 6)}`,
    );
    yield* this.resources(device);
    return device;
  }

  private *identity(target: ConfigTarget, ids: number): Process<DeviceIdentity> {
    return {
      vendorId: ids & 0xffff,
      deviceId: ids >>> 16,
      classCode: (yield* this.config.value(target, HEADER.REVISION.at, 4)) >>> 8,
      headerType: yield* this.config.value(target, HEADER.HEADER_TYPE.at, 1),
    };
  }

  private *capabilities(target: ConfigTarget): Process<DeviceCapabilities> {
    const pcie = yield* this.config.findCapability(target, Capability.PCI_EXPRESS);
    const flags = pcie === 0 ? 0 : yield* this.config.value(target, pcie + PCIE.PCIE_FLAGS.at, 2);
    const link = pcie === 0 ? 0 : yield* this.config.value(target, pcie + PCIE.LNKCAP.at, 4);
    return {
      powerManagement: yield* this.config.findCapability(target, Capability.POWER_MANAGEMENT),
      pcie,
      pcix: yield* this.config.findCapability(target, Capability.PCIX),
      advancedFeatures: yield* this.config.findCapability(target, Capability.ADVANCED_FEATURES),
      aer: pcie === 0 ? 0 : yield* this.config.findExtendedCapability(target, ExtendedCapabilityId.AER),
      portType: (flags & PCIE.PCIE_FLAGS.fields!['PORT_TYPE']!) >> 4,
      linkReporting: (link & PCIE.LNKCAP.fields!['DLL_ACTIVE']!) !== 0 ? 'yes' : 'no',
    };
  }

  /** Sizes the BARs with decoding off: a BAR full of ones must not answer anybody. */
  private *resources(device: PciDevice): Process<void> {
    const target = configTarget(device);
    const command = yield* this.config.value(target, HEADER.COMMAND.at, 2);
    yield* this.config.write(target, HEADER.COMMAND.at, 2, command & ~(COMMAND_FIELDS.MEMORY | COMMAND_FIELDS.IO));
    const last = device.isBridge ? 1 : LAST_DEVICE_BAR;
    for (let index = 0; index <= last; index++) {
      const found = yield* this.bar(device, index);
      if (found?.width === 64) index++;
    }
    yield* this.rom(device);
    yield* this.config.write(target, HEADER.COMMAND.at, 2, command);
  }

  private *bar(device: PciDevice, index: number): Process<PciResource | undefined> {
    const at = HEADER.BAR0.at + 4 * index;
    const [original, sized] = yield* this.probeDword(device, at);
    if (sized === 0 || sized === allOnes(4) || (sized & BAR_IO) !== 0) return undefined;
    const flags = sized & BAR_FLAGS;
    const width = (flags & BAR_64BIT) !== 0 ? 64 : 32;
    let mask = BigInt.asUintN(64, BigInt(sized & ~BAR_FLAGS)) | 0xffff_ffff_0000_0000n;
    let address = original - (original % 16);
    if (width === 64) {
      const [high, highSized] = yield* this.probeDword(device, at + 4);
      mask = (BigInt(highSized) << 32n) | (mask & 0xffff_ffffn);
      address += high * 2 ** 32;
    }
    const sizeBytes = Number(BigInt.asUintN(64, ~mask + 1n));
    const prefetchable = (flags & BAR_PREFETCHABLE) !== 0 ? 'yes' : 'no';
    return this.addResource(device, { index, sizeBytes, width, prefetchable, pciAddress: undefined }, address);
  }

  private *rom(device: PciDevice): Process<void> {
    const at = 4 * (device.isBridge ? DWORD.BRIDGE_ROM : DWORD.ROM);
    const [original, sized] = yield* this.probeDword(device, at);
    const mask = (sized & ROM_ADDRESS_MASK) >>> 0;
    if (mask === 0 || sized === allOnes(4)) return;
    const sizeBytes = 2 ** 32 - mask;
    const resource = { index: ROM_INDEX, sizeBytes, width: 32, prefetchable: 'yes', pciAddress: undefined } as const;
    this.addResource(device, { ...resource }, (original & ROM_ADDRESS_MASK) >>> 0);
  }

  private addResource(device: PciDevice, resource: PciResource, address: number): PciResource {
    device.resources.push(resource);
    const { m32 } = device.bus.controller.node;
    const shown = address < m32.pciBase ? address : address - m32.pciBase + m32.cpuBase;
    this.ctx.log.info(`pci ${device.name}: ${describeResource(resource, shown)}`);
    return resource;
  }

  private *probeDword(device: PciDevice, at: number): Process<[number, number]> {
    const target = configTarget(device);
    const original = yield* this.config.value(target, at, 4);
    yield* this.config.write(target, at, 4, allOnes(4));
    const sized = yield* this.config.value(target, at, 4);
    yield* this.config.write(target, at, 4, original);
    return [original, sized];
  }
}

export function resourceName(resource: PciResource): string {
  return resource.index === ROM_INDEX ? 'ROM' : `BAR ${resource.index}`;
}

/** `BAR 0 [mem 0x00000000-0x00003fff 64bit]` */
export function describeResource(resource: PciResource, start: number): string {
  const width = resource.width === 64 ? ' 64bit' : '';
  const prefetchable = resource.prefetchable === 'yes' ? ' pref' : '';
  return `${resourceName(resource)} [mem ${range(start, resource.sizeBytes)}${width}${prefetchable}]`;
}

export function range(start: number, sizeBytes: number): string {
  const end = start + sizeBytes - 1;
  return `0x${start.toString(16).padStart(8, '0')}-0x${end.toString(16).padStart(8, '0')}`;
}

/** Below a link there is one device, and the root bus of these bridges has the root port alone. */
function hasOneDevice(bus: PciBus): boolean {
  const { bridge } = bus;
  if (bridge === undefined) return true;
  const { portType, pcie } = bridge.capabilities;
  return pcie !== 0 && (portType === PortType.rootPort || portType === PortType.downstream);
}

function hotplugSlot(bridge: PciDevice): HotplugSlot | undefined {
  const { controller } = bridge.bus;
  const node = controller.slotBelow(bridge);
  if (node?.hotplug !== 'registered') return undefined;
  const name = node.label ?? deviceName(controller, bridge.bdfn);
  return { id: slotId(controller.phbId, bridge.bdfn), name, attention: 'off' };
}
