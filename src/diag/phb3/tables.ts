/** PHB3 error registers for the decoder: the chip's own bit lists plus what each bit means to the rules. Facts: ioda2-phb3 7.4 to 7.6. */
import { LEM_BITS } from '../../ioda2/error-bits/lem.js';
import { NFIR_BITS, NFIR_SOURCE } from '../../ioda2/error-bits/nfir.js';
import { TRAP_BITS } from '../../ioda2/error-bits/traps.js';
import { type BitTable, declareBits, type ErrorClass, rowOf } from '../bit-table.js';
import type { Signal } from '../signals.js';

type SignalsByBit = Readonly<Record<number, Signal>>;
type ChipTrap = keyof typeof TRAP_BITS;

const TRAP_SIGNALS: Readonly<Record<ChipTrap, SignalsByBit>> = {
  PHB: {
    26: 'bad-register-access',
    30: 'bad-register-access',
    42: 'bad-register-access',
    43: 'bad-register-access',
    44: 'bad-register-access',
    32: 'pcie-core',
    40: 'pcie-core',
  },
  OUT: {
    1: 'mmio-no-window',
    2: 'mmio-no-window',
    12: 'corrected',
    17: 'config-write-refused',
    18: 'link-stuck',
    22: 'internal',
    24: 'config-request',
    25: 'config-request',
    26: 'config-request',
    27: 'config-request',
    28: 'injected',
    29: 'config-write-timeout',
    42: 'corrected',
  },
  INA: {
    0: 'completion-ca',
    1: 'completion-ur',
    2: 'msi-malformed',
    3: 'msi-malformed',
    18: 'ur-marker',
    22: 'msi-out-of-range',
    23: 'msi-out-of-range',
    24: 'poisoned',
    26: 'dma-no-window',
    28: 'dma-out-of-window',
    31: 'msi-wrong-pe',
    32: 'table-bar-disabled',
    34: 'completion-lost',
    35: 'completion-unexpected',
    39: 'injected',
    40: 'rid-without-pe',
    49: 'tce-permission',
    50: 'tce-permission',
  },
  INB: {
    17: 'migration',
    18: 'migration',
    24: 'memory-timeout',
    40: 'corrected',
    51: 'table-bar-disabled',
    57: 'message-fatal',
    58: 'message-nonfatal',
    59: 'message-correctable',
  },
};

/** LEM bits that say what happened even without their trap. */
const LEM_SIGNALS: SignalsByBit = {
  1: 'mmio-no-window',
  12: 'config-write-refused',
  15: 'config-request',
  16: 'bad-register-access',
  27: 'injected',
  29: 'link-retrain',
  33: 'msi-wrong-pe',
  34: 'msi-out-of-range',
  35: 'dma-window',
  36: 'message-fatal',
  37: 'message-nonfatal',
  38: 'message-correctable',
  39: 'injected',
  41: 'poisoned',
  43: 'completion-failed',
  44: 'completion-lost',
  45: 'completion-unexpected',
  49: 'table-bar-disabled',
  50: 'corrected',
  53: 'rid-without-pe',
  54: 'migration',
  55: 'memory-timeout',
  56: 'ur-marker',
  57: 'memory-timeout',
  58: 'tce-permission',
  60: 'pcie-core',
  61: 'pcie-core',
};

const CLASS: Readonly<Record<'FENCE' | 'ER' | 'INF' | 'none', ErrorClass>> = {
  FENCE: 'Fatal',
  ER: 'ER',
  INF: 'INF',
  none: 'none',
};

function trapTable(trap: ChipTrap, about: string): BitTable {
  const rows = TRAP_BITS[trap].map((entry) => rowOf(entry, CLASS[entry.class], TRAP_SIGNALS[trap][entry.bit]));
  return declareBits({
    register: trap,
    about,
    source: 'skiboot hw/phb3.c; PHB4 specification',
    known: 'inferred',
    rows,
  });
}

export const PHB3_PHB = trapTable('PHB', 'register bus and PCIe core');
export const PHB3_OUT = trapTable('OUT', 'outbound: MMIO and config requests to the link');
export const PHB3_INA = trapTable('INA', 'inbound, first half: completions and DMA checks');
export const PHB3_INB = trapTable('INB', 'inbound, second half: merge, AIB send, messages');

export const PHB3_LEM = declareBits({
  register: 'LEM',
  about: 'local error macro: which group of errors',
  source: 'skiboot hw/phb3.c: phb3_err_check_lem',
  known: 'inferred',
  rows: LEM_BITS.map((entry) => rowOf(entry, CLASS[entry.class], LEM_SIGNALS[entry.bit])),
});

const NEST_SIGNALS: SignalsByBit = {
  16: 'fence-echo',
  27: 'capp',
  28: 'informational',
  29: 'informational',
  30: 'informational',
};

export const PHB3_NEST_FIR = declareBits({
  register: 'NFIR',
  about: 'processor-bus side of the bridge (PBCQ)',
  source: NFIR_SOURCE,
  known: 'stated',
  rows: NFIR_BITS.map((entry) => ({
    bits: [entry.bit],
    about: entry.about,
    class: entry.opal === 'none' ? 'none' : 'Fatal',
    signal: NEST_SIGNALS[entry.bit] ?? 'nest-hardware',
  })),
});

export const PHB3_SUMMARY = declareBits({
  register: 'PHB_STS',
  about: 'error summary, processor side and DMA side',
  source: 'real dump; skiboot hw/phb3.c',
  known: 'derived',
  rows: [
    { bits: [27], about: 'any error', signal: 'summary' },
    { bits: [28], about: 'any first error', signal: 'summary' },
    { bits: [29], about: 'any freeze', signal: 'summary' },
  ],
});
