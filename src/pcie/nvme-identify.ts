/**
 * What an NVMe controller tells of itself: the identify structures and log pages. Source: NVM Express 1.2, 5.10, 5.11.
 */
import { BLOCK_SHIFT } from './nvme-blocks.js';

export const PAGE_BYTES = 4096;
/** The one namespace there is. */
export const NAMESPACE = 1;
export const ALL_NAMESPACES = 0xffff_ffff;

/** Which structure an Identify command asks for. */
export const IDENTIFY = { NAMESPACE: 0, CONTROLLER: 1, ACTIVE_NAMESPACES: 2 } as const;
export const LOG_PAGE = { ERRORS: 0x01, HEALTH: 0x02, FIRMWARE: 0x03 } as const;

/** A command moves at most this much: 2 to the power of MDTS pages of the smallest size. */
const MDTS = 7;
export const MOST_TRANSFER_BYTES = PAGE_BYTES << MDTS;
export const ABORT_LIMIT = 4;
export const ASYNC_EVENT_LIMIT = 4;

/** How a controller differs from others. */
export interface NvmeIdentity {
  readonly vendorId: number;
  readonly subsystemVendorId: number;
  readonly serialNumber: string;
  readonly model: string;
  readonly firmware: string;
}

/** Entry sizes as powers of two, required in the low half and largest in the high one. */
const SUBMISSION_ENTRY_SIZES = 0x66;
const COMPLETION_ENTRY_SIZES = 0x44;
const POWER_STATE_CENTIWATTS = 2500;

export function identifyController(identity: NvmeIdentity): Uint8Array {
  const bytes = new Uint8Array(PAGE_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, identity.vendorId, true);
  view.setUint16(2, identity.subsystemVendorId, true);
  putText(bytes, { at: 4, length: 20, text: identity.serialNumber });
  putText(bytes, { at: 24, length: 40, text: identity.model });
  putText(bytes, { at: 64, length: 8, text: identity.firmware });
  bytes[77] = MDTS;
  view.setUint32(80, 0x0001_0200, true);
  bytes[258] = ABORT_LIMIT - 1;
  bytes[259] = ASYNC_EVENT_LIMIT - 1;
  // One firmware slot, read-only.
  bytes[260] = 0x03;
  view.setUint16(266, 0x0157, true);
  view.setUint16(268, 0x0175, true);
  bytes[512] = SUBMISSION_ENTRY_SIZES;
  bytes[513] = COMPLETION_ENTRY_SIZES;
  view.setUint32(516, NAMESPACE, true);
  view.setUint16(2048, POWER_STATE_CENTIWATTS, true);
  return bytes;
}

export function identifyNamespace(blocks: number): Uint8Array {
  const bytes = new Uint8Array(PAGE_BYTES);
  const view = new DataView(bytes.buffer);
  // Size, capacity, utilization.
  for (const at of [0, 8, 16]) view.setBigUint64(at, BigInt(blocks), true);
  // One format: blocks of 512 bytes, no metadata.
  bytes[130] = BLOCK_SHIFT;
  return bytes;
}

/** Namespaces with a number above `after`. */
export function activeNamespaces(after: number): Uint8Array {
  const bytes = new Uint8Array(PAGE_BYTES);
  if (after < NAMESPACE) new DataView(bytes.buffer).setUint32(0, NAMESPACE, true);
  return bytes;
}

/** What the health log counts. */
export interface NvmeCounters {
  blocksRead: number;
  blocksWritten: number;
  readCommands: number;
  writeCommands: number;
}

const KELVIN = 300;
/** Data are counted in thousands of blocks. */
const DATA_UNIT_BLOCKS = 1000;
const LOG_BYTES = 512;

/** A log page, or `undefined` if there is no such. Nothing is ever entered into the error log. */
export function logPage(id: number, counters: NvmeCounters, identity: NvmeIdentity): Uint8Array | undefined {
  const bytes = new Uint8Array(LOG_BYTES);
  const view = new DataView(bytes.buffer);
  switch (id) {
    case LOG_PAGE.ERRORS:
      return bytes;
    case LOG_PAGE.HEALTH:
      view.setUint16(1, KELVIN, true);
      bytes[3] = 100;
      bytes[4] = 10;
      view.setBigUint64(32, BigInt(Math.ceil(counters.blocksRead / DATA_UNIT_BLOCKS)), true);
      view.setBigUint64(48, BigInt(Math.ceil(counters.blocksWritten / DATA_UNIT_BLOCKS)), true);
      view.setBigUint64(64, BigInt(counters.readCommands), true);
      view.setBigUint64(80, BigInt(counters.writeCommands), true);
      return bytes;
    case LOG_PAGE.FIRMWARE:
      bytes[0] = 1;
      putText(bytes, { at: 8, length: 8, text: identity.firmware });
      return bytes;
    default:
      return undefined;
  }
}

/** ASCII, padded with spaces. */
function putText(bytes: Uint8Array, { at, length, text }: { at: number; length: number; text: string }): void {
  const padded = text.padEnd(length).slice(0, length);
  for (let i = 0; i < length; i++) bytes[at + i] = padded.charCodeAt(i);
}
