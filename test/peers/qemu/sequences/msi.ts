/** Interrupts of the card: MSI to vector, P and Q, rejection and what is presented again; FFI; INTx through the LXIVT. */
import type { EDU_REGISTERS } from '../../../../src/pcie/edu-registers.js';
import type { Sequence } from '../compare.js';
import {
  ACCEPT,
  CARD,
  config,
  ioda,
  LET_INTERRUPTS_COME,
  pass,
  phb,
  read,
  SERVER,
  type Step,
  scom,
  write,
} from '../steps.js';
import { DMA_READY } from './dma.js';
import { nest } from './opening.js';
import { EDU } from './windows.js';

export const IVT = 0x300_0000;
const ENABLE = 1n << 63n;
const SOURCES = 2048;
const STRIDE = 16;
export const MSI_CONTROL = 0x42;
export const MSI_ADDRESS = 0x44;
export const MSI_UPPER = 0x48;
export const MSI_DATA = 0x4c;
const MSI_SPACE_64 = 0x1000_0000;
const MSI_SPACE_32 = 0xffff_0000;
export const SETTLE_NS = 100_000;
/** Longer than rejected interrupts wait before they are presented again. */
export const AGAIN_NS = 5_000_000;
const PRIORITY = 5n;
const INTERRUPT_BASE = 0x800n;

const vectorAt = (source: number, stride = STRIDE): number => IVT + stride * source;
export interface Vector {
  readonly priority?: bigint;
  readonly p?: 0 | 1;
  readonly q?: 0 | 1;
  readonly generation?: number;
  readonly pe?: number;
}
export const vector = ({ priority = PRIORITY, p = 0, q = 0, generation = 0, pe = 1 }: Vector = {}): bigint =>
  (BigInt(SERVER) << 40n) |
  (priority << 32n) |
  (BigInt((generation << 1) | p) << 24n) |
  (BigInt(q) << 16n) |
  BigInt(pe);

/** Routing of interrupts in the queue, the vector table, the processor open for all priorities. */
export const ROUTED: readonly Step[] = [
  scom.write('nest', nest('IRSN_COMPARE'), INTERRUPT_BASE << 45n),
  scom.write('nest', nest('IRSN_MASK'), 0xffn << 56n),
  scom.write('nest', nest('LSI_SOURCE_ID'), 0xffn << 56n),
  phb.write('PHB_LSI_SOURCE_ID', 0xffn << 51n),
  phb.write('PHB_IVT_BAR', ENABLE | BigInt(IVT) | BigInt(SOURCES - 1)),
  LET_INTERRUPTS_COME,
];

/** How the card is told which source it has. */
export const sourceOf = (source: number, width: 32 | 64): Step[] => [
  ...config.write(
    { id: CARD, register: MSI_ADDRESS },
    4,
    ((width === 32 ? MSI_SPACE_32 : 0) | ((source << 4) & 0xf_fe00)) >>> 0,
  ),
  ...config.write({ id: CARD, register: MSI_UPPER }, 4, width === 32 ? 0 : MSI_SPACE_64),
  ...config.write({ id: CARD, register: MSI_DATA }, 2, source & 0x1f),
  ...config.write({ id: CARD, register: MSI_CONTROL }, 2, 1),
];

export const store = (register: keyof typeof EDU_REGISTERS, value: bigint): Step => write(EDU.at(register), 4, value);
export const raise: readonly Step[] = [
  store('INTERRUPT_RAISE', 1n),
  pass(SETTLE_NS),
  store('INTERRUPT_ACKNOWLEDGE', 1n),
  pass(SETTLE_NS),
];
const shown = (source: number, stride = STRIDE): Step => read(vectorAt(source, stride), 8);
/** The most favoured priority of the processor: no interrupt is more favoured. */
export const CLOSED = write(ACCEPT, 1, 0n);
const take: Step = { do: 'take' };
const end: Step = { do: 'end-of-interrupt' };
/** All that is pending is taken and ended, so that the next sequence finds nothing. */
const drained = (times: number): Step[] => Array.from({ length: times }, () => [take, end, pass(AGAIN_NS)]).flat();

const msi = (
  name: string,
  source: number,
  { width = 64, entry = {} }: { width?: 32 | 64; entry?: Vector } = {},
): Sequence => ({
  name: `MSI: ${name}`,
  steps: [
    ...[...DMA_READY, ...ROUTED, write(vectorAt(source), 8, vector(entry)), ...sourceOf(source, width)],
    ...[...raise, shown(source), ...drained(2), shown(source)],
  ],
});

const SOME_SOURCES = [0, 1, 5, 31, 32, 63, 64, 96, 0x1ff, 0x400, 0x7f6];
const priorities = [0n, 1n, 4n, 6n, 0xfen];

export const MSI_SEQUENCES: readonly Sequence[] = [
  ...SOME_SOURCES.flatMap((source) => [
    msi(`64-bit, source ${source}`, source),
    msi(`32-bit, source ${source}`, source, { width: 32 }),
  ]),
  ...priorities.map((priority) => msi(`priority ${priority}`, 9, { entry: { priority } })),
  msi('masked by priority 255', 9, { entry: { priority: 0xffn } }),
  msi('P set: queued', 9, { entry: { p: 1 } }),
  msi('Q set: dropped', 9, { entry: { q: 1 } }),
  msi('P and Q set: dropped', 9, { entry: { p: 1, q: 1 } }),
  ...[1, 2, 3].map((generation) => msi(`generation ${generation}`, 9, { entry: { generation } })),
  msi('the vector belongs to another PE', 9, { entry: { pe: 2 } }),
  msi('the vector belongs to no PE', 9, { entry: { pe: 0xffff } }),
  {
    name: 'MSI: twice, the second is queued',
    steps: [
      ...[...DMA_READY, ...ROUTED, write(vectorAt(9), 8, vector()), ...sourceOf(9, 64), ...raise, ...raise],
      ...[shown(9), ...drained(2), shown(9)],
    ],
  },
  {
    name: 'MSI: source beyond the length of the table',
    steps: [
      ...[...DMA_READY, ...ROUTED, phb.write('PHB_IVT_BAR', ENABLE | BigInt(IVT) | 8n)],
      ...[write(vectorAt(9), 8, vector()), ...sourceOf(9, 64), ...raise, shown(9), ...drained(1)],
    ],
  },
  {
    name: 'MSI: table switched off',
    steps: [
      ...[...DMA_READY, ...ROUTED, phb.write('PHB_IVT_BAR', BigInt(IVT) | 0x7ffn)],
      ...[write(vectorAt(9), 8, vector()), ...sourceOf(9, 64), ...raise, shown(9), ...drained(1)],
    ],
  },
  {
    name: 'MSI: vectors 128 bytes apart',
    steps: [
      ...[...DMA_READY, ...ROUTED, phb.write('PHB_CONTROL', 1n << 39n), write(vectorAt(9, 128), 8, vector())],
      ...[...sourceOf(9, 64), ...raise, shown(9, 128), shown(9), ...drained(1)],
    ],
  },
  {
    name: 'MSI: 64-bit range switched off',
    steps: [
      ...[...DMA_READY, ...ROUTED, phb.write('PHB_PHB3_CONFIG', (1n << 55n) | (1n << 47n))],
      ...[write(vectorAt(9), 8, vector()), ...sourceOf(9, 64), ...raise, shown(9), ...drained(1)],
    ],
  },
  {
    name: 'MSI: routing without receive and transmit',
    steps: [
      ...[...DMA_READY, ...ROUTED, scom.write('nest', nest('BAR_ENABLE'), 0xe0n << 56n)],
      ...[write(vectorAt(9), 8, vector()), ...sourceOf(9, 64), ...raise, shown(9), ...drained(1)],
    ],
  },
  {
    name: 'MSI: DMA half of the PE frozen',
    steps: [
      ...[
        ...DMA_READY,
        ...ROUTED,
        write(vectorAt(9), 8, vector()),
        ...sourceOf(9, 64),
        ...ioda.write('PESTB', 1, ENABLE),
      ],
      ...[...raise, shown(9), ...drained(1)],
    ],
  },
  ...[9, 40].map(
    (source): Sequence => ({
      name: `MSI: source ${source} again while it is pending, P cleared by software`,
      steps: [
        ...[...DMA_READY, ...ROUTED, write(vectorAt(source), 8, vector()), ...sourceOf(source, 64), ...raise],
        ...[write(vectorAt(source) + 4, 1, 0n), ...raise, shown(source), ...drained(3), shown(source)],
      ],
    }),
  ),
  ...[
    [9, 10],
    [40, 41],
  ].map(
    ([first, second]): Sequence => ({
      name: `MSI: sources ${first} and ${second} of one priority`,
      steps: [
        ...[...DMA_READY, ...ROUTED, write(vectorAt(first!), 8, vector()), write(vectorAt(second!), 8, vector())],
        ...[...sourceOf(first!, 64), ...raise, ...sourceOf(second!, 64), ...raise, shown(first!), shown(second!)],
        ...[...drained(3), shown(first!), shown(second!)],
      ],
    }),
  ),
  ...[0, 9, 40, 64, 95].map(
    (source): Sequence => ({
      name: `MSI: source ${source} rejected by a processor that takes nothing, then it opens`,
      steps: [
        ...[...DMA_READY, ...ROUTED, CLOSED, write(vectorAt(source), 8, vector()), ...sourceOf(source, 64), ...raise],
        ...[shown(source), take, LET_INTERRUPTS_COME, pass(AGAIN_NS), ...drained(2), shown(source)],
      ],
    }),
  ),
  ...[4n, 5n, 6n].map(
    (priority): Sequence => ({
      name: `MSI: priority ${priority} at a processor that is at 5`,
      steps: [
        ...[...DMA_READY, ...ROUTED, write(ACCEPT, 1, 5n), write(vectorAt(9), 8, vector({ priority }))],
        ...[...sourceOf(9, 64), ...raise, take, LET_INTERRUPTS_COME, pass(AGAIN_NS), ...drained(2), shown(9)],
      ],
    }),
  ),
  {
    name: 'MSI: the more favoured comes first',
    steps: [
      ...[...DMA_READY, ...ROUTED, write(vectorAt(9), 8, vector()), write(vectorAt(10), 8, vector({ priority: 2n }))],
      ...[...sourceOf(9, 64), ...raise, ...sourceOf(10, 64), ...raise, ...drained(3), shown(9), shown(10)],
    ],
  },
  ...[0n, 1n << 60n].map(
    (lockClear): Sequence => ({
      name: `FFI: forced interrupt${lockClear === 0n ? '' : ' that frees the lock'}`,
      steps: [
        ...[
          ...DMA_READY,
          ...ROUTED,
          write(vectorAt(9), 8, vector({ pe: 77 })),
          phb.read('PHB_FFI_LOCK'),
          phb.read('PHB_FFI_LOCK'),
        ],
        ...[
          phb.write('PHB_FFI_REQUEST', lockClear | (9n << 4n)),
          pass(SETTLE_NS),
          shown(9),
          phb.read('PHB_FFI_LOCK'),
          ...drained(1),
        ],
        phb.write('PHB_FFI_LOCK', 0n),
      ],
    }),
  ),
  {
    name: 'IVC: update and invalidate',
    steps: [
      ...[...DMA_READY, ...ROUTED, write(vectorAt(9), 8, vector({ p: 1, q: 1 }))],
      ...[
        phb.write('PHB_IVC_UPDATE', 0xc000_0000_0000_0009n),
        shown(9),
        phb.write('PHB_IVC_INVALIDATE', ENABLE),
        shown(9),
      ],
    ],
  },
  ...[PRIORITY, 0xffn].map(
    (priority): Sequence => ({
      name: `INTx: INTA with ${priority === 0xffn ? 'a masked' : 'an open'} vector`,
      steps: [
        ...[...DMA_READY, ...ROUTED, ...ioda.write('LXIVT', 0, (BigInt(SERVER) << 40n) | (priority << 32n))],
        ...[store('INTERRUPT_RAISE', 1n), pass(SETTLE_NS), take, end, take],
        ...[store('INTERRUPT_ACKNOWLEDGE', 1n), pass(SETTLE_NS), end, take, end],
      ],
    }),
  ),
];
