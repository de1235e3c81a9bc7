/** `phbsim run <scenario>`: a machine boots, a fault strikes, and hardware and software do what they do. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { FAULTS, type FaultDeclaration } from '../faults/catalogue.js';
import { FaultPlanError } from '../faults/engine.js';
import { rangeOf } from '../faults/parameters.js';
import { CHIP_NAMES, type ChipName } from '../machine/chips.js';
import { TopologyError } from '../machine/topology.js';
import { ACTIONS, type ActionDeclaration } from '../scenario/action.js';
import { anyNotMet, formatJunit, type Outcome } from '../scenario/junit.js';
import { ScenarioError } from '../scenario/problems.js';
import { allMet, formatRun, type ReportOptions, runToJson } from '../scenario/report.js';
import { runScenario } from '../scenario/runner.js';
import { formatTimeline, timelineOf } from '../scenario/timeline.js';
import { formatTime } from '../sim/time.js';
import {
  HOST_STREAMS,
  type Streams,
  shownName,
  UnreadableInputError,
  UnwritableOutputError,
  writeOutput,
} from './host-streams.js';
import { profileFrom } from './profile-files.js';
import { isFolder, scenarioFiles } from './run-files.js';
import { type Progress, progressOf } from './run-progress.js';
import { scenarioFrom } from './scenario-input.js';

export interface RunOptions {
  readonly chip?: ChipName;
  readonly json?: boolean;
  readonly junit?: string;
  readonly seed?: string;
  readonly profile?: string;
  readonly log?: boolean;
  readonly timeline?: boolean;
  readonly trace?: number;
}

const STANDARD_INPUT = '-';
const STANDARD_OUTPUT = '-';
/** What the person at the keyboard can mend. */
const MENDABLE = [ScenarioError, UnreadableInputError, FaultPlanError, TopologyError];

/** Exit status: 0 all expectations met, 1 some not, 2 a scenario cannot be read, or the file cannot be written. */
export function runRun(paths: readonly string[], options: RunOptions, streams: Streams = HOST_STREAMS): number {
  try {
    const files = scenarioFiles(paths);
    const several = files.length > 1 || paths.some(isFolder);
    const outcomes = runAll(files, options, { streams, several });
    if (options.json === true && several) streams.out(`[\n${outcomes.map(jsonOf(options)).join(',\n')}\n]`);
    if (several && options.json !== true) streams.out(formatTotals(outcomes));
    if (options.junit !== undefined) {
      writeOutput(options.junit, new TextEncoder().encode(formatJunit(outcomes)), streams);
    }
    if (outcomes.some((outcome) => 'error' in outcome)) return 2;
    return anyNotMet(outcomes) ? 1 : 0;
  } catch (error) {
    if (!(error instanceof UnreadableInputError || error instanceof UnwritableOutputError)) throw error;
    streams.err(`phbsim run: ${error.message}`);
    return 2;
  }
}

interface Manner {
  readonly streams: Streams;
  readonly several: boolean;
}

/** Each is told of as soon as it has ended; only the list that JSON is waits for the last. */
function runAll(files: readonly string[], options: RunOptions, { streams, several }: Manner): Outcome[] {
  const progress = progressOf(files.length, streams);
  return files.map((file) => {
    progress.begin(shownName(file));
    const outcome = runOne(file, options, streams, progress);
    progress.end();
    if ('error' in outcome) streams.err(outcome.error);
    else if (options.json === true) {
      if (!several) streams.out(jsonOf(options)(outcome));
    } else streams.out(several && !wantsDetails(options) ? formatOutcome(outcome) : reportOf(outcome, options));
    return outcome;
  });
}

function runOne(file: string, options: RunOptions, streams: Streams, progress: Progress): Outcome {
  try {
    const name = shownName(file);
    const scenario = scenarioFrom(file, options.chip, streams);
    const result = runScenario(scenario, {
      ...(options.seed === undefined ? {} : { seed: options.seed }),
      ...(options.profile === undefined ? {} : { timing: profileFrom(options.profile, streams) }),
      ...(options.trace === undefined ? {} : { traceCapacity: Math.max(options.trace, 1) }),
      onProgress: (each) => progress.update(each),
    });
    return { file: name, result, again: againOf(file, options, result.system.sim.seed) };
  } catch (error) {
    if (!MENDABLE.some((kind) => error instanceof kind)) throw error;
    const { message } = error as Error;
    return { file: shownName(file), error: error instanceof ScenarioError ? message : `phbsim run: ${message}` };
  }
}

const wantsDetails = ({ log, timeline, trace }: RunOptions): boolean =>
  log === true || timeline === true || trace !== undefined;

function reportOptions({ again }: { again: string }, { log, trace }: RunOptions): ReportOptions {
  return { log: log === true ? 'whole' : 'from-fault', again, ...(trace === undefined ? {} : { trace }) };
}

function reportOf(outcome: Extract<Outcome, { again: string }>, options: RunOptions): string {
  if (options.timeline === true) return formatTimeline(timelineOf(outcome.result)).join('\n');
  return formatRun(outcome.result, reportOptions(outcome, options));
}

function jsonOf(options: RunOptions): (outcome: Outcome) => string {
  return (outcome) => {
    if ('error' in outcome) return JSON.stringify({ file: outcome.file, error: outcome.error }, undefined, 2);
    return runToJson(outcome.result, reportOptions(outcome, options));
  };
}

/** One of several: a line, and what went wrong. */
function formatOutcome({ result, again }: Extract<Outcome, { again: string }>): string {
  const { scenario, verdicts, digest, startNs, endNs } = result;
  const wrong = verdicts.filter(({ state }) => state !== 'met');
  const mark = wrong.length === 0 ? 'met    ' : 'NOT MET';
  const count = `${verdicts.length - wrong.length} of ${verdicts.length}`;
  const head = `${mark}  ${scenario.name.padEnd(NAME_WIDTH)}  ${count}  digest ${digest}  ${formatTime(endNs - startNs)}`;
  const lines = wrong.flatMap(({ expectation, because }) => [
    `         expected: ${expectation.text}`,
    `         seen:     ${because}`,
  ]);
  return [head, ...lines, ...(wrong.length === 0 ? [] : [`         again:    ${again}`])].join('\n');
}

const NAME_WIDTH = 38;

function formatTotals(outcomes: readonly Outcome[]): string {
  const ran = outcomes.flatMap((outcome) => ('result' in outcome ? [outcome.result] : []));
  const met = ran.filter(allMet).length;
  const unread = outcomes.length - ran.length;
  const rest = unread === 0 ? '' : `, ${unread} could not be read`;
  return `\n${met} of ${outcomes.length} scenarios went as they say${rest}`;
}

function againOf(file: string, { chip, profile }: RunOptions, seed: string): string {
  const other = chip === undefined ? '' : ` --chip ${chip}`;
  const timing = profile === undefined ? '' : ` --profile ${shellWord(profile)}`;
  const command = `phbsim run ${shellWord(file)}${other}${timing} --seed ${shellWord(seed)}`;
  return [file, profile].includes(STANDARD_INPUT) ? `${command} < FILE  # FILE: what came on standard input` : command;
}

function shellWord(word: string): string {
  return /^[\w./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** The catalogue of faults, for who writes a scenario. */
export function listFaults(): string {
  return Object.entries(FAULTS)
    .flatMap(([kind, fault]: [string, FaultDeclaration]) => [
      `${kind}  (${fault.hits.join(', ')})`,
      `    ${fault.about}`,
      `    ${fault.outcome}`,
      ...Object.entries(fault.parameters).map(
        ([name, parameter]) => `    ${name}: ${parameter.about}, ${rangeOf(parameter)}`,
      ),
      ...(fault.events === undefined ? [] : [`    event: ${fault.events.join(' or ')}`]),
      ...(fault.aer === undefined ? [] : [`    AER: ${fault.aer.join(', ')}`]),
    ])
    .join('\n');
}

/** What an operator can do in a scenario. */
export function listActions(): string {
  return Object.entries(ACTIONS)
    .flatMap(([kind, { on, keys = [], about }]: [string, ActionDeclaration]) => {
      const wants = [...(on === 'nobody' ? [] : ['device']), ...keys];
      return [`${kind}${wants.length === 0 ? '' : `  (${wants.join(', ')})`}`, `    ${about}`];
    })
    .join('\n');
}

const MOST_RECORDS = 1_000_000;

function recordCount(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= MOST_RECORDS) return count;
  throw new InvalidArgumentError(`give a whole number from 1 to ${MOST_RECORDS}.`);
}

export function runCommand(): Command {
  const command = new Command('run')
    .description('run scenarios: boot, let faults strike, tell what happened and whether it was as expected')
    .argument('[scenario...]', 'scenario files (YAML), or folders of them; - reads standard input')
    .addOption(
      new Option('--json', 'print the whole outcome as JSON; of several, a list').conflicts(['timeline', 'trace']),
    )
    .option('--junit <file>', 'also write the outcome as JUnit XML')
    .option('--seed <text>', 'seed of all chance, instead of the one in the file')
    .addOption(new Option('--chip <name>', 'run on this chip, instead of the one in the file').choices(CHIP_NAMES))
    .option('--profile <name-or-file>', 'timing profile, instead of the one in the file; see phbsim profile --help')
    .option('--log', 'show the logs of firmware and kernel since power-on')
    .addOption(new Option('--timeline', 'print nothing but the timeline').conflicts(['log', 'trace']))
    .option('--trace <count>', 'also show the last trace records', recordCount)
    .addOption(new Option('--faults', 'list the kinds of faults a scenario can have').conflicts('actions'))
    .option('--actions', 'list what an operator can do in a scenario')
    .addHelpText(
      'after',
      [
        '',
        'Of several scenarios each has a line, and what went wrong; --log, --timeline or --trace show each in full.',
        'Exit status: 0 all expectations met; 1 some not; 2 a scenario cannot be read, or does not fit the chip.',
        '',
        'Examples:',
        '  phbsim run scenarios/dma-write-to-unmapped-page.yaml',
        '  phbsim run scenarios/sixth-freeze.yaml --timeline',
        '  phbsim run scenarios/link-lost.yaml --json | jq .expectations',
        '  phbsim run scenarios/ --junit results.xml',
        '  phbsim run --faults',
      ].join('\n'),
    );
  return command.action((paths: string[], options: RunOptions & { faults?: boolean; actions?: boolean }) => {
    const lists = { faults: listFaults, actions: listActions };
    const catalogues = { faults: FAULTS, actions: ACTIONS };
    const wanted = (['faults', 'actions'] as const).find((list) => options[list] === true);
    if (wanted !== undefined)
      HOST_STREAMS.out(options.json === true ? JSON.stringify(catalogues[wanted], undefined, 2) : lists[wanted]());
    else if (options.json === true && options.junit === STANDARD_OUTPUT)
      command.error('phbsim run: JSON and JUnit XML would both go to standard output: give --junit a file');
    else if (paths.length === 0) command.error('phbsim run: name a scenario file, such as scenarios/link-lost.yaml');
    else process.exitCode = runRun(paths, options);
  });
}
