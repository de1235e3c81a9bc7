/** Enabling a device for its driver, and again after a reset. Source: linux drivers/pci/pci.c: do_pci_enable_device. */
import { COMMAND_FIELDS } from '../../pcie/config-header.js';
import type { Process } from '../../sim/process.js';
import { EINVAL } from '../errno.js';
import type { KernelLog } from '../log.js';
import { configTarget, type PciConfig } from './config.js';
import { hex, type PciDevice, ROM_INDEX } from './device.js';
import { HEADER, PowerManagement } from './regs.js';

export class DeviceEnable {
  constructor(
    private readonly log: KernelLog,
    private readonly config: PciConfig,
  ) {}

  /** Memory decoding on, for the bridges above first; counted, only the first call touches the device. */
  *enable(device: PciDevice): Process<number> {
    const { powerManagement } = device.capabilities;
    if (powerManagement !== 0) {
      yield* this.config.value(configTarget(device), powerManagement + PowerManagement.CONTROL, 2);
    }
    if (device.enableCount++ > 0) return 0;
    if (device.bus.bridge !== undefined) yield* this.enableBridge(device.bus.bridge);
    const rc = yield* this.turnOn(device);
    if (rc !== 0) device.enableCount--;
    return rc;
  }

  /** Source: linux pci.c: pci_enable_bridge. */
  *enableBridge(bridge: PciDevice): Process<void> {
    if (bridge.bus.bridge !== undefined) yield* this.enableBridge(bridge.bus.bridge);
    if (bridge.enableCount > 0) return;
    yield* this.enable(bridge);
    yield* this.setMaster(bridge, 'on');
  }

  *disable(device: PciDevice): Process<void> {
    if (device.enableCount === 0 || --device.enableCount > 0) return;
    yield* this.setMaster(device, 'off');
  }

  *setMaster(device: PciDevice, wanted: 'on' | 'off'): Process<void> {
    const target = configTarget(device);
    const command = yield* this.config.value(target, HEADER.COMMAND.at, 2);
    const bit = COMMAND_FIELDS.BUS_MASTER;
    const value = wanted === 'on' ? command | bit : command & ~bit;
    if (value !== command) yield* this.config.write(target, HEADER.COMMAND.at, 2, value);
  }

  /** After a reset: what was enabled before is enabled again. */
  *reenable(device: PciDevice): Process<number> {
    return device.enableCount > 0 ? yield* this.turnOn(device) : 0;
  }

  private *turnOn(device: PciDevice): Process<number> {
    const memory = device.resources.filter(({ space, index }) => space === 'memory' && index !== ROM_INDEX);
    if (memory.some(({ pciAddress }) => pciAddress === undefined)) {
      this.log.err(`${device.logPrefix}: can't enable device: a BAR is not assigned`);
      return EINVAL;
    }
    const target = configTarget(device);
    const command = yield* this.config.value(target, HEADER.COMMAND.at, 2);
    const wanted = memory.length > 0 || device.isBridge ? command | COMMAND_FIELDS.MEMORY : command;
    if (wanted !== command) {
      this.log.info(`${device.logPrefix}: enabling device (${hex(command, 4)} -> ${hex(wanted, 4)})`);
      yield* this.config.write(target, HEADER.COMMAND.at, 2, wanted);
    }
    if (device.interrupt !== 'message') yield* this.allowIntx(device);
    return 0;
  }

  /** A device that may have to interrupt by wire must not be kept from it. */
  private *allowIntx(device: PciDevice): Process<void> {
    const target = configTarget(device);
    if ((yield* this.config.value(target, HEADER.INTERRUPT_PIN.at, 1)) === 0) return;
    const command = yield* this.config.value(target, HEADER.COMMAND.at, 2);
    if ((command & COMMAND_FIELDS.INTX_DISABLE) === 0) return;
    yield* this.config.write(target, HEADER.COMMAND.at, 2, command & ~COMMAND_FIELDS.INTX_DISABLE);
  }
}
