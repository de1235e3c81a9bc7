/** Which PE faulted, which only felt it, which record is old. Facts: phb4-diag 4.1, 5.4, 6.3; ioda2-phb3 5.3. */
import { ALL_ONES } from '../hw/bits.js';
import { tceLog } from './decode.js';
import type { Evidence } from './evidence.js';
import { decodePestEntry, hasCause, type PestEntry } from './pest.js';

export type PeRole =
  | 'faulted' // its record names the error in charge
  | 'possible' // its record fits, but a leftover would look the same
  | 'noticed' // frozen with the culprit's record
  | 'related' // its record names an error that is set, but did not come first
  | 'recorded' // has a record; the registers to check it against are missing
  | 'stale' // its record names an error that is not set any more
  | 'fenced' // frozen because the whole bridge is
  | 'no-own-cause' // frozen without a record
  | 'leftover' // a record of an event that is over; not frozen
  | 'artefact' // words no chip wrote
  | 'all-ones';

export interface PeState {
  readonly first: number;
  readonly last: number;
  /** The kernel prints no end of a run that reaches the last PE: this one may go on. */
  readonly openEnded: boolean;
  readonly role: PeRole;
  readonly entry: PestEntry;
  readonly line: number;
  /** PE whose record this one repeats. */
  readonly sameAs: number | undefined;
}

/** Old firmware read 512 entries from a bridge that has 256. */
const FIRST_DOUBTFUL_PE = 0x100;

export const ROLE_TEXT: Readonly<Record<PeRole, string>> = {
  faulted: 'FAULTED',
  possible: 'POSSIBLY FAULTED',
  noticed: 'noticed',
  related: 'later error',
  recorded: 'recorded',
  stale: 'stale record',
  fenced: 'fenced',
  'no-own-cause': 'no own record',
  leftover: 'leftover, not frozen',
  artefact: 'firmware artefact',
  'all-ones': 'all ones',
};

/** LEM bits that count as "the event in charge" for a record. */
function lemInCharge(evidence: Evidence): readonly number[] {
  const pointer = evidence.chip.lemPointer;
  // The pointer bit only says that the PCIe core saw it first; the record carries the bit of the PHB's own trap.
  if (pointer !== undefined && evidence.lemFirst.includes(pointer))
    return evidence.lemSet.filter((bit) => bit !== pointer);
  return evidence.lemFirst;
}

function roleOf(evidence: Evidence, pe: number, entry: PestEntry): PeRole {
  if (entry.a === ALL_ONES && entry.b === ALL_ONES) return 'all-ones';
  if (!entry.mmioFrozen && !entry.dmaStopped) return 'leftover';
  if (!entry.hasRecord) return evidence.fenced ? 'fenced' : 'no-own-cause';
  if (entry.implausible && pe >= FIRST_DOUBTFUL_PE && !evidence.lemFirst.includes(entry.lemBit)) return 'artefact';
  if (!evidence.hasLem) return 'recorded';
  if (lemInCharge(evidence).includes(entry.lemBit)) {
    return evidence.fenced && evidence.chip.reservedPes.includes(pe) ? 'possible' : 'faulted';
  }
  return evidence.lemSet.includes(entry.lemBit) ? 'related' : 'stale';
}

/** Cuts a run so that the PE the IOMMU log names stands alone. */
function splitAt(first: number, last: number, pe: number | undefined): (readonly [number, number])[] {
  if (pe === undefined || pe < first || pe > last || first === last) return [[first, last]];
  const pieces: [number, number][] = [
    [first, pe - 1],
    [pe, pe],
    [pe + 1, last],
  ];
  return pieces.filter(([from, to]) => from <= to);
}

export function classifyPes(evidence: Evidence): PeState[] {
  const { dump, chip } = evidence;
  const log = tceLog(
    dump,
    chip.traps.find((trap) => trap.label === 'RxeTceErr'),
  );
  const states = dump.pest.flatMap((run, i) => {
    const entry = decodePestEntry(run, dump.chip);
    const isLast = i === dump.pest.length - 1;
    const openEnded =
      isLast && run.first === run.last && run.last < chip.layout.pest.entries - 1 && mayGoOn(evidence, entry);
    return splitAt(run.first, run.last, log?.pe).map(([first, last]): PeState => {
      const role = roleOf(evidence, first, entry);
      return { first, last, openEnded, role, entry, line: run.line, sameAs: undefined };
    });
  });
  return settleCulprit(states, log?.pe);
}

/** Only events that freeze every PE give the last entries the same words. */
function mayGoOn(evidence: Evidence, entry: PestEntry): boolean {
  if (evidence.dump.printsZeros) return false;
  return (evidence.fenced && !entry.hasRecord) || hasCause(entry, 'CORE');
}

/** The IOMMU log names the PE that faulted: another PE with the same words only felt it. */
function settleCulprit(states: readonly PeState[], culprit: number | undefined): PeState[] {
  const named = states.find(
    (state) => state.first === culprit && (state.role === 'faulted' || state.role === 'possible'),
  );
  if (named === undefined) return [...states];
  return states.map((state) => {
    if (state === named || state.role !== 'faulted') return state;
    if (state.entry.a !== named.entry.a) return { ...state, role: 'related' };
    return { ...state, role: 'noticed', sameAs: named.first };
  });
}

/** The PE to name in the verdict: the clearest role, lowest number first. */
export function findCulprit(states: readonly PeState[]): PeState | undefined {
  for (const role of ['faulted', 'possible', 'recorded'] as const) {
    const found = states.find((state) => state.role === role);
    if (found !== undefined) return found;
  }
  return undefined;
}
