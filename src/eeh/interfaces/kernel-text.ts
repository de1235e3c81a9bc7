/**
 * How the kernel reads what user space writes into its files.
 * Source: linux lib/kstrtox.c: kstrtoull, kstrtobool; lib/vsprintf.c: vsscanf.
 */
import { EINVAL, ERANGE } from '../errno.js';

const LARGEST = 2n ** 64n - 1n;
const PREFIXED_HEX = /^\+?0[xX]([0-9a-fA-F]+)\n?$/;
const PREFIXED_OCTAL = /^\+?0([0-7]+)\n?$/;
const DECIMAL = /^\+?(\d+)\n?$/;

/** An unsigned number in base 16 (0x), 8 (0) or 10, with at most one newline behind it; else an errno. */
export function parseUnsigned(text: string): bigint | number {
  const value = unsignedValue(text);
  if (value === undefined) return EINVAL;
  return value > LARGEST ? ERANGE : value;
}

function unsignedValue(text: string): bigint | undefined {
  const hexadecimal = PREFIXED_HEX.exec(text)?.[1];
  if (hexadecimal !== undefined) return BigInt(`0x${hexadecimal}`);
  const octal = PREFIXED_OCTAL.exec(text)?.[1];
  if (octal !== undefined) return BigInt(`0o${octal}`);
  const decimal = DECIMAL.exec(text)?.[1];
  // A zero that no octal digit follows is no octal number, and no decimal one either.
  if (decimal === undefined || (decimal.length > 1 && decimal.startsWith('0'))) return undefined;
  return BigInt(decimal);
}

export function parseSwitch(text: string): 'on' | 'off' | undefined {
  if (/^[yY1]/.test(text) || /^[oO][nN]/.test(text)) return 'on';
  if (/^[nN0]/.test(text) || /^[oO][fF]/.test(text)) return 'off';
  return undefined;
}

/**
 * Hexadecimal numbers with single characters between them, as many as are there; blanks before a number and a 0x do not
 * matter, what follows the last number neither.
 */
export function scanHex(text: string, separators: string): bigint[] {
  const values: bigint[] = [];
  let rest = text;
  for (let index = 0; index <= separators.length; index++) {
    const match = /^\s*(?:0[xX](?=[0-9a-fA-F]))?([0-9a-fA-F]+)/.exec(rest);
    if (match === null) break;
    values.push(BigInt.asUintN(64, BigInt(`0x${match[1]!}`)));
    rest = rest.slice(match[0].length);
    if (index < separators.length && !rest.startsWith(separators[index]!)) break;
    rest = rest.slice(1);
  }
  return values;
}
