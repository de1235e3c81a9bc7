/**
 * The words of a qtest command: numbers as C's strtoull with base 0 takes them, bytes as hex digits or base64.
 * Source: qemu softmmu/qtest.c, util/cutils.c: qemu_strtou64. QEMU aborts on a word it cannot read; here that is an ERR.
 */

/** The command cannot be read or must not be done; it had no effect. Answered by `ERR`. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}

const NUMBER = /^([+-]?)(0x[0-9a-f]+|0[0-7]*|[1-9][0-9]*)$/i;
const TWO_64 = 2n ** 64n;
const TWO_63 = 2n ** 63n;
const SHOWN_CHARACTERS = 40;

/** Client text made fit for a reply of one line. */
export function shown(word: string): string {
  const clean = word.replace(/[^\x20-\x7e]/g, '?');
  return clean.length <= SHOWN_CHARACTERS ? clean : `${clean.slice(0, SHOWN_CHARACTERS)}...`;
}

function parseInteger(word: string | undefined, name: string): bigint {
  if (word === undefined) throw new CommandError(`${name} is missing`);
  const [, sign, digits] = NUMBER.exec(word) ?? [];
  if (digits === undefined) throw new CommandError(`${name} '${shown(word)}' is no number`);
  const octal = digits.length > 1 && digits.startsWith('0') && !/^0x/i.test(digits);
  const magnitude = BigInt(octal ? `0o${digits.slice(1)}` : digits);
  return sign === '-' ? -magnitude : magnitude;
}

/** 64 bits; -1 is all ones. */
export function parseWord(word: string | undefined, name: string): bigint {
  const value = parseInteger(word, name);
  if (value >= TWO_64 || value <= -TWO_64) throw new CommandError(`${name} '${shown(word!)}' is wider than 64 bits`);
  return BigInt.asUintN(64, value);
}

/** A signed count of nanoseconds. */
export function parseNanoseconds(word: string | undefined, name: string): number {
  const value = parseInteger(word, name);
  if (value >= TWO_63 || value < -TWO_63) throw new CommandError(`${name} '${shown(word!)}' is wider than 64 bits`);
  return Number(value);
}

/** Past it a double no longer holds every address; the bus of these machines ends at 2^50. */
export function parseAddress(word: string | undefined): number {
  const value = parseWord(word, 'address');
  if (value > Number.MAX_SAFE_INTEGER) throw new CommandError(`address '${shown(word!)}' is beyond the bus`);
  return Number(value);
}

export function parseSize(word: string | undefined, most: number): number {
  const value = parseWord(word, 'size');
  if (value > most)
    throw new CommandError(`size '${shown(word!)}' is more than ${most} bytes, the most of this command`);
  return Number(value);
}

/** QEMU's own words for data it takes to be none at all. */
const TOO_SHORT = 'invalid argument size';
const SHORTEST_DATA = 3;

/** `size` bytes from hex digits after 0x: zero-filled where digits run out, cut off where there are more. */
export function parseHexBytes(word: string | undefined, size: number): Uint8Array {
  if (word === undefined) throw new CommandError('data is missing');
  if (word.length < SHORTEST_DATA) throw new CommandError(TOO_SHORT);
  if (!/^0x[0-9a-f]*$/i.test(word)) throw new CommandError('data must be hex digits after 0x');
  const bytes = new Uint8Array(size);
  // An odd digit at the end is half a byte and counts for none, as in QEMU.
  bytes.set(Buffer.from(word.slice(2, 2 + 2 * size), 'hex'));
  return bytes;
}

/** At most `size` bytes from base64. */
export function parseBase64(word: string | undefined, size: number): Uint8Array {
  if (word === undefined) throw new CommandError('data is missing');
  if (word.length < SHORTEST_DATA) throw new CommandError(TOO_SHORT);
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(word)) throw new CommandError('data must be base64');
  return Buffer.from(word, 'base64').subarray(0, size);
}
