/** The processor side is big-endian: a load returns the bytes of a device, lowest address first, as one number. */

export function bytesToValue(bytes: Uint8Array): bigint {
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return value;
}

export function valueToBytes(value: bigint, sizeBytes: number): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  let rest = value;
  for (let at = sizeBytes - 1; at >= 0; at--) {
    bytes[at] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return bytes;
}

/** Configuration registers are little-endian numbers; this is the same number as the processor's bytes. */
export function swapConfig(value: number, sizeBytes: number): bigint {
  const bytes = new Uint8Array(sizeBytes);
  for (let at = 0; at < sizeBytes; at++) bytes[at] = Math.floor(value / 2 ** (8 * at)) & 0xff;
  return bytesToValue(bytes);
}

export function unswapConfig(value: bigint, sizeBytes: number): number {
  return valueToBytes(value, sizeBytes).reduceRight((number, byte) => number * 256 + byte, 0);
}

/** What a load of this size returns when nothing answers. */
export function allOnes(sizeBytes: number): bigint {
  return (1n << BigInt(8 * sizeBytes)) - 1n;
}
