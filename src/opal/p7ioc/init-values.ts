/**
 * Values that firmware programs into a PHB at initialisation, in its order. Bits without a public name stand as whole words.
 * Source: skiboot p7ioc hw/p7ioc-phb.c: p7ioc_phb_init, p7ioc_phb_init_utl, p7ioc_phb_init_errors. Facts: ioda1-p7ioc 8.6, 7.4, 7.5.
 */
import { ALL_ONES } from '../../hw/bits.js';
import { TRAP_NAMES, type TrapName } from '../../ioda/bit-lists.js';
import { trapRegisterName } from '../../ioda/trap-registers.js';
import { PHB_REGISTERS, type PhbRegisterName } from '../../ioda1/registers/phb.js';
import { type TrapRouting, trapSetup } from '../bridge-init.js';
import { word } from '../field-words.js';

export type PhbWrite = readonly [register: PhbRegisterName, value: bigint];

/** Channels, credits and tags of the AIB, by the side path. */
export const AIB_SETUP: readonly PhbWrite[] = [
  ['PHB_AIB_TX_CHAN_MAPPING', 0x0211_3000_0000_0000n],
  ['PHB_AIB_RX_CMD_CRED', 0x0020_0020_0020_0001n],
  ['PHB_AIB_RX_DATA_CRED', 0x0000_0020_0000_0001n],
  ['PHB_AIB_RX_CRED_INIT_TIMER', 0xff00_0000_0000_0000n],
  ['PHB_AIB_TAG_ENABLE', 0xffff_ffff_0000_0000n],
  ['PHB_TCE_TAG_ENABLE', 0xffff_ffff_0000_0000n],
];

/** Eight lanes, second generation. */
export const SYSTEM_CONFIG = 0x4228_00fc_2000_0000n;

/** Core and PERST released; at first with the error report macros in reset. */
const RELEASED = word(PHB_REGISTERS, 'PHB_RESET', { CORE_0: 1, CORE_1: 1, PERST: 1 });
export const RESET_FIRST = RELEASED | word(PHB_REGISTERS, 'PHB_RESET', { ERROR_REPORT: 1 });
export const RESET_RUNNING = RELEASED;

export const PHB2_CONFIG = word(PHB_REGISTERS, 'PHB_PHB2_CONFIG', {
  TCE_64B: 1,
  MSI_32: 1,
  IO: 1,
  MSI_64: 1,
  M32: 1,
});

/** Port events that reach the trap: none of the link's while it is expected to change. */
export const PORT_IRQS = {
  init: 0x7e65_0000_0000_0000n,
  'link-down': 0x7e00_0000_0000_0000n,
  'link-up': 0xfe65_0000_0000_0000n,
} as const;
/** Acknowledges every port event but a change of the link's state. */
const PORT_STATUS_INIT = 0xff7f_ffff_ffff_ffffn;
/** Acknowledges what a change of the link raises. */
export const PORT_STATUS_LINK_UP = 0x00e0_0000_0000_0000n;

export const UTL_SETUP: readonly PhbWrite[] = [
  ['UTL_SYS_BUS_AGENT_STATUS', ALL_ONES],
  ['UTL_SYS_BUS_AGENT_ERR_SEVERITY', 0n],
  ['UTL_SYS_BUS_AGENT_IRQ_EN', 0xac80_0000_0000_0000n],
  ['UTL_OUT_POST_DAT_BUF_ALLOC', 0x0400_0000_0000_0000n],
  ['UTL_IN_POST_HDR_BUF_ALLOC', 0x1000_0000_0000_0000n],
  ['UTL_IN_POST_DAT_BUF_ALLOC', 0x4000_0000_0000_0000n],
  ['UTL_PCIE_TAGS_ALLOC', 0x0800_0000_0000_0000n],
  ['UTL_GBIF_READ_TAGS_ALLOC', 0x0800_0000_0000_0000n],
  ['UTL_PCIE_PORT_CONTROL', 0x8480_0000_0000_0000n],
  ['UTL_PCIE_PORT_STATUS', PORT_STATUS_INIT],
  ['UTL_PCIE_PORT_ERROR_SEV', 0x00e0_0000_0000_0000n],
  ['UTL_PCIE_PORT_IRQ_EN', PORT_IRQS.init],
  ['UTL_RC_STATUS', ALL_ONES],
];

/** Check sums in the chip's memories, all TCE tags, and failed DMA reads answered with an abort. */
export const PHB_CONTROL = 0x7f38_0000_0000_0000n;

/** What freezes also interrupts, and everything is latched. */
const TRAP_ROUTING: Readonly<Record<TrapName, Omit<TrapRouting, 'statusMask'>>> = {
  PHB: { lem: 0xffff_ffff_efff_ffffn, freeze: 0x0000_0000_61c0_0000n, fence: 0xffff_ffc5_8c00_0000n },
  OUT: { lem: ALL_ONES, freeze: 0x0000_4308_0300_0000n, fence: 0x9df3_bc00_f0f0_700fn },
  INA: { lem: ALL_ONES, freeze: 0xc000_03ff_0100_6000n, fence: 0x3fff_5000_7e55_9fd8n },
  INB: { lem: ALL_ONES, freeze: 0n, fence: 0x18ff_80ff_ff7f_0000n },
};
/** Errors of the LEM that pass: all but the recoverable ones, which travel by the error interrupt. */
export const LEM_MASK = {
  all: ALL_ONES,
  running: 0x1249_a114_7f50_0f2cn,
  'link-down': 0xadb6_50c9_808d_d051n,
} as const;

/** Init_98 to Init_138. */
export const ERROR_SETUP: readonly PhbWrite[] = [
  ['PHB_LEM_ERROR_MASK', LEM_MASK.all],
  ...TRAP_NAMES.flatMap((trap) => trapSetup(trap, { ...TRAP_ROUTING[trap], statusMask: 0n })),
  ['PHB_LEM_FIR_ACCUM', 0n],
  ['PHB_LEM_ACTION0', ALL_ONES],
  ['PHB_LEM_ACTION1', 0n],
  ['PHB_LEM_WOF', 0n],
];

/** Init_145 to Init_152. */
export const RUNNING_SETUP: readonly PhbWrite[] = [
  ...TRAP_NAMES.map((trap): PhbWrite => [trapRegisterName(trap, 'ERR_IRQ_ENABLE'), TRAP_ROUTING[trap].freeze]),
  ['PHB_LEM_ERROR_MASK', LEM_MASK.running],
  // DMA reads and writes may be translated ahead.
  ['PHB_TCE_PREFETCH', 0x0000_c000_0000_0000n],
  ['PHB_TIMEOUT_CTRL1', 0x1611_1120_1020_0000n],
  ['PHB_TIMEOUT_CTRL2', 0x0000_5613_0000_0000n],
];
