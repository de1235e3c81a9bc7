/** The 32 selectors behind IODA_ADDR: bits kept, wrap, auto-increment by reads and writes, stray bits of the address. */
import { iodaTableBySelector } from '../../../../src/ioda2/tables.js';
import type { Sequence } from '../compare.js';
import { ioda, ONES, phb, type Step } from '../steps.js';
import { OPEN } from './opening.js';

const SELECTORS = Array.from({ length: 32 }, (_, selector) => selector);
const MOST_ENTRIES = 512;
const address = phb.read('PHB_IODA_ADDR');

/** More steps than the longest table has entries, so that every table wraps. */
function walk(selector: number): Step[] {
  const indices = Array.from({ length: MOST_ENTRIES + 4 }, (_, index) => index);
  const marked = (index: number): bigint => (BigInt(index + 1) * 0x0101_0101_0101_0101n) & ONES;
  return [
    ioda.select(selector, 0, 'step'),
    ...indices.flatMap((index) => [ioda.writeData(marked(index)), address]),
    ioda.select(selector, 0, 'step'),
    ...indices.flatMap(() => [ioda.readData(), address]),
    // Nothing was left behind for the neighbours.
    ...SELECTORS.filter((other) => other !== selector).flatMap((other) => ioda.read(other, 1)),
  ];
}

function bitsKept(selector: number): Step[] {
  const entry = 3;
  const keeps = (value: bigint): Step[] => [ioda.writeData(value), ioda.readData()];
  return [
    ioda.select(selector, entry),
    ioda.readData(),
    ...[ONES, 0n, ...Array.from({ length: 64 }, (_, at) => 1n << BigInt(at)), 0n].flatMap(keeps),
    address,
  ];
}

function strayBits(selector: number): Step[] {
  const selected = (BigInt(selector) << 48n) & ONES;
  return [
    phb.write('PHB_IODA_ADDR', (ONES & ~(0x1fn << 48n)) | selected),
    address,
    ioda.readData(),
    address,
    ioda.writeData(0x1234_5678_9abc_def0n),
    address,
    ioda.select(selector, 0x1ff),
    ioda.readData(),
    address,
    // Read and written in turn on one entry, as firmware does.
    ioda.select(selector, 2),
    ioda.readData(),
    ioda.writeData(0x0102_0304_0506_0708n),
    ioda.readData(),
    address,
  ];
}

export const TABLE_SEQUENCES: readonly Sequence[] = SELECTORS.flatMap((selector) => {
  const name = iodaTableBySelector(selector) ?? `reserved selector ${selector}`;
  return [
    { name: `table ${name}: walk`, steps: [...OPEN, ...walk(selector)] },
    { name: `table ${name}: bits`, steps: [...OPEN, ...bitsKept(selector)] },
    { name: `table ${name}: stray bits`, steps: [...OPEN, ...strayBits(selector)] },
  ];
});
