/** Controllers, buses and devices as the kernel holds them, and the per-node record that outlives a device. */

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

export class PciBus {
  readonly devices: PciDevice[] = [];
  readonly children: PciBus[] = [];
  readonly slot: HotplugSlot | undefined;
  /** Addresses (PCI side) the bridge passes on. */
  window: { base: number; limit: number } | undefined;

  constructor(
    readonly controller: PciController,
    readonly number: number,
    readonly bridge: PciDevice | undefined,
    slot?: HotplugSlot,
  ) {
    this.slot = slot;
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
  readonly classCode: number;
  readonly headerType: number;
}

export interface DeviceCapabilities {
  readonly powerManagement: number;
  readonly pcie: number;
  readonly pcix: number;
  readonly advancedFeatures: number;
  readonly aer: number;
  /** PCIe port type, meaningless without a PCIe capability. */
  readonly portType: number;
  readonly linkReporting: 'yes' | 'no';
}

export class PciDevice {
  readonly resources: PciResource[] = [];
  subordinate: PciBus | undefined;
  channel: ChannelState = 'normal';
  driver: BoundDriver | undefined;
  /** Times enabled by drivers; the command register's memory bit is on while above 0. */
  enableCount = 0;
  interrupt: 'none' | 'legacy' | 'message' = 'none';
  /** Drivers of some devices ask for a fundamental reset. */
  resetWish: 'any' | 'fundamental' = 'any';
  /** The driver model's lock: callbacks, probe and remove run under it. */
  readonly lock: Mutex;

  constructor(
    sim: Simulator,
    readonly bus: PciBus,
    readonly devfn: number,
    readonly node: PciNode,
    readonly identity: DeviceIdentity,
    readonly capabilities: DeviceCapabilities,
  ) {
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
