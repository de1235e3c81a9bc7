/** A scenario's machine with somebody at its shell: faults strike as planned, commands run in between. */
import { KernelFiles } from '../eeh/interfaces/files.js';
import { type CommandBody, type CommandOutput, type CommandResult, pause, Shell } from '../eeh/interfaces/shell.js';
import { UsageError } from '../eeh/interfaces/usage-error.js';
import type { Process } from '../sim/process.js';
import type { TimeNs } from '../sim/time.js';
import { OP_TESTS, type OpTestName, type OpTestOptions, opTest } from './procedures/op-test.js';
import { selftest } from './procedures/selftest.js';
import { UserSpace } from './procedures/user-space.js';
import { DURATION_REMEDY, parseDuration } from './reader.js';
import { bootScenario, type RunOptions } from './runner.js';
import type { Scenario } from './scenario.js';

/** Times count from the moment when the drivers were up. */
export interface SessionResult {
  readonly seed: string;
  readonly results: readonly CommandResult[];
  readonly endNs: TimeNs;
  readonly digest: string;
}

/** A line of a script and how messages call it. */
export interface ScriptLine {
  readonly text: string;
  readonly place: string;
}

/** Runs lines one after the other. Wrong ones are refused before the first runs. */
export function runCommands(scenario: Scenario, lines: readonly ScriptLine[], options: RunOptions = {}): SessionResult {
  const { system, startNs } = bootScenario(scenario, options);
  const { sim } = system;
  const now = (): TimeNs => sim.now - startNs;
  const shell = new Shell(new KernelFiles(system.kernel), { at: waitUntil(now) });
  for (const { text, place } of lines) checked(place, () => shell.parse(text));
  const results: CommandResult[] = [];
  function* runAll(): Process<void> {
    for (const { text } of lines) results.push(...(yield* shell.run(text)));
  }
  sim.complete('shell', runAll());
  const relative = results.map((result) => ({
    ...result,
    startNs: result.startNs - startNs,
    endNs: result.endNs - startNs,
  }));
  return { seed: sim.seed, results: relative, endNs: now(), digest: sim.digest() };
}

function checked(place: string, parse: () => void): void {
  try {
    parse();
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`${place}: ${error.message}`);
  }
}

/** `at 50 ms`: a moment of the scenario. One that is over is a failed command. */
function waitUntil(now: () => TimeNs): CommandBody {
  return (args): Process<CommandOutput> => {
    const text = args.join(' ');
    const moment = parseDuration(text);
    if (moment === undefined) throw new UsageError(`at: "${text}" is no moment. ${DURATION_REMEDY}`);
    return (function* () {
      const left = moment - now();
      if (left >= 0) return yield* pause(left);
      return { text: '', errors: [`at: ${text} is over`] };
    })();
  };
}

export const PROCEDURES = ['selftest', 'op-test', ...OP_TESTS.map((name) => `op-test-${name}` as const)] as const;
export type ProcedureName = (typeof PROCEDURES)[number];

export interface ProcedureOptions extends RunOptions, OpTestOptions {
  /** When it begins. */
  readonly atNs?: TimeNs;
}

export interface PrintedLine {
  readonly timeNs: TimeNs;
  readonly text: string;
}

export interface ProcedureResult {
  readonly name: ProcedureName;
  readonly seed: string;
  readonly lines: readonly PrintedLine[];
  /** The exit status of the real one. */
  readonly status: number;
  /** What it broke: devices, or hits of a PE or PHB. The real ones are content with none. */
  readonly tested: number;
  /** What it found, by its own names. */
  readonly result: object;
  readonly endNs: TimeNs;
  readonly digest: string;
}

/** Every test of a procedure has a machine of its own. */
export function runProcedure(
  scenario: Scenario,
  name: ProcedureName,
  options: ProcedureOptions = {},
): ProcedureResult[] {
  if (name === 'selftest') {
    const result = runOne(scenario, name, options, (user) => selftest(user));
    return [{ ...result, tested: result.result.tested.length }];
  }
  const tests = OP_TESTS.filter((test) => name === 'op-test' || name === `op-test-${test}`);
  return tests.map((test) => {
    const result = runOne(scenario, procedureOf(test), options, (user) => opTest(user, test, options));
    return { ...result, tested: result.result.rounds.filter(({ outcome }) => outcome !== 'miss').length };
  });
}

function procedureOf(test: OpTestName): ProcedureName {
  return `op-test-${test}`;
}

function runOne<R extends { readonly status: number }>(
  scenario: Scenario,
  name: ProcedureName,
  options: ProcedureOptions,
  procedure: (user: UserSpace) => Process<R>,
): Omit<ProcedureResult, 'tested'> & { readonly result: R } {
  const { system, startNs } = bootScenario(scenario, options);
  const { sim } = system;
  const lines: PrintedLine[] = [];
  const user = new UserSpace(new KernelFiles(system.kernel), (text) => lines.push({ timeNs: sim.now - startNs, text }));
  function* begin(): Process<R> {
    yield* pause(options.atNs ?? 0);
    return yield* procedure(user);
  }
  const result = sim.complete(name, begin());
  const { status } = result;
  return { name, seed: sim.seed, lines, status, result, endNs: sim.now - startNs, digest: sim.digest() };
}
