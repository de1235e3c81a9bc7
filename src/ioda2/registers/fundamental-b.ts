/** Fundamental registers B of PHB3: version, reset, control, AIB credits and tags. Facts: ioda2-phb3 3.2.4. */
import { bit, bits } from '../../hw/bits.js';
import type { RegisterDeclaration } from '../../hw/register.js';
import { RESET_FIELDS } from '../../ioda/phb-registers.js';
import { unnamed } from './unnamed.js';

/** A credit register: one 16-bit field per AIB channel. */
const CHANNEL_FIELDS = {
  CHANNEL_0: { at: bits(0, 15), about: 'DMA writes' },
  CHANNEL_1: { at: bits(16, 31), about: 'load responses and interrupts' },
  CHANNEL_2: { at: bits(32, 47), about: 'DMA reads' },
  CHANNEL_3: { at: bits(48, 63), about: 'TCE reads' },
} as const;

export const FUNDAMENTAL_B_REGISTERS = {
  PHB_VERSION: {
    offset: 0x800,
    access: 'read-only',
    known: 'stated',
    reset: 0x0000_00a3_0000_0005n,
    resetKnown: 'stated',
    fields: {
      FAMILY: { at: bits(24, 31), about: '0xa3 for Murano and Venice, 0xb3 for Naples' },
      LEVEL: { at: bits(48, 63), about: 'chip level' },
    },
    about: 'Chip revision; zero or all ones makes firmware give the bridge up.',
    source: 'skiboot hw/phb3.c: phb3_init_hw; skiboot include/phb3.h: PHB3_REV_*; qemu pnv_phb3_reg_read',
  },
  PHB_RESET: {
    offset: 0x808,
    access: 'read-write',
    known: 'stated',
    // The log line of a real machine: read after the ETU reset, before firmware writes it.
    reset: 0x2000_0000_0000_0000n,
    resetKnown: 'stated',
    fields: {
      ...RESET_FIELDS,
      CORE_3: { at: bit(3), about: 'third core reset; one releases' },
    },
    about: 'Reset lines of the core and of the slot, all active low.',
    source:
      'skiboot hw/phb3.c: phb3_init_hw (Init_13), phb3_freset; skiboot issue 190 for the reset value; bits 0, 1 and 3 (M)',
  },
  PHB_CONTROL: {
    offset: 0x810,
    access: 'read-write',
    known: 'stated',
    fields: {
      NON_TRANSLATE_32: { at: bit(11), about: '32-bit DMA may go untranslated (Naples)' },
      IVC_ENABLE: { at: bit(23), about: 'interrupt vectors are cached' },
      IVE_128: { at: bit(24), about: 'vectors stand 128 bytes apart, else 16' },
    },
    about: 'Master switches; the other bits firmware sets have no public meaning and are stored.',
    source: 'skiboot hw/phb3.c: phb3_init_hw (Init_87)',
  },
  PHB_AIB_RX_CRED_INIT_TIMER: {
    offset: 0x818,
    access: 'read-write',
    known: 'stated',
    about: 'Delay before AIB credits are exchanged; code unknown, stored.',
    source: 'skiboot hw/phb3.c: phb3_setup_aib',
  },
  PHB_AIB_RX_CMD_CRED: {
    offset: 0x820,
    access: 'read-write',
    known: 'stated',
    fields: CHANNEL_FIELDS,
    about: 'Command credits the chip grants on the AIB.',
    source: 'skiboot hw/phb3.c: phb3_setup_aib',
  },
  PHB_AIB_RX_DATA_CRED: {
    offset: 0x828,
    access: 'read-write',
    known: 'stated',
    fields: CHANNEL_FIELDS,
    about: 'Data credits the chip grants on the AIB.',
    source: 'skiboot hw/phb3.c: phb3_setup_aib',
  },
  PHB_AIB_TX_CMD_CRED: unnamed(0x830, 'read-write', 'Command credits towards the PBCQ'),
  PHB_AIB_TX_DATA_CRED: unnamed(0x838, 'read-write', 'Data credits towards the PBCQ'),
  PHB_AIB_TX_CHAN_MAPPING: {
    offset: 0x840,
    access: 'read-write',
    known: 'stated',
    about: 'AIB channel of each upbound command class, four bits a class.',
    source: 'skiboot hw/phb3.c: phb3_setup_aib',
  },
  PHB_AIB_TAG_ENABLE: {
    offset: 0x858,
    access: 'read-write',
    known: 'stated',
    fields: { TAGS: { at: bits(0, 31), about: 'one bit a DMA read tag' } },
    about: 'DMA read tags in use.',
    source: 'skiboot hw/phb3.c: phb3_setup_aib',
  },
  PHB_AIB_FENCE_CTRL: unnamed(0x860, 'read-write', 'Fence control'),
  PHB_TCE_TAG_ENABLE: {
    offset: 0x868,
    access: 'read-write',
    known: 'stated',
    fields: { TAGS: { at: bits(0, 31), about: 'one bit a TCE read tag' } },
    about: 'TCE read tags in use.',
    source: 'skiboot hw/phb3.c: phb3_setup_aib',
  },
  PHB_TCE_WATERMARK: {
    offset: 0x870,
    access: 'read-write',
    known: 'stated',
    about: 'Queue limits for TCE requests, lowered on the second Murano; layout unknown, stored.',
    source: 'skiboot hw/phb3.c: phb3_init_hw',
  },
  PHB_TIMEOUT_CTRL1: {
    offset: 0x878,
    access: 'read-write',
    known: 'stated',
    about: 'Timeout codes, one byte a source; the codes are stored, not interpreted.',
    source: 'skiboot hw/phb3.c: phb3_init_hw (Init_142)',
  },
  PHB_TIMEOUT_CTRL2: {
    offset: 0x880,
    access: 'read-write',
    known: 'stated',
    about: 'More timeout codes of the same form.',
    source: 'skiboot hw/phb3.c: phb3_init_hw (Init_143)',
  },
  PHB_QUIESCE_DMA_G: {
    offset: 0x888,
    access: 'read-write',
    known: 'stated',
    fields: {
      QUIESCE: { at: bit(0), about: 'hold new inbound DMA' },
      AUTORESET: { at: bit(1), about: 'release when idle' },
      DMA_RESPONSE: { at: bit(4), about: 'DMA response queue is idle' },
      MMIO_RESPONSE: { at: bit(5), about: 'MMIO response queue is idle' },
      TCE_RESPONSE: { at: bit(6), about: 'TCE response queue is idle' },
    },
    about: 'Stalls inbound DMA without an error.',
    source: 'qemu pnv_phb3_reg_write',
  },
  PHB_AIB_TAG_STATUS: unnamed(0x900, 'read-only', 'DMA read tags outstanding'),
  PHB_TCE_TAG_STATUS: unnamed(0x908, 'read-only', 'TCE read tags outstanding'),
} as const satisfies Record<string, RegisterDeclaration>;
