/** Runs a scenario: boots the machine, lets the faults strike, and stops when every expectation is decided. */
import { FaultEngine } from '../faults/engine.js';
import type { ChipName } from '../machine/chips.js';
import { type AnySystem, PowerSystem } from '../machine/system.js';
import type { TimingProfile } from '../machine/timing-profile.js';
import { type SlotDriver, TopologyError } from '../machine/topology.js';
import { quantize, type TimeNs, us } from '../sim/time.js';
import type { Evidence } from './evidence.js';
import { judge, type Verdict, waitsForEnd } from './judge.js';
import { doubtWhereNothingStruck } from './never-struck.js';
import { Observer } from './observer.js';
import { Operator } from './operator.js';
import { DEFAULT_WITHIN_NS, type ExpectationKind, type Scenario } from './scenario.js';
import { Traffic } from './traffic.js';

export interface RunResult {
  readonly scenario: Scenario;
  readonly system: AnySystem;
  readonly observer: Observer;
  readonly traffic: Traffic;
  /** When the drivers were up: the scenario's time 0. */
  readonly startNs: TimeNs;
  readonly endNs: TimeNs;
  readonly verdicts: readonly Verdict[];
  readonly digest: string;
}

export interface RunOptions {
  /** Instead of the scenario's: what a scenario says of one chip may be another's way too, or not. */
  readonly chip?: ChipName;
  readonly seed?: string;
  readonly traceCapacity?: number;
  /** Instead of the scenario's. */
  readonly timing?: TimingProfile;
  /** By slot number, instead of the scenario's: so a driver of one's own goes through a scenario that is there. */
  readonly drivers?: Readonly<Record<number, SlotDriver>>;
  /** Told now and then how far the run is: the virtual time since the drivers were up. */
  readonly onProgress?: (progress: RunProgress) => void;
}

export interface RunProgress {
  readonly nowNs: TimeNs;
  /** The run ends here at the latest. */
  readonly lastNs: TimeNs;
  /** Expectations that are decided, of so many. */
  readonly decided: number;
  readonly expectations: number;
}

/** Counters are read this often. */
const SAMPLE_NS = us(100);
/** Expectations are looked at less often: what decides them carries its own time. */
const SAMPLES_PER_LOOK = 10;

/** A machine whose drivers are up, with the faults of a scenario still to come. */
export interface BootedScenario {
  readonly system: AnySystem;
  readonly engine: FaultEngine;
  readonly operator: Operator;
  readonly observer: Observer;
  readonly startNs: TimeNs;
}

export function bootScenario(scenario: Scenario, options: RunOptions = {}): BootedScenario {
  const { maxFreezes, firmware, kernel, ports } = scenario;
  const chip = options.chip ?? scenario.chip;
  const timing = options.timing ?? scenario.timing;
  const system: AnySystem = new PowerSystem<ChipName>({
    slots: slotsWith(scenario.slots, options.drivers),
    seed: options.seed ?? scenario.seed,
    ...(chip === undefined ? {} : { chip }),
    ...(maxFreezes === undefined ? {} : { maxFreezes }),
    ...(firmware === undefined ? {} : { firmware }),
    ...(kernel === undefined ? {} : { kernel }),
    ...(ports === undefined ? {} : { ports }),
    ...(timing === undefined ? {} : { timing }),
    ...(options.traceCapacity === undefined ? {} : { traceCapacity: options.traceCapacity }),
  });
  const engine = new FaultEngine(system.sim, system.faultTargets(), system.chipName);
  system.boot();
  const operator = new Operator(system);
  const observer = new Observer(system, engine, operator);
  const startNs = system.sim.now;
  for (const fault of scenario.faults) engine.plan({ ...fault, atNs: startNs + fault.atNs });
  for (const action of scenario.actions) operator.plan({ ...action, atNs: startNs + action.atNs });
  return { system, engine, operator, observer, startNs };
}

function slotsWith(slots: Scenario['slots'], drivers: RunOptions['drivers'] = {}): Scenario['slots'] {
  const strange = Object.keys(drivers).find((number) => !slots.has(Number(number)));
  if (strange !== undefined) {
    const there = [...slots.keys()].join(', ');
    throw new TopologyError(`there is no slot ${strange} for a driver: the scenario has ${there}`);
  }
  return new Map([...slots].map(([number, slot]) => [number, { ...slot, driver: drivers[number] ?? slot.driver }]));
}

export function runScenario(scenario: Scenario, options: RunOptions = {}): RunResult {
  const { system, engine, operator, observer, startNs } = bootScenario(scenario, options);
  const traffic = new Traffic(system.slots);
  const evidence: Evidence = { system, observer, traffic, startNs };
  const outstanding = (): number => engine.outstanding + operator.outstanding;
  const verdicts = drive(scenario, evidence, { outstanding, ...options });
  return {
    ...{ scenario, system, observer, traffic, startNs, verdicts },
    endNs: system.sim.now,
    digest: system.sim.digest(),
  };
}

interface Driving extends Pick<RunOptions, 'onProgress'> {
  /** What is still to strike or to be done. */
  readonly outstanding: () => number;
}

function drive(scenario: Scenario, evidence: Evidence, { outstanding, onProgress }: Driving): Verdict[] {
  const { sim } = evidence.system;
  const lastNs = evidence.startNs + lastMoment(scenario);
  let settledAt: TimeNs | undefined;
  const judged: Judged = { decided: new Set(), size: -1 };
  evidence.traffic.sample(sim.now);
  while (sim.now < lastNs) {
    for (let sample = 0; sample < SAMPLES_PER_LOOK && sim.now < lastNs; sample++) {
      sim.run({ untilNs: Math.min(lastNs, sim.now + SAMPLE_NS) });
      evidence.traffic.sample(sim.now);
    }
    evidence.observer.look();
    const open = lookAgain(scenario, evidence, judged);
    onProgress?.({
      nowNs: sim.now - evidence.startNs,
      lastNs: lastNs - evidence.startNs,
      decided: judged.decided.size,
      expectations: scenario.expect.length,
    });
    if (open > 0 || outstanding() > 0) {
      settledAt = undefined;
      continue;
    }
    settledAt ??= sim.now + scenario.settleNs;
    if (sim.now >= settledAt) break;
  }
  // A recovery that did not last is none: all but moments in the past are looked at once more.
  return scenario.expect.map((expectation) => {
    const found = judge(expectation, evidence);
    const verdict = { ...found, ...doubtWhereNothingStruck(expectation, found, evidence) };
    return verdict.state === 'open' ? { ...verdict, state: 'not-met' as const } : verdict;
  });
}

/** What has been judged for good, and how much had been seen when the rest was. */
interface Judged {
  readonly decided: Set<number>;
  size: number;
}

/** These change while nothing new is seen: with the packets of a driver, or within a card. */
const LIVELY: readonly ExpectationKind[] = ['recovered', 'answered'];

/** Judges what is still open; returns how many of these the run has to wait for. */
function lookAgain(scenario: Scenario, evidence: Evidence, judged: Judged): number {
  const { size } = evidence.observer;
  const nothingNew = size === judged.size;
  judged.size = size;
  let open = 0;
  for (const [index, expectation] of scenario.expect.entries()) {
    if (waitsForEnd(expectation) || judged.decided.has(index)) continue;
    const same = nothingNew && !LIVELY.includes(expectation.kind);
    const state = same ? 'open' : judge(expectation, evidence).state;
    if (state === 'open' && !isOverdue(expectation.withinNs, evidence)) open++;
    // What has recovered may freeze again, and then the run waits for it again.
    else if (state !== 'met' || expectation.kind !== 'recovered') judged.decided.add(index);
  }
  return open;
}

function isOverdue(withinNs: TimeNs | undefined, { observer, system }: Evidence): boolean {
  const first = observer.firstStrikeNs;
  return first !== undefined && system.sim.now > first + (withinNs ?? DEFAULT_WITHIN_NS);
}

/** The end at the latest, from the start: the last fault, the longest wait, and time to settle. */
function lastMoment({ faults, actions, expect, settleNs, untilNs }: Scenario): TimeNs {
  if (untilNs !== undefined) return untilNs;
  const strikes = [
    ...faults.map(({ atNs, times = 1, everyNs = 0 }) => atNs + (times - 1) * everyNs),
    ...actions.map(({ atNs }) => atNs),
  ];
  const waits = expect.map(({ withinNs }) => withinNs ?? DEFAULT_WITHIN_NS);
  return quantize(Math.max(0, ...strikes) + Math.max(0, ...waits) + settleNs);
}
