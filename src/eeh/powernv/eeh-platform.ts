/**
 * The PowerNV operations below the EEH core: state queries, thaw and freeze, config access, diag data, error injection.
 * Source: linux powernv/eeh-powernv.c, pci-ioda.c: pnv_ioda_get_pe_state, pnv_ioda_freeze_pe; facts: eeh-linux 3, 4.
 */
import { decodeHubDiagData, formatHubDiagData, hubDiagTypeNumber } from '../../diag/p7ioc/hub.js';
import { FreezeAction, FreezeState, OpalStatus, PciError } from '../../opal/opal-api.js';
import type { Process } from '../../sim/process.js';
import type { KernelContext } from '../context.js';
import { EehOption, type EehOptionValue, PeState, PeType, QUERY_HEALTHY, QueryState } from '../eeh-flags.js';
import type { EehDev, EehPe } from '../eeh-pe.js';
import type { EehSettings } from '../eeh-settings.js';
import { EINVAL, EIO, ENXIO, EPERM, ERANGE } from '../errno.js';
import type { DiagDataResult, InjectRequest } from '../firmware.js';
import type { ConfigSize } from '../pci/config.js';
import { hex, type PciController } from '../pci/device.js';
import { allOnes } from '../pci/regs.js';
import { diagText, ioTypeOf } from './diag-text.js';

export interface StateAnswer {
  readonly state: number;
  /** How long to wait before asking again. */
  readonly waitMs: number;
}

const ASK_AGAIN_MS = 1000;
const LAST_INJECT_TYPE = 1;
const LAST_INJECT_FUNCTION = 19;

const STATE_OF_FREEZE: Readonly<Record<number, number>> = {
  [FreezeState.NOT_FROZEN]: QUERY_HEALTHY,
  [FreezeState.MMIO_FREEZE]: QueryState.DMA_ACTIVE | QueryState.DMA_ENABLED,
  [FreezeState.DMA_FREEZE]: QueryState.MMIO_ACTIVE | QueryState.MMIO_ENABLED,
  [FreezeState.MMIO_DMA_FREEZE]: 0,
  [FreezeState.RESET]: QueryState.RESET_ACTIVE,
  [FreezeState.TEMP_UNAVAIL]: QueryState.UNAVAILABLE,
  [FreezeState.PERM_UNAVAIL]: QueryState.NOT_SUPPORT,
};
/** A result with any of these is no new freeze. */
const NOT_A_NEW_FREEZE =
  QueryState.UNAVAILABLE | QueryState.NOT_SUPPORT | QueryState.MMIO_ACTIVE | QueryState.DMA_ACTIVE;

export class EehPlatform {
  constructor(
    private readonly ctx: KernelContext,
    private readonly settings: EehSettings,
  ) {}

  /** May isolate a PE that turns out frozen, without queueing its recovery (facts, D5). */
  *getState(pe: EehPe): Process<StateAnswer> {
    const state = pe.is(PeType.PHB) ? yield* this.phbState(pe) : yield* this.peState(pe);
    return { state, waitMs: (state & QueryState.UNAVAILABLE) !== 0 ? ASK_AGAIN_MS : 0 };
  }

  *setOption(pe: EehPe, option: EehOptionValue): Process<number> {
    switch (option) {
      case EehOption.DISABLE:
        return EPERM;
      case EehOption.ENABLE:
        return 0;
      case EehOption.THAW_MMIO:
        return yield* this.unfreeze(pe, FreezeAction.MMIO);
      case EehOption.THAW_DMA:
        return yield* this.unfreeze(pe, FreezeAction.DMA);
      case EehOption.FREEZE:
        yield* this.freeze(pe);
        return 0;
      default:
        this.ctx.log.warn(`pnv_eeh_set_option: Invalid option ${String(option)}`);
        return EINVAL;
    }
  }

  /** Freezes the hardware PE. A refusal is only logged. */
  *freeze(pe: EehPe): Process<void> {
    yield* this.freezeNumber(pe.controller, pe.address);
  }

  /** Fills the PE's buffer. */
  *captureDiagData(pe: EehPe): Process<void> {
    const { rc, data } = yield* this.ctx.opal.pciGetPhbDiagData2(pe.controller.phbId);
    if (rc === OpalStatus.SUCCESS) pe.diagData = data;
    else this.ctx.log.warn(`pnv_eeh_get_phb_diag: Failure ${rc} getting ${phbLabel(pe.controller)} diag-data`);
  }

  /** Prints the PE's buffer, unless it was printed when it was captured. */
  printLog(pe: EehPe): void {
    if (this.settings.earlyLog === 'off') this.dumpDiagData(pe.controller, pe.diagData);
  }

  dumpDiagData(controller: PciController, data: Uint8Array): void {
    const lines = diagText(data, controller.domain);
    if (lines === undefined) this.ctx.log.warn(`${DUMP}: Unrecognized ioType ${ioTypeOf(data)}`);
    else for (const line of lines) this.ctx.log.info(line);
  }

  /** What the hub above a PHB has to say. Source: linux powernv/eeh-powernv.c: pnv_eeh_get_and_dump_hub_diag. */
  *dumpHubDiagData({ node }: PciController): Process<void> {
    const hubId = BigInt(node.hubId ?? 0);
    const hub = `HUB#${hubId.toString(16)} diag-data`;
    const answer = yield* this.ctx.opal.pciGetHubDiagData?.(hubId) ?? notSupported();
    if (answer.rc !== OpalStatus.SUCCESS) {
      this.ctx.log.warn(`${HUB_DUMP}: Failed to get ${hub} (${answer.rc})`);
      return;
    }
    const data = decodeHubDiagData(answer.data);
    if (data === undefined) {
      this.ctx.log.warn(`${HUB_DUMP}: Invalid type of ${hub} (${hubDiagTypeNumber(answer.data)})`);
    } else {
      for (const line of formatHubDiagData(data)) this.ctx.log.info(line);
    }
  }

  *readConfig(edev: EehDev, offset: number, size: ConfigSize): Process<number> {
    if (isBlocked(edev)) return allOnes(size);
    const { rc, value } = yield* this.ctx.opal.pciConfigRead(edev.controller.phbId, edev.bdfn, offset, size);
    return rc === OpalStatus.SUCCESS ? value : allOnes(size);
  }

  *writeConfig(edev: EehDev, offset: number, size: ConfigSize, value: number): Process<void> {
    if (isBlocked(edev)) return;
    yield* this.ctx.opal.pciConfigWrite(edev.controller.phbId, { bdfn: edev.bdfn, offset, size }, value);
  }

  /** Firmware sets its part of the device up again; it cannot see virtual functions. */
  *restoreConfig(edev: EehDev): Process<number> {
    if (edev.physicalFunction !== undefined) return 0;
    const rc = yield* this.ctx.opal.pciReinit(edev.controller.phbId, edev.bdfn);
    if (rc === OpalStatus.SUCCESS) return 0;
    this.ctx.log.warn(`pnv_eeh_restore_config: Can't reinit PCI dev 0x${hex(edev.bdfn)} (${rc})`);
    return EIO;
  }

  *injectError(pe: EehPe, request: Omit<InjectRequest, 'pe'>): Process<number> {
    const { type } = request;
    if (type < 0 || type > LAST_INJECT_TYPE) {
      this.ctx.log.warn(`pnv_eeh_err_inject: Invalid error type ${type}`);
      return ERANGE;
    }
    if (request.function < 0 || request.function > LAST_INJECT_FUNCTION) {
      this.ctx.log.warn(`pnv_eeh_err_inject: Invalid error function ${request.function}`);
      return ERANGE;
    }
    const known = yield* this.ctx.opal.checkToken?.(OPAL_PCI_ERR_INJECT) ?? always();
    if (known !== 1) {
      this.ctx.log.warn("pnv_eeh_err_inject: Firmware doesn't support error injection");
      return ENXIO;
    }
    const rc = yield* this.ctx.opal.pciErrInject(pe.controller.phbId, { ...request, pe: pe.address });
    if (rc === OpalStatus.SUCCESS) return 0;
    const what = `error ${type}-${request.function} to ${pe.label}`;
    this.ctx.log.warn(`pnv_eeh_err_inject: Failure ${rc} injecting ${what}`);
    return EIO;
  }

  /** After a config access on a PHB whose EEH flag is off: a freeze must not outlive the access that made it. */
  *clearSilently(controller: PciController, peNumber: number): Process<void> {
    const state = yield* this.freezeState(controller, peNumber);
    if (state < FreezeState.MMIO_FREEZE || state > FreezeState.MMIO_DMA_FREEZE) return;
    yield* this.freezeNumber(controller, peNumber);
    const diag = yield* this.ctx.opal.pciGetPhbDiagData2(controller.phbId);
    const failed = yield* this.unfreezeNumber(controller, peNumber, FreezeAction.ALL);
    if (failed === 0) return;
    const label = peLabel(controller, peNumber);
    this.ctx.log.warn(`pnv_pci_handle_eeh_config: Failure ${failed} clearing frozen ${label}`);
    if (diag.rc === OpalStatus.SUCCESS) this.dumpDiagData(controller, diag.data);
  }

  /** PE number 0 stands for the PHB, whatever device owns it (facts, D13). */
  private *phbState(pe: EehPe): Process<number> {
    const { rc, errorType } = yield* this.ctx.opal.pciEehFreezeStatus(pe.controller.phbId, pe.address);
    if (rc !== OpalStatus.SUCCESS) {
      this.ctx.log.warn(`pnv_eeh_get_phb_state: Failure ${rc} getting ${phbLabel(pe.controller)} state`);
      return QueryState.NOT_SUPPORT;
    }
    if (errorType !== PciError.PHB) return QUERY_HEALTHY;
    if (!pe.in(PeState.ISOLATED)) yield* this.isolateAndCapture(pe);
    return 0;
  }

  private *peState(pe: EehPe): Process<number> {
    if (pe.in(PeState.RESET)) return QUERY_HEALTHY;
    const freezeState = yield* this.freezeState(pe.controller, pe.address);
    const result = STATE_OF_FREEZE[freezeState];
    if (result === undefined) {
      this.ctx.log.warn(`pnv_eeh_get_pe_state: Invalid ${pe.label} state ${hex(freezeState)}`);
      return QueryState.NOT_SUPPORT;
    }
    if ((result & NOT_A_NEW_FREEZE) === 0 && !pe.in(PeState.ISOLATED)) {
      yield* this.freeze(pe);
      yield* this.isolateAndCapture(pe);
    }
    return result;
  }

  /** Isolated, its evidence saved, and printed right away if the kernel was told to. */
  *isolateAndCapture(pe: EehPe): Process<void> {
    pe.markIsolated();
    yield* this.captureDiagData(pe);
    if (this.settings.earlyLog === 'on') this.dumpDiagData(pe.controller, pe.diagData);
  }

  private *freezeState(controller: PciController, peNumber: number): Process<number> {
    if (peNumber < 0 || peNumber >= controller.node.totalPes) return FreezeState.PERM_UNAVAIL;
    const { rc, freezeState } = yield* this.ctx.opal.pciEehFreezeStatus(controller.phbId, peNumber);
    if (rc === OpalStatus.SUCCESS) return freezeState;
    this.ctx.log.warn(`pnv_ioda_get_pe_state: Failure ${rc} getting ${peLabel(controller, peNumber)} state`);
    return FreezeState.TEMP_UNAVAIL;
  }

  private *freezeNumber(controller: PciController, peNumber: number): Process<void> {
    const rc = yield* this.ctx.opal.pciEehFreezeSet(controller.phbId, peNumber, FreezeAction.ALL);
    if (rc !== OpalStatus.SUCCESS) {
      this.ctx.log.warn(`pnv_ioda_freeze_pe: Failure ${rc} freezing ${peLabel(controller, peNumber)}`);
    }
  }

  private *unfreeze(pe: EehPe, action: number): Process<number> {
    return yield* this.unfreezeNumber(pe.controller, pe.address, action);
  }

  private *unfreezeNumber(controller: PciController, peNumber: number, action: number): Process<number> {
    const rc = yield* this.ctx.opal.pciEehFreezeClear(controller.phbId, peNumber, action);
    if (rc === OpalStatus.SUCCESS) return 0;
    const label = peLabel(controller, peNumber);
    this.ctx.log.warn(`pnv_ioda_unfreeze_pe: Failure ${rc} clear ${action} on ${label}`);
    return EIO;
  }
}

/** Config space is the way to reset a virtual function, so the reset does not block it. */
function isBlocked(edev: EehDev): boolean {
  if (edev.physicalFunction !== undefined && edev.pe?.in(PeState.RESET)) return false;
  return edev.pe?.in(PeState.CFG_BLOCKED) === true;
}

const DUMP = 'pnv_pci_dump_phb_diag_data';
const HUB_DUMP = 'pnv_eeh_get_and_dump_hub_diag';
/** Number of the call in the firmware's table. */
const OPAL_PCI_ERR_INJECT = 96;

function* notSupported(): Process<DiagDataResult> {
  return { rc: OpalStatus.UNSUPPORTED, data: new Uint8Array(0) };
}

function* always(): Process<number> {
  return 1;
}

export function phbLabel(controller: PciController): string {
  return `PHB#${hex(controller.domain)}`;
}

export function peLabel(controller: PciController, peNumber: number): string {
  return `${phbLabel(controller)}-PE#${hex(peNumber)}`;
}
