/** Amounts of memory as people write them: 0x80000000, 2147483648, 2 GiB, 512M. */

const UNITS: Readonly<Record<string, number>> = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };
const AMOUNT = /^(0x[0-9a-f]+|\d+)\s*(?:([KMGT])(?:i?B)?)?$/i;

export const BYTE_SIZE_REMEDY = 'Write bytes (2147483648 or 0x80000000) or an amount such as 512 MiB or 2 GiB.';

/** Undefined: not an amount, or beyond exact numbers. Units count in powers of two, as memory does. */
export function parseByteSize(text: string): number | undefined {
  const [, digits, unit] = AMOUNT.exec(text.trim()) ?? [];
  if (digits === undefined) return undefined;
  const bytes = Number(digits) * (unit === undefined ? 1 : UNITS[unit.toUpperCase()]!);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

const SHOWN_UNITS = [
  ['GiB', 2 ** 30],
  ['MiB', 2 ** 20],
  ['KiB', 2 ** 10],
] as const;

export function formatByteSize(bytes: number): string {
  const fit = SHOWN_UNITS.find(([, factor]) => bytes % factor === 0 && bytes !== 0);
  return fit === undefined ? `${bytes} bytes` : `${bytes / fit[1]} ${fit[0]}`;
}
