/**
 * One step on the chip and in the reference model, then the invariants: what was seen is one of the outcomes the model
 * allows, and everything else stayed as it was.
 */
import type fc from 'fast-check';
import type { Bridge } from './bridges.js';
import type { IodaChip, MemoryAccess, Observation } from './chip.js';
import type { BridgeModel, Outcome } from './model.js';
import { foretell, isOperation, operate, program, takeOverTables } from './perform.js';
import { openingOf, type Step } from './steps.js';

export class IsolationError extends Error {
  override readonly name = 'IsolationError';
}

const shown = (value: unknown): string =>
  JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? `0x${part.toString(16)}` : part));

export interface Bench {
  readonly chip: IodaChip;
  readonly model: BridgeModel;
  readonly pes: readonly number[];
}

/** A chip and its model, opened as a driver leaves it. */
export function benchOf(bridge: Bridge): Bench {
  const { pes } = bridge.dialect;
  const bench = { chip: bridge.newChip(), model: bridge.newModel(), pes };
  takeOverTables(bench.chip, bench.model);
  for (const step of openingOf(bridge.dialect)) take(step, bench);
  return bench;
}

export function take(step: Step, { chip, model, pes }: Bench): void {
  if (isOperation(step)) {
    const outcomes = foretell(step, model);
    const before = new Set(frozenHalves(chip));
    const seen = operate(step, chip);
    const outcome = outcomes.find((each) => explains(each, seen, before, { chip, model, pes }));
    if (!outcome) throw new IsolationError(complaint(step, outcomes, seen, before, chip));
    const writes = model.writesOf(outcome);
    model.commit(outcome);
    checkMemory([...seen.written, ...writes.map(rangeOf)], chip, model);
  } else {
    program(step, chip, model, pes);
  }
  checkState(chip, model);
}

/** The chip reads and writes tables for its own ends too: what it leaves there is compared, not how it got there. */
function inTables(address: number, { layout }: IodaChip): boolean {
  return layout.tableRegions.some(([base, bytes]) => address >= base && address < base + bytes);
}

function rangeOf({ address, bytes }: { address: number; bytes: Uint8Array }): MemoryAccess {
  return { direction: 'write', address, length: bytes.length };
}

function frozenHalves(chip: IodaChip): string[] {
  const halves: string[] = [];
  for (let pe = 0; pe < chip.layout.peCount; pe++) {
    for (const half of ['mmio', 'dma'] as const) if (chip.frozen(pe, half)) halves.push(`${pe} ${half}`);
  }
  return halves;
}

function explains(outcome: Outcome, seen: Observation, before: ReadonlySet<string>, bench: Bench): boolean {
  const { chip, model } = bench;
  const victims = model.victims(outcome).flatMap((pe) => [`${pe} mmio`, `${pe} dma`]);
  return (
    seen.answer === outcome.answer &&
    shown(seen.sent) === shown(outcome.sent ?? []) &&
    shown(seen.moved) === shown((outcome.moved ?? []).filter(({ address }) => !inTables(address, chip))) &&
    leftInMemory(outcome, seen, bench) &&
    shown(seen.interrupts) === shown(outcome.interrupts ?? []) &&
    shown(frozenHalves(chip).sort()) === shown([...new Set([...before, ...victims])].sort()) &&
    chip.isFenced() === (model.fenced || model.fences(outcome)) &&
    chip.localErrors() === (model.localErrors | model.localErrorOf(outcome))
  );
}

/** The bytes of the outcome are there, and nothing but PE states was written without one. */
function leftInMemory(outcome: Outcome, seen: Observation, { chip, model }: Bench): boolean {
  const [first, bytes] = chip.layout.stateRegion;
  const others = seen.written.filter(({ address }) => address < first || address >= first + bytes);
  return (
    others.length > 0 === (outcome.writes ?? []).length > 0 &&
    model.writesOf(outcome).every(({ address, bytes }) => Buffer.from(chip.memory(address, bytes.length)).equals(bytes))
  );
}

function complaint(
  step: Step,
  outcomes: readonly Outcome[],
  seen: Observation,
  before: ReadonlySet<string>,
  chip: IodaChip,
): string {
  const newly = frozenHalves(chip).filter((half) => !before.has(half));
  const lines = outcomes.map((outcome) => `  allowed: ${shown(outcome)}`);
  const state = { newlyFrozen: newly.slice(0, 8), fenced: chip.isFenced(), localErrors: chip.localErrors() };
  return [`${shown(step)}`, `  seen:    ${shown(seen)}`, `  chip:    ${shown(state)}`, ...lines].join('\n');
}

/** Whatever the chip wrote, and whatever it should have written, is in memory as the model has it. */
function checkMemory(ranges: readonly MemoryAccess[], chip: IodaChip, model: BridgeModel): void {
  for (const { address, length } of ranges) {
    const has = Buffer.from(chip.memory(address, length));
    const wanted = Buffer.from(model.memory.read(address, length));
    if (has.equals(wanted)) continue;
    throw new IsolationError(
      `memory at ${address.toString(16)} holds ${has.toString('hex')}, not ${wanted.toString('hex')}`,
    );
  }
}

export function checkWholeMemory(chip: IodaChip, model: BridgeModel): void {
  checkMemory(
    model.memory.pageAddresses().map((address) => ({ direction: 'write', address, length: 4096 })),
    chip,
    model,
  );
}

function checkState(chip: IodaChip, model: BridgeModel): void {
  for (let pe = 0; pe < chip.layout.peCount; pe++) {
    for (const half of ['mmio', 'dma'] as const) {
      const [has, wanted] = [chip.pestWord(pe, half), model.pestWord(pe, half)];
      if (has !== wanted)
        throw new IsolationError(`PE ${pe}: ${half} state is ${has.toString(16)}, not ${wanted.toString(16)}`);
    }
    checkSummary(pe, chip, model);
  }
  if (chip.isFenced() !== model.fenced) throw new IsolationError(`fenced is ${chip.isFenced()}`);
  if (chip.localErrors() !== model.localErrors)
    throw new IsolationError(`local errors are ${chip.localErrors().toString(16)}`);
}

/** The summary names a PE exactly while one of its halves is frozen, but for what software wrote there itself. */
function checkSummary(pe: number, chip: IodaChip, model: BridgeModel): void {
  const named = ((chip.summaryWord(pe >> 6) >> BigInt(63 - (pe & 63))) & 1n) === 1n;
  const halfFrozen = chip.frozen(pe, 'mmio') || chip.frozen(pe, 'dma');
  if (named !== halfFrozen && model.summaryWritten.get(pe) !== named)
    throw new IsolationError(`PE ${pe}: summary is ${named}`);
}

/** A step that fast-check can shrink away. */
export class StepCommand implements fc.Command<BridgeModel, Bench> {
  constructor(private readonly step: Step) {}
  check(): boolean {
    return true;
  }
  run(_: BridgeModel, bench: Bench): void {
    take(this.step, bench);
  }
  toString(): string {
    return shown(this.step);
  }
}
