/** Opens a recording in any form it comes in, gzipped or not, told apart by content. */
import { checkRecording } from './check-recording.js';
import { parseFirmwareTrace } from './firmware-trace.js';
import { isGzip, unpackGzip } from './gzip.js';
import { parseRecorderLines } from './recorder-lines.js';
import { type Recording, RecordingError } from './recording.js';
import { FORMAT_LINE, parseRecordingText } from './recording-text.js';

const FORMS =
  'Known forms: phbsim-recording text, JSON lines of a recorder ({"meta"...}), JSON lines of a firmware trace ({"phase"...}); each may be gzipped.';

/** What a recording of firmware call by call begins with: another command takes it. */
export const CALLS_FORMAT_LINE = 'phbsim-firmware-calls 1';
const CALLS_REMEDY =
  'phbsim compare firmware takes it: it has the registers that the firmware saw, and no chip to compare with.';

/** Throws a `RecordingError` where the input is no recording, or none that can be replayed. */
export function readRecording(file: string, bytes: Uint8Array): Recording {
  const recording = parseRecording(file, bytes);
  checkRecording(file, recording);
  return recording;
}

function parseRecording(file: string, bytes: Uint8Array): Recording {
  const text = decodeText(file, bytes);
  const first = text.slice(0, 4096).trimStart();
  if (first === '') throw new RecordingError(file, 1, 'the file is empty', FORMS);
  if (first.startsWith(FORMAT_LINE)) return parseRecordingText(file, text);
  if (first.startsWith('{"meta"')) return parseRecorderLines(file, text);
  if (first.startsWith('{"phase"')) return parseFirmwareTrace(file, text);
  if (first.startsWith(CALLS_FORMAT_LINE)) {
    throw new RecordingError(file, 1, 'this is a recording of firmware call by call', CALLS_REMEDY);
  }
  throw new RecordingError(
    file,
    1,
    `this is no recording: it begins with ${JSON.stringify(first.slice(0, 24))}`,
    FORMS,
  );
}

export function decodeText(file: string, bytes: Uint8Array, remedy: string = FORMS): string {
  const gzipped = isGzip(bytes);
  try {
    const plain = gzipped ? unpackGzip(bytes) : bytes;
    return new TextDecoder('utf-8', { fatal: true }).decode(plain);
  } catch (error) {
    const problem = gzipped ? 'the gzip data is damaged, cut or too large' : 'the file is binary, not text';
    throw new RecordingError(file, 1, `${problem} (${error instanceof Error ? error.message : String(error)})`, remedy);
  }
}
