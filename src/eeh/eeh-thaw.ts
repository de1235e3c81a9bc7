/** Waiting for a PE's state, thawing it, and clearing the freeze of a subtree. Facts: eeh-linux 8.1 to 8.3. */
import type { Process } from '../sim/process.js';
import type { KernelContext } from './context.js';
import { EehLimits, EehOption, type PassedPes, PeState, QueryState } from './eeh-flags.js';
import type { EehPe } from './eeh-pe.js';
import { EIO } from './errno.js';
import type { EehPlatform } from './powernv/eeh-platform.js';

export type ThawOption = typeof EehOption.THAW_MMIO | typeof EehOption.THAW_DMA;

const WANTED: Readonly<Record<ThawOption, number>> = {
  [EehOption.THAW_MMIO]: QueryState.MMIO_ACTIVE | QueryState.MMIO_ENABLED,
  [EehOption.THAW_DMA]: QueryState.DMA_ACTIVE,
};

export class EehThaw {
  constructor(
    private readonly ctx: KernelContext,
    private readonly platform: EehPlatform,
  ) {}

  /** Asks until the PE is no longer unavailable. Source: linux eeh_pe.c: eeh_wait_state. */
  *waitState(pe: EehPe, maxWaitMs: number): Process<number> {
    for (let left = maxWaitMs; ; ) {
      const { state, waitMs } = yield* this.platform.getState(pe);
      if (state !== QueryState.UNAVAILABLE) return state;
      if (left <= 0) {
        this.ctx.log.warn(`eeh_wait_state: Timeout when getting PE's state (${left})`);
        return QueryState.NOT_SUPPORT;
      }
      const step = this.waitStep(waitMs);
      yield* this.ctx.clock.msleep(Math.min(step, left));
      left -= step;
    }
  }

  /** Source: linux eeh.c: eeh_pci_enable. */
  *enable(pe: EehPe, option: ThawOption): Process<number> {
    const wanted = WANTED[option];
    const { state } = yield* this.platform.getState(pe);
    if (state < 0) return state;
    if (state === QueryState.NOT_SUPPORT || (state & wanted) !== 0) return 0;
    const rc = yield* this.platform.setOption(pe, option);
    if (rc !== 0) {
      this.ctx.log.warn(`eeh_pci_enable: Unexpected state change ${option} on ${pe.label}, err=${rc}`);
    }
    const after = yield* this.waitState(pe, EehLimits.stateWaitMs);
    if (after < 0) return after;
    return (after & wanted) !== 0 ? 0 : EIO;
  }

  /** MMIO first: a driver must be able to stop its device before the device may write memory again. */
  *unfreeze(pe: EehPe): Process<number> {
    const mmio = yield* this.enable(pe, EehOption.THAW_MMIO);
    if (mmio !== 0) {
      this.ctx.log.warn(`eeh_unfreeze_pe: Failure ${mmio} enabling IO on ${pe.label}`);
      return mmio;
    }
    const dma = yield* this.enable(pe, EehOption.THAW_DMA);
    if (dma !== 0) this.ctx.log.warn(`eeh_unfreeze_pe: Failure ${dma} enabling DMA on ${pe.label}`);
    return dma;
  }

  /** Every PE of the subtree, three tries each. Source: linux eeh_driver.c: eeh_clear_pe_frozen_state. */
  *clearFrozenState(root: EehPe, passed: PassedPes): Process<number> {
    for (const pe of root.subtree()) {
      if (passed === 'skip-passed' && pe.isPassed) continue;
      if ((yield* this.tryUnfreeze(pe)) !== 0) return EIO;
    }
    root.clearState(PeState.ISOLATED, passed);
    return 0;
  }

  private *tryUnfreeze(pe: EehPe): Process<number> {
    for (let attempt = 0; attempt < EehLimits.unfreezeAttempts; attempt++) {
      if ((yield* this.unfreeze(pe)) === 0) return 0;
    }
    return EIO;
  }

  private waitStep(waitMs: number): number {
    if (waitMs < EehLimits.stateStepMinMs) {
      this.ctx.log.warn(`eeh_wait_state: Firmware returned bad wait value ${waitMs}`);
      return EehLimits.stateStepMinMs;
    }
    if (waitMs > EehLimits.stateStepMaxMs) {
      this.ctx.log.warn(`eeh_wait_state: Firmware returned too long wait value ${waitMs}`);
      return EehLimits.stateStepMaxMs;
    }
    return waitMs;
  }
}
