/**
 * The words of a qtest command: numbers as C's strtoull with base 0 takes them, bytes as hex digits or base64.
 * Source: qemu softmmu/qtest.c, util/cutils.c: qemu_strtou64. QEMU aborts on a word it cannot read; here that is an ERR.
 */

/** The command cannot be read or must not be done; it had no effect. Answered by `ERR`. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}

const NUMBER = /^[\t\v\f\r]*([+-]?)(0x[0-9a-f]+|0[0-7]*|[1-9][0-9]*)$/i;
const TWO_64 = 2n ** 64n;
const TWO_63 = 2n ** 63n;
const SHOWN_CHARACTERS = 40;
const ECHOED_CHARACTERS = 1024;
/** Most addresses look like this, and fit a double. */
const PLAIN_HEX = /^0x[0-9a-f]{1,13}$/;

/** Client text made fit for a reply of one line. */
export function shown(word: string): string {
  const clean = word.replace(/[^\x20-\x7e]/g, '?');
  return clean.length <= SHOWN_CHARACTERS ? clean : `${clean.slice(0, SHOWN_CHARACTERS)}...`;
}

/** The whole word as far as it can be printed: QEMU echoes it byte for byte, here control characters are ?. */
export function echoed(word: string): string {
  const clean = word.replace(/[^\t\x20-\x7e]/g, '?');
  return clean.length <= ECHOED_CHARACTERS ? clean : `${clean.slice(0, ECHOED_CHARACTERS)}...`;
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
  if (word !== undefined && PLAIN_HEX.test(word)) return Number(word);
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

const LAST_PORT = 0xffffn;

export function parsePort(word: string | undefined): number {
  const value = parseWord(word, 'port');
  if (value > LAST_PORT) throw new CommandError(`port '${shown(word!)}' is beyond 0xffff`);
  return Number(value);
}

const TWO_31 = 2n ** 31n;

export function parseInt32(word: string | undefined, name: string): number {
  const value = parseInteger(word, name);
  if (value >= TWO_31 || value < -TWO_31) throw new CommandError(`${name} '${shown(word!)}' is wider than 32 bits`);
  return Number(value);
}

/** QEMU's own words for data it takes to be none at all. */
const TOO_SHORT = 'invalid argument size';
const SHORTEST_DATA = 3;

/** A character that is no digit counts as minus one, in all bits of the byte that it reaches. */
function hexDigit(character: number): number {
  if (character >= 0x30 && character <= 0x39) return character - 0x30;
  const letter = character | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x61 + 10 : -1;
}

/**
 * `size` bytes from hex digits. As in QEMU two characters are skipped, whatever they are (0x); bytes are zero where digits
 * run out, an odd digit at the end is none, and digits beyond the size are not looked at.
 */
export function parseHexBytes(word: string | undefined, size: number): Uint8Array {
  if (word === undefined) throw new CommandError('data is missing');
  if (word.length < SHORTEST_DATA) throw new CommandError(TOO_SHORT);
  const bytes = new Uint8Array(size);
  const given = Math.min(size, Math.floor((word.length - HEX_PREFIX) / 2));
  for (let i = 0; i < given; i++) {
    const at = HEX_PREFIX + 2 * i;
    bytes[i] = (hexDigit(word.charCodeAt(at)) << 4) | hexDigit(word.charCodeAt(at + 1));
  }
  return bytes;
}
const HEX_PREFIX = 2;

/**
 * At most `size` bytes from base64, as glib decodes it: characters of other kinds are skipped, and an unfinished group of
 * four at the end is none.
 */
export function parseBase64(word: string | undefined, size: number): Uint8Array {
  if (word === undefined) throw new CommandError('data is missing');
  if (word.length < SHORTEST_DATA) throw new CommandError(TOO_SHORT);
  if (word.length % 4 === 0 && WELL_FORMED.test(word)) return Buffer.from(word, 'base64').subarray(0, size);
  const digits = word.replace(/[^A-Za-z0-9+/=]/g, '');
  const groups = digits.slice(0, digits.length - (digits.length % 4)).match(/.{4}/g) ?? [];
  return Buffer.concat(groups.map(base64Group)).subarray(0, size);
}

const WELL_FORMED = /^[A-Za-z0-9+/]+={0,2}$/;

/** Padding is a digit of no value; at the end of its group it takes bytes away. */
function base64Group(group: string): Buffer {
  const bytes = Buffer.from(group.replaceAll('=', 'A'), 'base64');
  if (group[3] !== '=') return group[2] === '=' ? Buffer.from([bytes[0]!, bytes[2]!]) : bytes;
  return bytes.subarray(0, group[2] === '=' ? 1 : 2);
}
