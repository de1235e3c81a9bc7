/**
 * 64-bit values and fields in IBM bit numbers: bit 0 is the most significant bit of the register.
 * `bigint` at the public border; two unsigned 32-bit halves (hi, lo) where speed counts.
 */

/** A field from bit `first` (more significant) to bit `last`, both included, IBM numbering. */
export interface FieldSpec {
  readonly first: number;
  readonly last: number;
}

export const ALL_ONES = 0xffff_ffff_ffff_ffffn;

const WORD_BITS = 64;

export function bit(n: number): FieldSpec {
  return bits(n, n);
}

export function bits(first: number, last: number): FieldSpec {
  if (!Number.isInteger(first) || !Number.isInteger(last) || first < 0 || last < first) {
    throw new RangeError(`bits(${first}, ${last}) is no field: IBM numbering needs 0 <= first <= last, whole numbers`);
  }
  return { first, last };
}

const MSB_MASKS: readonly bigint[] = Array.from({ length: WORD_BITS }, (_, n) => 1n << BigInt(WORD_BITS - 1 - n));

/** The 64-bit value with only IBM bit `n` set. */
export function msbMask(n: number): bigint {
  const mask = MSB_MASKS[n];
  if (mask === undefined) throw new RangeError(`bit ${n} is outside a 64-bit register (0..63, 0 = most significant)`);
  return mask;
}

/** The 64-bit value with exactly the given IBM bits set. */
export function msbMasks(...numbers: readonly number[]): bigint {
  return numbers.reduce((mask, n) => mask | msbMask(n), 0n);
}

export function fieldWidth(spec: FieldSpec): number {
  return spec.last - spec.first + 1;
}

function fieldShift(spec: FieldSpec, width: number): bigint {
  if (spec.last >= width) throw new RangeError(`field ${spec.first}:${spec.last} does not fit in ${width} bits`);
  return BigInt(width - 1 - spec.last);
}

export function fieldMask(spec: FieldSpec, width = WORD_BITS): bigint {
  return ((1n << BigInt(fieldWidth(spec))) - 1n) << fieldShift(spec, width);
}

export function getField(value: bigint, spec: FieldSpec, width = WORD_BITS): bigint {
  return BigInt.asUintN(fieldWidth(spec), value >> fieldShift(spec, width));
}

/** `value` with the field replaced; bits of `field` that do not fit are cut off, as a register would. */
export function setField(value: bigint, spec: FieldSpec, field: bigint, width = WORD_BITS): bigint {
  const placed = BigInt.asUintN(fieldWidth(spec), field) << fieldShift(spec, width);
  return (BigInt.asUintN(width, value) & ~fieldMask(spec, width)) | placed;
}

/** Exactly 16 lower-case digits, without a prefix. */
export function hex64(value: bigint): string {
  return BigInt.asUintN(WORD_BITS, value).toString(16).padStart(16, '0');
}

// One shared cell converts between the halves and a bigint with a single allocation.
const cell64 = new BigUint64Array(1);
const cell32 = new Uint32Array(cell64.buffer);
cell64[0] = 1n;
const LO = cell32[0] === 1 ? 0 : 1;
const HI = 1 - LO;

export function fromHalves(hi: number, lo: number): bigint {
  cell32[HI] = hi;
  cell32[LO] = lo;
  return cell64[0]!;
}

export function hiOf(value: bigint): number {
  cell64[0] = value;
  return cell32[HI]!;
}

export function loOf(value: bigint): number {
  cell64[0] = value;
  return cell32[LO]!;
}

/** A field of at most 32 bits taken from the halves of a 64-bit word; it may straddle them. */
export function getFieldOfHalves(hi: number, lo: number, spec: FieldSpec): number {
  const shift = WORD_BITS - 1 - spec.last;
  const width = spec.last - spec.first + 1;
  const keep = width >= 32 ? 0xffff_ffff : (1 << width) - 1;
  if (shift >= 32) return ((hi >>> (shift - 32)) & keep) >>> 0;
  if (shift === 0) return (lo & keep) >>> 0;
  return (((lo >>> shift) | (hi << (32 - shift))) & keep) >>> 0;
}
