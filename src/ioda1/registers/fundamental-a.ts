/** Fundamental registers A of a P7IOC PHB: windows, table access, configuration cycles, injection. Facts: ioda1-p7ioc 3.9. */
import { bit, bits, type FieldSpec, fieldMask } from '../../hw/bits.js';
import type { RegisterDeclaration } from '../../hw/register.js';
import { summaryFields } from '../../ioda/error-summary.js';
import { IODA_ADDRESS_FIELDS } from '../../ioda/ioda-access.js';
import { PHB_FORMS } from '../../ioda/phb-registers.js';
import { TRAP_SUMMARY_FIELDS } from '../../ioda/trap-registers.js';
import { NAMES_SOURCE } from './unnamed.js';

const INIT = 'skiboot p7ioc hw/p7ioc-phb.c: p7ioc_phb_init';
const CONFIG = 'skiboot include/p7ioc-regs.h; skiboot p7ioc hw/p7ioc-phb.c: P7IOC_PCI_CFG_READ';
const INJECT = 'skiboot p7ioc hw/p7ioc-phb.c: p7ioc_err_inject_finalize';
const LINEAGE = 'qemu include/hw/pci-host/pnv_phb3_regs.h (PHB3, same offset)';

const field = (at: FieldSpec, about: string) => ({ at, about });
/** A second reading of bits that other fields name too. */
const view = (at: FieldSpec, about: string) => ({ at, about, view: true }) as const;

const LSI_BUID = bits(7, 15);
/** Of the message BUID only the top five bits exist: sixteen BUIDs in a row. */
const MSI_BUID_KEPT = bits(23, 27);

const SUMMARY_FIELDS = summaryFields('a PE is frozen');

/** The readings of the compare address and mask of an injection. */
const INJECTION_COMPARE_FIELDS = {
  BUS: view(bits(4, 11), 'bus number of a configuration cycle'),
  MMIO: view(bits(16, 39), 'processor-side address of a load or store, M32'),
  IO: view(bits(16, 47), 'processor-side address of a load or store, IO'),
  TVE: view(bits(60, 63), 'number of the DMA window'),
} as const;

const lock = (offset: number): RegisterDeclaration => ({
  offset,
  access: 'read-write',
  known: 'inferred',
  fields: { LOCK: field(bit(0), 'lock is held') },
  about: 'Software lock, taken by reading and freed by writing; firmware does not use it.',
  source: LINEAGE,
});

const windowRegister = (offset: number, about: string): RegisterDeclaration => ({
  offset,
  access: 'read-write',
  known: 'stated',
  about,
  source: INIT,
});

const capability = (offset: number, what: string, reset: bigint): RegisterDeclaration => ({
  offset,
  access: 'read-only',
  known: 'assumed',
  reset,
  about: `What the bridge says of its ${what}.`,
  source: LINEAGE,
});

export const FUNDAMENTAL_A_REGISTERS = {
  PHB_BUID: {
    offset: 0x100,
    access: 'read-write',
    known: 'stated',
    writable: fieldMask(LSI_BUID) | fieldMask(MSI_BUID_KEPT),
    fields: {
      LSI: field(LSI_BUID, 'bus unit id of the eight LSIs'),
      MSI: field(bits(23, 31), 'first of the sixteen bus unit ids of message interrupts; the low four bits read 0'),
    },
    about: 'Names the interrupts of the bridge.',
    source: `${INIT} (Init_9)`,
  },
  PHB_DMA_CHAN_STATUS: {
    offset: 0x110,
    access: 'read-only',
    known: 'inferred',
    fields: SUMMARY_FIELDS,
    about: 'Summary of errors met by inbound traffic (CSR in dumps).',
    source: LINEAGE,
  },
  PHB_CPU_LOADSTORE_STATUS: {
    ...PHB_FORMS.PHB_CPU_LOADSTORE_STATUS,
    known: 'inferred',
    fields: SUMMARY_FIELDS,
    source: LINEAGE,
  },
  PHB_CONFIG_DATA: { ...PHB_FORMS.PHB_CONFIG_DATA, known: 'stated', source: CONFIG },
  PHB_LOCK0: lock(0x138),
  PHB_CONFIG_ADDRESS: {
    ...PHB_FORMS.PHB_CONFIG_ADDRESS,
    known: 'stated',
    about: 'Target of the next configuration cycle; the PE follows from its bus, device and function.',
    source: CONFIG,
  },
  PHB_LOCK1: lock(0x148),
  PHB_PHB2_CONFIG: {
    offset: 0x160,
    access: 'read-write',
    known: 'stated',
    fields: {
      TCE_64B: field(bit(2), 'fetch TCEs 64 bytes at a time; off and on again empties the TCE cache'),
      MSI_32: field(bit(8), 'decode 32-bit MSI addresses'),
      IO: field(bit(12), 'decode the IO window'),
      MSI_64: field(bit(14), 'decode 64-bit MSI addresses'),
      M32: field(bit(16), 'decode the M32 window'),
    },
    about: 'Switches of the MSI and window decoders.',
    source: `${INIT} (Init_17)`,
  },
  PHB_IO_BASE_ADDR: windowRegister(0x170, 'Processor-side base of the IO window.'),
  PHB_IO_BASE_MASK: windowRegister(0x178, 'Compared address bits of the IO window.'),
  PHB_IO_START_ADDR: windowRegister(0x180, 'PCI address of the first byte of the IO window.'),
  PHB_M32_BASE_ADDR: { ...PHB_FORMS.PHB_M32_BASE_ADDR, known: 'stated', source: INIT },
  PHB_M32_BASE_MASK: windowRegister(
    0x198,
    'Compared address bits of the M32 window; the upper half counts as ones (M), firmware leaves it zero.',
  ),
  PHB_M32_START_ADDR: { ...PHB_FORMS.PHB_M32_START_ADDR, known: 'stated', source: INIT },
  PHB_M64_UPPER_BITS: { ...PHB_FORMS.PHB_M64_UPPER_BITS, known: 'inferred', source: `${INIT} (Init_16); ${LINEAGE}` },
  PHB_TCE_KILL: {
    offset: 0x210,
    access: 'write-only',
    known: 'stated',
    fields: {
      PAIR: field(bit(0), 'drop both TCEs of the sixteen bytes'),
      ADDRESS: field(bits(16, 59), 'real address of the TCEs, without its low four bits'),
    },
    about: 'Drops cached TCEs that were fetched from this real address; there is no way to drop all.',
    source: 'linux pci-ioda.c: pnv_pci_p7ioc_tce_invalidate',
  },
  PHB_TCE_PREFETCH: {
    offset: 0x218,
    access: 'read-write',
    known: 'stated',
    fields: {
      DMA_READ: field(bit(16), 'speculate for DMA reads'),
      DMA_WRITE: field(bit(17), 'speculate for DMA writes'),
    },
    about: 'Speculative TCE fetches; stored.',
    source: `${INIT} (Init_150)`,
  },
  PHB_IODA_ADDR: {
    offset: 0x220,
    access: 'read-write',
    known: 'stated',
    fields: { ...IODA_ADDRESS_FIELDS, INDEX: field(bits(48, 63), 'entry index') },
    about: 'Chooses the table entry behind IODA_DATA0 and IODA_DATA1.',
    source: 'skiboot include/p7ioc-regs.h: PHB_IODA_AD_*',
  },
  PHB_IODA_DATA0: {
    offset: 0x228,
    access: 'read-write',
    known: 'stated',
    about: 'The chosen entry, or the first word of one of two; an access with auto-increment steps the index.',
    source: 'skiboot p7ioc hw/p7ioc-phb.c: p7ioc_ioda_reset',
  },
  PHB_IODA_DATA1: {
    offset: 0x230,
    access: 'read-write',
    known: 'stated',
    about: 'The second word of the chosen entry; never steps the index.',
    source: 'skiboot p7ioc hw/p7ioc-phb.c: p7ioc_ioda_reset, p7ioc_set_peltv',
  },
  PHB_LOCK2: lock(0x240),
  PHB_XIVE_UPDATE: {
    offset: 0x248,
    access: 'read-write',
    known: 'assumed',
    about: 'Update of an interrupt vector; not used on this chip, stored.',
    source: NAMES_SOURCE,
  },
  PHB_GEN_CAP: capability(0x250, 'general abilities', 0n),
  PHB_TCE_CAP: capability(0x258, 'TCEs', 0n),
  PHB_IRQ_CAP: capability(0x260, 'interrupts', 0x108n),
  PHB_EEH_CAP: capability(0x268, 'PEs', 0x0800_0000_0000_0000n),
  PHB_PAPR_ERR_INJ_CTL: { ...PHB_FORMS.PHB_PAPR_ERR_INJ_CTL, known: 'stated', source: INJECT },
  PHB_PAPR_ERR_INJ_ADDR: {
    offset: 0x2b8,
    access: 'read-write',
    known: 'stated',
    fields: INJECTION_COMPARE_FIELDS,
    about: 'What an injection compares, read according to what is armed.',
    source: INJECT,
  },
  PHB_PAPR_ERR_INJ_MASK: {
    offset: 0x2c0,
    access: 'read-write',
    known: 'stated',
    fields: INJECTION_COMPARE_FIELDS,
    about: 'Ones mark the bits an injection compares.',
    source: INJECT,
  },
  PHB_ETU_ERR_SUMMARY: {
    offset: 0x2c8,
    access: 'read-only',
    known: 'assumed',
    fields: TRAP_SUMMARY_FIELDS,
    about: 'Zero while no trap holds an error; which bit is which trap is a choice.',
    source: `${INIT} (Init_139); skiboot p7ioc hw/p7ioc-phb.c: p7ioc_eeh_freeze_clear`,
  },
} as const satisfies Record<string, RegisterDeclaration>;
