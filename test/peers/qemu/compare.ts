/** Runs a sequence on our machine, lays its answers beside the peer's, and has each difference judged. */
import type { CardKind } from '../../../src/cosim/cosim-machine.js';
import type { Answers } from './backend.js';
import { describeStep } from './backend.js';
import type { DifferenceRule } from './differences/rule.js';
import { type Conditions, OwnMachine, type ServedMachine } from './own-machine.js';
import { keyOf, type Place, Places } from './places.js';
import { answers, type Step } from './steps.js';

export interface Sequence {
  readonly name: string;
  readonly steps: readonly Step[];
  /** What stands in the slot; edu if nothing is said. */
  readonly card?: CardKind;
}

export interface Difference {
  readonly sequence: string;
  readonly step: number;
  readonly place: Place;
  readonly qemu: bigint;
  readonly ours: bigint;
  /** What was last written there, if anything was. */
  readonly stored: bigint | undefined;
  /** What was last written anywhere, by the key of the place. */
  readonly written: (key: string) => bigint | undefined;
  /** All that was written there, first to last. */
  readonly given: (key: string) => readonly bigint[];
  readonly conditions: Conditions;
  readonly card: CardKind;
  readonly steps: readonly Step[];
}

export interface Verdict {
  readonly compared: number;
  readonly explained: ReadonlyMap<DifferenceRule, number>;
  readonly unexplained: readonly Difference[];
}

/** Our machine, fresh, step by step: so that the state of the chip is known where an answer differs. */
export async function compare(sequence: Sequence, peer: Answers, rules: readonly DifferenceRule[]): Promise<Verdict> {
  const own = new OwnMachine(sequence.card);
  const judge = new Judge(sequence, rules);
  let at = 0;
  for (const [index, step] of sequence.steps.entries()) {
    const ours = own.step(step);
    judge.next(
      index,
      step,
      answers(step) ? { qemu: peer[at++]!, ours: ours!, conditions: () => own.conditions } : undefined,
    );
  }
  await own.close();
  return judge.verdict;
}

/** Our machine behind its socket; the state of the chip is known at the end only. */
export async function compareServed(
  sequence: Sequence,
  peer: Answers,
  { own, rules }: { own: ServedMachine; rules: readonly DifferenceRule[] },
): Promise<Verdict> {
  const ours = await own.run(sequence.steps);
  const judge = new Judge(sequence, rules);
  let at = 0;
  for (const [index, step] of sequence.steps.entries()) {
    const both = answers(step) ? { qemu: peer[at]!, ours: ours[at++]!, conditions: () => own.conditions } : undefined;
    judge.next(index, step, both);
  }
  return judge.verdict;
}

interface BothAnswers {
  readonly qemu: string;
  readonly ours: string;
  readonly conditions: () => Conditions;
}

class Judge {
  private readonly places = new Places();
  private readonly explained = new Map<DifferenceRule, number>();
  private readonly unexplained: Difference[] = [];
  private compared = 0;

  constructor(
    private readonly sequence: Sequence,
    private readonly rules: readonly DifferenceRule[],
  ) {}

  get verdict(): Verdict {
    return { compared: this.compared, explained: this.explained, unexplained: this.unexplained };
  }

  next(index: number, step: Step, both: BothAnswers | undefined): void {
    const place = this.places.follow(step);
    if (both === undefined || place === undefined) return;
    this.compared++;
    if (both.qemu === both.ours) return;
    const difference: Difference = {
      ...{ sequence: this.sequence.name, step: index, place, conditions: both.conditions() },
      ...{ qemu: BigInt(both.qemu), ours: BigInt(both.ours), steps: this.sequence.steps },
      card: this.sequence.card ?? 'edu',
      stored: this.places.stored.get(keyOf(place)),
      written: (key) => this.places.stored.get(key),
      given: (key) => this.places.given.get(key) ?? [],
    };
    const rule = this.rules.find((each) => each.explains(difference));
    if (rule === undefined) this.unexplained.push(difference);
    else this.explained.set(rule, (this.explained.get(rule) ?? 0) + 1);
  }
}

const hex = (value: bigint): string => `0x${value.toString(16).padStart(16, '0')}`;

function shown(value: Conditions[keyof Conditions]): string {
  if (typeof value !== 'object' || Array.isArray(value)) return String(value);
  return Object.entries(value)
    .map(([name, bits]) => `${name}:${String(bits)}`)
    .join(',');
}

export function describeDifference({
  sequence,
  step,
  place,
  qemu,
  ours,
  stored,
  steps,
  conditions,
}: Difference): string {
  const state = Object.entries(conditions)
    .map(([name, value]) => `${name}=${shown(value)}`)
    .join(' ');
  return (
    `${sequence} step ${step} (${describeStep(steps[step]!)}): ${place.unit} ${place.name}[${place.index.toString(16)}] by ${place.path}: ` +
    `QEMU ${hex(qemu)}, phbsim ${hex(ours)}, last written ${stored === undefined ? 'nothing' : hex(stored)}; ${state}`
  );
}
