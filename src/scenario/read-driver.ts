/** Reads the driver of a slot: a name, or a map of what it does otherwise than the one it is like. */
import { BREAKAGES, type Breakage, type DriverPlan } from '../eeh/drivers/driver-plan.js';
import { CALLBACKS, type CallbackName } from '../eeh/drivers/scripted-driver.js';
import { type ErsVote, VOTES } from '../eeh/drivers/votes.js';
import { DRIVER_KINDS, type DriverKind } from '../machine/topology.js';
import type { MapReader, Value } from './reader.js';
import { MOST_TIMES } from './scenario.js';

export const DRIVER_KEYS = ['like', 'votes', 'reset', 'hangs', 'breaks-again', 'loads'] as const;
export const HANG_KEYS = ['in', 'for'] as const;
export const BREAKAGE_KEYS = ['in', 'by', 'times'] as const;
export const LOAD_KEYS = ['in', 'count'] as const;
export const RESET_WISHES = ['any', 'fundamental'] as const;
/** The one answer that is none: the driver has no such callback. */
const MISSING = 'missing';
export const ANSWERS = [...VOTES, MISSING] as const;
export const MOST_LOADS = 10_000;

const FLAVOURS = DRIVER_KINDS.filter((kind): kind is Exclude<DriverKind, 'none'> => kind !== 'none');
/** Callbacks in which the PE is whole, or half so: before them there is nothing to break. */
const BREAKABLE: Readonly<Record<Breakage, readonly CallbackName[]>> = {
  mmio: ['mmio_enabled', 'slot_reset', 'resume'],
  dma: ['resume'],
};
const DRIVER_REMEDY = `Allowed: ${DRIVER_KINDS.join(', ')}, or a map such as { like: recovering, votes: { slot_reset: disconnect } }`;

export function readDriver(value: Value): DriverKind | DriverPlan | undefined {
  const map = value.isMap ? value.map() : undefined;
  return map === undefined ? value.oneOf(DRIVER_KINDS, 'driver', DRIVER_REMEDY) : readPlan(map);
}

function readPlan(map: MapReader): DriverPlan {
  map.only(DRIVER_KEYS);
  const like = map.get('like')?.oneOf(FLAVOURS, 'driver');
  const votes = readVotes(map.get('votes', "the driver's votes")?.map());
  const reset = map.get('reset')?.oneOf(RESET_WISHES, 'reset');
  const hangs = readHang(map.get('hangs')?.map());
  const breaksAgain = readBreakage(map.get('breaks-again')?.map());
  const loads = readLoads(map.get('loads')?.map());
  return {
    ...(like === undefined ? {} : { like }),
    ...(votes === undefined ? {} : { votes }),
    ...(reset === undefined ? {} : { reset }),
    ...(hangs === undefined ? {} : { hangs }),
    ...(breaksAgain === undefined ? {} : { breaksAgain }),
    ...(loads === undefined ? {} : { loads }),
  };
}

function readVotes(map: MapReader | undefined): DriverPlan['votes'] {
  if (map === undefined) return undefined;
  map.only(CALLBACKS);
  const votes: Partial<Record<CallbackName, ErsVote | 'missing'>> = {};
  for (const callback of CALLBACKS) {
    const value = map.get(callback);
    const vote = value?.oneOf(ANSWERS, 'vote');
    if (callback === 'resume' && vote !== undefined && vote !== MISSING) {
      value!.fail('resume has no answer', { remedy: `Allowed: ${MISSING}` });
    } else if (vote !== undefined) votes[callback] = vote;
  }
  return votes;
}

const readCallback = (map: MapReader, allowed: readonly CallbackName[] = CALLBACKS): CallbackName | undefined =>
  map.need('in')?.oneOf(allowed, 'callback');

function readHang(map: MapReader | undefined): DriverPlan['hangs'] {
  if (map === undefined) return undefined;
  map.only(HANG_KEYS);
  const callback = readCallback(map);
  const forNs = map.get('for')?.duration();
  return callback === undefined ? undefined : { in: callback, ...(forNs === undefined ? {} : { forNs }) };
}

function readBreakage(map: MapReader | undefined): DriverPlan['breaksAgain'] {
  if (map === undefined) return undefined;
  map.only(BREAKAGE_KEYS);
  const by = map.need('by')?.oneOf(BREAKAGES, 'way to break');
  const callback = readCallback(map, by === undefined ? CALLBACKS : BREAKABLE[by]);
  const times = map.get('times')?.integer(1, MOST_TIMES);
  if (by === undefined || callback === undefined) return undefined;
  return { in: callback, by, ...(times === undefined ? {} : { times }) };
}

function readLoads(map: MapReader | undefined): DriverPlan['loads'] {
  if (map === undefined) return undefined;
  map.only(LOAD_KEYS);
  const callback = readCallback(map);
  const count = map.get('count')?.integer(1, MOST_LOADS) ?? 1;
  return callback === undefined ? undefined : { in: callback, count };
}
