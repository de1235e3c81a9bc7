import { describe, expect, it } from 'vitest';
import { type BitTable, declareBits, nameBits } from '../../src/diag/bit-table.js';
import { CHIPS } from '../../src/diag/chip.js';
import { bitsOf } from './support.js';

type Range = number | readonly [number, number];
const expand = (ranges: readonly Range[]): number[] =>
  ranges.flatMap((range) =>
    typeof range === 'number' ? [range] : Array.from({ length: range[1] - range[0] + 1 }, (_, i) => range[0] + i),
  );

const table = (label: string): BitTable => CHIPS.phb4.traps.find((trap) => trap.label === label)!.table;
const ofClass = (bits: BitTable, ...classes: string[]): number[] =>
  [...bits.byBit.values()]
    .filter((entry) => classes.includes(entry.class))
    .map((entry) => entry.bit)
    .sort((a, b) => a - b);

// What firmware v7.1 programs (fence and freeze enables), without the bits where it departs from the specification's class.
describe('the classes of the PHB4 bits agree with what firmware programs', () => {
  it.each<readonly [string, readonly Range[], readonly Range[]]>([
    ['PhbErr', [2, 3, 5, 7, [9, 11], [13, 15], [17, 19], 26, 27, [30, 39]], []],
    ['PhbTxeErr', [0, 1, [3, 11], [13, 16], [18, 21], 22, 23, [31, 35], [37, 41], [43, 45], [47, 59]], [29]],
    ['RxeArbErr', [[2, 4], [6, 17], 19, [21, 23], [30, 36], 38, [41, 48], [50, 56], [60, 63]], []],
    ['RxeMrgErr', [[0, 16], [19, 22], [24, 39], [41, 55], 57, 59, [61, 63]], []],
    ['RxeTceErr', [0, [3, 8], 10, [12, 14], [16, 24], 26, [28, 31]], []],
    ['RegbErr', [0, 1, [3, 6], [12, 24], 27, 31, 38, 39, 41, 43, [45, 47], 49, [54, 63]], []],
  ])('%s: the fatal bits fence', (label, fence) => {
    expect(ofClass(table(label), 'Fatal')).toEqual(expand(fence));
  });

  it.each<readonly [string, readonly Range[]]>([
    ['PhbErr', [25]],
    ['PhbTxeErr', [17, 28, 30]],
    ['RxeArbErr', [0, 1, 20, 24, [26, 28], 39, 57, 58]],
    ['RxeMrgErr', [17, 18]],
    ['RxeTceErr', [1, 2, 32, 33]],
    ['RegbErr', [8]],
  ])('%s: the recoverable bits freeze', (label, freeze) => {
    expect(ofClass(table(label), 'ER(S)', 'ER(V)', 'ER(A)')).toEqual(expand(freeze));
  });
});

describe('the tables of both chips', () => {
  it('point only to LEM bits that exist, and to traps that exist', () => {
    for (const chip of Object.values(CHIPS)) {
      for (const trap of chip.traps) {
        for (const entry of trap.table.byBit.values()) {
          if (entry.lem !== undefined) expect(chip.lem.byBit.has(entry.lem), `${trap.label} ${entry.bit}`).toBe(true);
        }
        for (const label of Object.values(trap.pointsTo ?? {}))
          expect(chip.traps.map((other) => other.label)).toContain(label);
      }
    }
  });

  it('name every LEM bit of PHB4', () => {
    expect([...CHIPS.phb4.lem.byBit.keys()].sort((a, b) => a - b)).toEqual(expand([[0, 63]]));
  });

  it('name a bit nobody documented by its number', () => {
    expect(nameBits(table('PhbErr'), bitsOf(22, 50)).map((entry) => [entry.name, entry.about])).toEqual([
      ['PHB_ERR[22]', 'RXE_TCE has an error'],
      ['PHB_ERR[50]', undefined],
    ]);
  });

  it('refuse a bit declared twice', () => {
    const twice = {
      register: 'X',
      about: '',
      source: '',
      known: 'assumed' as const,
      rows: [
        { bits: [1], about: 'a' },
        { bits: [1], about: 'b' },
      ],
    };
    expect(() => declareBits(twice)).toThrow('X[1] is declared twice');
  });
});
