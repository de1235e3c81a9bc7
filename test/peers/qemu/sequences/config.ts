/** Configuration space of the root port and of the card behind it, in 1, 2 and 4 bytes; and who answers at all. */
import type { Sequence } from '../compare.js';
import {
  CARD,
  type ConfigTarget,
  config,
  configAddress,
  ONES,
  phb,
  ROOT_PORT,
  read,
  type Size,
  type Step,
} from '../steps.js';
import { NUMBERED, TRAINED } from './opening.js';
import { M32_BASE, openM32 } from './windows.js';

type Narrow = Exclude<Size, 8>;
const CONVENTIONAL_BYTES = 0x100;
const dwords = (bytes: number): number[] => Array.from({ length: bytes / 4 }, (_, index) => 4 * index);
const EXTENDED_BYTES = 0x1000;

const inAllSizes = (target: ConfigTarget): Step[] => [
  ...config.read(target, 4),
  ...[0, 2].flatMap((at) => config.read({ ...target, register: target.register + at }, 2)),
  ...[0, 1, 2, 3].flatMap((at) => config.read({ ...target, register: target.register + at }, 1)),
];

/** Ones, zeros, and a value in the same bytes by narrower writes; then what it was. */
function writtenAs(id: number, register: number, reset: number): Step[] {
  const spared = id === ROOT_PORT && register === SLOT_CONTROL ? SLOT_POWER_AND_LOCK : 0;
  const put = (value: number): Step[] => [
    ...config.write({ id, register }, 4, (value & ~spared) >>> 0),
    ...config.read({ id, register }, 4),
  ];
  const narrow = (at: number, size: Narrow, value: number): Step[] => [
    ...config.write({ id, register: register + at }, size, value),
    ...config.read({ id, register }, 4),
  ];
  return [
    ...put(0xffff_ffff),
    ...put(0),
    ...narrow(1, 1, 0xa1),
    ...narrow(2, 2, 0x5a3c),
    ...narrow(3, 1, 0xff),
    ...put(reset),
  ];
}

/** Writes there take the card from the bus, or the bus from the client. */
const BUS_NUMBERS = 0x18;
const BRIDGE_CONTROL = 0x3c;
/** One bit makes QEMU pull the card from its slot, for good; the other turns a lock that only it can turn back. */
const SLOT_CONTROL = 0x60;
const SLOT_POWER_AND_LOCK = 0x0c00;
const RESET_OF = new Map([
  [0x04, 0x0000_0006],
  [0x20, 0xfff0_8000],
]);

export const CONFIG_SEQUENCES: readonly Sequence[] = [
  {
    name: 'config address: who answers',
    steps: [
      ...TRAINED,
      ...inAllSizes({ id: ROOT_PORT, register: 0 }),
      phb.write('PHB_CONFIG_ADDRESS', 0n),
      ...([1, 2, 4] as const).map((size) => phb.read('PHB_CONFIG_DATA', size)),
      ...config.read({ id: ROOT_PORT, register: 0, pe: 255 }, 4),
      ...config.read({ id: ROOT_PORT, register: 0xffc }, 4),
      ...config.read({ id: 0x0008, register: 0 }, 4),
      ...config.read({ id: 0x0001, register: 0 }, 4),
      phb.write('PHB_CONFIG_ADDRESS', ONES),
      phb.read('PHB_CONFIG_ADDRESS'),
      phb.write('PHB_CONFIG_ADDRESS', configAddress({ id: ROOT_PORT, register: 0 }) | (3n << 32n)),
      phb.read('PHB_CONFIG_DATA', 4),
    ],
  },
  { name: 'config of a bus without number', steps: [...TRAINED, ...config.read({ id: CARD, register: 0 }, 4)] },
  { name: 'config of a bus nobody claims', steps: [...NUMBERED, ...config.read({ id: 0xff00, register: 0 }, 4)] },
  {
    name: 'config of a device that is not there',
    steps: [...NUMBERED, ...config.read({ id: 0x0108, register: 0 }, 4)],
  },
  {
    name: 'config of a function that is not there',
    steps: [...NUMBERED, ...config.read({ id: 0x0101, register: 0 }, 4)],
  },
  {
    name: 'config of the root port after a load that nobody took',
    steps: [
      ...[...NUMBERED, ...openM32(), read(M32_BASE + 0x1000_0000, 4)],
      ...[0x04, 0x1c, 0x58, 0x104, 0x110].flatMap((register) => config.read({ id: ROOT_PORT, register }, 4)),
    ],
  },
  {
    name: 'config of the root port at reset',
    steps: [...TRAINED, ...dwords(EXTENDED_BYTES).flatMap((register) => config.read({ id: ROOT_PORT, register }, 4))],
  },
  {
    name: 'config of the root port in all sizes',
    steps: [...TRAINED, ...dwords(CONVENTIONAL_BYTES).flatMap((register) => inAllSizes({ id: ROOT_PORT, register }))],
  },
  ...dwords(CONVENTIONAL_BYTES)
    .filter((register) => register !== BRIDGE_CONTROL)
    .map(
      (register): Sequence => ({
        name: `config of the root port written at 0x${register.toString(16)}`,
        steps: [...TRAINED, ...config.read({ id: ROOT_PORT, register }, 4), ...writtenAs(ROOT_PORT, register, 0)],
      }),
    ),
  {
    name: 'config of the root port written beyond 0x100',
    steps: [
      ...TRAINED,
      ...dwords(EXTENDED_BYTES)
        .filter((register) => register >= CONVENTIONAL_BYTES)
        .flatMap((register) => writtenAs(ROOT_PORT, register, 0)),
    ],
  },
  {
    name: 'config of the card at reset',
    steps: [
      ...TRAINED,
      ...config.write({ id: ROOT_PORT, register: BUS_NUMBERS }, 4, 0x00ff_0100),
      ...dwords(EXTENDED_BYTES).flatMap((register) => config.read({ id: CARD, register }, 4)),
    ],
  },
  {
    name: 'config of the card in all sizes',
    steps: [...NUMBERED, ...dwords(CONVENTIONAL_BYTES).flatMap((register) => inAllSizes({ id: CARD, register }))],
  },
  ...dwords(CONVENTIONAL_BYTES).map(
    (register): Sequence => ({
      name: `config of the card written at 0x${register.toString(16)}`,
      steps: [
        ...NUMBERED,
        ...config.read({ id: CARD, register }, 4),
        ...writtenAs(CARD, register, RESET_OF.get(register) ?? 0),
      ],
    }),
  ),
];
