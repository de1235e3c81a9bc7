/** From the text of a scenario file to a scenario, or to every problem in it with its line. */
import { FAULT_KINDS, FAULTS, type FaultDeclaration, type FaultKind } from '../faults/catalogue.js';
import type { PlannedFault } from '../faults/engine.js';
import { complaint, type FaultParameter, type ParameterValue, rangeOf } from '../faults/parameters.js';
import { type ChipName, DEFAULT_CHIP } from '../machine/chips.js';
import { formatTime } from '../sim/time.js';
import type { PlannedAction } from './action.js';
import { type Names, namesOf } from './names.js';
import { readAction } from './read-action.js';
import { readExpectation } from './read-expectation.js';
import { readMachine } from './read-machine.js';
import { type OpenProfile, readNamedProfile, readTimingProfile } from './read-profile.js';
import { LONGEST_NS, type MapReader, Reader, type Value } from './reader.js';
import { DEFAULT_SETTLE_NS, type Expectation, MOST_TIMES, type Scenario, type ScenarioMachine } from './scenario.js';

export const SCENARIO_KEYS = [
  'name',
  'about',
  'seed',
  'machine',
  'faults',
  'actions',
  'expect',
  'settle',
  'until',
] as const;
export const FAULT_KEYS = ['at', 'kind', 'device', 'times', 'every'] as const;

const NAME = /^[a-z0-9][a-z0-9-]*$/;

/** `open` leads to the timing profile, if the scenario names one; `chip` is the machine's, instead of the one in the text. */
export function readScenario(file: string, text: string, open?: OpenProfile, chip?: ChipName): Scenario {
  const reader = new Reader(file, text);
  const root = reader.root();
  root.only(SCENARIO_KEYS);
  const name = readName(root);
  const about = root.need('about')?.string() ?? '';
  const machine = root.need('machine')?.map();
  const built = machine === undefined ? NO_MACHINE : readMachine(machine, chip);
  const profile = readNamedProfile(machine?.get('profile'), open);
  const names = namesOf(built.slots, built.chip);
  const on = built.chip ?? DEFAULT_CHIP;
  const faults = (root.need('faults')?.list() ?? []).map((item) => readFault(item, names, on));
  const actions = (root.get('actions')?.list() ?? []).map((item) => readAction(item, names));
  const expect = (root.need('expect')?.list() ?? []).map((item) => readExpectation(item, names));
  if (root.has('expect') && expect.length === 0) root.get('expect')!.fail('a scenario expects something');
  const scenario: Scenario = {
    ...{ name, about, ...built },
    seed: readSeed(root, name),
    faults: faults.filter((fault): fault is PlannedFault => fault !== undefined),
    actions: actions.filter((action): action is PlannedAction => action !== undefined),
    expect: expect.filter((each): each is Expectation => each !== undefined),
    settleNs: root.get('settle')?.duration() ?? DEFAULT_SETTLE_NS,
    untilNs: root.get('until')?.duration(),
  };
  checkEnd(root.get('until'), scenario);
  reader.finish();
  return profile === undefined ? scenario : { ...scenario, timing: readTimingProfile(profile.file, profile.text) };
}

/** What comes after the end never happens, and whatever must not happen would count as met. */
function checkEnd(until: Value | undefined, { untilNs, faults, actions }: Scenario): void {
  if (until === undefined || untilNs === undefined) return;
  const lastNs = Math.max(...[...faults, ...actions].map(({ atNs }) => atNs));
  if (lastNs < untilNs) return;
  until.fail(`the run ends at ${formatTime(untilNs)}, before what is planned for ${formatTime(lastNs)}`);
}

const NO_MACHINE: ScenarioMachine = { slots: new Map() };

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

function readFault(value: Value, names: Names, chip: ChipName): PlannedFault | undefined {
  const map = value.map();
  if (map === undefined) return undefined;
  const kind = map.need('kind')?.oneOf(FAULT_KINDS, 'fault kind', 'Fault kinds: phbsim run --faults');
  const atNs = map.need('at')?.duration();
  if (kind === undefined) return undefined;
  const declaration: FaultDeclaration = FAULTS[kind];
  map.only([...FAULT_KEYS, ...Object.keys(declaration.parameters)]);
  if (declaration.chips?.includes(chip) === false) {
    map.get('kind')!.fail(`${kind} does not fit a machine with ${chip}: it takes ${declaration.chips.join(' or ')}`);
    return undefined;
  }
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
  if ('drawn' in parameter) return readAddress(value);
  if ('least' in parameter) return value.integer(parameter.least, parameter.most);
  const ns = value.duration();
  if (ns === undefined || complaint(parameter, ns) === undefined) return ns;
  return value.fail(`${name} must be ${rangeOf(parameter).replace(/,.*/, '')}`);
}

function readAddress(value: Value): string | undefined {
  const address = value.word();
  return address === undefined ? undefined : `0x${address.toString(16)}`;
}

function readTarget(map: MapReader, kind: FaultKind, names: Names): string | undefined {
  const { hits }: FaultDeclaration = FAULTS[kind];
  const allowed = [
    ...(hits.includes('card') ? names.slots : []),
    ...(hits.includes('switch') ? names.switches : []),
    ...(hits.includes('phb') ? names.phbs : []),
    ...(hits.includes('hub') ? names.hubs : []),
  ];
  return map.need('device')?.oneOf(allowed, 'device', `${kind} can hit: ${allowed.join(', ') || 'nothing here'}`);
}
