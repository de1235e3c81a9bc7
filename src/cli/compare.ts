/** `phbsim compare firmware|linux`: our software against recordings of the real one, deed by deed. */
import { fileURLToPath } from 'node:url';
import { Command, Option } from 'commander';
import type { FirmwareBehaviour } from '../opal/firmware-profile.js';
import { compareFirmware, type FirmwareComparison, isExplained } from '../replay/firmware-comparison.js';
import {
  firmwareComparisonToJson,
  formatFirmwareComparison,
  formatPhase,
} from '../replay/firmware-comparison-report.js';
import { readFirmwareCalls } from '../replay/read-firmware-calls.js';
import { RecordingError } from '../replay/recording.js';
import { linuxCommand } from './compare-linux.js';
import { HOST_STREAMS, readInput, type Streams, shownName, UnreadableInputError } from './host-streams.js';

export interface CompareFirmwareOptions {
  readonly json?: boolean;
  readonly phase?: string;
  readonly profile?: FirmwareBehaviour;
}

/** What the person at the keyboard can mend. */
const MENDABLE = [RecordingError, UnreadableInputError];
/** The recordings that come with phbsim, by the chip that they are of. */
const SHIPPED = ['phb3', 'p7ioc'];

/** Exit status: 0 nothing unexplained, 1 something is, 2 no recording, or no such phase in it. */
export function runCompareFirmware(
  file: string | undefined,
  options: CompareFirmwareOptions,
  streams: Streams = HOST_STREAMS,
): number {
  try {
    const compared = (file === undefined ? SHIPPED : [file]).map((each) => compareOne(each, options, streams));
    const text = reportOf(compared, options);
    if (text === undefined) {
      const names = compared.flatMap(({ phases }) => phases.map((phase) => phase.name));
      streams.err(`phbsim compare firmware: no phase "${options.phase}"; the phases are ${names.join(', ')}`);
      return 2;
    }
    streams.out(text);
    return compared.every(isExplained) ? 0 : 1;
  } catch (error) {
    if (!MENDABLE.some((kind) => error instanceof kind)) throw error;
    streams.err(`phbsim compare firmware: ${(error as Error).message}${hintFor(file)}`);
    return 2;
  }
}

/** A bare word was meant as the name of a recording that comes with phbsim. */
function hintFor(file: string | undefined): string {
  if (file === undefined || SHIPPED.includes(file) || /[./]/.test(file)) return '';
  return `; the recordings that come with phbsim are ${SHIPPED.join(' and ')}`;
}

function compareOne(name: string, { profile }: CompareFirmwareOptions, streams: Streams): FirmwareComparison {
  const path = SHIPPED.includes(name) ? fileURLToPath(shippedRecording(name)) : name;
  return compareFirmware(readFirmwareCalls(shownName(path), readInput(path, streams)), profile);
}

const shippedRecording = (chip: string): URL =>
  new URL(`../../scenarios/recordings/skiboot-calls-${chip}.calls.gz`, import.meta.url);

/** Undefined: no recording has the phase. JSON of a single recording is an object, of several a list. */
function reportOf(compared: readonly FirmwareComparison[], options: CompareFirmwareOptions): string | undefined {
  const { json, phase } = options;
  const shown = compared.filter(({ phases }) => phase === undefined || phases.some(({ name }) => name === phase));
  if (shown.length === 0) return undefined;
  if (json === true) {
    const data = shown.map((each) => firmwareComparisonToJson(each, phase));
    return JSON.stringify(compared.length === 1 ? data[0] : data, undefined, 2);
  }
  if (phase === undefined) return shown.map(formatFirmwareComparison).join('\n\n');
  return shown.flatMap(({ phases }) => phases.filter(({ name }) => name === phase).map(formatPhase)).join('\n\n');
}

function firmwareCommand(): Command {
  return new Command('firmware')
    .description('call our firmware as the real one was called, and compare every access, return code and result')
    .argument(
      '[recording]',
      'phb3 or p7ioc for a shipped recording, or a recording of firmware calls, gzipped or not; - reads standard input; default: both shipped ones',
    )
    .addOption(
      new Option('--profile <profile>', 'repeat the slips of the real firmware, or mend them')
        .choices(['skiboot', 'corrected'])
        .default('skiboot'),
    )
    .option('--phase <name>', 'show every access of one phase side by side')
    .option('--json', 'print the counts and the differences as JSON')
    .addHelpText(
      'after',
      [
        '',
        'Exit status: 0 nothing unexplained; 1 something is; 2 unreadable input, or no such phase.',
        '',
        'Examples:',
        '  phbsim compare firmware',
        '  phbsim compare firmware --phase 23-freeze_status_frozen',
        '  phbsim compare firmware --profile corrected',
        '  phbsim compare firmware p7ioc --json | jq ".phases[] | select(.differences > 0)"',
      ].join('\n'),
    )
    .action((file: string | undefined, options: CompareFirmwareOptions) => {
      process.exitCode = runCompareFirmware(file, options);
    });
}

export function compareCommand(): Command {
  return new Command('compare')
    .description('compare our software with recordings of the real one, deed by deed')
    .addCommand(firmwareCommand())
    .addCommand(linuxCommand())
    .addHelpText(
      'after',
      ['', 'Examples:', '  phbsim compare firmware', '  phbsim compare linux', '  phbsim compare linux --help'].join(
        '\n',
      ),
    );
}
