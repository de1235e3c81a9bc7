/** `phbsim kernel <scenario>`: a shell in the kernel of the scenario's machine: files, log, lspci, test procedures. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { UsageError } from '../eeh/interfaces/usage-error.js';
import { FaultPlanError } from '../faults/engine.js';
import { CHIP_NAMES, type ChipName } from '../machine/chips.js';
import { TopologyError } from '../machine/topology.js';
import { formatProcedures, formatSession, procedureStatus, sessionStatus } from '../scenario/kernel-report.js';
import {
  PROCEDURES,
  type ProcedureName,
  type ProcedureResult,
  runCommands,
  runProcedure,
  type ScriptLine,
  type SessionResult,
} from '../scenario/kernel-session.js';
import { ScenarioError } from '../scenario/problems.js';
import { DURATION_REMEDY, parseDuration } from '../scenario/reader.js';
import type { RunOptions } from '../scenario/runner.js';
import type { Scenario } from '../scenario/scenario.js';
import type { TimeNs } from '../sim/time.js';
import { HOST_STREAMS, readInput, type Streams, shownName, UnreadableInputError } from './host-streams.js';
import { decodeText } from './input-text.js';
import { profileFrom } from './profile-files.js';
import { scenarioFrom } from './scenario-input.js';

export interface KernelCommandOptions {
  readonly command?: readonly string[];
  readonly script?: string;
  readonly procedure?: ProcedureName;
  readonly at?: TimeNs;
  readonly skipPhb?: readonly string[];
  readonly json?: boolean;
  readonly chip?: ChipName;
  readonly seed?: string;
  readonly profile?: string;
}

/** With what stands behind `--`. */
type GivenOptions = KernelCommandOptions & { readonly command: readonly string[] };

/** What the person at the keyboard can mend, scenarios apart. */
const MENDABLE = [UnreadableInputError, UsageError, TopologyError, FaultPlanError];
const NO_SCRIPT = 'no script: give a text with one command a line';
const STANDARD_INPUT = '-';

/** Exit status: 0 all well, 1 a command or the procedure failed, or it tested nothing, 2 bad usage. `words`: a command behind `--`. */
export function runKernel(
  file: string,
  words: readonly string[],
  options: KernelCommandOptions,
  streams: Streams = HOST_STREAMS,
): number {
  try {
    const scenario = scenarioFrom(file, options.chip, streams);
    checkProcedureOptions(options);
    const command = [...(options.command ?? []), ...(words.length > 0 ? [words.join(' ')] : [])];
    return options.procedure === undefined
      ? runScript(scenario, scriptOf(file, { ...options, command }, streams), options, streams)
      : runTests(scenario, options.procedure, { ...options, command }, streams);
  } catch (error) {
    if (error instanceof ScenarioError) streams.err(error.message);
    else if (MENDABLE.some((kind) => error instanceof kind)) {
      streams.err(`phbsim kernel: ${(error as Error).message}`);
    } else throw error;
    return 2;
  }
}

/** The options that only some procedures have. */
function checkProcedureOptions({ procedure, skipPhb }: KernelCommandOptions): void {
  if (skipPhb === undefined || procedure?.startsWith('op-test') === true) return;
  const why = procedure === undefined ? 'no procedure is asked for' : `${procedure} does not look at PHBs`;
  throw new UsageError(`--skip-phb is for op-test, and ${why}: leave it out, or give --procedure op-test`);
}

function runScript(
  scenario: Scenario,
  script: readonly ScriptLine[],
  options: KernelCommandOptions,
  streams: Streams,
): number {
  const result: SessionResult = runCommands(scenario, script, runOptions(options, streams));
  streams.out(options.json === true ? JSON.stringify(result, undefined, 2) : formatSession(result));
  return sessionStatus(result);
}

function runTests(scenario: Scenario, name: ProcedureName, options: GivenOptions, streams: Streams): number {
  if (options.command.length > 0 || options.script !== undefined) {
    throw new UsageError('a procedure takes no commands: leave out -c, --script or --procedure');
  }
  const results: ProcedureResult[] = runProcedure(scenario, name, {
    ...runOptions(options, streams),
    ...(options.at === undefined ? {} : { atNs: options.at }),
    ...(options.skipPhb === undefined ? {} : { skipPhbs: options.skipPhb }),
  });
  streams.out(options.json === true ? JSON.stringify(results, undefined, 2) : formatProcedures(results));
  return procedureStatus(results);
}

function runOptions({ seed, profile }: KernelCommandOptions, streams: Streams): RunOptions {
  return {
    ...(seed === undefined ? {} : { seed }),
    ...(profile === undefined ? {} : { timing: profileFrom(profile, streams) }),
  };
}

/** Commands of the arguments, else of the script, else of standard input. */
function scriptOf(file: string, { command, script, at }: GivenOptions, streams: Streams): ScriptLine[] {
  const begin: ScriptLine[] = at === undefined ? [] : [{ place: '--at', text: `at ${at} ns` }];
  if (command.length > 0 && script !== undefined) throw new UsageError('give commands or --script, not both');
  if (command.length > 0) return [...begin, ...command.map((text) => ({ place: JSON.stringify(text), text }))];
  const source = script ?? STANDARD_INPUT;
  if (source === STANDARD_INPUT && (file === STANDARD_INPUT || streams.interactive)) {
    throw new UsageError('no commands: give some with -c "cat FILE", behind --, or with --script');
  }
  const text = decodeText(shownName(source), readInput(source, streams), NO_SCRIPT);
  const lines = text.split('\n').map((line, i) => ({ place: `${shownName(source)}:${i + 1}`, text: line.trim() }));
  return [...begin, ...lines];
}

function moment(text: string): TimeNs {
  const ns = parseDuration(text);
  if (ns === undefined) throw new InvalidArgumentError(DURATION_REMEDY);
  return ns;
}

function procedureName(text: string): ProcedureName {
  const name = PROCEDURES.find((each) => each === text);
  if (name === undefined) throw new InvalidArgumentError(`there are ${PROCEDURES.join(', ')}.`);
  return name;
}

const oneMore = (text: string, before: readonly string[] = []): string[] => [...before, text];

function phbName(text: string, before: readonly string[] = []): string[] {
  if (!/^PCI[0-9a-f]{4}$/.test(text)) throw new InvalidArgumentError('a PHB is called PCI0000, PCI0001 and so on.');
  return [...before, text];
}

export function kernelCommand(): Command {
  const command = new Command('kernel')
    .description("work in the kernel of a scenario's machine: files of sysfs and debugfs, lspci, dmesg, its own tests")
    .argument('<scenario>', 'scenario file (YAML); - reads standard input')
    .argument('[words...]', 'one command, behind --')
    .option('-c, --command <line>', 'a command; may be given several times', oneMore)
    .option('--script <file>', 'commands, one a line; default: standard input')
    .option('--at <time>', 'when to begin, counted from the moment when the drivers are up', moment)
    .option('--procedure <name>', `run a test procedure instead: ${PROCEDURES.join(', ')}`, procedureName)
    .option('--skip-phb <name>', 'op-test leaves this PHB alone, such as PCI0000; may be given several times', phbName)
    .option('--json', 'print commands and outputs, or the outcome of the procedure, as JSON')
    .addOption(new Option('--chip <name>', 'run on this chip, instead of the one in the file').choices(CHIP_NAMES))
    .option('--seed <text>', 'seed of all chance, instead of the one in the file')
    .option('--profile <name-or-file>', 'timing profile, instead of the one in the file; see phbsim profile --help')
    .addHelpText('after', HELP.join('\n'));
  return command.action((file: string, words: string[], options: KernelCommandOptions) => {
    process.exitCode = runKernel(file, words, options);
  });
}

const HELP = [
  '',
  'Commands: cat FILE..., echo TEXT > FILE, ls [-l] [DIR]..., lspci [-n] [-D] [-x] [-s SLOT], setpci -s SLOT REG[=VALUE],',
  '  dmesg [-C|-c], sleep SECONDS, at TIME (a moment of the scenario). Between them ; or &&; * in paths; # begins a',
  '  comment. Which files there are: docs/kernel-files.md.',
  '',
  'Exit status: 0 all well; 1 a command or the procedure failed, or the procedure tested nothing; 2 bad usage.',
  '',
  'Examples:',
  "  phbsim kernel scenarios/driver-unaware-of-errors.yaml --at '60 ms' -- cat '/sys/bus/pci/devices/*/eeh_pe_state'",
  '  phbsim kernel scenarios/link-lost.yaml -c "at 2 s" -c "cat /proc/powerpc/eeh; lspci -n" -c dmesg',
  '  phbsim kernel scenarios/link-lost.yaml -c "echo 0000:01:00.0 > /sys/kernel/debug/powerpc/eeh_dev_check"',
  '  phbsim kernel scenarios/driver-unaware-of-errors.yaml --procedure selftest --at "10 s"',
  '  phbsim kernel scenarios/driver-unaware-of-errors.yaml --script commands.txt --json',
  '  phbsim kernel scenarios/link-lost.yaml --chip p7ioc -- dmesg',
];
