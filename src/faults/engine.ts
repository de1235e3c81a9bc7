/** Makes faults strike at their times, repeats them, and keeps what came of each. */
import { hiOf, loOf } from '../hw/bits.js';
import { Priority } from '../sim/priority.js';
import type { HandlerId, Simulator } from '../sim/simulator.js';
import type { TimeNs } from '../sim/time.js';
import { defineTraceKind } from '../sim/trace.js';
import { FAULT_ACTIONS, type StrikeOutcome } from './actions.js';
import { FAULT_KINDS, FAULTS, type FaultChip, type FaultDeclaration, type FaultKind } from './catalogue.js';
import { complaint, defaultOf, type ParameterValue } from './parameters.js';
import type { FaultTarget } from './target.js';

/** A fault struck, or missed (1). */
export const FAULT_STRUCK = defineTraceKind('fault', 'fault', 'kind', 'missed', 'addressHi', 'addressLo');

export interface PlannedFault {
  readonly kind: FaultKind;
  readonly target: string;
  readonly atNs: TimeNs;
  readonly parameters?: Readonly<Record<string, ParameterValue>>;
  /** Default once; then `everyNs` apart. */
  readonly times?: number;
  readonly everyNs?: TimeNs;
}

export interface Strike extends StrikeOutcome {
  readonly fault: PlannedFault;
  readonly timeNs: TimeNs;
}

export class FaultPlanError extends Error {
  override readonly name = 'FaultPlanError';
}

export class FaultEngine {
  /** In order of time. */
  readonly strikes: Strike[] = [];
  private readonly planned: PlannedFault[] = [];
  private readonly targets: ReadonlyMap<string, FaultTarget>;
  private readonly struck: HandlerId;
  private readonly source: number;
  private readonly listeners: ((strike: Strike) => void)[] = [];
  private waiting = 0;
  /** What is to be undone, by the number in the event; and how many faults hold each thing now. */
  private readonly endings: { readonly what: object; readonly end: () => void }[] = [];
  private readonly holds = new Map<object, number>();
  private readonly ended: HandlerId;

  constructor(
    private readonly sim: Simulator,
    targets: readonly FaultTarget[],
    private readonly chip: FaultChip = 'phb3',
  ) {
    this.targets = new Map(targets.map((target) => [target.name, target]));
    this.struck = sim.handler('fault', (fault, time) => this.strike(fault, time));
    this.ended = sim.handler('fault over', (index) => this.end(index));
    this.source = sim.trace.source('faults');
  }

  /** Strikes that are still to come. */
  get outstanding(): number {
    return this.waiting;
  }

  onStrike(listener: (strike: Strike) => void): void {
    this.listeners.push(listener);
  }

  plan(fault: PlannedFault): void {
    checkPlan(fault, this.targets, this.chip);
    this.planned.push(fault);
    const times = fault.times ?? 1;
    this.waiting += times;
    this.sim.scheduleAt(fault.atNs, Priority.DEVICE, this.struck, this.planned.length - 1, 0);
  }

  private strike(index: number, time: number): void {
    const fault = this.planned[index]!;
    const outcome = FAULT_ACTIONS[fault.kind]({
      target: this.targets.get(fault.target)!,
      parameters: parametersOf(fault),
      random: this.sim.random(`faults/${index}`),
      undoAfter: (delayNs, what, end) => this.undoAfter(delayNs, what, end),
    });
    this.waiting--;
    const strike = { ...outcome, fault, timeNs: this.sim.now };
    this.strikes.push(strike);
    const { address = 0n, missed } = outcome;
    const kind = FAULT_KINDS.indexOf(fault.kind);
    this.sim.trace.emit(
      FAULT_STRUCK,
      this.source,
      index,
      kind,
      missed === undefined ? 0 : 1,
      hiOf(address),
      loOf(address),
    );
    for (const listener of this.listeners) listener(strike);
    if (time + 1 < (fault.times ?? 1)) {
      this.sim.schedule(fault.everyNs ?? 0, Priority.DEVICE, this.struck, index, time + 1);
    }
  }

  /** Of faults that hold the same thing the last to end ends it. */
  private undoAfter(delayNs: TimeNs, what: object, end: () => void): void {
    this.holds.set(what, (this.holds.get(what) ?? 0) + 1);
    this.endings.push({ what, end });
    this.sim.schedule(delayNs, Priority.DEVICE, this.ended, this.endings.length - 1, 0);
  }

  private end(index: number): void {
    const { what, end } = this.endings[index]!;
    const left = this.holds.get(what)! - 1;
    this.holds.set(what, left);
    if (left === 0) end();
  }
}

function parametersOf(fault: PlannedFault): Record<string, ParameterValue> {
  const { parameters }: FaultDeclaration = FAULTS[fault.kind];
  const values: Record<string, ParameterValue> = {};
  for (const [name, parameter] of Object.entries(parameters)) {
    values[name] = fault.parameters?.[name] ?? defaultOf(parameter);
  }
  return values;
}

function checkPlan(fault: PlannedFault, targets: ReadonlyMap<string, FaultTarget>, chip: FaultChip): void {
  const declaration: FaultDeclaration = FAULTS[fault.kind];
  const { chips = [chip] } = declaration;
  if (!chips.includes(chip)) {
    throw new FaultPlanError(`${fault.kind} does not fit a machine with ${chip}: it takes ${chips.join(' or ')}`);
  }
  const target = targets.get(fault.target);
  if (target === undefined) {
    throw new FaultPlanError(
      `${fault.kind}: no device "${fault.target}": this machine has ${[...targets.keys()].join(', ')}`,
    );
  }
  if (!declaration.hits.includes(target.kind)) {
    throw new FaultPlanError(
      `${fault.kind} does not fit ${fault.target}, a ${target.kind}: it hits ${declaration.hits.join(' or ')}`,
    );
  }
  if ((fault.times ?? 1) > 1 && fault.everyNs === undefined) {
    throw new FaultPlanError(`${fault.kind} strikes ${fault.times} times: say how far apart`);
  }
  for (const [name, value] of Object.entries(fault.parameters ?? {})) {
    const parameter = declaration.parameters[name];
    if (parameter === undefined) throw new FaultPlanError(`${fault.kind} has no parameter "${name}"`);
    const problem = complaint(parameter, value);
    if (problem !== undefined) throw new FaultPlanError(`${name} of ${fault.kind} is ${value}: ${problem}`);
  }
}
