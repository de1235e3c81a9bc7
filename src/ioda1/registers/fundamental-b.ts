/** Fundamental registers B of a P7IOC PHB: version, reset, control, AIB credits and tags. Facts: ioda1-p7ioc 3.12, 12.1. */
import { bit, bits } from '../../hw/bits.js';
import type { RegisterDeclaration } from '../../hw/register.js';
import { RESET_FIELDS } from '../../ioda/phb-registers.js';
import { programmed, unnamed } from './unnamed.js';

const INIT = 'skiboot p7ioc hw/p7ioc-phb.c: p7ioc_phb_init';

/** Receive channels of the AIB: one 16-bit field each. */
const CHANNEL_FIELDS = {
  CHANNEL_0: { at: bits(0, 15), about: 'DKill' },
  CHANNEL_1: { at: bits(16, 31), about: 'DMA and TCE read responses' },
  CHANNEL_2: { at: bits(32, 47), about: 'interrupt reissue and return' },
  CHANNEL_3: { at: bits(48, 63), about: 'loads, stores and EOI' },
} as const;

const tags = (offset: number, what: string, step: string): RegisterDeclaration => ({
  offset,
  access: 'read-write',
  known: 'stated',
  fields: { TAGS: { at: bits(0, 31), about: 'one bit a tag' } },
  about: `${what} that may be used.`,
  source: `${INIT} (${step})`,
});

const credits = (offset: number, what: string, step: string): RegisterDeclaration => ({
  offset,
  access: 'read-write',
  known: 'stated',
  fields: CHANNEL_FIELDS,
  about: `Receive credits for ${what}.`,
  source: `${INIT} (${step})`,
});

export const FUNDAMENTAL_B_REGISTERS = {
  PHB_VERSION: {
    offset: 0x800,
    access: 'read-only',
    known: 'assumed',
    reset: 0x0000_00a2_0000_0002n,
    fields: {
      FAMILY: { at: bits(24, 31), about: '0xa2' },
      LEVEL: { at: bits(48, 63), about: '1 is DD1.0, 2 is DD1.1' },
    },
    about: 'Chip revision, as far as it follows from what firmware compares it with.',
    source: 'skiboot include/p7ioc.h: P7IOC_REV_*; layout (M)',
  },
  PHB_RESET: {
    offset: 0x808,
    access: 'read-write',
    known: 'stated',
    resetKnown: 'assumed',
    fields: {
      ...RESET_FIELDS,
      ERROR_REPORT: { at: bit(4), about: 'holds the internal error report macros in reset' },
    },
    about: 'Reset lines of the core and of the slot.',
    source: `${INIT} (Init_8, Init_95); skiboot p7ioc hw/p7ioc-phb.c: p7ioc_freset`,
  },
  PHB_CONTROL: {
    offset: 0x810,
    access: 'read-write',
    known: 'derived',
    fields: {
      RAM_ECC: { at: bits(1, 7), about: 'ECC on the internal RAMs (M)' },
      TCAM_ENABLE: { at: bits(10, 12), about: 'entries of the TCE cache that may be used (M)' },
    },
    about: 'Master switches; also how a failed DMA read is answered; stored.',
    source: `${INIT} (Init_96)`,
  },
  PHB_AIB_RX_CRED_INIT_TIMER: programmed(0x818, 'Timer of AIB credit initialisation', `${INIT} (Init_4)`),
  PHB_AIB_RX_CMD_CRED: credits(0x820, 'commands', 'Init_2'),
  PHB_AIB_RX_DATA_CRED: credits(0x828, 'data', 'Init_3'),
  PHB_AIB_TX_CMD_CRED: unnamed(0x830, 'read-only', 'Transmit credits for commands'),
  PHB_AIB_TX_DATA_CRED: unnamed(0x838, 'read-only', 'Transmit credits for data'),
  PHB_AIB_TX_CHAN_MAPPING: {
    offset: 0x840,
    access: 'read-write',
    known: 'stated',
    fields: {
      DMA_WRITE: { at: bits(0, 3), about: 'channel of DMA writes' },
      DMA_READ: { at: bits(4, 7), about: 'channel of DMA reads' },
      MMIO_RESPONSE: { at: bits(8, 11), about: 'channel of load responses' },
      INTERRUPT: { at: bits(12, 15), about: 'channel of interrupts' },
      TCE_READ: { at: bits(16, 19), about: 'channel of TCE reads' },
    },
    about: 'AIB channel of each kind of outgoing traffic; stored.',
    source: `${INIT} (Init_1)`,
  },
  PHB_AIB_TX_CRED_SYNC_CTRL: unnamed(0x848, 'read-write', 'Synchronisation of transmit credits'),
  PHB_LEGACY_CTRL: {
    offset: 0x850,
    access: 'read-write',
    known: 'stated',
    fields: { DKILL: { at: bit(0), about: 'AIB DKill commands drop TCEs' } },
    about: 'Whether TCE kills on the AIB count; firmware leaves them off.',
    source: `${INIT} (Init_97)`,
  },
  PHB_AIB_TAG_ENABLE: tags(0x858, 'AIB tags', 'Init_5'),
  PHB_AIB_FENCE_CTRL: unnamed(0x860, 'read-write', 'Control of the AIB fence'),
  PHB_TCE_TAG_ENABLE: tags(0x868, 'TCE tags', 'Init_6'),
  PHB_TCE_WATERMARK: unnamed(0x870, 'read-write', 'Level of pending TCE fetches'),
  PHB_TIMEOUT_CTRL1: programmed(0x878, 'Timers 1, scale unknown', `${INIT} (Init_151)`),
  PHB_TIMEOUT_CTRL2: programmed(0x880, 'Timers 2, scale unknown', `${INIT} (Init_152)`),
  PHB_QUIESCE_DMA_G: unnamed(0x888, 'read-write', 'Quiesce of DMA'),
  PHB_AIB_TAG_STATUS: unnamed(0x900, 'read-only', 'AIB tags in use'),
  PHB_TCE_TAG_STATUS: unnamed(0x908, 'read-only', 'TCE tags in use'),
} as const satisfies Record<string, RegisterDeclaration>;
