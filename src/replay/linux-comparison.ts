/**
 * Recorded Linux against ours, mark by mark: the same stimulus, the OPAL calls with arguments and return codes in order,
 * the log lines, and how long recoveries took. What differs must be explained by a declared reason.
 */
import { PeState } from '../eeh/eeh-flags.js';
import { EehControls } from '../eeh/interfaces/controls.js';
import { ms } from '../sim/time.js';
import { type CallRecord, callText } from './linux-calls.js';
import { RecordedMachine, type RecordedMachineOptions } from './linux-machine.js';
import { type Difference, LINUX_REASONS, type LinuxReason } from './linux-reasons.js';
import { BOOT, codeOf, isRelevant, type LogLine, marksOf, type RecordedMark } from './linux-recording.js';
import { CHECK_DURING_RESET, deedAt } from './linux-stimulus.js';
import type { Recording } from './recording.js';
import { align, type Side } from './sequence-diff.js';

export interface ComparedRow {
  readonly kind: 'same' | Side;
  readonly text: string;
  /** Undefined where both sides agree, or where nothing explains the difference. */
  readonly reason: LinuxReason | undefined;
}

/** Of one recovery. */
export interface Durations {
  readonly recordedMs: number;
  readonly oursMs: number;
  /** Ours with every sleep as long as it was asked for. */
  readonly nominalMs: number;
}

export interface MarkComparison {
  readonly mark: string;
  readonly code: string;
  readonly calls: readonly ComparedRow[];
  readonly lines: readonly ComparedRow[];
  /** From `Recovering` to `Recovery successful`, where the mark has both. */
  readonly durations: Durations | undefined;
}

export interface LinuxComparison {
  readonly name: string;
  readonly source: string;
  readonly marks: readonly MarkComparison[];
}

/** Nothing to do is looked for this often, and waited for at most so long. */
const QUIET_STEP_MS = 100;
const QUIET_LIMIT_MS = 200_000;

/** `build`: another machine than the recorded one, to see what the comparison finds. */
export function compareLinux(recording: Recording, build: MachineBuilder = recordedMachine): LinuxComparison {
  const marks = marksOf(recording);
  const hasRom = marks.some(({ lines }) => lines.some(({ text }) => text.includes(': ROM [mem ')));
  const rom = hasRom ? 'present' : 'absent';
  const rounded = performAll(build({ rom, sleeps: 'timer-wheel' }), marks);
  const nominal = performAll(build({ rom, sleeps: 'nominal' }), marks);
  const compared = marks.map((mark, index) => compareMark(mark, rounded[index]!, nominal[index]!));
  return { name: recording.name, source: recording.source, marks: compared };
}

export type MachineBuilder = (options: RecordedMachineOptions) => RecordedMachine;

const recordedMachine: MachineBuilder = (options) => new RecordedMachine(options);

function performAll(machine: RecordedMachine, marks: readonly RecordedMark[]): Performed[] {
  return marks.map(({ text }) => perform(machine, text));
}

export function unexplained({ marks }: LinuxComparison): ComparedRow[] {
  const rows = marks.flatMap(({ calls, lines }) => [...calls, ...lines]);
  return [
    ...rows.filter(({ kind, reason }) => kind !== 'same' && reason === undefined),
    ...marks.flatMap(strangeTimes),
  ];
}

/** Sleeps come out longer than asked, by less than this factor (facts: eeh-linux 17.0). */
const LONGEST_FACTOR = 1.13;

function strangeTimes({ mark, durations }: MarkComparison): ComparedRow[] {
  if (durations === undefined) return [];
  const { nominalMs } = durations;
  const isStrange = (ms: number): boolean => ms < nominalMs || ms > LONGEST_FACTOR * nominalMs;
  return (['recorded', 'ours'] as const)
    .filter((kind) => isStrange(durations[`${kind}Ms`]))
    .map((kind) => ({
      kind,
      text: `${mark}: recovery took ${durations[`${kind}Ms`]} ms, nominal are ${nominalMs} ms`,
      reason: undefined,
    }));
}

interface Performed {
  readonly calls: readonly CallRecord[];
  readonly lines: readonly LogLine[];
}

function perform(machine: RecordedMachine, mark: string): Performed {
  machine.calls.length = 0;
  if (mark === BOOT) {
    machine.boot();
    return { calls: [...machine.calls], lines: linesSince(machine, 0) };
  }
  const { kernel, sim } = machine;
  const from = kernel.log.records.length;
  const deed = deedAt(machine, mark);
  if (deed !== undefined) sim.complete(mark, deed);
  const code = codeOf(mark);
  const check = CHECK_DURING_RESET[code];
  if (check !== undefined) {
    sim.run({ untilNs: sim.now + ms(check.afterMs) });
    const device = kernel.device(check.device);
    if (device !== undefined) sim.complete('device check', new EehControls(kernel).checkDevice(device));
  }
  settle(machine);
  return { calls: [...machine.calls], lines: linesSince(machine, from) };
}

/** Lets threads get to where they wait, and recoveries end. */
function settle({ sim, kernel }: RecordedMachine): void {
  const limit = sim.now + ms(QUIET_LIMIT_MS);
  do sim.run({ untilNs: sim.now + ms(QUIET_STEP_MS) });
  while (sim.now < limit && isBusy(kernel));
}

function isBusy(kernel: RecordedMachine['kernel']): boolean {
  if (kernel.events.queued.length > 0) return true;
  return kernel.tree.allPhbPes.some((phb) => phb.subtree().some((pe) => pe.in(PeState.RECOVERING)));
}

function linesSince({ kernel }: RecordedMachine, from: number): LogLine[] {
  return kernel.log.records
    .slice(from)
    .filter(({ level }) => level !== 'debug')
    .flatMap(({ text, timeNs }) => text.split('\n').map((line) => ({ timeUs: timeNs / 1000, text: line.trimEnd() })))
    .filter(({ text }) => isRelevant(text));
}

function compareMark(mark: RecordedMark, ours: Performed, nominal: Performed): MarkComparison {
  const code = codeOf(mark.text);
  const calls = aligned({ code, what: 'call' }, callTexts(mark.calls, ours.calls));
  const lines = aligned(
    { code, what: 'line' },
    {
      recorded: mark.lines.map(({ text }) => text),
      ours: ours.lines.map(({ text }) => text),
    },
  );
  const durations = durationsOf(mark.lines, ours.lines, nominal.lines);
  return { mark: mark.text, code, calls, lines, durations };
}

/** Where the tracer did not see the arguments, ours are not compared either. */
function callTexts(recorded: readonly CallRecord[], ours: readonly CallRecord[]): Texts {
  const unseen = new Set(recorded.filter(({ args }) => args === undefined).map(({ name }) => name));
  const text = (call: CallRecord): string => callText(unseen.has(call.name) ? { ...call, args: undefined } : call);
  return { recorded: recorded.map(text), ours: ours.map(text) };
}

interface Texts {
  readonly recorded: readonly string[];
  readonly ours: readonly string[];
}

function aligned(where: Pick<Difference, 'code' | 'what'>, { recorded, ours }: Texts): ComparedRow[] {
  return align(recorded, ours).map((row) => {
    const text = row.kind === 'ours' ? ours[row.ours]! : recorded[row.recorded]!;
    if (row.kind === 'same') return { kind: 'same', text, reason: undefined };
    const difference: Difference = { ...where, side: row.kind, text };
    return { kind: row.kind, text, reason: LINUX_REASONS.find((reason) => reason.explains(difference)) };
  });
}

function durationsOf(...sides: [recorded: Lines, ours: Lines, nominal: Lines]): Durations | undefined {
  const [recordedMs, oursMs, nominalMs] = sides.map(recoveryMs);
  if (recordedMs === undefined || oursMs === undefined || nominalMs === undefined) return undefined;
  return { recordedMs, oursMs, nominalMs };
}

type Lines = readonly LogLine[];

function recoveryMs(lines: Lines): number | undefined {
  const from = lines.find(({ text }) => /^EEH: Recovering PHB#/.test(text));
  const to = lines.findLast(({ text }) => text === 'EEH: Recovery successful.');
  return from === undefined || to === undefined ? undefined : (to.timeUs - from.timeUs) / 1000;
}
