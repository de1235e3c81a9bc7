/** What software and devices may do to PHB3 in particular: its TVEs, its addresses, its numbers. */
import fc from 'fast-check';
import { type Dialect, frame, inPage, type Step, TABLES } from '../steps.js';

export const PES = [0, 5, 6, 64, 200] as const;
export const RIDS = [0x0100, 0x0101, 0x0108, 0x0200] as const;

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

const opening: readonly Step[] = PES.flatMap((each, table): Step[] => [
  { do: 'tve', index: 2 * each, tve: (BigInt(0x500 + table) << 16n) | 0x101n, invalidate: 'all' },
  { do: 'tve', index: 2 * each + 1, tve: BYPASS, invalidate: 'all' },
  { do: 'peltv', pe: each, row: [each] },
]);

export const PHB3_DIALECT: Dialect = {
  pes: PES,
  rids: RIDS,
  isns: [0, 1, 33, 63, 2039],
  lastPe: 255,
  noIsn: 2048,
  oddRtes: [255, 0xffff, 0x100],
  tveIndex: fc
    .record({ pe: fc.constantFrom(...PES, 0, 0, 0, 0, 5), window: fc.nat(1) })
    .map((at) => 2 * at.pe + at.window),
  tve,
  dmaAddress: address,
  killAddress: windowAddress,
  opening,
};
