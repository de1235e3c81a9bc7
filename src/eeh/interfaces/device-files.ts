/**
 * The directory of a PCI device in sysfs. EEH's files are there while EEH has a record of the plugged device; without EEH
 * they never appear. Source: linux eeh_sysfs.c; drivers/pci/pci-sysfs.c; facts: eeh-linux 14.1.
 */
import type { Process } from '../../sim/process.js';
import { DevMode } from '../eeh-flags.js';
import { type EehDev, edevOf } from '../eeh-pe.js';
import { EINVAL } from '../errno.js';
import { hex, type PciDevice } from '../pci/device.js';
import type { EehControls } from './controls.js';
import {
  changingDirectory,
  type DirectoryNode,
  directory,
  type FileContent,
  type FileDeclaration,
  filesFor,
  type TreeNode,
} from './file-tree.js';
import { parseUnsigned } from './kernel-text.js';
import type { UserConfig } from './user-config.js';

export interface DeviceTarget {
  readonly device: PciDevice;
  readonly controls: EehControls;
  readonly config: UserConfig;
}

type DeviceFile = FileDeclaration<DeviceTarget>;

/** Of every device. */
export const DEVICE_FILES: Readonly<Record<string, DeviceFile>> = {
  class: {
    mode: 0o444,
    shows: '0x%06x',
    read: ({ device }) => text(`0x${hex(device.identity.classCode, 6)}`),
  },
  config: {
    mode: 0o644,
    shows: 'configuration space, 256 bytes or 4096; all ones where the access was refused',
    takes: 'bytes from offset 0',
    *read({ device, config }) {
      return toText(yield* config.read(device, 0, config.size(device)));
    },
    *write({ device, config }, bytes) {
      yield* config.write(device, 0, toBytes(bytes));
      return 0;
    },
  },
  device: { mode: 0o444, shows: '0x%04x', read: ({ device }) => text(`0x${hex(device.identity.deviceId, 4)}`) },
  remove: {
    mode: 0o220,
    takes: 'a number; anything but 0 unplugs the device in software',
    write: ({ device, controls }, value) => ifNotZero(value, () => controls.removeDevice(device)),
  },
  rescan: {
    mode: 0o220,
    takes: 'a number; anything but 0 looks for new devices on the bus of this one',
    write: ({ device, controls }, value) => ifNotZero(value, () => controls.rescanBus(device)),
  },
  vendor: { mode: 0o444, shows: '0x%04x', read: ({ device }) => text(`0x${hex(device.identity.vendorId, 4)}`) },
};

/** Of devices EEH has a record of. */
export const DEVICE_EEH_FILES: Readonly<Record<string, DeviceFile>> = {
  eeh_mode: { mode: 0o444, shows: '0x%x', read: ({ device }) => ofRecord(device, (edev) => edev.mode) },
  eeh_pe_config_addr: {
    mode: 0o444,
    shows: '0x%x, the PE number',
    read: ({ device }) => ofRecord(device, (edev) => edev.peConfigAddress),
  },
  eeh_pe_state: {
    mode: 0o644,
    shows: '0x%08x 0x%08x, state of the hardware and state word; ENODEV without a PE',
    takes: 'anything: an isolated PE is thawed, EIO if that fails',
    *read({ device, controls }) {
      const words = yield* controls.peState(device);
      return typeof words === 'number' ? words : `0x${hex(words.query, 8)} 0x${hex(words.state, 8)}\n`;
    },
    write: ({ device, controls }) => controls.thawPe(device),
  },
};

export function deviceDirectory(target: DeviceTarget): DirectoryNode {
  return changingDirectory(() => {
    const { device } = target;
    const entries: Record<string, TreeNode> = filesFor(DEVICE_FILES, target);
    if (hasEehFiles(device)) Object.assign(entries, filesFor(DEVICE_EEH_FILES, target));
    if (device.driver !== undefined)
      entries['driver'] = { kind: 'link', target: `../../drivers/${device.driver.name}` };
    if (device.subordinate !== undefined) {
      entries['pci_bus'] = directory({ [device.subordinate.name]: directory({}) });
    }
    return entries;
  });
}

function hasEehFiles(device: PciDevice): boolean {
  const edev = edevOf(device);
  return edev?.device === device && edev.has(DevMode.SYSFS);
}

/** Runs `action` unless the text is the number 0. Source: linux pci-sysfs.c: remove_store, rescan_store. */
export function* ifNotZero(value: string, action: () => Process<void>): Process<number> {
  const number = parseUnsigned(value);
  if (typeof number === 'number') return EINVAL;
  if (number !== 0n) yield* action();
  return 0;
}

/** A line as the content of a file. */
export function* text(line: string): Process<FileContent> {
  return `${line}\n`;
}

function* ofRecord(device: PciDevice, value: (edev: EehDev) => number): Process<FileContent> {
  const edev = edevOf(device);
  return edev === undefined ? '' : `0x${hex(value(edev))}\n`;
}

function toText(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
}

function toBytes(content: string): Uint8Array {
  return Uint8Array.from(content, (character) => character.charCodeAt(0) & 0xff);
}
