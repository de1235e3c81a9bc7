/** All 512 places of the register page: what they keep of ones, zeros and single bits, what else a write changes. */
import { PHB_REGISTERS } from '../../../../src/ioda2/registers/phb.js';
import type { Sequence } from '../compare.js';
import { ONES, phb, REGISTER_PAGE_BYTES, type Size, type Step } from '../steps.js';
import { OPEN, TRAINED } from './opening.js';

const offsetOf = (name: Parameters<typeof PHB_REGISTERS.get>[0]): number => PHB_REGISTERS.get(name).offset;
/** An access of eight bytes there aborts QEMU. */
const CONFIG_DATA = offsetOf('PHB_CONFIG_DATA');
/** A read there goes elsewhere: it has sequences of its own. */
const IODA_DATA = offsetOf('PHB_IODA_DATA0');

const OFFSETS = Array.from({ length: REGISTER_PAGE_BYTES / 8 }, (_, index) => 8 * index);
const readAll: readonly Step[] = OFFSETS.filter((offset) => offset !== CONFIG_DATA && offset !== IODA_DATA).map(
  (offset) => phb.read(offset),
);

const label = (offset: number): string => PHB_REGISTERS.byOffset(offset)?.name ?? `0x${offset.toString(16)}`;

function keeps(offset: number): Sequence {
  const writtenAndRead = (value: bigint): Step[] => [phb.write(offset, value), phb.read(offset)];
  const walking = Array.from({ length: 64 }, (_, at) => writtenAndRead(1n << BigInt(at))).flat();
  return {
    name: `register ${label(offset)}`,
    steps: [...TRAINED, phb.read(offset), ...writtenAndRead(ONES), ...readAll, ...writtenAndRead(0n), ...walking],
  };
}

const PARTS: readonly (readonly [number, Size])[] = [
  ...([0, 1, 3, 6, 7].map((at) => [at, 1]) as [number, Size][]),
  ...([0, 1, 2, 6].map((at) => [at, 2]) as [number, Size][]),
  ...([0, 2, 4].map((at) => [at, 4]) as [number, Size][]),
];

/** Narrow and misaligned accesses: read, then written and the whole register read. */
function inParts(offset: number): Step[] {
  return PARTS.flatMap(([at, size]) => [
    phb.read(offset + at, size),
    phb.write(offset + at, 0x5aa5_a55a_5aa5_a55an & (2n ** BigInt(8 * size) - 1n), size),
    phb.read(offset),
  ]);
}

export const REGISTER_SEQUENCES: readonly Sequence[] = [
  { name: 'registers at reset', steps: [...OPEN, ...readAll, ...readAll] },
  { name: 'registers with the link up', steps: [...TRAINED, ...readAll] },
  ...OFFSETS.filter((offset) => offset !== CONFIG_DATA && offset !== IODA_DATA).map(keeps),
  {
    name: 'registers in parts',
    steps: [...TRAINED, ...OFFSETS.filter((offset) => offset !== CONFIG_DATA && offset !== IODA_DATA).flatMap(inParts)],
  },
  {
    name: 'beyond the register page',
    steps: [
      ...OPEN,
      phb.read(REGISTER_PAGE_BYTES),
      phb.write(REGISTER_PAGE_BYTES, ONES),
      phb.read(2 * REGISTER_PAGE_BYTES),
    ],
  },
];
