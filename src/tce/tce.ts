/**
 * TCE, the translation control entry: one DMA page, or in a tree the address of the next table.
 * Facts: ioda2-phb3 5.5; linux asm/tce.h; qemu pnv_phb3_translate_tve.
 */
import { bit, bits, type FieldSpec, getField, setField } from '../hw/bits.js';

export const TCE = {
  /** Real address from bit 49 (LSB-0) down to the page size; the bits below are ignored. */
  PAGE: bits(14, 51),
  NEXT_TABLE: bits(0, 51),
  WRITE: bit(62),
  READ: bit(63),
} as const satisfies Record<string, FieldSpec>;

/** Permission bits as they stand in the TCE; a DMA direction is the permission it needs. */
export const Permission = { NONE: 0, READ: 1, WRITE: 2, READ_WRITE: 3 } as const;
export type Permission = (typeof Permission)[keyof typeof Permission];

const GRANULE = 0x1000;
const REAL_ADDRESS_BITS = 50;
const REAL_ADDRESS_HI = 2 ** (REAL_ADDRESS_BITS - 32) - 1;

export class TceEncodeError extends RangeError {
  override readonly name = 'TceEncodeError';
}

export function encodeTce(realPage: number, permission: Permission): bigint {
  if (!(realPage >= 0 && realPage < 2 ** REAL_ADDRESS_BITS) || realPage % GRANULE !== 0) {
    throw new TceEncodeError(`TCE for real address ${realPage}: give a multiple of 4096 below 2^50`);
  }
  return setField(0n, TCE.PAGE, BigInt(realPage / GRANULE)) | BigInt(permission);
}

/** An entry of an upper level. Linux marks it with both permission bits; hardware wants at least one. */
export function encodeIndirectTce(tableAddress: number): bigint {
  return encodeTce(tableAddress, Permission.READ_WRITE);
}

export interface DecodedTce {
  readonly page: bigint;
  readonly read: 'allowed' | 'refused';
  readonly write: 'allowed' | 'refused';
}

/** For tools: the entry as a final TCE of pages of 2^pageShift bytes. */
export function decodeTce(value: bigint, pageShift: number): DecodedTce {
  const address = getField(value, TCE.PAGE) * BigInt(GRANULE);
  return {
    page: (address >> BigInt(pageShift)) << BigInt(pageShift),
    read: getField(value, TCE.READ) === 1n ? 'allowed' : 'refused',
    write: getField(value, TCE.WRITE) === 1n ? 'allowed' : 'refused',
  };
}

export function permissionOf(lo: number): number {
  return lo & Permission.READ_WRITE;
}

/** Real address of the page a final TCE names, by halves; pageShift is below 32. */
export function realPageOf(hi: number, lo: number, pageShift: number): number {
  return (hi & REAL_ADDRESS_HI) * 2 ** 32 + (((lo >>> pageShift) << pageShift) >>> 0);
}

/** Low half of the address of the table an indirect TCE names. All high bits count: an address outside memory is a failed fetch. */
export function nextTableLo(lo: number): number {
  return (lo & -GRANULE) >>> 0;
}
