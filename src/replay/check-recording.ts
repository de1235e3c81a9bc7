/**
 * What no replay can do, whatever form the recording came in: PHBs that the chip has not, values wider than the access, times
 * beyond reason, nothing to replay at all.
 */
import { PHBS_PER_CHIP } from '../machine/powernv8.js';
import { seconds, us } from '../sim/time.js';
import { type RecordedStep, type Recording, RecordingError } from './recording.js';

const LONGEST_US = seconds(24 * 3600) / us(1);

export function checkRecording(file: string, recording: Recording): void {
  let line = 1;
  for (const step of recording.steps) {
    if ('line' in step) line = step.line;
    const problem = problemOf(step);
    if (problem !== undefined)
      throw new RecordingError(file, line, problem, 'The recording may be edited: record it anew.');
  }
  if (recording.steps.some(({ kind }) => kind === 'access' || kind === 'foreign')) return;
  throw new RecordingError(file, line, 'no access in it: nothing to replay', 'The recording may be cut: copy it anew.');
}

function problemOf(step: RecordedStep): string | undefined {
  if (!(step.timeUs <= LONGEST_US)) return `the time ${step.timeUs} us is more than a day after the beginning`;
  if (step.kind !== 'access') return undefined;
  const { phb, size, value } = step;
  if (phb >= PHBS_PER_CHIP) return `PHB ${phb} does not exist: a chip has PHB 0 to ${PHBS_PER_CHIP - 1}`;
  if (value >= 1n << BigInt(8 * size)) return `the value 0x${value.toString(16)} has more than ${size} bytes`;
  return undefined;
}
