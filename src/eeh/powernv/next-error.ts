/**
 * Asking firmware what happened, PHB by PHB, until something needs recovery.
 * Source: linux powernv/eeh-powernv.c: pnv_eeh_next_error, pnv_eeh_get_pe; facts: eeh-linux 12.
 */
import { FreezeAction, OpalStatus, PciError, Severity } from '../../opal/opal-api.js';
import type { Process } from '../../sim/process.js';
import type { KernelContext } from '../context.js';
import { takesOver } from '../eeh-core.js';
import type { EehEvents } from '../eeh-events.js';
import { PeState } from '../eeh-flags.js';
import type { EehPe } from '../eeh-pe.js';
import type { EehTree } from '../eeh-tree.js';
import type { NextErrorResult } from '../firmware.js';
import { locationOf } from '../location.js';
import { type EehPlatform, phbLabel } from './eeh-platform.js';

export type ErrorReport =
  | { readonly kind: 'none' }
  /** The kernel leaves the PE unset here, and uses it all the same (facts, D9). */
  | { readonly kind: 'dead-ioc' }
  | { readonly kind: 'dead-phb' | 'fenced-phb' | 'frozen-pe'; readonly pe: EehPe };

const NONE: ErrorReport = { kind: 'none' };

export interface NextErrorParts {
  readonly tree: EehTree;
  readonly events: EehEvents;
  readonly platform: EehPlatform;
}

export class NextError {
  constructor(
    private readonly ctx: KernelContext,
    private readonly parts: NextErrorParts,
  ) {}

  *next(): Process<ErrorReport> {
    this.parts.events.remove('everything', 'keep-isolated');
    for (const phbPe of this.parts.tree.allPhbPes) {
      if (phbPe.in(PeState.ISOLATED)) continue;
      const answer = yield* this.ctx.opal.pciNextError(phbPe.controller.phbId);
      if (answer.rc !== OpalStatus.SUCCESS) continue;
      if (answer.errorType === PciError.NO_ERROR || answer.severity === Severity.NO_ERROR) continue;
      const report = yield* this.interpret(phbPe, answer);
      if (report.kind !== 'none') return report;
    }
    return NONE;
  }

  private *interpret(phbPe: EehPe, answer: NextErrorResult): Process<ErrorReport> {
    switch (answer.errorType) {
      case PciError.IOC:
        return yield* this.hubError(phbPe, answer.severity);
      case PciError.PHB:
        return yield* this.phbError(phbPe, answer.severity);
      case PciError.PE:
        return yield* this.peError(phbPe, answer.firstFrozenPe);
      default:
        this.ctx.log.warn(`pnv_eeh_next_error: Unexpected error type ${answer.errorType}`);
        return NONE;
    }
  }

  private *hubError(phbPe: EehPe, severity: number): Process<ErrorReport> {
    if (severity === Severity.IOC_DEAD) {
      this.ctx.log.err('EEH: dead IOC detected');
      return { kind: 'dead-ioc' };
    }
    if (severity === Severity.INF) {
      this.ctx.log.info('EEH: IOC informative error detected');
      yield* this.parts.platform.dumpHubDiagData(phbPe.controller);
    }
    return NONE;
  }

  private *phbError(pe: EehPe, severity: number): Process<ErrorReport> {
    const where = `${phbLabel(pe.controller)} detected, location: ${locationOf(pe.controller.rootBus)}`;
    if (severity === Severity.PHB_DEAD) {
      this.ctx.log.err(`EEH: dead ${where}`);
      return { kind: 'dead-phb', pe };
    }
    if (severity === Severity.PHB_FENCED) {
      this.ctx.log.err(`EEH: Fenced ${where}`);
      if (!pe.in(PeState.ISOLATED)) yield* this.parts.platform.isolateAndCapture(pe);
      return { kind: 'fenced-phb', pe };
    }
    if (severity === Severity.INF) {
      const what = `${phbLabel(pe.controller)} informative error detected`;
      this.ctx.log.info(`EEH: ${what}, location: ${locationOf(pe.controller.rootBus)}`);
      yield* this.parts.platform.captureDiagData(pe);
      this.parts.platform.dumpDiagData(pe.controller, pe.diagData);
    }
    return NONE;
  }

  private *peError(phbPe: EehPe, frozen: bigint): Process<ErrorReport> {
    const known = this.parts.tree.find(phbPe.controller, Number(frozen));
    if (known === undefined) {
      yield* this.clearUnknown(phbPe, frozen);
      return NONE;
    }
    const pe = yield* this.freezeKnown(known);
    if (pe.in(PeState.ISOLATED) || pe.isPassed) return NONE;
    const { domain } = pe.controller;
    this.ctx.log.err(`EEH: Frozen PE#${pe.address.toString(16)} on PHB#${domain.toString(16)} detected`);
    const peLocation = locationOf(this.parts.tree.busOf(pe));
    this.ctx.log.err(`EEH: PE location: ${peLocation}, PHB location: ${locationOf(pe.controller.rootBus)}`);
    yield* this.parts.platform.isolateAndCapture(pe);
    const top = (yield* this.halfFrozenAncestors(pe)).at(-1) ?? pe;
    top.markIsolated();
    return { kind: 'frozen-pe', pe: top };
  }

  /** Freezes the PE whole, and half-frozen parents with it; the top one is to be recovered. */
  private *freezeKnown(known: EehPe): Process<EehPe> {
    if (!known.in(PeState.ISOLATED)) yield* this.parts.platform.freeze(known);
    let top = known;
    for (const parent of yield* this.halfFrozenAncestors(known)) {
      top = parent;
      if (!parent.in(PeState.ISOLATED)) yield* this.parts.platform.freeze(parent);
    }
    return top;
  }

  private *halfFrozenAncestors(pe: EehPe): Process<EehPe[]> {
    const found: EehPe[] = [];
    for (const parent of pe.ancestors()) {
      const { state } = yield* this.parts.platform.getState(parent);
      if (takesOver(state, this.ctx.quirks)) found.push(parent);
    }
    return found;
  }

  /** Nobody's PE: its freeze is taken away so that it does not report for ever. */
  private *clearUnknown(phbPe: EehPe, frozen: bigint): Process<void> {
    const { controller } = phbPe;
    this.ctx.log.info(`EEH: Clear non-existing ${phbLabel(controller)}-PE#${frozen.toString(16)}`);
    this.ctx.log.info(`EEH: PHB location: ${locationOf(controller.rootBus)}`);
    const { rc, data } = yield* this.ctx.opal.pciGetPhbDiagData2(controller.phbId);
    if (rc === OpalStatus.SUCCESS) this.parts.platform.dumpDiagData(controller, data);
    yield* this.ctx.opal.pciEehFreezeClear(controller.phbId, Number(frozen), FreezeAction.ALL);
  }
}
