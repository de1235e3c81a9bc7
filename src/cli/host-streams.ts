/** Where commands read and write; tests put their own in place. */
import { readFileSync, writeFileSync } from 'node:fs';

export interface TextStreams {
  readonly readFile: (path: string) => Uint8Array;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

export interface Streams extends TextStreams {
  readonly writeFile: (path: string, data: Uint8Array) => void;
  /** A person is watching: progress may be drawn. */
  readonly interactive: boolean;
}

const STANDARD_INPUT = 0;
const STANDARD_OUTPUT = 1;

export const HOST_STREAMS: Streams = {
  readFile: (path) => readFileSync(path === '-' ? STANDARD_INPUT : path),
  writeFile: (path, data) => writeFileSync(path === '-' ? STANDARD_OUTPUT : path, data),
  out: (text) => process.stdout.write(`${text}\n`),
  err: (text) => process.stderr.write(`${text}\n`),
  interactive: process.stderr.isTTY === true,
};

const READ_FAILURES: Readonly<Record<string, string>> = {
  ENOENT: 'no such file: check the path, or give - to read standard input',
  EISDIR: 'is a directory: name one file',
  EACCES: 'not readable by you: copy it or change its mode',
};

/** Input a person can mend: the message names the input, what is wrong and what to do. */
export class UnreadableInputError extends Error {
  override readonly name = 'UnreadableInputError';
}

/** How messages and reports call an input. */
export function shownName(name: string): string {
  return name === '-' ? 'standard input' : name;
}

/** Output that cannot be written, with what a person can do about it. */
export class UnwritableOutputError extends Error {
  override readonly name = 'UnwritableOutputError';
}

const WRITE_FAILURES: Readonly<Record<string, string>> = {
  ENOENT: 'no such folder: make it first',
  EISDIR: 'is a directory: name a file in it',
  EACCES: 'not writable by you: name another place',
};

export function writeOutput(name: string, data: Uint8Array, streams: Streams): void {
  try {
    streams.writeFile(name, data);
  } catch (error) {
    const code = (error as { code?: string }).code ?? '';
    throw new UnwritableOutputError(`${name}: ${WRITE_FAILURES[code] ?? (error as Error).message}`);
  }
}

export function readInput(name: string, streams: TextStreams): Uint8Array {
  try {
    return streams.readFile(name);
  } catch (error) {
    const code = (error as { code?: string }).code ?? '';
    throw new UnreadableInputError(`${shownName(name)}: ${READ_FAILURES[code] ?? (error as Error).message}`);
  }
}
