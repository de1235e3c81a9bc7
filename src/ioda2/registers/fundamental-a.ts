/** Fundamental registers A of PHB3: windows, table BARs, caches, injection, summaries. Facts: ioda2-phb3 3.2.1. */
import { bit, bits, type FieldSpec, fieldMask, msbMask } from '../../hw/bits.js';
import type { RegisterDeclaration } from '../../hw/register.js';
import { summaryFields } from '../../ioda/error-summary.js';
import { IODA_ADDRESS_FIELDS } from '../../ioda/ioda-access.js';
import { PHB_FORMS } from '../../ioda/phb-registers.js';
import { TRAP_SUMMARY_FIELDS } from '../../ioda/trap-registers.js';
import { NAMES_SOURCE, unnamed } from './unnamed.js';

const field = (at: FieldSpec, about: string) => ({ at, about });
/** A second reading of bits that other fields name too. */
const view = (at: FieldSpec, about: string) => ({ at, about, view: true }) as const;

/** Bits that both load/store and DMA summaries share. */
const SUMMARY_FIELDS = summaryFields('the error froze a PE');

/** The readings of the compare address and mask of an injection. */
const INJECTION_COMPARE_FIELDS = {
  MMIO: view(bits(16, 63), 'processor-side address'),
  BUS: view(bits(4, 11), 'bus number of a configuration cycle'),
  BDFN: view(bits(4, 19), 'bus, device and function of a configuration cycle'),
} as const;

export const FUNDAMENTAL_A_REGISTERS = {
  PHB_LSI_SOURCE_ID: {
    offset: 0x100,
    access: 'read-write',
    known: 'stated',
    writable: fieldMask(bits(5, 12)),
    fields: { LSI_SOURCE_ID: field(bits(5, 12), 'upper eight bits of the ISNs of the eight LSIs') },
    about: 'Places the eight LSIs in the ISN space; the PBCQ must hold the same id for them to be routed.',
    source: 'skiboot hw/phb3.c: phb3_init_ioda2 (Init_14); qemu pnv_phb3_lsi_src_id_write',
  },
  PHB_DMA_CHAN_STATUS: {
    offset: 0x110,
    access: 'read-only',
    known: 'derived',
    fields: SUMMARY_FIELDS,
    about: 'Summary of errors met by inbound traffic (DMACSR in dumps).',
    source: 'skiboot hw/phb3.c: phb3_read_phb_status',
  },
  PHB_CPU_LOADSTORE_STATUS: {
    ...PHB_FORMS.PHB_CPU_LOADSTORE_STATUS,
    known: 'derived',
    fields: SUMMARY_FIELDS,
    source: 'linux commit af87d2fe9544 (diagnostic dump)',
  },
  PHB_DMA_MSI_NODE_ID: {
    offset: 0x128,
    access: 'read-write',
    known: 'stated',
    fields: {
      FIXED_NODE: field(bit(0), 'use the fixed node id'),
      NODE_ID: field(bits(24, 31), 'node id'),
    },
    about: 'Fixed node for DMA and MSI; no firmware programs it.',
    source: NAMES_SOURCE,
  },
  PHB_CONFIG_DATA: {
    ...PHB_FORMS.PHB_CONFIG_DATA,
    known: 'stated',
    source: 'skiboot hw/phb3.c: PHB3_PCI_CFG_READ; qemu pnv_phb3_config_read',
  },
  PHB_LOCK0: {
    offset: 0x138,
    access: 'read-write',
    known: 'assumed',
    fields: { LOCK: field(bit(0), 'lock is held') },
    about: 'Software lock, taken by reading and freed by writing, as FFI_LOCK is.',
    source: '(M)',
  },
  PHB_CONFIG_ADDRESS: {
    ...PHB_FORMS.PHB_CONFIG_ADDRESS,
    known: 'stated',
    fields: {
      ...PHB_FORMS.PHB_CONFIG_ADDRESS.fields,
      PE: field(bits(40, 47), 'PE that pays for a failing cycle'),
    },
    source: 'qemu pnv_phb3_find_cfg_dev',
  },
  PHB_LOCK1: {
    offset: 0x148,
    access: 'read-write',
    known: 'assumed',
    fields: { LOCK: field(bit(0), 'lock is held') },
    about: 'Second software lock of the LOCK0 kind.',
    source: '(M)',
  },
  PHB_IVT_BAR: {
    offset: 0x150,
    access: 'read-write',
    known: 'stated',
    fields: {
      ENABLE: field(bit(0), 'the table may be read'),
      BASE: field(bits(14, 48), 'table address, 32 KiB granule'),
      LENGTH: field(bits(52, 63), 'number of IVEs; an ISN at or above it is out of range'),
    },
    about: 'Where the interrupt vector table stands in memory and how long it is.',
    source: 'skiboot hw/phb3.c: phb3_init_ioda2; qemu phb3_msi_ive_addr',
  },
  PHB_RBA_BAR: {
    offset: 0x158,
    access: 'read-write',
    known: 'stated',
    fields: {
      ENABLE: field(bit(0), 'the table may be used'),
      BASE: field(bits(14, 55), 'table address, 256 byte granule'),
    },
    about: 'Reject bit array in memory, for DD1 only; later chips keep the array on chip.',
    source: 'skiboot hw/phb3.c: phb3_init_ioda2',
  },
  PHB_PHB3_CONFIG: {
    offset: 0x160,
    access: 'read-write',
    known: 'stated',
    fields: {
      TCE_64B: field(bit(2), 'fetch TCEs 64 bytes at a time'),
      MSI_32: field(bit(8), 'decode 32-bit MSI addresses'),
      MSI_64: field(bit(14), 'decode 64-bit MSI addresses'),
      M32: field(bit(16), 'decode the M32 window'),
    },
    about: 'Switches of the MSI and M32 decoders.',
    source: 'skiboot hw/phb3.c: phb3_init_ioda2 (Init_25); qemu pnv_phb3_reg_write',
  },
  PHB_RTT_BAR: {
    offset: 0x168,
    access: 'read-write',
    known: 'stated',
    fields: {
      ENABLE: field(bit(0), 'the table may be read'),
      BASE: field(bits(14, 46), 'table address, 128 KiB granule'),
    },
    about: 'Where the requester-to-PE table stands in memory.',
    source: 'skiboot hw/phb3.c: phb3_init_ioda2',
  },
  PHB_PELTV_BAR: {
    offset: 0x188,
    access: 'read-write',
    known: 'stated',
    fields: {
      ENABLE: field(bit(0), 'the table may be read'),
      BASE: field(bits(14, 50), 'table address, 8 KiB granule'),
    },
    about: 'Where the PELT-V stands; an error message that needs it while disabled is fatal.',
    source: 'skiboot include/phb3.h',
  },
  PHB_M32_BASE_ADDR: { ...PHB_FORMS.PHB_M32_BASE_ADDR, known: 'stated', source: 'qemu pnv_phb3_check_m32' },
  PHB_M32_BASE_MASK: {
    offset: 0x198,
    access: 'read-write',
    known: 'stated',
    about: 'Compared address bits of the M32 window; its complement plus one is the size.',
    source: 'qemu pnv_phb3_check_m32',
  },
  PHB_M32_START_ADDR: {
    ...PHB_FORMS.PHB_M32_START_ADDR,
    known: 'stated',
    source: 'skiboot hw/phb3.c: phb3_init_ioda2',
  },
  PHB_PEST_BAR: {
    offset: 0x1a8,
    access: 'read-write',
    known: 'stated',
    fields: {
      ENABLE: field(bit(0), 'the table may be written'),
      BASE: field(bits(14, 51), 'table address, 4 KiB granule'),
    },
    about: 'Where details of frozen PEs are written in memory.',
    source: 'skiboot include/phb3.h; phb4 RXE_MRG 51',
  },
  PHB_M64_UPPER_BITS: {
    ...PHB_FORMS.PHB_M64_UPPER_BITS,
    known: 'stated',
    source: 'qemu pnv_phb3_reg_write, pnv_phb3_check_m64',
  },
  PHB_INTREP_TIMER: {
    offset: 0x1f8,
    access: 'read-write',
    known: 'assumed',
    about: 'Interval after which rejected interrupts are presented again; the code is not public.',
    source: 'skiboot hw/phb3.c: phb3_init_ioda2 (Init_24)',
  },
  PHB_DMARD_SYNC: {
    offset: 0x200,
    access: 'self-clearing',
    known: 'stated',
    writable: msbMask(0),
    selfClearing: msbMask(0),
    fields: {
      START: field(bit(0), 'wait for the DMA reads issued so far'),
      COMPLETE: field(bit(1), 'they have all completed'),
    },
    about: 'Orders software against earlier DMA reads.',
    source: 'qemu pnv_phb3_reg_read',
  },
  PHB_RTC_INVALIDATE: {
    offset: 0x208,
    access: 'write-only',
    known: 'stated',
    fields: { ALL: field(bit(0), 'every requester'), RID: field(bits(16, 31), 'the one requester') },
    about: 'Drops cached requester-to-PE entries.',
    source: 'skiboot hw/phb3.c: phb3_ioda_reset, phb3_set_pe',
  },
  PHB_TCE_KILL: {
    offset: 0x210,
    access: 'write-only',
    known: 'stated',
    fields: {
      ALL: field(bit(0), 'every cached TCE'),
      BY_PE: field(bit(1), 'those of one PE'),
      ONE_PAGE: field(bit(2), 'one page of one PE'),
      ADDRESS: field(bits(3, 51), 'DMA address bits 60:12, for one page'),
      PE: field(bits(56, 63), 'PE number'),
    },
    about: 'Drops cached TCEs; operating systems write it without firmware.',
    source: 'linux pci-ioda.c: pnv_pci_phb3_tce_invalidate, pnv_pci_phb3_tce_invalidate_pe',
  },
  PHB_TCE_SPEC_CTL: {
    offset: 0x218,
    access: 'read-write',
    known: 'stated',
    fields: {
      TCE_SPECULATION: field(bits(0, 3), 'fetch TCEs and data ahead of need'),
      IVT_SPECULATION: field(bit(4), 'fetch vectors ahead of need; firmware keeps it off'),
    },
    about: 'Speculation switches; they change speed, not results.',
    source: 'skiboot hw/phb3.c: phb3_init_hw (Init_141)',
  },
  PHB_IODA_ADDR: {
    offset: 0x220,
    access: 'read-write',
    known: 'stated',
    fields: {
      ...IODA_ADDRESS_FIELDS,
      INDEX: field(bits(55, 63), 'entry index'),
    },
    about: 'Chooses the on-chip table entry behind IODA_DATA0.',
    source: 'qemu pnv_phb3_ioda_access',
  },
  PHB_IODA_DATA0: {
    offset: 0x228,
    access: 'read-write',
    known: 'stated',
    about: 'The entry chosen by IODA_ADDR; each access may step the index.',
    source: 'qemu pnv_phb3_ioda_access',
  },
  PHB_FFI_REQUEST: {
    offset: 0x238,
    access: 'write-only',
    known: 'stated',
    fields: { LOCK_CLEAR: field(bit(3), 'also free FFI_LOCK'), ISN: field(bits(49, 59), 'interrupt to raise') },
    about: 'Raises an interrupt through its vector without a PE check.',
    source: 'skiboot hw/phb3.c: phb3_pci_msi_check_q; qemu pnv_phb3_msi_ffi',
  },
  PHB_FFI_LOCK: {
    offset: 0x240,
    access: 'read-write',
    known: 'stated',
    fields: { LOCK: field(bit(0), 'lock was held when read') },
    about: 'Lock around FFI_REQUEST: a read takes it and tells whether it was free.',
    source: 'qemu pnv_phb3_reg_read; skiboot hw/phb3.c: phb3_pci_msi_check_q',
  },
  PHB_XIVE_UPDATE: unnamed(0x248, 'read-write', 'Vector update that never worked on DD1 and stayed unused'),
  PHB_PHB3_GEN_CAP: unnamed(0x250, 'read-only', 'General capability word'),
  PHB_PHB3_TCE_CAP: unnamed(0x258, 'read-only', 'TCE capability word'),
  PHB_PHB3_IRQ_CAP: unnamed(0x260, 'read-only', 'Interrupt capability word'),
  PHB_PHB3_EEH_CAP: unnamed(0x268, 'read-only', 'EEH capability word, thought to hold the number of PEs'),
  PHB_IVC_INVALIDATE: {
    offset: 0x2a0,
    access: 'write-only',
    known: 'stated',
    fields: { ALL: field(bit(0), 'every vector'), ISN: field(bits(16, 31), 'the one vector') },
    about: 'Drops cached interrupt vectors.',
    source: 'skiboot hw/phb3.c: phb3_ioda_reset, phb3_set_ive_pe',
  },
  PHB_IVC_UPDATE: {
    offset: 0x2a8,
    access: 'write-only',
    known: 'stated',
    fields: {
      ENABLE_P: field(bit(0), 'replace P'),
      ENABLE_Q: field(bit(1), 'replace Q'),
      ENABLE_SERVER: field(bit(2), 'replace the server'),
      ENABLE_PRIORITY: field(bit(3), 'replace the priority'),
      ENABLE_GENERATION: field(bit(4), 'replace the generation'),
      CONDITIONAL: field(bit(5), 'only if the cached generation matches'),
      MATCH_GENERATION: field(bits(6, 7), 'generation to match'),
      SERVER: field(bits(8, 23), 'new server'),
      PRIORITY: field(bits(24, 31), 'new priority'),
      GENERATION: field(bits(32, 33), 'new generation'),
      P: field(bit(34), 'new P'),
      Q: field(bit(35), 'new Q'),
      ISN: field(bits(48, 63), 'vector to update'),
    },
    about: 'Changes fields of a cached vector; reading it gives no data but flushes posted writes.',
    source: 'skiboot hw/phb3.c: phb3_pci_msi_eoi, phb3_msi_set_xive',
  },
  PHB_PAPR_ERR_INJ_CTL: {
    ...PHB_FORMS.PHB_PAPR_ERR_INJ_CTL,
    known: 'stated',
    source: 'skiboot hw/phb3.c: phb3_err_inject_finalize',
  },
  PHB_PAPR_ERR_INJ_ADDR: {
    offset: 0x2b8,
    access: 'read-write',
    known: 'stated',
    fields: INJECTION_COMPARE_FIELDS,
    about: 'Address an injection compares, read according to what is armed; DMA uses all 64 bits.',
    source: 'skiboot hw/phb3.c: phb3_err_inject_mem32, phb3_err_inject_cfg, phb3_err_inject_dma',
  },
  PHB_PAPR_ERR_INJ_MASK: {
    offset: 0x2c0,
    access: 'read-write',
    known: 'stated',
    fields: INJECTION_COMPARE_FIELDS,
    about: 'Ones mark the address bits an injection compares.',
    source: 'skiboot hw/phb3.c: phb3_err_inject_finalize; lopar ioa-bus-error',
  },
  PHB_ETU_ERR_SUMMARY: {
    offset: 0x2c8,
    access: 'read-only',
    known: 'assumed',
    fields: TRAP_SUMMARY_FIELDS,
    about: 'Not zero while any trap holds an error; which bit stands for which trap is a choice.',
    source: 'skiboot hw/phb3.c: phb3_eeh_freeze_clear, phb3_init_hw (Init_129); layout (M)',
  },
} as const satisfies Record<string, RegisterDeclaration>;
