/**
 * Detection: whether a value of all ones means a frozen PE, and who will recover it.
 * Source: linux eeh.c: eeh_dev_check_failure, eeh_phb_check_failure, eeh_check_failure; facts: eeh-linux 5.
 */

import { Mutex } from '../sim/mutex.js';
import type { Process } from '../sim/process.js';
import type { AddressCache } from './address-cache.js';
import type { KernelContext } from './context.js';
import type { EehEvents } from './eeh-events.js';
import { EehLimits, isActive, PeState, QueryState } from './eeh-flags.js';
import type { EehDev, EehPe } from './eeh-pe.js';
import type { EehSettings } from './eeh-settings.js';
import type { EehTree } from './eeh-tree.js';
import type { KernelQuirks } from './kernel-versions.js';
import { locationOf } from './location.js';
import type { EehPlatform } from './powernv/eeh-platform.js';

export interface CheckParts {
  readonly settings: EehSettings;
  readonly tree: EehTree;
  readonly events: EehEvents;
  readonly cache: AddressCache;
  readonly platform: EehPlatform;
}

/** Frames between the sender of the event and whoever read the ones; offsets as seen in the field. */
const DEVICE_CHECK_FRAME = 'eeh_dev_check_failure+0x2f0/0x650';
const ADDRESS_CHECK_FRAME = 'eeh_check_failure+0x98/0x100';

export class EehCheck {
  /** Around check and mark: of two that read ones at once, one reports and the other only counts. */
  private readonly confirmLock: Mutex;

  constructor(
    private readonly ctx: KernelContext,
    private readonly parts: CheckParts,
  ) {
    this.confirmLock = new Mutex(ctx.sim, 'EEH confirm');
  }

  /** After a load that gave all ones. `callers` are the frames below the accessor, newest first. */
  *checkAddress(address: number, callers: readonly string[] = []): Process<void> {
    const edev = this.parts.cache.find(address);
    if (edev === undefined) {
      this.parts.settings.statistics.noDevice++;
      return;
    }
    yield* this.checkDevice(edev, [ADDRESS_CHECK_FRAME, ...callers]);
  }

  /** Above 0: the device is isolated, its value means nothing. The steps are those of the facts, 5.2. */
  *checkDevice(edev: EehDev | undefined, callers: readonly string[] = []): Process<number> {
    const { settings } = this.parts;
    settings.statistics.totalMmioFfs++;
    if (!settings.enabled) return 0;
    if (edev === undefined) {
      settings.statistics.noNode++;
      return 0;
    }
    // Kept from here on: while firmware is asked, the device may be unplugged and lose its PE.
    const { pe } = edev;
    if (pe === undefined) {
      settings.statistics.ignoredChecks++;
      this.ctx.log.debug(`EEH: Ignored check for ${edev.logPrefix}`);
      return 0;
    }
    if ((yield* this.checkPhb(edev, callers)) > 0) return 1;
    if (pe.isPassed) return 0;
    return yield* this.confirmLock.hold(this.confirm(edev, pe, callers));
  }

  /** Above 0: the whole PHB is cut off and will be recovered. */
  private *checkPhb(edev: EehDev, callers: readonly string[]): Process<number> {
    const phbPe = this.parts.tree.phbPe(edev.controller);
    if (phbPe === undefined) {
      this.ctx.log.warn(`eeh_phb_check_failure Can't find PE for PHB#${edev.controller.domain.toString(16)}`);
      return 0;
    }
    return yield* this.confirmLock.hold(this.confirmPhb(phbPe, callers));
  }

  private *confirmPhb(phbPe: EehPe, callers: readonly string[]): Process<number> {
    if (phbPe.in(PeState.ISOLATED)) return 0;
    const { state } = yield* this.parts.platform.getState(phbPe);
    if (isHealthyOrUnusable(state)) return 0;
    phbPe.markIsolated();
    this.parts.events.send(phbPe, [DEVICE_CHECK_FRAME, ...callers]);
    return 1;
  }

  private *confirm(edev: EehDev, pe: EehPe, callers: readonly string[]): Process<number> {
    if (pe.in(PeState.ISOLATED)) {
      this.countIgnoredRead(edev, pe);
      return 1;
    }
    const { state } = yield* this.parts.platform.getState(pe);
    if (isHealthyOrUnusable(state)) {
      this.parts.settings.statistics.falsePositives++;
      pe.falsePositives++;
      return 0;
    }
    const chosen = yield* this.highestFrozen(pe);
    this.parts.settings.statistics.slotResets++;
    chosen.markIsolated();
    this.parts.events.send(chosen, [DEVICE_CHECK_FRAME, ...callers]);
    return 1;
  }

  /** A parent frozen halfway takes over; one frozen whole queries as 0 and is passed by, isolated for ever (facts, D4). */
  private *highestFrozen(pe: EehPe): Process<EehPe> {
    let chosen = pe;
    for (const parent of pe.ancestors()) {
      const { state } = yield* this.parts.platform.getState(parent);
      if (!takesOver(state, this.ctx.quirks)) continue;
      const named = this.ctx.quirks.takeoverLine === 'parent-twice' ? parent : chosen;
      chosen = parent;
      this.ctx.log.err(`EEH: Failure of ${named.label} will be handled at parent ${parent.label}.`);
    }
    return chosen;
  }

  private countIgnoredRead(edev: EehDev, pe: EehPe): void {
    pe.checkCount++;
    if (pe.checkCount !== EehLimits.ignoredReadsReport) return;
    const driver = edev.device?.driver?.name ?? '(null)';
    const place = `location=${locationOf(edev.device?.bus)} driver=${driver}`;
    this.ctx.log.err(`${edev.logPrefix}${pe.checkCount} reads ignored for recovering device at ${place}`);
    this.ctx.log.err(`${edev.logPrefix}Might be infinite loop in ${driver} driver`);
  }
}

/** A parent frozen by half; frozen whole it queries as 0, and is taken for healthy (facts, D4). */
export function takesOver(state: number, quirks: KernelQuirks): boolean {
  const least = quirks.frozenParent === 'takes-over' ? 0 : 1;
  return state >= least && !isActive(state);
}

/** Healthy, or nothing recovery could do about. */
function isHealthyOrUnusable(state: number): boolean {
  return state < 0 || state === QueryState.NOT_SUPPORT || isActive(state);
}
