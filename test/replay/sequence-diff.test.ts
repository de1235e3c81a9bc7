import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { align } from '../../src/replay/sequence-diff.js';

const texts = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 12 });

/** The length of the longest common subsequence, by trying everything. */
function longest(a: readonly string[], b: readonly string[]): number {
  if (a.length === 0 || b.length === 0) return 0;
  if (a[0] === b[0]) return 1 + longest(a.slice(1), b.slice(1));
  return Math.max(longest(a.slice(1), b), longest(a, b.slice(1)));
}

describe('two aligned lists', () => {
  it('are both found again in the rows, in order', () => {
    fc.assert(
      fc.property(texts, texts, (recorded, ours) => {
        const rows = align(recorded, ours);
        const left = rows.filter(({ kind }) => kind !== 'ours').map((row) => recorded[row.recorded]);
        const right = rows.filter(({ kind }) => kind !== 'recorded').map((row) => ours[row.ours]);
        expect(left).toEqual(recorded);
        expect(right).toEqual(ours);
        for (const row of rows) if (row.kind === 'same') expect(recorded[row.recorded]).toBe(ours[row.ours]);
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  it('have as much in common as they can', () => {
    const short = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 7 });
    fc.assert(
      fc.property(short, short, (recorded, ours) => {
        expect(align(recorded, ours).filter(({ kind }) => kind === 'same')).toHaveLength(longest(recorded, ours));
      }),
      { seed: 1, numRuns: 200 },
    );
  });
});
