/** A recording of the firmware driver's accesses, call by call: register reads and writes, waits, calls and what they returned. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { AccessSize } from '../../../src/hw/host-port.js';

export type Step =
  | { readonly kind: 'read' | 'write'; readonly size: AccessSize; readonly offset: number; readonly value: bigint }
  | { readonly kind: 'wait'; readonly ns: number }
  | { readonly kind: 'call'; readonly name: string }
  | { readonly kind: 'return'; readonly code: number };

export interface Phase {
  readonly name: string;
  readonly steps: readonly Step[];
}

/** The recording counts time in ticks of 512 MHz. */
const NS_PER_TICK = 1000 / 512;

export function readPhases(): Phase[] {
  const text = gunzipSync(readFileSync(new URL('./p7ioc.accesses.gz', import.meta.url))).toString();
  const phases: { name: string; steps: Step[] }[] = [];
  for (const line of text.trim().split('\n')) {
    const [word = '', first = '', second = '0'] = line.split(' ');
    if (word === 'phase') phases.push({ name: first, steps: [] });
    else phases.at(-1)!.steps.push(stepOf(word, first, second));
  }
  return phases;
}

function stepOf(word: string, first: string, second: string): Step {
  if (word === 'wait') return { kind: 'wait', ns: Number(first) * NS_PER_TICK };
  if (word === 'call') return { kind: 'call', name: first };
  if (word === 'ret') return { kind: 'return', code: Number(first) };
  return {
    kind: word.startsWith('R') ? 'read' : 'write',
    size: Number(word.slice(1)) as AccessSize,
    offset: Number.parseInt(first, 16),
    value: BigInt(`0x${second}`),
  };
}
