/**
 * The units of the hub that have a local error macro, and the class of each of its 64 bits.
 * Facts: ioda1-p7ioc 3.1, 3.4, 7.4. Source: skiboot p7ioc hw/p7ioc.c: p7ioc_check_GEM, p7ioc_err_bit (severity masks).
 */
import { msbMasks } from '../../hw/bits.js';
import { type BitList, expandBits } from '../../ioda/bit-lists.js';

/**
 * What an error bit means: GXE fatal to the hub, PLL clock, RGA register access, PHB fence, ER a PE, INF information,
 * MAL a malfunction that is to be masked once told.
 */
export const ERROR_CLASSES = ['GXE', 'PLL', 'RGA', 'PHB', 'ER', 'INF', 'MAL'] as const;
export type ErrorClass = (typeof ERROR_CLASSES)[number];

export const PHBS_PER_HUB = 6;
export const CI_PORTS = 8;
/** The CI port of a PHB. */
export const ciPortOfPhb = (phb: number): number => phb + 2;

type Classes = Readonly<Partial<Record<ErrorClass, BitList>>>;

/** Macros with one set of classes. */
export type UnitKind = 'RGC' | 'BI_UP' | 'BI_DOWN' | 'CI_UPSTREAM' | 'CI_RGC' | 'CI_PHB' | 'MISC' | 'I2C' | 'PHB';

export const UNIT_CLASSES: Readonly<Record<UnitKind, Classes>> = {
  RGC: {
    GXE: [[0, 3], 16, [21, 22], [24, 26], [32, 35], 37, [40, 45], [48, 63]],
    RGA: [23],
    INF: [[4, 15], [17, 20], [27, 31], 36, [38, 39], [46, 47]],
  },
  // Hardware treats bit 40 as recoverable where software's table has 32: facts 12.2.
  BI_UP: {
    GXE: [
      [0, 3],
      [5, 31],
      [33, 63],
    ],
    INF: [4, 32],
  },
  BI_DOWN: {
    GXE: [[0, 1], [3, 19], [21, 27], [30, 31], 33, [35, 40], 56, [58, 63]],
    INF: [2, 20, [28, 29], 32, 34, [41, 55], 57],
  },
  CI_UPSTREAM: { GXE: [[0, 3], 5, [7, 15]], MAL: [4], INF: [6, [16, 63]] },
  CI_RGC: { GXE: [[0, 15]], INF: [[16, 63]] },
  CI_PHB: { GXE: [1, [3, 4], [6, 7], 12, [14, 15]], PHB: [0, 2, 5, [8, 11], 13], INF: [[16, 63]] },
  MISC: {
    GXE: [[30, 31], 35],
    PLL: [[39, 41]],
    MAL: [0, 2, 4, 6, 8, 10, [28, 29]],
    INF: [1, 3, 5, 7, 9, [11, 27], [32, 34], [36, 38], [42, 63]],
  },
  I2C: {
    GXE: [3, 7],
    INF: [
      [0, 2],
      [4, 6],
      [8, 63],
    ],
  },
  PHB: {
    PHB: [
      0,
      2,
      [4, 5],
      [7, 8],
      [10, 11],
      [13, 14],
      17,
      19,
      [24, 25],
      28,
      [30, 32],
      40,
      [44, 45],
      [47, 49],
      51,
      57,
      59,
      63,
    ],
    ER: [16, 18, 27, 29, [33, 39], 41, 43, 52, 55, 58, [60, 61]],
    INF: [1, 3, 6, 9, 12, 15, [20, 23], 26, 42, 46, 50, [53, 54], 56, 62],
  },
};

/** All bits of one class in a unit, as a register value. */
export function unitClassMask(unit: UnitKind, errorClass: ErrorClass): bigint {
  return msbMasks(...expandBits(UNIT_CLASSES[unit][errorClass] ?? []));
}

export function unitClassOf(unit: UnitKind, bit: number): ErrorClass {
  const found = ERROR_CLASSES.find((each) => expandBits(UNIT_CLASSES[unit][each] ?? []).includes(bit));
  if (found === undefined) throw new RangeError(`${unit} has no bit ${bit}: give 0 to 63`);
  return found;
}

type CiPort = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7;
/** Units of the hub itself; a PHB's macro is in the PHB. */
export type HubUnit = 'RGC' | 'BI_UP' | 'BI_DOWN' | `CI_P${CiPort}` | 'MISC' | 'I2C';

export interface HubUnitFacts {
  readonly kind: UnitKind;
  readonly lemBase: number;
  /** Bit of the unit in the registers of the global error macro. */
  readonly gemBit: number;
}

const ciPort = (port: CiPort): HubUnitFacts => ({
  kind: port === 0 ? 'CI_UPSTREAM' : port === 1 ? 'CI_RGC' : 'CI_PHB',
  lemBase: 0x3d_0200 + port * 0x1000,
  gemBit: 4 + port,
});

export const HUB_UNITS: Readonly<Record<HubUnit, HubUnitFacts>> = {
  RGC: { kind: 'RGC', lemBase: 0x3e_1e00, gemBit: 1 },
  BI_UP: { kind: 'BI_UP', lemBase: 0x3c_0000, gemBit: 2 },
  BI_DOWN: { kind: 'BI_DOWN', lemBase: 0x3c_0050, gemBit: 3 },
  CI_P0: ciPort(0),
  CI_P1: ciPort(1),
  CI_P2: ciPort(2),
  CI_P3: ciPort(3),
  CI_P4: ciPort(4),
  CI_P5: ciPort(5),
  CI_P6: ciPort(6),
  CI_P7: ciPort(7),
  MISC: { kind: 'MISC', lemBase: 0x3e_a000, gemBit: 24 },
  I2C: { kind: 'I2C', lemBase: 0x3e_b000, gemBit: 25 },
};

export const HUB_UNIT_NAMES = Object.keys(HUB_UNITS) as readonly HubUnit[];

/** The elastic interface has a bit but no registers, and raises nothing. */
export const EI_GEM_BIT = 0;
/** Bit of a PHB in the registers of the global error macro. */
export const gemBitOfPhb = (phb: number): number => 16 + phb;
