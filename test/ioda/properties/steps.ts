/** What software and devices may do to an IODA bridge: plain records that shrink, and how they are drawn. */
import fc from 'fast-check';
import type { Answer, Direction, Half } from './chip.js';

/** What a bridge's own tables and addresses make of the steps. */
export interface Dialect {
  /** Few of each, and the first more often than the others, so that steps meet. */
  readonly pes: readonly number[];
  readonly rids: readonly number[];
  readonly isns: readonly number[];
  readonly lastPe: number;
  /** A source that does not exist. */
  readonly noIsn: number;
  /** Besides PEs: what else a requester may be given. */
  readonly oddRtes: readonly number[];
  readonly tveIndex: fc.Arbitrary<number>;
  readonly tve: fc.Arbitrary<bigint>;
  readonly dmaAddress: fc.Arbitrary<bigint>;
  /** What names a TCE in a kill. */
  readonly killAddress: fc.Arbitrary<bigint>;
  /** DMA windows as a driver leaves them, and PELT-V rows of the PEs alone. */
  readonly opening: readonly Step[];
}

/** Page frames that devices may get, and one where no memory is. */
export const FRAME_COUNT = 8;
export const frame = (number: number): number => 0x0100_0000 + 0x1_0000 * number;
export const NO_MEMORY = 0x8000_0000;
/** One for each PE, and one more. */
export const TABLES = 6;
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
const direction = fc.constantFrom<Direction>('read', 'write');
const answer = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Answer>('data') },
  { weight: 3, arbitrary: fc.constantFrom<Answer>('UR', 'CA', 'nothing') },
);
const invalidate = fc.constantFrom<Invalidation>('all', 'one', 'forgotten');
const size = fc.constantFrom(1 as const, 2 as const, 4 as const, 8 as const);

/** Bytes within a page: anywhere on a line, and at the ends. */
export const inPage = fc.oneof(
  { weight: 4, arbitrary: fc.nat(63).map((n) => n * 64) },
  { weight: 1, arbitrary: fc.constantFrom(0, 1, 4095, 0xfff8) },
);

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

const record = fc.record;
const always = <T>(value: T) => fc.constant(value);

export function stepsOf(dialect: Dialect): fc.Arbitrary<Step> {
  const { pes, rids, isns } = dialect;
  const segments = [...pes, dialect.lastPe];
  const pe = often(pes);
  const rid = often(rids);
  const dma = record({
    ...{ do: always('dma' as const), rid, direction, address: dialect.dmaAddress },
    ...{ length: fc.constantFrom(1, 4, 8, 64, 128), seed: fc.nat(255) },
    poisoned: fc.nat(15).map((n) => n === 15),
  }).map((request) => withinPage(request));
  const processorAddress: fc.Arbitrary<ProcessorAddress> = record({
    window: fc.constantFrom('m32', 'm64'),
    segment: fc.constantFrom(...segments),
    offset: fc.nat(15).map((n) => 8 * n),
  });
  return fc.oneof(
    { weight: 30, arbitrary: dma },
    {
      weight: 5,
      arbitrary: record({
        do: always('rte' as const),
        rid,
        rte: fc.constantFrom(...pes, ...dialect.oddRtes),
        invalidate,
      }),
    },
    {
      weight: 6,
      arbitrary: record({
        do: always('tve' as const),
        index: dialect.tveIndex,
        tve: dialect.tve,
        invalidate,
      }),
    },
    { weight: 10, arbitrary: tce },
    {
      weight: 3,
      arbitrary: record({
        do: always('kill' as const),
        pe: fc.oneof(pe, always('all' as const)),
        address: fc.option(dialect.killAddress, { nil: undefined }),
      }),
    },
    {
      weight: 3,
      arbitrary: record({
        do: always('peltv' as const),
        pe,
        row: fc.uniqueArray(fc.constantFrom(...pes, 7, dialect.lastPe), { maxLength: 4 }),
      }),
    },
    { weight: 2, arbitrary: record({ do: always('m32' as const), segment: fc.constantFrom(...segments), pe }) },
    {
      weight: 2,
      arbitrary: record({
        do: always('overlay' as const),
        state: fc.constantFrom('on' as const, 'off' as const),
        segment: fc.constantFrom(...segments),
        pe,
      }),
    },
    {
      weight: 4,
      arbitrary: record({
        do: always('vector' as const),
        isn: fc.constantFrom(...isns),
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
        word: fc.nat(dialect.lastPe >> 6),
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
      arbitrary: record({
        do: always('config' as const),
        direction,
        rid: fc.constantFrom(...rids, 0x0008),
        pe,
        answer,
      }),
    },
    {
      weight: 8,
      arbitrary: record({
        do: always('msi' as const),
        rid,
        isn: fc.constantFrom(...isns, dialect.noIsn),
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
}

// ---- the start ------------------------------------------------------------------------------------------------------

/** Tables and requesters as a driver leaves them, so that DMA, interrupts and windows work from the start. */
export function openingOf({ pes, rids, isns, opening }: Dialect): readonly Step[] {
  return [
    ...opening,
    // Every PE its own frame in page 0; beside it what may only be read, and what may only be written.
    ...pes.flatMap((_, table) =>
      [3, 1, 2].map(
        (may, entry): Step => ({
          ...{ do: 'tce', table, entry, invalidate: 'forgotten' },
          tce: [(table + entry) % FRAME_COUNT, may],
        }),
      ),
    ),
    ...rids.map((each, at): Step => ({ do: 'rte', rid: each, rte: pes[at]!, invalidate: 'all' })),
    ...isns.map((isn, at): Step => ({ do: 'vector', isn, pe: pes[at]!, priority: 5 })),
  ];
}
