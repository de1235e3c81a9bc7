/** What software and devices may do to a P7IOC PHB in particular: its windows, its entries, its numbers. */
import fc from 'fast-check';
import { exactly, IDLE_PELTM, TCES, tve } from '../../../ioda1/rig.js';
import { type Dialect, inPage, type Step, TABLE_BYTES, TABLES } from '../steps.js';

export const PES = [0, 5, 6, 64, 127] as const;
export const RIDS = [0x0100, 0x0101, 0x0108, 0x0200] as const;
export const ISNS = [0, 1, 33, 63, 255] as const;
/** No vector has this number: it does not fit. */
const NO_ISN = 256;

/** `rte` of a step that is no PE. */
const NOBODY = 0xffff;
const SOME_BUSES = 0x100;
const EVERYBODY = 0x101;
/** Buses 0 to 3: the top six bits are compared. */
const FOUR_BUSES = 5n << 45n;

/** Which entry of the PELTM a step writes, and what: the entry is the PE. */
export function requesterEntry(rid: number, rte: number): readonly [pe: number, entry: bigint] {
  if (rte === NOBODY) return [PES[RIDS.indexOf(rid as (typeof RIDS)[number])] ?? 5, IDLE_PELTM];
  if (rte === SOME_BUSES) return [64, FOUR_BUSES];
  if (rte === EVERYBODY) return [127, 0n];
  return [rte, exactly(rid)];
}

/** The entry of the MVT that the messages of a vector go through. */
export const entryOf = (isn: number): number => isn & 7;

const join = ([first, second]: readonly [bigint, bigint]): bigint => (first << 64n) | second;

/** Below 4 GiB one window a PE, two above. */
const INDICES = [0, 1, 2, 3, 4] as const;
const HIGH_INDICES = [1, 17] as const;

const table = fc.nat(TABLES - 1).map((at) => TCES + TABLE_BYTES * at);
const window = fc
  .record({
    table,
    pe: fc.constantFrom(...PES),
    rid: fc.constantFrom(undefined, undefined, undefined, ...RIDS),
    sizeCode: fc.constantFrom(2, 2, 1, 1, 1, 3, 7, 0, 23),
    pageCode: fc.constantFrom(1, 1, 1, 1, 5, 2, 13),
  })
  .map(({ rid, ...rest }) => join(tve(rid === undefined ? rest : { ...rest, rid })));

const nearAddress = fc
  .record({ index: fc.constantFrom(0, 0, 0, 0, ...INDICES), page: fc.nat(2), inPage })
  .map((at) => (BigInt(at.index) << 28n) + BigInt(4096 * at.page + at.inPage));
const windowAddress = fc
  .record({
    index: fc.constantFrom(...INDICES, ...INDICES, 9),
    high: fc.constantFrom(0n, 0n, 1n << 27n, 1n << 27n, 1n << 26n),
    page: fc.constantFrom(0, 0, 0, 1, 1, 2, 3, 4, 16),
    inPage,
  })
  .map((at) => (BigInt(at.index) << 28n) + at.high + BigInt(4096 * at.page + at.inPage));
const highAddress = fc
  .record({
    index: fc.constantFrom(...HIGH_INDICES),
    page: fc.nat(4),
    inPage,
    above: fc.constantFrom(0n, 0n, 1n << 32n, 1n << 40n),
  })
  .map((at) => (BigInt(at.index) << 53n) + at.above + BigInt(4096 * at.page + at.inPage));
const oddAddress = fc.constantFrom(
  1n << 32n,
  1n << 52n,
  2n << 60n,
  0xfn << 60n,
  0xffff_0000n,
  0xffff_0010n,
  0xffff_1000n,
  0xffff_ffffn,
  9n << 60n,
  (9n << 60n) | (7n << 48n),
);

const opening: readonly Step[] = [
  ...PES.flatMap((pe, at): Step[] => [
    { do: 'tve', index: at, tve: join(tve({ table: TCES + TABLE_BYTES * at, pe })), invalidate: 'all' },
    { do: 'peltv', pe, row: [] },
  ]),
  ...HIGH_INDICES.map(
    (index): Step => ({ do: 'tve', index, tve: join(tve({ table: TCES, pe: 5, sizeCode: 7 })), invalidate: 'all' }),
  ),
];

export const P7IOC_DIALECT: Dialect = {
  pes: PES,
  rids: RIDS,
  isns: ISNS,
  lastPe: 127,
  noIsn: NO_ISN,
  oddRtes: [NOBODY, SOME_BUSES, EVERYBODY],
  tveIndex: fc.constantFrom(...INDICES, 0, 0, 1, ...HIGH_INDICES),
  tve: window,
  dmaAddress: fc.oneof(
    { weight: 12, arbitrary: nearAddress },
    { weight: 9, arbitrary: windowAddress },
    { weight: 3, arbitrary: highAddress },
    { weight: 2, arbitrary: oddAddress },
  ),
  killAddress: fc.record({ table, entry: fc.nat(4) }).map((at) => BigInt(at.table + 8 * at.entry)),
  opening,
};
