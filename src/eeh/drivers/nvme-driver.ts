/**
 * The kernel's nvme driver as its device's PCI side sees it: enabling, message interrupts in two steps (one for the admin
 * queue, then all), state kept, and its part in recovery. It moves no data.
 * Source: linux drivers/nvme/host/pci.c: nvme_pci_enable, nvme_setup_io_queues, nvme_dev_disable, nvme_error_detected,
 * nvme_slot_reset, nvme_error_resume, nvme_reset_prepare; calls as recorded (facts: eeh-linux 24.1, 24.3, 24.4).
 */
import { join, type Process, type ProcessHandle } from '../../sim/process.js';
import type { PciDevice, PciErrorHandlers } from '../pci/device.js';
import { HEADER } from '../pci/regs.js';
import type { SavedState } from '../pci/saved-state.js';
import type { PciDriver } from './driver.js';
import type { DriverServices } from './services.js';

/** Mass storage, non-volatile memory, NVM Express. */
const NVME_CLASS = 0x01_0802;
const ADMIN_QUEUE = 0;

interface Controller {
  readonly services: DriverServices;
  readonly name: string;
  /** Beside the admin queue; one a processor, and one queue needs one vector. */
  readonly ioQueues: number;
  saved: SavedState | undefined;
  reset: ProcessHandle<void> | undefined;
}

export interface NvmeDriverOptions {
  /** Processors, each of which gets an I/O queue; default 1. */
  readonly processors?: number;
  /** Default: every controller. */
  readonly wants?: (device: PciDevice) => 'yes' | 'no';
}

export class NvmeDriver implements PciDriver {
  readonly name = 'nvme';
  readonly errorHandlers: PciErrorHandlers;
  private readonly controllers = new Map<PciDevice, Controller>();
  private instances = 0;

  constructor(private readonly options: NvmeDriverOptions = {}) {
    this.errorHandlers = {
      errorDetected: (device, state) => this.errorDetected(device, state),
      slotReset: (device) => this.slotReset(device),
      resume: (device) => this.resume(device),
      resetPrepare: (device) => this.stop(device),
      resetDone: (device) => this.restart(device),
    };
  }

  matches(device: PciDevice): 'yes' | 'no' {
    if (device.identity.classCode !== NVME_CLASS) return 'no';
    return this.options.wants?.(device) ?? 'yes';
  }

  *probe(device: PciDevice, services: DriverServices): Process<number> {
    const name = `nvme nvme${this.instances++}`;
    const ioQueues = this.options.processors ?? 1;
    const controller: Controller = { services, name, ioQueues, saved: undefined, reset: undefined };
    this.controllers.set(device, controller);
    services.print(`${name}: pci function ${device.name}`);
    return yield* this.start(device, controller);
  }

  *remove(device: PciDevice): Process<void> {
    yield* this.stop(device);
    this.controllers.delete(device);
  }

  private *errorDetected(device: PciDevice, state: PciDevice['channel']): ReturnType<Handler<'errorDetected'>> {
    const controller = this.controllers.get(device)!;
    switch (state) {
      case 'normal':
        return 'can recover';
      case 'frozen':
        controller.services.print(`${controller.name}: frozen state error detected, reset controller`);
        yield* this.stop(device);
        return 'need reset';
      default:
        controller.services.print(`${controller.name}: failure state error detected, request disconnect`);
        return 'disconnect';
    }
  }

  /** The reset work begins here and may still run when the next pass comes. */
  private *slotReset(device: PciDevice): ReturnType<Handler<'slotReset'>> {
    const controller = this.controllers.get(device)!;
    const { services, saved } = controller;
    services.print(`${controller.name}: restart after slot reset`);
    if (saved !== undefined) yield* services.restoreState(device, saved);
    this.schedule(device, controller);
    return 'recovered';
  }

  private *resume(device: PciDevice): Process<void> {
    yield* this.finish(this.controllers.get(device)!);
  }

  private *restart(device: PciDevice): Process<void> {
    const controller = this.controllers.get(device)!;
    this.schedule(device, controller);
    yield* this.finish(controller);
  }

  private schedule(device: PciDevice, controller: Controller): void {
    controller.reset = controller.services.spawn(`${controller.name} reset`, this.resetWork(device, controller));
  }

  private *finish(controller: Controller): Process<void> {
    if (controller.reset !== undefined) yield* join(controller.reset);
    controller.reset = undefined;
  }

  private *resetWork(device: PciDevice, controller: Controller): Process<void> {
    yield* this.start(device, controller);
  }

  private *start(device: PciDevice, controller: Controller): Process<number> {
    const { services, ioQueues } = controller;
    const enabled = yield* services.enableDevice(device);
    if (enabled < 0) return enabled;
    yield* services.setMaster(device);
    const messages = yield* services.enableMessages(device, 1);
    if (messages < 0) return messages;
    controller.saved = yield* services.saveState(device);
    yield* services.requestMessage(device, ADMIN_QUEUE);
    // The controller says how many queues it has; then all vectors are asked for anew.
    yield* services.disableMessages(device);
    yield* services.enableMessages(device, 1 + ioQueues);
    yield* services.requestMessage(device, ADMIN_QUEUE);
    for (let queue = 1; queue <= ioQueues; queue++) yield* services.requestMessage(device, queue, 'managed');
    services.print(`${controller.name}: ${ioQueues}/0/0 default/read/poll queues`);
    return 0;
  }

  /** Looks first whether the device is still there. */
  private *stop(device: PciDevice): Process<void> {
    const { services } = this.controllers.get(device)!;
    yield* services.readConfig(device, HEADER.VENDOR_ID.at, 4);
    yield* services.disableMessages(device);
    yield* services.disableDevice(device);
  }
}

type Handler<K extends keyof PciErrorHandlers> = NonNullable<PciErrorHandlers[K]>;
