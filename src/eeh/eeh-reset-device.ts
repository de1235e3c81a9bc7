/**
 * The reset of a device with or without unplugging it: unplug what cannot stand a reset, reset, restore, replug.
 * Source: linux eeh_driver.c: eeh_reset_device, eeh_rmv_device; facts: eeh-linux 10.2.
 */
import type { Process } from '../sim/process.js';
import type { KernelContext } from './context.js';
import { isFullyAware } from './drivers/driver.js';
import type { EehConfig } from './eeh-config.js';
import { DevMode, EehLimits, PeState, PeType } from './eeh-flags.js';
import { EEHD, hotplugSection } from './eeh-locking.js';
import { type EehPe, isActionable } from './eeh-pe.js';
import type { EehReset } from './eeh-reset.js';
import type { EehThaw } from './eeh-thaw.js';
import type { EehTree } from './eeh-tree.js';
import type { PciBus, PciDevice } from './pci/device.js';
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
    const { reset } = this.parts;
    pe.markState(PeState.KEEP);
    const removed = yield* this.unplug(pe, bus, extent);
    // An error leaves KEEP set and what was unplugged stays so (facts, D20).
    const rc = yield* reset.resetFull(pe, 'skip-passed');
    if (rc !== 0) return this.failed(pe, rc);
    const cleared = yield* hotplugSection(this.ctx, this.comeBack(pe, bus, { extent, removed }));
    if (cleared !== 0) return this.failed(pe, cleared);
    pe.clearState(PeState.KEEP);
    pe.timestampSeconds = timestampSeconds;
    pe.freezeCount = freezeCount;
    return 0;
  }

  /** After the reset: registers, freezes, and what was unplugged. */
  private *comeBack(pe: EehPe, bus: PciBus, done: { extent: HotplugExtent; removed: number }): Process<number> {
    yield* this.parts.config.restoreSubtree(pe);
    const rc = yield* this.parts.thaw.clearFrozenState(pe, 'skip-passed');
    if (rc !== 0) return rc;
    if (done.extent === 'complete' || done.removed > 0) yield* this.replug(pe, bus, done.extent);
    return 0;
  }

  private failed(pe: EehPe, rc: number): number {
    if (this.ctx.quirks.failedReset === 'clears-keep') pe.clearState(PeState.KEEP);
    return rc;
  }

  /** Number of devices taken out for the sake of their drivers. */
  private *unplug(pe: EehPe, bus: PciBus, extent: HotplugExtent): Process<number> {
    const anyPassed = pe.subtree().some((each) => each.isPassed);
    if (extent === 'complete' && !anyPassed && !pe.is(PeType.VF)) {
      yield* hotplugSection(this.ctx, this.parts.hotplug.removeDevices(bus));
      return 0;
    }
    return yield* this.removeEach(pe, extent);
  }

  /**
   * One by one: bridges stay, and for a partial reset the devices whose drivers live through it. `given-up`: devices of a
   * virtual function that are not to be recovered any more go as well.
   */
  *removeEach(pe: EehPe, extent: HotplugExtent | 'given-up'): Process<number> {
    let removed = 0;
    for (const edev of pe.devicesBelow()) {
      const { device } = edev;
      if (device === undefined || device.isBridge || !(extent === 'given-up' || isActionable(edev))) continue;
      if (extent === 'partial' && isFullyAware(device.driver)) continue;
      this.ctx.log.info(`EEH: Removing ${device.name} without EEH sensitive driver`);
      edev.mode |= DevMode.DISCONNECTED;
      if (extent === 'partial') removed++;
      yield* this.removeOne(device);
    }
    return removed;
  }

  private *removeOne(device: PciDevice): Process<void> {
    const removal = this.parts.hotplug.removeDevice(device);
    if (this.ctx.quirks.partialRemoval === 'locks-again') yield* this.ctx.rescanLock.hold(removal, EEHD);
    else yield* hotplugSection(this.ctx, removal);
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
