/** Loads and stores of the processor through M32 and M64 windows to the registers of the card. */
import { barMask, barValue } from '../../../../src/ioda2/pbcq.js';
import { QEMU_POWERNV8 } from '../../../../src/machine/hostboot.js';
import { EDU_REGISTERS } from '../../../../src/pcie/edu-registers.js';
import type { Sequence } from '../compare.js';
import { CARD, config, ioda, pass, phb, ROOT_PORT, read, type Size, type Step, scom, write } from '../steps.js';
import { CARD_PCI_ADDRESS, NUMBERED, nest } from './opening.js';

const GIB = 2 ** 30;
const BUS_MASK = 0x3_ffff_ffff_ffffn;
export const M32_BASE = QEMU_POWERNV8.mmio1.base(0);
const CONFIG = { msi32: 1n << 55n, msi64: 1n << 49n, m32: 1n << 47n, tce64: 1n << 61n } as const;
/** Both MSI ranges and M32, as firmware leaves it. */
export const ALL_DECODERS = CONFIG.msi32 | CONFIG.msi64 | CONFIG.m32;

export interface M32 {
  readonly base?: number | bigint;
  readonly mask?: bigint;
  readonly start?: number;
  readonly config?: bigint;
}
const maskOf = (bytes: number): bigint => BUS_MASK & ~BigInt(bytes - 1);

export const openM32 = ({
  base = M32_BASE,
  mask = maskOf(2 * GIB),
  start = CARD_PCI_ADDRESS,
  config: bits,
}: M32 = {}): Step[] => [
  phb.write('PHB_M32_BASE_ADDR', BigInt(base)),
  phb.write('PHB_M32_BASE_MASK', mask),
  phb.write('PHB_M32_START_ADDR', BigInt(start)),
  phb.write('PHB_PHB3_CONFIG', bits ?? ALL_DECODERS),
];

/** The card's registers through the M32 window, from its start. */
export const EDU = {
  at: (register: keyof typeof EDU_REGISTERS): number => M32_BASE + EDU_REGISTERS[register].at,
};

const STORE_TAKES_NS = 100_000;
const look = (...addresses: number[]): Step[] => addresses.map((at) => read(at, 4));
const BAR0 = 0x10;
const COMMAND = 0x04;
const MEMORY_WINDOW = 0x20;
const moveCard = (address: number): Step[] => config.write({ id: CARD, register: BAR0 }, 4, address);

const m32 = (name: string, setup: readonly Step[], ...addresses: number[]): Sequence => ({
  name: `M32 window: ${name}`,
  steps: [...NUMBERED, ...setup, ...look(...addresses)],
});

const B = M32_BASE;
const AFTER_BAR = 0x10_0000;

const M32_SEQUENCES: readonly Sequence[] = [
  {
    name: 'M32 window: the registers of the card in all sizes they take',
    steps: [
      ...[...NUMBERED, ...openM32()],
      ...[read(B, 4), read(B + 4, 4), write(B + 4, 4, 0x1234_5678n), pass(STORE_TAKES_NS), read(B + 4, 4)],
      ...[read(B + 0x20, 4), read(B + 0x24, 4), read(B, 8), read(B + 0x80, 8), read(B + 0x80, 4)],
      ...[write(B + 0x80, 8, 0x0123_4567_89ab_cdefn), pass(STORE_TAKES_NS), read(B + 0x80, 8), read(B + 0x80, 4)],
      ...[write(B + 0x88, 4, 0x89ab_cdefn), pass(STORE_TAKES_NS), read(B + 0x88, 8), read(B + 0xffffc, 4)],
      ...[write(B + 0x80, 8, 0n), write(B + 0x88, 8, 0n), write(B + 4, 4, 0xffff_ffffn), pass(STORE_TAKES_NS)],
      // A command without its start bit is none.
      ...[write(B + 0x98, 8, 2n), pass(STORE_TAKES_NS), read(B + 0x98, 8)],
    ],
  },
  ...([1, 2] as const).map(
    (size: Size): Sequence => ({
      name: `M32 window: a load of ${size} bytes, which the card does not take`,
      steps: [...NUMBERED, ...openM32(), read(B, size), read(B, 4), ...ioda.read('PESTA', 0)],
    }),
  ),
  m32('beyond the BAR of the card', openM32(), B + AFTER_BAR, B),
  m32('disabled', openM32({ config: CONFIG.msi32 | CONFIG.msi64 }), B),
  m32('the BAR in the middle of the window', [...openM32(), ...moveCard(0x9000_0000)], B + 0x1000_0000, B),
  m32('it starts where the BAR is', [...openM32({ start: 0x9000_0000 }), ...moveCard(0x9000_0000)], B, B + 0x1000_0000),
  m32(
    'of 16 MiB, 16 MiB up',
    openM32({ base: B + 0x100_0000, mask: maskOf(2 ** 24) }),
    B + 0x100_0000,
    B,
    B + 0x200_0000,
  ),
  m32('its start is not aligned', [...openM32({ start: 0x8010_0000 }), ...moveCard(0x8020_0000)], B + AFTER_BAR, B),
  m32('below the window of the queue', openM32({ base: B - 2 * GIB }), B),
  m32('in the other window of the queue', openM32({ base: QEMU_POWERNV8.mmio0.base(0) }), QEMU_POWERNV8.mmio0.base(0)),
  m32('mask 0', openM32({ mask: 0n }), B),
  m32('mask with bits beyond the bus', openM32({ mask: ~BigInt(2 * GIB - 1) & 0xffff_ffff_ffff_ffffn }), B),
  m32('base with bits beyond the bus', openM32({ base: BigInt(B) | (0xffn << 56n) }), B),
  m32('memory of the card off', [...openM32(), ...config.write({ id: CARD, register: COMMAND }, 2, 4)], B, B),
  m32('memory of the root port off', [...openM32(), ...config.write({ id: ROOT_PORT, register: COMMAND }, 2, 4)], B),
  m32(
    'memory window of the root port closed',
    [...openM32(), ...config.write({ id: ROOT_PORT, register: MEMORY_WINDOW }, 4, 0xfff0)],
    B,
  ),
  m32('window of the queue off', [...openM32(), scom.write('nest', nest('BAR_ENABLE'), 0xb8n << 56n)], B),
  m32(
    'windows of the queue off and on again',
    [...openM32(), ...[0n, 0xf8n].map((enables) => scom.write('nest', nest('BAR_ENABLE'), enables << 56n))],
    B,
  ),
  m32(
    'the PE of the segment is frozen',
    [...openM32(), ...ioda.write('M32DT', 0, 5n << 48n), ...ioda.write('PESTA', 5, 1n << 63n)],
    B,
  ),
  m32(
    'another PE is frozen',
    [...openM32(), ...ioda.write('M32DT', 0, 5n << 48n), ...ioda.write('PESTA', 6, 1n << 63n)],
    B,
  ),
];

/** The card has a 32-bit BAR and M64 windows do not translate: the queue's window goes where memory ends. */
export const M64_BASE = CARD_PCI_ADDRESS;
export const M64_QUEUE: readonly Step[] = [
  scom.write('nest', nest('BAR_ENABLE'), 0n),
  scom.write('nest', nest('MMIO_BAR0'), barValue(M64_BASE)),
  scom.write('nest', nest('MMIO_MASK0'), barMask(2 * GIB)),
  scom.write('nest', nest('BAR_ENABLE'), 0xf8n << 56n),
];
const ENABLE = 1n << 63n;
const SINGLE_PE = 1n << 62n;
export const sharedM64 = (base: number, bytes: number): bigint =>
  ENABLE | (BigInt(base / 2 ** 20) << 32n) | (2n ** 30n - BigInt(bytes / 2 ** 20));
export const singleM64 = (base: number, bytes: number, pe: number): bigint =>
  ENABLE |
  SINGLE_PE |
  (BigInt(base / 2 ** 25) << 37n) |
  (BigInt(pe >> 5) << 32n) |
  ((2n ** 25n - BigInt(bytes / 2 ** 25)) << 5n) |
  BigInt(pe & 0x1f);

const m64 = (
  name: string,
  entries: readonly (readonly [number, bigint])[],
  setup: readonly Step[] = [],
  ...addresses: number[]
): Sequence => ({
  name: `M64 window: ${name}`,
  steps: [
    ...[...NUMBERED, ...M64_QUEUE],
    ...entries.flatMap(([index, value]) => ioda.write('M64BT', index, value)),
    ...[...setup, ...look(...(addresses.length === 0 ? [M64_BASE] : addresses))],
  ],
});

const M64_SEQUENCES: readonly Sequence[] = [
  m64('shared, 2 GiB', [[15, sharedM64(M64_BASE, 2 * GIB)]], [], M64_BASE, M64_BASE + 4, M64_BASE + AFTER_BAR),
  m64('shared, 256 MiB beside the card', [[3, sharedM64(M64_BASE + 0x1000_0000, 0x1000_0000)]], []),
  m64('shared, 1 MiB', [[0, sharedM64(M64_BASE, 2 ** 20)]], [], M64_BASE, M64_BASE + AFTER_BAR),
  m64('no entry enabled', [[15, sharedM64(M64_BASE, 2 * GIB) & ~ENABLE]]),
  m64('one PE, 32 MiB, PE 0', [[0, singleM64(M64_BASE, 2 ** 25, 0)]]),
  m64('one PE, 32 MiB, PE 3', [[0, singleM64(M64_BASE, 2 ** 25, 3)]]),
  m64('one PE, 64 MiB, PE 0xfd', [[0, singleM64(M64_BASE, 2 ** 26, 0xfd)]]),
  m64('two that overlap', [
    [0, singleM64(M64_BASE, 2 ** 25, 3)],
    [15, sharedM64(M64_BASE, 2 * GIB)],
  ]),
  m64('outside the window of the queue', [[0, sharedM64(0x4_0000_0000, 2 * GIB)]]),
  m64('upper bits move it away', [[15, sharedM64(M64_BASE, 2 * GIB)]], [phb.write('PHB_M64_UPPER_BITS', 1n << 63n)]),
  m64('the PE of the segment is frozen', [[15, sharedM64(M64_BASE, 2 * GIB)]], ioda.write('PESTA', 0, 1n << 63n)),
  m64(
    'the PE of the single window is frozen',
    [[0, singleM64(M64_BASE, 2 ** 25, 9)]],
    ioda.write('PESTA', 9, 1n << 63n),
  ),
];

export const WINDOW_SEQUENCES: readonly Sequence[] = [...M32_SEQUENCES, ...M64_SEQUENCES];
