/** Short lists of IBM bit numbers, single or as inclusive ranges, and the names of the error traps that both bridges have. */

export const TRAP_NAMES = ['PHB', 'OUT', 'INA', 'INB'] as const;
/** The four error traps of the ETU. */
export type TrapName = (typeof TRAP_NAMES)[number];

/** Bit numbers in ascending order; a pair stands for every number from its first to its second. */
export type BitList = readonly (number | readonly [first: number, last: number])[];

export function expandBits(list: BitList): number[] {
  return list.flatMap((item) => {
    if (typeof item === 'number') return [item];
    const [first, last] = item;
    return Array.from({ length: last - first + 1 }, (_, step) => first + step);
  });
}
