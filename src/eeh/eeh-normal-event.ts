/**
 * Recovery of one PE from the first message to the last. Steps are numbered as in the facts, eeh-linux 10.
 * Source: linux eeh_driver.c: eeh_handle_normal_event.
 */
import type { Process } from '../sim/process.js';
import { announceFailure, setChannels } from './channel-state.js';
import type { KernelContext } from './context.js';
import type { ErsVote } from './drivers/votes.js';
import type { EehDump } from './eeh-dump.js';
import { DevMode, EehLimits, EehOption, PeState, PeType, QueryState } from './eeh-flags.js';
import { hotplugSection, recoverySection } from './eeh-locking.js';
import { type EehPe, isActionable } from './eeh-pe.js';
import type { EehReport } from './eeh-report.js';
import type { EehResetDevice } from './eeh-reset-device.js';
import type { EehSettings } from './eeh-settings.js';
import type { EehThaw } from './eeh-thaw.js';
import type { EehTree } from './eeh-tree.js';
import type { HotplugSlots } from './hotplug-slot.js';
import { locationOf } from './location.js';
import type { PciBus } from './pci/device.js';
import type { PciHotplug } from './pci/hotplug.js';

export interface RecoveryParts {
  readonly settings: EehSettings;
  readonly tree: EehTree;
  readonly thaw: EehThaw;
  readonly dump: EehDump;
  readonly report: EehReport;
  readonly resetDevice: EehResetDevice;
  readonly hotplug: PciHotplug;
  readonly slots: HotplugSlots;
}

export class EehNormalEvent {
  constructor(
    private readonly ctx: KernelContext,
    private readonly parts: RecoveryParts,
  ) {}

  *handle(pe: EehPe): Process<void> {
    yield* recoverySection(this.ctx, this.handleLocked(pe));
  }

  /** The same for a caller that already is in such a section. */
  *handleLocked(pe: EehPe): Process<void> {
    const bus = this.parts.tree.busOf(pe);
    if (bus === undefined) {
      this.ctx.log.err(`eeh_handle_normal_event: Cannot find PCI bus for ${pe.label}`);
      if (this.ctx.quirks.recoveringFlag === 'cleared') pe.clearState(PeState.RECOVERING);
      return;
    }
    if ((yield* this.countPresent(pe)) === 0) {
      this.ctx.log.debug(`EEH: Frozen ${pe.label} is empty!`);
    } else {
      this.announce(pe);
      const outcome = this.countFreeze(pe) === 'too-many' ? 'failed' : yield* this.recover(pe, bus);
      if (outcome === 'failed') {
        yield* this.fail(pe);
        // A virtual function leaves its bus to the others: nothing was unplugged with it.
        if (!pe.is(PeType.VF)) return;
      }
    }
    yield* this.finish(pe);
  }

  /** Step 2. The attention LED shows which slot is being looked at, empty or not. */
  private *countPresent(pe: EehPe): Process<number> {
    let present = 0;
    for (const { device } of pe.devicesBelow()) {
      if (device === undefined || device.channel === 'perm-failure') continue;
      const { slot } = device.bus;
      if (slot !== undefined) yield* this.parts.slots.setAttention(slot, 'on');
      if (slot === undefined || (yield* this.parts.slots.adapterState(slot)) !== 'empty') present++;
    }
    return present;
  }

  /** Steps 3 and 4. */
  private announce(pe: EehPe): void {
    const { log } = this.ctx;
    const bus = this.parts.tree.busOf(pe);
    if (pe.is(PeType.PHB)) {
      log.err(`EEH: Recovering PHB#${pe.controller.domain.toString(16)}, location: ${locationOf(bus)}`);
    } else {
      log.err(`EEH: Recovering ${pe.label}`);
      log.err(`EEH: PE location: ${locationOf(bus)}, PHB location: ${locationOf(pe.controller.rootBus)}`);
    }
    if (pe.stackTrace.length > 0) {
      log.err(`EEH: Frozen ${pe.label} detected`);
      log.err('EEH: Call Trace:');
      for (const frame of pe.stackTrace) log.err(`EEH: [(____ptrval____)] ${frame}`);
      pe.stackTrace = [];
    }
    for (const edev of pe.devicesBelow()) edev.mode &= ~DevMode.NO_HANDLER;
  }

  /** Step 5. */
  private countFreeze(pe: EehPe): 'go-on' | 'too-many' {
    const now = this.ctx.clock.seconds;
    if (pe.freezeCount <= 0 || now - pe.timestampSeconds > EehLimits.freezeWindowSeconds) {
      pe.freezeCount = 0;
      pe.timestampSeconds = now;
    }
    pe.freezeCount++;
    const { maxFreezes } = this.parts.settings;
    if (pe.freezeCount > maxFreezes) {
      this.ctx.log.err(
        `EEH: ${pe.label} has failed ${pe.freezeCount} times in the last hour and has been permanently disabled.`,
      );
      return 'too-many';
    }
    this.ctx.log.warn(
      `EEH: This PCI device has failed ${pe.freezeCount} times in the last hour ` +
        `and will be permanently disabled after ${maxFreezes} failures.`,
    );
    return 'go-on';
  }

  /** Steps 6 to 15. */
  private *recover(pe: EehPe, bus: PciBus): Process<'recovered' | 'failed'> {
    const { log } = this.ctx;
    log.info('EEH: Notify device drivers to shutdown');
    setChannels(pe, 'frozen');
    setInterrupts(pe, 'off');
    let result = yield* this.parts.report.vote('error', pe, 'none');
    if (result === 'disconnect') return 'failed';
    if (pe.is(PeType.PHB) && result !== 'none') result = 'need reset';

    const state = yield* this.parts.thaw.waitState(pe, EehLimits.stateWaitMs);
    if (state < 0 || state === QueryState.NOT_SUPPORT) {
      log.warn('EEH: Permanent failure');
      return 'failed';
    }
    log.info('EEH: Collect temporary log');
    yield* this.parts.dump.collect(pe, 'temporary');

    const after = yield* this.act(pe, bus, result);
    if (after !== 'recovered' && after !== 'none') return 'failed';
    yield* this.resume(pe);
    return 'recovered';
  }

  /** Steps 11 to 14: what the votes ask for. Undefined: it did not work. */
  private *act(pe: EehPe, bus: PciBus, votes: ErsVote): Process<ErsVote | undefined> {
    let result: ErsVote | undefined = votes;
    if (result === 'recovered' && this.ctx.quirks.recoveredVote === 'thaws-first') result = yield* this.thawAll(pe);
    if (result === 'none' && (yield* this.resetWithHotplug(pe, bus)) !== 0) return undefined;
    if (result === 'can recover') result = yield* this.enableIo(pe);
    if (result === 'can recover') result = yield* this.enableDma(pe);
    if (result === 'need reset') result = yield* this.resetWithoutHotplug(pe, bus);
    return result;
  }

  /** What the vote "recovered" would need: the driver may go on only if its PE was thawed. */
  private *thawAll(pe: EehPe): Process<ErsVote | undefined> {
    if ((yield* this.parts.thaw.enable(pe, EehOption.THAW_MMIO)) !== 0) return undefined;
    return yield* this.enableDma(pe);
  }

  private *resetWithHotplug(pe: EehPe, bus: PciBus): Process<number> {
    this.ctx.log.info('EEH: Reset with hotplug activity');
    const rc = yield* this.parts.resetDevice.reset(pe, bus, 'complete');
    if (rc !== 0) this.ctx.log.warn(`eeh_handle_normal_event: Unable to reset, err=${rc}`);
    return rc;
  }

  private *enableIo(pe: EehPe): Process<ErsVote | undefined> {
    this.ctx.log.info('EEH: Enable I/O for affected devices');
    if ((yield* this.parts.thaw.enable(pe, EehOption.THAW_MMIO)) !== 0) return undefined;
    this.ctx.log.info('EEH: Notify device drivers to resume I/O');
    return yield* this.parts.report.vote('mmio', pe, 'can recover');
  }

  private *enableDma(pe: EehPe): Process<ErsVote | undefined> {
    this.ctx.log.info('EEH: Enabled DMA for affected devices');
    if ((yield* this.parts.thaw.enable(pe, EehOption.THAW_DMA)) !== 0) return undefined;
    pe.clearState(PeState.ISOLATED);
    return 'recovered';
  }

  private *resetWithoutHotplug(pe: EehPe, bus: PciBus): Process<ErsVote | undefined> {
    this.ctx.log.info('EEH: Reset without hotplug activity');
    const rc = yield* this.parts.resetDevice.reset(pe, bus, 'partial');
    if (rc !== 0) {
      this.ctx.log.warn(`eeh_handle_normal_event: Cannot reset, err=${rc}`);
      return undefined;
    }
    setChannels(pe, 'normal');
    setInterrupts(pe, 'on');
    return yield* this.parts.report.vote('reset', pe, 'none');
  }

  /** Step 15. */
  private *resume(pe: EehPe): Process<void> {
    this.ctx.log.info('EEH: Notify device driver to resume');
    setChannels(pe, 'normal');
    setInterrupts(pe, 'on');
    yield* this.parts.report.tell('resume', pe);
    for (const edev of pe.devicesBelow()) {
      edev.mode &= ~DevMode.NO_HANDLER;
      edev.inError = 'no';
    }
    this.ctx.log.info('EEH: Recovery successful.');
  }

  private *finish(pe: EehPe): Process<void> {
    this.parts.tree.reapStale(pe, this.ctx.quirks.stalePes);
    for (const { device } of pe.devicesBelow()) {
      if (device?.bus.slot === undefined || device.channel === 'perm-failure') continue;
      yield* this.parts.slots.setAttention(device.bus.slot, 'off');
    }
    pe.clearState(PeState.RECOVERING);
  }

  /** RECOVERING stays set, the state word does not change from here on (facts, D8). */
  private *fail(pe: EehPe): Process<void> {
    const { log, quirks } = this.ctx;
    log.err(`EEH: Unable to recover from failure from ${pe.label}.\nPlease try reseating or replacing it`);
    yield* this.parts.dump.collect(pe, 'permanent');
    yield* announceFailure(pe, this.parts.report, quirks.permanentFailureNotice);
    if (quirks.recoveringFlag === 'cleared') pe.clearState(PeState.RECOVERING);
    pe.markState(PeState.REMOVED);
    if (pe.is(PeType.VF)) {
      yield* this.parts.resetDevice.removeEach(pe, 'given-up');
      pe.markDevices(DevMode.REMOVED);
      return;
    }
    pe.clearState(PeState.PRI_BUS);
    pe.markDevices(DevMode.REMOVED);
    const bus = this.parts.tree.busOf(pe);
    if (bus !== undefined) yield* hotplugSection(this.ctx, this.parts.hotplug.removeDevices(bus));
    else log.err(`eeh_handle_normal_event: PCI bus for ${pe.label} disappeared`);
  }
}

/** Legacy interrupts of devices with a driver: off while the device may not be touched. */
function setInterrupts(pe: EehPe, wanted: 'on' | 'off'): void {
  for (const edev of pe.devicesBelow()) {
    if (!isActionable(edev) || edev.device?.driver === undefined) continue;
    if (wanted === 'off' && edev.device.interrupt === 'legacy') edev.mode |= DevMode.IRQ_DISABLED;
    if (wanted === 'on') edev.mode &= ~DevMode.IRQ_DISABLED;
  }
}
