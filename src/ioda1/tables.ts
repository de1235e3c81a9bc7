/** The eighteen tables of IODA1 as data: all of them on the chip, behind a selector. Facts: ioda1-p7ioc 4.2 to 4.10. */
import { bit, bits, type FieldSpec, fieldMask } from '../hw/bits.js';
import type { FieldDeclaration } from '../hw/register.js';
import { declareTable, type TableDeclaration } from '../hw/table.js';
import { directoryOf, opaqueFrom } from '../ioda/table-directory.js';
import { PEST_A_FIELDS, PEST_B_FIELDS } from './error-bits/pest.js';

const SELECTORS = 'skiboot include/p7ioc-regs.h: IODA_TBL_*';
const RESET = `${SELECTORS}; skiboot p7ioc hw/p7ioc-phb.c: p7ioc_ioda_reset`;
/** Second words of an entry count from bit 64 when it is taken as a whole. */
const second = (first: number, last: number = first): FieldSpec => bits(64 + first, 64 + last);

const opaque = opaqueFrom(SELECTORS);

/** State of interrupt sources: unpublished, so its layout is the model's own. */
const interruptState = (name: string, selector: number, entries: number, what: string): TableDeclaration => {
  const fields = {
    PRESENTED: { at: bit(0), about: 'sent to the processor, its end not yet signalled' },
    PENDING: { at: bit(1), about: 'arrived meanwhile, or while masked' },
  };
  return declareTable({
    ...{ name, selector, entries, entryBits: 64, fields, known: 'assumed', source: `${SELECTORS}; layout (M)` },
    writable: fieldMask(fields.PRESENTED.at) | fieldMask(fields.PENDING.at),
    about: `State of each ${what}.`,
  });
};

const SERVER = bits(8, 23);
const PRIORITY = bits(24, 31);
const VECTOR_PE = bits(41, 47);
const HUB_NUMBER = bits(58, 59);
const VECTOR_FIELDS = {
  SERVER: { at: SERVER, about: 'presentation server without its low three bits' },
  PRIORITY: { at: PRIORITY, about: 'low three bits of the server, then five of the priority; 0xff masks' },
  HUB: { at: HUB_NUMBER, about: 'entry of the HRT; always 0' },
} as const;

/** Fields that say which requesters an entry is for, wherever they stand. */
const filterFields = (at: Readonly<Record<keyof typeof FILTER_ABOUT, FieldSpec>>): Record<string, FieldDeclaration> =>
  Object.fromEntries(
    Object.entries(FILTER_ABOUT).map(([name, about]) => [name, { at: at[name as keyof typeof FILTER_ABOUT], about }]),
  );
const FILTER_ABOUT = {
  BUS: 'bus number',
  DEVICE: 'device number',
  FUNCTION: 'function number',
  BUS_VALID: 'bits of the bus number compared: 7 all, 2 the top three, 0 and 1 none',
  DEVICE_VALID: 'the device is compared',
  FUNCTION_VALID: 'the function is compared',
} as const;

const segmentTable = (name: string, selector: number, window: string): TableDeclaration =>
  declareTable({
    ...{ name, selector, entries: 128, entryBits: 64, known: 'stated', source: RESET },
    fields: { PE: { at: bits(0, 6), about: 'PE of the segment' } },
    about: `PE of each of the 128 segments of ${window}.`,
  });

export const IODA_TABLES = {
  HRT: declareTable({
    ...{ name: 'HRT', selector: 0, entries: 4, entryBits: 64, fields: {}, known: 'assumed', source: RESET },
    about: 'Thought to route to hubs; firmware writes the number of the PHB plus one.',
  }),
  LIST: interruptState('LIST', 1, 8, 'LSI'),
  LXIVT: declareTable({
    ...{ name: 'LXIVT', selector: 2, entries: 8, entryBits: 64, fields: VECTOR_FIELDS, known: 'stated' },
    writable: fieldMask(SERVER) | fieldMask(PRIORITY) | fieldMask(HUB_NUMBER),
    about: 'Vectors of the eight LSIs.',
    source: 'skiboot p7ioc hw/p7ioc-phb.c: p7ioc_lsi_set_xive',
  }),
  MIST: interruptState('MIST', 3, 256, 'message interrupt'),
  MXIVT: declareTable({
    name: 'MXIVT',
    selector: 4,
    entries: 256,
    entryBits: 64,
    known: 'stated',
    writable: fieldMask(SERVER) | fieldMask(PRIORITY) | fieldMask(VECTOR_PE) | fieldMask(HUB_NUMBER),
    fields: { ...VECTOR_FIELDS, PE: { at: VECTOR_PE, about: 'PE that may use the vector' } },
    about: 'Vectors of the 256 message interrupts.',
    source: 'skiboot p7ioc hw/p7ioc-phb.c: p7ioc_msi_set_xive, p7ioc_set_xive_pe',
  }),
  MVT: declareTable({
    name: 'MVT',
    selector: 5,
    entries: 256,
    entryBits: 64,
    known: 'stated',
    fields: {
      VALID: { at: bit(0), about: 'messages to this address are let through' },
      PE: { at: bits(41, 47), about: 'PE the address belongs to' },
      ...filterFields({
        ...{ BUS: bits(24, 31), DEVICE: bits(51, 55), FUNCTION: bits(61, 63) },
        ...{ BUS_VALID: bits(21, 23), DEVICE_VALID: bit(50), FUNCTION_VALID: bit(60) },
      }),
    },
    about: 'Who may send message interrupts to which address.',
    source: 'skiboot p7ioc hw/p7ioc-phb.c: p7ioc_set_mve, p7ioc_set_mve_enable',
  }),
  PELTM: declareTable({
    name: 'PELTM',
    selector: 6,
    entries: 128,
    entryBits: 64,
    known: 'stated',
    fields: filterFields({
      ...{ BUS: bits(0, 7), DEVICE: bits(8, 12), FUNCTION: bits(13, 15) },
      ...{ BUS_VALID: bits(16, 18), DEVICE_VALID: bit(19), FUNCTION_VALID: bit(20) },
    }),
    about: 'Requesters of each PE; the lowest entry that matches wins, and an entry of zero matches all.',
    source: 'skiboot p7ioc hw/p7ioc-phb.c: p7ioc_set_pe',
  }),
  PESTA: declareTable({
    ...{ name: 'PESTA', selector: 7, entries: 128, entryBits: 64, fields: PEST_A_FIELDS, known: 'stated' },
    about: 'Freeze of the MMIO side of each PE, and why; a store replaces it.',
    source: 'skiboot p7ioc hw/p7ioc-phb.c: p7ioc_eeh_freeze_status, p7ioc_eeh_freeze_clear',
  }),
  PESTB: declareTable({
    ...{ name: 'PESTB', selector: 8, entries: 128, entryBits: 64, fields: PEST_B_FIELDS, known: 'stated' },
    about: 'Freeze of the DMA side of each PE, and where; a store replaces it.',
    source: 'skiboot p7ioc hw/p7ioc-phb.c: p7ioc_eeh_freeze_status, p7ioc_eeh_freeze_clear',
  }),
  TVT: declareTable({
    name: 'TVT',
    selector: 9,
    entries: 128,
    entryBits: 128,
    known: 'stated',
    fields: {
      TABLE_ADDRESS: { at: bits(0, 47), about: 'TCE table address without its low 12 bits' },
      TABLE_SIZE: { at: bits(51, 55), about: 'log2 of the bytes of the window, less 26; zero disables' },
      HUB: { at: second(10, 11), about: 'hub of the table; 0' },
      PAGE_SIZE: { at: second(19, 23), about: 'log2 of the page bytes, less 11' },
      PE: { at: second(57, 63), about: 'PE of the window' },
      ...filterFields({
        ...{ BUS: bits(56, 63), DEVICE: second(3, 7), FUNCTION: second(13, 15) },
        ...{ BUS_VALID: bits(48, 50), DEVICE_VALID: second(2), FUNCTION_VALID: second(12) },
      }),
    },
    about: 'DMA windows of one level, for any PE; two words an entry.',
    source: 'skiboot p7ioc hw/p7ioc-phb.c: p7ioc_map_pe_dma_window',
  }),
  TCAM: opaque('TCAM', 10, 64, 'Tags of the cached TCEs'),
  TDR: opaque('TDR', 11, 64, 'Data of the cached TCEs'),
  PELTV: declareTable({
    ...{ name: 'PELTV', selector: 12, entries: 128, entryBits: 128, fields: {}, known: 'stated' },
    about: 'For each PE the PEs that freeze with it; bit k of the row is PE k.',
    source: 'skiboot p7ioc hw/p7ioc-phb.c: p7ioc_set_peltv',
  }),
  M64BT: declareTable({
    name: 'M64BT',
    selector: 16,
    entries: 16,
    entryBits: 64,
    known: 'stated',
    fields: {
      ENABLE: { at: bit(0), about: 'the window decodes' },
      BASE: { at: bits(8, 31), about: 'base address bits 47:24' },
      MASK: { at: bits(40, 63), about: 'compared address bits 47:24' },
    },
    about: '64-bit MMIO windows of eight segments each.',
    source: 'skiboot p7ioc hw/p7ioc-phb.c: p7ioc_set_phb_mem_window',
  }),
  IODT: segmentTable('IODT', 17, 'the IO window'),
  M32DT: segmentTable('M32DT', 18, 'the M32 window'),
  M64DT: segmentTable('M64DT', 19, 'the sixteen M64 windows, eight each'),
  PEEV: declareTable({
    ...{ name: 'PEEV', selector: 20, entries: 2, entryBits: 64, fields: {}, known: 'derived' },
    about: 'PEs that are frozen: bit b of word w is PE 64 w + b; it follows the PE states.',
    source: 'skiboot p7ioc hw/p7ioc-phb.c: p7ioc_eeh_freeze_status, p7ioc_phb_init_ioda_cache',
  }),
} as const satisfies Record<string, TableDeclaration>;

export type IodaTableName = keyof typeof IODA_TABLES;

export const { names: IODA_TABLE_NAMES, bySelector: iodaTableBySelector } = directoryOf<IodaTableName>(IODA_TABLES);

export const PE_COUNT = IODA_TABLES.PESTA.entries;

/** The interrupt tables of the hub itself, behind RGC_IODA_ADDR. Facts: ioda1-p7ioc 3.5. */
const RGC_SOURCE = 'skiboot p7ioc hw/p7ioc-inits.c: p7ioc_init_RGC; skiboot p7ioc hw/p7ioc.c: p7ioc_rgc_set_xive';
export const RGC_TABLES = {
  HRT: declareTable({
    ...{ name: 'RGC HRT', selector: 0, entries: 4, entryBits: 64, fields: {}, known: 'stated', source: RGC_SOURCE },
    about: 'Routing of hub interrupts to hubs; zero.',
  }),
  IST: interruptState('RGC IST', 1, 16, 'hub interrupt'),
  XIVT: declareTable({
    ...{ name: 'RGC XIVT', selector: 2, entries: 16, entryBits: 64, fields: VECTOR_FIELDS, known: 'stated' },
    writable: fieldMask(SERVER) | fieldMask(PRIORITY) | fieldMask(HUB_NUMBER),
    about: 'Vectors of the hub interrupts; only level 0 is used.',
    source: RGC_SOURCE,
  }),
} as const satisfies Record<string, TableDeclaration>;

export type RgcTableName = keyof typeof RGC_TABLES;
export const RGC_TABLE_NAMES = Object.keys(RGC_TABLES) as readonly RgcTableName[];

/** One TCE as it stands in memory, in an array of one level. Facts: ioda1-p7ioc 5. */
export const TCE_FORMAT = declareTable({
  name: 'TCE',
  entries: 2 ** 36,
  entryBits: 64,
  known: 'stated',
  fields: {
    ADDRESS: { at: bits(16, 51), about: 'real page, in place; bits below the page size do not count' },
    WRITE: { at: bit(62), about: 'the device may write' },
    READ: { at: bit(63), about: 'the device may read' },
  },
  about: 'Where one DMA page lies; an entry that grants nothing is a page fault.',
  source: 'linux pci-ioda-tce.c: pnv_tce_build; linux asm/tce.h',
});
