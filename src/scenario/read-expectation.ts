/** Reads one expectation: its first key says what is expected of whom. */
import { CALLBACKS } from '../eeh/drivers/scripted-driver.js';
import { VOTES } from '../eeh/drivers/votes.js';
import type { ErrorEventName } from '../machine/chip.js';
import { CHIP_NAMES, CHIPS } from '../machine/chips.js';
import type { LinkError } from '../pcie/link-error.js';
import { DETECTIONS } from './log-evidence.js';
import type { Names } from './names.js';
import type { MapReader, Value } from './reader.js';
import { RESET_KINDS } from './reset-watch.js';
import { type Expectation, type ExpectationKind, type FateOfSlot, MOST_TIMES, type StateOfSlot } from './scenario.js';

/** Names for several events together. */
export const CAUSE_GROUPS: Readonly<Record<string, readonly ErrorEventName[]>> = {
  'dma-iommu-fault': ['tce-page-fault', 'tce-access-fault', 'tve-invalid', 'tve-requester', 'tve-range'],
  'mmio-load-error': ['mmio-load-ca', 'mmio-load-ur', 'mmio-load-timeout'],
  'error-message': ['err-fatal', 'err-nonfatal'],
};
/** Events of all chips. */
export const EVENT_NAMES: readonly ErrorEventName[] = [
  ...new Set(CHIP_NAMES.flatMap((chip) => CHIPS[chip].moments.eventNames)),
];
export const CAUSES: readonly string[] = [...Object.keys(CAUSE_GROUPS), ...EVENT_NAMES];

/** By what they are called in the file. */
export const LINK_WIDTHS: Readonly<Record<string, number>> = { x1: 1, x2: 2, x4: 4, x8: 8, x16: 16 };
export const LINK_SPEEDS: Readonly<Record<string, number>> = { gen1: 1, gen2: 2, gen3: 3 };
export const LINK_ERRORS = [
  'receiver-error',
  'bad-tlp',
  'bad-dllp',
  'replay-timer-timeout',
  'replay-num-rollover',
  'surprise-down',
] as const satisfies readonly LinkError[];
const STATUSES = ['SC', 'CA', 'UR', 'timeout'] as const;

/** Keys beside the one that names the expectation. */
export const EXPECTATION_KEYS: Readonly<Record<ExpectationKind, readonly string[]>> = {
  freeze: ['cause', 'within', 'times'],
  pest: ['a', 'b', 'within'],
  untouched: [],
  recovered: ['within'],
  unplugged: ['within'],
  replugged: ['within'],
  removed: [],
  failed: ['within'],
  'still-recovering': [],
  'left-frozen': [],
  detected: ['by', 'times', 'within'],
  voted: ['in', 'vote', 'within'],
  reset: ['by', 'within'],
  'no-reset': [],
  'all-ones': ['times', 'within'],
  link: ['width', 'speed', 'within'],
  stalled: ['within'],
  'link-error': ['error', 'times', 'within'],
  answered: ['with', 'within'],
  log: ['within'],
  'no-log': [],
  'log-order': ['within'],
  fenced: ['within'],
  'not-fenced': [],
  dead: ['within'],
  informative: ['within'],
};
export const EXPECTATION_KINDS = Object.keys(EXPECTATION_KEYS) as readonly ExpectationKind[];

export function readExpectation(value: Value, names: Names): Expectation | undefined {
  const map = value.map();
  if (map === undefined) return undefined;
  const kind = EXPECTATION_KINDS.find((each) => map.has(each));
  if (kind === undefined) {
    map.only(EXPECTATION_KINDS);
    if (map.keys.length === 0) map.fail('an expectation names something', `Allowed: ${EXPECTATION_KINDS.join(', ')}`);
    return undefined;
  }
  const others = EXPECTATION_KINDS.filter((each) => each !== kind && map.has(each));
  for (const other of others) {
    value.reader.add({
      at: map.keySpan(other),
      message: `${map.what} has no "${other}" beside "${kind}"`,
      remedy: 'An item is one expectation: begin another with "-".',
    });
  }
  map.only([kind, ...EXPECTATION_KEYS[kind], ...others]);
  const withinNs = map.get('within')?.duration();
  const particular = READ[kind](map, names);
  if (particular === undefined) return undefined;
  const { start, end } = map.span;
  const text = onOneLine(value.reader.text.slice(start, end));
  return { ...particular, text, ...(withinNs === undefined ? {} : { withinNs }) };
}

/** As written, whether in braces or in lines. */
function onOneLine(source: string): string {
  const inLines = !source.startsWith('{');
  const joined = inLines ? source.replace(/:\s*\n\s*- /g, ': ').replace(/\n\s*(?:- )?/g, ', ') : source;
  return joined
    .replace(/^\{\s*|\s*\}$/g, '')
    .replace(/\s+/g, ' ')
    .trim()
    .replace(/,$/, '');
}

type Particular = Expectation extends infer E ? (E extends Expectation ? Omit<E, 'text' | 'withinNs'> : never) : never;

const anyPe = ({ slots, switches, bridges }: Names): string[] => [...slots, ...switches, ...bridges];

type Read = (map: MapReader, names: Names) => Particular | undefined;

const READ: Readonly<Record<ExpectationKind, Read>> = {
  freeze: readFreeze,
  pest: readPest,
  untouched: ofSlot('untouched'),
  recovered: ofSlot('recovered'),
  unplugged: ofSlot('unplugged'),
  replugged: ofSlot('replugged'),
  removed: ofSlot('removed'),
  failed: ofSlotOrPhb('failed'),
  'still-recovering': ofSlotOrPhb('still-recovering'),
  'left-frozen': ofSlot('left-frozen'),
  detected: readDetected,
  voted: readVoted,
  reset: readReset,
  'no-reset': ofSlot('no-reset'),
  'all-ones': (map, names) => {
    const slot = map.get('all-ones')!.oneOf(names.slots, 'slot');
    const times = readTimes(map);
    return slot === undefined ? undefined : { kind: 'all-ones', slot, times };
  },
  link: readLink,
  stalled: ofSlot('stalled'),
  'link-error': readLinkError,
  answered: readAnswered,
  log: ofLog('log'),
  'no-log': ofLog('no-log'),
  'log-order': readLogOrder,
  fenced: ofPhb('fenced'),
  'not-fenced': ofPhb('not-fenced'),
  dead: ofPhb('dead'),
  informative: ofPhb('informative'),
};

function ofSlot(kind: StateOfSlot | FateOfSlot): Read {
  return (map, names) => {
    const slot = map.get(kind)!.oneOf(names.slots, 'slot');
    return slot === undefined ? undefined : { kind, slot };
  };
}

function ofSlotOrPhb(kind: 'failed' | 'still-recovering'): Read {
  return (map, names) => {
    const pe = map.get(kind)!.oneOf([...names.slots, ...names.phbs], 'device');
    return pe === undefined ? undefined : { kind, pe };
  };
}

function ofPhb(kind: 'fenced' | 'not-fenced' | 'dead' | 'informative'): Read {
  return (map, names) => {
    const phb = map.get(kind)!.oneOf(names.phbs, 'PHB');
    return phb === undefined ? undefined : { kind, phb: names.phbs.indexOf(phb) };
  };
}

function ofLog(kind: 'log' | 'no-log'): Read {
  return (map) => {
    const pattern = readPattern(map.get(kind)!);
    return pattern === undefined ? undefined : { kind, pattern };
  };
}

const readTimes = (map: MapReader): number => map.get('times')?.integer(1, MOST_TIMES) ?? 1;

function readFreeze(map: MapReader, names: Names): Particular | undefined {
  const pe = map.get('freeze')!.oneOf(anyPe(names), 'device');
  const cause = map.get('cause')?.oneOf(CAUSES, 'cause');
  const times = readTimes(map);
  if (pe === undefined) return undefined;
  if (cause === undefined) return { kind: 'freeze', pe, times };
  return { kind: 'freeze', pe, times, causes: CAUSE_GROUPS[cause] ?? [cause as ErrorEventName] };
}

function readPest(map: MapReader, names: Names): Particular | undefined {
  const pe = map.get('pest')!.oneOf(anyPe(names), 'device');
  const a = map.get('a')?.word();
  const b = map.get('b')?.word();
  if (!map.has('a') && !map.has('b')) map.fail('pest lacks the words: a: 0x..., b: 0x..., or both');
  if (pe === undefined) return undefined;
  return { kind: 'pest', pe, ...(a === undefined ? {} : { a }), ...(b === undefined ? {} : { b }) };
}

function readDetected(map: MapReader, names: Names): Particular | undefined {
  const pe = map.get('detected')!.oneOf([...anyPe(names), ...names.phbs], 'device');
  const by = map.need('by')?.oneOf(DETECTIONS, 'way to notice');
  const times = readTimes(map);
  return pe === undefined || by === undefined ? undefined : { kind: 'detected', pe, by, times };
}

function readVoted(map: MapReader, names: Names): Particular | undefined {
  const slot = map.get('voted')!.oneOf(names.slots, 'slot');
  const callback = map.need('in')?.oneOf(CALLBACKS, 'callback');
  const vote = map.need('vote')?.oneOf(VOTES, 'vote');
  if (slot === undefined || callback === undefined || vote === undefined) return undefined;
  return { kind: 'voted', slot, callback, vote };
}

function readReset(map: MapReader, names: Names): Particular | undefined {
  const slot = map.get('reset')!.oneOf(names.slots, 'slot');
  const by = map.need('by')?.oneOf(RESET_KINDS, 'reset');
  return slot === undefined || by === undefined ? undefined : { kind: 'reset', slot, by };
}

function readLinkError(map: MapReader, names: Names): Particular | undefined {
  const slot = map.get('link-error')!.oneOf(names.slots, 'slot');
  const error = map.need('error')?.oneOf(LINK_ERRORS, 'link error');
  const times = readTimes(map);
  return slot === undefined || error === undefined ? undefined : { kind: 'link-error', slot, error, times };
}

function readAnswered(map: MapReader, names: Names): Particular | undefined {
  const slot = map.get('answered')!.oneOf(names.slots, 'slot');
  const status = map.need('with')?.oneOf(STATUSES, 'completion status');
  return slot === undefined || status === undefined ? undefined : { kind: 'answered', slot, status };
}

function readLogOrder(map: MapReader): Particular | undefined {
  const items = map.get('log-order')!.list() ?? [];
  const patterns = items.map(readPattern);
  if (items.length === 1) map.get('log-order')!.fail('an order has at least two lines; for one there is "log"');
  const all = patterns.filter((pattern): pattern is string | RegExp => pattern !== undefined);
  return items.length < 2 || all.length < items.length ? undefined : { kind: 'log-order', patterns: all };
}

function readLink(map: MapReader, names: Names): Particular | undefined {
  const slot = map.get('link')!.oneOf(names.slots, 'slot');
  const width = map.get('width')?.oneOf(Object.keys(LINK_WIDTHS), 'link width');
  const speed = map.get('speed')?.oneOf(Object.keys(LINK_SPEEDS), 'link speed');
  if (!map.has('width') && !map.has('speed'))
    map.fail('link lacks what it comes up with: width: x4, speed: gen1, or both');
  if (slot === undefined) return undefined;
  return {
    ...{ kind: 'link', slot },
    ...(width === undefined ? {} : { width: LINK_WIDTHS[width]! }),
    ...(speed === undefined ? {} : { speed: LINK_SPEEDS[speed]! }),
  };
}

/** Text that a line contains, or /a pattern/, or /a pattern/i. */
function readPattern(value: Value): string | RegExp | undefined {
  const text = value.string();
  if (text === undefined) return undefined;
  const [, pattern, flags] = /^\/(.+)\/([a-z]*)$/.exec(text) ?? [];
  if (pattern === undefined || flags === undefined) return text;
  if (flags !== '' && flags !== 'i') {
    return value.fail(`a pattern has no flags "${flags}"`, { hint: `write /${pattern}/, or /${pattern}/i` });
  }
  try {
    return new RegExp(pattern, flags);
  } catch (error) {
    return value.fail(`not a regular expression: ${(error as Error).message}`);
  }
}
