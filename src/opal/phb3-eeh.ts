/**
 * Freeze states, and what went wrong last.
 * Source: skiboot hw/phb3.c: phb3_eeh_freeze_status, phb3_eeh_freeze_clear, phb3_eeh_freeze_set, phb3_eeh_next_error.
 * Facts: ioda2-phb3 7.12, 8.4, opal-pci 5.10 to 5.12, 7.2.
 */
import { ALL_ONES, msbMask } from '../hw/bits.js';
import { IODA_TABLES } from '../ioda2/tables.js';
import { UNCORRECTABLE } from '../pcie/aer-capability.js';
import type { Process } from '../sim/process.js';
import { FreezeAction, FreezeState, OpalStatus, PciError, Severity } from './opal-api.js';
import { AER } from './pci-registers.js';
import type { Phb3 } from './phb3.js';
import { entryBits } from './phb3-access.js';
import { clearErrors } from './phb3-clear.js';
import { readConfig } from './phb3-config.js';
import { classifyPendingError } from './phb3-error-classes.js';
import { isPe } from './phb3-mapping.js';
import { ROOT_PORT } from './phb3-root-complex.js';

const PEEV_WORDS = IODA_TABLES.PEEV.entries;
const FROZEN = entryBits(IODA_TABLES.PESTA, 'FROZEN');
/** LEM bit of the core's primary interrupt: with a malformed packet behind it the whole PHB is lost. */
const LEM_UTL_PRIMARY = msbMask(60);

export interface FreezeStatus {
  readonly rc: number;
  readonly freezeState: FreezeState;
  readonly errorType: PciError;
  /** Firmware leaves the caller's value alone where the PE is not frozen; here that is "no error". */
  readonly severity: Severity;
}

/** OPAL_PCI_EEH_FREEZE_STATUS. */
export function* freezeStatus(phb: Phb3, pe: number): Process<FreezeStatus> {
  const wholePhb = { freezeState: FreezeState.MMIO_DMA_FREEZE, errorType: PciError.PHB };
  if (phb.broken) return { rc: OpalStatus.HARDWARE, ...wholePhb, severity: Severity.PHB_DEAD };
  if (yield* phb.checkFence()) return { rc: OpalStatus.SUCCESS, ...wholePhb, severity: Severity.PHB_FENCED };
  // Real firmware does not check the number and would read another table's word (M).
  if (!isPe(pe)) return { rc: OpalStatus.PARAMETER, ...NOT_FROZEN };

  yield* phb.access.selectEntry('PEEV', pe >> 6);
  const peev = yield* phb.access.readEntry();
  if ((peev & msbMask(pe & 63)) === 0n) return { rc: OpalStatus.SUCCESS, ...NOT_FROZEN };

  phb.error.pending = true;
  const mmio = yield* readFreezeHalf(phb, 'PESTA', pe);
  const dma = yield* readFreezeHalf(phb, 'PESTB', pe);
  const freezeState = ((mmio ? FreezeState.MMIO_FREEZE : 0) | (dma ? FreezeState.DMA_FREEZE : 0)) as FreezeState;
  // The error type stays "no error": operating systems look at the state.
  return { rc: OpalStatus.SUCCESS, freezeState, errorType: PciError.NO_ERROR, severity: Severity.PE_ER };
}

const NOT_FROZEN = { freezeState: FreezeState.NOT_FROZEN, errorType: PciError.NO_ERROR, severity: Severity.NO_ERROR };

function* readFreezeHalf(phb: Phb3, table: 'PESTA' | 'PESTB', pe: number): Process<boolean> {
  yield* phb.access.selectEntry(table, pe);
  return ((yield* phb.access.readEntry()) & FROZEN) !== 0n;
}

/** OPAL_PCI_EEH_FREEZE_CLEAR. */
export function* freezeClear(phb: Phb3, pe: number, action: number): Process<number> {
  if (phb.broken) return OpalStatus.HARDWARE;
  // Real firmware does not check the number (M).
  if (!isPe(pe)) return OpalStatus.PARAMETER;
  const summary = yield* phb.access.read('PHB_ETU_ERR_SUMMARY');
  if (summary === ALL_ONES && (yield* phb.checkFence())) return OpalStatus.HARDWARE;
  if (summary !== 0n) yield* clearErrors(phb);
  if ((action & FreezeAction.MMIO) !== 0) yield* thawHalf(phb, 'PESTA', pe);
  if ((action & FreezeAction.DMA) !== 0) yield* thawHalf(phb, 'PESTB', pe);
  if (yield* anyEvent(phb)) phb.setError('er', -1);
  else phb.clearError();
  return OpalStatus.SUCCESS;
}

function* thawHalf(phb: Phb3, table: 'PESTA' | 'PESTB', pe: number): Process<void> {
  yield* phb.access.selectEntry(table, pe);
  yield* phb.access.writeEntry(0n);
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
  if (!Object.values<number>(FreezeAction).includes(action)) return OpalStatus.PARAMETER;
  if ((action & FreezeAction.MMIO) !== 0) yield* freezeHalf(phb, 'PESTA', pe);
  if ((action & FreezeAction.DMA) !== 0) yield* freezeHalf(phb, 'PESTB', pe);
  return OpalStatus.SUCCESS;
}

function* freezeHalf(phb: Phb3, table: 'PESTA' | 'PESTB', pe: number): Process<void> {
  yield* phb.access.selectEntry(table, pe);
  const state = yield* phb.access.readEntry();
  yield* phb.access.writeEntry(state | FROZEN);
}

export interface NextError {
  readonly rc: number;
  /** All ones: no PE in particular. */
  readonly firstFrozenPe: bigint;
  readonly errorType: PciError;
  readonly severity: Severity;
}

export const NO_ERROR: NextError = {
  rc: OpalStatus.SUCCESS,
  firstFrozenPe: ALL_ONES,
  errorType: PciError.NO_ERROR,
  severity: Severity.NO_ERROR,
};
const phbError = (severity: Severity): NextError => ({ ...NO_ERROR, errorType: PciError.PHB, severity });

/** OPAL_PCI_NEXT_ERROR. A fence is seen only through the error bits of the PBCQ. */
export function* nextError(phb: Phb3): Process<NextError> {
  if (phb.broken) return phbError(Severity.PHB_DEAD);
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

/** The highest word with an event, and in it the lowest number. */
export function firstFrozen(peev: readonly bigint[]): number | undefined {
  for (let index = peev.length - 1; index >= 0; index--) {
    const word = peev[index]!;
    if (word !== 0n) return index * 64 + (64 - word.toString(2).length);
  }
  return undefined;
}
