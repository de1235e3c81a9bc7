/** Controllers, buses and devices as the kernel holds them, and the per-node record that outlives a device. */

import { PortType } from '../../pcie/capabilities.js';
import { Mutex } from '../../sim/mutex.js';
import type { Process } from '../../sim/process.js';
import type { Simulator } from '../../sim/simulator.js';
import type { ErsVote } from '../drivers/votes.js';
import type { ChannelState } from '../eeh-flags.js';
import type { PhbNode, SlotNode } from '../firmware.js';
import { ClassCode, HeaderType } from './regs.js';

/** What the PCI core asks of EEH's record of a node. */
export interface EehRecord {
  /** Its PE is blocked, or it was given up: no config access gets through. */
  readonly refusesConfig: boolean;
}

/** Every handler may be missing; a driver without the whole record is not aware of EEH. */
export interface PciErrorHandlers {
  errorDetected?(device: PciDevice, state: ChannelState): Process<ErsVote>;
  mmioEnabled?(device: PciDevice): Process<ErsVote>;
  slotReset?(device: PciDevice): Process<ErsVote>;
  resume?(device: PciDevice): Process<void>;
  /** Around a reset that somebody asked for; recovery does not call them. */
  resetPrepare?(device: PciDevice): Process<void>;
  resetDone?(device: PciDevice): Process<void>;
}

/** A driver as its device and recovery know it. */
export interface BoundDriver {
  readonly name: string;
  readonly errorHandlers?: PciErrorHandlers;
  remove(device: PciDevice): Process<void>;
}

/** One device node: it stays when its device is unplugged (the kernel's pci_dn). */
export interface PciNode {
  readonly bdfn: number;
  peNumber: number | undefined;
  edev: EehRecord | undefined;
}

export class PciController {
  readonly domain: number;
  readonly nodes: PciNode[] = [];
  rootBus: PciBus | undefined;
  /** The powernv EEH flag of the PHB: off, config accesses clear freezes silently instead of checking. */
  eeh: 'checked' | 'cleared-silently' = 'cleared-silently';

  constructor(
    readonly node: PhbNode,
    index: number,
  ) {
    this.domain = node.domain ?? index;
  }

  get phbId(): number {
    return this.node.phbId;
  }

  /** Which bridge the kernel takes it for. Source: linux pci-ioda.c: pnv_pci_init_ioda_phb. */
  get model(): 'p7ioc' | 'phb3' | 'unknown' {
    const { compatible } = this.node;
    if (compatible?.includes('ibm,p7ioc-pciex')) return 'p7ioc';
    return compatible?.includes('ibm,power8-pciex') ? 'phb3' : 'unknown';
  }

  findNode(bdfn: number): PciNode | undefined {
    return this.nodes.find((node) => node.bdfn === bdfn);
  }

  /** The node of a device that was found; made once. */
  addNode(bdfn: number): PciNode {
    const known = this.findNode(bdfn);
    if (known !== undefined) return known;
    const node: PciNode = { bdfn, peNumber: undefined, edev: undefined };
    this.nodes.push(node);
    return node;
  }

  /** Firmware lists its devices: what is not listed does not exist for the kernel. */
  mayExist(bdfn: number): 'yes' | 'no' {
    return this.node.devices === undefined || this.node.devices.includes(bdfn) ? 'yes' : 'no';
  }

  slotBelow(bridge: PciDevice | undefined): SlotNode | undefined {
    return this.node.slots?.find((slot) => slot.bridge === bridge?.bdfn);
  }

  /** Buses parents first, in order of discovery. */
  buses(): PciBus[] {
    return this.rootBus === undefined ? [] : this.rootBus.withChildren();
  }

  findBus(number: number): PciBus | undefined {
    return this.buses().find((bus) => bus.number === number);
  }
}

/** A slot the hotplug driver registered on a bus. */
export interface HotplugSlot {
  readonly id: bigint;
  readonly name: string;
  attention: 'on' | 'off';
}

/** Addresses (PCI side) that a bridge passes on. */
export interface BridgeWindow {
  readonly base: number;
  readonly limit: number;
}

export class PciBus {
  readonly devices: PciDevice[] = [];
  readonly children: PciBus[] = [];
  readonly slot: HotplugSlot | undefined;
  window: BridgeWindow | undefined;
  /** The 64-bit prefetchable window, where the bus has one. */
  prefetchableWindow: BridgeWindow | undefined;
  /** What a scan found in the bridge's control register; written back with the windows. */
  bridgeControl = 0;
  /** Whether the first scan has passed: it alone reads the windows that firmware left. */
  scanned: 'yes' | 'no' = 'no';
  /** The last bus number that the bridge passes down, used or not. */
  lastNumber: number;

  constructor(
    readonly controller: PciController,
    readonly number: number,
    readonly bridge: PciDevice | undefined,
    slot?: HotplugSlot,
  ) {
    this.slot = slot;
    this.lastNumber = number;
  }

  get parent(): PciBus | undefined {
    return this.bridge?.bus;
  }

  get isRoot(): boolean {
    return this.bridge === undefined;
  }

  get name(): string {
    return `${hex(this.controller.domain, 4)}:${hex(this.number, 2)}`;
  }

  withChildren(): PciBus[] {
    return [this, ...this.children.flatMap((child) => child.withChildren())];
  }
}

/** A BAR (0 to 5) or the expansion ROM (6) with the place it was given. */
export interface PciResource {
  readonly index: number;
  /** PHB3 has no I/O space, and that of P7IOC is not used: an `io` resource is known and never placed. */
  readonly space: 'memory' | 'io';
  readonly sizeBytes: number;
  readonly width: 32 | 64;
  readonly prefetchable: 'yes' | 'no';
  /** Undefined until assigned. */
  pciAddress: number | undefined;
}
export const ROM_INDEX = 6;

export interface DeviceIdentity {
  readonly vendorId: number;
  readonly deviceId: number;
  readonly headerType: number;
  /** Known a few accesses later than the rest. */
  classCode: number;
}

/** What the kernel found out while it set a function up: offsets of capabilities, 0 where there is none. */
export interface DeviceCapabilities {
  powerManagement: number;
  pcie: number;
  pcix: number;
  advancedFeatures: number;
  aer: number;
  msi: number;
  msix: number;
  /** PCIe flags: version, port type, slot. Meaningless without a PCIe capability. */
  pcieFlags: number;
  portType: number;
  deviceCapabilities: number;
  linkReporting: 'yes' | 'no';
  /** 256, or 4096 where extended configuration space answers. */
  configBytes: number;
}

export function noCapabilities(): DeviceCapabilities {
  return {
    ...{ powerManagement: 0, pcie: 0, pcix: 0, advancedFeatures: 0, aer: 0, msi: 0, msix: 0 },
    ...{ pcieFlags: 0, portType: 0, deviceCapabilities: 0, linkReporting: 'no', configBytes: 0x100 },
  };
}

/** Windows a bridge can have besides memory: found by writing to them. */
export interface BridgeAbilities {
  io: 'yes' | 'no';
  prefetchable: 'none' | '32-bit' | '64-bit';
  /** Its slot takes cards while the machine runs: room is kept for them. */
  hotplug: 'yes' | 'no';
}

/** The kernel's view of the link below a port, for power management. */
export interface LinkState {
  /** ASPM states it takes for switched on. */
  aspmEnabled: number;
}

export class PciDevice {
  readonly node: PciNode;
  readonly identity: DeviceIdentity;
  readonly resources: PciResource[] = [];
  readonly capabilities: DeviceCapabilities = noCapabilities();
  readonly bridgeAbilities: BridgeAbilities = { io: 'no', prefetchable: 'none', hotplug: 'no' };
  linkState: LinkState | undefined;
  subordinate: PciBus | undefined;
  channel: ChannelState = 'normal';
  driver: BoundDriver | undefined;
  /** Times enabled by drivers; the command register's memory bit is on while above 0. */
  enableCount = 0;
  /** 0: none; 1 to 4 for INTA to INTD. */
  interruptPin = 0;
  interrupt: 'none' | 'legacy' | 'message' = 'none';
  /** Drivers of some devices ask for a fundamental reset. */
  resetWish: 'any' | 'fundamental' = 'any';
  /** The driver model's lock: callbacks, probe and remove run under it. */
  readonly lock: Mutex;

  constructor(
    sim: Simulator,
    readonly bus: PciBus,
    readonly devfn: number,
    { node, identity }: { readonly node: PciNode; readonly identity: DeviceIdentity },
  ) {
    this.node = node;
    this.identity = identity;
    this.lock = new Mutex(sim, `device ${this.name}`);
  }

  get bdfn(): number {
    return (this.bus.number << 8) | this.devfn;
  }

  get name(): string {
    return deviceName(this.bus.controller, this.bdfn);
  }

  get isBridge(): boolean {
    return (this.identity.headerType & HeaderType.MASK) === HeaderType.BRIDGE;
  }

  get isPcie(): boolean {
    return this.capabilities.pcie !== 0;
  }

  /** A port with a link below: root port, or downstream port of a switch. */
  get isDownstreamPort(): boolean {
    const { portType } = this.capabilities;
    return this.isPcie && (portType === PortType.rootPort || portType === PortType.downstream);
  }

  get baseClass(): number {
    return this.identity.classCode >> 8;
  }

  get isPciBridgeClass(): boolean {
    return this.baseClass === ClassCode.PCI_BRIDGE;
  }

  /** The start of kernel messages about it: driver (or `pci`) and bus id. */
  get logPrefix(): string {
    return `${this.driver?.name ?? 'pci'} ${this.name}`;
  }

  /** Address the processor uses for a BAR. Undefined: no such BAR, or not assigned. */
  cpuAddress(barIndex: number): number | undefined {
    const { cpuBase, pciBase } = this.bus.controller.node.m32;
    const pciAddress = this.resources.find((resource) => resource.index === barIndex)?.pciAddress;
    return pciAddress === undefined ? undefined : pciAddress - pciBase + cpuBase;
  }
}

/** `DDDD:BB:DD.F` */
export function deviceName(controller: PciController, bdfn: number): string {
  return `${hex(controller.domain, 4)}:${bdfnName(bdfn)}`;
}

export function bdfnName(bdfn: number): string {
  return `${hex(bdfn >> 8, 2)}:${hex((bdfn >> 3) & 0x1f, 2)}.${(bdfn & 7).toString(16)}`;
}

export function hex(value: number, digits = 1): string {
  return (value >>> 0).toString(16).padStart(digits, '0');
}
