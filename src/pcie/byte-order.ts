/** Numbers of up to 4 bytes in PCI order: byte 0 is the lowest address and the least significant. */

export function littleEndian(bytes: Uint8Array): number {
  let value = 0;
  for (let i = bytes.length - 1; i >= 0; i--) value = value * 256 + bytes[i]!;
  return value;
}

export function littleEndianBytes(value: number, lengthBytes: number): Uint8Array {
  const bytes = new Uint8Array(lengthBytes);
  let rest = value;
  for (let i = 0; i < lengthBytes; i++) {
    bytes[i] = rest;
    rest = Math.floor(rest / 256);
  }
  return bytes;
}
