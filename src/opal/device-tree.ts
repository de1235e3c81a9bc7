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
import { deviceTree, type PciDevice, type PciDeviceType } from './pci-device.js';
import { CONFIG } from './pci-registers.js';
import type { Phb3 } from './phb3.js';
import { readConfig } from './phb3-config.js';
import { M32_PCI_START } from './phb3-probe.js';
import { IVE_BYTES, MSI_COUNT, RESERVED_PE, TABLE_BYTES } from './phb3-tables.js';

/** The top of the M32 window is where 32-bit message interrupts are addressed. */
const MSI_HOLE_BYTES = 0x1_0000;
const IVE_STRIDE_UNIT = 8;

export interface PhbNode {
  readonly compatible: readonly string[];
  readonly phbId: number;
  readonly index: number;
  readonly chipId: number;
  readonly registers: number;
  readonly xscomBases: readonly [nest: number, spci: number, pci: number];
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
export function* readDeviceNodes(phb: Phb3): Process<void> {
  for (const device of deviceTree(phb.devices)) {
    yield* readConfig(phb, device.bdfn, CONFIG.REVISION, 4);
    device.interruptPin = yield* readConfig(phb, device.bdfn, CONFIG.INTERRUPT_PIN, 1);
  }
}

export function phbNode(phb: Phb3, chipId: number): PhbNode {
  const { unit, tables } = phb;
  const { nest, pci, spci } = unit.bases;
  const { m32, m64 } = unit.windows;
  const devices = [...deviceTree(phb.devices)];
  const table = (name: keyof typeof TABLE_BYTES) => ({ address: tables.addresses[name], bytes: TABLE_BYTES[name] });
  return {
    compatible: ['ibm,power8-pciex', 'ibm,ioda2-phb'],
    phbId: phb.id,
    index: unit.index,
    chipId,
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
    tree: phb.devices.map((device) => deviceNode(phb, device)),
    slots: devices.filter((device) => device.slot !== undefined).map((device) => slotNode(phb, device)),
  };
}

function deviceNode(phb: Phb3, device: PciDevice): DeviceNode {
  const { bdfn, vendorId, deviceId, classCode, revision, type, isBridge, interruptPin } = device;
  return {
    ...{ bdfn, vendorId, deviceId, classCode, revision, type, isBridge, interruptPin },
    extendedConfig: device.express !== undefined,
    ...(device.slot === undefined ? {} : { slot: slotNode(phb, device) }),
    children: device.children.map((child) => deviceNode(phb, child)),
  };
}

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');

function slotNode(phb: Phb3, device: PciDevice): SlotNode {
  const facts = device.slot!;
  return {
    id: slotId(phb.id, device.bdfn),
    bridge: device.bdfn,
    label: `S${hex(phb.id, 4)}${hex(device.secondaryBus, 2)}`,
    reset: 'by-firmware',
    hotplug: facts.pluggable ? 'registered' : 'none',
    pluggable: facts.pluggable,
    surprisePluggable: facts.surprisePluggable,
    brokenPdc: facts.surprisePluggable && facts.reportsLink,
    powerControl: facts.powerControl,
  };
}
