/**
 * Configuration of a function kept by its driver over a reset. Source: linux drivers/pci/pci.c: pci_save_state,
 * pci_save_pcie_state, pci_restore_state, pci_restore_config_space.
 */
import type { Process } from '../../sim/process.js';
import type { KernelContext } from '../context.js';
import { configTarget, type PciConfig } from './config.js';
import type { PciDevice } from './device.js';
import { type ExpressRegister, implementsRegister, type PciExpress } from './express.js';
import { AER, Capability, ExtendedCapability, HEADER_DWORDS } from './regs.js';

const KEPT_EXPRESS = ['DEVCTL', 'LNKCTL', 'SLTCTL', 'RTCTL', 'DEVCTL2', 'LNKCTL2'] as const;
const CHANNELS = ['MULTIFUNCTION_VC', 'VIRTUAL_CHANNEL', 'VIRTUAL_CHANNEL_9'] as const;
/** Written with the BARs in between, the command register last; a BAR is written until it holds. */
const RANGES = [
  { first: 10, last: 15, retries: 0 },
  { first: 4, last: 9, retries: 10 },
  { first: 0, last: 3, retries: 0 },
] as const;
const RETRY_MS = 1;

export interface SavedState {
  readonly header: readonly number[];
  readonly express: readonly (readonly [ExpressRegister, number])[];
}

export class PciSavedState {
  constructor(
    private readonly ctx: KernelContext,
    private readonly config: PciConfig,
    private readonly express: PciExpress,
  ) {}

  *save(device: PciDevice): Process<SavedState> {
    const target = configTarget(device);
    const header: number[] = [];
    for (let i = 0; i < HEADER_DWORDS; i++) header.push(yield* this.config.value(target, 4 * i, 4));
    const express: [ExpressRegister, number][] = [];
    for (const name of KEPT_EXPRESS) {
      if (implementsRegister(device, name)) express.push([name, yield* this.express.read(device, name)]);
    }
    yield* this.config.findCapability(target, Capability.PCIX);
    yield* this.lookForChannels(device);
    return { header, express };
  }

  *restore(device: PciDevice, { header, express }: SavedState): Process<void> {
    const target = configTarget(device);
    for (const [name, value] of express) yield* this.express.write(device, name, value);
    yield* this.lookForChannels(device);
    yield* this.config.findExtendedCapability(device, ExtendedCapability.RESIZABLE_BAR);
    yield* this.clearErrors(device);
    for (const { first, last, retries } of RANGES) {
      for (let i = last; i >= first; i--) yield* this.restoreDword(device, 4 * i, { value: header[i]!, retries });
    }
    yield* this.config.findCapability(target, Capability.PCIX);
  }

  private *restoreDword(
    device: PciDevice,
    at: number,
    { value, retries }: { value: number; retries: number },
  ): Process<void> {
    const target = configTarget(device);
    if ((yield* this.config.value(target, at, 4)) === value) return;
    yield* this.config.write(target, at, 4, value);
    for (let left = retries; left > 0; left--) {
      if ((yield* this.config.value(target, at, 4)) === value) return;
      yield* this.ctx.clock.msleep(RETRY_MS);
      yield* this.config.write(target, at, 4, value);
    }
  }

  /** Virtual channels would be kept too; nobody here has any. */
  private *lookForChannels(device: PciDevice): Process<void> {
    for (const name of CHANNELS) yield* this.config.findExtendedCapability(device, ExtendedCapability[name]);
  }

  /** Errors of the reset are nobody's. Source: linux pcie/aer.c: pci_aer_clear_status. */
  private *clearErrors(device: PciDevice): Process<void> {
    const { aer } = device.capabilities;
    if (aer === 0) return;
    const target = configTarget(device);
    for (const { at } of [AER.CE_STATUS, AER.UE_STATUS]) {
      yield* this.config.write(target, aer + at, 4, yield* this.config.value(target, aer + at, 4));
    }
  }
}
