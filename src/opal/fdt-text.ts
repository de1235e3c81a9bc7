/**
 * A device tree as source text that `dtc` compiles to the same blob. Source: Devicetree Specification v0.4, chapter 6.
 */
import { type FdtNode, type FdtProperty, type FdtValue, type MemoryReservation, propertiesOf } from './fdt.js';

const INDENT = '\t';
/** Cells of a value without rows of its own. */
const CELLS_PER_LINE = 8;

export function formatDeviceTree(root: FdtNode, reservations: readonly MemoryReservation[] = []): string {
  const reserved = reservations.map(({ address, bytes }) => `/memreserve/ ${hex(address)} ${hex(bytes)};`);
  return ['/dts-v1/;', '', ...reserved, ...(reserved.length > 0 ? [''] : []), ...nodeLines(root, '/', '')].join('\n');
}

function nodeLines(node: FdtNode, name: string, indent: string): string[] {
  const inner = indent + INDENT;
  return [
    `${indent}${name} {`,
    ...propertiesOf(node).map((property) => inner + formatProperty(property, inner)),
    ...node.children.flatMap((child) => ['', ...nodeLines(child, child.name, inner)]),
    `${indent}};`,
  ];
}

function formatProperty({ name, value }: FdtProperty, indent: string): string {
  return value.kind === 'empty' ? `${name};` : `${name} = ${formatValue(value, `\n${indent}${INDENT}`)};`;
}

function formatValue(value: Exclude<FdtValue, { kind: 'empty' }>, newline: string): string {
  if (value.kind === 'strings') return value.strings.map((each) => `"${escaped(each)}"`).join(', ');
  const lines: string[] = [];
  const width = value.perLine ?? CELLS_PER_LINE;
  for (let at = 0; at < value.cells.length; at += width) {
    lines.push(
      value.cells
        .slice(at, at + width)
        .map(hex)
        .join(' '),
    );
  }
  return `<${lines.join(newline)}>`;
}

function escaped(text: string): string {
  return text.replaceAll(/["\\]/g, (character) => `\\${character}`);
}

const hex = (value: number): string => `0x${value.toString(16)}`;
