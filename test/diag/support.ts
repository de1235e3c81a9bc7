// Builds log text from field values through the kernel's own format, so that tests go in by the text door.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ExplainedDump, explainLog, type LogExplanation } from '../../src/diag/explain.js';
import { type DiagData, type DiagLayout, formatDiagData } from '../../src/diag/layout.js';
import { PHB3_LAYOUT, type Phb3DiagField } from '../../src/diag/phb3/layout.js';
import { PHB4_LAYOUT, type Phb4DiagField } from '../../src/diag/phb4/layout.js';
import { msbMasks } from '../../src/hw/bits.js';

export const LOG_FOLDER = join(import.meta.dirname, 'logs');

export function readLog(name: string): string {
  return readFileSync(join(LOG_FOLDER, name), 'utf8');
}

export type PestByPe = Readonly<Record<number, readonly [a: bigint, b: bigint]>>;

export function dataOf<N extends string>(
  layout: DiagLayout<N>,
  fields: Partial<Record<N, bigint>>,
  pest: PestByPe = {},
): DiagData<N> {
  const column = (i: 0 | 1) => Array.from({ length: layout.pest.entries }, (_, pe) => pest[pe]?.[i] ?? 0n);
  return { fields, pestA: column(0), pestB: column(1) };
}

/** Bits in IBM numbers. */
export const bitsOf = (...numbers: number[]): bigint => msbMasks(...numbers);

export function onlyDump(explanation: LogExplanation): ExplainedDump {
  if (explanation.dumps.length !== 1) throw new Error(`${explanation.dumps.length} dumps found, 1 expected`);
  return explanation.dumps[0]!;
}

/** Root port words every live dump has. */
const ALIVE = { brdgCtl: 2n, linkStatus: 0xa0830008n, slotStatus: 0x00402000n, devCmdStatus: 0x00100107n };

export function explainPhb4(
  fields: Partial<Record<Phb4DiagField, bigint>>,
  pest: PestByPe = {},
  before = '',
): ExplainedDump {
  const lines = formatDiagData(PHB4_LAYOUT, dataOf(PHB4_LAYOUT, { ...ALIVE, ...fields }, pest), 48);
  return onlyDump(explainLog(`${before}${lines.join('\n')}\nEEH: Reset without hotplug activity\n`));
}

export function explainPhb3(
  fields: Partial<Record<Phb3DiagField, bigint>>,
  pest: PestByPe = {},
  before = '',
): ExplainedDump {
  const lines = formatDiagData(PHB3_LAYOUT, dataOf(PHB3_LAYOUT, { ...ALIVE, ...fields }, pest), 2);
  return onlyDump(explainLog(`${before}${lines.join('\n')}\nEEH: Reset without hotplug activity\n`));
}
