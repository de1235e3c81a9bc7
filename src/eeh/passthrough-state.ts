/**
 * Configuration space that owners save around a reset of their own, and the reset line a driver may hold.
 * Source: linux eeh_driver.c: eeh_dev_save_state, eeh_dev_restore_state; eeh.c: pcibios_set_pcie_reset_state;
 * facts: eeh-linux 15.
 */
import type { Process } from '../sim/process.js';
import type { KernelContext } from './context.js';
import type { EehConfig } from './eeh-config.js';
import { EehOption, PeState, PeType } from './eeh-flags.js';
import { type EehDev, type EehPe, edevOf } from './eeh-pe.js';
import type { EehThaw } from './eeh-thaw.js';
import { EINVAL } from './errno.js';
import { configTarget, type PciConfig } from './pci/config.js';
import type { PciDevice } from './pci/device.js';
import { HEADER } from './pci/regs.js';
import type { PciSavedState, SavedState } from './pci/saved-state.js';
import type { EehPlatform } from './powernv/eeh-platform.js';
import type { EehPlatformReset } from './powernv/eeh-reset.js';

/** Command register: no level interrupts, and nothing else. */
const COMMAND_INTX_DISABLE = 0x0400;

/** By device, until it is written back. */
export class OwnersSavedState {
  private readonly saved = new Map<PciDevice, SavedState>();

  constructor(
    private readonly state: PciSavedState,
    private readonly eehConfig: EehConfig,
  ) {}

  /** Devices whose config space must not be touched keep what was saved when they were probed. */
  *save(edevs: readonly EehDev[]): Process<void> {
    for (const { device, pe } of edevs) {
      if (device === undefined || pe?.in(PeState.CFG_RESTRICTED)) continue;
      this.saved.set(device, yield* this.state.save(device));
    }
  }

  *restore(edevs: readonly EehDev[]): Process<void> {
    for (const edev of edevs) {
      const { device, pe } = edev;
      if (pe?.in(PeState.CFG_RESTRICTED)) yield* this.restoreRestricted(edev, pe);
      else if (device !== undefined) yield* this.restoreDevice(device);
    }
  }

  /** Once for the PE: with its last device. */
  private *restoreRestricted(edev: EehDev, pe: EehPe): Process<void> {
    if (pe.edevs.at(-1) === edev) yield* this.eehConfig.restoreSubtree(pe);
  }

  private *restoreDevice(device: PciDevice): Process<void> {
    const saved = this.saved.get(device);
    if (saved === undefined) return;
    this.saved.delete(device);
    yield* this.state.restore(device, saved);
  }
}

export type ResetLine = 'deassert' | 'hot' | 'warm';

export interface ResetLineParts {
  readonly platform: EehPlatform;
  readonly platformReset: EehPlatformReset;
  readonly thaw: EehThaw;
  readonly config: PciConfig;
  readonly saved: OwnersSavedState;
}

/** A driver that holds its device in reset while the rest of the PE waits. */
export class PcieResetState {
  constructor(
    private readonly ctx: KernelContext,
    private readonly parts: ResetLineParts,
  ) {}

  *set(device: PciDevice, line: ResetLine): Process<number> {
    const pe = edevOf(device)?.pe;
    if (pe === undefined) {
      this.ctx.log.err(`pcibios_set_pcie_reset_state: No PE found on PCI device ${device.name}`);
      return EINVAL;
    }
    if (line === 'deassert') yield* this.release(pe, device);
    else yield* this.assert(pe, device, line);
    return 0;
  }

  private *assert(pe: EehPe, device: PciDevice, line: 'hot' | 'warm'): Process<void> {
    const { platform, platformReset, saved, config } = this.parts;
    pe.markIsolated();
    pe.clearState(PeState.CFG_BLOCKED);
    yield* platform.setOption(pe, EehOption.FREEZE);
    for (const edev of othersOf(pe, device)) {
      yield* saved.save([edev]);
      yield* config.write(configTarget(edev.device!), HEADER.COMMAND.at, 2, COMMAND_INTX_DISABLE);
    }
    if (!pe.is(PeType.VF)) pe.markState(PeState.CFG_BLOCKED);
    yield* platformReset.reset(pe, line === 'hot' ? 'hot' : 'fundamental', 'owner');
  }

  private *release(pe: EehPe, device: PciDevice): Process<void> {
    const { platform, platformReset, saved, thaw } = this.parts;
    yield* platformReset.reset(pe, 'deactivate', 'owner');
    yield* thaw.unfreeze(pe);
    if (!pe.is(PeType.VF)) pe.clearState(PeState.CFG_BLOCKED);
    for (const edev of pe.devicesBelow()) {
      if (edev.device !== undefined) yield* platform.restoreConfig(edev);
    }
    yield* saved.restore(othersOf(pe, device));
    pe.clearState(PeState.ISOLATED);
  }
}

/** The caller looks after its own device. */
function othersOf(pe: EehPe, device: PciDevice): EehDev[] {
  return pe.devicesBelow().filter((edev) => edev.device !== undefined && edev.device !== device);
}
