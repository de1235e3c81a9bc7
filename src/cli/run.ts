/** `phbsim run <scenario>`: a machine boots, a fault strikes, and hardware and software do what they do. */
import { Command, InvalidArgumentError } from 'commander';
import { FAULTS, type FaultDeclaration } from '../faults/catalogue.js';
import { rangeOf } from '../faults/parameters.js';
import { ScenarioError } from '../scenario/problems.js';
import { readScenario } from '../scenario/read-scenario.js';
import { allMet, formatRun, type ReportOptions, runToJson } from '../scenario/report.js';
import { runScenario } from '../scenario/runner.js';
import { formatTimeline, timelineOf } from '../scenario/timeline.js';
import { HOST_STREAMS, readInput, type Streams, shownName, UnreadableInputError } from './host-streams.js';
import { decodeText } from './input-text.js';
import { profileFrom, profileOpener } from './profile-files.js';

export interface RunOptions {
  readonly json?: boolean;
  readonly seed?: string;
  readonly profile?: string;
  readonly log?: boolean;
  readonly timeline?: boolean;
  readonly trace?: number;
}

const WANTED = 'no scenario: give a YAML text such as scenarios/link-lost.yaml';

/** Exit status: 0 all expectations met, 1 some not, 2 the scenario cannot be read. */
export function runRun(file: string, options: RunOptions, streams: Streams = HOST_STREAMS): number {
  try {
    const name = shownName(file);
    const text = decodeText(name, readInput(file, streams), WANTED);
    const scenario = readScenario(name, text, profileOpener(file, streams));
    const result = runScenario(scenario, {
      ...(options.seed === undefined ? {} : { seed: options.seed }),
      ...(options.profile === undefined ? {} : { timing: profileFrom(options.profile, streams) }),
      ...(options.trace === undefined ? {} : { traceCapacity: Math.max(options.trace, 1) }),
    });
    const report: ReportOptions = {
      log: options.log === true ? 'whole' : 'from-fault',
      again: againOf(file, options, result.system.sim.seed),
      ...(options.trace === undefined ? {} : { trace: options.trace }),
    };
    if (options.json === true) streams.out(runToJson(result, report));
    else if (options.timeline === true) streams.out(formatTimeline(timelineOf(result)).join('\n'));
    else streams.out(formatRun(result, report));
    return allMet(result) ? 0 : 1;
  } catch (error) {
    if (error instanceof ScenarioError) streams.err(error.message);
    else if (error instanceof UnreadableInputError) streams.err(`phbsim run: ${error.message}`);
    else throw error;
    return 2;
  }
}

function againOf(file: string, { profile }: RunOptions, seed: string): string {
  const timing = profile === undefined ? '' : ` --profile ${shellWord(profile)}`;
  return `phbsim run ${shellWord(file)}${timing} --seed ${shellWord(seed)}`;
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

const MOST_RECORDS = 1_000_000;

function recordCount(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= MOST_RECORDS) return count;
  throw new InvalidArgumentError(`give a whole number from 1 to ${MOST_RECORDS}.`);
}

export function runCommand(): Command {
  const command = new Command('run')
    .description('run a scenario: boot, let faults strike, tell what happened and whether it was as expected')
    .argument('[scenario]', 'scenario file (YAML); - reads standard input')
    .option('--json', 'print the whole outcome as JSON')
    .option('--seed <text>', 'seed of all chance, instead of the one in the file')
    .option('--profile <name-or-file>', 'timing profile, instead of the one in the file; see phbsim profile --help')
    .option('--log', 'show the logs of firmware and kernel since power-on')
    .option('--timeline', 'print nothing but the timeline')
    .option('--trace <count>', 'also show the last trace records', recordCount)
    .option('--faults', 'list the kinds of faults a scenario can have')
    .addHelpText(
      'after',
      [
        '',
        'Exit status: 0 all expectations met; 1 some not; 2 the scenario cannot be read.',
        '',
        'Examples:',
        '  phbsim run scenarios/dma-write-to-unmapped-page.yaml',
        '  phbsim run scenarios/sixth-freeze.yaml --timeline',
        '  phbsim run scenarios/link-lost.yaml --json | jq .expectations',
      ].join('\n'),
    );
  return command.action((file: string | undefined, options: RunOptions & { faults?: boolean }) => {
    if (options.faults === true)
      HOST_STREAMS.out(options.json === true ? JSON.stringify(FAULTS, undefined, 2) : listFaults());
    else if (file === undefined) command.error('phbsim run: name a scenario file, such as scenarios/link-lost.yaml');
    else process.exitCode = runRun(file, options);
  });
}
