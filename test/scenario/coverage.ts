/** What a run covers: how something was noticed, what drove the device, and what came of it, as observed and not as promised. */
import type { Detection } from '../../src/scenario/log-evidence.js';
import type { RunResult } from '../../src/scenario/runner.js';

export const OUTCOMES = [
  'recovered without reset',
  'recovered after a hot reset',
  'recovered after a fundamental reset',
  'recovered by unplug, reset and replug',
  'fenced bridge reset as a whole',
  'bridge dead',
  'link gone',
  'failed for good',
  'left frozen',
  'recovery without end',
  'information only',
] as const;
export type OutcomeName = (typeof OUTCOMES)[number];

export interface Cell {
  readonly outcome: OutcomeName;
  readonly by: Detection;
  readonly driver: string;
}

type Slot = RunResult['system']['slots'][number];
type Recovery = RunResult['observer']['told']['recoveries'][number];

export function coverageOf(result: RunResult): Cell[] {
  const { observer, system } = result;
  const cells: Cell[] = [];
  for (const episode of episodesOf(result)) {
    for (const slot of system.slots.filter((each) => labelFits(each, episode.label))) {
      cells.push({ outcome: outcomeOf(result, slot, episode), by: episode.by, driver: slot.driverKind });
    }
  }
  for (const { text } of observer.log) {
    const [, dead] = /^EEH: dead PHB#(\d)/.exec(text) ?? [];
    const [, informed] = /^EEH: PHB#(\d) informative/.exec(text) ?? [];
    const outcome = dead === undefined ? 'information only' : 'bridge dead';
    for (const slot of system.slots.filter(({ phb }) => String(phb) === (dead ?? informed))) {
      cells.push({ outcome, by: 'interrupt', driver: slot.driverKind });
    }
  }
  return cells;
}

/** A recovery with what the kernel said from its heading to the next one. */
interface Episode extends Recovery {
  readonly untilNs: number;
  readonly texts: readonly string[];
}

/** One recovery may end and the next begin in the same instant: it is the order of lines that parts them. */
function episodesOf({ observer }: RunResult): Episode[] {
  const { told, log } = observer;
  const begins = told.recoveries.map(({ timeNs, label }) =>
    log.findIndex((line) => line.timeNs === timeNs && line.text.startsWith(`EEH: Recovering ${label}`)),
  );
  return told.recoveries.map((recovery, i) => ({
    ...recovery,
    untilNs: told.recoveries[i + 1]?.timeNs ?? Number.POSITIVE_INFINITY,
    texts: log.slice(begins[i], begins[i + 1]).map(({ text }) => text),
  }));
}

function labelFits({ phb, pe }: Slot, label: string): boolean {
  return label === `PHB#${phb}` || label === `PHB#${phb}-PE#${pe?.toString(16)}`;
}

function outcomeOf({ observer }: RunResult, slot: Slot, episode: Episode): OutcomeName {
  const inside = ({ timeNs }: { timeNs: number }): boolean => timeNs >= episode.timeNs && timeNs <= episode.untilNs;
  const said = (pattern: RegExp): boolean => episode.texts.some((text) => pattern.test(text));
  const failed = said(/^EEH: Unable to recover/);
  const ended = failed || said(/^EEH: Recovery successful/);
  if (said(BRIDGE_GONE)) return 'bridge dead';
  if (ended && !slot.place.socket.link.isUp) return 'link gone';
  if (failed) return 'failed for good';
  if (!ended) return 'recovery without end';
  const resets = observer.resets
    .filter((seen) => inside(seen) && seen.slots.includes(slot.name))
    .map(({ kind }) => kind);
  if (resets.includes('whole-phb')) return 'fenced bridge reset as a whole';
  const gone = observer.presences.some((seen) => inside(seen) && seen.slot === slot.name && seen.what === 'gone');
  // An operator may remove a device, too; before it looks for it again the kernel pauses.
  if (gone && said(/^EEH: Sleep 5s/)) return 'recovered by unplug, reset and replug';
  if (resets.includes('fundamental')) return 'recovered after a fundamental reset';
  if (resets.includes('hot')) return 'recovered after a hot reset';
  const last = observer.freezesOf(slot.name).at(-1);
  return last !== undefined && last.thawedNs === undefined ? 'left frozen' : 'recovered without reset';
}

/** Firmware has marked the bridge as broken: it does not even tell the state of a PE. */
const BRIDGE_GONE = /^pnv_eeh_get_p(?:hb|e)_state: Failure -6 /;
