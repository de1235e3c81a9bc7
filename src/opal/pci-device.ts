/** A PCI function as firmware found it. Source: skiboot include/pci.h: struct pci_device. */
import { PortType } from '../pcie/capabilities.js';

export type PciDeviceType = 'root-port' | 'upstream-port' | 'downstream-port' | 'endpoint' | 'legacy';

/** What the capabilities of a bridge say about the slot below it. Source: skiboot core/pcie-slot.c: pcie_slot_create. */
export interface SlotFacts {
  readonly pluggable: boolean;
  readonly surprisePluggable: boolean;
  /** Presence changes are not to be trusted: a card may leave at any time, but only the link tells. */
  readonly brokenPdc: boolean;
  readonly powerControl: boolean;
  /** Its power was on when firmware found it. */
  readonly poweredAtScan: boolean;
  /** The link tells when its data link layer is active. */
  readonly reportsLink: boolean;
  /** The port has a slot register set at all; without one a card is taken for present. */
  readonly implemented: boolean;
}

export interface PciDevice {
  readonly bdfn: number;
  readonly vendorId: number;
  readonly deviceId: number;
  readonly classCode: number;
  readonly revision: number;
  readonly type: PciDeviceType;
  readonly isBridge: boolean;
  readonly isMultifunction: boolean;
  /** Offsets of capabilities; absent where the function has none. */
  readonly express: number | undefined;
  readonly aer: number | undefined;
  readonly powerManagement: number | undefined;
  /** Largest payload it takes, as the PCI Express code. */
  readonly maxPayload: number;
  readonly parent: PciDevice | undefined;
  children: readonly PciDevice[];
  primaryBus: number;
  secondaryBus: number;
  subordinateBus: number;
  /** Present for a bridge whose secondary side firmware can reset as a slot of its own. */
  readonly slot: SlotFacts | undefined;
  interruptPin: number;
}

export const busOf = (bdfn: number): number => (bdfn >> 8) & 0xff;
/** `1:00.0`: bus, device, function. */
export const formatBdfn = (bdfn: number): string =>
  `${busOf(bdfn).toString(16).padStart(2, '0')}:${((bdfn >> 3) & 0x1f).toString(16).padStart(2, '0')}.${bdfn & 7}`;

/** Type of a function with a PCI Express capability, from its flags. */
export function typeOfFlags(flags: number): PciDeviceType {
  switch ((flags >> 4) & 0xf) {
    case PortType.rootPort:
      return 'root-port';
    case PortType.upstream:
      return 'upstream-port';
    case PortType.downstream:
      return 'downstream-port';
    default:
      return 'endpoint';
  }
}

/** The device and everything below it, parents first. */
export function* deviceTree(devices: readonly PciDevice[]): Generator<PciDevice, void, undefined> {
  for (const device of devices) {
    yield device;
    yield* deviceTree(device.children);
  }
}

export function findDevice(devices: readonly PciDevice[], bdfn: number): PciDevice | undefined {
  for (const device of deviceTree(devices)) if (device.bdfn === bdfn) return device;
  return undefined;
}
