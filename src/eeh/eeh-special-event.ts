/**
 * What firmware reported by its event: every report handled until there is none.
 * Source: linux eeh_driver.c: eeh_handle_special_event; facts: eeh-linux 12.
 */
import type { Process } from '../sim/process.js';
import { announceFailure } from './channel-state.js';
import type { KernelContext } from './context.js';
import type { EehEvents } from './eeh-events.js';
import { DevMode, PeState } from './eeh-flags.js';
import { hotplugSection, recoverySection } from './eeh-locking.js';
import type { EehNormalEvent } from './eeh-normal-event.js';
import type { EehPe } from './eeh-pe.js';
import type { EehReport } from './eeh-report.js';
import type { EehTree } from './eeh-tree.js';
import { KernelOopsError } from './oops.js';
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
    yield* recoverySection(this.ctx, this.handleLocked());
  }

  private *handleLocked(): Process<void> {
    let last: EehPe | undefined;
    for (;;) {
      const report = yield* this.parts.nextError.next();
      if (report.kind === 'none') {
        this.parts.unmaskInterrupt();
        return;
      }
      yield* this.handleReport(report, last);
      if (report.kind !== 'dead-ioc') last = report.pe;
      // After a dead hub nothing is left to ask. The kernel ends without unmasking.
      if (report.kind === 'dead-ioc') return;
    }
  }

  /** `last`: the PE of the report before, which a dead hub leaves standing where its own should be. */
  private *handleReport(report: Exclude<ErrorReport, { kind: 'none' }>, last: EehPe | undefined): Process<void> {
    if (report.kind === 'dead-ioc') {
      this.parts.events.remove('everything', 'all');
      for (const phbPe of this.parts.tree.allPhbPes) phbPe.markIsolated();
      yield* this.bury(this.pesOfDeadHub(last));
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

  /** The kernel takes whatever the variable holds: the PE of an earlier report, or nothing anybody put there (D9). */
  private pesOfDeadHub(last: EehPe | undefined): readonly EehPe[] {
    if (this.ctx.quirks.deadHubPe === 'every-phb') return this.parts.tree.allPhbPes;
    if (last !== undefined) return [last];
    this.ctx.log.err('BUG: Unable to handle kernel data access');
    throw new KernelOopsError('the report of a dead hub names no PE, and the kernel goes on with an unset one');
  }

  /**
   * Dead for good: no reset, no dump, nobody removed from the books, so a later rescan may find the devices again.
   */
  private *bury(dead: readonly EehPe[]): Process<void> {
    for (const pe of dead) {
      for (const edev of pe.devicesBelow()) edev.mode &= ~DevMode.NO_HANDLER;
      pe.clearState(PeState.PRI_BUS);
      yield* announceFailure(pe, this.parts.report, this.ctx.quirks.permanentFailureNotice);
    }
    for (const phbPe of this.parts.tree.allPhbPes) {
      if (!phbPe.in(PeState.ISOLATED) || phbPe.in(PeState.RECOVERING)) continue;
      const bus = this.parts.tree.busOf(phbPe);
      if (bus === undefined) {
        this.ctx.log.err(`eeh_handle_special_event: PCI bus for ${phbPe.label} disappeared`);
        return;
      }
      yield* hotplugSection(this.ctx, this.parts.hotplug.removeDevices(bus));
    }
  }
}
