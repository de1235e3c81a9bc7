/** The outcome of a replay for people and for machines. */
import { hex64 } from '../hw/bits.js';
import { formatTime, us } from '../sim/time.js';
import type { Explanation } from './explanations.js';
import type { FinalState } from './final-state.js';
import type { ReplayResult } from './replay.js';
import { formatMismatch, type Mismatch } from './replay.js';

export interface ExplanationCount extends Explanation {
  readonly count: number;
}

export interface ReplaySummary {
  readonly accesses: number;
  readonly readsCompared: number;
  readonly mismatchesExplained: number;
  readonly mismatchesUnexplained: number;
  readonly undeclared: number;
  readonly digest: string;
  readonly explanations: readonly ExplanationCount[];
  readonly finalState: { readonly registers: number; readonly tableEntries: number; readonly differences: number };
}

export function summarize(result: ReplayResult, state: FinalState): ReplaySummary {
  const explained = result.mismatches.filter((mismatch) => mismatch.explanation !== undefined);
  return {
    accesses: result.accesses,
    readsCompared: result.readsCompared,
    mismatchesExplained: explained.length,
    mismatchesUnexplained: result.mismatches.length - explained.length,
    undeclared: result.undeclared.length,
    digest: result.digest,
    explanations: countExplanations(explained),
    finalState: {
      registers: state.registers,
      tableEntries: state.tableEntries,
      differences: state.differences.length,
    },
  };
}

/** Nothing is left that a person would have to look into. */
export function isClean(summary: ReplaySummary): boolean {
  return summary.mismatchesUnexplained === 0 && summary.undeclared === 0 && summary.finalState.differences === 0;
}

function countExplanations(mismatches: readonly Mismatch[]): ExplanationCount[] {
  const counts = new Map<string, ExplanationCount>();
  for (const { explanation } of mismatches) {
    if (!explanation) continue;
    const before = counts.get(explanation.id)?.count ?? 0;
    counts.set(explanation.id, { ...explanation, count: before + 1 });
  }
  return [...counts.values()].sort((a, b) => b.count - a.count);
}

const grouped = (count: number): string => count.toLocaleString('en-US');
const MOST_LISTED = 20;

export function formatReplayReport(result: ReplayResult, state: FinalState): string {
  const { recording } = result;
  const summary = summarize(result, state);
  const lastUs = recording.steps.at(-1)?.timeUs ?? 0;
  return [
    `Recording  ${recording.name}: ${recording.source}`,
    `           ${grouped(summary.accesses)} accesses to ${result.machine.phbs.length} PHB3s over ${formatTime(us(lastUs))} of recorded time`,
    ...readLines(result, summary),
    ...stateLines(state),
    ...explanationLines(summary),
    ...troubleLines(result),
    `Digest     ${summary.digest}`,
  ].join('\n');
}

function readLines(result: ReplayResult, summary: ReplaySummary): string[] {
  const undeclared = `${grouped(summary.undeclared)} accesses to registers without a declaration`;
  if (result.recording.values === 'advisory') {
    return [
      'Reads      values come from a flat register file and bind nobody; judged by what firmware would reject',
      `           ${grouped(summary.mismatchesUnexplained)} answers that firmware would reject; ${undeclared}`,
    ];
  }
  const equal = summary.readsCompared - summary.mismatchesExplained - summary.mismatchesUnexplained;
  return [
    `Reads      ${grouped(summary.readsCompared)} compared: ${grouped(equal)} equal, ` +
      `${grouped(summary.mismatchesExplained)} explained, ${grouped(summary.mismatchesUnexplained)} unexplained`,
    `           ${undeclared}`,
  ];
}

function stateLines(state: FinalState): string[] {
  const held = `${grouped(state.registers)} registers and ${grouped(state.tableEntries)} table entries`;
  if (state.differences.length === 0) return [`State      ${held} hold what was written last`];
  return [
    `State      ${state.differences.length} of ${held} do not hold what was written last:`,
    ...state.differences
      .slice(0, MOST_LISTED)
      .map(
        ({ phb, what, written, held: now }) =>
          `           PHB${phb} ${what}: written ${hex64(written)}, holds ${hex64(now)}`,
      ),
  ];
}

function explanationLines(summary: ReplaySummary): string[] {
  if (summary.explanations.length === 0) return [];
  return [
    'Why reads differ from the recording',
    ...summary.explanations.map(({ id, count, reason }) => `${grouped(count).padStart(9)}  ${id}: ${reason}`),
  ];
}

function troubleLines(result: ReplayResult): string[] {
  const unexplained = result.mismatches.filter((mismatch) => mismatch.explanation === undefined);
  return [
    ...unexplained
      .slice(0, MOST_LISTED)
      .map((mismatch) => `UNEXPLAINED line ${mismatch.line}: ${formatMismatch(mismatch)}`),
    ...more(unexplained.length, 'unexplained reads'),
    ...result.undeclared.slice(0, MOST_LISTED).map(({ line, what }) => `UNDECLARED line ${line}: ${what}`),
    ...more(result.undeclared.length, 'undeclared accesses'),
  ];
}

function more(count: number, what: string): string[] {
  return count > MOST_LISTED ? [`... and ${grouped(count - MOST_LISTED)} more ${what}; --list shows every one`] : [];
}

/** Every difference and every undeclared access, one a line. */
export function formatDifferences(result: ReplayResult): string {
  const mismatches = result.mismatches.map(
    (mismatch) => `line ${mismatch.line}: ${formatMismatch(mismatch)}  [${mismatch.explanation?.id ?? 'UNEXPLAINED'}]`,
  );
  const undeclared = result.undeclared.map(({ line, what }) => `line ${line}: ${what}  [UNDECLARED]`);
  return [...mismatches, ...undeclared].join('\n');
}
