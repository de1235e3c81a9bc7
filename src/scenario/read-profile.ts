/** From the text of a timing profile to the timing of a machine, or to every mistake in it with its line. */
import type { Figure } from '../hw/figure.js';
import { KNOWN } from '../hw/register.js';
import {
  composeTiming,
  type Figures,
  figuresOf,
  keyOf,
  POWER8_TIMING,
  rangeOfFigure,
  TIMING_GROUPS,
  type TimingGroup,
  type TimingProfile,
} from '../machine/timing-profile.js';
import { type MapReader, Reader, type Value } from './reader.js';

/** What a file calls its profile leads to a text, or to what is wrong with the name. */
export type OpenProfile = (
  written: string,
) => { readonly file: string; readonly text: string } | { readonly missing: string; readonly remedy: string };

const PROFILE_NAME = /^[a-z0-9][a-z0-9-]*$/;
const FIGURE_KEYS = ['value', 'known', 'source'] as const;
const VALUE_REMEDY = 'Such as 60 ns, or { value: 60 ns, known: stated, source: where it says so }.';

/** Figures the profile leaves out are as by default. */
export function readTimingProfile(file: string, text: string): TimingProfile {
  const reader = new Reader(file, text);
  const root = reader.root('profile');
  root.only(['name', 'about', ...TIMING_GROUPS.map(keyOf)]);
  const name = root.need('name');
  const called = name?.string() ?? '';
  if (called !== '' && !PROFILE_NAME.test(called)) {
    name!.fail('a name is small letters, digits and hyphens', { hint: 'such as fast-links' });
  }
  root.get('about')?.string();
  const given: Partial<Record<TimingGroup, Figures>> = {};
  for (const group of TIMING_GROUPS) {
    const map = root.get(keyOf(group))?.map();
    if (map !== undefined) given[group] = readGroup(map, group, called);
  }
  reader.finish();
  return composeTiming(called, given);
}

function readGroup(map: MapReader, group: TimingGroup, profile: string): Figures {
  const names = Object.keys(figuresOf(POWER8_TIMING, group));
  map.only(names.map(keyOf));
  const figures: Record<string, Figure> = {};
  for (const name of names) {
    const value = map.get(keyOf(name), `${keyOf(group)}.${keyOf(name)}`);
    const figure = value === undefined ? undefined : readFigure(value, { group, name, profile });
    if (figure !== undefined) figures[name] = figure;
  }
  return figures;
}

interface FigurePlace {
  readonly group: TimingGroup;
  readonly name: string;
  readonly profile: string;
}

/** A value alone is assumed; any better grade says where it is from. */
function readFigure(value: Value, place: FigurePlace): Figure | undefined {
  const assumed = { known: 'assumed', source: `profile ${place.profile}` } as const;
  if (!value.isMap) {
    const amount = readAmount(value, place);
    return amount === undefined ? undefined : { value: amount, ...assumed };
  }
  const map = value.map()!;
  map.only(FIGURE_KEYS);
  const given = map.get('value', value.what);
  if (given === undefined) map.fail(`${value.what} lacks "value"`, VALUE_REMEDY);
  const amount = given === undefined ? undefined : readAmount(given, place);
  const known = map.get('known')?.oneOf(KNOWN, 'grade') ?? assumed.known;
  const source = map.get('source')?.string();
  if (known !== 'assumed' && !map.has('source')) {
    map.fail(`${value.what} is ${known}, and lacks "source"`, 'Say where it is from, or grade it as assumed.');
  }
  return amount === undefined ? undefined : { value: amount, known, source: source ?? assumed.source };
}

function readAmount(value: Value, { group, name }: FigurePlace): number | undefined {
  const range = rangeOfFigure(group, name);
  switch (range.unit) {
    case 'time':
      return value.exactDuration(range);
    case 'bytes':
      return readBytes(value, range);
    case 'count':
      return value.integer(range.least, range.most);
  }
}

function readBytes(value: Value, { least, most }: { least: number; most: number }): number | undefined {
  const [, digits] = (value.isText ? /^(\d{1,9}) bytes$/.exec(value.string() ?? '') : undefined) ?? [];
  const bytes = Number(digits ?? Number.NaN);
  if (bytes >= least && bytes <= most) return bytes;
  return value.fail(`${value.what} must be an amount from ${least} bytes to ${most} bytes`, {
    hint: `such as ${POWER8_TIMING.link.replayBufferBytes.value} bytes`,
  });
}

/** The profile that a machine names. */
export function readNamedProfile(
  value: Value | undefined,
  open: OpenProfile | undefined,
): { readonly file: string; readonly text: string } | undefined {
  const written = value?.string();
  if (value === undefined || written === undefined) return undefined;
  const found = open?.(written) ?? { missing: 'profiles cannot be opened from here', remedy: 'Leave it out.' };
  if ('text' in found) return found;
  return value.fail(found.missing, { remedy: found.remedy });
}
