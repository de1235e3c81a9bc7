import { describe, expect, it } from 'vitest';
import { hiOf, loOf } from '../../src/hw/bits.js';
import { SystemMemory } from '../../src/hw/memory.js';
import { encodeTce, Permission } from '../../src/tce/tce.js';
import { encodeTranslatedTve, PAGE_SHIFTS, TveTable, WINDOW_BITS } from '../../src/tce/tve.js';
import { reaches, TceWalker, WalkStatus } from '../../src/tce/walk.js';
import { TceTree } from './tce-tree.js';

const ROOT = 0x200_0000;
const PAGE = 0x3_0000_0000_0000;

function walk(memory: SystemMemory, tve: bigint, address: bigint) {
  const tves = new TveTable(1);
  tves.set(0, hiOf(tve), loOf(tve));
  const walker = new TceWalker(memory);
  const status = walker.walk(tves, 0, hiOf(address), loOf(address));
  return { status, walker };
}

const shapes = [1, 2, 3, 4, 5].flatMap((levels) => PAGE_SHIFTS.map((pageShift) => ({ levels, pageShift })));

describe('the TCE walk', () => {
  describe.each(shapes)('through $levels levels to pages of 2^$pageShift', ({ levels, pageShift }) => {
    const window = { tableAddress: ROOT, tableBytes: 4096, levels, pageShift };
    const reach = BigInt(Math.min(levels * 9 + pageShift, WINDOW_BITS));

    function mapped(address: bigint) {
      const memory = new SystemMemory({ sizeBytes: 2 ** 30 });
      const tree = new TceTree(memory, window);
      tree.map(address, PAGE, Permission.READ_WRITE);
      return { memory, tree };
    }

    it('finds the first page, the last one, and one with another index at every level', () => {
      const mixed = 0x3_5a12_4834_d0a8_1234n % (1n << reach);
      for (const address of [0n, (1n << reach) - 1n, mixed]) {
        const { memory, tree } = mapped(address);
        const { status, walker } = walk(memory, tree.tve, address);
        expect(status).toBe(WalkStatus.OK);
        expect(walker.tceAddress).toBe(tree.entryAddress(address));
        expect([walker.tceHi, walker.tceLo, walker.levelsLeft]).toEqual([0x3_0000, 3, 0]);
      }
    });

    it('refuses the first address beyond the reach', () => {
      if (reach === BigInt(WINDOW_BITS)) return;
      const { memory, tree } = mapped(0n);
      expect(walk(memory, tree.tve, 1n << reach).status).toBe(WalkStatus.OUT_OF_REACH);
      expect(walk(memory, tree.tve, 1n << 58n).status).toBe(WalkStatus.OUT_OF_REACH);
    });

    it('stops at each level whose entry has neither permission bit, and takes either bit above the last', () => {
      const address = (1n << reach) - 1n;
      for (let above = 1; above < levels; above++) {
        const { memory, tree } = mapped(address);
        const entry = tree.entryAddress(address, above);
        const next = memory.read64(entry) & ~3n;
        memory.write64(entry, next);
        const { status, walker } = walk(memory, tree.tve, address);
        expect([status, walker.tceAddress, walker.levelsLeft]).toEqual([WalkStatus.INDIRECT_FAULT, entry, above]);
        for (const bit of [1n, 2n]) {
          memory.write64(entry, next | bit);
          expect(walk(memory, tree.tve, address).status).toBe(WalkStatus.OK);
        }
      }
    });
  });

  it('ends with a memory error where a table is outside memory, at the first level or below', () => {
    const memory = new SystemMemory({ sizeBytes: 2 ** 26 });
    const outside = encodeTranslatedTve({ tableAddress: 2 ** 44, tableBytes: 4096, pageShift: 12 });
    expect(walk(memory, outside, 0x8000n).status).toBe(WalkStatus.MEMORY_ERROR);

    const tree = new TceTree(memory, { tableAddress: ROOT, tableBytes: 4096, levels: 2, pageShift: 12 });
    memory.write64(ROOT, 0xff00_0000_0200_1003n);
    const { status, walker } = walk(memory, tree.tve, 0x3000n);
    expect([status, walker.levelsLeft]).toEqual([WalkStatus.MEMORY_ERROR, 0]);
    expect(walker.tceAddress).toBe(0xff00_0000 * 2 ** 32 + 0x200_1018);
  });

  it('indexes tables of more than 2^32 entries', () => {
    const memory = new SystemMemory({ sizeBytes: 2 ** 46 });
    const tve = encodeTranslatedTve({ tableAddress: 0x1000, tableBytes: 2 ** 42, pageShift: 12 });
    const page = 2 ** 39 - 3;
    memory.write64(0x1000 + page * 8, encodeTce(0x5000, Permission.READ));
    const { status, walker } = walk(memory, tve, BigInt(page) << 12n);
    expect([status, walker.tceLo]).toEqual([WalkStatus.OK, 0x5001]);
  });

  it('leaves the TVE select out of the index, however far the tables reach', () => {
    const memory = new SystemMemory({ sizeBytes: 2 ** 30 });
    const tree = new TceTree(memory, { tableAddress: ROOT, tableBytes: 4096, levels: 5, pageShift: 28 });
    tree.map(0x1000_0000n, PAGE, Permission.READ);
    expect(walk(memory, tree.tve, (1n << 59n) | 0x1000_0000n).status).toBe(WalkStatus.OK);
  });

  it('tells what a window reaches without reading memory', () => {
    const tves = new TveTable(1);
    const tve = encodeTranslatedTve({ tableAddress: ROOT, tableBytes: 4096, pageShift: 12 });
    tves.set(0, hiOf(tve), loOf(tve));
    expect(reaches(tves, 0, 0, 0x1f_ffff)).toBe(true);
    expect(reaches(tves, 0, 0, 0x20_0000)).toBe(false);
    expect(reaches(tves, 0, 1, 0)).toBe(false);
    expect(reaches(tves, 0, 2 ** 27, 0)).toBe(true);
  });
});
