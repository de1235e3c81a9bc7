/**
 * Freeze states of the PEs of a P7IOC PHB.
 * Source: skiboot p7ioc hw/p7ioc-phb.c: p7ioc_eeh_freeze_status, p7ioc_eeh_freeze_clear, p7ioc_eeh_freeze_set.
 * Facts: ioda1-p7ioc 7.7, 7.8, opal-pci 5.10 to 5.12.
 */
import { fieldMask, msbMask } from '../../hw/bits.js';
import { PEST_A_FIELDS } from '../../ioda1/error-bits/pest.js';
import { IODA_TABLES } from '../../ioda1/tables.js';
import type { Process } from '../../sim/process.js';
import { freezeHalvesOf, freezeStateOf, isFreezeAction, readEntryOf, thawHalvesOf } from '../ioda-door.js';
import { FreezeState, OpalStatus, PciError, Severity } from '../opal-api.js';
import type { FreezeStatus } from '../opal-results.js';
import { clearErrors } from './error-clear.js';
import { isPe } from './mapping.js';
import type { P7iocPhb } from './phb.js';

const PEEV_WORDS = IODA_TABLES.PEEV.entries;
const PES_PER_WORD = 64;
const MMIO_CAUSE = fieldMask(PEST_A_FIELDS.MMIO_CAUSE.at);

const NOT_FROZEN = { freezeState: FreezeState.NOT_FROZEN, errorType: PciError.NO_ERROR, severity: Severity.NO_ERROR };
const WHOLE_PHB = { freezeState: FreezeState.MMIO_DMA_FREEZE, errorType: PciError.PHB };

/** OPAL_PCI_EEH_FREEZE_STATUS. */
export function* freezeStatus(phb: P7iocPhb, pe: number): Process<FreezeStatus> {
  const rc = OpalStatus.SUCCESS;
  if (phb.broken) return { rc, ...WHOLE_PHB, severity: Severity.PHB_DEAD };
  if (yield* phb.isFenced()) return { rc, ...WHOLE_PHB, severity: Severity.PHB_FENCED };
  if (!isAnswerable(phb, pe)) return { rc: OpalStatus.PARAMETER, ...NOT_FROZEN };

  yield* phb.access.walkTable('PEEV');
  const low = yield* phb.access.readEntry();
  const events = pe < PES_PER_WORD ? low : yield* phb.access.readEntry();
  if ((events & msbMask(pe % PES_PER_WORD)) === 0n) return { rc, ...NOT_FROZEN };

  noteFrozenPe(phb);
  const pesta = yield* readEntryOf(phb.access, 'PESTA', pe);
  const pestb = yield* readEntryOf(phb.access, 'PESTB', pe);
  return {
    rc,
    freezeState: freezeStateOf(pesta, pestb),
    errorType: (pesta & MMIO_CAUSE) === 0n ? PciError.PE_DMA : PciError.PE_MMIO,
    severity: Severity.PE_ER,
  };
}

/** Real firmware takes any number; what is no whole number cannot come out of a register. */
function isAnswerable(phb: P7iocPhb, pe: number): boolean {
  return phb.profile.peNumberCheck === 'corrected' ? isPe(pe) : Number.isInteger(pe) && pe >= 0;
}

function noteFrozenPe({ error, profile, unit }: P7iocPhb): void {
  if (profile.freezeStatusClass === 'corrected' && !error.pending) error.set(unit, 'ER', -1);
  error.setPending(true);
}

/** OPAL_PCI_EEH_FREEZE_CLEAR. */
export function* freezeClear(phb: P7iocPhb, pe: number, action: number): Process<number> {
  const { access, profile } = phb;
  if (!isAnswerable(phb, pe)) return OpalStatus.PARAMETER;
  if (profile.freezeClearAction === 'corrected' && !isFreezeAction(action)) return OpalStatus.PARAMETER;
  if (profile.freezeClearFence === 'corrected' && (yield* phb.isFenced())) return OpalStatus.HARDWARE;
  if ((yield* access.read('PHB_ETU_ERR_SUMMARY')) !== 0n) yield* clearErrors(phb);
  yield* thawHalvesOf(access, pe, action);
  const events = yield* readEvents(phb);
  if (events.some((word) => word !== 0n)) notePeError(phb);
  else phb.error.setPending(false);
  return OpalStatus.SUCCESS;
}

/** Both words of the event vector, the first PEs in the first. */
export function* readEvents(phb: P7iocPhb): Process<readonly bigint[]> {
  const words: bigint[] = [];
  yield* phb.access.walkTable('PEEV');
  for (let index = 0; index < PEEV_WORDS; index++) words.push(yield* phb.access.readEntry());
  return words;
}

/** Some PE is frozen. */
export function notePeError(phb: P7iocPhb): void {
  phb.error.set(phb.unit, 'ER', -1);
  phb.error.setPending(true);
}

/** OPAL_PCI_EEH_FREEZE_SET. Silent: no interrupt, no other PE. */
export function* freezeSet(phb: P7iocPhb, pe: number, action: number): Process<number> {
  if (!isPe(pe) || !isFreezeAction(action)) return OpalStatus.PARAMETER;
  if (phb.profile.freezeSetFence === 'corrected' && (yield* phb.isFenced())) return OpalStatus.HARDWARE;
  yield* freezeHalvesOf(phb.access, pe, action);
  return OpalStatus.SUCCESS;
}
