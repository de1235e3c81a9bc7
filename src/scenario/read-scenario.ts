/** From the text of a scenario file to a scenario, or to every problem in it with its line. */
import { FAULT_KINDS, FAULTS, type FaultDeclaration, type FaultKind } from '../faults/catalogue.js';
import type { PlannedFault } from '../faults/engine.js';
import { complaint, type FaultParameter, type ParameterValue, rangeOf } from '../faults/parameters.js';
import { PHBS_PER_CHIP } from '../machine/powernv8.js';
import {
  BRIDGE_CARD,
  DEVICE_MODELS,
  type DeviceModel,
  DRIVEN_MODEL,
  DRIVER_KINDS,
  MOST_DEVICES_BEHIND,
  MOST_FUNCTIONS,
  MOST_SLOTS_PER_PHB,
  modelsOf,
  type SlotOptions,
} from '../machine/topology.js';
import { type Names, namesOf } from './names.js';
import { quoted } from './problems.js';
import { readExpectation } from './read-expectation.js';
import { type OpenProfile, readNamedProfile, readTimingProfile } from './read-profile.js';
import { LONGEST_NS, type MapReader, Reader, type Value } from './reader.js';
import { DEFAULT_SETTLE_NS, type Expectation, MOST_TIMES, type Scenario } from './scenario.js';

export const SCENARIO_KEYS = ['name', 'about', 'seed', 'machine', 'faults', 'expect', 'settle', 'until'] as const;
export const MACHINE_KEYS = ['chip', 'slots', 'max-freezes', 'profile'] as const;
export const SLOT_KEYS = ['device', 'behind', 'driver', 'phb', 'frame-every'] as const;
export const SLOT_DEVICES = [...DEVICE_MODELS, BRIDGE_CARD] as const;
export const FAULT_KEYS = ['at', 'kind', 'device', 'times', 'every'] as const;
const CHIPS = ['phb3'] as const;

/** Slots are counted over the whole machine. */
const MOST_SLOTS = PHBS_PER_CHIP * MOST_SLOTS_PER_PHB;
const NAME = /^[a-z0-9][a-z0-9-]*$/;

/** `open` leads to the timing profile, if the scenario names one. */
export function readScenario(file: string, text: string, open?: OpenProfile): Scenario {
  const reader = new Reader(file, text);
  const root = reader.root();
  root.only(SCENARIO_KEYS);
  const name = readName(root);
  const about = root.need('about')?.string() ?? '';
  const machine = root.need('machine')?.map();
  const slots = machine === undefined ? new Map<number, SlotOptions>() : readMachine(machine);
  const profile = readNamedProfile(machine?.get('profile'), open);
  const names = namesOf(slots);
  const faults = (root.need('faults')?.list() ?? []).map((item) => readFault(item, names));
  const expect = (root.need('expect')?.list() ?? []).map((item) => readExpectation(item, names));
  if (root.has('expect') && expect.length === 0) root.get('expect')!.fail('a scenario expects something');
  const scenario: Scenario = {
    ...{ name, about, slots },
    seed: readSeed(root, name),
    maxFreezes: machine?.get('max-freezes')?.integer(0, MOST_TIMES),
    faults: faults.filter((fault): fault is PlannedFault => fault !== undefined),
    expect: expect.filter((each): each is Expectation => each !== undefined),
    settleNs: root.get('settle')?.duration() ?? DEFAULT_SETTLE_NS,
    untilNs: root.get('until')?.duration(),
  };
  reader.finish();
  return profile === undefined ? scenario : { ...scenario, timing: readTimingProfile(profile.file, profile.text) };
}

function readName(root: MapReader): string {
  const value = root.need('name');
  const name = value?.string();
  if (name === undefined || value === undefined) return '';
  if (!NAME.test(name))
    value.fail('a name is small letters, digits and hyphens', { hint: 'such as dma-write-unmapped' });
  return name;
}

/** Another name, another seed: two scenarios do not share their luck. */
function readSeed(root: MapReader, name: string): string {
  const value = root.get('seed');
  if (value === undefined) return name;
  return value.isText ? (value.string() ?? '') : String(value.integer(0, Number.MAX_SAFE_INTEGER) ?? '');
}

function readMachine(machine: MapReader): Map<number, SlotOptions> {
  machine.only(MACHINE_KEYS);
  machine.get('chip')?.oneOf(CHIPS, 'chip');
  const slots = new Map<number, SlotOptions>();
  const map = machine.need('slots')?.map();
  for (const key of map?.keys ?? []) {
    const number = Number(key);
    const value = map!.get(key, `slot ${key}`)!;
    if (!/^[1-9]\d*$/.test(key) || number > MOST_SLOTS) {
      value.reader.add({
        at: map!.keySpan(key),
        message: `slots have numbers from 1 to ${MOST_SLOTS}, not ${quoted(key)}`,
      });
      continue;
    }
    slots.set(number, readSlot(value));
  }
  if (map !== undefined && map.keys.length === 0) map.fail('a machine has at least one slot');
  for (let phb = 0; phb < PHBS_PER_CHIP; phb++) {
    const here = [...slots.values()].filter((slot) => (slot.phb ?? 0) === phb).length;
    if (here > MOST_SLOTS_PER_PHB) map?.fail(`PHB ${phb} has ${here} slots; ${MOST_SLOTS_PER_PHB} is the most`);
  }
  return slots;
}

/** A slot that is wrong is there all the same: faults and expectations may name it. */
function readSlot(value: Value): SlotOptions {
  const map = value.map();
  if (map === undefined) return EMPTY_SLOT;
  map.only(SLOT_KEYS);
  const contents = readContents(map);
  const driver = map.get('driver')?.oneOf(DRIVER_KINDS, 'driver') ?? 'none';
  const phb = map.get('phb')?.integer(0, PHBS_PER_CHIP - 1);
  const framePeriodNs = map.get('frame-every')?.duration();
  if (framePeriodNs !== undefined && framePeriodNs < SHORTEST_FRAME_NS) map.get('frame-every')!.fail('at least 2 us');
  const models = contents === undefined ? [] : modelsOf({ ...contents, driver });
  if (models.length > 0 && !models.includes(DRIVEN_MODEL)) {
    const named = [...new Set(models)].join(' or ');
    if (driver !== 'none') map.get('driver')!.fail(`there is no driver for ${named}`, DRIVER_REMEDY);
    if (map.has('frame-every')) map.get('frame-every')!.fail(`${named} takes no frames`);
  }
  return {
    ...{ ...(contents ?? EMPTY_CONTENTS), driver, framePeriodNs: framePeriodNs ?? DEFAULT_FRAME_NS },
    ...(phb === undefined ? {} : { phb }),
  };
}

type Contents = Pick<SlotOptions, 'device' | 'behind'>;

/** One device, a list of functions, or a bridge and what is behind it. */
function readContents(map: MapReader): Contents | undefined {
  const value = map.need('device');
  const behind = map.get('behind');
  const functions = value?.isList === true ? readModels(value, MOST_FUNCTIONS) : undefined;
  const device = value?.isList === false ? value.oneOf(SLOT_DEVICES, 'device', DEVICE_REMEDY) : functions;
  if (device === BRIDGE_CARD) {
    if (behind === undefined) map.fail(`${map.what} lacks "behind"`, BEHIND_REMEDY);
    const models = behind === undefined ? undefined : readModels(behind, MOST_DEVICES_BEHIND);
    return models === undefined ? undefined : { device, behind: models };
  }
  if (behind !== undefined && device !== undefined) {
    behind.fail(`only a ${BRIDGE_CARD} has devices behind it`, { remedy: BEHIND_REMEDY });
  }
  return device === undefined ? undefined : { device };
}

function readModels(value: Value, most: number): DeviceModel[] | undefined {
  const items = value.list();
  if (items === undefined) return undefined;
  if (items.length < 1 || items.length > most) {
    return value.fail(`${value.what} lists 1 to ${most} devices, not ${items.length}`, { remedy: DEVICE_REMEDY });
  }
  const models = items.map((item) => item.oneOf(DEVICE_MODELS, 'device'));
  return models.every((model) => model !== undefined) ? models : undefined;
}

const DEVICE_REMEDY = `Allowed: ${SLOT_DEVICES.join(', ')}, or a list of functions such as [nic, nic]`;
const BEHIND_REMEDY = `Such as: device: ${BRIDGE_CARD}, behind: [edu, nic]`;
const DRIVER_REMEDY = { remedy: `Leave it out, or take device: ${DRIVEN_MODEL}` };
const EMPTY_CONTENTS: Contents = { device: 'nic' };
const EMPTY_SLOT: SlotOptions = { ...EMPTY_CONTENTS, driver: 'none' };
/** A frame of full length takes 1.2 us on the network. */
const SHORTEST_FRAME_NS = 2e3;
const DEFAULT_FRAME_NS = 1e6;

function readFault(value: Value, names: Names): PlannedFault | undefined {
  const map = value.map();
  if (map === undefined) return undefined;
  const kind = map.need('kind')?.oneOf(FAULT_KINDS, 'fault kind', 'Fault kinds: phbsim run --faults');
  const atNs = map.need('at')?.duration();
  if (kind === undefined) return undefined;
  const declaration: FaultDeclaration = FAULTS[kind];
  map.only([...FAULT_KEYS, ...Object.keys(declaration.parameters)]);
  const target = readTarget(map, kind, names);
  const times = map.get('times')?.integer(1, MOST_TIMES);
  const everyNs = map.get('every')?.duration();
  if ((times ?? 1) > 1 && !map.has('every')) map.get('times')!.fail(`${times} times: say how far apart with "every"`);
  if (map.has('every') && !map.has('times')) map.get('every')!.fail('every: say how often with "times"');
  const lastNs = (atNs ?? 0) + ((times ?? 1) - 1) * (everyNs ?? 0);
  if (lastNs > LONGEST_NS) map.fail(`the last of ${times} strikes comes later than a day`);
  const parameters: Record<string, ParameterValue> = {};
  for (const [name, parameter] of Object.entries(declaration.parameters)) {
    const value = map.get(name);
    const given = value === undefined ? undefined : readParameter(value, name, parameter);
    if (given !== undefined) parameters[name] = given;
  }
  if (atNs === undefined || target === undefined) return undefined;
  return {
    ...{ kind, target, atNs, parameters },
    ...(times === undefined ? {} : { times }),
    ...(everyNs === undefined ? {} : { everyNs }),
  };
}

function readParameter(value: Value, name: string, parameter: FaultParameter): ParameterValue | undefined {
  if ('choices' in parameter) return value.oneOf(parameter.choices, name);
  if ('least' in parameter) return value.integer(parameter.least, parameter.most);
  const ns = value.duration();
  if (ns === undefined || complaint(parameter, ns) === undefined) return ns;
  return value.fail(`${name} must be ${rangeOf(parameter).replace(/,.*/, '')}`);
}

function readTarget(map: MapReader, kind: FaultKind, names: Names): string | undefined {
  const { hits }: FaultDeclaration = FAULTS[kind];
  const allowed = [
    ...(hits.includes('card') ? names.slots : []),
    ...(hits.includes('switch') ? names.switches : []),
    ...(hits.includes('phb') ? names.phbs : []),
  ];
  return map.need('device')?.oneOf(allowed, 'device', `${kind} can hit: ${allowed.join(', ') || 'nothing here'}`);
}
