/** Nodes in the order in which firmware keeps them. Source: skiboot core/device.c: dt_cmp_subnodes, dt_attach_root. */
import type { FdtNode, FdtProperty } from './fdt.js';

export interface NodeParts {
  readonly properties: readonly FdtProperty[];
  readonly children?: readonly FdtNode[];
}

export function treeNode(name: string, phandle: number, { properties, children = [] }: NodeParts): FdtNode {
  return { name, phandle, properties, children: [...children].sort((a, b) => compareNames(a.name, b.name)) };
}

/** By unit address among nodes of one kind, else by name, byte for byte. */
export function compareNames(a: string, b: string): number {
  const [kindA, unitA] = split(a);
  const [kindB, unitB] = split(b);
  if (kindA === kindB && unitA !== undefined && unitB !== undefined) return Number(unitA - unitB);
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** The unit address is left out where it is no single number, as in `ethernet@0,1`. */
function split(name: string): [kind: string, unit: bigint | undefined] {
  const [kind = '', unit = ''] = name.split('@');
  return [kind, /^[0-9a-f]+$/.test(unit) ? BigInt(`0x${unit}`) : undefined];
}

/** `pciex@3fffe40000000` */
export const atAddress = (kind: string, address: number): string => `${kind}@${address.toString(16)}`;
