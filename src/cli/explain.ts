/** `phbsim explain <file|->`: reads a log (or a raw diag-data buffer) and says what froze the PE. */
import { closeSync, openSync, readSync } from 'node:fs';
import { basename } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { explainBytes, kindOfBytes, NotALogError } from '../diag/binary.js';
import { type LogExplanation, LogStream } from '../diag/explain.js';
import { formatHtml } from '../diag/html/page.js';
import { toJson } from '../diag/json.js';
import { formatReport } from '../diag/report.js';
import { isGzip, unpackGzip } from '../replay/gzip.js';
import { NoScenarioError, scenarioFromLog } from '../scenario/from-log.js';
import { HOST_STREAMS, readInput, shownName, type TextStreams, UnreadableInputError } from './host-streams.js';
import { decodeText } from './input-text.js';

export interface ExplainOptions {
  readonly json?: boolean;
  readonly html?: boolean;
  readonly scenario?: boolean;
  /** Number of the event the scenario is of. */
  readonly event?: number;
  /** File with the output of `lspci -nn`. */
  readonly lspci?: string;
}

export interface ExplainStreams extends TextStreams {
  /** Hands out the bytes of a file piece by piece; absent: `readFile` gives them at once. */
  readonly readPieces?: (path: string) => Iterable<Uint8Array>;
}

const PIECE_BYTES = 1024 * 1024;
const STANDARD_INPUT = 0;
/** Longer input is a log, never a buffer or its digits. */
const WHOLE_BYTES = 400_000;

function readOnce(descriptor: number, into: Uint8Array): number {
  for (;;) {
    try {
      return readSync(descriptor, into, 0, into.length, null);
    } catch (error) {
      const code = (error as { code?: string }).code;
      if (code === 'EOF') return 0;
      if (code !== 'EAGAIN') throw error;
    }
  }
}

function* piecesOfFile(path: string): Generator<Uint8Array> {
  const descriptor = path === '-' ? STANDARD_INPUT : openSync(path, 'r');
  try {
    for (;;) {
      // The reader keeps no piece, but the generator must not overwrite one that is being read.
      const piece = new Uint8Array(PIECE_BYTES);
      const length = readOnce(descriptor, piece);
      if (length === 0) return;
      yield piece.subarray(0, length);
    }
  } finally {
    if (path !== '-') closeSync(descriptor);
  }
}

const STREAMS: ExplainStreams = { ...HOST_STREAMS, readPieces: piecesOfFile };

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

function lspciText(options: ExplainOptions, streams: ExplainStreams): string {
  if (options.lspci === undefined) return '';
  return decodeText(shownName(options.lspci), readInput(options.lspci, streams), 'not the text of lspci -nn');
}

function explainWhole(name: string, packed: Uint8Array, lspci: string): LogExplanation {
  const bytes = unpack(name, packed);
  if (isBlank(bytes)) throw emptyError(name);
  try {
    return explainBytes(bytes, { lspci });
  } catch (error) {
    if (error instanceof NotALogError) throw new UnreadableInputError(`${name}: binary data, ${error.message}`);
    throw error;
  }
}

const BLANKS: readonly number[] = [0x09, 0x0a, 0x0d, 0x20];

function isBlank(bytes: Uint8Array): boolean {
  return bytes.every((byte) => BLANKS.includes(byte));
}

function emptyError(name: string): UnreadableInputError {
  return new UnreadableInputError(`${name}: empty: nothing to explain, capture the log again`);
}

/** Enough pieces to know what the input is. */
function beginning(pieces: Iterator<Uint8Array>): { start: Uint8Array; ended: boolean } {
  const parts: Uint8Array[] = [];
  let length = 0;
  while (length <= WHOLE_BYTES) {
    const next = pieces.next();
    if (next.done === true) return { start: join(parts), ended: true };
    parts.push(next.value);
    length += next.value.length;
  }
  return { start: join(parts), ended: false };
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function rest(start: Uint8Array, pieces: Iterator<Uint8Array>): Uint8Array {
  const parts = [start];
  for (let next = pieces.next(); next.done !== true; next = pieces.next()) parts.push(next.value);
  return join(parts);
}

function explainInput(path: string, options: ExplainOptions, streams: ExplainStreams): LogExplanation {
  const name = shownName(path);
  const lspci = lspciText(options, streams);
  if (streams.readPieces === undefined) return explainWhole(name, readInput(path, streams), lspci);
  const { readPieces } = streams;
  const pieces = readPieces(path)[Symbol.iterator]();
  // The first piece comes through readInput, so that a missing file is told in the words of every command.
  let first = { start: new Uint8Array(0) as Uint8Array, ended: true };
  readInput(path, {
    ...streams,
    readFile: () => {
      first = beginning(pieces);
      return first.start;
    },
  });
  if (first.ended) return explainWhole(name, first.start, lspci);
  const kind = kindOfBytes(first.start);
  if (kind !== 'text' || isGzip(first.start)) return explainWhole(name, rest(first.start, pieces), lspci);
  const stream = new LogStream({ lspci });
  stream.push(first.start);
  for (let next = pieces.next(); next.done !== true; next = pieces.next()) stream.push(next.value);
  return stream.finish();
}

/** Of the event that was asked for, else of the first that the simulator can repeat. */
function writeScenario(explanation: LogExplanation, { event: wanted }: ExplainOptions, name: string): string {
  const { events } = explanation;
  if (events.length === 0) {
    throw new UnreadableInputError(`${name}: no event in it, so there is nothing to repeat`);
  }
  if (wanted !== undefined && wanted > events.length) {
    throw new UnreadableInputError(`${name}: there is no event ${wanted}: the log has ${events.length}`);
  }
  const refusals: string[] = [];
  for (const [i, event] of events.entries()) {
    if (wanted !== undefined && wanted !== i + 1) continue;
    try {
      return scenarioFromLog({ source: basename(name), number: i + 1, event }).trimEnd();
    } catch (error) {
      if (!(error instanceof NoScenarioError)) throw error;
      refusals.push(`${name}: no scenario of event ${i + 1}: ${error.message}`);
    }
  }
  throw new UnreadableInputError(refusals.join('\n'));
}

function show(explanation: LogExplanation, options: ExplainOptions, name: string): string {
  if (options.scenario === true) return writeScenario(explanation, options, name);
  if (options.json === true) return toJson(explanation, name);
  return options.html === true ? formatHtml(explanation, name) : formatReport(explanation, name);
}

/** Runs the command and returns its exit status: 0 explained or clearly answered, 1 unreadable input. */
export function runExplain(path: string, options: ExplainOptions, streams: ExplainStreams = STREAMS): number {
  try {
    if (options.event !== undefined && options.scenario !== true) {
      throw new UnreadableInputError('--event chooses the event of a scenario: give --scenario too');
    }
    streams.out(show(explainInput(path, options, streams), options, shownName(path)));
    return 0;
  } catch (error) {
    if (!(error instanceof UnreadableInputError)) throw error;
    streams.err(`phbsim explain: ${error.message}`);
    return 1;
  }
}

function eventNumber(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('give the number of an event, as the report counts them.');
}

export function explainCommand(): Command {
  return new Command('explain')
    .description('say what froze a PE or fenced a bridge, from a kernel log, a firmware log or a diag-data buffer')
    .argument('<file>', 'log file, gzipped or not, or raw diag-data; - reads standard input')
    .addOption(
      new Option('--json', 'print the explanation as JSON (docs/explain.schema.json)').conflicts(['html', 'scenario']),
    )
    .addOption(new Option('--html', 'print one self-contained HTML page').conflicts('scenario'))
    .option('--scenario', 'write a scenario (YAML) that brings the simulator into the same state and recovers')
    .option('--event <number>', 'with --scenario: of this event, not of the first that can be repeated', eventNumber)
    .option('--lspci <file>', 'output of lspci -nn of the same machine, to name devices')
    .addHelpText(
      'after',
      [
        '',
        'A log without an event is said to have none. A scenario is run once before it is printed: what the simulated',
        'bridge does not repeat stands in it as a comment.',
        'Exit status: 0 explained; 1 the input cannot be read, or there is no scenario of it.',
        '',
        'Examples:',
        '  phbsim explain scenarios/logs/101-phb4-tce-fault-bcm5719-48bit-mask.txt',
        '  dmesg | phbsim explain -',
        '  phbsim explain --json msglog.gz',
        '  phbsim explain --html dmesg.txt > report.html',
        '  phbsim explain --scenario dmesg.txt > again.yaml && phbsim run again.yaml',
      ].join('\n'),
    )
    .action((file: string, options: ExplainOptions) => {
      process.exitCode = runExplain(file, options);
    });
}
