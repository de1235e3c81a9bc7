/** What commands and procedures in the kernel printed, each with the virtual time. */
import { formatTime } from '../sim/time.js';
import type { ProcedureResult, SessionResult } from './kernel-session.js';

const TIME_WIDTH = 20;

/** A command with its time, then what it printed. */
export function formatSession({ results, seed, endNs, digest }: SessionResult): string {
  const lines = results.flatMap(({ command, startNs, text, errors }) => [
    `${stamp(startNs)}  $ ${command}`,
    ...printable(text),
    ...errors,
  ]);
  return [...lines, `digest ${digest} at ${formatTime(endNs)}, seed ${JSON.stringify(seed)}`].join('\n');
}

export function formatProcedures(results: readonly ProcedureResult[]): string {
  return results
    .flatMap(({ name, lines, status, digest, endNs, seed }) => [
      name,
      ...lines.map(({ timeNs, text }) => `${stamp(timeNs)}  ${text}`),
      `exit status ${status}; digest ${digest} at ${formatTime(endNs)}, seed ${JSON.stringify(seed)}`,
      '',
    ])
    .slice(0, -1)
    .join('\n');
}

export function sessionStatus({ results }: SessionResult): 0 | 1 {
  return results.some(({ status }) => status !== 0) ? 1 : 0;
}

/** A test that was skipped did not fail. */
export function procedureStatus(results: readonly ProcedureResult[]): 0 | 1 {
  return results.some(({ status }) => status === 1) ? 1 : 0;
}

function stamp(timeNs: number): string {
  return formatTime(timeNs).padStart(TIME_WIDTH);
}

/** Lines without their end; bytes that no terminal should get are spelled. */
function printable(text: string): string[] {
  if (text === '') return [];
  const shown = [...text.replace(/\n$/, '')].map((character) => {
    const code = character.charCodeAt(0);
    const plain = character === '\n' || character === '\t' || (code >= FIRST_PRINTABLE && code <= LAST_PRINTABLE);
    return plain ? character : `\\x${code.toString(16).padStart(2, '0')}`;
  });
  return shown.join('').split('\n');
}

const FIRST_PRINTABLE = 0x20;
const LAST_PRINTABLE = 0x7e;
