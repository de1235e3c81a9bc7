/**
 * What firmware publishes about its PHBs and devices, as plain data. An operating system reads nothing else.
 * Source: skiboot hw/phb3.c: phb3_add_properties; core/pci.c: pci_add_one_device_node. Facts: opal-pci 10.
 */
import { PHB3_LAYOUT } from '../diag/phb3/layout.js';
import { PE_COUNT } from '../ioda2/pe-state.js';
import { IODA_TABLES } from '../ioda2/tables.js';
import type { Process } from '../sim/process.js';
import { PAGE_SHIFTS } from '../tce/tve.js';
import { slotId } from './opal-api.js';
import { type ConfigAccess, readConfig } from './pci-config.js';
import { deviceTree, type PciDevice, type PciDeviceType } from './pci-device.js';
import { CONFIG } from './pci-registers.js';
import type { Phb3 } from './phb3/phb3.js';
import { M32_PCI_START, type MmioWindow } from './phb3/probe.js';
import { IVE_BYTES, MSI_COUNT, RESERVED_PE, TABLE_BYTES } from './phb3/tables.js';

/** The top of the M32 window is where 32-bit message interrupts are addressed. */
const MSI_HOLE_BYTES = 0x1_0000;
const IVE_STRIDE_UNIT = 8;

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
  readonly xscomBases: readonly [nest: number, spci: number, pci: number];
  /** The PBCQ's own windows, as the service firmware set them up. */
  readonly mmioWindows: readonly MmioWindow[];
  /** Hints of the board, where it gives them. */
  readonly locationCode?: string;
  readonly maxLinkSpeed?: number;
  readonly laneEqualisation?: readonly bigint[];
  readonly m32: WindowNode;
  /** PCI and processor addresses are the same. `bar`: the last of the window registers, which operating systems use. */
  readonly m64: WindowNode & { readonly bar: number };
  readonly totalPes: number;
  readonly reservedPe: number;
  readonly singlePeWindows: true;
  readonly msiRange: { readonly first: number; readonly count: number };
  /** First of the eight level interrupts; INTA to INTD are the first four. */
  readonly lsiBase: number;
  /** Register through which an operating system drops cached TCEs. */
  readonly tceKillAddress: number;
  readonly tcePageShifts: readonly number[];
  readonly msiEoiMethod: 'ioda2';
  readonly diagDataBytes: number;
  readonly tables: Readonly<
    Record<'rtt' | 'peltv' | 'pest' | 'ivt', { readonly address: number; readonly bytes: number }>
  >;
  /** In units of 8 bytes. */
  readonly iveStride: number;
  /** Every function found, parents first. */
  readonly devices: readonly number[];
  readonly tree: readonly DeviceNode[];
  readonly slots: readonly SlotNode[];
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
export function* readDeviceNodes(pci: ConfigAccess, devices: readonly PciDevice[]): Process<void> {
  for (const device of deviceTree(devices)) {
    yield* readConfig(pci, device.bdfn, CONFIG.REVISION, 4);
    device.interruptPin = yield* readConfig(pci, device.bdfn, CONFIG.INTERRUPT_PIN, 1);
  }
}

/** What nodes say beyond what their PHB knows. */
export interface PublishingFacts {
  readonly chipId: number;
  readonly phandles: Phandles;
  /** Location codes of slots begin with it. */
  readonly baseLocationCode?: string;
}

export function phbNode(phb: Phb3, facts: PublishingFacts): PhbNode {
  const { unit, tables } = phb;
  const { nest, pci, spci } = unit.bases;
  const { m32, m64 } = unit.windows;
  const devices = [...deviceTree(phb.devices)];
  const table = (name: keyof typeof TABLE_BYTES) => ({ address: tables.addresses[name], bytes: TABLE_BYTES[name] });
  const { locationCode, maxLinkSpeed, laneEqualisation } = phb.board;
  return {
    phandle: facts.phandles.of(phb),
    ...(locationCode === undefined ? {} : { locationCode }),
    ...(maxLinkSpeed === undefined ? {} : { maxLinkSpeed }),
    ...(laneEqualisation === undefined ? {} : { laneEqualisation }),
    mmioWindows: unit.mmioWindows,
    compatible: ['ibm,power8-pciex', 'ibm,ioda2-phb'],
    phbId: phb.id,
    index: unit.index,
    chipId: facts.chipId,
    registers: unit.registerBase,
    xscomBases: [nest, spci, pci],
    m32: { pciBase: M32_PCI_START, cpuBase: m32.base, sizeBytes: m32.bytes - MSI_HOLE_BYTES },
    m64: { pciBase: m64.base, cpuBase: m64.base, sizeBytes: m64.bytes, bar: IODA_TABLES.M64BT.entries - 1 },
    totalPes: PE_COUNT,
    reservedPe: RESERVED_PE,
    singlePeWindows: true,
    msiRange: { first: unit.irqBase, count: MSI_COUNT },
    lsiBase: unit.irqBase + MSI_COUNT,
    tceKillAddress: phb.access.addressOf('PHB_TCE_KILL'),
    tcePageShifts: PAGE_SHIFTS,
    msiEoiMethod: 'ioda2',
    diagDataBytes: PHB3_LAYOUT.totalBytes,
    tables: { rtt: table('rtt'), peltv: table('peltv'), pest: table('pest'), ivt: table('ivt') },
    iveStride: IVE_BYTES / IVE_STRIDE_UNIT,
    devices: devices.map((device) => device.bdfn),
    tree: phb.devices.map((device) => deviceNode(phb, device, facts)),
    slots: devices.filter((device) => device.slot !== undefined).map((device) => slotNode(phb, device, facts)),
  };
}

function deviceNode(phb: Phb3, device: PciDevice, facts: PublishingFacts): DeviceNode {
  const { bdfn, vendorId, deviceId, classCode, revision, type, isBridge, interruptPin } = device;
  return {
    phandle: facts.phandles.of(device),
    ...{ bdfn, vendorId, deviceId, classCode, revision, type, isBridge, interruptPin },
    extendedConfig: device.express !== undefined,
    ...(device.slot === undefined ? {} : { slot: slotNode(phb, device, facts) }),
    children: device.children.map((child) => deviceNode(phb, child, facts)),
  };
}

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');

function slotNode(phb: Phb3, device: PciDevice, { baseLocationCode: base }: PublishingFacts): SlotNode {
  const facts = device.slot!;
  const label = `S${hex(phb.id, 4)}${hex(device.secondaryBus, 2)}`;
  return {
    id: slotId(phb.id, device.bdfn),
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
