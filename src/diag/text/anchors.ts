/** The marks of a dump inside a line of text: headers, labels, PEST entries, console names, time stamps. */
import { CHIPS } from '../chip.js';
import { HUB_LONG_NAMES } from '../p7ioc/hub-text.js';
import { P7IOC_OLD_NAMES } from '../p7ioc/layout.js';
import { OPAL_CONSOLE_NAMES } from '../phb4/layout.js';

export type Anchor =
  | { readonly kind: 'header'; readonly title: string; readonly phb: string; readonly version: number | undefined }
  | { readonly kind: 'label'; readonly label: string }
  | { readonly kind: 'pe'; readonly index: string; readonly run: boolean }
  | { readonly kind: 'console-phb'; readonly phb: string; readonly isPhb5: boolean }
  | { readonly kind: 'console-name'; readonly name: string; readonly leftAligned: boolean }
  | { readonly kind: 'long-header'; readonly phb: string }
  | { readonly kind: 'long-name'; readonly name: string }
  | { readonly kind: 'long-pest'; readonly word: 'A' | 'B'; readonly index: string | undefined }
  | { readonly kind: 'hub-header'; readonly unit: string }
  | { readonly kind: 'hub-label'; readonly label: string }
  | { readonly kind: 'console-pe'; readonly index: string }
  | { readonly kind: 'console-fence' }
  | { readonly kind: 'console-escalation'; readonly pe: number; readonly a: bigint }
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
const CONSOLE_NAMES = longestFirst(new Set([...FIELD_NAMES, ...OPAL_CONSOLE_NAMES.keys(), ...P7IOC_OLD_NAMES.keys()]));
const HUB_LABELS = longestFirst(HUB_LONG_NAMES.keys());

const MARK = new RegExp(
  [
    '(?<title>PHB[0-9]|P7IOC) PHB#(?<phb>[0-9a-fA-F]{1,8}) Diag-data(?: \\(Version: (?<version>\\d{1,9})\\)?)?',
    `\\b(?<label>${LABELS}):`,
    'PE\\[(?<run>\\.\\.)?(?<index> {0,4}[0-9a-fA-F]{1,4})\\] {0,4}A/B:',
    'PHB#(?<consolePhb>[0-9a-fA-F]{4})\\[(?<chip>[0-9a-fA-F]{1,3}):(?<place>[0-9a-fA-F]{1,3})\\]:',
    'PHB (?<longPhb>\\d{1,9}) diagnostic data:',
    'P7IOC diag-data for (?<unit>RGC|BI (?:Up|Down)bound|CI Port \\d{1,2}|MISC|I2C)',
    `(?<hub>${HUB_LABELS}|\\b(?:GEM|LEM|RGC|BI|CI)): {1,20}(?=[0-9a-fA-F]{16})`,
    `\\b(?<long>${CONSOLE_NAMES})(?:: {1,24}| {0,24}= 0x)(?=[0-9a-fA-F]{8})`,
    '(?:PE\\[(?<longIndex> {0,4}\\d{1,3})\\] )?PEST(?<longWord>[AB])(?:: {1,24}| {0,24}= 0x)(?=[0-9a-fA-F]{16})',
    `\\b(?<name>${CONSOLE_NAMES})(?<gap> {0,24})=`,
    'PEST\\[(?<pest>[0-9a-fA-F]{1,4})\\] {0,4}=',
    '(?<fence>PHB Freeze/Fence detected)',
    'Escalating freeze to fence PESTA\\[(?<escalated>\\d{1,4})\\]=(?<escalatedA>[0-9a-fA-F]{1,16})',
    '(?<time>\\[ {0,8}\\d{1,9}\\.\\d{6,9}(?:,\\d)?\\])',
  ].join('|'),
  'g',
);

/** Values of a record fit in this many characters; a longer body is somebody else's text. */
const BODY_LIMIT = 400;
const LEAD_LIMIT = 400;

/** Firmware numbers 6 bridges a chip on POWER9 and 18 on POWER10. Derived from the numbers of real dumps. */
const BRIDGES = { POWER9: 6, POWER10: 18 } as const;

function isPhb5(groups: Record<string, string | undefined>): boolean {
  const [number, chip, place] = ['consolePhb', 'chip', 'place'].map((name) => Number.parseInt(groups[name]!, 16));
  return number === chip! * BRIDGES.POWER10 + place! && number !== chip! * BRIDGES.POWER9 + place!;
}

function anchorOf(groups: Record<string, string | undefined>): Anchor {
  if (groups['title'] !== undefined) {
    const version = groups['version'] === undefined ? undefined : Number(groups['version']);
    return { kind: 'header', title: groups['title'], phb: groups['phb']!, version };
  }
  if (groups['label'] !== undefined) return { kind: 'label', label: groups['label'] };
  if (groups['index'] !== undefined) return { kind: 'pe', index: groups['index'], run: groups['run'] !== undefined };
  if (groups['consolePhb'] !== undefined) {
    return { kind: 'console-phb', phb: groups['consolePhb'], isPhb5: isPhb5(groups) };
  }
  if (groups['longPhb'] !== undefined) return { kind: 'long-header', phb: groups['longPhb'] };
  if (groups['unit'] !== undefined) return { kind: 'hub-header', unit: groups['unit'] };
  if (groups['hub'] !== undefined) return { kind: 'hub-label', label: groups['hub'] };
  if (groups['long'] !== undefined) return { kind: 'long-name', name: groups['long'] };
  if (groups['longWord'] !== undefined) {
    return { kind: 'long-pest', word: groups['longWord'] === 'A' ? 'A' : 'B', index: groups['longIndex'] };
  }
  if (groups['name'] !== undefined) {
    return { kind: 'console-name', name: groups['name'], leftAligned: groups['gap']!.length > 1 };
  }
  if (groups['pest'] !== undefined) return { kind: 'console-pe', index: groups['pest'] };
  if (groups['escalated'] !== undefined) {
    return { kind: 'console-escalation', pe: Number(groups['escalated']), a: BigInt(`0x${groups['escalatedA']!}`) };
  }
  return groups['fence'] !== undefined ? { kind: 'console-fence' } : { kind: 'time' };
}

/** What stands in front of the colon or the equals sign of a mark: the last letters of its name, as one number. */
const LETTERS = 3;
const ENDINGS: ReadonlySet<number> = new Set(
  [LABELS, CONSOLE_NAMES, HUB_LABELS, 'GEM|LEM|RGC', 'PESTA|PESTB|A/B']
    .flatMap((names) => names.split('|'))
    .map((name) => endingBefore(name, name.length)),
);
const COLON = 0x3a;
const EQUALS = 0x3d;
const BLANK = 0x20;
const CLOSING_BRACKET = 0x5d;
const [B, C, I] = [0x42, 0x43, 0x49] as const;
const isWord = (code: number): boolean => /\w/.test(String.fromCharCode(code));

/** Seven bits a letter: letters of other alphabets look like these, and then the pattern decides. */
function endingBefore(text: string, end: number): number {
  if (end < LETTERS) return 0;
  return (
    ((text.charCodeAt(end - 3) & 0x7f) << 14) |
    ((text.charCodeAt(end - 2) & 0x7f) << 7) |
    (text.charCodeAt(end - 1) & 0x7f)
  );
}

/** BI or CI, and no other name that ends so. */
function endsInUnit(text: string, end: number): boolean {
  if (text.charCodeAt(end - 1) !== I) return false;
  const before = text.charCodeAt(end - 2);
  return (before === B || before === C) && (end === 2 || !isWord(text.charCodeAt(end - 3)));
}

/**
 * Whether a line may hold a mark other than a time. Most lines do not, and the long pattern costs far more than a look at
 * what stands in front of their colons.
 */
function mayHoldMark(text: string): boolean {
  if (text.includes('iag') || text.includes('Freeze/Fence')) return true;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code !== COLON && code !== EQUALS) continue;
    let end = at;
    while (end > 0 && code === EQUALS && text.charCodeAt(end - 1) === BLANK) end--;
    if (end === 0) continue;
    if (text.charCodeAt(end - 1) === CLOSING_BRACKET || ENDINGS.has(endingBefore(text, end))) return true;
    if (endsInUnit(text, end)) return true;
  }
  return false;
}

const TIME = /\[ {0,8}\d{1,9}\.\d{6,9}(?:,\d)?\]/g;
const TIME_ANCHOR: Anchor = { kind: 'time' };

export function segmentLine(text: string): SegmentedLine {
  if (!mayHoldMark(text)) return segmentTimes(text);
  const matches = [...text.matchAll(MARK)];
  const segments = matches.map((match, i) => {
    const start = match.index + match[0].length;
    const end = matches[i + 1]?.index ?? text.length;
    return { anchor: anchorOf(match.groups!), body: text.slice(start, Math.min(end, start + BODY_LIMIT)) };
  });
  return { lead: text.slice(0, Math.min(matches[0]?.index ?? text.length, LEAD_LIMIT)), segments };
}

/** Most lines have one time stamp, and nothing else. */
function segmentTimes(text: string): SegmentedLine {
  const segments: Segment[] = [];
  let lead = text.length;
  const from = text.indexOf('[');
  if (from >= 0) {
    TIME.lastIndex = from;
    for (let found = TIME.exec(text); found !== null; ) {
      const start = TIME.lastIndex;
      if (segments.length === 0) lead = found.index;
      found = TIME.exec(text);
      const end = Math.min(found?.index ?? text.length, start + BODY_LIMIT);
      segments.push({ anchor: TIME_ANCHOR, body: text.slice(start, end) });
    }
  }
  return { lead: text.slice(0, Math.min(lead, LEAD_LIMIT)), segments };
}

/** A line of the kernel's EEH messages that stops where more has to follow. */
const UNFINISHED_WORDS =
  /EEH:(?: (?:Recovering|Frozen|Fenced|dead)(?: PHB#[0-9a-f]{1,8}-?)?| \[[0-9a-fA-Fptrvl_()]{1,20}\])?$|has failed \d{1,9} times[^.]{0,100}$|PCI [0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.\d#[0-9a-f]{1,8}:(?: EEH:(?: Invoking| [\w-]{1,40} driver(?: reports:)?)?)?$|RTAS \d{1,4}:(?: [0-9a-f]{8}){0,3}$|TRACE:0x[0-9a-f]{16} {0,3}(?:\d{1,6}ms)?(?: {1,4}\w{1,10})?$|PHB#[0-9a-fA-F]{4}\[[0-9a-f]{1,3}:[0-9a-f]{1,3}\]: {1,24}[A-Za-z][\w ]{1,30}=?$/;

/** The line stops in the middle of a mark: a mailer broke it there. */
const UNFINISHED =
  /(?:(?:PHB[0-9]|P7IOC)(?: PHB#[0-9a-fA-F]{1,8}(?: Diag-data(?: \(Version:)?)?)?|PE\[(?:\.\.)? {0,4}(?:[0-9a-fA-F]{1,4}\](?: A\/B:(?: as)?)?)?)$/;

/** How a line ends that stops inside a mark or a message: no other end is worth the patterns. */
export function endsInsideMark(text: string): boolean {
  const end = text.length > LEAD_LIMIT ? text.slice(-LEAD_LIMIT) : text;
  return UNFINISHED.test(end) || UNFINISHED_WORDS.test(end);
}
