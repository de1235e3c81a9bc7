/**
 * Diag-data structures as data: one table gives the binary layout, the kernel's text lines and the names a decoder uses.
 * Facts: ioda2-phb3 9.1 to 9.3, phb4-diag 1 and 2.1, eeh-linux 13.5.
 */

import { ALL_ONES } from '../hw/bits.js';

/** The words of one PEST entry. */
export interface PestPair {
  readonly a: bigint;
  readonly b: bigint;
}

export type DiagChip = 'p7ioc' | 'phb3' | 'phb4';

export interface DiagField<N extends string = string> {
  readonly name: N;
  readonly offset: number;
  readonly bytes: 4 | 8;
}

/** One text line of the kernel: printed when any of `shownIf` is not zero. */
export interface DiagLine<N extends string = string> {
  readonly label: string;
  readonly fields: readonly N[];
  readonly shownIf: readonly N[];
}

export interface DiagLayout<N extends string = string> {
  readonly chip: DiagChip;
  readonly title: string;
  readonly ioType: number;
  readonly totalBytes: number;
  readonly fields: readonly DiagField<N>[];
  readonly lines: readonly DiagLine<N>[];
  /** Column where the values of a text line start. */
  readonly valueColumn: number;
  /** Base in which the kernel prints the PHB number of the header line. */
  readonly headerBase: 10 | 16;
  readonly pest: { readonly offsetA: number; readonly offsetB: number; readonly entries: number };
}

/** Contents of one structure. A field that is not given is 0, as firmware clears the buffer first. */
export interface DiagData<N extends string = string> {
  readonly version?: number;
  readonly fields: Readonly<Partial<Record<N, bigint>>>;
  readonly pestA: readonly bigint[];
  readonly pestB: readonly bigint[];
}

export class DiagDataError extends Error {
  override readonly name = 'DiagDataError';
}

const DEFAULT_VERSION = 1;
const HEADER = { version: 0, ioType: 4, len: 8 } as const;

export function fieldBytes(layout: DiagLayout, name: string): 4 | 8 {
  const field = layout.fields.find((f) => f.name === name);
  if (field === undefined) throw new DiagDataError(`${layout.title} diag-data has no field "${name}"`);
  return field.bytes;
}

function checkPest(layout: DiagLayout, data: DiagData): void {
  for (const [name, words] of [
    ['pestA', data.pestA],
    ['pestB', data.pestB],
  ] as const) {
    if (words.length > layout.pest.entries) {
      throw new DiagDataError(
        `${layout.title} diag-data holds ${layout.pest.entries} PEST entries, ${name} has ${words.length}`,
      );
    }
  }
}

/** The structure as firmware fills it: big-endian, header first. */
export function encodeDiagData<N extends string>(layout: DiagLayout<N>, data: DiagData<N>): Uint8Array {
  checkPest(layout, data);
  const bytes = new Uint8Array(layout.totalBytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(HEADER.version, data.version ?? DEFAULT_VERSION);
  view.setUint32(HEADER.ioType, layout.ioType);
  view.setUint32(HEADER.len, layout.totalBytes);
  for (const field of layout.fields) {
    const value = data.fields[field.name] ?? 0n;
    if (value < 0n || value >> BigInt(field.bytes * 8) !== 0n) {
      throw new DiagDataError(
        `${layout.title} diag-data field "${field.name}" holds ${field.bytes} bytes, got ${value}`,
      );
    }
    if (field.bytes === 8) view.setBigUint64(field.offset, value);
    else view.setUint32(field.offset, Number(value));
  }
  for (const [i, word] of data.pestA.entries()) view.setBigUint64(layout.pest.offsetA + i * 8, word);
  for (const [i, word] of data.pestB.entries()) view.setBigUint64(layout.pest.offsetB + i * 8, word);
  return bytes;
}

/** True when the bytes start with this structure's header. */
export function hasDiagHeader(layout: DiagLayout, bytes: Uint8Array): boolean {
  if (bytes.length < layout.totalBytes) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return view.getUint32(HEADER.ioType) === layout.ioType && view.getUint32(HEADER.len) === layout.totalBytes;
}

export function decodeDiagData<N extends string>(layout: DiagLayout<N>, bytes: Uint8Array): DiagData<N> {
  if (bytes.length < layout.totalBytes) {
    throw new DiagDataError(
      `${layout.title} diag-data is ${layout.totalBytes} bytes, got ${bytes.length}: read the whole buffer`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const ioType = view.getUint32(HEADER.ioType);
  if (ioType !== layout.ioType) {
    throw new DiagDataError(`ioType is ${ioType}, ${layout.title} diag-data has ${layout.ioType}`);
  }
  const fields: Partial<Record<N, bigint>> = {};
  for (const field of layout.fields) {
    fields[field.name] = field.bytes === 8 ? view.getBigUint64(field.offset) : BigInt(view.getUint32(field.offset));
  }
  const { offsetA, offsetB, entries } = layout.pest;
  const column = (offset: number) => Array.from({ length: entries }, (_, i) => view.getBigUint64(offset + i * 8));
  return { version: view.getUint32(HEADER.version), fields, pestA: column(offsetA), pestB: column(offsetB) };
}

const hex = (value: bigint, digits: number): string => value.toString(16).padStart(digits, '0');
const pe = (index: number): string => index.toString(16).padStart(3, '0');

/**
 * The PEST lines: only entries with a bit 0, equal neighbours folded, a run up to the last entry left open.
 * Source: linux pci.c: pnv_pci_dump_pest.
 */
export function formatPest(entries: readonly PestPair[]): string[] {
  const lines: string[] = [];
  let previous: PestPair = { a: ALL_ONES, b: ALL_ONES };
  let inRun = false;
  entries.forEach((entry, index) => {
    const frozen = entry.a >> 63n === 1n || entry.b >> 63n === 1n;
    if (entry.a === previous.a && entry.b === previous.b) {
      if (frozen) inRun = true;
      return;
    }
    previous = entry;
    if (inRun) lines.push(`PE[..${pe(index - 1)}] A/B: as above`);
    inRun = false;
    if (frozen) lines.push(`PE[${pe(index)}] A/B: ${hex(entry.a, 16)} ${hex(entry.b, 16)}`);
  });
  return lines;
}

/** The kernel's text of a structure, without any prefix. */
export function formatDiagData<N extends string>(
  layout: DiagLayout<N>,
  data: DiagData<N>,
  phbNumber: number,
): string[] {
  checkPest(layout, data);
  const number = phbNumber.toString(layout.headerBase);
  const lines = [`${layout.title} PHB#${number} Diag-data (Version: ${data.version ?? DEFAULT_VERSION})`];
  const value = (name: N) => data.fields[name] ?? 0n;
  for (const line of layout.lines) {
    if (line.shownIf.every((name) => value(name) === 0n)) continue;
    const words = line.fields.map((name) => hex(value(name), fieldBytes(layout, name) * 2));
    lines.push(`${line.label}:`.padEnd(layout.valueColumn) + words.join(' '));
  }
  const entries = Array.from({ length: layout.pest.entries }, (_, i) => ({
    a: data.pestA[i] ?? 0n,
    b: data.pestB[i] ?? 0n,
  }));
  return [...lines, ...formatPest(entries)];
}

/** Fields of equal size that follow one another, from a first offset on. */
export function consecutive<const N extends string>(offset: number, bytes: 4 | 8, names: readonly N[]): DiagField<N>[] {
  return names.map((name, i) => ({ name, offset: offset + i * bytes, bytes }));
}
