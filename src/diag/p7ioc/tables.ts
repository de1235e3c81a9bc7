/**
 * P7IOC error registers for the decoder: the chip's own bit lists plus what each bit means to the rules. Most names are
 * those of the successors, so nothing read from them alone is certain. Facts: ioda1-p7ioc 7.4 to 7.6.
 */
import { LEM_BITS } from '../../ioda1/error-bits/lem.js';
import { TRAP_BITS, type TrapClass } from '../../ioda1/error-bits/traps.js';
import type { ErrorClass as LemClass } from '../../ioda1/error-bits/units.js';
import { type BitTable, declareBits, type ErrorClass, rowOf } from '../bit-table.js';
import type { Signal } from '../signals.js';

const SOURCE = 'skiboot hw/p7ioc-phb.c: p7ioc_phb_init_errors; PHB4 specification for the names';

type SignalsByBit = Readonly<Record<number, Signal>>;
type ChipTrap = keyof typeof TRAP_BITS;

const everyBit = (signal: Signal, ...bits: readonly number[]): SignalsByBit =>
  Object.fromEntries(bits.map((bit) => [bit, signal]));

const TRAP_SIGNALS: Readonly<Record<ChipTrap, SignalsByBit>> = {
  PHB: {
    ...everyBit('bad-register-access', 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
    33: 'pcie-core',
    34: 'pcie-core',
    39: 'internal',
    40: 'internal',
    41: 'completion-timeout',
  },
  OUT: {
    2: 'mmio-no-window',
    12: 'corrected',
    17: 'config-write-refused',
    18: 'link-stuck',
    22: 'internal',
    23: 'internal',
    ...everyBit('config-request', 24, 25, 26, 27),
    28: 'injected',
    38: 'mmio-no-window',
    39: 'mmio-no-window',
  },
  INA: {
    0: 'completion-ca',
    1: 'completion-ur',
    2: 'msi-malformed',
    3: 'msi-malformed',
    18: 'ur-marker',
    19: 'completion-timeout',
    22: 'memory-timeout',
    23: 'dma-window',
    24: 'poisoned',
    25: 'msi-out-of-range',
    26: 'dma-no-window',
    27: 'msi-wrong-pe',
    28: 'dma-out-of-window',
    29: 'tce-permission',
    30: 'tce-permission',
    31: 'msi-out-of-range',
    39: 'injected',
    49: 'message-fatal',
    50: 'message-nonfatal',
    58: 'message-correctable',
  },
  INB: {},
};

/** LEM bits that say what happened even without their trap. */
const LEM_SIGNALS: SignalsByBit = {
  1: 'mmio-no-window',
  3: 'injected',
  12: 'config-write-refused',
  13: 'completion-timeout',
  15: 'config-request',
  16: 'bad-register-access',
  18: 'bad-register-access',
  27: 'mmio-no-window',
  31: 'pcie-core',
  33: 'msi-wrong-pe',
  34: 'msi-out-of-range',
  35: 'dma-window',
  36: 'message-fatal',
  37: 'message-nonfatal',
  38: 'message-correctable',
  39: 'injected',
  41: 'memory-timeout',
  43: 'completion-failed',
  44: 'poisoned',
  45: 'poisoned',
  46: 'corrected',
  47: 'poisoned',
  50: 'corrected',
  56: 'informational',
  57: 'memory-timeout',
  58: 'tce-permission',
  60: 'pcie-core',
  61: 'pcie-core',
};

const TRAP_CLASS: Readonly<Record<TrapClass, ErrorClass>> = { FENCE: 'Fatal', ER: 'ER', log: 'INF' };
const LEM_CLASS: Readonly<Record<LemClass, ErrorClass>> = {
  GXE: 'Fatal',
  PLL: 'Fatal',
  RGA: 'Fatal',
  PHB: 'Fatal',
  ER: 'ER',
  INF: 'INF',
  MAL: 'INF',
};

function trapTable(trap: ChipTrap, register: string, about: string): BitTable {
  const rows = TRAP_BITS[trap].map((entry) => rowOf(entry, TRAP_CLASS[entry.class], TRAP_SIGNALS[trap][entry.bit]));
  return declareBits({ register, about, source: SOURCE, known: 'inferred', rows });
}

export const P7IOC_ERR = trapTable('PHB', 'ERR', 'register bus and PCIe core');
export const P7IOC_OUT = trapTable('OUT', 'OUT', 'outbound: MMIO and config requests to the link');
export const P7IOC_INA = trapTable('INA', 'INA', 'inbound, first half: completions and DMA checks');
export const P7IOC_INB = trapTable('INB', 'INB', 'inbound, second half: merge and AIB send');

export const P7IOC_LEM: BitTable = declareBits({
  register: 'LEM',
  about: 'local error macro: which group of errors',
  source: SOURCE,
  known: 'inferred',
  rows: LEM_BITS.map((entry) => rowOf(entry, LEM_CLASS[entry.class], LEM_SIGNALS[entry.bit])),
});

export const P7IOC_SUMMARY: BitTable = declareBits({
  register: 'PHB_STS',
  about: 'error summary, processor side and DMA side',
  source: SOURCE,
  known: 'inferred',
  rows: [
    { bits: [27], about: 'any error', signal: 'summary' },
    { bits: [28], about: 'any first error', signal: 'summary' },
    { bits: [29], about: 'any freeze', signal: 'summary' },
  ],
});

/** The hub is a chip of its own: the bridge has no nest side. */
export const P7IOC_NO_NEST: BitTable = declareBits({
  register: 'NFIR',
  about: 'none on this chip',
  source: SOURCE,
  known: 'stated',
  rows: [],
});
