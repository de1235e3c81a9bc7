/** Raw buffers, as firmware hands them out: diag data and RTAS records, as bytes or as a dump in hexadecimal. */

import { decodeRtasRecord, hasRtasHeader } from './context/rtas-record.js';
import { readContext } from './context.js';
import type { Dump, DumpWord, PestRun } from './dump.js';
import { type ExplainOptions, explainFound, explainLog, type LogExplanation, LogStream } from './explain.js';
import { type DiagLayout, decodeDiagData, hasDiagHeader } from './layout.js';
import { P7IOC_LAYOUT } from './p7ioc/layout.js';
import { PHB3_LAYOUT } from './phb3/layout.js';
import { PHB4_LAYOUT } from './phb4/layout.js';

const LAYOUTS: readonly DiagLayout[] = [P7IOC_LAYOUT, PHB3_LAYOUT, PHB4_LAYOUT];
/** A buffer cut shorter than this holds no error register. */
const SHORTEST_CUT = 0x180;

/** Input that is no log and no buffer that anybody knows. */
export class NotALogError extends Error {
  override readonly name = 'NotALogError';
}

function layoutOf(bytes: Uint8Array): DiagLayout | undefined {
  return LAYOUTS.find((layout) => hasDiagHeader(layout, bytes));
}

/** A buffer that was saved too short still has its header; what is missing reads as zero. */
function completed(bytes: Uint8Array): Uint8Array | undefined {
  if (bytes.length < SHORTEST_CUT) return undefined;
  for (const layout of LAYOUTS) {
    if (bytes.length >= layout.totalBytes) continue;
    const whole = new Uint8Array(layout.totalBytes);
    whole.set(bytes);
    if (hasDiagHeader(layout, whole)) return whole;
  }
  return undefined;
}

function foldPest(pestA: readonly bigint[], pestB: readonly bigint[]): PestRun[] {
  const runs: PestRun[] = [];
  pestA.forEach((a, index) => {
    const b = pestB[index]!;
    if (a === 0n && b === 0n) return;
    const previous = runs.at(-1);
    if (previous !== undefined && previous.last === index - 1 && previous.a === a && previous.b === b) {
      runs[runs.length - 1] = { ...previous, last: index };
    } else {
      runs.push({ first: index, last: index, a, b, line: 0 });
    }
  });
  return runs;
}

/** The dump inside a buffer that starts with a P7IOC, PHB3 or PHB4 diag-data header; undefined for anything else. */
export function dumpFromBytes(bytes: Uint8Array): Dump | undefined {
  const whole = layoutOf(bytes) === undefined ? completed(bytes) : bytes;
  const layout = whole === undefined ? undefined : layoutOf(whole);
  if (whole === undefined || layout === undefined) return undefined;
  const data = decodeDiagData(layout, whole);
  const cut = `the buffer is cut: ${bytes.length} of ${layout.totalBytes} bytes; the rest is read as zero`;
  const words = new Map<string, DumpWord>();
  for (const field of layout.fields) words.set(field.name, { value: data.fields[field.name] ?? 0n, line: 0 });
  return {
    chip: layout.chip,
    form: 'binary',
    phbText: undefined,
    phbNumbers: [],
    version: data.version,
    firstLine: 0,
    lastLine: 0,
    words,
    pest: foldPest(data.pestA, data.pestB),
    printsZeros: true,
    fenceDetected: false,
    escalated: undefined,
    isPhb5: false,
    problems: whole === bytes ? [] : [{ line: 0, text: cut }],
  };
}

export function explainBinary(dump: Dump): LogExplanation {
  return explainFound({ dumps: [dump] }, readContext([]));
}

const RTAS_ID = 'of the file';

/** A buffer of a kind that is known by its first bytes. */
function explainBuffer(bytes: Uint8Array): LogExplanation | undefined {
  const dump = dumpFromBytes(bytes);
  if (dump !== undefined) return explainBinary(dump);
  if (!hasRtasHeader(bytes)) return undefined;
  const rtas = decodeRtasRecord(bytes, { id: RTAS_ID, line: 0, lastLine: 0 });
  return explainFound({ dumps: [] }, { ...readContext([]), rtasEvents: [rtas] });
}

/** Longer text is no dump of one buffer. */
const LONGEST_HEX_TEXT = 400_000;
const OFFSET = /^(?:0x)?[0-9a-fA-F]{4,16}(?::| {1,4})/;
const LETTERS = / {2,4}[|>].*$| {2}[^ ]{1,16}$/;

function digitsOf(lines: readonly string[], strip: (line: string) => string): string | undefined {
  let digits = '';
  for (const line of lines) {
    if (line.trim() === '' || line.startsWith('#') || line.trim() === '*') continue;
    const bare = strip(line).replace(/0x|[\s,]/g, '');
    if (!/^[0-9a-fA-F]*$/.test(bare)) return undefined;
    digits += bare;
  }
  return digits.length % 2 === 0 ? digits : undefined;
}

function bytesOfDigits(digits: string): Uint8Array {
  return Uint8Array.from({ length: digits.length / 2 }, (_, i) => Number.parseInt(digits.slice(i * 2, i * 2 + 2), 16));
}

const STRIPS: readonly ((line: string) => string)[] = [
  (line) => line,
  (line) => line.replace(OFFSET, ''),
  (line) => line.replace(LETTERS, '').replace(OFFSET, ''),
  (line) => line.replace(OFFSET, '').replace(LETTERS, ''),
];

/** A buffer that somebody printed with xxd, hexdump or od, or as bare digits. */
export function explainHexText(text: string): LogExplanation | undefined {
  if (text.length > LONGEST_HEX_TEXT || !/^[\s#0-9a-fA-Fx]/.test(text)) return undefined;
  const lines = text.split('\n').map((line) => line.trimEnd());
  for (const strip of STRIPS) {
    const digits = digitsOf(lines, strip);
    const found = digits === undefined ? undefined : explainBuffer(bytesOfDigits(digits));
    if (found !== undefined) return found;
  }
  return undefined;
}

const SAMPLE_BYTES = 65_536;
/** One odd byte in so many is an accident of a terminal; more is no text. */
const ODD_SHARE = 20;
const PLAIN_CONTROLS: readonly number[] = [0x09, 0x0a, 0x0d, 0x1b];

function isBinary(sample: Uint8Array): boolean {
  const odd = sample.filter((byte) => byte < 0x20 && !PLAIN_CONTROLS.includes(byte)).length;
  return sample.includes(0) || odd * ODD_SHARE > sample.length;
}

export type BytesKind = 'buffer' | 'text' | 'utf-16' | 'binary';

/** What bytes are, by their beginning. */
export function kindOfBytes(bytes: Uint8Array): BytesKind {
  const [first, second] = bytes;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) return 'utf-16';
  if (dumpFromBytes(bytes) !== undefined || hasRtasHeader(bytes)) return 'buffer';
  return isBinary(bytes.subarray(0, SAMPLE_BYTES)) ? 'binary' : 'text';
}

/** Explains the bytes of a file: text of any encoding a log has, or a buffer. */
export function explainBytes(bytes: Uint8Array, options: ExplainOptions = {}): LogExplanation {
  switch (kindOfBytes(bytes)) {
    case 'buffer':
      return explainBuffer(bytes)!;
    case 'utf-16':
      return explainLog(new TextDecoder(bytes[0] === 0xff ? 'utf-16le' : 'utf-16be').decode(bytes), options);
    case 'binary':
      throw new NotALogError(
        'neither a log nor a diag-data buffer: give the text of dmesg, journalctl -k or /sys/firmware/opal/msglog',
      );
    case 'text': {
      const hexadecimal = bytes.length > LONGEST_HEX_TEXT ? undefined : explainHexText(new TextDecoder().decode(bytes));
      if (hexadecimal !== undefined) return hexadecimal;
      const stream = new LogStream(options);
      stream.push(bytes);
      return stream.finish();
    }
  }
}
