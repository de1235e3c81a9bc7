/**
 * What firmware publishes about its PHBs and devices, as plain data. An operating system reads nothing else.
 * Source: skiboot hw/phb3.c: phb3_add_properties; core/pci.c: pci_add_one_device_node. Facts: opal-pci 10.
 */
import type { Process } from '../sim/process.js';
import { slotId } from './opal-api.js';
import { readConfig } from './pci-config.js';
import { deviceTree, type PciDevice, type PciDeviceType } from './pci-device.js';
import type { PciHost } from './pci-host.js';
import { CONFIG } from './pci-registers.js';

/** The top of the M32 window is where 32-bit message interrupts are addressed. */
export const MSI_HOLE_BYTES = 0x1_0000;

const PCI_BRIDGE_CLASS = 0x06_0400;

/** Numbers by which nodes refer to each other. One node keeps its number; a device found anew is another node. */
export class Phandles {
  private readonly numbers = new WeakMap<object, number>();
  private readonly named = new Map<string, number>();
  private last = 0;

  /** Of a fixed node by its path, of a device by what the scan made of it. */
  of(node: string | object): number {
    const known = typeof node === 'string' ? this.named.get(node) : this.numbers.get(node);
    if (known !== undefined) return known;
    this.last++;
    if (typeof node === 'string') this.named.set(node, this.last);
    else this.numbers.set(node, this.last);
    return this.last;
  }
}

export interface PhbNode {
  readonly phandle: number;
  readonly compatible: readonly string[];
  readonly phbId: number;
  readonly index: number;
  readonly chipId: number;
  readonly registers: number;
  readonly registerBytes: number;
  /** Number of the hub it hangs off. */
  readonly hubId?: bigint;
  /** A bridge of the processor chip: its PBCQ on the SCOM bus, and the windows that the service firmware gave it. */
  readonly pbcq?: PbcqNode;
  /** Hints of the board, where it gives them. */
  readonly locationCode?: string;
  readonly maxLinkSpeed?: number;
  readonly laneEqualisation?: readonly bigint[];
  readonly io?: WindowNode;
  readonly m32: WindowNode;
  /** PCI and processor addresses are the same. `bar`: the window register that operating systems use, if they use one. */
  readonly m64: WindowNode & { readonly bar?: number };
  readonly totalPes: number;
  readonly reservedPe: number;
  /** A 64-bit window may belong to one PE as a whole. */
  readonly singlePeWindows?: true;
  /** Entries of the table that lets messages in, where there is one. */
  readonly msiPorts?: number;
  readonly msiRange: { readonly first: number; readonly count: number };
  /** First of the eight level interrupts; INTA to INTD are the first four. */
  readonly lsiBase: number;
  /** Register through which an operating system drops cached TCEs. */
  readonly tceKillAddress: number;
  readonly tcePageShifts: readonly number[];
  readonly msiEoiMethod?: 'ioda2';
  readonly diagDataBytes: number;
  /** Tables in memory, where the chip keeps them there; the stride of vectors is in units of 8 bytes. */
  readonly tables?: Readonly<Record<'rtt' | 'peltv' | 'pest' | 'ivt', MemoryTableNode>>;
  readonly iveStride?: number;
  /** Every function found, parents first. */
  readonly devices: readonly number[];
  readonly tree: readonly DeviceNode[];
  readonly slots: readonly SlotNode[];
}

/** A chip that bridges hang off. */
export interface HubNode {
  readonly phandle: number;
  readonly hubId: bigint;
  readonly chipId: number;
  readonly registers: number;
  /** Where the memory windows of its bridges begin. */
  readonly windows: number;
  /** Its own interrupt. */
  readonly interrupt: number;
  /** One bit a bridge, the first the most significant of eight. */
  readonly presence: number;
}

export interface PbcqNode {
  readonly xscomBases: readonly [nest: number, spci: number, pci: number];
  readonly mmioWindows: readonly { readonly base: number; readonly bytes: number }[];
}

export interface MemoryTableNode {
  readonly address: number;
  readonly bytes: number;
}

export interface WindowNode {
  readonly pciBase: number;
  readonly cpuBase: number;
  readonly sizeBytes: number;
}

export interface DeviceNode {
  readonly phandle: number;
  readonly bdfn: number;
  readonly vendorId: number;
  readonly deviceId: number;
  readonly classCode: number;
  readonly revision: number;
  readonly type: PciDeviceType;
  readonly isBridge: boolean;
  /** PCI Express: 4 KiB of configuration space. */
  readonly extendedConfig: boolean;
  /** 0 none, 1 to 4 for INTA to INTD. */
  readonly interruptPin: number;
  readonly slot?: SlotNode;
  readonly children: readonly DeviceNode[];
}

export interface SlotNode {
  readonly id: bigint;
  /** bdfn of the bridge above the slot. */
  readonly bridge: number;
  readonly label: string;
  /** The board's base code and the label, or the label alone. */
  readonly locationCode: string;
  /** `ibm,reset-by-firmware`. */
  readonly reset: 'by-firmware';
  /** Whether an operating system would register the slot for hotplug. */
  readonly hotplug: 'registered' | 'none';
  readonly pluggable: boolean;
  readonly surprisePluggable: boolean;
  /** Presence changes are not to be trusted. */
  readonly brokenPdc: boolean;
  readonly powerControl: boolean;
}

/** Reads what the nodes say beyond what the scan kept. */
export function* readDeviceNodes(phb: PciHost, devices: readonly PciDevice[]): Process<void> {
  for (const device of deviceTree(devices)) {
    yield* readIdentity(phb, device);
    yield* readConfig(phb, device.bdfn, CONFIG.REVISION, 4);
    device.interruptPin = yield* readConfig(phb, device.bdfn, CONFIG.INTERRUPT_PIN, 1);
    // Once more for the quirks of single devices.
    yield* readIdentity(phb, device);
  }
}

/** The scan has the names already: what is read here tells nothing new. */
function* readIdentity(phb: PciHost, { bdfn }: PciDevice): Process<void> {
  if (phb.generation === '6.2') yield* readConfig(phb, bdfn, CONFIG.VENDOR_ID, 4);
}

/** What nodes say beyond what their PHB knows. */
export interface PublishingFacts {
  readonly chipId: number;
  readonly phandles: Phandles;
  /** Location codes of slots begin with it. */
  readonly baseLocationCode?: string;
}

/** The parts of a PHB's node that tell of what is below it. */
export function treeBelow(
  phb: { readonly id: number; readonly devices: readonly PciDevice[] },
  facts: PublishingFacts,
): Pick<PhbNode, 'devices' | 'tree' | 'slots'> {
  const devices = [...deviceTree(phb.devices)];
  return {
    devices: devices.map((device) => device.bdfn),
    tree: phb.devices.map((device) => deviceNode(phb.id, device, facts)),
    slots: devices.filter((device) => device.slot !== undefined).map((device) => slotNode(phb.id, device, facts)),
  };
}

function deviceNode(phbId: number, device: PciDevice, facts: PublishingFacts): DeviceNode {
  const { bdfn, vendorId, deviceId, classCode, revision, type, isBridge, interruptPin } = device;
  return {
    phandle: facts.phandles.of(device),
    ...{ bdfn, vendorId, deviceId, revision, type, isBridge, interruptPin },
    // The root port of P7IOC has a wrong class: operating systems shall read it here.
    classCode: type === 'root-port' ? PCI_BRIDGE_CLASS : classCode,
    extendedConfig: device.express !== undefined,
    ...(device.slot === undefined ? {} : { slot: slotNode(phbId, device, facts) }),
    children: device.children.map((child) => deviceNode(phbId, child, facts)),
  };
}

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');

function slotNode(phbId: number, device: PciDevice, { baseLocationCode: base }: PublishingFacts): SlotNode {
  const facts = device.slot!;
  const label = `S${hex(phbId, 4)}${hex(device.secondaryBus, 2)}`;
  return {
    id: slotId(phbId, device.bdfn),
    bridge: device.bdfn,
    label,
    locationCode: base === undefined ? label : `${base}-${label}`,
    reset: 'by-firmware',
    hotplug: facts.pluggable ? 'registered' : 'none',
    pluggable: facts.pluggable,
    surprisePluggable: facts.surprisePluggable,
    brokenPdc: facts.brokenPdc,
    powerControl: facts.powerControl,
  };
}
