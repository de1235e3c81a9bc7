/**
 * The nodes of functions below a PHB: identity, slots, interrupt maps of bridges.
 * Source: skiboot core/pci.c: pci_add_one_device_node, pci_std_swizzle_irq_map, pci_add_loc_code;
 * core/pci-slot.c: pci_slot_add_dt_properties, pci_slot_add_loc. Facts: opal-pci 10.4.
 */
import type { DeviceNode, SlotNode } from './device-tree.js';
import { treeNode } from './device-tree-node.js';
import { cells, type FdtNode, type FdtProperty, rows, strings } from './fdt.js';
import type { FirmwareProfile } from './firmware-profile.js';
import { classNameOf } from './pci-class-names.js';

/** What the nodes below a PHB take from it. */
export interface PciPublishing {
  readonly profile: FirmwareProfile;
  readonly interruptController: number;
  /** Interrupt numbers of INTA to INTD. */
  readonly pins: readonly number[];
}

/** Where in the tree a device stands. */
interface Place {
  /** The nearest location code above. */
  readonly location: string | undefined;
  /** Turns that the pins of a device have taken on their way. */
  readonly swizzle: number;
}

const PINS = 4;
const LEVEL = 1;
const DEVICES_PER_BUS = 32;
const DEVICE_SHIFT = 11;
const BDFN_SHIFT = 8;
const ROOT_PORT_CLASS = 0x06_0400;
const MEMORY_SPACE = 0x0200_0000;
/** The bridge's window: everything but what no bridge covers. */
const ALL_OF_MEMORY = 0xf000_0000;
const CONNECTOR_NON_STANDARD = 0xe;

export function deviceNodes(devices: readonly DeviceNode[], publishing: PciPublishing): FdtNode[] {
  return devices.map((device) => deviceNode(device, publishing, { location: undefined, swizzle: 0 }));
}

function deviceNode(device: DeviceNode, publishing: PciPublishing, place: Place): FdtNode {
  const { slot, isBridge, children, phandle } = device;
  // Firmware looks at the labels above a device; a root port has nothing above it but its own.
  const location = place.location ?? slot?.locationCode;
  const turned = (place.swizzle + deviceNumber(device)) % PINS;
  const below: Place = {
    location: slot?.label ?? place.location,
    swizzle: publishing.profile.interruptSwizzle === 'corrected' ? turned : place.swizzle,
  };
  return treeNode(nodeName(device), phandle, {
    properties: [
      ...identity(device, publishing.profile),
      ...(slot === undefined ? [] : slotProperties(slot)),
      ...(location === undefined ? [] : [strings('ibm,loc-code', location)]),
      cells('reg', device.bdfn << BDFN_SHIFT, 0, 0, 0, 0),
      ...(isBridge ? bridgeProperties(device, publishing, turned) : []),
    ],
    children: children.map((child) => deviceNode(child, publishing, below)),
  });
}

const deviceNumber = ({ bdfn }: DeviceNode): number => (bdfn >> 3) & 0x1f;

function nodeName(device: DeviceNode): string {
  const fn = device.bdfn & 7;
  const unit = deviceNumber(device).toString(16) + (fn === 0 ? '' : `,${fn}`);
  return `${classNameOf(classOf(device))}@${unit}`;
}

/** Root ports are called bridges, whatever their class register says. */
function classOf({ type, classCode }: DeviceNode): number {
  return type === 'root-port' ? ROOT_PORT_CLASS : classCode;
}

function identity(device: DeviceNode, profile: FirmwareProfile): FdtProperty[] {
  const { vendorId, deviceId, revision, extendedConfig, interruptPin } = device;
  const kind = `${extendedConfig ? 'pciex' : 'pci'}${vendorId.toString(16)},${deviceId.toString(16)}`;
  return [
    ...(profile.deviceCompatible === 'corrected' ? [strings('compatible', kind)] : []),
    cells('ibm,pci-config-space-type', extendedConfig ? 1 : 0),
    cells('class-code', classOf(device)),
    cells('revision-id', revision),
    cells('vendor-id', vendorId),
    cells('device-id', deviceId),
    ...(interruptPin === 0 ? [] : [cells('interrupts', interruptPin)]),
  ];
}

/** Power and attention lights, cards and lanes: what a board would say, and none does here. */
function slotProperties(slot: SlotNode): FdtProperty[] {
  return [
    cells('ibm,reset-by-firmware', 1),
    cells('ibm,slot-pluggable', Number(slot.pluggable)),
    cells('ibm,slot-surprise-pluggable', Number(slot.surprisePluggable)),
    ...(slot.brokenPdc ? [cells('ibm,slot-broken-pdc', 1)] : []),
    cells('ibm,slot-power-ctl', Number(slot.powerControl)),
    cells('ibm,slot-power-led-ctlled', 0),
    cells('ibm,slot-attn-led', 0),
    cells('ibm,slot-connector-type', CONNECTOR_NON_STANDARD),
    cells('ibm,slot-card-desc', 0),
    cells('ibm,slot-card-mech', 0),
    cells('ibm,slot-wired-lanes', 0),
    cells('ibm,power-limit', 0),
    strings('ibm,slot-label', slot.label),
    strings('ibm,slot-location-code', slot.locationCode),
  ];
}

function bridgeProperties(device: DeviceNode, publishing: PciPublishing, swizzle: number): FdtProperty[] {
  const { extendedConfig, type } = device;
  const oneDevice = type === 'root-port' || type === 'downstream-port';
  return [
    cells('#address-cells', 3),
    cells('#size-cells', 2),
    cells('#interrupt-cells', 1),
    strings('device_type', extendedConfig ? 'pciex' : 'pci'),
    cells('interrupt-map-mask', oneDevice ? 0 : (DEVICES_PER_BUS - 1) << DEVICE_SHIFT, 0, 0, 7),
    rows('interrupt-map', interruptMap(oneDevice ? 1 : DEVICES_PER_BUS, publishing, swizzle)),
    rows('ranges', [[MEMORY_SPACE, 0, 0, MEMORY_SPACE, 0, 0, ALL_OF_MEMORY, 0]]),
  ];
}

/** PCI address, pin, controller, and what it is there: straight to the controller, over all bridges between. */
function interruptMap(devices: number, { interruptController, pins }: PciPublishing, swizzle: number): number[][] {
  return Array.from({ length: devices * PINS }, (_, row) => {
    const device = Math.floor(row / PINS);
    const pin = row % PINS;
    const wire = pins[(pin + device + swizzle) % PINS]!;
    return [device << DEVICE_SHIFT, 0, 0, pin + 1, interruptController, wire, LEVEL];
  });
}
