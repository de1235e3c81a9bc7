/**
 * Freeze states, and what went wrong last.
 * Source: skiboot hw/phb3.c: phb3_eeh_freeze_status, phb3_eeh_freeze_clear, phb3_eeh_freeze_set, phb3_eeh_next_error.
 * Facts: ioda2-phb3 7.12, 8.4, opal-pci 5.10 to 5.12, 7.2.
 */
import { ALL_ONES, fieldMask, msbMask } from '../../hw/bits.js';
import { PEST_A_FIELDS } from '../../ioda2/error-bits/pest.js';
import { PE_COUNT } from '../../ioda2/pe-state.js';
import { IODA_TABLES } from '../../ioda2/tables.js';
import { UNCORRECTABLE } from '../../pcie/aer-capability.js';
import type { Process } from '../../sim/process.js';
import { firstFrozen, freezeHalvesOf, freezeStateOf, isFreezeAction, readEntryOf, thawHalvesOf } from '../ioda-door.js';
import { FreezeState, OpalStatus, PciError, Severity } from '../opal-api.js';
import { type FreezeStatus, type NextError, NO_ERROR } from '../opal-results.js';
import { AER } from '../pci-registers.js';
import { ROOT_PORT } from '../root-port.js';
import { readConfig } from './config.js';
import { classifyPendingError } from './error-classes.js';
import { clearErrors } from './error-clear.js';
import { isPe } from './mapping.js';
import type { Phb3 } from './phb3.js';
import { PEST_ENTRY_BYTES } from './tables.js';

const PEEV_WORDS = IODA_TABLES.PEEV.entries;
const PES_PER_WORD = 64;
const MMIO_CAUSE = fieldMask(PEST_A_FIELDS.MMIO_CAUSE.at);
/** LEM bit of the core's primary interrupt: with a malformed packet behind it the whole PHB is lost. */
const LEM_UTL_PRIMARY = msbMask(60);

/** OPAL_PCI_EEH_FREEZE_STATUS. */
export function* freezeStatus(phb: Phb3, pe: number): Process<FreezeStatus> {
  const wholePhb = { freezeState: FreezeState.MMIO_DMA_FREEZE, errorType: PciError.PHB };
  if (phb.broken) {
    const rc = phb.profile.brokenFreezeStatus === 'corrected' ? OpalStatus.SUCCESS : OpalStatus.HARDWARE;
    return { rc, ...wholePhb, severity: Severity.PHB_DEAD };
  }
  if (yield* phb.checkFence()) return { rc: OpalStatus.SUCCESS, ...wholePhb, severity: Severity.PHB_FENCED };
  if (!isAnswerable(phb, pe)) return { rc: OpalStatus.PARAMETER, ...NOT_FROZEN };

  yield* phb.access.selectEntry('PEEV', Math.floor(pe / PES_PER_WORD));
  const peev = yield* phb.access.readEntry();
  if ((peev & msbMask(pe % PES_PER_WORD)) === 0n) return { rc: OpalStatus.SUCCESS, ...NOT_FROZEN };

  phb.error.pending = true;
  const pesta = yield* readEntryOf(phb.access, 'PESTA', pe);
  const pestb = yield* readEntryOf(phb.access, 'PESTB', pe);
  const freezeState = freezeStateOf(pesta, pestb);
  return { rc: OpalStatus.SUCCESS, freezeState, errorType: errorTypeOf(phb, pe), severity: Severity.PE_ER };
}

const NOT_FROZEN = { freezeState: FreezeState.NOT_FROZEN, errorType: PciError.NO_ERROR, severity: Severity.NO_ERROR };

/** Real firmware takes any number; what is no whole number cannot come out of a register. */
function isAnswerable(phb: Phb3, pe: number): boolean {
  return phb.profile.peNumberCheck === 'corrected' ? isPe(pe) : Number.isInteger(pe) && pe >= 0;
}

/** Operating systems look at the state, so nobody missed the type. */
function errorTypeOf(phb: Phb3, pe: number): PciError {
  if (phb.profile.frozenErrorType === 'skiboot') return PciError.NO_ERROR;
  // The chip knows that a PE is frozen, memory knows why.
  const why = phb.port.memory.read64(phb.tables.addresses.pest + (pe % PE_COUNT) * PEST_ENTRY_BYTES);
  return (why & MMIO_CAUSE) === 0n ? PciError.PE_DMA : PciError.PE_MMIO;
}

/** OPAL_PCI_EEH_FREEZE_CLEAR. */
export function* freezeClear(phb: Phb3, pe: number, action: number): Process<number> {
  if (phb.broken) return OpalStatus.HARDWARE;
  if (!isAnswerable(phb, pe)) return OpalStatus.PARAMETER;
  if (phb.profile.freezeClearAction === 'corrected' && !isFreezeAction(action)) return OpalStatus.PARAMETER;
  const summary = yield* phb.access.read('PHB_ETU_ERR_SUMMARY');
  if (summary === ALL_ONES && (yield* phb.checkFence())) {
    phb.log('eeh_freeze_clear on fenced PHB');
    return OpalStatus.HARDWARE;
  }
  if (summary !== 0n) yield* clearErrors(phb);
  yield* thawHalvesOf(phb.access, pe, action);
  if (yield* anyEvent(phb)) phb.setError('er', -1);
  else phb.clearError();
  return OpalStatus.SUCCESS;
}

/** Reads the event vector as far as it is silent. */
function* anyEvent(phb: Phb3): Process<boolean> {
  yield* phb.access.walkTable('PEEV');
  for (let index = 0; index < PEEV_WORDS; index++) {
    if ((yield* phb.access.readEntry()) !== 0n) return true;
  }
  return false;
}

/** OPAL_PCI_EEH_FREEZE_SET. Silent: no interrupt, no other PE. */
export function* freezeSet(phb: Phb3, pe: number, action: number): Process<number> {
  if (phb.broken) return OpalStatus.HARDWARE;
  if (!isPe(pe)) return OpalStatus.PARAMETER;
  if (!isFreezeAction(action)) return OpalStatus.PARAMETER;
  if (phb.profile.freezeSetFence === 'corrected' && (yield* phb.checkFence())) return OpalStatus.HARDWARE;
  yield* freezeHalvesOf(phb.access, pe, action);
  return OpalStatus.SUCCESS;
}

const phbError = (severity: Severity): NextError => ({ ...NO_ERROR, errorType: PciError.PHB, severity });

/** OPAL_PCI_NEXT_ERROR. A fence is seen only through the error bits of the PBCQ. */
export function* nextError(phb: Phb3): Process<NextError> {
  if (phb.broken) {
    const dead = phbError(Severity.PHB_DEAD);
    return phb.profile.nextErrorBroken === 'corrected' ? dead : { ...dead, untouched: 'first-frozen-pe' };
  }
  if (phb.profile.nextErrorFence === 'corrected' && (yield* phb.checkFence())) return phbError(Severity.PHB_FENCED);
  const { error } = phb;
  if (error.pending && !(yield* classifyPendingError(phb))) phb.clearError();
  // A PE may be frozen although no error register says so: software froze it, or the records were cleared.
  if (!error.pending && (yield* anyEvent(phb))) phb.setError('er', -1);
  if (!error.pending) return NO_ERROR;
  if (error.class === 'er' && (yield* malformedPacket(phb))) phb.setError('fenced', error.bit);
  switch (error.class) {
    case 'dead':
      return phbError(Severity.PHB_DEAD);
    case 'fenced':
      return phbError(Severity.PHB_FENCED);
    case 'inf':
      return phbError(Severity.INF);
    case 'er':
      return yield* frozenPeError(phb);
    case 'none':
      phb.clearError();
      return NO_ERROR;
  }
}

function* malformedPacket(phb: Phb3): Process<boolean> {
  const fir = yield* phb.access.readAsb('PHB_LEM_FIR_ACCUM');
  if ((fir & LEM_UTL_PRIMARY) === 0n || phb.rootCapabilities === undefined) return false;
  const uncorrectable = yield* readConfig(phb, ROOT_PORT, phb.rootCapabilities.aer + AER.UE_STATUS, 4);
  return (uncorrectable & UNCORRECTABLE.MALFORMED_TLP) !== 0;
}

function* frozenPeError(phb: Phb3): Process<NextError> {
  const words: bigint[] = [];
  yield* phb.access.walkTable('PEEV');
  for (let index = 0; index < PEEV_WORDS; index++) words.push(yield* phb.access.readEntry());
  const firstFrozenPe = firstFrozen(words);
  if (firstFrozenPe === undefined) {
    phb.clearError();
    return NO_ERROR;
  }
  return {
    rc: OpalStatus.SUCCESS,
    firstFrozenPe: BigInt(firstFrozenPe),
    errorType: PciError.PE,
    severity: Severity.PE_ER,
  };
}
