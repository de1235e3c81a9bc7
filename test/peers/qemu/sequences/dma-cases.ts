/** DMA of the edu device: requester to PE, TVE, TCEs of one to five levels, to memory or to nowhere. */
import { EDU_BUFFER_AT, EDU_COMMAND } from '../../../../src/pcie/edu-registers.js';
import { encodeUntranslatedTve } from '../../../../src/tce/tve.js';
import type { Sequence } from '../compare.js';
import { CARD, config, fill, ioda, pass, phb, ROOT_PORT, readBlock, write, writeBlock } from '../steps.js';
import {
  ARENA,
  ARRIVAL_NS,
  addressOn,
  BYPASS_TVE,
  BYTES,
  COMMAND,
  DMA_READY,
  deviceWrites,
  dma,
  ENABLE,
  INDEX_BITS,
  PAGE_FIELDS,
  PE,
  PERMISSIONS,
  type Permission,
  pageStart,
  pattern,
  primed,
  RTC_ALL,
  RTT,
  reaches,
  rttEntry,
  run,
  SECOND_WINDOW,
  TABLES,
  TCE_ALL,
  tve,
  type Walk,
  walkTo,
} from './dma.js';
import { ALL_DECODERS } from './windows.js';

const permissionTests = Object.entries(PAGE_FIELDS).flatMap(([pageName, page]) =>
  (Object.keys(PERMISSIONS) as Permission[]).map((permission): Sequence => {
    const walk: Walk = { page, levels: 1, leaf: PERMISSIONS[permission] };
    const address = addressOn(walk, ARENA % 2 ** (page + 11));
    return dma({
      name: `one level, ${pageName} pages, TCE grants ${permission}`,
      tables: walkTo(walk, address, pageStart(page)),
      address,
    });
  }),
);

const levelTests = (['4 KiB', '64 KiB'] as const).flatMap((pageName) =>
  [2, 3, 4, 5].flatMap((levels) => {
    const page = PAGE_FIELDS[pageName];
    const at = (walk: Walk, what: string): Sequence => {
      const address = addressOn(walk, 0);
      return dma({ name: `${levels} levels, ${pageName} pages${what}`, tables: walkTo(walk, address, ARENA), address });
    };
    return [
      at({ page, levels }, ''),
      at({ page, levels, leaf: 0n }, ', the last grants nothing'),
      ...Array.from({ length: levels - 1 }, (_, depth) => [
        at({ page, levels, above: { [depth]: 0n } }, `, level ${depth} from the top grants nothing`),
        at({ page, levels, above: { [depth]: 1n } }, `, level ${depth} from the top grants reading`),
        at({ page, levels, above: { [depth]: 2n } }, `, level ${depth} from the top grants writing`),
      ]).flat(),
    ];
  }),
);
const SIZES = [1, 2, 3, 5, 11];
const sizeTests = SIZES.flatMap((size) => {
  const walk: Walk = { page: 1, levels: 1, size };
  const last = (2n ** BigInt(INDEX_BITS(size)) - 1n) << 12n;
  return [
    dma({ name: `table size field ${size}, the last entry`, tables: walkTo(walk, last, ARENA), address: last }),
    dma({
      name: `table size field ${size}, one page past the table`,
      tables: walkTo(walk, 0n, ARENA),
      address: 1n << reaches(walk),
    }),
  ];
});

const oneLevel: Walk = { page: 1, levels: 1 };
const rawTve = (name: string, value: bigint, address: bigint, target = ARENA): Sequence =>
  dma({ name, tables: [...ioda.write('TVT', 2 * PE, value), TCE_ALL], address, target });

const tveTests: Sequence[] = [
  rawTve('the TVE is all zero', 0n, 0x2000n),
  rawTve('table size 0', tve({ page: 1, levels: 1, size: 0 }), 0x2000n),
  ...[5, 6, 7].map((field) => rawTve(`level field ${field}`, tve({ page: 1, levels: field + 1 }), 0x2000n)),
  ...[2, 3, 4, 6, 9, 12, 16, 18, 21, 31].map((page) => {
    const walk: Walk = { page, levels: 1 };
    return dma({
      name: `page size field ${page}`,
      tables: walkTo(walk, 0n, pageStart(page)),
      address: BigInt(ARENA - pageStart(page)),
    });
  }),
  rawTve('table in no memory', tve(oneLevel) | (0x1000_0000_0000n << 4n), 0x2000n),
  rawTve('untranslated from 0 to the end of memory, first window', BYPASS_TVE, BigInt(ARENA)),
  rawTve('untranslated, first window, above 4 GiB', encodeUntranslatedTve(0, 2 ** 40), 1n << 33n),
  rawTve('untranslated without bit 51', BYPASS_TVE & ~(1n << 12n), BigInt(ARENA)),
  rawTve('untranslated without bounds', 1n << 12n, BigInt(ARENA)),
];

const second = (name: string, value: bigint, address: bigint, target = ARENA): Sequence =>
  dma({ name, tables: [...ioda.write('TVT', 2 * PE + 1, value), TCE_ALL], address: SECOND_WINDOW | address, target });

const bypassTests: Sequence[] = [
  second('bypass inside', BYPASS_TVE, BigInt(ARENA)),
  second(
    'bypass at its last bytes',
    encodeUntranslatedTve(0, ARENA + 2 ** 24),
    BigInt(ARENA + 2 ** 24 - BYTES),
    ARENA + 2 ** 24 - BYTES,
  ),
  second('bypass past its end', encodeUntranslatedTve(0, ARENA), BigInt(ARENA)),
  second('bypass before its start', encodeUntranslatedTve(ARENA + 2 ** 24, 2 ** 28), BigInt(ARENA)),
  second('bypass with address bits 58 to 50', BYPASS_TVE, (1n << 52n) | BigInt(ARENA)),
  second('second window without a TVE', 0n, BigInt(ARENA)),
];

const spaceTests: Sequence[] = [2n, 4n, 8n, 15n].map((top) =>
  dma({
    name: `top digit of the address ${top.toString(16)}`,
    tables: walkTo(oneLevel, 0x2000n, ARENA),
    address: (top << 60n) | 0x2000n,
  }),
);

const twoPages = (name: string, firstLeaf: bigint, secondLeaf: bigint): Sequence =>
  dma({
    name,
    tables: [
      ...walkTo({ ...oneLevel, leaf: firstLeaf }, 0x2000n, ARENA),
      write(TABLES + 8 * 3, 8, BigInt(ARENA + 0x5000) | secondLeaf),
      fill(ARENA + 0x5000, BYTES, 0x77),
    ],
    address: 0x2fe0n,
    target: ARENA + 0xfe0,
  });

const requesterTests: Sequence[] = [0, 1, 2, 3, 0x7f, 0xfe, 0xff, 0x100, 0x1ff, 0xffff].map((pe) =>
  dma({
    name: `the RTT says PE ${pe.toString(16)}`,
    tables: [rttEntry(pe), RTC_ALL, ...ioda.write('TVT', 2 * (pe & 0xff), encodeUntranslatedTve(0, 2 ** 40)), TCE_ALL],
    // Above 4 GiB there is no memory; the second window reaches it.
    address: BigInt(ARENA) | (1n << 33n),
  }),
);

const otherTests: Sequence[] = [
  twoPages('over a page boundary, both pages mapped', 3n, 3n),
  twoPages('over a page boundary, the second not mapped', 3n, 0n),
  twoPages('over a page boundary, the first not mapped', 0n, 3n),
  twoPages('over a page boundary, the second not to be written', 3n, 1n),
  dma({
    name: 'a whole page but for its ends',
    tables: walkTo(oneLevel, 0x2000n, ARENA),
    address: 0x2008n,
    target: ARENA + 8,
    length: 4080,
  }),
  dma({ name: 'one byte', tables: walkTo(oneLevel, 0x2000n, ARENA), address: 0x2003n, target: ARENA + 3, length: 1 }),
  dma({
    name: 'odd address and length',
    tables: walkTo(oneLevel, 0x2000n, ARENA),
    address: 0x2015n,
    target: ARENA + 0x15,
    length: 251,
  }),
  dma({
    name: 'page not aligned to 64 KiB',
    tables: walkTo({ page: 5, levels: 1 }, 0x2_0000n, ARENA + 0x5000),
    address: 0x2_0000n,
  }),
  dma({
    name: 'software bits in the TCE',
    tables: walkTo({ ...oneLevel, leaf: 3n | 0xffcn }, 0x2000n, ARENA),
    address: 0x2000n,
  }),
  dma({
    name: 'TCE beyond memory',
    tables: walkTo({ ...oneLevel, leaf: 3n | (1n << 45n) }, 0x2000n, ARENA),
    address: 0x2000n,
  }),
  dma({
    name: 'TCE with bits above the 50 of the bus',
    tables: walkTo({ ...oneLevel, leaf: 3n | (1n << 55n) }, 0x2000n, ARENA),
    address: 0x2000n,
  }),
  dma({
    name: 'RTT switched off',
    tables: [phb.write('PHB_RTT_BAR', BigInt(RTT)), RTC_ALL, ...walkTo(oneLevel, 0x2000n, ARENA)],
    address: 0x2000n,
  }),
  dma({
    name: 'RTT in no memory',
    tables: [phb.write('PHB_RTT_BAR', ENABLE | (1n << 44n)), RTC_ALL, ...walkTo(oneLevel, 0x2000n, ARENA)],
    address: 0x2000n,
  }),
  dma({
    name: 'stray bits in the RTT BAR',
    tables: [phb.write('PHB_RTT_BAR', ENABLE | BigInt(RTT) | 0xffffn), RTC_ALL, ...walkTo(oneLevel, 0x2000n, ARENA)],
    address: 0x2000n,
  }),
  dma({
    name: 'bus master of the card off',
    tables: [...walkTo(oneLevel, 0x2000n, ARENA), ...config.write({ id: CARD, register: COMMAND }, 2, 2)],
    address: 0x2000n,
  }),
  dma({
    name: 'bus master of the root port off',
    tables: [...walkTo(oneLevel, 0x2000n, ARENA), ...config.write({ id: ROOT_PORT, register: COMMAND }, 2, 2)],
    address: 0x2000n,
  }),
  dma({
    name: 'DMA half of the PE frozen',
    tables: [...walkTo(oneLevel, 0x2000n, ARENA), ...ioda.write('PESTB', PE, ENABLE)],
    address: 0x2000n,
  }),
  dma({
    name: 'MMIO half of another PE frozen',
    tables: [...walkTo(oneLevel, 0x2000n, ARENA), ...ioda.write('PESTA', 9, ENABLE), ...ioda.write('PESTB', 9, ENABLE)],
    address: 0x2000n,
  }),
  dma({
    name: 'PEEV bit of the PE written',
    tables: [...walkTo(oneLevel, 0x2000n, ARENA), ...ioda.write('PEEV', 0, ENABLE >> 1n)],
    address: 0x2000n,
  }),
  dma({ name: 'without 64-byte TCE fetches', tables: walkTo(oneLevel, 0x2000n, ARENA), address: 0x2000n }),
  dma({
    name: 'with 64-byte TCE fetches',
    tables: [...walkTo(oneLevel, 0x2000n, ARENA), phb.write('PHB_PHB3_CONFIG', ALL_DECODERS | (1n << 61n))],
    address: 0x2000n,
  }),
  dma({
    name: 'all bits of PHB_CONTROL',
    tables: [...walkTo(oneLevel, 0x2000n, ARENA), phb.write('PHB_CONTROL', 0xffff_ffff_ffff_ffffn)],
    address: 0x2000n,
  }),
  dma({
    name: 'read from the 64-bit MSI range',
    tables: [],
    address: (1n << 60n) | 0x10n,
    direction: 'read',
    length: 4,
  }),
  dma({
    name: 'read from the 32-bit MSI range',
    tables: walkTo({ page: 1, levels: 1, size: 12 }, 0xffff_0000n, ARENA),
    address: 0xffff_0010n,
    direction: 'read',
    length: 4,
  }),
  dma({
    name: 'the 32-bit MSI range as memory',
    tables: [
      ...walkTo({ page: 1, levels: 1, size: 12 }, 0xffff_0000n, ARENA),
      phb.write('PHB_PHB3_CONFIG', (1n << 49n) | (1n << 47n)),
    ],
    address: 0xffff_0000n,
    length: 4,
  }),
  dma({
    name: 'the 64-bit MSI range switched off',
    tables: [phb.write('PHB_PHB3_CONFIG', (1n << 55n) | (1n << 47n))],
    address: (1n << 60n) | 0x10n,
    length: 4,
  }),
];

/** Caches: what software changed and did not say. */
const cacheTests: Sequence[] = [
  {
    name: 'DMA: the RTT entry changed, then the RTC invalidated',
    steps: [
      ...[...DMA_READY, ...primed(1), ...walkTo(oneLevel, 0x2000n, ARENA), writeBlock(ARENA, pattern(2, BYTES))],
      ...[...deviceWrites(0x2000n), readBlock(ARENA, BYTES), writeBlock(ARENA, pattern(2, BYTES))],
      // PE 2 has no windows.
      ...[rttEntry(2), ...deviceWrites(0x2000n), readBlock(ARENA, BYTES), writeBlock(ARENA, pattern(2, BYTES))],
      phb.write('PHB_RTC_INVALIDATE', BigInt(CARD) << 32n),
      ...[...deviceWrites(0x2000n), readBlock(ARENA, BYTES)],
    ],
  },
  {
    name: 'DMA: the TCE changed, then killed',
    steps: [
      ...[...DMA_READY, ...primed(1), ...walkTo(oneLevel, 0x2000n, ARENA), ...deviceWrites(0x2000n)],
      ...[readBlock(ARENA, BYTES), write(TABLES + 16, 8, BigInt(ARENA + 0x1000) | 3n)],
      ...[
        writeBlock(ARENA, pattern(2, BYTES)),
        writeBlock(ARENA + 0x1000, pattern(2, BYTES)),
        ...deviceWrites(0x2000n),
      ],
      ...[readBlock(ARENA, BYTES), readBlock(ARENA + 0x1000, BYTES), TCE_ALL, ...deviceWrites(0x2000n)],
      ...[readBlock(ARENA, BYTES), readBlock(ARENA + 0x1000, BYTES)],
    ],
  },
];

const quiesceTests: Sequence[] = [
  {
    name: 'DMA: quiesced, then released',
    steps: [
      ...[...DMA_READY, ...primed(1), ...walkTo(oneLevel, 0x2000n, ARENA), fill(ARENA, BYTES, 0x11)],
      ...[phb.write('PHB_QUIESCE_DMA_G', ENABLE), ...deviceWrites(0x2000n), readBlock(ARENA, BYTES)],
      ...[phb.write('PHB_QUIESCE_DMA_G', 0n), pass(ARRIVAL_NS), readBlock(ARENA, BYTES)],
    ],
  },
];

const orderTests: Sequence[] = [
  {
    name: 'DMA: a load from the device pushes what it wrote before',
    steps: [
      ...[...DMA_READY, ...primed(1, 4080), ...walkTo(oneLevel, 0x2000n, ARENA), fill(ARENA, 4096, 0x11)],
      ...[...run(BigInt(EDU_BUFFER_AT), 0x2008n, EDU_COMMAND.TO_HOST, 4080), readBlock(ARENA, 4096)],
    ],
  },
];

export const DMA_SEQUENCES: readonly Sequence[] = [
  ...permissionTests,
  ...levelTests,
  ...sizeTests,
  ...tveTests,
  ...bypassTests,
  ...spaceTests,
  ...requesterTests,
  ...otherTests,
  ...cacheTests,
  ...quiesceTests,
  ...orderTests,
];
