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
const SHIPPED = new URL('../../scenarios/recordings/skiboot-calls-phb3.calls.gz', import.meta.url);

/** Exit status: 0 nothing unexplained, 1 something is, 2 no recording, or no such phase in it. */
export function runCompareFirmware(
  file: string | undefined,
  options: CompareFirmwareOptions,
  streams: Streams = HOST_STREAMS,
): number {
  try {
    const path = file ?? fileURLToPath(SHIPPED);
    const recording = readFirmwareCalls(shownName(path), readInput(path, streams));
    const comparison = compareFirmware(recording, options.profile);
    const text = reportOf(comparison, options);
    if (text === undefined) {
      const names = recording.phases.map((phase) => phase.name);
      streams.err(`phbsim compare firmware: no phase "${options.phase}"; the phases are ${names.join(', ')}`);
      return 2;
    }
    streams.out(text);
    return isExplained(comparison) ? 0 : 1;
  } catch (error) {
    if (!MENDABLE.some((kind) => error instanceof kind)) throw error;
    streams.err(`phbsim compare firmware: ${(error as Error).message}`);
    return 2;
  }
}

function reportOf(comparison: FirmwareComparison, { json, phase }: CompareFirmwareOptions): string | undefined {
  const wanted = comparison.phases.find((each) => each.name === phase);
  if (phase !== undefined && wanted === undefined) return undefined;
  if (json === true) return JSON.stringify(firmwareComparisonToJson(comparison, phase), undefined, 2);
  return wanted === undefined ? formatFirmwareComparison(comparison) : formatPhase(wanted);
}

function firmwareCommand(): Command {
  return new Command('firmware')
    .description('call our firmware as the real one was called, and compare every access, return code and result')
    .argument(
      '[recording]',
      'recording of firmware calls, gzipped or not; - reads standard input; default: the shipped one',
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
        '  phbsim compare firmware --json | jq ".phases[] | select(.differences > 0)"',
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
