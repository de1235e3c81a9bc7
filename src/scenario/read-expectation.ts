/** Reads one expectation: its first key says what is expected of whom. */
import { ERROR_EVENT_NAMES, type ErrorEventName } from '../ioda2/error-bits/events.js';
import type { LinkError } from '../pcie/link-error.js';
import type { Names } from './names.js';
import type { MapReader, Value } from './reader.js';
import { type Expectation, type ExpectationKind, MOST_TIMES } from './scenario.js';

/** Names for several events together. */
export const CAUSE_GROUPS: Readonly<Record<string, readonly ErrorEventName[]>> = {
  'dma-iommu-fault': ['tce-page-fault', 'tce-access-fault', 'tve-invalid', 'tve-range'],
  'mmio-load-error': ['mmio-load-ca', 'mmio-load-ur', 'mmio-load-timeout'],
  'error-message': ['err-fatal', 'err-nonfatal'],
};
export const CAUSES: readonly string[] = [...Object.keys(CAUSE_GROUPS), ...ERROR_EVENT_NAMES];

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
  failed: ['within'],
  'left-frozen': [],
  link: ['width', 'speed', 'within'],
  stalled: ['within'],
  'link-error': ['error', 'times', 'within'],
  answered: ['with', 'within'],
  log: ['within'],
  'no-log': [],
  fenced: ['within'],
  'not-fenced': [],
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
  const particular = readParticular(kind, map, names);
  if (particular === undefined) return undefined;
  const { start, end } = map.span;
  const text = value.reader.text
    .slice(start, end)
    .replace(/^\{\s*|\s*\}$/g, '')
    .replace(/\s+/g, ' ')
    .trim();
  return { ...particular, text, ...(withinNs === undefined ? {} : { withinNs }) };
}

type Particular = Expectation extends infer E ? (E extends Expectation ? Omit<E, 'text' | 'withinNs'> : never) : never;

function readParticular(kind: ExpectationKind, map: MapReader, names: Names): Particular | undefined {
  const about = map.get(kind)!;
  switch (kind) {
    case 'freeze': {
      const pe = about.oneOf([...names.slots, ...names.switches, ...names.bridges], 'device');
      const cause = map.get('cause')?.oneOf(CAUSES, 'cause');
      const times = map.get('times')?.integer(1, MOST_TIMES) ?? 1;
      if (pe === undefined) return undefined;
      if (cause === undefined) return { kind, pe, times };
      return { kind, pe, times, causes: CAUSE_GROUPS[cause] ?? [cause as ErrorEventName] };
    }
    case 'pest': {
      const pe = about.oneOf([...names.slots, ...names.switches, ...names.bridges], 'device');
      const a = map.get('a')?.word();
      const b = map.get('b')?.word();
      if (!map.has('a') && !map.has('b')) map.fail('pest lacks the words: a: 0x..., b: 0x..., or both');
      if (pe === undefined) return undefined;
      return { kind, pe, ...(a === undefined ? {} : { a }), ...(b === undefined ? {} : { b }) };
    }
    case 'untouched':
    case 'recovered':
    case 'failed':
    case 'stalled':
    case 'left-frozen': {
      const slot = about.oneOf(names.slots, 'slot');
      return slot === undefined ? undefined : { kind, slot };
    }
    case 'link':
      return readLink(map, names);
    case 'link-error': {
      const slot = about.oneOf(names.slots, 'slot');
      const error = map.need('error')?.oneOf(LINK_ERRORS, 'link error');
      const times = map.get('times')?.integer(1, MOST_TIMES) ?? 1;
      return slot === undefined || error === undefined ? undefined : { kind, slot, error, times };
    }
    case 'answered': {
      const slot = about.oneOf(names.slots, 'slot');
      const status = map.need('with')?.oneOf(STATUSES, 'completion status');
      return slot === undefined || status === undefined ? undefined : { kind, slot, status };
    }
    case 'log':
    case 'no-log': {
      const pattern = readPattern(about);
      return pattern === undefined ? undefined : { kind, pattern };
    }
    case 'fenced':
    case 'not-fenced': {
      const phb = about.oneOf(names.phbs, 'PHB');
      return phb === undefined ? undefined : { kind, phb: names.phbs.indexOf(phb) };
    }
  }
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

/** Text that a line contains, or /a pattern/. */
function readPattern(value: Value): string | RegExp | undefined {
  const text = value.string();
  if (text === undefined) return undefined;
  const [, pattern] = /^\/(.+)\/$/.exec(text) ?? [];
  if (pattern === undefined) return text;
  try {
    return new RegExp(pattern);
  } catch (error) {
    return value.fail(`not a regular expression: ${(error as Error).message}`);
  }
}
