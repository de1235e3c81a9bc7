/** The tables of IODA2 as data: on the chip behind a selector, and in memory behind a BAR. Facts: ioda2-phb3 4 and 5. */
import { bit, bits, fieldMask, msbMask } from '../hw/bits.js';
import { declareTable, type TableDeclaration } from '../hw/table.js';
import { directoryOf, opaqueFrom } from '../ioda/table-directory.js';
import { PEST_A_FIELDS, PEST_B_FIELDS } from './error-bits/pest.js';

const SELECTORS = 'skiboot include/phb3-regs.h: IODA2_TBL_*; counts qemu pnv_phb3_ioda_access';

const SERVER = bits(8, 23);
const PRIORITY = bits(24, 31);
const NODE_ID = bits(56, 63);

const opaque = opaqueFrom(SELECTORS);

/** One half of the PE states: only the freeze bit is on the chip (M), the rest is in memory. */
const freezeTable = (name: 'PESTA' | 'PESTB', selector: number, what: string): TableDeclaration =>
  declareTable({
    name,
    selector,
    entries: 256,
    entryBits: 64,
    writable: msbMask(0),
    known: 'stated',
    fields: { FROZEN: { at: bit(0), about: `${what} of the PE is blocked` } },
    about: `Freeze state of ${what}, one entry a PE.`,
    source: 'skiboot hw/phb3.c: phb3_eeh_freeze_status, phb3_eeh_freeze_clear',
  });

/** Tables on the chip, by name. */
export const IODA_TABLES = {
  LIST: opaque('LIST', 1, 8, 'Thought to hold LSI states'),
  LXIVT: declareTable({
    name: 'LXIVT',
    selector: 2,
    entries: 8,
    entryBits: 64,
    known: 'stated',
    writable: fieldMask(SERVER) | fieldMask(PRIORITY) | fieldMask(NODE_ID),
    fields: {
      SERVER: { at: SERVER, about: 'presentation server, with two link bits at its end' },
      PRIORITY: { at: PRIORITY, about: 'priority; 0xff masks' },
      NODE_ID: { at: NODE_ID, about: 'node' },
    },
    about: 'Vectors of the eight LSIs.',
    source: 'qemu pnv_phb3_lxivt_write; skiboot hw/phb3.c: phb3_lsi_set_xive',
  }),
  IVC_CAM: opaque('IVC_CAM', 3, 32, 'Tags of the cached interrupt vectors'),
  RBA: declareTable({
    ...{ name: 'RBA', selector: 4, entries: 32, entryBits: 64, fields: {}, known: 'assumed' },
    about: 'Rejected interrupts: bit i of word w is ISN 64 w + i.',
    source: 'skiboot hw/phb3.c: phb3_ioda_reset; bit order (M)',
  }),
  RCAM: opaque('RCAM', 5, 64, 'Tags of the cached requester entries'),
  MRT: declareTable({
    name: 'MRT',
    selector: 6,
    entries: 8,
    entryBits: 64,
    known: 'assumed',
    fields: { VALID: { at: bit(0), about: 'the entry is in use' } },
    about: 'Migration registers, unused; firmware zeroes them.',
    source: 'skiboot hw/phb3.c: phb3_ioda_reset',
  }),
  PESTA: freezeTable('PESTA', 7, 'MMIO'),
  PESTB: freezeTable('PESTB', 8, 'DMA'),
  TVT: declareTable({
    name: 'TVT',
    selector: 9,
    entries: 512,
    entryBits: 64,
    known: 'stated',
    fields: {
      TABLE_ADDRESS: { at: bits(0, 47), about: 'TCE table address without its low 12 bits' },
      LEVELS: { at: bits(48, 50), about: 'levels of indirection, less one' },
      TABLE_SIZE: { at: bits(51, 55), about: 'log2 of the bytes of each level, less 11; zero is invalid' },
      PAGE_SIZE: { at: bits(59, 63), about: 'log2 of the page bytes, less 11; zero does not translate' },
      BYPASS_START: { at: bits(0, 23), about: 'untranslated: start address bits 47:24', view: true },
      BYPASS_END: { at: bits(24, 47), about: 'untranslated: end address bits 47:24', view: true },
      BYPASS: { at: bit(51), about: 'untranslated: set by the PCIe bypass path', view: true },
      BYPASS_START_HIGH: { at: bits(52, 53), about: 'untranslated: start address bits 49:48', view: true },
      BYPASS_END_HIGH: { at: bits(54, 55), about: 'untranslated: end address bits 49:48', view: true },
    },
    about: 'DMA windows, two a PE: index is PE times two plus PCI address bit 59.',
    source: 'skiboot hw/phb3.c: phb3_map_pe_dma_window, phb3_map_pe_dma_window_real; qemu pnv_phb3_translate_tve',
  }),
  TCAM: opaque('TCAM', 10, 64, 'Tags of the cached TCEs'),
  TDR: opaque('TDR', 11, 64, 'Data of the cached TCEs'),
  M64BT: declareTable({
    name: 'M64BT',
    selector: 16,
    entries: 16,
    entryBits: 64,
    known: 'stated',
    fields: {
      ENABLE: { at: bit(0), about: 'the window decodes' },
      SINGLE_PE: { at: bit(1), about: 'the window belongs to one PE, else it has 256 segments' },
      BASE: { at: bits(2, 31), about: 'base address bits 49:20' },
      MASK: { at: bits(34, 63), about: 'compared address bits 49:20' },
      SINGLE_BASE: { at: bits(2, 26), about: 'one PE: base address bits 49:25', view: true },
      SINGLE_PE_HIGH: { at: bits(27, 31), about: 'one PE: its number without the low five bits', view: true },
      SINGLE_MASK: { at: bits(34, 58), about: 'one PE: compared address bits 49:25', view: true },
      SINGLE_PE_LOW: { at: bits(59, 63), about: 'one PE: low five bits of its number', view: true },
    },
    about: '64-bit MMIO windows; the lowest matching entry wins.',
    source: 'skiboot hw/phb3.c: phb3_set_phb_mem_window, phb3_map_pe_mmio_window; qemu pnv_phb3_check_m64',
  }),
  M32DT: declareTable({
    name: 'M32DT',
    selector: 17,
    entries: 256,
    entryBits: 64,
    known: 'stated',
    fields: { PE: { at: bits(8, 15), about: 'PE of the segment' } },
    about: 'PE of each of the 256 segments of the M32 window.',
    source: 'skiboot hw/phb3.c: phb3_map_pe_mmio_window',
  }),
  PEEV: declareTable({
    ...{ name: 'PEEV', selector: 20, entries: 4, entryBits: 64, fields: {}, known: 'stated' },
    about: 'PEs with an event: bit b of word w is PE 64 w + b.',
    source: 'skiboot hw/phb3.c: phb3_eeh_freeze_status, phb3_ioda_reset',
  }),
} as const satisfies Record<string, TableDeclaration>;

export type IodaTableName = keyof typeof IODA_TABLES;

export const { names: IODA_TABLE_NAMES, bySelector: iodaTableBySelector } = directoryOf<IodaTableName>(IODA_TABLES);

const IVE_FIELDS = {
  SERVER: { at: bits(0, 23), about: 'presentation server, with two link bits at its end' },
  PRIORITY: { at: bits(24, 31), about: 'priority; 0xff masks' },
  GENERATION: { at: bits(37, 38), about: 'steps at each EOI' },
  P: { at: bit(39), about: 'presented, not yet ended' },
  Q: { at: bit(47), about: 'another one waits' },
  PE: { at: bits(48, 63), about: 'PE that may use the vector' },
} as const;
const IVE_SOURCE = 'qemu pnv_phb3_regs.h: IODA2_IVT_*; skiboot hw/phb3.c: phb3_msi_set_xive, phb3_set_ive_pe';

const ive = (name: string, entryBits: number): TableDeclaration =>
  declareTable({
    name,
    entries: 2048,
    entryBits,
    fields: IVE_FIELDS,
    known: 'stated',
    source: IVE_SOURCE,
    about: `Interrupt vectors, one an ISN, ${entryBits / 8} bytes apart; only the first eight bytes count.`,
  });

/** In PEST B the bits count from 64 when the entry is taken as a whole. */
const secondDoubleword = Object.fromEntries(
  Object.entries(PEST_B_FIELDS).map(([name, { at, about }]) => [
    name,
    { at: bits(at.first + 64, at.last + 64), about },
  ]),
);

/** Tables in system memory, big-endian and aligned to their size. */
export const MEMORY_TABLES = {
  RTT: declareTable({
    name: 'RTT',
    entries: 65536,
    entryBits: 16,
    known: 'stated',
    fields: { PE: { at: bits(0, 15), about: 'PE of the requester; 256 and above is none' } },
    about: 'PE of each requester, by bus, device and function.',
    source: 'skiboot include/phb3.h: RTT_TABLE_ENTRIES; qemu pnv_phb3_resolve_pe',
  }),
  PELTV: declareTable({
    ...{ name: 'PELTV', entries: 256, entryBits: 256, fields: {}, known: 'stated' },
    about: 'For each PE the PEs that freeze with it; bit c of the row is PE c.',
    source: 'skiboot hw/phb3.c: phb3_set_peltv; linux pci-ioda.c: pnv_ioda_set_peltv',
  }),
  PEST: declareTable({
    name: 'PEST',
    entries: 256,
    entryBits: 128,
    known: 'stated',
    fields: { ...PEST_A_FIELDS, ...secondDoubleword },
    about: 'Why and where each PE froze: doublewords A and B.',
    source: 'ioda2 PESE; skiboot hw/phb3.c: phb3_read_phb_status',
  }),
  IVT: ive('IVT', 1024),
  /** The layout with PHB_CONTROL.IVE_128 clear. */
  IVT_SHORT: ive('IVT_SHORT', 128),
  /** DD1 only. */
  RBA: declareTable({
    ...{ name: 'RBA in memory', entries: 32, entryBits: 64, fields: {}, known: 'assumed' },
    about: 'Rejected interrupts of DD1: bit i of word w is ISN 64 w + i.',
    source: 'skiboot include/phb3.h; bit order (M)',
  }),
  /** The largest table a TVE can describe; the real length is the TVE's. */
  TCE: declareTable({
    name: 'TCE',
    entries: 2 ** 39,
    entryBits: 64,
    known: 'stated',
    fields: {
      ADDRESS: { at: bits(14, 51), about: 'page or next table; bits below the page do not count' },
      WRITE: { at: bit(62), about: 'the device may write' },
      READ: { at: bit(63), about: 'the device may read' },
    },
    about: 'Where one DMA page lies, or the next level; an entry that grants nothing is a page fault.',
    source: 'linux asm/tce.h; linux pci-ioda-tce.c: pnv_tce_build; qemu pnv_phb3_translate_tve',
  }),
} as const satisfies Record<string, TableDeclaration>;
