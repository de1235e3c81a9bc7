/** The per-PE reset with its two edges, and the full reset with its attempts. Facts: eeh-linux 7.5, 7.6. */
import type { Process } from '../sim/process.js';
import type { KernelContext } from './context.js';
import type { EehConfig } from './eeh-config.js';
import { EehLimits, EehOption, isActive, type PassedPes, PeState, QueryState, type ResetOption } from './eeh-flags.js';
import type { EehPe } from './eeh-pe.js';
import type { EehThaw } from './eeh-thaw.js';
import { EIO, ENOTRECOVERABLE } from './errno.js';
import type { DeviceEnable } from './pci/enable.js';
import type { EehPlatform } from './powernv/eeh-platform.js';
import type { EehPlatformReset, Resetter } from './powernv/eeh-reset.js';

/** What the EEH core needs for a reset. */
export interface ResetParts {
  readonly platform: EehPlatform;
  readonly platformReset: EehPlatformReset;
  readonly thaw: EehThaw;
  readonly config: EehConfig;
  readonly enable: DeviceEnable;
}

export class EehReset {
  constructor(
    private readonly ctx: KernelContext,
    private readonly parts: ResetParts,
  ) {}

  /** Source: linux eeh.c: eeh_pe_reset. */
  *resetPe(pe: EehPe, option: ResetOption, passed: PassedPes): Process<number> {
    if (option === 'deactivate') {
      const rc = yield* this.parts.platformReset.reset(pe, option, resetter(passed));
      pe.clearState(PeState.CFG_BLOCKED, passed);
      return rc !== 0 ? rc : yield* this.reenableDevices(pe, passed);
    }
    // Frozen, the PE drops the accesses of drivers that do not know of the reset.
    yield* this.parts.platform.setOption(pe, EehOption.FREEZE);
    pe.markState(PeState.CFG_BLOCKED);
    return yield* this.parts.platformReset.reset(pe, option, resetter(passed));
  }

  /** Source: linux eeh.c: eeh_pe_reset_full. */
  *resetFull(pe: EehPe, passed: PassedPes): Process<number> {
    const option = wantsFundamental(pe) ? 'fundamental' : 'hot';
    const resetState = PeState.RESET | PeState.CFG_BLOCKED;
    pe.markState(resetState);
    const rc = yield* this.attempts(pe, option, passed);
    if (passed === 'skip-passed') yield* this.refreezePassed(pe);
    pe.clearState(resetState);
    return rc;
  }

  private *attempts(pe: EehPe, option: ResetOption, passed: PassedPes): Process<number> {
    const { log } = this.ctx;
    let rc = 0;
    let state = 0;
    for (let attempt = 1; attempt <= EehLimits.resetAttempts; attempt++) {
      rc = yield* this.resetPe(pe, option, passed);
      if (rc === 0) rc = yield* this.resetPe(pe, 'deactivate', passed);
      if (rc !== 0) {
        rc = EIO;
        log.warn(`EEH: Failure ${state} resetting ${pe.label} (attempt ${attempt})\n`);
        continue;
      }
      if (attempt > 1) log.warn(`EEH: ${pe.label}: Successful reset (attempt ${attempt})`);
      state = yield* this.parts.thaw.waitState(pe, EehLimits.stateWaitMs);
      if (state < 0) {
        log.open('warn', `EEH: Unrecoverable slot failure on ${pe.label}`);
        return ENOTRECOVERABLE;
      }
      if (isActive(state)) break;
      // The result stays 0: a PE that never came up is noticed by the unfreeze that follows (facts, D21).
      log.warn(`EEH: ${pe.label}: Slot inactive after reset: 0x${state.toString(16)} (attempt ${attempt})`);
      if (this.ctx.quirks.inactiveReset === 'reports-error') rc = EIO;
    }
    return rc;
  }

  /** Source: linux eeh.c: eeh_pe_reenable_devices. */
  private *reenableDevices(pe: EehPe, passed: PassedPes): Process<number> {
    yield* this.parts.config.restoreSubtree(pe);
    for (const edev of [...pe.edevs]) {
      if (edev.device === undefined) continue;
      const rc = yield* this.parts.enable.reenable(edev.device);
      if (rc === 0) continue;
      this.ctx.log.warn(`eeh_pe_reenable_devices: Failure ${rc} reenabling ${edev.device.name}`);
      return rc;
    }
    let rc = 0;
    if (passed === 'include-passed' || !pe.isPassed) rc = yield* this.parts.thaw.unfreeze(pe);
    else this.ctx.log.info(`EEH: Note: Leaving passthrough ${pe.label} frozen.`);
    if (rc === 0) pe.clearState(PeState.ISOLATED, passed);
    return rc;
  }

  private *refreezePassed(root: EehPe): Process<void> {
    for (const pe of root.subtree()) {
      if (!pe.isPassed) continue;
      const { state } = yield* this.parts.platform.getState(pe);
      if ((state & (QueryState.MMIO_ACTIVE | QueryState.MMIO_ENABLED)) === 0) continue;
      this.ctx.log.info(`EEH: Passed-through PE ${pe.label} was thawed by reset, re-freezing for safety.`);
      yield* this.parts.platform.setOption(pe, EehOption.FREEZE);
    }
  }
}

/** The kernel resets passed PEs only for their owner, who comes from user space. */
function resetter(passed: PassedPes): Resetter {
  return passed === 'include-passed' ? 'owner' : 'recovery';
}

function wantsFundamental(pe: EehPe): boolean {
  return pe.devicesBelow().some((edev) => edev.device?.resetWish === 'fundamental');
}
