/** `phbsim explain <file|->`: reads a log (or a raw diag-data buffer) and says what the registers in it mean. */
import { Command } from 'commander';
import { dumpFromBytes, explainBinary } from '../diag/binary.js';
import { explainLog, type LogExplanation } from '../diag/explain.js';
import { toJson } from '../diag/json.js';
import { formatReport } from '../diag/report.js';
import { isGzip, unpackGzip } from '../replay/gzip.js';
import { HOST_STREAMS, readInput, shownName, type TextStreams, UnreadableInputError } from './host-streams.js';
import { decodeText } from './input-text.js';

export interface ExplainOptions {
  readonly json?: boolean;
}

const WANTED =
  'neither a log nor a PHB3 or PHB4 diag-data buffer: give the text of dmesg, journalctl -k or /sys/firmware/opal/msglog';

function unpack(name: string, bytes: Uint8Array): Uint8Array {
  if (!isGzip(bytes)) return bytes;
  try {
    return unpackGzip(bytes);
  } catch (error) {
    throw new UnreadableInputError(
      `${name}: damaged or too large gzip file (${(error as Error).message}): unpack it first`,
    );
  }
}

function explainInput(path: string, streams: TextStreams): LogExplanation {
  const name = shownName(path);
  const bytes = unpack(name, readInput(path, streams));
  const dump = dumpFromBytes(bytes);
  if (dump !== undefined) return explainBinary(dump);
  const text = bytes.length === 0 ? '' : decodeText(name, bytes, WANTED);
  if (text.trim() === '') throw new UnreadableInputError(`${name}: empty: nothing to explain, capture the log again`);
  return explainLog(text);
}

/** Runs the command and returns its exit status: 0 explained or clearly answered, 1 unreadable input. */
export function runExplain(path: string, options: ExplainOptions, streams: TextStreams = HOST_STREAMS): number {
  const shown = shownName(path);
  try {
    const explanation = explainInput(path, streams);
    streams.out(options.json === true ? toJson(explanation, shown) : formatReport(explanation, shown));
    return 0;
  } catch (error) {
    if (!(error instanceof UnreadableInputError)) throw error;
    streams.err(`phbsim explain: ${error.message}`);
    return 1;
  }
}

export function explainCommand(): Command {
  return new Command('explain')
    .description('find PHB3 and PHB4 register dumps in a kernel or firmware log and say what happened')
    .argument('<file>', 'log file, gzipped or not, or raw diag-data; - reads standard input')
    .option('--json', 'print the explanation as JSON')
    .addHelpText(
      'after',
      [
        '',
        'Examples:',
        '  phbsim explain scenarios/logs/101-phb4-tce-fault-bcm5719-48bit-mask.txt',
        '  dmesg | phbsim explain -',
        '  phbsim explain --json msglog.gz',
      ].join('\n'),
    )
    .action((file: string, options: ExplainOptions) => {
      process.exitCode = runExplain(file, options);
    });
}
