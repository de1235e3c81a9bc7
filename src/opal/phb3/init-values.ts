/**
 * Values firmware programs at initialisation. Bits without a public name stand as whole words, as the firmware has them.
 * Source: skiboot hw/phb3.c: phb3_setup_aib, phb3_init_utl, phb3_init_errors, phb3_init_hw. Facts: ioda2-phb3 7.3, 8.2.
 */
import { ALL_ONES, setField } from '../../hw/bits.js';
import type { TrapName } from '../../ioda2/error-bits/bit-lists.js';
import { PBCQ_NEST_REGISTERS } from '../../ioda2/registers/pbcq.js';
import { PHB_REGISTERS, type PhbRegisterName } from '../../ioda2/registers/phb.js';
import type { TrapRouting } from '../bridge-init.js';
import { word } from '../field-words.js';
import { phbBits } from './access.js';

export type RegisterWrite = readonly [register: PhbRegisterName, value: bigint];

/** Chip revisions, as folded from VERSION. Source: skiboot include/phb3.h: PHB3_REV_*. */
export const Revision = {
  MURANO_DD20: 0xa30003,
  VENICE_DD20: 0xa30005,
  NAPLES_DD10: 0xb30001,
} as const;
/** Older silicon is not supported by this generation of firmware. */
export const OLDEST_REVISION = Revision.MURANO_DD20;

export function foldRevision(version: bigint): number {
  return Number((version >> 16n) & 0x00ff_0000n) | Number(version & 0xffffn);
}

/** Credits and tags of the AIB, written through the ASB before the AIB carries anything. */
export function aibSetup(revision: number): readonly RegisterWrite[] {
  const venice = revision >= Revision.VENICE_DD20;
  return [
    ['PHB_AIB_TX_CHAN_MAPPING', 0x0211_2300_0000_0000n],
    ['PHB_AIB_RX_CMD_CRED', venice ? 0x0020_0001_0002_0001n : 0x0020_0001_0001_0001n],
    ['PHB_AIB_RX_DATA_CRED', venice ? 0x0020_0020_0001_0001n : 0x0020_0020_0000_0001n],
    ['PHB_AIB_RX_CRED_INIT_TIMER', 0x0f00_0000_0000_0000n],
    ['PHB_AIB_TAG_ENABLE', 0xffff_ffff_0000_0000n],
    ['PHB_TCE_TAG_ENABLE', 0xffff_ffff_0000_0000n],
  ];
}

/** Link credits of the third PHB of Murano and Venice, whose default is wrong. */
export const SYS_LINK_INIT_PHB2 = 0x9008_1333_3212_0000n;
export const TCE_WATERMARK_MURANO_DD20 = 0x0003_0000_0003_0302n;
export const CORE_RESETS_RELEASED = word(PHB_REGISTERS, 'PHB_RESET', { CORE_0: 1, CORE_1: 1, CORE_3: 1 });

const configField = (name: string) => PBCQ_NEST_REGISTERS.field('HARDWARE_CONFIG0', name).at;

/** Hang detection scales of the queue, forced at every initialisation; the rest stays as the service firmware set it. */
export function pecSetup(config: bigint): bigint {
  return setField(setField(config, configField('HANG_POLL_SCALE'), 1n), configField('PE_DATA_POLL_SCALE'), 1n);
}

export function representTimer(revision: number): bigint {
  return revision >= Revision.NAPLES_DD10 ? 0x0014_0000_0000_0000n : 0x0004_0000_0000_0000n;
}

/** First with the 64-byte TCE bit alone, which also clears the TCE cache, then the decoders. */
export const PHB3_CONFIG_STEPS = [
  phbBits('PHB_PHB3_CONFIG', 'TCE_64B'),
  word(PHB_REGISTERS, 'PHB_PHB3_CONFIG', { MSI_32: 1, MSI_64: 1, M32: 1 }),
] as const;

/** Port interrupts: link down is left out while the link is expected to be down. Bit 12 stays off: it would freeze all PEs. */
export const PORT_IRQS = { 'link-up': 0xad52_8000_0000_0000n, 'link-down': 0xad42_8000_0000_0000n } as const;
/** Acknowledges every port event but bit 10. */
export const PORT_STATUS_ACKNOWLEDGE = 0xffdf_ffff_ffff_ffffn;

export function utlSetup(link: keyof typeof PORT_IRQS): readonly RegisterWrite[] {
  return [
    ['UTL_SYS_BUS_AGENT_STATUS', ALL_ONES],
    ['UTL_SYS_BUS_AGENT_ERR_SEVERITY', 0x5000_0000_0000_0000n],
    ['UTL_SYS_BUS_AGENT_IRQ_EN', 0xfcc0_0000_0000_0000n],
    // Outbound requests time out after 16 ms.
    ['UTL_PCIE_PORT_CONTROL', 0x8588_0070_0000_0000n],
    ['UTL_PCIE_PORT_STATUS', PORT_STATUS_ACKNOWLEDGE],
    ['UTL_PCIE_PORT_ERROR_SEV', 0x5039_0000_0000_0000n],
    ['UTL_PCIE_PORT_IRQ_EN', PORT_IRQS[link]],
    ['UTL_RC_STATUS', ALL_ONES],
  ];
}

/** The IVC stays off: this generation sets bit 27 where its predecessors set IVC_ENABLE. */
export const PHB_CONTROL = 0xf3a8_0edb_0000_0000n;
export const PHB_CONTROL_NAPLES = phbBits('PHB_CONTROL', 'NON_TRANSLATE_32');

export const TRAP_ROUTING: Readonly<Record<TrapName, TrapRouting & { readonly irq: bigint }>> = {
  PHB: {
    lem: ALL_ONES,
    freeze: 0x0000_0000_8080_0000n,
    fence: 0xffff_ffdd_0c00_ffc0n,
    irq: 0x0000_0022_80b8_0000n,
    statusMask: 0n,
  },
  OUT: {
    lem: 0xfdff_ffff_ffbf_ffffn,
    freeze: 0x0000_4208_0000_0000n,
    fence: 0x9cf3_bc00_f89c_700fn,
    irq: 0x600c_42fc_0420_80f0n,
    statusMask: 0x0000_0000_0040_0000n,
  },
  INA: {
    lem: ALL_ONES,
    freeze: 0xc000_03a9_0100_6000n,
    fence: 0x3fff_5452_fe01_9fden,
    irq: 0xc000_a3a9_0182_6020n,
    statusMask: 0n,
  },
  INB: {
    lem: ALL_ONES,
    freeze: 0x0000_6000_0000_0060n,
    fence: 0xfcff_80fb_ff7f_f08cn,
    irq: 0x0000_6000_0080_0070n,
    statusMask: 0n,
  },
};

export const LEM_SETUP: readonly RegisterWrite[] = [
  ['PHB_LEM_FIR_ACCUM', 0n],
  ['PHB_LEM_ACTION0', ALL_ONES],
  ['PHB_LEM_ACTION1', ALL_ONES],
  ['PHB_LEM_WOF', 0n],
];
/** Everything that is not fatal is masked: the fatal bits alone reach WOF. */
export const LEM_ERROR_MASK = 0x4249_8e36_7f50_2eaen;

export const TCE_SPECULATION = phbBits('PHB_TCE_SPEC_CTL', 'TCE_SPECULATION');
/** Per-source timeout codes of no public meaning; they outlast the timeout of outbound requests. */
export const TIMEOUTS: readonly RegisterWrite[] = [
  ['PHB_TIMEOUT_CTRL1', 0x1715_1520_1620_0000n],
  ['PHB_TIMEOUT_CTRL2', 0x2320_d716_0000_0000n],
];
