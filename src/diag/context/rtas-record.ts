/**
 * RTAS event records: the hexadecimal rows the kernel prints, their fixed part and their version 6 sections.
 * Facts: vfio-eeh-rtas 5.9.
 */

import { type EehInterpretation, extendedFlagsOf, interpretationOf, subsystemOf } from './rtas-sections.js';

export interface RtasCallout {
  /** "H", "M", "L" */
  readonly priority: string;
  readonly location: string;
}

export interface RtasRecord {
  readonly line: number;
  readonly lastLine: number;
  /** Number of the event as the kernel counts. */
  readonly id: string;
  readonly version: number | undefined;
  readonly severity: string | undefined;
  readonly disposition: string | undefined;
  readonly type: string | undefined;
  /** "BA188002" */
  readonly referenceCode: string | undefined;
  /** Effect as the user header states it: "predictive", "unrecoverable". */
  readonly effect: string | undefined;
  /** Of the extended part: "unrecoverable", "recoverable". */
  readonly outlook: string | undefined;
  /** "I/O adapter" */
  readonly subsystem: string | undefined;
  /** Type, model and serial number. */
  readonly machine: string | undefined;
  readonly interpretation: EehInterpretation | undefined;
  readonly callouts: readonly RtasCallout[];
  /** Sections by their two letters. */
  readonly sections: readonly string[];
  readonly problems: readonly string[];
}

const SEVERITIES = ['none', 'event', 'warning', 'error, synchronised', 'error', 'fatal', 'already reported'];
const DISPOSITIONS = ['fully recovered', 'recovered in part', 'not recovered'];
const TYPES: Readonly<Record<number, string>> = {
  1: 'retry',
  2: 'TCE error',
  3: 'internal device failure',
  4: 'timeout',
  5: 'data parity',
  6: 'address parity',
  7: 'cache parity',
  8: 'address invalid',
  9: 'ECC uncorrectable',
  10: 'ECC corrected',
  64: 'power warning',
  160: 'resource reassignment',
  224: 'platform error',
  225: 'I/O event',
  226: 'information',
  227: 'deallocation',
  228: 'dump',
  229: 'hotplug',
};
/** By the high nibble of the user header's severity byte. */
const EFFECTS: Readonly<Record<number, string>> = {
  0: 'informational',
  1: 'recovered',
  2: 'predictive',
  4: 'unrecoverable',
  6: 'diagnostic',
};

/** What a reference code says about EEH. */
export const EEH_REFERENCE_CODES: Readonly<Record<string, string>> = {
  BA188001: 'EEH recovered a failing I/O adapter',
  BA188002: 'EEH could not recover the failed I/O adapter',
};

const FIXED_BYTES = 8;
const FIRST_SECTION = 24;
const SECTION_HEAD = 8;
const RTAS_VERSIONS: readonly number[] = [1, 2, 3, 4, 5, 6];
const MOST_WORDS = 4096;

const text = (bytes: Uint8Array): string =>
  [...bytes].map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ' ')).join('');

/** True when the bytes start like a record that PowerVM or PowerNV firmware wrote. */
export function hasRtasHeader(bytes: Uint8Array): boolean {
  if (bytes.length < FIRST_SECTION || bytes[0] !== 6) return false;
  return text(bytes.subarray(20, 23)) === 'IBM';
}

interface Source {
  readonly id: string;
  readonly line: number;
  readonly lastLine: number;
}

export function decodeRtasRecord(bytes: Uint8Array, { id, line, lastLine }: Source): RtasRecord {
  const problems: string[] = [];
  const callouts: RtasCallout[] = [];
  const sections: string[] = [];
  const found: Found = {
    referenceCode: undefined,
    effect: undefined,
    subsystem: undefined,
    machine: undefined,
    interpretation: undefined,
  };
  const [version = 0, flags = 0] = bytes;
  if (bytes.length < FIXED_BYTES || !RTAS_VERSIONS.includes(version)) problems.push('the fixed part is damaged');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const wanted = bytes.length < FIXED_BYTES ? 0 : FIXED_BYTES + view.getUint32(4);
  if (wanted > bytes.length) problems.push(`${bytes.length} of ${wanted} bytes are there`);
  if (hasRtasHeader(bytes)) {
    for (const { name, at, length } of sectionsOf(bytes)) {
      sections.push(name);
      const body = bytes.subarray(at, at + length);
      readSection(name, body, found);
      if (name === 'PS') callouts.push(...calloutsOf(body.subarray(80)));
    }
  }
  const valid = problems[0] !== 'the fixed part is damaged';
  return {
    line,
    lastLine,
    id,
    version: valid ? version : undefined,
    severity: valid ? SEVERITIES[flags >> 5] : undefined,
    disposition: valid ? DISPOSITIONS[(flags >> 3) & 3] : undefined,
    type: valid ? TYPES[bytes[3] ?? 0] : undefined,
    outlook: valid ? extendedFlagsOf(bytes) : undefined,
    ...found,
    callouts,
    sections,
    problems,
  };
}

type Found = {
  -readonly [K in 'referenceCode' | 'effect' | 'subsystem' | 'machine' | 'interpretation']: RtasRecord[K];
};

function readSection(name: string, body: Uint8Array, found: Found): void {
  switch (name) {
    case 'UH':
      found.effect = EFFECTS[(body[10] ?? 0) >> 4];
      found.subsystem = subsystemOf(body);
      break;
    case 'PS':
      found.referenceCode = text(body.subarray(48, 80)).trim().split(' ')[0];
      break;
    case 'MT':
      found.machine = [text(body.subarray(8, 16)), text(body.subarray(16, 28))].map((part) => part.trim()).join(' ');
      break;
    case 'UD':
      found.interpretation ??= interpretationOf(body);
      break;
    default:
      break;
  }
}

function sectionsOf(bytes: Uint8Array): { name: string; at: number; length: number }[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found: { name: string; at: number; length: number }[] = [];
  let at = FIRST_SECTION;
  while (at + SECTION_HEAD <= bytes.length) {
    const name = text(bytes.subarray(at, at + 2));
    const length = view.getUint16(at + 2);
    if (length < SECTION_HEAD || !/^[A-Z]{2}$/.test(name)) break;
    found.push({ name, at, length });
    at += length;
  }
  return found;
}

/** Head of the list: id, flags, length in words; then entries: length, kind, priority, length of the location, location. */
function calloutsOf(bytes: Uint8Array): RtasCallout[] {
  if (bytes[0] !== 0xc0) return [];
  const found: RtasCallout[] = [];
  let at = 4;
  while (at + 4 <= bytes.length && found.length < 10) {
    const [length = 0, , priority = 0, locationLength = 0] = bytes.subarray(at, at + 4);
    if (length < 4 || at + length > bytes.length) break;
    const location = text(bytes.subarray(at + 4, at + 4 + locationLength)).trim();
    found.push({ priority: String.fromCharCode(priority), location });
    at += length;
  }
  return found;
}

interface OpenRecord {
  readonly id: string;
  readonly line: number;
  lastLine: number;
  /** By row number, so that rows in a wrong order still make the record. */
  readonly rows: Map<number, readonly number[]>;
  referenceCode: string | undefined;
}

/** Four words a row. */
const ROW_WORDS = 4;

export class RtasReader {
  readonly #records: OpenRecord[] = [];

  read(line: number, textLine: string): void {
    if (textLine.includes('RTAS')) {
      const begin = /RTAS: (\d{1,9}) -+ RTAS event begin/.exec(textLine);
      if (begin) this.#open(begin[1]!, line);
      const open = this.#records.at(-1);
      const row = /RTAS (\d{1,4}): ((?:[0-9a-f]{8}\s?){1,4})/.exec(textLine);
      if (row && open !== undefined && Number(row[1]) * ROW_WORDS < MOST_WORDS) {
        const words = row[2]!.trim().split(/\s+/);
        open.rows.set(
          Number(row[1]),
          words.map((word) => Number.parseInt(word, 16)),
        );
        open.lastLine = line;
      }
      if (/RTAS event end/.test(textLine) && open !== undefined) open.lastLine = line;
    }
    if (!textLine.includes('Reference Code')) return;
    const code = /Reference Code:\s{1,40}([0-9A-Z]{8})\b/.exec(textLine)?.[1];
    const last = this.#records.at(-1);
    if (code !== undefined && last !== undefined) last.referenceCode ??= code;
  }

  get recordCount(): number {
    return this.#records.length;
  }

  finish(): RtasRecord[] {
    return this.#records.map((open) => {
      const record = decodeRtasRecord(bytesOf(open), open);
      return { ...record, referenceCode: record.referenceCode ?? open.referenceCode };
    });
  }

  #open(id: string, line: number): void {
    if (this.#records.length >= 256) return;
    this.#records.push({ id, line, lastLine: line, rows: new Map(), referenceCode: undefined });
  }
}

/** Up to the first row that is missing. */
function bytesOf({ rows }: OpenRecord): Uint8Array {
  const words: number[] = [];
  for (let row = 0; rows.has(row); row++) {
    words.push(...rows.get(row)!);
    if (words.length % ROW_WORDS !== 0) break;
  }
  const bytes = new Uint8Array(words.length * 4);
  const view = new DataView(bytes.buffer);
  words.forEach((word, i) => {
    view.setUint32(i * 4, word);
  });
  return bytes;
}
