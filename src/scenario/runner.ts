/** Runs a scenario: boots the machine, lets the faults strike, and stops when every expectation is decided. */
import { FaultEngine } from '../faults/engine.js';
import type { FaultTarget } from '../faults/target.js';
import { PBCQ_SCOM_RANGES } from '../ioda2/registers/pbcq.js';
import { PowerSystem } from '../machine/system.js';
import type { TimingProfile } from '../machine/timing-profile.js';
import { quantize, type TimeNs, us } from '../sim/time.js';
import { type Evidence, judge, type Verdict, waitsForEnd } from './judge.js';
import { Observer } from './observer.js';
import { DEFAULT_WITHIN_NS, type Scenario } from './scenario.js';
import { Traffic } from './traffic.js';

export interface RunResult {
  readonly scenario: Scenario;
  readonly system: PowerSystem;
  readonly observer: Observer;
  readonly traffic: Traffic;
  /** When the drivers were up: the scenario's time 0. */
  readonly startNs: TimeNs;
  readonly endNs: TimeNs;
  readonly verdicts: readonly Verdict[];
  readonly digest: string;
}

export interface RunOptions {
  readonly seed?: string;
  readonly traceCapacity?: number;
  /** Instead of the scenario's. */
  readonly timing?: TimingProfile;
}

/** Counters are read this often. */
const SAMPLE_NS = us(100);
/** Expectations are looked at less often: what decides them carries its own time. */
const SAMPLES_PER_LOOK = 10;

export function runScenario(scenario: Scenario, options: RunOptions = {}): RunResult {
  const { slots, maxFreezes } = scenario;
  const timing = options.timing ?? scenario.timing;
  const system = new PowerSystem({
    slots,
    seed: options.seed ?? scenario.seed,
    ...(maxFreezes === undefined ? {} : { maxFreezes }),
    ...(timing === undefined ? {} : { timing }),
    ...(options.traceCapacity === undefined ? {} : { traceCapacity: options.traceCapacity }),
  });
  const engine = new FaultEngine(system.sim, faultTargets(system));
  system.boot();
  const observer = new Observer(system, engine);
  const startNs = system.sim.now;
  for (const fault of scenario.faults) engine.plan({ ...fault, atNs: startNs + fault.atNs });
  const traffic = new Traffic(system.slots);
  const evidence: Evidence = { system, observer, traffic, startNs };
  const verdicts = drive(scenario, evidence, engine);
  return {
    ...{ scenario, system, observer, traffic, startNs, verdicts },
    endNs: system.sim.now,
    digest: system.sim.digest(),
  };
}

function drive(scenario: Scenario, evidence: Evidence, engine: FaultEngine): Verdict[] {
  const { sim } = evidence.system;
  const lastNs = evidence.startNs + lastMoment(scenario);
  let settledAt: TimeNs | undefined;
  const decided = new Set<number>();
  evidence.traffic.sample(sim.now);
  while (sim.now < lastNs) {
    for (let sample = 0; sample < SAMPLES_PER_LOOK && sim.now < lastNs; sample++) {
      sim.run({ untilNs: Math.min(lastNs, sim.now + SAMPLE_NS) });
      evidence.traffic.sample(sim.now);
    }
    const open = lookAgain(scenario, evidence, decided);
    if (open > 0 || engine.outstanding > 0) {
      settledAt = undefined;
      continue;
    }
    settledAt ??= sim.now + scenario.settleNs;
    if (sim.now >= settledAt) break;
  }
  // A recovery that did not last is none: all but moments in the past are looked at once more.
  return scenario.expect.map((expectation) => {
    const verdict = judge(expectation, evidence);
    return verdict.state === 'open' ? { ...verdict, state: 'not-met' as const } : verdict;
  });
}

/** Judges what is still open; returns how many of these the run has to wait for. */
function lookAgain(scenario: Scenario, evidence: Evidence, decided: Set<number>): number {
  let open = 0;
  for (const [index, expectation] of scenario.expect.entries()) {
    if (waitsForEnd(expectation) || decided.has(index)) continue;
    const { state } = judge(expectation, evidence);
    if (state === 'open' && !isOverdue(expectation.withinNs, evidence)) open++;
    // What has recovered may freeze again, and then the run waits for it again.
    else if (state !== 'met' || expectation.kind !== 'recovered') decided.add(index);
  }
  return open;
}

function isOverdue(withinNs: TimeNs | undefined, { observer, system }: Evidence): boolean {
  const first = observer.firstStrikeNs;
  return first !== undefined && system.sim.now > first + (withinNs ?? DEFAULT_WITHIN_NS);
}

/** The end at the latest, from the start: the last fault, the longest wait, and time to settle. */
function lastMoment({ faults, expect, settleNs, untilNs }: Scenario): TimeNs {
  if (untilNs !== undefined) return untilNs;
  const strikes = faults.map(({ atNs, times = 1, everyNs = 0 }) => atNs + (times - 1) * everyNs);
  const waits = expect.map(({ withinNs }) => withinNs ?? DEFAULT_WITHIN_NS);
  return quantize(Math.max(0, ...strikes) + Math.max(0, ...waits) + settleNs);
}

function faultTargets(system: PowerSystem): FaultTarget[] {
  const cards = system.slots.map((slot) => slot.faultTarget());
  const switches = system.switches.map((each): FaultTarget => {
    return {
      kind: 'switch',
      name: each.name,
      sendErrorMessage: (message) => each.switch.report(each.switch.rid, message),
    };
  });
  const phbs = system.machine.phbs.map((phb, index): FaultTarget => {
    const { base, strideOfPhb, bank } = PBCQ_SCOM_RANGES.nest;
    return {
      kind: 'phb',
      name: `phb${index}`,
      writeNest: (register, value) => phb.scomWrite(base + strideOfPhb * index + bank.get(register).offset, value),
    };
  });
  return [...cards, ...switches, ...phbs];
}
