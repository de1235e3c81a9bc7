/** The processor side is big-endian: a load returns the bytes of a device, lowest address first, as one number. */
import { fromHalves, hiOf, loOf } from '../hw/bits.js';

const TWO_32 = 2 ** 32;

export function bytesToValue(bytes: Uint8Array): bigint {
  if (bytes.length <= 4) return BigInt(bigEndian(bytes, 0, bytes.length));
  const split = bytes.length - 4;
  return fromHalves(bigEndian(bytes, 0, split), bigEndian(bytes, split, bytes.length));
}

export function valueToBytes(value: bigint, sizeBytes: number): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  const halves = [loOf(value), hiOf(value)];
  for (let byte = 0; byte < sizeBytes; byte++) bytes[sizeBytes - 1 - byte] = halves[byte >> 2]! >>> (8 * (byte & 3));
  return bytes;
}

function bigEndian(bytes: Uint8Array, from: number, end: number): number {
  let value = 0;
  for (let at = from; at < end; at++) value = value * 256 + bytes[at]!;
  return value;
}

/** Configuration registers are little-endian numbers; this is the same number as the processor's bytes. */
export function swapConfig(value: number, sizeBytes: number): bigint {
  if (sizeBytes <= 4) return BigInt(swapped(value, sizeBytes));
  return fromHalves(swapped(value % TWO_32, 4), swapped(Math.floor(value / TWO_32), 4));
}

export function unswapConfig(value: bigint, sizeBytes: number): number {
  if (sizeBytes <= 4) return swapped(loOf(value), sizeBytes);
  return swapped(hiOf(value), 4) + swapped(loOf(value), 4) * TWO_32;
}

/** A number of up to 4 bytes with its bytes in the opposite order. */
function swapped(value: number, sizeBytes: number): number {
  let result = 0;
  for (let byte = 0; byte < sizeBytes; byte++) result = result * 256 + ((value >>> (8 * byte)) & 0xff);
  return result;
}

/** What a load of this size returns when nothing answers. */
export function allOnes(sizeBytes: number): bigint {
  return (1n << BigInt(8 * sizeBytes)) - 1n;
}
