/** The whole job on one log: clean the text, find the dumps, explain each, join what belongs together, judge. */
import { ContextReader, type LogContext } from './context.js';
import type { Dump } from './dump.js';
import { DumpFinder, type FoundDumps } from './dump-finder.js';
import type { FaultEvent } from './fault/fault.js';
import { joinIncidents } from './fault/join.js';
import { judge } from './fault/judge.js';
import { judgeHub } from './fault/judge-hub.js';
import { type ExplainedDump, explainDump } from './interpret.js';
import { isSameEvent } from './same-event.js';
import { ByteScanner, type ScannedLines } from './text/byte-scanner.js';
import { cleanLines, LineCleaner, type TextLine } from './text/clean.js';
import { LineJoiner } from './text/joiner.js';
import { explainWithoutDump, type WithoutDump } from './without-dump.js';

export type { ExplainedDump } from './interpret.js';

export interface LogExplanation {
  readonly lineCount: number;
  readonly dumps: readonly ExplainedDump[];
  /** What happened, in the order of the lines. */
  readonly events: readonly FaultEvent[];
  /** The line from which on nothing was read any more, because the log has more events than anybody reads. */
  readonly stoppedAt: number | undefined;
  /** Set when there is no dump. */
  readonly without: WithoutDump | undefined;
}

export interface ExplainOptions {
  /** Output of `lspci -nn` of the same machine. */
  readonly lspci?: string;
}

/** The firmware prints what the kernel prints within a few dumps, not hours later. */
const NEAR = 16;

function findTwin(dumps: readonly Dump[], at: number): number {
  for (let i = Math.max(0, at - NEAR); i < at; i++) if (isSameEvent(dumps[i]!, dumps[at]!)) return i;
  return -1;
}

/** Judges what was found in a log. */
export function explainFound(found: FoundDumps, context: LogContext, stoppedAt?: number): LogExplanation {
  const dumps = found.dumps.map((dump, i): ExplainedDump => {
    const twin = findTwin(found.dumps, i);
    return { ...explainDump(dump, context), sameEventAs: twin < 0 ? undefined : twin + 1 };
  });
  return {
    lineCount: context.lineCount,
    dumps,
    stoppedAt,
    events: [
      ...joinIncidents(dumps, context).map((incident) => judge(incident, context)),
      ...(found.hubs ?? []).map(judgeHub),
    ].sort((a, b) => a.lines.first - b.lines.first),
    without: dumps.length === 0 ? explainWithoutDump(context) : undefined,
  };
}

const MOST_EVENTS = 500;

/** What every line goes through: cleaned, joined where it was broken, then read by both readers. */
class LineReader {
  readonly #context = new ContextReader();
  readonly #dumps = new DumpFinder();
  readonly #joiner = new LineJoiner((line) => {
    this.#context.read(line);
    this.#dumps.readLine(line);
  });

  constructor({ lspci = '' }: ExplainOptions) {
    for (const line of lspci.split('\n')) this.#context.machine.readLspci(line);
  }

  push(line: TextLine): void {
    this.#joiner.push(line);
  }

  /** As many events as a report can hold: whoever has more has a loop, or wants a part of the log. */
  get isFull(): boolean {
    return this.#context.eventCount >= MOST_EVENTS || this.#dumps.dumpCount >= MOST_EVENTS;
  }

  /** Lines were left out: nothing continues across them. */
  gap(): void {
    this.#joiner.finish();
    this.#dumps.endRecords();
  }

  finish(lineCount: number, stoppedAt?: number): LogExplanation {
    this.#joiner.finish();
    return explainFound(this.#dumps.finish(), this.#context.finish(lineCount), stoppedAt);
  }
}

/** Reads a log in pieces of any size, in memory that does not grow with it. */
export class LogStream {
  readonly #reader: LineReader;
  readonly #cleaner = new LineCleaner((line) => this.#reader.push(line));
  readonly #scanner = new ByteScanner((block) => this.#readBlock(block));
  #nextLine = 1;
  #stoppedAt: number | undefined;

  constructor(options: ExplainOptions = {}) {
    this.#reader = new LineReader(options);
  }

  push(bytes: Uint8Array): void {
    this.#scanner.push(bytes);
  }

  finish(): LogExplanation {
    this.#scanner.finish();
    this.#cleaner.finish();
    return this.#reader.finish(this.#scanner.lineCount, this.#stoppedAt);
  }

  #readBlock({ first, lines }: ScannedLines): void {
    if (first !== this.#nextLine) {
      this.#cleaner.finish();
      this.#reader.gap();
    }
    for (const [i, line] of lines.entries()) {
      if (this.#reader.isFull) {
        this.#stoppedAt = first + i;
        this.#scanner.countOnly();
        return;
      }
      this.#cleaner.push(first + i, line);
    }
    this.#nextLine = first + lines.length;
  }
}

export function explainLog(text: string, options: ExplainOptions = {}): LogExplanation {
  const lines = cleanLines(text);
  const reader = new LineReader(options);
  let stoppedAt: number | undefined;
  for (const line of lines) {
    if (reader.isFull) {
      stoppedAt = line.number;
      break;
    }
    reader.push(line);
  }
  return reader.finish(lines.at(-1)?.number ?? 0, stoppedAt);
}
