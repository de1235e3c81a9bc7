/** The comparison with recorded Linux as text and as plain data. */
import {
  type ComparedRow,
  type Durations,
  type LinuxComparison,
  type MarkComparison,
  unexplained,
} from './linux-comparison.js';
import { LINUX_REASONS, type LinuxReason } from './linux-reasons.js';

const HEADINGS = ['calls', 'differ', 'lines', 'differ', 'recorded', 'ours', 'nominal'] as const;
const TITLE_WIDTH = 44;
const UNEXPLAINED = 'UNEXPLAINED';

interface Row {
  readonly title: string;
  readonly marks: readonly MarkComparison[];
}

export function formatLinuxComparison(comparison: LinuxComparison): string {
  const rows = rowsOf(comparison);
  const open = unexplained(comparison);
  const left = open.length;
  const met = reasonsOf(comparison.marks);
  const width = Math.max(0, ...met.map(({ id }) => id.length));
  return [
    `Recording  ${comparison.name}: ${comparison.source}`,
    'Durations  of recoveries in s; the kernel rounds sleeps up, so nominal <= recorded <= 1.13 x nominal is expected',
    '',
    line('mark', [...HEADINGS], 'reason'),
    ...rows.map(formatRow),
    '',
    ...met.map(({ id, text }) => `${id.padEnd(width)}  ${text}`),
    ...(met.length === 0 ? [] : ['']),
    ...open.map(({ kind, text }) => `${SIGNS[kind]} ${text}`),
    left === 0 ? 'Nothing is unexplained.' : `${plural(left, 'difference is', 'differences are')} unexplained.`,
  ].join('\n');
}

/** Marks of one code are one row: dozens of injections differ in nothing but their numbers. */
function rowsOf({ marks }: LinuxComparison): Row[] {
  const codes = [...new Set(marks.map(({ code, mark }) => (code === 'DUMP' ? mark : code)))];
  return codes.map((code) => {
    const members = marks.filter((each) => each.code === code || each.mark === code);
    const first = members[0]!;
    const times = members.length > 1 ? ` (${members.length} times)` : '';
    const title = members.length > 1 ? first.mark.split(' ').slice(0, 2).join(' ') : first.mark;
    return { title: `${title}${times}`, marks: members };
  });
}

function formatRow({ title, marks }: Row): string {
  const calls = marks.flatMap((mark) => mark.calls);
  const lines = marks.flatMap((mark) => mark.lines);
  const counts = [calls, lines].flatMap((rows) => {
    const same = rows.filter(({ kind }) => kind === 'same').length;
    return [String(same), String(rows.length - same)];
  });
  return line(title, [...counts, ...seconds(marks[0]?.durations)], reasonText([...calls, ...lines]));
}

function seconds(durations: Durations | undefined): string[] {
  if (durations === undefined) return ['', '', ''];
  return [durations.recordedMs, durations.oursMs, durations.nominalMs].map((each) => (each / 1000).toFixed(2));
}

function line(title: string, cells: readonly string[], reason: string): string {
  const shown = title.length > TITLE_WIDTH ? `${title.slice(0, TITLE_WIDTH - 1)}…` : title.padEnd(TITLE_WIDTH);
  const numbers = cells.map((cell, index) => cell.padStart(HEADINGS[index]!.length));
  return `${shown}  ${numbers.join('  ')}  ${reason}`.trimEnd();
}

function reasonText(rows: readonly ComparedRow[]): string {
  const differing = rows.filter(({ kind }) => kind !== 'same');
  const left = differing.filter(({ reason }) => reason === undefined).length;
  const ids = [...new Set(differing.flatMap(({ reason }) => reason?.id ?? []))];
  return [...ids, ...(left > 0 ? [`${left} ${UNEXPLAINED}`] : [])].join(', ');
}

function reasonsOf(marks: readonly MarkComparison[]): LinuxReason[] {
  const met = new Set(marks.flatMap(({ calls, lines }) => [...calls, ...lines].flatMap(({ reason }) => reason ?? [])));
  return LINUX_REASONS.filter((reason) => met.has(reason));
}

/** Every call and line of the marks that begin with `wanted`, side by side; undefined: no such mark. */
export function formatMark({ marks }: LinuxComparison, wanted: string): string | undefined {
  const found = marks.filter(({ code, mark }) => code === wanted || mark.startsWith(wanted));
  if (found.length === 0) return undefined;
  return found.flatMap((mark) => [mark.mark, ...sideBySide(mark.calls), '', ...sideBySide(mark.lines), '']).join('\n');
}

const SIGNS = { same: ' ', recorded: '-', ours: '+' } as const;

/** As a difference is shown everywhere: `-` stands only in the recording, `+` only with us. */
function sideBySide(rows: readonly ComparedRow[]): string[] {
  return rows.map(({ kind, text, reason }) => {
    const note = kind === 'same' ? '' : `   [${reason?.id ?? UNEXPLAINED}]`;
    return `  ${SIGNS[kind]} ${text}${note}`;
  });
}

export function linuxComparisonToJson(comparison: LinuxComparison): unknown {
  return {
    recording: comparison.name,
    source: comparison.source,
    unexplained: unexplained(comparison).length,
    marks: comparison.marks.map(({ mark, calls, lines, durations }) => {
      return {
        mark,
        calls: countsOf(calls),
        lines: countsOf(lines),
        ...(durations === undefined ? {} : { durations }),
      };
    }),
  };
}

function countsOf(rows: readonly ComparedRow[]): unknown {
  const differences = rows.filter(({ kind }) => kind !== 'same');
  return {
    same: rows.length - differences.length,
    differences: differences.map(({ kind, text, reason }) => ({ side: kind, text, reason: reason?.id ?? null })),
  };
}

function plural(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}
