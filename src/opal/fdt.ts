/**
 * A flattened device tree: nodes with typed properties, and the blob an operating system is given.
 * Source: Devicetree Specification v0.4, chapter 5; version 17 of the format.
 */

/** `perLine`: how many cells or strings belong together, for whoever prints them. */
export type FdtValue =
  | { readonly kind: 'empty' }
  | { readonly kind: 'cells'; readonly cells: readonly number[]; readonly perLine?: number }
  | { readonly kind: 'strings'; readonly strings: readonly string[] };

export interface FdtProperty {
  readonly name: string;
  readonly value: FdtValue;
}

export interface FdtNode {
  /** With its unit address, as in `pci@0`; empty for the root. */
  readonly name: string;
  readonly phandle: number;
  readonly properties: readonly FdtProperty[];
  readonly children: readonly FdtNode[];
}

export interface MemoryReservation {
  readonly address: number;
  readonly bytes: number;
}

export const empty = (name: string): FdtProperty => ({ name, value: { kind: 'empty' } });

export const cells = (name: string, ...values: readonly number[]): FdtProperty => ({
  name,
  value: values.length === 0 ? { kind: 'empty' } : { kind: 'cells', cells: values },
});

/** A long list of cells in rows. */
export const rows = (name: string, each: readonly (readonly number[])[]): FdtProperty => ({
  name,
  value: each[0] === undefined ? { kind: 'empty' } : { kind: 'cells', cells: each.flat(), perLine: each[0].length },
});

/** 64-bit numbers, each as two cells. */
export const words = (name: string, ...values: readonly (number | bigint)[]): FdtProperty =>
  rows(
    name,
    values.map((value) => wordCells(value)),
  );

export const strings = (name: string, ...values: readonly string[]): FdtProperty => ({
  name,
  value: values.length === 0 ? { kind: 'empty' } : { kind: 'strings', strings: values },
});

/** High cell first. */
export function wordCells(value: number | bigint): [high: number, low: number] {
  const word = BigInt(value);
  return [Number(BigInt.asUintN(32, word >> 32n)), Number(BigInt.asUintN(32, word))];
}

/** The node and everything below it, parents first. */
export function* nodesOf(node: FdtNode): Generator<FdtNode, void, undefined> {
  yield node;
  for (const child of node.children) yield* nodesOf(child);
}

const PHANDLE = 'phandle';

/** Every node tells its phandle before anything else, as firmware's do. */
export function propertiesOf(node: FdtNode): readonly FdtProperty[] {
  return [cells(PHANDLE, node.phandle), ...node.properties];
}

export function valueBytes(value: FdtValue): Uint8Array {
  switch (value.kind) {
    case 'empty':
      return new Uint8Array(0);
    case 'cells': {
      const view = new DataView(new ArrayBuffer(4 * value.cells.length));
      for (const [index, cell] of value.cells.entries()) view.setUint32(4 * index, cell);
      return new Uint8Array(view.buffer);
    }
    case 'strings':
      return Buffer.from(value.strings.map((each) => `${each}\0`).join(''), 'latin1');
  }
}

const FDT_MAGIC = 0xd00d_feed;
const FDT_VERSION = 17;
const FDT_COMPATIBLE_VERSION = 16;
const TAG = { BEGIN_NODE: 1, END_NODE: 2, PROP: 3, END: 9 } as const;
/** Ten words, padded so that the reservations after them stand on 8 bytes. */
const HEADER_BYTES = 48;
const HEADER_WORDS = 10;

/**
 * The blob. Firmware flattens whole trees, whose only root has no name, and the children of a node one after the other
 * without it. The strings block shares the ends of names, as the library in firmware does, so that the sizes agree.
 */
export function flatten(roots: readonly FdtNode[], reservations: readonly MemoryReservation[] = []): Uint8Array {
  const names = new StringsBlock();
  const structure = new Growing();
  for (const root of roots) writeNode(structure, names, root);
  structure.word(TAG.END);

  const reserved = new Growing();
  for (const { address, bytes } of reservations) {
    for (const cell of [...wordCells(address), ...wordCells(bytes)]) reserved.word(cell);
  }
  for (let cell = 0; cell < 4; cell++) reserved.word(0);

  const structureAt = HEADER_BYTES + reserved.bytes.length;
  const stringsAt = structureAt + structure.bytes.length;
  const totalBytes = stringsAt + names.text.length;
  const header = new Growing();
  const fields = [FDT_MAGIC, totalBytes, structureAt, stringsAt, HEADER_BYTES, FDT_VERSION, FDT_COMPATIBLE_VERSION];
  const bootCpu = 0;
  for (const field of [...fields, bootCpu, names.text.length, structure.bytes.length]) header.word(field);
  for (let cell = HEADER_WORDS; cell < HEADER_BYTES / 4; cell++) header.word(0);
  return Uint8Array.from([
    ...header.bytes,
    ...reserved.bytes,
    ...structure.bytes,
    ...Buffer.from(names.text, 'latin1'),
  ]);
}

function writeNode(structure: Growing, names: StringsBlock, node: FdtNode): void {
  structure.word(TAG.BEGIN_NODE);
  structure.block(Buffer.from(`${node.name}\0`, 'latin1'));
  for (const { name, value } of propertiesOf(node)) {
    const bytes = valueBytes(value);
    structure.word(TAG.PROP);
    structure.word(bytes.length);
    structure.word(names.offsetOf(name));
    structure.block(bytes);
  }
  for (const child of node.children) writeNode(structure, names, child);
  structure.word(TAG.END_NODE);
}

class StringsBlock {
  text = '';

  offsetOf(name: string): number {
    const known = this.text.indexOf(`${name}\0`);
    if (known >= 0) return known;
    const offset = this.text.length;
    this.text += `${name}\0`;
    return offset;
  }
}

/** Bytes put together; words are big-endian, blocks padded to the next word. */
class Growing {
  readonly bytes: number[] = [];

  word(value: number): void {
    this.bytes.push((value >>> 24) & 0xff, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff);
  }

  block(bytes: Uint8Array): void {
    this.bytes.push(...bytes);
    while (this.bytes.length % 4 !== 0) this.bytes.push(0);
  }
}
