/**
 * Interrupts by message (MSI-X, and MSI for ports) for drivers: vectors from firmware's range, the capability, and the
 * routes. The table of MSI-X inside the device is left alone: no driver here waits for one of its interrupts (M).
 * Source: linux drivers/pci/msi/msi.c: msix_capability_init, pci_msix_shutdown, msi_capability_init,
 * __pci_write_msi_msg; powernv/pci-ioda.c: pnv_pci_ioda_msi_setup; sysdev/xics/ics-opal.c: ics_opal_unmask_irq, ics_opal_set_affinity.
 */

import { MSI_CONTROL_FIELDS } from '../../pcie/capabilities.js';
import { COMMAND_FIELDS } from '../../pcie/config-header.js';
import { MSIX_CONTROL_FIELDS } from '../../pcie/msi-x.js';
import type { Process } from '../../sim/process.js';
import type { KernelContext } from '../context.js';
import { EINVAL, ENOSPC } from '../errno.js';
import type { PeSetup } from '../powernv/pe-setup.js';
import { configTarget, type PciConfig } from './config.js';
import type { PciController, PciDevice } from './device.js';
import { HEADER } from './regs.js';

const CONTROL = 2;
const TABLE = 4;
const { ENABLE, FUNCTION_MASK, LAST_VECTOR } = MSIX_CONTROL_FIELDS;
/** The MSI capability: address in two halves, then the data. */
const MSI = { address: 4, addressUpper: 8, data: 12, enable: MSI_CONTROL_FIELDS.ENABLE } as const;
/** Priority of every device interrupt. Source: linux sysdev/xics: DEFAULT_PRIORITY. */
export const DEFAULT_PRIORITY = 5;
/** Server numbers are shifted to leave room for a link. */
export const SERVER_SHIFT = 2;

/** One message of a device: its number on the PHB and its global interrupt number. */
export interface MessageVector {
  readonly device: PciDevice;
  readonly number: number;
  readonly irq: number;
}

/** `managed`: the kernel spreads the vector over the processors itself and routes it before switching it on. */
export type Affinity = 'plain' | 'managed';

export class PciMessages {
  private readonly used = new Map<PciController, Set<number>>();
  private readonly owned = new Map<PciDevice, MessageVector[]>();

  constructor(
    private readonly ctx: KernelContext,
    private readonly config: PciConfig,
    private readonly peSetup: PeSetup,
  ) {}

  vectors(device: PciDevice): readonly MessageVector[] {
    return this.owned.get(device) ?? [];
  }

  /** Up to `wanted` vectors; below 0 when there are none to have. Source: __pci_enable_msix_range. */
  *enable(device: PciDevice, wanted: number): Process<number> {
    const { msix } = device.capabilities;
    if (msix === 0) return ENOSPC;
    const target = configTarget(device);
    const most = ((yield* this.config.value(target, msix + CONTROL, 2)) & LAST_VECTOR) + 1;
    yield* this.changeControl(device, { set: ENABLE | FUNCTION_MASK });
    yield* this.config.value(target, msix + CONTROL, 2);
    yield* this.config.value(target, msix + TABLE, 4);
    yield* this.config.value(target, msix + CONTROL, 2);
    const vectors: MessageVector[] = [];
    for (let i = 0; i < Math.min(wanted, most); i++) vectors.push(yield* this.allocate(device));
    this.owned.set(device, vectors);
    device.interrupt = 'message';
    yield* this.switchIntx(device, 'off');
    yield* this.changeControl(device, { clear: FUNCTION_MASK });
    return vectors.length;
  }

  /** The one message of a port; below 0 when there is none to have. Source: pci_enable_msi. */
  *enableSingle(device: PciDevice): Process<number> {
    const { msi } = device.capabilities;
    if (msi === 0) return EINVAL;
    const target = configTarget(device);
    yield* this.changeMsi(device, { clear: MSI.enable });
    yield* this.config.value(target, msi + CONTROL, 2);
    this.owned.set(device, [yield* this.allocate(device)]);
    device.interrupt = 'message';
    yield* this.switchIntx(device, 'off');
    yield* this.changeMsi(device, { set: MSI.enable });
    return 0;
  }

  /** Source: pci_disable_msix. */
  *disable(device: PciDevice): Process<void> {
    const vectors = this.owned.get(device);
    if (vectors === undefined) return;
    yield* this.changeControl(device, { clear: ENABLE });
    yield* this.switchIntx(device, 'on');
    device.interrupt = 'none';
    for (const { number } of vectors) this.numbers(device.bus.controller).delete(number);
    this.owned.delete(device);
  }

  /** Source: linux kernel/irq/chip.c: irq_startup. */
  *request({ device, number, irq }: MessageVector, affinity: Affinity): Process<void> {
    if (affinity === 'plain') yield* unmask(this.ctx, irq);
    yield* route(this.ctx, irq);
    yield* this.compose(device, number);
    if (affinity === 'managed') yield* unmask(this.ctx, irq);
  }

  private *allocate(device: PciDevice): Process<MessageVector> {
    const { controller } = device.bus;
    const numbers = this.numbers(controller);
    let number = 0;
    while (numbers.has(number)) number++;
    numbers.add(number);
    yield* this.compose(device, number);
    return { device, number, irq: (controller.node.msiRange?.first ?? 0) + number };
  }

  /** Lets the message of the device's PE in, and asks what the device must send. */
  private *compose(device: PciDevice, number: number): Process<void> {
    const { phbId } = device.bus.controller;
    const pe = this.peSetup.peOf(device);
    if (pe?.mve === undefined) return;
    yield* this.ctx.opal.pciSetXivePe(phbId, pe.number, number);
    const { address, data } = yield* this.ctx.opal.getMsi64(phbId, pe.mve, number, 1);
    if (device.capabilities.msix === 0) yield* this.writeMessage(device, address, data);
  }

  /** Into the MSI capability; one message is granted. */
  private *writeMessage(device: PciDevice, address: bigint, data: number): Process<void> {
    const target = configTarget(device);
    const at = device.capabilities.msi;
    yield* this.changeMsi(device, { clear: MSI_CONTROL_FIELDS.ENABLED_COUNT });
    yield* this.config.write(target, at + MSI.address, 4, Number(address & 0xffff_ffffn));
    yield* this.config.write(target, at + MSI.addressUpper, 4, Number(address >> 32n));
    yield* this.config.write(target, at + MSI.data, 2, data);
    yield* this.config.value(target, at + CONTROL, 2);
  }

  private *changeMsi(device: PciDevice, bits: { set?: number; clear?: number }): Process<void> {
    const target = configTarget(device);
    const at = device.capabilities.msi + CONTROL;
    const value = yield* this.config.value(target, at, 2);
    yield* this.config.write(target, at, 2, (value & ~(bits.clear ?? 0)) | (bits.set ?? 0));
  }

  private *changeControl(device: PciDevice, bits: { set?: number; clear?: number }): Process<void> {
    const target = configTarget(device);
    const at = device.capabilities.msix + CONTROL;
    const value = yield* this.config.value(target, at, 2);
    yield* this.config.write(target, at, 2, (value & ~(bits.clear ?? 0)) | (bits.set ?? 0));
  }

  /** Source: pci_intx. */
  private *switchIntx(device: PciDevice, wanted: 'on' | 'off'): Process<void> {
    const target = configTarget(device);
    const command = yield* this.config.value(target, HEADER.COMMAND.at, 2);
    const bit = COMMAND_FIELDS.INTX_DISABLE;
    const value = wanted === 'on' ? command & ~bit : command | bit;
    if (value !== command) yield* this.config.write(target, HEADER.COMMAND.at, 2, value);
  }

  private numbers(controller: PciController): Set<number> {
    const known = this.used.get(controller) ?? new Set<number>();
    this.used.set(controller, known);
    return known;
  }
}

/** An interrupt by wire. */
export function* requestRoute(ctx: KernelContext, irq: number): Process<void> {
  yield* unmask(ctx, irq);
  yield* route(ctx, irq);
}

function* unmask(ctx: KernelContext, irq: number): Process<void> {
  yield* ctx.opal.setXive(irq, serverOf(ctx), DEFAULT_PRIORITY);
}

/** Moves it to its processor; a vector that is still off stays off. */
function* route(ctx: KernelContext, irq: number): Process<void> {
  const { priority } = yield* ctx.opal.getXive(irq);
  yield* ctx.opal.setXive(irq, serverOf(ctx), priority);
}

const serverOf = ({ bootProcessor }: KernelContext): number => bootProcessor << SERVER_SHIFT;
