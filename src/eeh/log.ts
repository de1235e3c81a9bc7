/**
 * The kernel log: records with level, virtual time, text and whether the text ended its line.
 * A record without end of line is a record of its own all the same (facts: eeh-linux 13); it only reaches a console later.
 */
import type { Simulator } from '../sim/simulator.js';
import type { TimeNs } from '../sim/time.js';
import { defineTraceKind } from '../sim/trace.js';

export type LogLevel = 'err' | 'warn' | 'info' | 'debug';
export type LineEnd = 'newline' | 'open';

export interface LogRecord {
  readonly level: LogLevel;
  readonly timeNs: TimeNs;
  readonly text: string;
  readonly end: LineEnd;
}

const LEVEL_NUMBER: Record<LogLevel, number> = { err: 3, warn: 4, info: 6, debug: 7 };
/** The text itself does not fit a trace record; its hash makes the run digest cover it. */
const TRACE_LOG = defineTraceKind('linux-log', 'level', 'record', 'textHash');

export class KernelLog {
  readonly records: LogRecord[] = [];
  private readonly source: number;
  private readonly listeners: ((record: LogRecord) => void)[] = [];

  constructor(private readonly sim: Simulator) {
    this.source = sim.trace.source('linux');
  }

  err(text: string): void {
    this.add('err', text, 'newline');
  }

  warn(text: string): void {
    this.add('warn', text, 'newline');
  }

  info(text: string): void {
    this.add('info', text, 'newline');
  }

  debug(text: string): void {
    this.add('debug', text, 'newline');
  }

  /** A message whose text does not end in a newline. */
  open(level: LogLevel, text: string): void {
    this.add(level, text, 'open');
  }

  /** Calls back for every later record. */
  subscribe(listener: (record: LogRecord) => void): void {
    this.listeners.push(listener);
  }

  /** What `dmesg` shows: every record above debug, one line per line of its text, in order of time stamps. */
  lines(): string[] {
    return this.records.filter((record) => record.level !== 'debug').flatMap(formatRecord);
  }

  /** The texts alone, one entry per record, debug records left out. */
  texts(): string[] {
    return this.records.filter((record) => record.level !== 'debug').map((record) => record.text);
  }

  private add(level: LogLevel, text: string, end: LineEnd): void {
    const record = { level, timeNs: this.sim.now, text, end };
    this.records.push(record);
    this.sim.trace.emit(TRACE_LOG, this.source, LEVEL_NUMBER[level], this.records.length - 1, hashText(text));
    for (const listener of this.listeners) listener(record);
  }
}

/** `[    5.000412] text`: seconds in five columns, microseconds in six digits; a record of several lines repeats its stamp. */
export function formatRecord(record: LogRecord): string[] {
  const micros = Math.floor(record.timeNs / 1000);
  const whole = String(Math.floor(micros / 1e6)).padStart(5);
  const stamp = `[${whole}.${String(micros % 1e6).padStart(6, '0')}]`;
  return record.text.split('\n').map((line) => `${stamp} ${line}`);
}

/** FNV-1a over the UTF-16 units. */
function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
