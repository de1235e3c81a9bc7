import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hiOf, loOf } from '../../src/hw/bits.js';
import { SystemMemory } from '../../src/hw/memory.js';
import { encodeTce, Permission } from '../../src/tce/tce.js';
import { DmaDirection, TceStatus, TceTranslation } from '../../src/tce/translation.js';
import { encodeTranslatedTve, encodeUntranslatedTve, PAGE_SHIFTS } from '../../src/tce/tve.js';
import { type Outcome, referenceTranslation } from './reference.js';
import { TceTree } from './tce-tree.js';

const MEMORY_BYTES = 2 ** 32;
const DIRECTIONS = { read: DmaDirection.READ, write: DmaDirection.WRITE } as const;
const STATUS_NAMES = Object.keys(TceStatus) as Outcome['status'][];

function translation(memory = new SystemMemory({ sizeBytes: MEMORY_BYTES })): TceTranslation {
  return new TceTranslation({ memory, peCount: 4, tvesPerPe: 2 });
}

function put(tce: TceTranslation, index: number, tve: bigint): void {
  tce.tves.set(index, hiOf(tve), loOf(tve));
}

function access(tce: TceTranslation, index: number, address: bigint, direction: 'read' | 'write'): Outcome {
  const status = STATUS_NAMES[tce.translate(index, hiOf(address), loOf(address), DIRECTIONS[direction])]!;
  return status === 'OK' ? { status, realAddress: BigInt(tce.realAddress) } : { status };
}

const direction = fc.constantFrom('read' as const, 'write' as const);
/** TVEs of every kind: mostly sound ones near memory, and any 64 bits. */
const tve = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .record({
        tableAddress: fc.nat(MEMORY_BYTES / 4096 - 1).map((n) => n * 4096),
        tableBytes: fc.integer({ min: 12, max: 34 }).map((n) => 2 ** n),
        levels: fc.integer({ min: 1, max: 5 }),
        pageShift: fc.constantFrom(...PAGE_SHIFTS),
      })
      .map(encodeTranslatedTve),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.nat(2 ** 26 - 1), fc.nat(2 ** 26 - 1))
      .map(([a, b]) => encodeUntranslatedTve(Math.min(a, b) * 2 ** 24, Math.max(a, b) * 2 ** 24)),
  },
  { weight: 1, arbitrary: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) },
);
/** Addresses of every magnitude, with and without the TVE select. */
const address = fc
  .tuple(fc.bigInt({ min: 0n, max: 2n ** 59n - 1n }), fc.nat(58), fc.constantFrom(0n, 1n << 59n))
  .map(([offset, cut, select]) => (offset >> BigInt(cut)) | select);
/** TCEs in the order the walk meets them: tables inside and outside memory, all permissions, junk in ignored bits. */
const entries = fc.array(
  fc.tuple(fc.nat(MEMORY_BYTES / 4096), fc.constantFrom(0, 1, 2, 3, 3, 3, 3), fc.constantFrom(0, 0, 0, 0xff8, 2 ** 52)),
  { minLength: 5, maxLength: 5 },
);

describe('TCE translation', () => {
  it('gives what the rules give, on a miss and again on a hit, for any TVE, tables and address', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(tve, address, direction, entries, (tve, address, direction, entries) => {
        const memory = new SystemMemory({ sizeBytes: MEMORY_BYTES });
        const contents = new Map<bigint, bigint>();
        // The reference walks first and lays each entry down where it looks for it.
        const queue = entries.map(([page, permission, junk]) => BigInt(page) * 4096n + BigInt(permission + junk));
        const lay = (at: bigint): bigint | undefined => {
          if (at + 8n > BigInt(MEMORY_BYTES)) return undefined;
          const entry = contents.get(at) ?? queue.shift()!;
          contents.set(at, entry);
          memory.write64(Number(at), entry);
          return entry;
        };
        const index = address >> 59n === 1n ? 7 : 6;
        const expected = referenceTranslation({ tve, address, direction }, lay);
        const tce = translation(memory);
        put(tce, index, tve);
        expect(access(tce, index, address, direction)).toEqual(expected);
        expect(access(tce, index, address, direction)).toEqual(expected);
        seen.add(expected.status);
      }),
      { seed: 4, numRuns: 2000 },
    );
    expect([...seen].sort()).toEqual([...STATUS_NAMES].sort());
  });

  const window = { tableAddress: 0x10_0000, tableBytes: 4096, levels: 2, pageShift: 12 } as const;
  function mapped(permission: Permission) {
    const memory = new SystemMemory({ sizeBytes: MEMORY_BYTES });
    const tree = new TceTree(memory, window);
    tree.map(0x5000n, 0x8000_0000, permission);
    const tce = translation(memory);
    put(tce, 0, tree.tve);
    return { memory, tree, tce };
  }
  const ok = (realAddress: bigint): Outcome => ({ status: 'OK', realAddress });

  it.each([
    [Permission.NONE, 'TCE_PAGE_FAULT', 'TCE_PAGE_FAULT'],
    [Permission.READ, 'OK', 'TCE_ACCESS_FAULT'],
    [Permission.WRITE, 'TCE_ACCESS_FAULT', 'OK'],
    [Permission.READ_WRITE, 'OK', 'OK'],
  ])('with permission bits %d reads end %s and writes end %s', (permission, read, write) => {
    const { tce } = mapped(permission);
    expect(access(tce, 0, 0x5008n, 'read').status).toBe(read);
    expect(access(tce, 0, 0x5008n, 'write').status).toBe(write);
    expect(access(tce, 0, 0x5008n, 'read').status).toBe(read);
  });

  it('goes on with a cached TCE that software changed, and sees the change after a kill', () => {
    const { tce, tree } = mapped(Permission.READ);
    access(tce, 0, 0x5000n, 'read');
    tree.map(0x5000n, 0x9000_0000, Permission.READ_WRITE);
    expect(access(tce, 0, 0x5abcn, 'read')).toEqual(ok(0x8000_0abcn));
    expect(access(tce, 0, 0x5abcn, 'write').status).toBe('TCE_ACCESS_FAULT');
    tce.cache.invalidatePage(0, 0, 0x5000);
    expect(access(tce, 0, 0x5abcn, 'write')).toEqual(ok(0x9000_0abcn));
  });

  it('sees at once a page mapped after a fault', () => {
    const { tce, tree } = mapped(Permission.NONE);
    expect(access(tce, 0, 0x5000n, 'read').status).toBe('TCE_PAGE_FAULT');
    tree.map(0x5000n, 0x9000_0000, Permission.READ);
    expect(access(tce, 0, 0x5000n, 'read')).toEqual(ok(0x9000_0000n));
  });

  it('keeps the two windows of a PE, and the PEs, apart', () => {
    const { tce, memory } = mapped(Permission.READ);
    access(tce, 0, 0x5000n, 'read');
    memory.write64(0x20_0028, encodeTce(0x6000_0000, Permission.READ));
    const other = encodeTranslatedTve({ tableAddress: 0x20_0000, tableBytes: 4096, pageShift: 12 });
    put(tce, 1, other);
    put(tce, 2, other);
    expect(access(tce, 1, (1n << 59n) | 0x5010n, 'read')).toEqual(ok(0x6000_0010n));
    expect(access(tce, 2, 0x5010n, 'read')).toEqual(ok(0x6000_0010n));
    expect(access(tce, 0, 0x5010n, 'read')).toEqual(ok(0x8000_0010n));
    expect(tce.cache.contents().map(({ pe }) => pe)).toEqual([0, 1, 0]);
  });

  it('shields an untranslated window by its bounds, the end not included', () => {
    const tce = translation();
    put(tce, 1, encodeUntranslatedTve(0x100_0000, 0x300_0000));
    const select = 1n << 59n;
    expect(access(tce, 1, select | 0xff_ffffn, 'read').status).toBe('TVE_RANGE');
    expect(access(tce, 1, select | 0x100_0000n, 'read')).toEqual(ok(0x100_0000n));
    expect(access(tce, 1, select | 0x2ff_ffffn, 'write')).toEqual(ok(0x2ff_ffffn));
    expect(access(tce, 1, select | 0x300_0000n, 'write').status).toBe('TVE_RANGE');
    expect(access(tce, 1, select | (1n << 50n) | 0x100_0000n, 'read').status).toBe('TVE_RANGE');
    expect(access(tce, 1, select | (1n << 58n) | 0x100_0000n, 'read').status).toBe('TVE_RANGE');
  });
});
