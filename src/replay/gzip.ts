/** Gzipped input, told apart by content. */
import { gunzipSync } from 'node:zlib';

/** A small file may unpack to more than the memory holds. */
const LARGEST_UNPACKED = 512 * 1024 * 1024;

export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/** Throws where the data are damaged, cut, or larger than `LARGEST_UNPACKED`. */
export function unpackGzip(bytes: Uint8Array): Uint8Array {
  return gunzipSync(bytes, { maxOutputLength: LARGEST_UNPACKED });
}
