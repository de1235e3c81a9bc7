/**
 * The scan of the buses below a PHB: finds functions, numbers buses, sets up what it finds.
 * Source: skiboot core/pci.c: pci_scan_one, pci_scan_bus, pci_cleanup_bridge, pci_enable_bridge, pci_check_clear_freeze.
 */

import { BRIDGE_CONTROL_FIELDS, COMMAND_FIELDS } from '../pcie/config-header.js';
import { delay, type Process } from '../sim/process.js';
import { seconds } from '../sim/time.js';
import { configurePayload } from './device-init.js';
import { FreezeAction, FreezeState, OpalStatus, Power, Presence, Severity } from './opal-api.js';
import { findAer, findExpress, findPowerManagement, findVirtualFunctions } from './pci-capability.js';
import { type ConfigSize, readConfig, updateConfig, writeConfig } from './pci-config.js';
import {
  deviceTree,
  formatBdfn,
  type PciDevice,
  type PciDeviceType,
  type SlotFacts,
  typeOfFlags,
} from './pci-device.js';
import type { BusChoice, BusRange, PciHost } from './pci-host.js';
import {
  BRIDGE_CONTROL_MASTER_ABORT,
  CONFIG,
  DEVCAP_MAX_PAYLOAD,
  EXPRESS,
  HEADER_BRIDGE,
  HEADER_LAYOUT,
  HEADER_MULTIFUNCTION,
  LNKCAP_DLL_ACTIVE,
  SLOT_IMPLEMENTED,
  SLTCAP_HOT_PLUG,
  SLTCAP_POWER_CONTROL,
  SLTCAP_SURPRISE,
  SLTCTL_POWER_OFF,
} from './pci-registers.js';
import { awaitFunction, awaitLink, writeBusNumbers } from './pci-restore.js';
import { PcieSlot } from './pcie-slot.js';

const MAX_BUS = 0xff;
const DEVICES_PER_BUS = 32;
const FUNCTIONS_PER_DEVICE = 8;
/** Buses kept free below a bridge with nothing behind it, for a card that comes later. */
const SPARE_BUSES = 4;
/** A bridge that forwards nothing. */
const NO_BUS: BusChoice = { secondary: 0, subordinate: 0, subordinateIs: 'fixed' };
const BRIDGE_RESET_NS = seconds(1);

/** Fills `phb.devices`. */
export function* scanPhb(phb: PciHost): Process<void> {
  const hasLink = (yield* phb.rootLinkWidth()) > 0;
  phb.devices = yield* scanDevices(phb, 0, undefined);
  for (const root of phb.devices) {
    if (hasLink) yield* scanBelow(phb, root, { first: 1, last: MAX_BUS });
    else yield* leaveOpen(phb, root);
  }
  yield* choosePayload(phb);
}

/** Without a link nothing below is looked at: each probe would wait for its timeout. */
function* leaveOpen(phb: PciHost, root: PciDevice): Process<void> {
  root.secondaryBus = 1;
  root.subordinateBus = MAX_BUS;
  yield* writeConfig(phb, { bdfn: root.bdfn, offset: CONFIG.SECONDARY_BUS, size: 1 }, root.secondaryBus);
  yield* writeConfig(phb, { bdfn: root.bdfn, offset: CONFIG.SUBORDINATE_BUS, size: 1 }, root.subordinateBus);
  if (root.express !== undefined) yield* readConfig(phb, root.bdfn, root.express + EXPRESS.PCIE_FLAGS, 2);
  yield* bootPower(phb, root, Power.OFF);
}

/** The functions of one bus. */
function* scanDevices(phb: PciHost, bus: number, parent: PciDevice | undefined): Process<PciDevice[]> {
  const found: PciDevice[] = [];
  for (let device = 0; device < devicesOn(parent); device++) {
    const first = yield* scanFunction(phb, (bus << 8) | (device << 3), parent);
    if (first === undefined) continue;
    found.push(first);
    if (!first.isMultifunction) continue;
    for (let fn = 1; fn < FUNCTIONS_PER_DEVICE; fn++) {
      const next = yield* scanFunction(phb, first.bdfn | fn, parent);
      if (next !== undefined) found.push(next);
    }
  }
  return found;
}

/** A PCI Express link has one device at its end; bus 0 has the root port. */
function devicesOn(parent: PciDevice | undefined): number {
  const isLink = parent === undefined || parent.type === 'root-port' || parent.type === 'downstream-port';
  return isLink ? 1 : DEVICES_PER_BUS;
}

/** A probe of an empty place freezes the reserved PE: thawed at once, or every later probe would fail. */
function* scanFunction(phb: PciHost, bdfn: number, parent: PciDevice | undefined): Process<PciDevice | undefined> {
  const device = yield* probeFunction(phb, bdfn, parent);
  yield* clearStrayFreeze(phb);
  return device;
}

function* clearStrayFreeze(phb: PciHost): Process<void> {
  const { reservedPe } = phb;
  if (reservedPe === undefined || phb.freezeStatus === undefined || phb.freezeClear === undefined) return;
  const { rc, freezeState, severity } = yield* phb.freezeStatus(reservedPe);
  if (rc !== OpalStatus.SUCCESS || freezeState === FreezeState.NOT_FROZEN) return;
  // Worse than a frozen PE is not for a scan to mend.
  if (severity > Severity.NO_ERROR && severity < Severity.PE_ER) return;
  yield* phb.freezeClear(reservedPe, FreezeAction.ALL);
}

function* probeFunction(phb: PciHost, bdfn: number, parent: PciDevice | undefined): Process<PciDevice | undefined> {
  const identity = yield* awaitFunction(phb, bdfn);
  if (identity === undefined) return undefined;
  const read = (offset: number, size: ConfigSize) => readConfig(phb, bdfn, offset, size);
  yield* writeConfig(phb, { bdfn, offset: CONFIG.VENDOR_ID, size: 4 }, identity);
  yield* read(CONFIG.SUBSYSTEM_VENDOR, 4);
  const classAndRevision = yield* read(CONFIG.REVISION, 4);
  const header = yield* read(CONFIG.HEADER_TYPE, 1);
  const { express, type, aer, maxPayload } = yield* readExpress(phb, bdfn);
  const powerManagement = yield* findPowerManagement(phb, bdfn);
  const isBridge = (header & HEADER_LAYOUT) === HEADER_BRIDGE;
  // Cleared bus numbers keep a bridge from forwarding what is meant for others.
  if (isBridge) {
    yield* writeBusNumbers(phb, { bdfn, primaryBus: bdfn >> 8, secondaryBus: 0, subordinateBus: 0 });
  }
  const slot = express === undefined ? undefined : yield* readSlotFacts(phb, { bdfn, express, type });
  const device: PciDevice = {
    bdfn,
    vendorId: identity & 0xffff,
    deviceId: identity >>> 16,
    classCode: classAndRevision >>> 8,
    revision: classAndRevision & 0xff,
    type,
    isBridge,
    isMultifunction: (header & HEADER_MULTIFUNCTION) !== 0,
    express,
    aer,
    powerManagement,
    maxPayload,
    parent,
    children: [],
    primaryBus: bdfn >> 8,
    secondaryBus: 0,
    subordinateBus: 0,
    slot,
    interruptPin: 0,
  };
  if (slot !== undefined) phb.portSlots.set(bdfn, new PcieSlot(phb, device));
  yield* phb.initDevice(device);
  return device;
}

/** What its PCI Express capability tells of a function, if it has one. */
function* readExpress(phb: PciHost, bdfn: number): Process<Pick<PciDevice, 'express' | 'type' | 'aer' | 'maxPayload'>> {
  const express = yield* findExpress(phb, bdfn);
  if (express === undefined) return { express, type: 'legacy', aer: undefined, maxPayload: 0 };
  const flags = yield* readConfig(phb, bdfn, express + EXPRESS.PCIE_FLAGS, 2);
  const capabilities = yield* readConfig(phb, bdfn, express + EXPRESS.DEVCAP, 4);
  const aer = yield* findAer(phb, bdfn);
  if (phb.generation === '6.2') yield* findVirtualFunctions(phb, bdfn);
  return { express, type: typeOfFlags(flags), aer, maxPayload: capabilities & DEVCAP_MAX_PAYLOAD };
}

/** Root ports and downstream ports have slots. */
function* readSlotFacts(
  phb: PciHost,
  port: { bdfn: number; express: number; type: PciDeviceType },
): Process<SlotFacts | undefined> {
  const { bdfn, express, type } = port;
  if (type !== 'root-port' && type !== 'downstream-port') return undefined;
  const flags = yield* readConfig(phb, bdfn, express + EXPRESS.PCIE_FLAGS, 2);
  const link = yield* readConfig(phb, bdfn, express + EXPRESS.LNKCAP, 4);
  const implemented = (flags & SLOT_IMPLEMENTED) !== 0;
  const slot = implemented ? yield* readConfig(phb, bdfn, express + EXPRESS.SLTCAP, 4) : 0;
  const powerControl = (slot & SLTCAP_POWER_CONTROL) !== 0;
  const control = powerControl ? yield* readConfig(phb, bdfn, express + EXPRESS.SLTCTL, 2) : 0;
  const reportsLink = (link & LNKCAP_DLL_ACTIVE) !== 0;
  const surprise = (slot & SLTCAP_SURPRISE) !== 0;
  return {
    implemented,
    powerControl,
    poweredAtScan: (control & SLTCTL_POWER_OFF) === 0,
    reportsLink,
    pluggable: (slot & SLTCAP_HOT_PLUG) !== 0,
    surprisePluggable: implemented && (reportsLink || surprise),
    brokenPdc: implemented && reportsLink && !surprise,
  };
}

/** Opens a bridge for buses out of `free`, scans below it and gives back the highest bus number used; undefined: none fits. */
function* scanBelow(phb: PciHost, bridge: PciDevice, free: BusRange): Process<number | undefined> {
  const { bdfn, express } = bridge;
  if (express !== undefined) yield* readConfig(phb, bdfn, express + EXPRESS.PCIE_FLAGS, 2);
  const { secondary, subordinate, subordinateIs } = phb.chooseBus(bridge, free) ?? NO_BUS;
  bridge.secondaryBus = secondary;
  bridge.subordinateBus = subordinate;
  yield* writeConfig(phb, { bdfn, offset: CONFIG.SECONDARY_BUS, size: 1 }, secondary);
  yield* writeConfig(phb, { bdfn, offset: CONFIG.SUBORDINATE_BUS, size: 1 }, subordinate);
  if (secondary === 0) {
    phb.log(`${formatBdfn(bdfn)}: Out of bus numbers !`);
    return undefined;
  }
  yield* closeWindows(phb, bridge);
  const used = (yield* openBridge(phb, bridge))
    ? yield* scanBus(phb, bridge, { first: secondary, last: subordinate })
    : Math.min(secondary + SPARE_BUSES, subordinate);
  if (subordinateIs === 'as-found') bridge.subordinateBus = used;
  yield* writeConfig(phb, { bdfn, offset: CONFIG.SUBORDINATE_BUS, size: 1 }, bridge.subordinateBus);
  if (bridge.children.length === 0) yield* bootPower(phb, bridge, Power.OFF);
  return bridge.subordinateBus;
}

/** What is on bus `first` and behind its bridges. */
function* scanBus(phb: PciHost, bridge: PciDevice, { first, last }: BusRange): Process<number> {
  bridge.children = yield* scanDevices(phb, first, bridge);
  let used = first;
  for (const child of bridge.children) {
    if (!child.isBridge) continue;
    if (used >= last) {
      phb.log(`no bus number left below bus ${first}`);
      break;
    }
    const below = yield* scanBelow(phb, child, { first: used + 1, last });
    if (below === undefined) break;
    used = below;
  }
  return used;
}

/** Looks again at what is below a slot, within the bus numbers it has. */
export function* rescanBelow(phb: PciHost, bridge: PciDevice): Process<void> {
  if (bridge.secondaryBus === 0) return;
  forgetSlots(phb, bridge.children);
  yield* scanBus(phb, bridge, { first: bridge.secondaryBus, last: bridge.subordinateBus });
}

/** Forgets everything below a slot. */
export function* removeBelow(phb: PciHost, bridge: PciDevice): Process<void> {
  for (const device of deviceTree(bridge.children)) if (phb.removeDevice !== undefined) yield* phb.removeDevice(device);
  forgetSlots(phb, bridge.children);
  bridge.children = [];
}

function forgetSlots(phb: PciHost, devices: readonly PciDevice[]): void {
  for (const device of deviceTree(devices)) phb.portSlots.delete(device.bdfn);
}

/** Boot saves the power of hot-plug slots that hold nothing, and gives it back to those that hold something. */
function* bootPower(phb: PciHost, bridge: PciDevice, power: number): Process<void> {
  const slot = phb.portSlots.get(bridge.bdfn);
  if (slot?.setPower === undefined || bridge.slot?.pluggable !== true) return;
  yield* slot.setPower(power);
  slot.settle();
}

/** Base above limit in every window, so that the bridge forwards nothing until an operating system says so. */
function* closeWindows(phb: PciHost, { bdfn }: PciDevice): Process<void> {
  const writes: readonly (readonly [offset: number, size: ConfigSize, value: number])[] = [
    [CONFIG.IO_BASE_UPPER, 2, 0xffff],
    [CONFIG.IO_BASE, 1, 0xf0],
    [CONFIG.IO_LIMIT_UPPER, 2, 0],
    [CONFIG.IO_LIMIT, 1, 0],
    [CONFIG.MEMORY_BASE, 2, 0xfff0],
    [CONFIG.MEMORY_LIMIT, 2, 0],
    [CONFIG.PREFETCHABLE_BASE_UPPER, 4, 0xffff_ffff],
    [CONFIG.PREFETCHABLE_BASE, 2, 0xfff0],
    [CONFIG.PREFETCHABLE_LIMIT_UPPER, 4, 0],
    [CONFIG.PREFETCHABLE_LIMIT, 2, 0],
  ];
  for (const [offset, size, value] of writes) yield* writeConfig(phb, { bdfn, offset, size }, value);
  // Some operating systems expect their bridges enabled; with closed windows that does no harm.
  const { IO, MEMORY, BUS_MASTER } = COMMAND_FIELDS;
  yield* updateConfig(phb, { bdfn, offset: CONFIG.COMMAND, size: 2 }, { set: IO | MEMORY | BUS_MASTER });
}

/** False: nothing to scan below. */
function* openBridge(phb: PciHost, bridge: PciDevice): Process<boolean> {
  const { bdfn } = bridge;
  const target = { bdfn, offset: CONFIG.BRIDGE_CONTROL, size: 2 } as const;
  const control = (yield* readConfig(phb, bdfn, target.offset, 2)) & ~BRIDGE_CONTROL_MASTER_ABORT;
  yield* writeConfig(phb, target, control);
  if (bridge.type === 'downstream-port' && !(yield* powerPort(phb, bridge))) return false;
  const inReset = (control & BRIDGE_CONTROL_FIELDS.SECONDARY_BUS_RESET) !== 0;
  if (inReset) {
    yield* writeConfig(phb, target, control & ~BRIDGE_CONTROL_FIELDS.SECONDARY_BUS_RESET);
    yield* delay(BRIDGE_RESET_NS);
  }
  const isPort = bridge.type === 'root-port' || bridge.type === 'downstream-port';
  if (isPort && !(yield* awaitLink(phb, bridge, inReset ? 'reset' : 'undisturbed'))) return false;
  yield* writeConfig(phb, { bdfn, offset: CONFIG.STATUS, size: 2 }, 0xffff);
  return true;
}

/** False: nobody is there to be powered. */
function* powerPort(phb: PciHost, bridge: PciDevice): Process<boolean> {
  const slot = phb.portSlots.get(bridge.bdfn);
  if (slot?.presence === undefined) return true;
  const { rc, state } = yield* slot.presence();
  if (rc === OpalStatus.SUCCESS && state === Presence.EMPTY) return false;
  yield* bootPower(phb, bridge, Power.ON);
  return true;
}

/** One payload size for all, the smallest anybody has. */
function* choosePayload(phb: PciHost): Process<void> {
  const devices = [...deviceTree(phb.devices)].filter((device) => device.express !== undefined);
  if (devices.length === 0) return;
  phb.maxPayload = Math.min(...devices.map((device) => device.maxPayload));
  for (const device of devices) yield* configurePayload(phb, device);
}
