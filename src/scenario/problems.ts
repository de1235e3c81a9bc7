/** What is wrong with a scenario file, where, and what would be right. */

/** Offsets into the text. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export interface Problem {
  readonly at: Span;
  /** What is wrong. */
  readonly message: string;
  /** Under the caret: what was meant, perhaps. */
  readonly hint?: string;
  /** What is allowed, or where to look it up. */
  readonly remedy?: string;
}

export class ScenarioError extends Error {
  override readonly name = 'ScenarioError';

  constructor(
    readonly file: string,
    readonly problems: readonly Problem[],
    text: string,
    mostShown = MOST_SHOWN,
  ) {
    const lines = new Lines(text);
    const inOrder = [...problems].sort((a, b) => a.at.start - b.at.start);
    const shown = inOrder.slice(0, mostShown).map((problem) => formatProblem(file, problem, lines));
    const left = inOrder.length - shown.length;
    super([...shown, ...(left > 0 ? [`${file}: ... and ${left} more`] : [])].join('\n\n'));
  }
}

/** A file that is something else altogether has a problem in every line. */
const MOST_SHOWN = 20;

/** Line and column, from 1, of an offset. */
export class Lines {
  private readonly lines: readonly string[];
  private readonly starts: number[] = [];

  constructor(text: string) {
    this.lines = text.split('\n');
    let start = 0;
    for (const line of this.lines) {
      this.starts.push(start);
      start += line.length + 1;
    }
  }

  place(offset: number): { line: number; column: number } {
    let line = this.starts.findIndex((start) => start > offset) - 1;
    if (line < 0) line = this.starts.length - 1;
    return { line: line + 1, column: offset - this.starts[line]! + 1 };
  }

  text(line: number): string {
    return (this.lines[line - 1] ?? '').replace(/\r$/, '');
  }
}

function formatProblem(file: string, problem: Problem, lines: Lines): string {
  const { line, column } = lines.place(problem.at.start);
  const number = String(line).padStart(5);
  const excerpt = excerptOf(lines.text(line), column - 1);
  const caret = `${' '.repeat(number.length)} | ${' '.repeat(excerpt.caret)}^`;
  const out = [`${file}:${line}:${column}  ${problem.message}`, `${number} | ${excerpt.text}`];
  out.push(problem.hint === undefined ? caret : `${caret} ${problem.hint}`);
  if (problem.remedy !== undefined) out.push(...wrap(problem.remedy, REMEDY_WIDTH).map((line) => `   ${line}`));
  return out.join('\n');
}

const REMEDY_WIDTH = 96;

/** Of a long line, what stands around the place. */
function excerptOf(line: string, place: number): { text: string; caret: number } {
  const from = Math.max(0, Math.min(place - EXCERPT_BEFORE, line.length - EXCERPT_WIDTH));
  const before = from === 0 ? '' : CUT;
  const after = from + EXCERPT_WIDTH < line.length ? CUT : '';
  const part = printable(line.slice(from, from + EXCERPT_WIDTH));
  return { text: `${before}${part}${after}`, caret: before.length + Math.max(0, place - from) };
}

const EXCERPT_WIDTH = 120;
const EXCERPT_BEFORE = 60;
const CUT = '...';

/** One column for each character, and none that a terminal would obey. A tab is a space: the caret stands below. */
function printable(text: string): string {
  return text.replace(/\t/g, ' ').replace(/\p{C}/gu, '.');
}

/** A word in a message: what somebody gave for it may be a whole file. */
export function quoted(word: string): string {
  return `"${printable(word.length > MOST_QUOTED ? `${word.slice(0, MOST_QUOTED)}${CUT}` : word)}"`;
}

const MOST_QUOTED = 60;

/** Breaks a text at its spaces. */
export function wrap(text: string, width: number): string[] {
  const lines = [''];
  for (const word of text.trim().split(/\s+/)) {
    const line = lines.at(-1)!;
    if (line !== '' && line.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
  }
  return lines;
}

/** Near enough to be a slip of the fingers: a third of the letters may differ. */
const SLIP = 3;
/** Whatever is longer was no slip. */
const LONGEST_WORD = 80;

/** The allowed word that was probably meant. */
export function closest(word: string, allowed: readonly string[]): string | undefined {
  if (word.length > LONGEST_WORD) return undefined;
  let best: string | undefined;
  let least = Math.max(1, Math.floor(word.length / SLIP)) + 1;
  for (const candidate of allowed) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < least) {
      best = candidate;
      least = distance;
    }
  }
  const parts = partsOf(word);
  if (best !== undefined || parts.length === 0) return best;
  return allowed.find((candidate) => parts.every((part) => closeToAny(part, partsOf(candidate))));
}

const partsOf = (word: string): string[] =>
  word
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((part) => part !== '');

/** A word of several parts may lack some: dma-unmapped means dma-write-unmapped. */
function closeToAny(part: string, others: readonly string[]): boolean {
  return others.some((other) => editDistance(part, other) <= Math.floor(part.length / (2 * SLIP)));
}

/** Letters to change, add, leave out, or swap with their neighbour. */
function editDistance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, i) => i)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitute = rows[i - 1]![j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swap = swapped ? rows[i - 2]![j - 2]! + 1 : Number.POSITIVE_INFINITY;
      row.push(Math.min(substitute, swap, rows[i - 1]![j]! + 1, row[j - 1]! + 1));
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}
