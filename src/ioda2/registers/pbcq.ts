/**
 * SCOM registers of the PBCQ in front of a PHB3: nest side, PCI side, and the SPCI (ASB) side path into the PHB.
 * BARs reset to zero: service firmware programs them before the simulation starts. Facts: ioda2-phb3 3.3 to 3.5.
 */
import { bit, bits, type FieldSpec, fieldMask } from '../../hw/bits.js';
import { declareRegisters, type RegisterDeclaration } from '../../hw/register.js';
import { fieldsOfBits } from '../../ioda/bit-fields.js';
import { NFIR_BITS, NFIR_SOURCE } from '../error-bits/nfir.js';

const field = (at: FieldSpec, about: string) => ({ at, about });

const SCOM_NAMES = 'hostboot p8_scom_addresses.H';
const HOSTBOOT_SETUP = 'hostboot p8.pe.phase2.scom.initfile';
const BAR_SOURCE = 'qemu pnv_pbcq_nest_xscom_write; skiboot hw/phb3.c: phb3_probe_pbcq';
const CAPI_SOURCE = 'skiboot hw/phb3.c: enable_capi_mode, disable_capi_mode';

const NFIR_FIELDS = fieldsOfBits(NFIR_BITS);

/** An MMIO BAR or mask holds address bits 49:16 in its upper 34 bits, a register BAR bits 49:12 in its upper 38. */
const MMIO_ADDRESS = bits(0, 33);
const REGISTER_ADDRESS = bits(0, 37);

const nfirRegister = (offset: number, about: string): RegisterDeclaration => ({
  offset,
  access: 'read-write',
  known: 'stated',
  fields: NFIR_FIELDS,
  about,
  source: NFIR_SOURCE,
});

const memoryScopeBar = (offset: number, scope: string): RegisterDeclaration => ({
  offset,
  access: 'read-write',
  known: 'stated',
  about: `Memory the bus reaches at ${scope} scope; layout unknown, stored.`,
  source: SCOM_NAMES,
});

const addressRegister = (offset: number, at: FieldSpec, about: string): RegisterDeclaration => ({
  offset,
  access: 'read-write',
  known: 'stated',
  writable: fieldMask(at),
  fields: { ADDRESS: { at, about: 'bus address, its bit 49 leftmost' } },
  about,
  source: BAR_SOURCE,
});

const errorReport = (offset: number, which: string): RegisterDeclaration => ({
  offset,
  access: 'read-only',
  known: 'assumed',
  about: `${which} error report; firmware reads and discards it while it waits in a complete reset.`,
  source: 'skiboot hw/phb3.c: phb3_creset',
});

/** At 0x02012000 + 0x400 * PHB index. */
export const PBCQ_NEST_REGISTERS = declareRegisters('PBCQ nest', 1, {
  NFIR: nfirRegister(0x00, 'Nest errors; a direct write replaces them.'),
  NFIR_AND: {
    offset: 0x01,
    access: 'and-mask',
    target: 'NFIR',
    known: 'stated',
    about: 'Clears the nest errors written as zero.',
    source: 'skiboot hw/phb3.c: phb3_creset',
  },
  NFIR_OR: {
    offset: 0x02,
    access: 'or-mask',
    target: 'NFIR',
    known: 'stated',
    about: 'Sets the nest errors written as one; firmware forces a fence this way.',
    source: 'skiboot hw/phb3.c: phb3_creset',
  },
  NFIR_MASK: nfirRegister(0x03, 'Ones keep a nest error out of the first-error register.'),
  NFIR_MASK_AND: {
    offset: 0x04,
    access: 'and-mask',
    target: 'NFIR_MASK',
    known: 'assumed',
    about: 'Unmasks the bits written as zero.',
    source: '(M)',
  },
  NFIR_MASK_OR: {
    offset: 0x05,
    access: 'or-mask',
    target: 'NFIR_MASK',
    known: 'assumed',
    about: 'Masks the bits written as one.',
    source: '(M)',
  },
  NFIR_ACTION0: nfirRegister(0x06, 'First action bit of each nest error.'),
  NFIR_ACTION1: nfirRegister(0x07, 'Second action bit of each nest error.'),
  NFIR_WOF: {
    ...nfirRegister(0x08, 'The first unmasked nest errors since it was cleared.'),
    access: 'write-clears',
  },
  ERROR_INJECT: {
    offset: 0x0a,
    access: 'read-write',
    known: 'assumed',
    about: 'Nest error injection; firmware disarms it in every complete reset, layout unknown.',
    source: 'skiboot hw/phb3.c: phb3_creset',
  },
  MODE_CONTROL: {
    offset: 0x0b,
    access: 'read-write',
    known: 'stated',
    fields: {
      WRITE_CACHE_INJECT: field(bits(6, 7), 'inject DMA writes into caches; zero is off'),
      TCE_NO_GROUP_SCOPE: field(bit(12), 'TCE reads skip group scope'),
      WRITE_NO_GROUP_SCOPE: field(bit(14), 'DMA writes skip group scope'),
      CAPP_DCACHE: field(bit(25), 'data cache mode of the coherent proxy'),
      IVE_ORDERING: field(bit(26), 'stronger order of vector writes'),
      IVE_SYSTEM_SCOPE: field(bit(27), 'vector writes go out at system scope'),
    },
    about: 'How the queue uses the processor bus.',
    source: `${HOSTBOOT_SETUP}; skiboot hw/phb3.c: phb3_check_device_quirks, enable_capi_mode`,
  },
  TRACE_CONTROL: {
    offset: 0x0d,
    access: 'read-write',
    known: 'stated',
    fields: { SELECT: field(bits(0, 3), 'trace selection') },
    about: 'Nest trace setup.',
    source: HOSTBOOT_SETUP,
  },
  CQ_STATUS: {
    offset: 0x0f,
    access: 'read-only',
    known: 'stated',
    fields: { OUTSTANDING: field(bits(0, 1), 'transactions under way on either side') },
    about: 'Tells firmware whether the queue has drained.',
    source: 'skiboot hw/phb3.c: phb3_creset, enable_capi_mode',
  },
  NODAL_BAR0: memoryScopeBar(0x10, 'the first nodal'),
  NODAL_BAR1: memoryScopeBar(0x11, 'the second nodal'),
  GROUP_BAR0: memoryScopeBar(0x12, 'the first group'),
  GROUP_BAR1: memoryScopeBar(0x13, 'the second group'),
  NEAR_BAR_F0: memoryScopeBar(0x14, 'the first near foreign'),
  FAR_BAR_F0: memoryScopeBar(0x15, 'the first far foreign'),
  NEAR_BAR_F1: memoryScopeBar(0x16, 'the second near foreign'),
  FAR_BAR_F1: memoryScopeBar(0x17, 'the second far foreign'),
  HARDWARE_CONFIG0: {
    offset: 0x18,
    access: 'read-write',
    known: 'stated',
    fields: {
      HANG_POLL_SCALE: field(bits(0, 3), 'scale of the bus hang poll'),
      DATA_POLL_SCALE: field(bits(4, 7), 'scale of the data poll'),
      PE_DATA_POLL_SCALE: field(bits(8, 11), 'scale of the data poll towards the bridge'),
      STORE_QUEUE_SPLIT: field(bits(14, 15), 'division of the store queue; CAPI changes it'),
      NO_OUT_OF_ORDER_STORES: field(bit(17), 'stores keep their order'),
    },
    about: 'Hang detection and queue setup.',
    source: `${HOSTBOOT_SETUP}; skiboot hw/phb3.c: phb3_fixup_pec_inits`,
  },
  HARDWARE_CONFIG1: {
    offset: 0x19,
    access: 'read-write',
    known: 'stated',
    fields: {
      READ_RESPONSE_ORDER: field(bits(17, 18), 'order of read responses; set for PCIe'),
      OUT_OF_ORDER_READ: field(bit(22), 'DMA reads may overtake'),
    },
    about: 'Ordering setup.',
    source: `${HOSTBOOT_SETUP}; skiboot hw/phb3.c: disable_capi_mode`,
  },
  IRSN_COMPARE: {
    offset: 0x1a,
    access: 'read-write',
    known: 'stated',
    fields: { BASE: field(bits(0, 18), 'first global interrupt number of the bridge') },
    about: 'Global interrupt numbers that belong to the bridge.',
    source: 'skiboot hw/phb3.c: phb3_probe_pbcq; qemu PBCQ_NEST_IRSN_COMP',
  },
  IRSN_MASK: {
    offset: 0x1b,
    access: 'read-write',
    known: 'stated',
    fields: { MASK: field(bits(0, 18), 'compared bits of the interrupt number') },
    about: 'Size of the interrupt range.',
    source: 'skiboot hw/phb3.c: phb3_probe_pbcq; qemu pnv_phb3_remap_irqs',
  },
  CERR_REPORT0: errorReport(0x1c, 'First'),
  CERR_REPORT1: errorReport(0x1d, 'Second'),
  CERR_REPORT2: errorReport(0x1e, 'Third'),
  LSI_SOURCE_ID: {
    offset: 0x1f,
    access: 'read-write',
    known: 'stated',
    fields: { LSI_SOURCE_ID: field(bits(0, 7), 'upper eight bits of the ISNs of the LSIs') },
    about: 'Must equal the id in the PHB for LSIs to be routed.',
    source: 'skiboot hw/phb3.c: phb3_probe_pbcq',
  },
  NFIR_ACTION2: nfirRegister(0x20, 'Third action bit of each nest error, Naples only.'),
  MMIO_BAR0: addressRegister(0x40, MMIO_ADDRESS, 'Start of the first MMIO window.'),
  MMIO_BAR1: addressRegister(0x41, MMIO_ADDRESS, 'Start of the second MMIO window.'),
  PHB_BAR: addressRegister(0x42, REGISTER_ADDRESS, 'Start of the PHB register block.'),
  MMIO_MASK0: addressRegister(0x43, MMIO_ADDRESS, 'Compared address bits of the first MMIO window.'),
  MMIO_MASK1: addressRegister(0x44, MMIO_ADDRESS, 'Compared address bits of the second MMIO window.'),
  BAR_ENABLE: {
    offset: 0x45,
    access: 'read-write',
    known: 'stated',
    writable: fieldMask(bits(0, 4)),
    fields: {
      MMIO0: field(bit(0), 'claim the first MMIO window'),
      MMIO1: field(bit(1), 'claim the second MMIO window'),
      PHB: field(bit(2), 'claim the register block'),
      IRSN_RX: field(bit(3), 'receive interrupt traffic'),
      IRSN_TX: field(bit(4), 'send interrupts'),
    },
    about: 'What the queue answers to on the processor bus.',
    source: BAR_SOURCE,
  },
});

/** At 0x09012000 + 0x400 * PHB index. */
export const PBCQ_PCI_REGISTERS = declareRegisters('PBCQ PCI', 1, {
  ETU_RESET: {
    offset: 0x0a,
    access: 'read-write',
    known: 'stated',
    fields: { RESET: field(bit(0), 'hold the whole PHB in reset') },
    about: 'Reset of the PHB behind the queue.',
    source: 'skiboot hw/phb3.c: phb3_creset, phb3_init_hw; hostboot PCIE0_ETU_RESET_0x0901200A',
  },
  ASB_BAR: addressRegister(0x0b, REGISTER_ADDRESS, 'Copy of the PHB BAR; firmware repairs a difference.'),
  AIB_TX_CREDIT_TIMER: {
    offset: 0x0c,
    access: 'read-write',
    known: 'stated',
    about: 'Delay before transmit credits are exchanged, set when CAPI mode changes; code unknown.',
    source: CAPI_SOURCE,
  },
  AIB_TX_COMMAND_CREDIT: {
    offset: 0x0d,
    access: 'read-write',
    known: 'stated',
    fields: { CHANNEL_2: field(bits(42, 47), 'command credits of channel 2') },
    about: 'Command credits towards the PHB; CAPI mode moves them.',
    source: CAPI_SOURCE,
  },
  AIB_CONTROL: {
    offset: 0x0f,
    access: 'read-write',
    known: 'stated',
    fields: {
      CHANNEL_0: field(bits(0, 2), 'most credits of channel 0'),
      CHANNEL_1: field(bits(3, 5), 'most credits of channel 1'),
      CHANNEL_2: field(bits(6, 8), 'most credits of channel 2'),
      CHANNEL_3: field(bits(9, 11), 'most credits of channel 3'),
      OVERCOMMIT: field(bits(12, 13), 'credits given beyond the buffers'),
      TRACE: field(bits(30, 31), 'trace selection'),
      HEAD_OF_LINE: field(bits(40, 42), 'head-of-line blocking, for CAPI'),
    },
    about: 'AIB control and status of the queue.',
    source: `${HOSTBOOT_SETUP}; skiboot hw/phb3.c: enable_capi_mode`,
  },
});

/** At 0x09013c00 + 0x40 * PHB index. */
export const PBCQ_SPCI_REGISTERS = declareRegisters('PBCQ SPCI', 1, {
  ASB_ADDRESS: {
    offset: 0x0,
    access: 'read-write',
    known: 'stated',
    writable: fieldMask(bits(52, 63)),
    fields: { OFFSET: field(bits(52, 63), 'byte offset in the PHB register block') },
    about: 'Chooses the PHB register behind ASB_DATA.',
    source: 'skiboot hw/phb3.c: phb3_read_reg_asb; qemu pnv_pbcq_spci_xscom_write',
  },
  ASB_STATUS: {
    offset: 0x1,
    access: 'write-1-to-clear',
    known: 'stated',
    about: 'Side path status; firmware reads it as a work-around (HW275117), bits unknown.',
    source: 'qemu pnv_pbcq_spci_xscom_write; skiboot hw/phb3.c: phb3_init_hw',
  },
  ASB_DATA: {
    offset: 0x2,
    access: 'read-write',
    known: 'stated',
    about: 'An access reads or writes the chosen PHB register, with every side effect, fenced or not.',
    source: 'qemu pnv_pbcq_spci_xscom_read, pnv_pbcq_spci_xscom_write',
  },
  AIB_CAPP_ENABLE: {
    offset: 0x3,
    access: 'read-write',
    known: 'stated',
    fields: {
      CAPI: field(bit(0), 'the bridge carries a coherent accelerator'),
      CAPI_DMA: field(bit(1), 'accelerator in DMA mode'),
    },
    about: 'CAPI mode; firmware leaves a bridge alone that starts with it on.',
    source: 'skiboot hw/phb3.c: enable_capi_mode, phb3_probe_pbcq',
  },
  CAPP_SECURITY_TIMER: {
    offset: 0x4,
    access: 'read-write',
    known: 'assumed',
    about: 'Unused security timer of the coherent proxy; stored.',
    source: 'qemu pnv_pbcq_spci_xscom_write',
  },
});

export type PbcqNestRegisterName = (typeof PBCQ_NEST_REGISTERS.names)[number];
export type PbcqPciRegisterName = (typeof PBCQ_PCI_REGISTERS.names)[number];
export type PbcqSpciRegisterName = (typeof PBCQ_SPCI_REGISTERS.names)[number];

/** SCOM address ranges of the PBCQ of one chip: base of PHB 0, distance to the next PHB, registers in the range. */
export const PBCQ_SCOM_RANGES = {
  nest: { base: 0x0201_2000, strideOfPhb: 0x400, registers: 0x46, bank: PBCQ_NEST_REGISTERS },
  pci: { base: 0x0901_2000, strideOfPhb: 0x400, registers: 0x15, bank: PBCQ_PCI_REGISTERS },
  spci: { base: 0x0901_3c00, strideOfPhb: 0x40, registers: 5, bank: PBCQ_SPCI_REGISTERS },
} as const;
