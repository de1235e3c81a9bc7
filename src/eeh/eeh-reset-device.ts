/**
 * The reset of a device with or without unplugging it: unplug what cannot stand a reset, reset, restore, replug.
 * Source: linux eeh_driver.c: eeh_reset_device, eeh_rmv_device; facts: eeh-linux 10.2.
 */
import type { Process } from '../sim/process.js';
import type { KernelContext } from './context.js';
import { isFullyAware } from './drivers/driver.js';
import type { EehConfig } from './eeh-config.js';
import { DevMode, EehLimits, PeState } from './eeh-flags.js';
import { type EehPe, isActionable } from './eeh-pe.js';
import type { EehReset } from './eeh-reset.js';
import type { EehThaw } from './eeh-thaw.js';
import type { EehTree } from './eeh-tree.js';
import type { PciBus } from './pci/device.js';
import type { PciHotplug } from './pci/hotplug.js';

/** `partial`: some driver knows how to live through a reset. */
export type HotplugExtent = 'partial' | 'complete';

export interface ResetDeviceParts {
  readonly tree: EehTree;
  readonly reset: EehReset;
  readonly thaw: EehThaw;
  readonly config: EehConfig;
  readonly hotplug: PciHotplug;
}

export class EehResetDevice {
  constructor(
    private readonly ctx: KernelContext,
    private readonly parts: ResetDeviceParts,
  ) {}

  *reset(pe: EehPe, bus: PciBus, extent: HotplugExtent): Process<number> {
    const { freezeCount, timestampSeconds } = pe;
    const { reset, config, thaw } = this.parts;
    pe.markState(PeState.KEEP);
    const removed = yield* this.unplug(pe, bus, extent);
    // An error leaves KEEP set and what was unplugged stays so (facts, D20).
    const rc = yield* reset.resetFull(pe, 'skip-passed');
    if (rc !== 0) return rc;
    yield* config.restoreSubtree(pe);
    const cleared = yield* thaw.clearFrozenState(pe, 'skip-passed');
    if (cleared !== 0) return cleared;
    if (extent === 'complete' || removed > 0) yield* this.replug(pe, bus, extent);
    pe.clearState(PeState.KEEP);
    pe.timestampSeconds = timestampSeconds;
    pe.freezeCount = freezeCount;
    return 0;
  }

  /** Number of devices taken out for the sake of their drivers. */
  private *unplug(pe: EehPe, bus: PciBus, extent: HotplugExtent): Process<number> {
    const anyPassed = pe.subtree().some((each) => each.isPassed);
    if (extent === 'complete' && !anyPassed) {
      yield* this.parts.hotplug.removeDevices(bus);
      return 0;
    }
    let removed = 0;
    for (const edev of pe.devicesBelow()) {
      const { device } = edev;
      if (device === undefined || !isActionable(edev) || device.isBridge) continue;
      if (extent === 'partial') {
        if (isFullyAware(device.driver)) continue;
        this.ctx.log.info(`EEH: Removing ${device.name} without EEH sensitive driver`);
        edev.mode |= DevMode.DISCONNECTED;
        removed++;
      }
      yield* this.parts.hotplug.removeDevice(device);
    }
    return removed;
  }

  /** User space gets time to notice that the devices went before they come back. */
  private *replug(pe: EehPe, bus: PciBus, extent: HotplugExtent): Process<void> {
    this.ctx.log.info(`EEH: Sleep 5s ahead of ${extent} hotplug`);
    yield* this.ctx.clock.msleep(EehLimits.hotplugPauseMs);
    this.parts.tree.detachUnplugged(pe);
    if (extent === 'complete') pe.clearState(PeState.PRI_BUS);
    yield* this.parts.hotplug.addDevices(bus);
  }
}
