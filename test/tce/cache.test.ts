import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AssociativeIndex } from '../../src/tce/associative.js';
import { TCE_CACHE_ENTRIES, TceCache } from '../../src/tce/cache.js';
import { Permission } from '../../src/tce/tce.js';

const SECOND_WINDOW = 0x0800_0000;

function fill(cache: TceCache, pe: number, hi: number, lo: number, pageShift = 12): void {
  cache.store(cache.claim(pe, pageShift, hi, lo), lo + 0x1_0000_0000, Permission.READ_WRITE);
}
const isCached = (cache: TceCache, pe: number, hi: number, lo: number, pageShift = 12) =>
  cache.lookup(pe, pageShift, hi, lo) >= 0;

describe('the TCE cache', () => {
  it('answers for every address of a page, and for no other page, PE, window or page size', () => {
    const cache = new TceCache();
    fill(cache, 5, 0, 0x3000);
    const slot = cache.lookup(5, 12, 0, 0x3fff);
    expect([cache.realPage(slot), cache.permission(slot)]).toEqual([0x1_0000_3000, Permission.READ_WRITE]);
    expect(isCached(cache, 5, 0, 0x4000)).toBe(false);
    expect(isCached(cache, 4, 0, 0x3000)).toBe(false);
    expect(isCached(cache, 5, SECOND_WINDOW, 0x3000)).toBe(false);
    expect(isCached(cache, 5, 0, 0x3000, 16)).toBe(false);
  });

  it('holds 64 pages and then replaces the one unused for longest', () => {
    const cache = new TceCache();
    for (let page = 0; page < TCE_CACHE_ENTRIES; page++) fill(cache, 1, 0, page * 0x1000);
    expect(isCached(cache, 1, 0, 0)).toBe(true);
    fill(cache, 1, 0, 0x10_0000);
    expect(isCached(cache, 1, 0, 0)).toBe(true);
    expect(isCached(cache, 1, 0, 0x1000)).toBe(false);
    expect(cache.contents()).toHaveLength(TCE_CACHE_ENTRIES);
  });

  it('lists what it holds, the most recently used first', () => {
    const cache = new TceCache();
    fill(cache, 255, SECOND_WINDOW, 0xf000_0000, 28);
    fill(cache, 3, 0, 0x2000);
    cache.lookup(255, 28, SECOND_WINDOW, 0xf123_4567);
    expect(cache.contents()).toEqual([
      { pe: 255, dmaPage: 0x0800_0000_f000_0000n, pageShift: 28, realPage: 0x1_f000_0000, permission: 3 },
      { pe: 3, dmaPage: 0x2000n, pageShift: 12, realPage: 0x1_0000_2000, permission: 3 },
    ]);
  });

  it('drops one page of one PE, whatever its size', () => {
    const cache = new TceCache();
    for (const pe of [1, 2]) {
      fill(cache, pe, 0, 0x1000_0000, 28);
      fill(cache, pe, 0, 0x2000);
      fill(cache, pe, SECOND_WINDOW, 0x2000);
    }
    cache.invalidatePage(1, 0, 0x1fff_f000);
    expect(isCached(cache, 1, 0, 0x1000_0000, 28)).toBe(false);
    cache.invalidatePage(1, 0, 0x2000);
    expect(isCached(cache, 1, 0, 0x2000)).toBe(false);
    expect(isCached(cache, 1, SECOND_WINDOW, 0x2000)).toBe(true);
    expect(cache.contents().filter(({ pe }) => pe === 2)).toHaveLength(3);
  });

  it('drops all pages of one PE, or everything', () => {
    const cache = new TceCache();
    for (let page = 0; page < 20; page++) fill(cache, page % 2, 0, page * 0x1000);
    cache.invalidatePe(0);
    expect(cache.contents().map(({ pe }) => pe)).toEqual(new Array(10).fill(1));
    cache.invalidateAll();
    expect(cache.contents()).toEqual([]);
    expect(isCached(cache, 1, 0, 0x1000)).toBe(false);
  });

  it('uses a slot freed by a kill before it replaces a live page', () => {
    const cache = new TceCache();
    for (let page = 0; page < TCE_CACHE_ENTRIES; page++) fill(cache, 1, 0, page * 0x1000);
    cache.invalidatePage(1, 0, 0x2_0000);
    fill(cache, 1, 0, 0x90_0000);
    expect(isCached(cache, 1, 0, 0)).toBe(true);
    expect(cache.contents()).toHaveLength(TCE_CACHE_ENTRIES);
  });
});

describe('the associative index', () => {
  /** The most recently used first, as an array: the obvious way. */
  type Key = readonly [number, number, number];
  const same = (a: Key, b: Key) => a[0] === b[0] && a[1] === b[1] && a[2] === b[2];

  const word = fc.oneof(
    fc.constantFrom(0, 1, 0x8000_0000, 0xffff_f000),
    fc.nat(15).map((page) => page * 0x1000),
  );
  const key = fc.tuple(fc.integer({ min: 0, max: 3 }), fc.constantFrom(0, 0x0800_0000), word);
  const action = fc.oneof(
    { weight: 40, arbitrary: fc.record({ kind: fc.constant('use' as const), key }) },
    { weight: 10, arbitrary: fc.record({ kind: fc.constant('release' as const), key }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('releaseAll' as const), key }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('releaseOldest' as const), key }) },
  );

  it('equals a list in order of use, for any mix of uses and releases', () => {
    fc.assert(
      fc.property(fc.constantFrom(2, 8, 32), fc.array(action, { maxLength: 300 }), (slots, actions) => {
        const index = new AssociativeIndex(slots);
        let model: Key[] = [];
        for (const { kind, key } of actions) {
          if (kind === 'use' || kind === 'release') {
            const slot = index.find(...key);
            expect(slot >= 0).toBe(model.some((other) => same(other, key)));
            model = model.filter((other) => !same(other, key));
            if (kind === 'release' && slot >= 0) index.release(slot);
            if (kind === 'use' && slot < 0) index.claim(...key);
            if (kind === 'use') model = [key, ...model].slice(0, slots);
          } else if (kind === 'releaseOldest') {
            index.release(index.usedSlots().at(-1) ?? 0);
            model.pop();
          } else {
            index.releaseAll();
            model = [];
          }
          expect(index.usedSlots().map((used) => [index.tag[used], index.hi[used], index.lo[used]])).toEqual(model);
        }
      }),
      { seed: 3, numRuns: 300 },
    );
  });

  it('ignores the release of a slot that holds nothing', () => {
    const index = new AssociativeIndex(4);
    const slot = index.claim(1, 2, 3);
    const other = index.claim(4, 5, 6);
    index.release(other);
    index.release(other);
    expect(index.isUsed(slot)).toBe(true);
    expect(index.usedSlots()).toHaveLength(1);
    expect(index.find(1, 2, 3)).toBeGreaterThanOrEqual(0);
  });

  it('holds nothing at first, not even the key of zeros', () => {
    expect(new AssociativeIndex(4).find(0, 0, 0)).toBe(-1);
  });
});
