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
const HALF_BITS = 32;

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
  if (width === WORD_BITS && isNarrow(spec)) return BigInt(getFieldOfHalves(hiOf(value), loOf(value), spec));
  return BigInt.asUintN(fieldWidth(spec), value >> fieldShift(spec, width));
}

/** `value` with the field replaced; bits of `field` that do not fit are cut off, as a register would. */
export function setField(value: bigint, spec: FieldSpec, field: bigint, width = WORD_BITS): bigint {
  if (width === WORD_BITS && isNarrow(spec)) return setNarrowField(value, spec, loOf(field));
  const placed = BigInt.asUintN(fieldWidth(spec), field) << fieldShift(spec, width);
  return (BigInt.asUintN(width, value) & ~fieldMask(spec, width)) | placed;
}

/** A field of at most 32 bits of a 64-bit word: worked on in halves, which makes one bigint instead of six. */
function isNarrow({ first, last }: FieldSpec): boolean {
  return last < WORD_BITS && last - first < HALF_BITS;
}

function setNarrowField(value: bigint, spec: FieldSpec, field: number): bigint {
  const shift = WORD_BITS - 1 - spec.last;
  const mask = narrowMask(spec);
  const bits = field & mask;
  const hi = hiOf(value);
  const lo = loOf(value);
  if (shift >= HALF_BITS) return fromHalves((hi & ~(mask << (shift - HALF_BITS))) | (bits << (shift - HALF_BITS)), lo);
  const newLo = (lo & ~(mask << shift)) | (bits << shift);
  // What straddles the middle; a shift by 32 would be one by 0.
  const over = shift === 0 ? 0 : mask >>> (HALF_BITS - shift);
  return fromHalves((hi & ~over) | (shift === 0 ? 0 : bits >>> (HALF_BITS - shift)), newLo);
}

/** Ones in the low bits, as many as the field has. */
function narrowMask({ first, last }: FieldSpec): number {
  const width = last - first + 1;
  return width >= HALF_BITS ? 0xffff_ffff : (1 << width) - 1;
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
  const keep = narrowMask(spec);
  if (shift >= HALF_BITS) return ((hi >>> (shift - HALF_BITS)) & keep) >>> 0;
  if (shift === 0) return (lo & keep) >>> 0;
  return (((lo >>> shift) | (hi << (HALF_BITS - shift))) & keep) >>> 0;
}
