/**
 * What firmware reported by its event: every report handled until there is none.
 * Source: linux eeh_driver.c: eeh_handle_special_event; facts: eeh-linux 12.
 */
import type { Process } from '../sim/process.js';
import type { KernelContext } from './context.js';
import type { EehEvents } from './eeh-events.js';
import { DevMode, PeState } from './eeh-flags.js';
import { type EehNormalEvent, setChannels } from './eeh-normal-event.js';
import type { EehPe } from './eeh-pe.js';
import type { EehReport } from './eeh-report.js';
import type { EehTree } from './eeh-tree.js';
import type { PciHotplug } from './pci/hotplug.js';
import type { ErrorReport, NextError } from './powernv/next-error.js';

export interface SpecialParts {
  readonly tree: EehTree;
  readonly events: EehEvents;
  readonly nextError: NextError;
  readonly normal: EehNormalEvent;
  readonly report: EehReport;
  readonly hotplug: PciHotplug;
  /** Lets the firmware's event interrupt in again. */
  readonly unmaskInterrupt: () => void;
}

export class EehSpecialEvent {
  constructor(
    private readonly ctx: KernelContext,
    private readonly parts: SpecialParts,
  ) {}

  *handle(): Process<void> {
    yield* this.ctx.rescanLock.hold(this.handleLocked());
  }

  private *handleLocked(): Process<void> {
    for (;;) {
      const report = yield* this.parts.nextError.next();
      if (report.kind === 'none') {
        this.parts.unmaskInterrupt();
        return;
      }
      yield* this.handleReport(report);
      // After a dead hub nothing is left to ask. The kernel ends without unmasking.
      if (report.kind === 'dead-ioc') return;
    }
  }

  private *handleReport(report: Exclude<ErrorReport, { kind: 'none' }>): Process<void> {
    if (report.kind === 'dead-ioc') {
      this.parts.events.remove('everything', 'all');
      for (const phbPe of this.parts.tree.allPhbPes) phbPe.markIsolated();
      yield* this.bury(this.parts.tree.allPhbPes);
      return;
    }
    const { pe } = report;
    this.parts.events.remove(pe, 'all');
    pe.markIsolated();
    if (report.kind === 'dead-phb') {
      yield* this.bury([pe]);
      return;
    }
    pe.markState(PeState.RECOVERING);
    yield* this.parts.normal.handleLocked(pe);
  }

  /**
   * Dead for good: no reset, no dump, nobody removed from the books, so a later rescan may find the devices again.
   * The kernel takes an unset PE after a dead hub (facts, D9); here every PHB is told.
   */
  private *bury(dead: readonly EehPe[]): Process<void> {
    for (const pe of dead) {
      for (const edev of pe.devicesBelow()) edev.mode &= ~DevMode.NO_HANDLER;
      pe.clearState(PeState.PRI_BUS);
      const told = this.ctx.quirks.permanentFailureNotice === 'drivers-told';
      if (told) yield* this.parts.report.tell('failure', pe);
      setChannels(pe, 'perm-failure');
      if (!told) yield* this.parts.report.tell('failure', pe);
    }
    for (const phbPe of this.parts.tree.allPhbPes) {
      if (!phbPe.in(PeState.ISOLATED) || phbPe.in(PeState.RECOVERING)) continue;
      const bus = this.parts.tree.busOf(phbPe);
      if (bus === undefined) {
        this.ctx.log.err(`eeh_handle_special_event: PCI bus for ${phbPe.label} disappeared`);
        return;
      }
      yield* this.parts.hotplug.removeDevices(bus);
    }
  }
}
