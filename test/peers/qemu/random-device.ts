/** Drawn moves that need the card: loads through windows of any shape, DMA through TVEs of every kind, interrupts. */
import { fieldMask } from '../../../src/hw/bits.js';
import { PHB_REGISTERS } from '../../../src/ioda2/registers/phb.js';
import { encodeUntranslatedTve } from '../../../src/tce/tve.js';
import type { Dice, Move } from './dice.js';
import {
  ARENA,
  addressOn,
  BYPASS_TVE,
  bufferShown,
  deviceReads,
  deviceWrites,
  ENABLE,
  MAPPED,
  PE,
  pageStart,
  pattern,
  primed,
  THAWED,
  type Walk,
  walkTo,
} from './sequences/dma.js';
import { AGAIN_NS, IVT, ROUTED, raise, SETTLE_NS, sourceOf, store, type Vector, vector } from './sequences/msi.js';
import { CARD_PCI_ADDRESS } from './sequences/opening.js';
import { ALL_DECODERS, M32_BASE, M64_BASE, M64_QUEUE, openM32, sharedM64, singleM64 } from './sequences/windows.js';
import {
  ACCEPT,
  CARD,
  config,
  ioda,
  LET_INTERRUPTS_COME,
  pass,
  phb,
  ROOT_PORT,
  read,
  readBlock,
  SERVER,
  type Step,
  write,
  writeBlock,
} from './steps.js';

const BAR0 = 0x10;
const COMMAND = 0x04;
const cardReachable: readonly Step[] = [
  ...openM32(),
  // The card's registers belong to PE 0, its DMA to PE 1: what a DMA froze must not hide how it ended.
  ...ioda.write('M32DT', 0, 0n),
  ...ioda.write('PESTA', 0, 0n),
  ...config.write({ id: ROOT_PORT, register: COMMAND }, 2, 6),
  ...config.write({ id: CARD, register: BAR0 }, 4, CARD_PCI_ADDRESS),
  ...config.write({ id: CARD, register: COMMAND }, 2, 6),
];

// ---- windows --------------------------------------------------------------------------------------------------------

const LIVENESS = 0x04;
const STORE_NS = 100_000;
const FROZEN = 1n << 63n;
const MIB = 2 ** 20;

const windowMove: Move = (dice) => [
  ...cardReachable,
  read(M32_BASE, 4),
  write(M32_BASE + LIVENESS, 4, dice.word() & 0xffff_ffffn),
  pass(STORE_NS),
  read(M32_BASE + LIVENESS, 4),
  read(M32_BASE + dice.of([0x0c, 0x10, 0x24, 0x100, 0x8_0000, 0x10_0000, 0x4000_0000]), 4),
];

/** Sizes and places of any kind, also not aligned to each other, and a frozen PE in one segment. */
const m32Move: Move = (dice) => {
  const bytes = 2 ** (16 + dice.below(16));
  const up = bytes * dice.below(Math.max(1, 2 ** 31 / bytes));
  const mask = 0x3_ffff_ffff_ffffn & ~BigInt(bytes - 1);
  const start = CARD_PCI_ADDRESS + dice.of([0, 0, 0x1_0000, 0x8_0000, 0x10_0000, 0x30_0000]);
  const segment = dice.of([0, 1, dice.below(256)]);
  const pe = 2 + dice.below(254);
  const freezes = dice.below(3) === 0;
  return [
    ...cardReachable,
    ...openM32({ base: M32_BASE + up, mask, start }),
    ...ioda.write('M32DT', segment, BigInt(pe) << 48n),
    ...(freezes ? ioda.write(dice.of(['PESTA', 'PESTB'] as const), pe, FROZEN) : []),
    // Only places of the card that always read the same.
    ...[0, 0x0c, bytes - 4, bytes].map((at) => read(M32_BASE + up + at, 4)),
    ...[...ioda.write('PESTA', pe, 0n), ...ioda.write('PESTB', pe, 0n), ...ioda.write('M32DT', segment, 0n)],
  ];
};

const m64Entry = (dice: Dice): bigint => {
  const single = dice.below(2) === 0;
  const unit = single ? 32 * MIB : MIB;
  const bytes = unit * 2 ** dice.below(single ? 6 : 11);
  const base = M64_BASE + bytes * dice.of([0, 0, 0, 1]);
  const entry = single ? singleM64(base, bytes, 2 + dice.below(254)) : sharedM64(base, bytes);
  return dice.below(6) === 0 ? entry & ~ENABLE : entry;
};

/** One to three windows that may overlap; they are closed again. */
const m64Move: Move = (dice) => {
  const places = [dice.below(16), dice.below(16), dice.below(16)].slice(0, 1 + dice.below(3));
  const pe = dice.of([0, 2 + dice.below(254)]);
  const freezes = dice.below(4) === 0;
  return [
    ...[...cardReachable, ...M64_QUEUE],
    ...places.flatMap((index) => ioda.write('M64BT', index, m64Entry(dice))),
    ...(freezes ? ioda.write('PESTA', pe, FROZEN) : []),
    ...(dice.below(8) === 0 ? [phb.write('PHB_M64_UPPER_BITS', 1n << 63n)] : []),
    ...[0, 0x0c, MIB, 32 * MIB - 4, 2 ** 30].map((at) => read(M64_BASE + at, 4)),
    ...[...places.flatMap((index) => ioda.write('M64BT', index, 0n)), phb.write('PHB_M64_UPPER_BITS', 0n)],
    ...ioda.write('PESTA', pe, 0n),
    // QEMU forgets M32 with the decoders of the queue, and takes it up again when its registers change.
    phb.write('PHB_M32_BASE_ADDR', 0n),
  ];
};

// ---- DMA ------------------------------------------------------------------------------------------------------------

const GOOD: readonly Step[] = [...MAPPED, ...THAWED];
const ready = (dice: Dice, length: number): Step[] => [
  ...[...cardReachable, phb.write('PHB_CONTROL', 0n), ...GOOD, ...primed(dice.below(256), length)],
];

/** One DMA either way; tables must be in place for it alone. */
function transfer(dice: Dice, tables: readonly Step[], { address, at, length }: Transfer): Step[] {
  const before = [...ready(dice, length), writeBlock(at, pattern(dice.below(256), length)), ...tables];
  return dice.below(2) === 0
    ? [...before, ...deviceWrites(address, length), readBlock(at, length), ...GOOD]
    : [...before, ...deviceReads(address, length), ...GOOD, ...bufferShown(length)];
}
interface Transfer {
  readonly address: bigint;
  readonly at: number;
  readonly length: number;
}

/** Every page size that there is, and some that are not. */
const PAGES = [1, 1, 1, 5, 5, 5, 13, 17, 2, 9, 21];
const dmaMove: Move = (dice) => {
  const page = dice.of(PAGES);
  const size = 1 + dice.below(3);
  // Beyond 64 bits of address QEMU shifts by more than a word has.
  const most = Math.floor((63 - (page + 11)) / (size + 8));
  const levels = 1 + dice.below(Math.min(most, 5));
  const walk: Walk = {
    ...{ page, levels, size, leaf: BigInt(dice.below(4)) },
    above: dice.below(4) === 0 ? { [dice.below(levels)]: BigInt(dice.below(4)) } : {},
  };
  const length = 1 + dice.below(256);
  const offset = dice.below(2 ** 12 - length);
  const reach = BigInt(Math.min(page + 11 + (size + 8) * levels, 59));
  const inPage = ARENA - pageStart(page) + offset;
  const inWindow = addressOn(walk, inPage) & (2n ** reach - 1n);
  const stray = dice.below(6) === 0 ? 1n << BigInt(dice.of([40, 50, 58, 61, 63])) : 0n;
  const tables = walkTo(walk, inWindow, pageStart(page));
  return transfer(dice, tables, { address: inWindow | stray, at: ARENA + offset, length });
};

/** Untranslated windows with bounds around, before and behind what is asked for, in either half of the space. */
const bypassMove: Move = (dice) => {
  const length = 1 + dice.below(128);
  const at = ARENA + dice.below(4096 - length);
  const step = 2 ** 24;
  const tve = dice.of([
    encodeUntranslatedTve(0, ARENA + step * dice.below(3)),
    encodeUntranslatedTve(step * dice.below(6), ARENA + step * (1 + dice.below(3))),
    BYPASS_TVE & ~(1n << BigInt(dice.below(64))),
  ]);
  const second = dice.below(3) > 0;
  const address = (second ? 1n << 59n : 0n) | BigInt(at);
  return transfer(dice, [...ioda.write('TVT', 2 * PE + (second ? 1 : 0), tve), CLEAN], { address, at, length });
};
const CLEAN = phb.write('PHB_TCE_KILL', ENABLE);

// ---- interrupts -----------------------------------------------------------------------------------------------------

const MSI32_ON = fieldMask(PHB_REGISTERS.field('PHB_PHB3_CONFIG', 'MSI_32').at);
const MSI64_ON = fieldMask(PHB_REGISTERS.field('PHB_PHB3_CONFIG', 'MSI_64').at);
const WIDE_VECTORS = 1n << 39n;
const SOURCES = 0x7ff;

const routed = (dice: Dice): readonly Step[] => {
  const entries = dice.of([SOURCES, SOURCES, SOURCES, dice.below(SOURCES)]);
  const enable = dice.below(8) === 0 ? 0n : ENABLE;
  return [...[...cardReachable, ...GOOD, ...ROUTED], phb.write('PHB_IVT_BAR', enable | BigInt(IVT) | BigInt(entries))];
};

const taken = (times: number): Step[] =>
  Array.from({ length: times }, (): Step[] => [{ do: 'take' }, { do: 'end-of-interrupt' }, pass(AGAIN_NS)]).flat();

const drawnVector = (dice: Dice): Vector => ({
  priority: BigInt(dice.of([0, 1, 5, 5, 5, 0xfe, 0xff])),
  p: dice.of([0, 0, 0, 1]),
  q: dice.of([0, 0, 0, 1]),
  generation: dice.below(4),
  pe: dice.of([PE, PE, PE, PE, 2]),
});

const ALL_QUIET: readonly Step[] = [
  LET_INTERRUPTS_COME,
  pass(AGAIN_NS),
  ...taken(2),
  phb.write('PHB_CONTROL', 0n),
  phb.write('PHB_PHB3_CONFIG', ALL_DECODERS),
  // Off again, or an INTx of a later move would go as a message.
  ...config.write({ id: CARD, register: 0x42 }, 2, 0),
  ...THAWED,
];

const msiMove: Move = (dice) => {
  const source = dice.below(0x7f8);
  const wide = dice.below(5) === 0;
  const at = IVT + (wide ? 128 : 16) * source;
  const frozen = dice.below(8) === 0;
  const decoders = ALL_DECODERS & ~dice.of([0n, 0n, 0n, 0n, MSI32_ON, MSI64_ON]);
  return [
    ...[...routed(dice), phb.write('PHB_CONTROL', wide ? WIDE_VECTORS : 0n), phb.write('PHB_PHB3_CONFIG', decoders)],
    ...[write(at, 8, vector(drawnVector(dice))), write(ACCEPT, 1, dice.of([0xffn, 0xffn, 5n, 0n]))],
    ...(frozen ? ioda.write('PESTB', PE, FROZEN) : []),
    ...[...sourceOf(source, dice.of([32, 64])), ...raise, read(at, 8)],
    ...(dice.below(2) === 0 ? raise : []),
    ...[...ALL_QUIET, read(at, 8)],
  ];
};

const forcedMove: Move = (dice) => {
  const source = dice.below(0x7f8);
  const at = IVT + 16 * source;
  const lockClear = dice.below(2) === 0 ? 0n : 1n << 60n;
  return [
    ...[...routed(dice), phb.write('PHB_CONTROL', 0n), write(at, 8, vector({ ...drawnVector(dice), priority: 5n }))],
    ...[phb.read('PHB_FFI_LOCK'), phb.write('PHB_FFI_REQUEST', lockClear | (BigInt(source) << 4n)), pass(SETTLE_NS)],
    ...[read(at, 8), phb.read('PHB_FFI_LOCK'), ...ALL_QUIET, phb.write('PHB_FFI_LOCK', 0n), read(at, 8)],
  ];
};

const levelMove: Move = (dice) => [
  ...routed(dice),
  ...ioda.write('LXIVT', 0, (BigInt(SERVER) << 40n) | (BigInt(dice.of([1, 5, 5, 0xff])) << 32n)),
  ...config.write({ id: CARD, register: 0x42 }, 2, 0),
  ...[store('INTERRUPT_RAISE', 1n), pass(SETTLE_NS), ...taken(1 + dice.below(2))],
  ...[store('INTERRUPT_ACKNOWLEDGE', 1n), pass(SETTLE_NS), ...ALL_QUIET],
];

/** These need no processor that runs. */
export const WINDOW_MOVES: readonly Move[] = [windowMove, m32Move, m64Move];
export const DEVICE_MOVES: readonly Move[] = [
  ...[dmaMove, dmaMove, dmaMove, bypassMove, bypassMove],
  ...[msiMove, msiMove, msiMove, forcedMove, levelMove],
];
