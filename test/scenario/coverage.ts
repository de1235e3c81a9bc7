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
  for (const [index, recovery] of observer.told.recoveries.entries()) {
    const untilNs = observer.told.recoveries[index + 1]?.timeNs ?? Number.POSITIVE_INFINITY;
    for (const slot of system.slots.filter((each) => labelFits(each, recovery.label))) {
      cells.push({ outcome: outcomeOf(result, slot, { recovery, untilNs }), by: recovery.by, driver: slot.driverKind });
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

function labelFits({ phb, pe }: Slot, label: string): boolean {
  return label === `PHB#${phb}` || label === `PHB#${phb}-PE#${pe?.toString(16)}`;
}

function outcomeOf(
  { observer }: RunResult,
  slot: Slot,
  { recovery, untilNs }: { recovery: Recovery; untilNs: number },
): OutcomeName {
  const inside = ({ timeNs }: { timeNs: number }): boolean => timeNs >= recovery.timeNs && timeNs <= untilNs;
  const said = (pattern: RegExp): boolean => observer.log.some((line) => inside(line) && pattern.test(line.text));
  if (said(/^EEH: Unable to recover/)) return slot.place.socket.link.isUp ? 'failed for good' : 'link gone';
  if (!said(/^EEH: Recovery successful/)) return 'recovery without end';
  const resets = observer.resets
    .filter((seen) => inside(seen) && seen.slots.includes(slot.name))
    .map(({ kind }) => kind);
  if (resets.includes('whole-phb')) return 'fenced bridge reset as a whole';
  if (said(/^EEH: Sleep 5s/)) return 'recovered by unplug, reset and replug';
  if (resets.includes('fundamental')) return 'recovered after a fundamental reset';
  if (resets.includes('hot')) return 'recovered after a hot reset';
  const last = observer.freezesOf(slot.name).at(-1);
  return last !== undefined && last.thawedNs === undefined ? 'left frozen' : 'recovered without reset';
}
