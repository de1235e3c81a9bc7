/** `phbsim replay <recording>`: feeds recorded accesses of real firmware to the chips and compares what they answer. */
import { gzipSync } from 'node:zlib';
import { SingleBar } from 'cli-progress';
import { Command } from 'commander';
import { checkFinalState } from '../replay/final-state.js';
import { readRecording } from '../replay/read-recording.js';
import { RecordingError } from '../replay/recording.js';
import { formatRecordingText } from '../replay/recording-text.js';
import { type ReplayProgress, replay } from '../replay/replay.js';
import { formatDifferences, formatReplayReport, isClean, summarize } from '../replay/report.js';
import {
  HOST_STREAMS,
  readInput,
  type Streams,
  shownName,
  UnreadableInputError,
  UnwritableOutputError,
  writeOutput,
} from './host-streams.js';

export interface ReplayOptions {
  readonly json?: boolean;
  readonly list?: boolean;
  readonly save?: string;
}

/** What the person at the keyboard can mend. */
const MENDABLE = [RecordingError, UnreadableInputError, UnwritableOutputError];

/** Exit status: 0 clean, 1 something unexplained, undeclared or not as written, 2 no recording, or no place to save it. */
export function runReplay(file: string, options: ReplayOptions, streams: Streams = HOST_STREAMS): number {
  try {
    const recording = readRecording(shownName(file), readInput(file, streams));
    if (options.save !== undefined) {
      writeOutput(options.save, gzipSync(formatRecordingText(recording), { level: 9 }), streams);
    }
    const result = withProgress(streams, (progress) => replay(recording, progress));
    const state = checkFinalState(recording, result.machine.phbs);
    const summary = summarize(result, state);
    if (options.json === true) streams.out(JSON.stringify(summary, undefined, 2));
    else streams.out(formatReplayReport(result, state));
    if (options.list === true && options.json !== true) streams.out(formatDifferences(result));
    return isClean(summary) ? 0 : 1;
  } catch (error) {
    if (!MENDABLE.some((kind) => error instanceof kind)) throw error;
    streams.err(`phbsim replay: ${(error as Error).message}`);
    return 2;
  }
}

function withProgress<T>(streams: Streams, work: (progress: ReplayProgress) => T): T {
  if (!streams.interactive) return work(() => {});
  const bar = new SingleBar({ format: 'replay {bar} {percentage}%', hideCursor: true, clearOnComplete: true });
  bar.start(1, 0);
  try {
    return work((done, total) => {
      bar.setTotal(total);
      bar.update(done);
    });
  } finally {
    bar.stop();
  }
}

export function replayCommand(): Command {
  return new Command('replay')
    .description('feed a recording of real firmware to the chips and compare every value read')
    .argument('<recording>', 'recording, gzipped or not, told apart by content; - reads standard input')
    .option('--json', 'print the counts as JSON')
    .option('--list', 'also list every difference with the rule that explains it')
    .option('--save <file>', "write the recording in the project's own format, gzipped")
    .addHelpText(
      'after',
      [
        '',
        'Exit status: 0 clean; 1 a read unexplained, an access undeclared or a state not as written; 2 unreadable input.',
        '',
        'Examples:',
        '  phbsim replay scenarios/recordings/skiboot-boot-phb3.rec.gz',
        '  phbsim replay --list boot.jsonl.gz',
        '  phbsim replay --json boot.jsonl | jq .mismatchesUnexplained',
      ].join('\n'),
    )
    .action((file: string, options: ReplayOptions) => {
      process.exitCode = runReplay(file, options);
    });
}
