/**
 * Sequences drawn from a seed: some 5 to 40 moves of what firmware, kernel and a careless programmer do to the bridge.
 * A move brings the tables it needs, so moves may be left out and the rest still means the same.
 *
 * Left out is what ends the comparison: stores that kill QEMU or take its card away, resets and link changes that only
 * our chip follows, and fences, which come last if at all. The systematic sequences have them.
 */
import { PBCQ_SCOM_RANGES } from '../../../src/ioda2/registers/pbcq.js';
import { PHB_REGISTERS } from '../../../src/ioda2/registers/phb.js';
import { IODA_TABLES, iodaTableBySelector } from '../../../src/ioda2/tables.js';
import type { Sequence } from './compare.js';
import { Dice, type Move } from './dice.js';
import type { Processor } from './live-qemu.js';
import { DEVICE_MOVES, WINDOW_MOVES } from './random-device.js';
import { pattern } from './sequences/dma.js';
import { NUMBERED, nest } from './sequences/opening.js';
import { M32_BASE } from './sequences/windows.js';
import {
  CARD,
  config,
  ioda,
  phb,
  ROOT_PORT,
  read,
  readBlock,
  type Size,
  type Step,
  scom,
  write,
  writeBlock,
} from './steps.js';

const offsetOf = (name: Parameters<typeof PHB_REGISTERS.get>[0]): number => PHB_REGISTERS.get(name).offset;
const DOORS = new Set([offsetOf('PHB_CONFIG_DATA'), offsetOf('PHB_IODA_DATA0')]);
const NOT_WRITTEN: ReadonlySet<string> = new Set([
  ...['PHB_FFI_REQUEST', 'PHB_RESET', 'PHB_QUIESCE_DMA_G', 'PHB_PAPR_ERR_INJ_CTL', 'PHB_PCIE_DLP_TRAIN_CTL'],
  ...['PHB_PCIE_LINK_MANAGEMENT', 'PHB_CONFIG_ADDRESS', 'PHB_IODA_ADDR'],
  ...['', 'OUT_', 'INA_', 'INB_'].flatMap((trap) => [`PHB_${trap}ERR_INJECT`, `PHB_${trap}ERR_AIB_FENCE_ENABLE`]),
]);
const OFFSETS = Array.from({ length: 512 }, (_, index) => 8 * index).filter((offset) => !DOORS.has(offset));
const READ = OFFSETS;
const WRITTEN = OFFSETS.filter((offset) => !NOT_WRITTEN.has(PHB_REGISTERS.byOffset(offset)?.name ?? ''));
const NAMED = WRITTEN.filter((offset) => PHB_REGISTERS.byOffset(offset) !== undefined);

const NEST_NOT_WRITTEN = new Set([
  'NFIR',
  'NFIR_OR',
  'PHB_BAR',
  'BAR_ENABLE',
  'MMIO_BAR0',
  'MMIO_BAR1',
  'MMIO_MASK0',
  'MMIO_MASK1',
]);
const nestRegisters = PBCQ_SCOM_RANGES.nest.bank.registers.filter(({ name }) => !NEST_NOT_WRITTEN.has(name));
const pciRegisters = PBCQ_SCOM_RANGES.pci.bank.registers.filter(({ name }) => name !== 'ETU_RESET');

const registerMove: Move = (dice) => {
  const offset = dice.of(dice.below(4) === 0 ? WRITTEN : NAMED);
  return [phb.write(offset, dice.word()), phb.read(offset), phb.read(dice.of(READ))];
};

const registerPartMove: Move = (dice) => {
  const size = dice.of<Size>([1, 2, 4]);
  const offset = dice.of(WRITTEN) + size * dice.below(8 / size);
  const store = phb.write(offset, dice.word() & (2n ** BigInt(8 * size) - 1n), size);
  return [phb.read(offset, size), ...(dice.below(2) === 0 ? [store] : []), phb.read(offset - (offset % 8))];
};

/** An enabled window of random shape would sit on others: entries are written without their enable bit. */
const tableValue = (dice: Dice, selector: number): bigint =>
  iodaTableBySelector(selector) === 'M64BT' ? dice.word() & ~(1n << 63n) : dice.word();
const FREEZES = new Set([IODA_TABLES.PESTA.selector, IODA_TABLES.PESTB.selector]);
/** PE 0 has the card's registers, PE 1 its DMA: they freeze where that is what a move is about. */
const FIRST_FROZEN = 2;
const MOST_ENTRIES = 6;

const tableMove: Move = (dice) => {
  const selector = dice.below(32);
  const freezes = FREEZES.has(selector);
  const index = freezes ? FIRST_FROZEN + dice.below(256 - FIRST_FROZEN - MOST_ENTRIES) : dice.below(512);
  const steps = [ioda.select(selector, index, dice.of(['step', 'stay']))];
  for (let count = dice.below(MOST_ENTRIES) + 1; count > 0; count--)
    steps.push(dice.below(2) === 0 ? ioda.writeData(tableValue(dice, selector)) : ioda.readData());
  return [...steps, phb.read('PHB_IODA_ADDR')];
};

const freezeMove: Move = (dice) => {
  const pe = 2 + dice.below(254);
  const half = dice.of(['PESTA', 'PESTB'] as const);
  const value = dice.word();
  return [
    ...ioda.write(half, pe, value),
    ...ioda.read(half, pe),
    ...ioda.read('PEEV', pe >> 6),
    ...ioda.write(half, pe, 0n),
    ...ioda.read('PEEV', pe >> 6),
  ];
};

const scomMove: Move = (dice) => {
  const fromNest = dice.below(3) > 0;
  const { offset } = fromNest ? dice.of(nestRegisters) : dice.of(pciRegisters);
  const range = fromNest ? 'nest' : 'pci';
  return [scom.write(range, offset, dice.word()), scom.read(range, offset), scom.read('nest', dice.below(0x46))];
};

const asbMove: Move = (dice) => {
  const offset = dice.of(NAMED);
  return [
    scom.write('spci', 0, BigInt(offset)),
    ...(dice.below(2) === 0 ? [scom.write('spci', 2, dice.word())] : []),
    ...[scom.read('spci', 0), scom.read('spci', 2), phb.read(offset)],
  ];
};

/** What may be written without losing the way to the card: not bus numbers, windows, link, power and slot. */
const ROOT_WRITTEN = [
  0x00, 0x08, 0x0c, 0x10, 0x14, 0x1c, 0x28, 0x2c, 0x30, 0x34, 0x38, 0x40, 0x48, 0x50, 0x54, 0x5c, 0x64, 0x80, 0x9c,
  0xfc, 0x104, 0x108, 0x10c, 0x118,
];
const CARD_WRITTEN = [
  0x00, 0x08, 0x0c, 0x14, 0x18, 0x24, 0x2c, 0x30, 0x34, 0x38, 0x3c, 0x44, 0x48, 0x4c, 0x50, 0x84, 0xfc,
];
type Narrow = Exclude<Size, 8>;

const configMove: Move = (dice) => {
  const id = dice.of([ROOT_PORT, CARD]);
  const size = dice.of<Narrow>([1, 2, 4]);
  const within = size * dice.below(4 / size);
  const register = dice.of(id === CARD ? CARD_WRITTEN : ROOT_WRITTEN) + within;
  const value = Number(dice.word() & (2n ** BigInt(8 * size) - 1n));
  const steps = [...config.read({ id, register: dice.below(64) * 4 + within, pe: dice.below(256) }, size)];
  if (dice.below(3) > 0) steps.push(...config.write({ id, register }, size, value));
  return [...steps, ...config.read({ id, register: register - (register % 4) }, 4)];
};

const memoryMove: Move = (dice) => {
  const at = 0x700_0000 + 8 * dice.below(512);
  const size = dice.of<Size>([1, 2, 4, 8]);
  const length = 1 + dice.below(64);
  return [
    ...[
      writeBlock(at, pattern(dice.below(256), length)),
      write(at + size, size, dice.word() & (2n ** BigInt(8 * size) - 1n)),
    ],
    ...[read(at + size, size), read(at, 8), readBlock(at, length)],
  ];
};

/** Nothing after it is compared but what a fenced bridge answers. */
const fenceMove: Move = (dice) => [
  scom.write('nest', nest('NFIR_OR'), 0xfn << 36n),
  ...Array.from({ length: 5 }, () => phb.read(dice.of(READ))),
  read(M32_BASE, 4),
  ...config.read({ id: ROOT_PORT, register: 0 }, 4),
  scom.read('nest', nest('MODE_CONTROL')),
];

const STILL: readonly Move[] = [
  ...[registerMove, registerMove, registerMove, registerPartMove, tableMove, tableMove, tableMove, freezeMove],
  ...[scomMove, asbMove, configMove, configMove, configMove, memoryMove, ...WINDOW_MOVES],
];
/** One in so many sequences has the device at work; those wait for QEMU's clock. */
const DEVICE_EVERY = 8;
const FENCE_EVERY = 25;

export interface RandomSequence extends Sequence {
  readonly seed: number;
  readonly processor: Processor;
  readonly moves: readonly (readonly Step[])[];
}

const stepsOf = (moves: readonly (readonly Step[])[]): Step[] => [...NUMBERED, ...moves.flat()];

export function randomSequence(seed: number): RandomSequence {
  const dice = new Dice(seed * 2654435761);
  const withDevice = seed % DEVICE_EVERY === 0;
  const moves = Array.from({ length: 5 + dice.below(withDevice ? 6 : 12) }, () => dice.of(STILL)(dice));
  if (withDevice)
    for (let count = 1 + dice.below(2); count > 0; count--)
      moves.splice(dice.below(moves.length), 0, dice.of(DEVICE_MOVES)(dice));
  if (seed % FENCE_EVERY === 0) moves.push(fenceMove(dice));
  return { name: `seed ${seed}`, seed, processor: withDevice ? 'running' : 'stopped', moves, steps: stepsOf(moves) };
}

/** The same with fewer moves. */
export const withMoves = (sequence: RandomSequence, moves: readonly (readonly Step[])[]): RandomSequence => ({
  ...sequence,
  moves,
  steps: stepsOf(moves),
});
