/**
 * What QEMU answered, kept for machines without it: QEMU 7.2.22 of Debian 12, one file a set of sequences, compressed.
 * A sequence is known by its name and a digest of its steps, so that answers to other steps are never taken for its own.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';
import { type Answers, describeStep } from './backend.js';
import type { Sequence } from './compare.js';

interface RecordedSet {
  readonly source: string;
  /** By name: digest of the steps and the answers, without `0x` and leading zeros, each repeated one as a count. */
  readonly sequences: Record<string, readonly [digest: string, answers: string]>;
}

const fileOf = (set: string): URL => new URL(`recorded/${set}.json.gz`, import.meta.url);

const digestOf = ({ steps }: Sequence): string =>
  createHash('sha256').update(steps.map(describeStep).join('\n')).digest('hex').slice(0, 16);

const BLOCK_MARK = '#';
const WORD_DIGITS = 16;

/** A word loses its leading zeros, a block of memory must keep them. */
function packed(answers: Answers): string {
  return answers
    .map((answer) => {
      const digits = answer.slice(2);
      return digits.length === WORD_DIGITS ? digits.replace(/^0+(?=.)/, '') : `${BLOCK_MARK}${digits}`;
    })
    .join(' ');
}

const unpacked = (text: string): Answers =>
  text === ''
    ? []
    : text
        .split(' ')
        .map((word) => `0x${word.startsWith(BLOCK_MARK) ? word.slice(1) : word.padStart(WORD_DIGITS, '0')}`);

export class Recording {
  private constructor(private readonly set: RecordedSet) {}

  static of(name: string): Recording | undefined {
    const file = fileOf(name);
    if (!existsSync(file)) return undefined;
    return new Recording(JSON.parse(gunzipSync(readFileSync(file)).toString()) as RecordedSet);
  }

  /** The version line of the QEMU that was asked. */
  get source(): string {
    return this.set.source;
  }

  /** Undefined if these steps were never put to QEMU. */
  answersTo(sequence: Sequence): Answers | undefined {
    const [digest, answers] = this.set.sequences[sequence.name] ?? [];
    return digest === digestOf(sequence) ? unpacked(answers!) : undefined;
  }
}

export function record(name: string, source: string, asked: readonly (readonly [Sequence, Answers])[]): void {
  const sequences = Object.fromEntries(
    asked.map(([sequence, answers]) => [sequence.name, [digestOf(sequence), packed(answers)] as const]),
  );
  const set: RecordedSet = { source, sequences };
  writeFileSync(fileOf(name), gzipSync(JSON.stringify(set), { level: 9 }));
}
