/** Enabling a device for its driver, and again after a reset. Source: linux drivers/pci/pci.c: do_pci_enable_device. */
import { COMMAND_FIELDS } from '../../pcie/config-header.js';
import type { Process } from '../../sim/process.js';
import { EINVAL } from '../errno.js';
import type { KernelLog } from '../log.js';
import { configTarget, type PciConfig } from './config.js';
import { hex, type PciDevice, ROM_INDEX } from './device.js';
import { HEADER } from './regs.js';

export class DeviceEnable {
  constructor(
    private readonly log: KernelLog,
    private readonly config: PciConfig,
  ) {}

  /** Memory decoding on; counted, only the first call touches the device. */
  *enable(device: PciDevice): Process<number> {
    if (device.enableCount++ > 0) return 0;
    const rc = yield* this.turnOn(device);
    if (rc !== 0) device.enableCount--;
    return rc;
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

  /** After a reset: what was enabled before is enabled again. Bridges always are. */
  *reenable(device: PciDevice): Process<number> {
    return device.enableCount > 0 || device.isBridge ? yield* this.turnOn(device) : 0;
  }

  private *turnOn(device: PciDevice): Process<number> {
    const unplaced = device.resources.some(({ index, pciAddress }) => index !== ROM_INDEX && pciAddress === undefined);
    if (unplaced) {
      this.log.err(`${device.logPrefix}: can't enable device: a BAR is not assigned`);
      return EINVAL;
    }
    const target = configTarget(device);
    const command = yield* this.config.value(target, HEADER.COMMAND.at, 2);
    const wanted = device.resources.length > 0 || device.isBridge ? command | COMMAND_FIELDS.MEMORY : command;
    if (wanted !== command) {
      this.log.info(`${device.logPrefix}: enabling device (${hex(command, 4)} -> ${hex(wanted, 4)})`);
      yield* this.config.write(target, HEADER.COMMAND.at, 2, wanted);
    }
    yield* this.config.value(target, HEADER.INTERRUPT_PIN.at, 1);
    return 0;
  }
}
