/**
 * Values that firmware programs into the hub at initialisation, in its order. Bits without a public name stand as whole words.
 * Source: skiboot p7ioc hw/p7ioc-inits.c: p7ioc_init_BI, p7ioc_init_RGC, p7ioc_init_CI, p7ioc_init_MISC, p7ioc_init_GEM.
 * Facts: ioda1-p7ioc 8.1 to 8.3, 8.7, 8.8.
 */

import type { HubRegisterName } from '../../ioda1/registers/hub.js';
import { CI_PORT_NUMBERS, type CiPort } from '../../ioda1/registers/hub-ci.js';
import type { PhbIndex } from '../../ioda1/registers/hub-rgc.js';

export type HubWrite = readonly [register: HubRegisterName, value: bigint];
export type Processor = 'p7' | 'p7+';

const TRACE_STOP = 0x4000_0000_0000_0000n;
const TRACE_UNFREEZE = 0x1000_0000_0000_0000n;
const TRACE_START = 0x8000_0000_0000_0000n;
const CAPTURE_ON = 0x8000_0000_0000_0000n;
const STOP_ON_ERROR = 0xf4f0_0fff_0000_0000n;

// ---- bus interface ----------------------------------------------------------------------------------------------------

/** Followed by a pause. */
export const BI_LINK: Readonly<Record<Processor, readonly HubWrite[]>> = {
  p7: [
    ['BI_CHICKEN_SWITCHES', 0x0004_0000_0000_04c0n],
    ['BI_GX_CONFIG', 0x9c89_29be_0088_0085n],
  ],
  'p7+': [
    ['BI_CHICKEN_SWITCHES', 0x0004_0000_0000_0600n],
    ['BI_GX_CONFIG', 0x9f89_29be_0088_0085n],
  ],
};

/** Transaction types whose sequencing firmware changes: loads, stores, EOI, DMA reads and responses, I/O kills. */
const TRANSACTION_TYPES: readonly (readonly [type: bigint, sequencing: bigint])[] = [
  [0x04n, 0x7008_00c0_0000_0000n],
  [0x05n, 0x7048_20c0_0000_0000n],
  [0x1bn, 0x3590_2040_0000_0000n],
  [0x20n, 0x1103_c4c0_0000_0000n],
  [0x01n, 0xc000_0000_0000_0000n],
  [0x09n, 0x4208_2100_0000_0000n],
  [0x0an, 0x4200_2100_0000_0000n],
  [0x21n, 0x4200_3000_0000_0000n],
];

const captureWords = (array: 0 | 1 | 2 | 3): readonly HubWrite[] => [
  [`BI_CAPTURE${array}_MODE`, CAPTURE_ON],
  [`BI_CAPTURE${array}_COMPRESSION0`, 0n],
  [`BI_CAPTURE${array}_COMPRESSION1`, 0n],
];

const BI_TRACE: readonly HubWrite[] = [
  ['BI_TRACE_RUN', TRACE_STOP],
  ['BI_TRACE_CONTROL', 0n],
  ['BI_TRACE_MODE', 0xa000_0000_f0cc_3300n],
  ['BI_TRACE_C0', STOP_ON_ERROR],
  ['BI_TRACE_SELECT', 0x0023_0000_0000_0000n],
  ...captureWords(0),
  ['BI_CAPTURE0_PATTERN', 0x0080_0000_7fff_ff00n],
  ['BI_CAPTURE0_TRIGGER', CAPTURE_ON],
  ...captureWords(1),
  ...captureWords(2),
  ...captureWords(3),
  ['BI_CAPTURE3_PATTERN', 0x8000_0100_fffe_ff00n],
  ['BI_CAPTURE3_TRIGGER', CAPTURE_ON],
  ['BI_TRACE_RUN', TRACE_UNFREEZE],
  ['BI_TRACE_RUN', TRACE_START],
];

const BI_ERRORS: readonly HubWrite[] = [
  ['BI_UP_LEM_FIR_ACCUM', 0n],
  ['BI_UP_LEM_WOF', 0n],
  ['BI_DOWN_LEM_FIR_ACCUM', 0n],
  ['BI_DOWN_LEM_WOF', 0n],
  ['BI_FENCE_STATUS', 0n],
  ['BI_ERROR_LATCHES', 0x0080_0000_0000_0000n],
  ['BI_UP_LEM_ACTION0', 0x0800_0000_0080_0000n],
  ['BI_UP_LEM_ACTION1', 0n],
  ['BI_UP_LEM_ERROR_AND_MASK', 0x0800_0000_0000_0000n],
  ['BI_DOWN_LEM_ACTION0', 0x2000_080c_a07f_ff40n],
  ['BI_DOWN_LEM_ACTION1', 0n],
  ['BI_DOWN_LEM_ERROR_AND_MASK', 0x0000_0800_200f_fe00n],
  ['BI_UP_LDCP0', 0xf7ff_ffff_ff7f_ffffn],
  ['BI_UP_LDCP1', 0xf7ff_ffff_ff7f_ffffn],
  ['BI_UP_LDCP2', 0x0010_0540_0000_0000n],
  ['BI_DOWN_LDCP0', 0xdfff_f7f3_5f80_00bfn],
  ['BI_DOWN_LDCP1', 0xdfff_f7f3_5f80_00bfn],
  ['BI_DOWN_LDCP2', 0x0000_000c_0000_0000n],
];

export const BI_SETUP: readonly HubWrite[] = [
  ['BI_UP_CREDITS', 0x0303_0604_0303_0000n],
  ['BI_CREDIT_TIMER', 0x0000_0000_0000_00ffn],
  ['BI_CREDIT_TIMER', 0x0000_fc00_0000_0000n],
  ['BI_ORDERING0', 0n],
  ['BI_ORDERING1', 0n],
  ...TRANSACTION_TYPES.flatMap(([type, sequencing]): HubWrite[] => [
    ['BI_TTYPE_ADDRESS', type],
    ['BI_TTYPE_DATA', sequencing],
  ]),
  ['BI_DOWN_TIMER_MASK', 0x0040_0000_0000_0000n],
  ['BI_UP_TIMER_MASK0', 0x0010_0010_0010_0010n],
  ['BI_UP_TIMER_MASK1', 0x0010_0000_0000_0000n],
  ['BI_CREDIT_CHECK', 0xc102_0000_0000_0000n],
  ...BI_TRACE,
  ['BI_AIB_PORTS', 0x0888_8888_0000_0000n],
  ['BI_ORDERING0', 0n],
  ...BI_ERRORS,
];

// ---- SerDes, register control -------------------------------------------------------------------------------------------

export const hssSetup = (phb: PhbIndex): readonly HubWrite[] => [
  [`HSS${phb}_CTL2`, 0xffff_6db6_db00_0000n],
  [`HSS${phb}_CTL3`, 0x1130_0003_2000_0000n],
  [`HSS${phb}_CTL8`, 0xdddd_dddd_0000_0000n],
];

export const RGC_ERRORS: readonly HubWrite[] = [
  ['RGC_LEM_FIR_ACCUM', 0n],
  ['RGC_LEM_ACTION0', 0x0fff_791f_0b03_0000n],
  ['RGC_LEM_ACTION1', 0n],
  ['RGC_LEM_WOF', 0n],
  ['RGC_LEM_ERROR_AND_MASK', 0x0fff_001f_0303_0000n],
  ['GEM_XFIR', 0n],
  ['GEM_RWOF', 0n],
  ['RGC_LDCP', 0xf000_86c0_b4fc_ffffn],
];

export const RGC_RUNNING: readonly HubWrite[] = [
  ['RGC_CONFIG', 0x1000_0077_ce10_0000n],
  ['RGC_CREDITS', 0x0000_0103_0007_00ffn],
  ['RGC_GP0_CONTROL', 0n],
];
export const RGC_CREDIT_TIMERS = 0x0000_3f00_0000_0000n;

// ---- crossbar -----------------------------------------------------------------------------------------------------------

const byPort = <T>(port0: T, port1: T, phbs: T): readonly T[] =>
  CI_PORT_NUMBERS.map((port) => (port === 0 ? port0 : port === 1 ? port1 : phbs));

/** Written twice, the first time with the pulse that clears the error reports. */
const CI_CONFIG = byPort(0x0200_00c0_073f_0002n, 0x0200_0fcf_0720_0002n, 0x0200_00c3_0720_0002n);
const CI_CLEAR_REPORTS = 0x4000_0000_0000_0000n;
const CI_CREDIT_TIMER = 0x003f_0000_0000_0000n;
/** Errors of a PHB's port that fence the PHB. */
export const CI_PHB_ERRORS = 0xa4f4_0000_0000_0000n;
const CI_ACTION0 = byPort(0x0a00_0000_0000_0000n, 0n, CI_PHB_ERRORS);
const CI_MASK = byPort(0x0200_0000_0000_0000n, 0n, 0n);
const CI_LDCP = byPort(0x421a_0000_0000_75ffn, 0x421a_0000_0000_7fffn, 0x421a_24f4_0000_5b0bn);

const CI_TRACE_PATTERN = 0xc020_0000_dfff_ff00n;

const ciTrace = (trace: 0 | 1, select: bigint): readonly HubWrite[] => [
  [`CI_TRACE${trace}_RUN`, TRACE_STOP | TRACE_UNFREEZE],
  [`CI_TRACE${trace}_MODE`, 0xb000_0000_f000_0000n],
  [`CI_TRACE${trace}_C0`, STOP_ON_ERROR],
  [`CI_TRACE${trace}_SELECT`, select],
  ...([0, 1] as const).flatMap((array): HubWrite[] => [
    [`CI_TRACE${trace}_ARRAY${array}_PATTERN`, CI_TRACE_PATTERN],
    [`CI_TRACE${trace}_ARRAY${array}_TRIGGER`, CAPTURE_ON],
    [`CI_TRACE${trace}_ARRAY${array}_MODE`, CAPTURE_ON],
  ]),
  [`CI_TRACE${trace}_RUN`, TRACE_START],
];

const CI_BUFFERS: readonly HubWrite[] = CI_PORT_NUMBERS.flatMap((port): HubWrite[] => {
  if (port === 0) {
    return [
      ['CI_P0_RX_COMMAND', 0x0808_0404_0000_0000n],
      ['CI_P0_RX_DATA', 0x0006_0002_0000_0000n],
    ];
  }
  const toPhb = port > 1;
  return [
    [`CI_P${port}_TX_COMMAND`, toPhb ? 0x0808_0808_0000_0000n : 0x0000_0404_0000_0000n],
    [`CI_P${port}_TX_DATA`, toPhb ? 0x0086_0082_0000_0000n : 0x0000_0048_0000_0000n],
    [`CI_P${port}_RX_COMMAND`, toPhb ? 0x0808_0808_0000_0000n : 0x0008_0000_0000_0000n],
    [`CI_P${port}_RX_DATA`, toPhb ? 0x8648_0000_0000_0000n : 0x0048_0000_0000_0000n],
  ];
});

/** All but port 0 have channels to order. */
const ORDERED_PORTS: readonly CiPort[] = CI_PORT_NUMBERS.filter((port) => port > 0);

export const CI_SETUP: readonly HubWrite[] = [
  ...CI_PORT_NUMBERS.flatMap((port): HubWrite[] => [
    [`CI_P${port}_CONFIG`, CI_CONFIG[port]! | CI_CLEAR_REPORTS],
    [`CI_P${port}_CONFIG`, CI_CONFIG[port]!],
  ]),
  ...CI_PORT_NUMBERS.flatMap((port): HubWrite[] => [
    [`CI_P${port}_LEM_FIR_ACCUM`, 0n],
    [`CI_P${port}_LEM_ACTION0`, CI_ACTION0[port]!],
    [`CI_P${port}_LEM_ACTION1`, 0n],
    [`CI_P${port}_LEM_WOF`, 0n],
    [`CI_P${port}_LEM_ERROR_AND_MASK`, CI_MASK[port]!],
  ]),
  ...CI_PORT_NUMBERS.map((port): HubWrite => [`CI_P${port}_LDCP`, CI_LDCP[port]!]),
  ...ciTrace(0, 0x0002_0000_0000_0000n),
  ...ciTrace(1, 0x0102_0000_0000_0000n),
  ...CI_BUFFERS,
  ...ORDERED_PORTS.map((port): HubWrite => [`CI_P${port}_ORDERING`, 0x73d0_735e_0000_0000n]),
];

/** After the routing: every port begins to work, the one towards the processor last. */
export const CI_RUNNING: readonly HubWrite[] = [...ORDERED_PORTS, 0 as const].map(
  (port): HubWrite => [`CI_P${port}_CONFIG`, CI_CONFIG[port]! | CI_CREDIT_TIMER],
);

// ---- clocks, central trace, error macro ---------------------------------------------------------------------------------

export const MISC_ERRORS: readonly HubWrite[] = [
  ['MISC_LEM_FIR_ACCUM', 0n],
  ['MISC_LEM_ACTION0', 0xffff_fffc_ee3f_ffffn],
  ['MISC_LEM_ACTION1', 0x0000_0000_01c0_0000n],
  ['MISC_LEM_WOF', 0n],
  ['MISC_LEM_ERROR_AND_MASK', 0x000f_03f0_cd3f_ffffn],
  ['I2C_LEM_FIR_ACCUM', 0n],
  ['I2C_LEM_ACTION0', 0xee00_0000_0000_0000n],
  ['I2C_LEM_ACTION1', 0n],
  ['I2C_LEM_WOF', 0n],
  ['I2C_LEM_ERROR_AND_MASK', 0x4600_0000_0000_0000n],
  ['RGC_GP0_CONTROL', 0x8888_8800_0000_0000n],
];

export const MISC_TRACE_STOP: readonly HubWrite[] = [
  ['MISC_TRACE_RUN', TRACE_STOP | TRACE_UNFREEZE],
  ['MISC_TRACE_CONTROL', 0n],
  ['MISC_TRACE_MODE', 0xb000_0000_f000_0000n],
  ['MISC_TRACE_C0', STOP_ON_ERROR],
  ['MISC_TRACE_C1', 0n],
  ['MISC_TRACE_C2', 0n],
  ['MISC_TRACE_C3', 0n],
  ['MISC_TRACE_C4', 0n],
  ['MISC_TRACE_C5', 0n],
  ['MISC_TRACE_SELECT', 0x0300_0000_0000_0000n],
];

export const MISC_TRACE_START: readonly HubWrite[] = [
  ...([0, 1, 2, 3] as const).flatMap((array): HubWrite[] => [
    [`MISC_CAPTURE${array}_PATTERN`, 0x4000_8000_ff7f_0000n],
    [`MISC_CAPTURE${array}_R1`, 0n],
    [`MISC_CAPTURE${array}_R2`, 0n],
    [`MISC_CAPTURE${array}_R3`, 0n],
    [`MISC_CAPTURE${array}_TRIGGER`, CAPTURE_ON],
    [`MISC_CAPTURE${array}_R5`, 0n],
    [`MISC_CAPTURE${array}_MODE`, CAPTURE_ON],
    [`MISC_CAPTURE${array}_R7`, 0n],
    [`MISC_CAPTURE${array}_R8`, 0n],
  ]),
  ['MISC_TRACE_RUN', TRACE_UNFREEZE],
  ['MISC_TRACE_RUN', TRACE_START],
  ['I2C_OPERATION', 0x8100_0000_0000_0000n],
];

/** Unmasks every unit there is. */
export const GEM_SETUP: readonly HubWrite[] = [
  ['GEM_XFIR', 0n],
  ['GEM_MASK', 0x000f_033f_ffff_ffffn],
  ['GEM_RWOF', 0n],
];
