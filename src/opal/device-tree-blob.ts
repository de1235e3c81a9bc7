/**
 * The published tree as a blob, whole or below one node.
 * Source: skiboot core/fdt.c: create_dtb, opal_get_device_tree. Facts: opal-pci 2, token 118.
 */
import { type FirmwareFacts, firmwareTree, reservationsOf } from './device-tree-root.js';
import { flatten, nodesOf } from './fdt.js';
import { OpalStatus } from './opal-api.js';

const { SUCCESS, PARAMETER, NO_MEM } = OpalStatus;

/** The whole tree, with what an operating system must leave alone. */
export function deviceTreeBlob(facts: FirmwareFacts): Uint8Array {
  return flatten([firmwareTree(facts)], reservationsOf(facts));
}

export interface SubtreeRequest {
  readonly phandle: number;
  /** `size`: no buffer was given, only the size is wanted. */
  readonly wanted: 'size' | 'blob';
  readonly bufferBytes: bigint;
}

export interface SubtreeResult {
  /** The size, if that was wanted. */
  readonly rc: number;
  readonly blob?: Uint8Array;
}

/** OPAL_GET_DEVICE_TREE. What stands below the node is flattened, not the node itself: so the blob may have several roots. */
export function getDeviceTree(facts: FirmwareFacts, { phandle, wanted, bufferBytes }: SubtreeRequest): SubtreeResult {
  for (const node of nodesOf(firmwareTree(facts))) {
    if (node.phandle !== phandle) continue;
    const blob = flatten(node.children);
    if (wanted === 'size') return { rc: blob.length };
    if (bufferBytes === 0n) return { rc: PARAMETER };
    return bufferBytes < BigInt(blob.length) ? { rc: NO_MEM } : { rc: SUCCESS, blob };
  }
  return { rc: PARAMETER };
}
