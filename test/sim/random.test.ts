import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SimulationError } from '../../src/sim/errors.js';
import { RandomStream } from '../../src/sim/random.js';
import { Simulator } from '../../src/sim/simulator.js';

const draws = (stream: RandomStream, n: number): number[] => Array.from({ length: n }, () => stream.uint32());

describe('random streams', () => {
  it('give the same numbers for the same seed and path in every version: a saved scenario stays what it was', () => {
    expect(draws(new RandomStream('seed', 'slot1/nic'), 3)).toEqual([1039164168, 877512429, 3845781639]);
  });

  it('are one object per path, and independent of who draws elsewhere', () => {
    const alone = new Simulator({ seed: 'x' });
    const busy = new Simulator({ seed: 'x' });
    draws(busy.random('other'), 1000);
    expect(busy.random('nic')).toBe(busy.random('nic'));
    expect(draws(busy.random('nic'), 50)).toEqual(draws(alone.random('nic'), 50));
  });

  it('differ by root seed and by path, also where the two would read the same joined', () => {
    const first = (seed: string, path: string): number[] => draws(new RandomStream(seed, path), 4);
    expect(first('a', 'p')).not.toEqual(first('b', 'p'));
    expect(first('a', 'p')).not.toEqual(first('a', 'q'));
    expect(first('a', 'b/c')).not.toEqual(first('a/b', 'c'));
  });

  it('draw below n without favour: each of n values comes up about equally often', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), fc.string(), (n, path) => {
        const stream = new RandomStream('fair', path);
        const seen = new Array<number>(n).fill(0);
        for (let i = 0; i < 2000 * n; i++) seen[stream.below(n)]!++;
        for (const count of seen) expect(Math.abs(count - 2000)).toBeLessThan(300);
      }),
      { seed: 1, numRuns: 25 },
    );
  });

  it('draw from ranges up to 2^32', () => {
    const stream = new RandomStream('wide', 'p');
    expect(Math.max(...Array.from({ length: 200 }, () => stream.below(2 ** 32)))).toBeGreaterThan(2 ** 31);
    // Without throwing draws away, the lowest third of this range would come up half of the time.
    const range = 3 * 2 ** 30;
    const drawn = Array.from({ length: 3000 }, () => stream.below(range));
    expect(Math.max(...drawn)).toBeLessThan(range);
    expect(Math.abs(drawn.filter((x) => x < range / 3).length - 1000)).toBeLessThan(150);
  });

  it('decide by integer ratios: 0 of n never, n of n always, 1 of 4 a quarter of the time', () => {
    const stream = new RandomStream('chance', 'p');
    const hits = (numerator: number, denominator: number): number =>
      Array.from({ length: 4000 }, () => stream.chance(numerator, denominator)).filter(Boolean).length;
    expect(hits(0, 7)).toBe(0);
    expect(hits(7, 7)).toBe(4000);
    expect(Math.abs(hits(1, 4) - 1000)).toBeLessThan(150);
  });

  it('pick every item of a list sooner or later', () => {
    const stream = new RandomStream('pick', 'p');
    expect(new Set(Array.from({ length: 100 }, () => stream.pick(['a', 'b', 'c'])))).toEqual(new Set(['a', 'b', 'c']));
  });

  it('refuse impossible draws by name', () => {
    const stream = new RandomStream('s', 'slot1/nic');
    for (const n of [0, -1, 1.5, 2 ** 33, Number.NaN]) expect(() => stream.below(n)).toThrow(/slot1\/nic.*below/);
    expect(() => stream.chance(3, 2)).toThrow(SimulationError);
    expect(() => stream.chance(-1, 2)).toThrow(SimulationError);
    expect(() => stream.chance(0.5, 2)).toThrow(SimulationError);
    expect(() => stream.pick([])).toThrow(/empty/);
  });
});
