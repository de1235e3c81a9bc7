/** The whole job on one log: clean the text, find the dumps, explain each, or say what the log holds instead. */
import { readContext } from './context.js';
import { type Dump, word } from './dump.js';
import { findDumps } from './dump-finder.js';
import { type Explanation, explainDump } from './interpret.js';
import { cleanLines } from './text/clean.js';
import { explainWithoutDump, type WithoutDump } from './without-dump.js';

export interface ExplainedDump extends Explanation {
  /** Number of an earlier dump (from 1) that shows the same event through other eyes. */
  readonly sameEventAs: number | undefined;
}

export interface LogExplanation {
  readonly lineCount: number;
  readonly dumps: readonly ExplainedDump[];
  /** Set when there is no dump. */
  readonly without: WithoutDump | undefined;
}

/** Kernel and firmware print the same buffer: same bridge, same LEM, same PEST. */
function isSameEvent(a: Dump, b: Dump): boolean {
  if (a.form === b.form || a.pest.length === 0) return false;
  const sameBridge = a.phbNumbers.some((number) => b.phbNumbers.includes(number));
  const pest = (dump: Dump) => dump.pest.map((run) => `${run.first}-${run.last}:${run.a}:${run.b}`).join();
  return sameBridge && word(a, 'lemFir') === word(b, 'lemFir') && pest(a) === pest(b);
}

export function explainLog(text: string): LogExplanation {
  const lines = cleanLines(text);
  const context = readContext(lines);
  const found = findDumps(lines);
  const dumps = found.dumps.map((dump, i) => {
    const twin = found.dumps.findIndex((other, j) => j < i && isSameEvent(other, dump));
    return { ...explainDump(dump, context), sameEventAs: twin < 0 ? undefined : twin + 1 };
  });
  return {
    lineCount: context.lineCount,
    dumps,
    without: dumps.length === 0 ? explainWithoutDump(context, found) : undefined,
  };
}
