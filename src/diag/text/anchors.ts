/** The marks of a dump inside a line of text: headers, labels, PEST entries, console names, time stamps. */
import { CHIPS } from '../chip.js';
import { OPAL_CONSOLE_NAMES } from '../phb4/layout.js';

export type Anchor =
  | { readonly kind: 'header'; readonly title: string; readonly phb: string; readonly version: number | undefined }
  | { readonly kind: 'label'; readonly label: string }
  | { readonly kind: 'pe'; readonly index: string; readonly run: boolean }
  | { readonly kind: 'console-phb'; readonly phb: string }
  | { readonly kind: 'console-name'; readonly name: string; readonly leftAligned: boolean }
  | { readonly kind: 'console-pe'; readonly index: string }
  | { readonly kind: 'console-fence' }
  | { readonly kind: 'time' };

export interface Segment {
  readonly anchor: Anchor;
  /** Text after the mark, up to the next one. */
  readonly body: string;
}

export interface SegmentedLine {
  /** Text before the first mark: the place where a wrapped line goes on. */
  readonly lead: string;
  readonly segments: readonly Segment[];
}

const longestFirst = (names: Iterable<string>): string => [...names].sort((a, b) => b.length - a.length).join('|');

const LABELS = longestFirst(
  new Set(Object.values(CHIPS).flatMap((chip) => chip.layout.lines.map((line) => line.label))),
);
const FIELD_NAMES = Object.values(CHIPS).flatMap((chip) => chip.layout.fields.map((field) => field.name));
const CONSOLE_NAMES = longestFirst(new Set([...FIELD_NAMES, ...OPAL_CONSOLE_NAMES.keys()]));

const MARK = new RegExp(
  [
    '(?<title>PHB[0-9]|P7IOC) PHB#(?<phb>[0-9a-fA-F]{1,8}) Diag-data(?: \\(Version: (?<version>\\d{1,9})\\)?)?',
    `\\b(?<label>${LABELS}):`,
    'PE\\[(?<run>\\.\\.)?(?<index> {0,4}[0-9a-fA-F]{1,4})\\] {0,4}A/B:',
    'PHB#(?<consolePhb>[0-9a-fA-F]{4})\\[[0-9a-fA-F]{1,3}:[0-9a-fA-F]{1,3}\\]:',
    `\\b(?<name>${CONSOLE_NAMES})(?<gap> {0,24})=`,
    'PEST\\[(?<pest>[0-9a-fA-F]{1,4})\\] {0,4}=',
    '(?<fence>PHB Freeze/Fence detected)',
    '(?<time>\\[ {0,8}\\d{1,9}\\.\\d{6,9}(?:,\\d)?\\])',
  ].join('|'),
  'g',
);

/** Values of a record fit in this many characters; a longer body is somebody else's text. */
const BODY_LIMIT = 400;
const LEAD_LIMIT = 400;

function anchorOf(groups: Record<string, string | undefined>): Anchor {
  if (groups['title'] !== undefined) {
    const version = groups['version'] === undefined ? undefined : Number(groups['version']);
    return { kind: 'header', title: groups['title'], phb: groups['phb']!, version };
  }
  if (groups['label'] !== undefined) return { kind: 'label', label: groups['label'] };
  if (groups['index'] !== undefined) return { kind: 'pe', index: groups['index'], run: groups['run'] !== undefined };
  if (groups['consolePhb'] !== undefined) return { kind: 'console-phb', phb: groups['consolePhb'] };
  if (groups['name'] !== undefined) {
    return { kind: 'console-name', name: groups['name'], leftAligned: groups['gap']!.length > 1 };
  }
  if (groups['pest'] !== undefined) return { kind: 'console-pe', index: groups['pest'] };
  return groups['fence'] !== undefined ? { kind: 'console-fence' } : { kind: 'time' };
}

export function segmentLine(text: string): SegmentedLine {
  const matches = [...text.matchAll(MARK)];
  const segments = matches.map((match, i) => {
    const start = match.index + match[0].length;
    const end = matches[i + 1]?.index ?? text.length;
    return { anchor: anchorOf(match.groups!), body: text.slice(start, Math.min(end, start + BODY_LIMIT)) };
  });
  return { lead: text.slice(0, Math.min(matches[0]?.index ?? text.length, LEAD_LIMIT)), segments };
}

/** The line stops in the middle of a mark: a mailer broke it there. */
const UNFINISHED =
  /(?:(?:PHB[0-9]|P7IOC)(?: PHB#[0-9a-fA-F]{1,8}(?: Diag-data(?: \(Version:)?)?)?|PE\[(?:\.\.)? {0,4}(?:[0-9a-fA-F]{1,4}\](?: A\/B:(?: as)?)?)?)$/;

export function endsInsideMark(text: string): boolean {
  return UNFINISHED.test(text.slice(-LEAD_LIMIT));
}
