/**
 * /sys/bus/pci: the devices, their drivers, and the search for new devices.
 * Source: linux drivers/pci/pci-sysfs.c; drivers/base/bus.c.
 */
import type { Process } from '../../sim/process.js';
import { ENODEV } from '../errno.js';
import type { LinuxKernel } from '../kernel.js';
import type { PciDevice } from '../pci/device.js';
import type { EehControls } from './controls.js';
import { type DeviceTarget, deviceDirectory, ifNotZero } from './device-files.js';
import {
  changingDirectory,
  type DirectoryNode,
  directory,
  type FileDeclaration,
  filesFor,
  type TreeNode,
} from './file-tree.js';
import type { UserConfig } from './user-config.js';

export const BUS_FILES: Readonly<Record<string, FileDeclaration<EehControls>>> = {
  rescan: {
    mode: 0o200,
    takes: 'a number; anything but 0 looks for new devices on every bus',
    write: (controls, value) => ifNotZero(value, () => controls.rescan()),
  },
};

interface DriverTarget {
  readonly kernel: LinuxKernel;
  readonly controls: EehControls;
  readonly driver: string;
}

/** Of every driver. */
export const DRIVER_FILES: Readonly<Record<string, FileDeclaration<DriverTarget>>> = {
  bind: {
    mode: 0o200,
    takes:
      'the name of a device without driver; ENODEV if there is none or the driver does not want it, EBUSY if it has one',
    write: (target, name) => withDevice(target, name, (device) => target.controls.bind(target.driver, device)),
  },
  unbind: {
    mode: 0o200,
    takes: 'the name of a device of this driver, else ENODEV',
    write: (target, name) => withDevice(target, name, (device) => target.controls.unbind(target.driver, device)),
  },
};

export function busDirectory(kernel: LinuxKernel, controls: EehControls, config: UserConfig): DirectoryNode {
  const target = (device: PciDevice): DeviceTarget => ({ device, controls, config });
  return directory({
    devices: changingDirectory(() => entriesOf(inOrder(kernel.devices), (device) => deviceDirectory(target(device)))),
    drivers: changingDirectory(() => {
      const entries: Record<string, TreeNode> = {};
      for (const driver of [...kernel.driverCore.names].sort())
        entries[driver] = driverDirectory({ kernel, controls, driver });
      return entries;
    }),
    ...filesFor(BUS_FILES, controls),
  });
}

function driverDirectory(target: DriverTarget): DirectoryNode {
  const { kernel, driver } = target;
  return changingDirectory(() => ({
    ...entriesOf(
      inOrder(kernel.devices.filter((device) => device.driver?.name === driver)),
      ({ name }): TreeNode => ({ kind: 'link', target: `../../devices/${name}` }),
    ),
    ...filesFor(DRIVER_FILES, target),
  }));
}

function entriesOf(devices: readonly PciDevice[], node: (device: PciDevice) => TreeNode): Record<string, TreeNode> {
  return Object.fromEntries(devices.map((device) => [device.name, node(device)]));
}

/** As `ls` lists them. */
export function inOrder(devices: readonly PciDevice[]): PciDevice[] {
  return [...devices].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function* withDevice(
  { kernel }: DriverTarget,
  name: string,
  action: (device: PciDevice) => Process<number>,
): Process<number> {
  const device = kernel.device(name.replace(/\n$/, ''));
  return device === undefined ? ENODEV : yield* action(device);
}
