/**
 * Commands and completions of NVMe as they stand in queues, and the codes in them. Source: NVM Express 1.2, 4.2, 4.6,
 * 5, 6.
 */
import type { Address } from './tlp.js';

export const COMMAND_BYTES = 64;
export const COMPLETION_BYTES = 16;

export const ADMIN = {
  DELETE_SQ: 0x00,
  CREATE_SQ: 0x01,
  GET_LOG_PAGE: 0x02,
  DELETE_CQ: 0x04,
  CREATE_CQ: 0x05,
  IDENTIFY: 0x06,
  ABORT: 0x08,
  SET_FEATURES: 0x09,
  GET_FEATURES: 0x0a,
  ASYNC_EVENT_REQUEST: 0x0c,
} as const;

export const IO = { FLUSH: 0x00, WRITE: 0x01, READ: 0x02 } as const;

/** Trying again does not help. */
const DO_NOT_RETRY = 0x4000;

/** Status field of a completion: code, type of code from bit 8, "do not retry". */
export const NVME_STATUS = {
  SUCCESS: 0x0000,
  INVALID_OPCODE: 0x0001 | DO_NOT_RETRY,
  INVALID_FIELD: 0x0002 | DO_NOT_RETRY,
  COMMAND_ID_CONFLICT: 0x0003 | DO_NOT_RETRY,
  DATA_TRANSFER_ERROR: 0x0004,
  ABORT_REQUESTED: 0x0007,
  ABORTED_SQ_DELETED: 0x0008,
  INVALID_NAMESPACE: 0x000b | DO_NOT_RETRY,
  COMMAND_SEQUENCE_ERROR: 0x000c | DO_NOT_RETRY,
  INVALID_PRP_OFFSET: 0x0013 | DO_NOT_RETRY,
  LBA_OUT_OF_RANGE: 0x0080 | DO_NOT_RETRY,
  INVALID_CQ: 0x0100 | DO_NOT_RETRY,
  INVALID_QUEUE_ID: 0x0101 | DO_NOT_RETRY,
  INVALID_QUEUE_SIZE: 0x0102 | DO_NOT_RETRY,
  ASYNC_EVENT_LIMIT: 0x0105 | DO_NOT_RETRY,
  INVALID_INTERRUPT_VECTOR: 0x0108 | DO_NOT_RETRY,
  INVALID_LOG_PAGE: 0x0109 | DO_NOT_RETRY,
  INVALID_QUEUE_DELETION: 0x010c | DO_NOT_RETRY,
  FEATURE_NOT_SAVEABLE: 0x010d | DO_NOT_RETRY,
} as const;
export type NvmeStatus = (typeof NVME_STATUS)[keyof typeof NVME_STATUS];

export interface NvmeCommand {
  readonly opcode: number;
  /** Fused operation and how data are pointed to; both have to be 0 here. */
  readonly flags: number;
  readonly commandId: number;
  readonly namespace: number;
  readonly prp1: Address;
  readonly prp2: Address;
  /** Command doublewords 10 to 15. */
  readonly dwords: Readonly<Record<10 | 11 | 12 | 13 | 14 | 15, number>>;
}

const FLAGS_USED = 0xc3;

export function parseCommand(bytes: Uint8Array): NvmeCommand {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const dword = (index: number): number => view.getUint32(4 * index, true);
  const address = (index: number): Address => ({ hi: dword(index + 1), lo: dword(index) });
  return {
    opcode: dword(0) & 0xff,
    flags: (dword(0) >>> 8) & FLAGS_USED,
    commandId: dword(0) >>> 16,
    namespace: dword(1),
    prp1: address(6),
    prp2: address(8),
    dwords: { 10: dword(10), 11: dword(11), 12: dword(12), 13: dword(13), 14: dword(14), 15: dword(15) },
  };
}

export interface NvmeCompletion {
  readonly result: number;
  readonly head: number;
  readonly queue: number;
  readonly commandId: number;
  readonly status: NvmeStatus;
  readonly phase: 0 | 1;
}

export function completionBytes(entry: NvmeCompletion): Uint8Array {
  const bytes = new Uint8Array(COMPLETION_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, entry.result, true);
  view.setUint16(8, entry.head, true);
  view.setUint16(10, entry.queue, true);
  view.setUint16(12, entry.commandId, true);
  view.setUint16(14, (entry.status << 1) | entry.phase, true);
  return bytes;
}
