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
    .flatMap(({ name, lines, status, tested, digest, endNs, seed }) => [
      name,
      ...lines.map(({ timeNs, text }) => `${stamp(timeNs)}  ${text}`),
      ...(tested === 0 ? [NOTHING_TESTED] : []),
      `exit status ${status}; digest ${digest} at ${formatTime(endNs)}, seed ${JSON.stringify(seed)}`,
      '',
    ])
    .slice(0, -1)
    .join('\n');
}

export function sessionStatus({ results }: SessionResult): 0 | 1 {
  return results.some(({ status }) => status !== 0) ? 1 : 0;
}

/** The real ones call it a success where they found nothing to break. */
export function procedureStatus(results: readonly ProcedureResult[]): 0 | 1 {
  return results.some(({ status, tested }) => status === 1 || tested === 0) ? 1 : 0;
}

const NOTHING_TESTED =
  'nothing was tested: no device or PHB of this machine was hit. Give a scenario with a card, and skip fewer.';

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
