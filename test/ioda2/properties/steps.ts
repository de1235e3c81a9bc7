/** What software and devices may do to an IODA bridge: plain records that shrink, and how they are drawn. */
import fc from 'fast-check';
import type { Answer, Direction, Half } from './chip.js';

/** Few of each, and the first more often than the others, so that steps meet. */
export const PES = [0, 5, 6, 64, 200] as const;
export const RIDS = [0x0100, 0x0101, 0x0108, 0x0200] as const;
export const ISNS = [0, 1, 33, 63, 2039] as const;
/** Page frames that devices may get, and one where no memory is. */
export const FRAME_COUNT = 8;
export const frame = (number: number): number => 0x0100_0000 + 0x1_0000 * number;
export const NO_MEMORY = 0x8000_0000;
/** One for each PE, and one for second levels. */
const TABLES = 6;
export const TABLE_BYTES = 4096;

export type Invalidation = 'forgotten' | 'one' | 'all';

/** A place in one segment of an outbound window. */
export interface ProcessorAddress {
  readonly window: 'm32' | 'm64';
  readonly segment: number;
  readonly offset: number;
}

export type Step =
  // Software.
  | { readonly do: 'rte'; readonly rid: number; readonly rte: number; readonly invalidate: Invalidation }
  | { readonly do: 'peltv'; readonly pe: number; readonly row: readonly number[] }
  | { readonly do: 'tve'; readonly index: number; readonly tve: bigint; readonly invalidate: Invalidation }
  | {
      readonly do: 'tce';
      readonly table: number;
      readonly entry: number;
      readonly tce: readonly [to: number, may: number];
      readonly invalidate: Invalidation | 'page';
    }
  | { readonly do: 'kill'; readonly pe: number | 'all'; readonly address: bigint | undefined }
  | { readonly do: 'm32'; readonly segment: number; readonly pe: number }
  | { readonly do: 'overlay'; readonly state: 'on' | 'off'; readonly segment: number; readonly pe: number }
  | { readonly do: 'vector'; readonly isn: number; readonly pe: number; readonly priority: number }
  | { readonly do: 'freeze'; readonly pe: number; readonly half: Half; readonly frozen: boolean }
  | { readonly do: 'thaw'; readonly pe: number }
  | { readonly do: 'summary'; readonly word: number; readonly value: bigint }
  | { readonly do: 'clear errors' }
  | {
      readonly do: 'inject';
      readonly kind: 'mmio' | 'config' | 'dma';
      readonly direction: Direction;
      readonly at: number;
      readonly sticky: boolean;
    }
  | { readonly do: 'fence' }
  | { readonly do: 'reset' }
  | { readonly do: 'link down'; readonly kind: 'planned' | 'surprise' }
  // Seen from outside.
  | { readonly do: 'load'; readonly at: ProcessorAddress; readonly size: 1 | 2 | 4 | 8; readonly answer: Answer }
  | { readonly do: 'store'; readonly at: ProcessorAddress; readonly size: 1 | 2 | 4 | 8; readonly value: number }
  | {
      readonly do: 'config';
      readonly direction: Direction;
      readonly rid: number;
      readonly pe: number;
      readonly answer: Answer;
    }
  | {
      readonly do: 'dma';
      readonly rid: number;
      readonly direction: Direction;
      readonly address: bigint;
      readonly length: number;
      readonly seed: number;
      readonly poisoned: boolean;
    }
  | { readonly do: 'msi'; readonly rid: number; readonly isn: number; readonly bits: 32 | 64 }
  | { readonly do: 'error'; readonly rid: number; readonly kind: 'ERR_FATAL' | 'ERR_NONFATAL' | 'ERR_COR' }
  | { readonly do: 'pin'; readonly rid: number; readonly pin: number; readonly asserted: boolean }
  | { readonly do: 'stray completion'; readonly tag: number };

export type Operation = Extract<
  Step,
  { do: 'load' | 'store' | 'config' | 'dma' | 'msi' | 'error' | 'pin' | 'stray completion' | 'link down' }
>;
export type Software = Exclude<Step, Operation>;

// ---- any step -------------------------------------------------------------------------------------------------------

const often = <T>(all: readonly T[]): fc.Arbitrary<T> =>
  fc.constantFrom(...all, all[0]!, all[0]!, all[0]!, all[0]!, all[1]!);
const pe = often(PES);
const rid = often(RIDS);
const direction = fc.constantFrom<Direction>('read', 'write');
const answer = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Answer>('data') },
  { weight: 3, arbitrary: fc.constantFrom<Answer>('UR', 'CA', 'nothing') },
);
const invalidate = fc.constantFrom<Invalidation>('all', 'one', 'forgotten');
const size = fc.constantFrom(1 as const, 2 as const, 4 as const, 8 as const);

const tree = fc
  .record({
    table: fc.nat(TABLES - 1),
    levels: fc.constantFrom(0n, 0n, 1n),
    page: fc.constantFrom(1n, 1n, 5n),
  })
  .map(({ table, levels, page }) => (BigInt(0x500 + table) << 16n) | (levels << 13n) | (1n << 8n) | page);
/** Untranslated from 16 MiB up to 32 MiB. */
const BYPASS = (1n << 40n) | (2n << 16n) | (1n << 12n);
const brokenTve = fc.constantFrom(
  0n,
  BYPASS & ~(1n << 12n),
  0x5000007n << 8n,
  0x0500_0000n | (7n << 13n) | 0x101n,
  0x0500_0001n,
);
const tve = fc.oneof(
  { weight: 6, arbitrary: tree },
  { weight: 2, arbitrary: fc.constant(BYPASS) },
  { weight: 1, arbitrary: brokenTve },
);

const pageShift = fc.constantFrom(12, 12, 12, 16);
const inPage = fc.oneof(
  { weight: 4, arbitrary: fc.nat(63).map((n) => n * 64) },
  { weight: 1, arbitrary: fc.constantFrom(0, 1, 4095, 0xfff8) },
);
const windowAddress = fc
  .record({
    window: fc.constantFrom(0, 0, 1),
    top: fc.constantFrom(0, 0, 0, 1, 2),
    index: fc.constantFrom(0, 0, 0, 1, 1, 2, 3, 4),
    shift: pageShift,
    inPage,
  })
  .map(
    (at) =>
      (BigInt(at.window) << 59n) |
      (BigInt(at.top) << BigInt(at.shift + 9)) |
      (BigInt(at.index) << BigInt(at.shift)) |
      BigInt(at.inPage),
  );
const realAddress = fc
  .record({
    real: fc.constantFrom(frame(0), frame(1), 0x00ff_fff0, 0x01ff_ffc0, 0x0200_0000),
    inPage,
    window: fc.nat(1),
  })
  .map((at) => (BigInt(at.window) << 59n) | (BigInt(at.real) + BigInt(at.inPage)));
const oddAddress = fc.constantFrom(
  1n << 40n,
  1n << 58n,
  2n << 60n,
  0xfn << 60n,
  0xffff_0000n,
  1n << 60n,
  (1n << 50n) | (1n << 59n),
);
/** Where every PE has something mapped from the start. */
const nearAddress = fc.record({ page: fc.nat(2), inPage }).map((at) => BigInt(4096 * at.page + at.inPage));
const address = fc.oneof(
  { weight: 12, arbitrary: nearAddress },
  { weight: 6, arbitrary: windowAddress },
  { weight: 3, arbitrary: realAddress },
  { weight: 1, arbitrary: oddAddress },
);
const dma = fc
  .record({
    ...{ do: fc.constant('dma' as const), rid, direction, address },
    ...{ length: fc.constantFrom(1, 4, 8, 64, 128), seed: fc.nat(255) },
    poisoned: fc.nat(15).map((n) => n === 15),
  })
  .map((request) => withinPage(request));

/** PCI Express forbids requests over a 4 KiB boundary; what a bridge makes of those is a property of its own. */
function withinPage<T extends { readonly address: bigint; readonly length: number }>(request: T): T {
  const room = 4096 - Number(request.address & 0xfffn);
  return { ...request, length: Math.min(request.length, room) };
}

/** Where a TCE points: to a frame, to a table, or to where no memory is. */
export const toTable = FRAME_COUNT;
export const toNowhere = FRAME_COUNT + TABLES;
const tce = fc.record({
  ...{
    do: fc.constant('tce' as const),
    table: often([0, 1, 2, 3, 4, 5]),
    entry: fc.constantFrom(0, 0, 0, 1, 1, 2, 3, 4),
  },
  tce: fc.tuple(
    fc.oneof({ weight: 30, arbitrary: fc.nat(toNowhere - 1) }, { weight: 1, arbitrary: fc.constant(toNowhere) }),
    fc.constantFrom(3, 3, 2, 1, 0),
  ),
  invalidate: fc.constantFrom('page' as const, 'one' as const, 'all' as const, 'forgotten' as const),
});

const SEGMENTS = [...PES, 255] as const;
const processorAddress: fc.Arbitrary<ProcessorAddress> = fc.record({
  window: fc.constantFrom('m32', 'm64'),
  segment: fc.constantFrom(...SEGMENTS),
  offset: fc.nat(15).map((n) => 8 * n),
});

const record = fc.record;
const always = <T>(value: T) => fc.constant(value);

export const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 30, arbitrary: dma },
  {
    weight: 5,
    arbitrary: record({
      do: always('rte' as const),
      rid,
      rte: fc.constantFrom(...PES, 255, 0xffff, 0x100),
      invalidate,
    }),
  },
  {
    weight: 6,
    arbitrary: record({
      do: always('tve' as const),
      index: record({ pe, window: fc.nat(1) }).map((at) => 2 * at.pe + at.window),
      tve,
      invalidate,
    }),
  },
  { weight: 10, arbitrary: tce },
  {
    weight: 3,
    arbitrary: record({
      do: always('kill' as const),
      pe: fc.oneof(pe, always('all' as const)),
      address: fc.option(windowAddress, { nil: undefined }),
    }),
  },
  {
    weight: 3,
    arbitrary: record({
      do: always('peltv' as const),
      pe,
      row: fc.uniqueArray(fc.constantFrom(...PES, 7, 255), { maxLength: 4 }),
    }),
  },
  { weight: 2, arbitrary: record({ do: always('m32' as const), segment: fc.constantFrom(...SEGMENTS), pe }) },
  {
    weight: 2,
    arbitrary: record({
      do: always('overlay' as const),
      state: fc.constantFrom('on' as const, 'off' as const),
      segment: fc.constantFrom(...SEGMENTS),
      pe,
    }),
  },
  {
    weight: 4,
    arbitrary: record({
      do: always('vector' as const),
      isn: fc.constantFrom(...ISNS),
      pe,
      priority: fc.constantFrom(5, 5, 0xff),
    }),
  },
  {
    weight: 5,
    arbitrary: record({
      do: always('freeze' as const),
      pe,
      half: fc.constantFrom<Half>('mmio', 'dma'),
      frozen: fc.boolean(),
    }),
  },
  { weight: 14, arbitrary: record({ do: always('thaw' as const), pe }) },
  {
    weight: 1,
    arbitrary: record({
      do: always('summary' as const),
      word: fc.nat(3),
      value: fc.constantFrom(0n, (1n << 64n) - 1n, 1n << 63n, 1n << 58n),
    }),
  },
  { weight: 2, arbitrary: always({ do: 'clear errors' as const }) },
  {
    weight: 2,
    arbitrary: record({
      do: always('inject' as const),
      kind: fc.constantFrom('mmio' as const, 'config' as const, 'dma' as const),
      direction,
      at: fc.nat(3),
      sticky: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: always({ do: 'fence' as const }) },
  { weight: 1, arbitrary: always({ do: 'reset' as const }) },
  {
    weight: 1,
    arbitrary: record({
      do: always('link down' as const),
      kind: fc.constantFrom('planned' as const, 'surprise' as const),
    }),
  },
  { weight: 8, arbitrary: record({ do: always('load' as const), at: processorAddress, size, answer }) },
  {
    weight: 5,
    arbitrary: record({ do: always('store' as const), at: processorAddress, size, value: fc.nat(255) }),
  },
  {
    weight: 5,
    arbitrary: record({ do: always('config' as const), direction, rid: fc.constantFrom(...RIDS, 0x0008), pe, answer }),
  },
  {
    weight: 8,
    arbitrary: record({
      do: always('msi' as const),
      rid,
      isn: fc.constantFrom(...ISNS, 2048),
      bits: fc.constantFrom(32 as const, 64 as const),
    }),
  },
  {
    weight: 4,
    arbitrary: record({
      do: always('error' as const),
      rid,
      kind: fc.constantFrom('ERR_FATAL' as const, 'ERR_NONFATAL' as const, 'ERR_COR' as const),
    }),
  },
  { weight: 2, arbitrary: record({ do: always('pin' as const), rid, pin: fc.nat(3), asserted: fc.boolean() }) },
  { weight: 1, arbitrary: record({ do: always('stray completion' as const), tag: fc.nat(255) }) },
);

// ---- the start ------------------------------------------------------------------------------------------------------

/** Tables and requesters as a driver leaves them, so that DMA, interrupts and windows work from the start. */
export const OPENING: readonly Step[] = [
  ...PES.flatMap((each, table): Step[] => [
    { do: 'tve', index: 2 * each, tve: (BigInt(0x500 + table) << 16n) | 0x101n, invalidate: 'all' },
    { do: 'tve', index: 2 * each + 1, tve: BYPASS, invalidate: 'all' },
    { do: 'peltv', pe: each, row: [each] },
  ]),
  // Every PE its own frame in page 0; beside it what may only be read, and what may only be written.
  ...PES.flatMap((_, table) =>
    [3, 1, 2].map(
      (may, entry): Step => ({
        do: 'tce',
        table,
        entry,
        tce: [(table + entry) % FRAME_COUNT, may],
        invalidate: 'forgotten',
      }),
    ),
  ),
  ...RIDS.map((each, at): Step => ({ do: 'rte', rid: each, rte: PES[at]!, invalidate: 'all' })),
  ...ISNS.map((isn, at): Step => ({ do: 'vector', isn, pe: PES[at]!, priority: 5 })),
];
