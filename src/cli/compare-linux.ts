/** `phbsim compare linux`: our kernel against recordings of the real one, mark by mark. */
import { fileURLToPath } from 'node:url';
import { Argument, Command } from 'commander';
import { compareLinux, type LinuxComparison, unexplained } from '../replay/linux-comparison.js';
import { formatLinuxComparison, formatMark, linuxComparisonToJson } from '../replay/linux-comparison-report.js';
import { codeOf } from '../replay/linux-recording.js';
import { readRecording } from '../replay/read-recording.js';
import { RecordingError } from '../replay/recording.js';
import { HOST_STREAMS, readInput, type Streams, shownName, UnreadableInputError } from './host-streams.js';

/** The recordings that come with phbsim, by the name they go by here. */
const SHIPPED = { 'linux-simple': 'linux-simple', 'linux-fence': 'linux-fence-patchedqemu' } as const;
export type LinuxRecordingName = keyof typeof SHIPPED;
const NAMES = Object.keys(SHIPPED) as LinuxRecordingName[];

export interface CompareLinuxOptions {
  readonly json?: boolean;
  readonly mark?: string;
}

/** What the person at the keyboard can mend. */
const MENDABLE = [RecordingError, UnreadableInputError];

/** Exit status: 0 nothing unexplained, 1 something is, 2 unreadable input, or no such mark. */
export function runCompareLinux(
  name: LinuxRecordingName | undefined,
  options: CompareLinuxOptions = {},
  streams: Streams = HOST_STREAMS,
): number {
  try {
    const comparisons = (name === undefined ? NAMES : [name]).map((each) => compareShipped(each, streams));
    const text = reportOf(comparisons, options);
    if (text === undefined) {
      const codes = [...new Set(comparisons.flatMap(({ marks }) => marks.map(({ mark }) => codeOf(mark))))];
      streams.err(`phbsim compare linux: no mark "${options.mark}"; the marks are ${codes.join(', ')}`);
      return 2;
    }
    streams.out(text);
    return comparisons.every((each) => unexplained(each).length === 0) ? 0 : 1;
  } catch (error) {
    if (!MENDABLE.some((kind) => error instanceof kind)) throw error;
    streams.err(`phbsim compare linux: ${(error as Error).message}`);
    return 2;
  }
}

function compareShipped(name: LinuxRecordingName, streams: Streams): LinuxComparison {
  const path = fileURLToPath(new URL(`../../scenarios/recordings/${SHIPPED[name]}.rec.gz`, import.meta.url));
  return compareLinux(readRecording(shownName(path), readInput(path, streams)));
}

function reportOf(comparisons: readonly LinuxComparison[], { json, mark }: CompareLinuxOptions): string | undefined {
  if (mark !== undefined) {
    const shown = comparisons.flatMap((each) => formatMark(each, mark) ?? []);
    return shown.length === 0 ? undefined : shown.join('\n');
  }
  if (json === true) return JSON.stringify(comparisons.map(linuxComparisonToJson), undefined, 2);
  return comparisons.map(formatLinuxComparison).join('\n\n');
}

export function linuxCommand(): Command {
  return new Command('linux')
    .description('do to our kernel what was done to a recorded one, and compare OPAL calls, log lines and durations')
    .addArgument(new Argument('[recording]', 'which one; default: both').choices(NAMES))
    .option('--mark <code>', 'show every call and line of a mark side by side')
    .option('--json', 'print the counts and the differences as JSON')
    .addHelpText(
      'after',
      [
        '',
        'Exit status: 0 nothing unexplained; 1 something is; 2 unreadable input, or no such mark.',
        '',
        'Examples:',
        '  phbsim compare linux',
        '  phbsim compare linux linux-simple --mark L20',
        '  phbsim compare linux linux-fence --json',
      ].join('\n'),
    )
    .action((name: LinuxRecordingName | undefined, options: CompareLinuxOptions) => {
      process.exitCode = runCompareLinux(name, options);
    });
}
