/**
 * The four error traps of a P7IOC PHB, bit by bit: class, meaning, LEM bit. Classes follow from the enables firmware
 * programs; meanings mostly from PHB4, where the class agrees. Facts: ioda1-p7ioc 7.5, 7.6.
 * Source: skiboot p7ioc hw/p7ioc-phb.c: p7ioc_phb_init_errors; skiboot external/pci-scripts/phberr.py.
 */
import { type BitList, expandBits, type TrapName } from '../../ioda/bit-lists.js';
import { allTrapBits, classMask, type Meaning, type NamedTrapBit, namedTrapBit } from '../../ioda/trap-bits.js';

/** FENCE: fences the PHB. ER: freezes PEs. log: only latches and reports. */
export type TrapClass = 'FENCE' | 'ER' | 'log';

export interface TrapBit extends NamedTrapBit {
  readonly class: TrapClass;
  /** LEM bit the trap bit is forwarded to: every bit has one, though firmware keeps PHB 35 from it. */
  readonly lem: number;
}

interface TrapDeclaration {
  readonly fences: BitList;
  readonly freezes: BitList;
  readonly meanings: Readonly<Record<number, Meaning>>;
  /** Which LEM bit stands for which trap bits (M). */
  readonly lem: readonly (readonly [lem: number, bits: BitList])[];
  /** LEM bits of the rest, by class (M). */
  readonly otherwise: Readonly<Record<TrapClass, number>>;
}

const PHB: TrapDeclaration = {
  fences: [[0, 25], 29, 31, 32, 36, 37],
  freezes: [33, 34, [39, 41]],
  meanings: {
    0: ['REGISTER_BUS_ADDRESS', 'register bus request: address', 'inferred'],
    1: ['SET_A_ADDRESS', 'register set A: address', 'inferred'],
    2: ['SET_A_SIZE', 'register set A: size', 'inferred'],
    3: ['SET_A_CONFIG', 'register set A: configuration', 'inferred'],
    4: ['SET_A_TABLE', 'register set A: table', 'inferred'],
    5: ['SET_A_PARITY', 'register set A: parity', 'inferred'],
    11: ['CORE_ADDRESS', 'register of the PCIe core: address', 'inferred'],
    15: ['STATE_MACHINE', 'state machine of the register logic', 'inferred'],
    33: ['UTL_FATAL', 'fatal event of the PCIe core', 'assumed'],
    34: ['UTL_NONFATAL', 'other event of the PCIe core', 'assumed'],
    39: ['TAG_REUSE', 'a tag was used again too early', 'assumed'],
    40: ['PARITY_UE', 'uncorrectable data', 'assumed'],
    41: ['OUTBOUND_TIMEOUT', 'an outbound request timed out', 'assumed'],
  },
  lem: [
    [60, [33]],
    [61, [34, [39, 41]]],
  ],
  otherwise: { FENCE: 17, ER: 61, log: 20 },
};

const OUT: TrapDeclaration = {
  fences: [0, [3, 5], [7, 11], [14, 16], [18, 21], [32, 35], [40, 43], [49, 51], [60, 63]],
  freezes: [17, 22, 23, 28, 38, 39],
  meanings: {
    0: ['AIB_COMMAND', 'the AIB carried a command that does not exist', 'derived'],
    2: ['MMIO_NO_WINDOW', 'the address is in no window', 'inferred'],
    3: ['AIB_SIZE', 'the AIB carried an invalid size', 'inferred'],
    4: ['AIB_COMMAND_PARITY', 'parity of an AIB command', 'inferred'],
    5: ['AIB_DATA_PARITY', 'parity of AIB data control', 'inferred'],
    8: ['AIB_ALIGNMENT', 'the AIB carried a misaligned address', 'inferred'],
    9: ['AIB_COMMAND_UE', 'parity of a command', 'inferred'],
    10: ['AIB_DATA_UE', 'uncorrectable data', 'inferred'],
    11: ['AIB_SEQUENCE', 'data out of sequence', 'inferred'],
    12: ['AIB_DATA_CE', 'corrected data', 'inferred'],
    14: ['COMMAND_CREDITS', 'credits for commands', 'inferred'],
    15: ['DATA_CREDITS', 'credits for data', 'inferred'],
    16: ['CONTROL_PARITY', 'parity towards the core', 'inferred'],
    17: ['CONFIG_WRITE', 'a configuration write was answered with CA or UR', 'inferred'],
    18: ['FORWARD_PROGRESS', 'no forward progress', 'inferred'],
    19: ['MMIO_READ_PENDING', 'error of pending loads', 'inferred'],
    20: ['MMIO_WRITE_PENDING', 'error of pending stores', 'inferred'],
    21: ['CONFIG_PENDING', 'error of pending configuration cycles', 'inferred'],
    22: ['MMIO_WRITE_DATA', 'a store carried bad data', 'inferred'],
    23: ['STORE_FIFO', 'FIFO of store data', 'inferred'],
    24: ['CONFIG_NOT_ENABLED', 'configuration cycle without the enable bit', 'inferred'],
    25: ['CONFIG_SIZE', 'configuration access of a wrong size or alignment', 'inferred'],
    26: ['CONFIG_ADDRESS', 'configuration cycle to a bus that is not there', 'inferred'],
    27: ['CONFIG_LINK_DOWN', 'configuration cycle over a dead link', 'inferred'],
    28: ['PAPR_INJECTION', 'an armed outbound injection fired', 'stated'],
    38: ['SEGMENT_TABLE', 'segment table of the M32 or IO window', 'assumed'],
    39: ['M64_SEGMENT_TABLE', 'segment table of the M64 windows', 'assumed'],
  },
  lem: [
    [0, [0]],
    [1, [2]],
    [3, [28]],
    [12, [17]],
    [6, [22, 23]],
    [27, [38, 39]],
    [15, [[24, 27]]],
  ],
  otherwise: { FENCE: 2, ER: 6, log: 6 },
};

const INA: TrapDeclaration = {
  fences: [[2, 15], 17, 19, [33, 38], 41, 43, 45, 47, 48, [51, 57], 59, 60],
  freezes: [0, 1, [22, 31], 39, 49, 50],
  meanings: {
    0: ['COMPLETION_CA', 'a completion carried CA, or none came', 'inferred'],
    1: ['COMPLETION_UR', 'a completion carried UR', 'inferred'],
    2: ['MSI_SIZE', 'an MSI of a wrong size', 'inferred'],
    3: ['MSI_ALIGNMENT', 'an MSI off its alignment', 'inferred'],
    17: ['DATA_CONTROL_PARITY', 'parity of data control', 'inferred'],
    18: ['REQUEST_UNSUPPORTED', 'a packet of no kind the bridge takes', 'inferred'],
    19: ['COMPLETION_TIMEOUT', 'the completion table timed out', 'inferred'],
    22: ['DMA_RESPONSE', 'memory did not answer, or with an error', 'assumed'],
    23: ['TVE_REQUESTER', 'the TVE is not for this requester', 'assumed'],
    24: ['POISONED', 'a poisoned packet came in', 'inferred'],
    25: ['MVE_INVALID', 'the MSI validation entry is not valid', 'assumed'],
    26: ['TVE_INVALID', 'the TVE is not valid', 'inferred'],
    27: ['MSI_MISMATCH', 'requester or PE may not send this MSI', 'inferred'],
    28: ['TVE_RANGE', 'the address is outside the window of the TVE', 'inferred'],
    29: ['TCE_PAGE_FAULT', 'the TCE grants nothing', 'assumed'],
    30: ['TCE_ACCESS_FAULT', 'the TCE does not grant this access', 'assumed'],
    31: ['MSI_ADDRESS', 'address or data of an MSI are out of range', 'assumed'],
    39: ['PAPR_INJECTION', 'an armed inbound injection fired', 'inferred'],
    49: ['ERR_FATAL', 'an ERR_FATAL message came in', 'assumed'],
    50: ['ERR_NONFATAL', 'an ERR_NONFATAL message came in', 'assumed'],
    58: ['ERR_CORR', 'an ERR_COR message came in', 'assumed'],
  },
  lem: [
    [43, [0, 1, 24]],
    [33, [27]],
    [34, [25, 31]],
    [35, [23, 26, 28]],
    [58, [29, 30]],
    [41, [22]],
    [39, [39]],
    [36, [49]],
    [37, [50]],
    [38, [58]],
  ],
  otherwise: { FENCE: 40, ER: 41, log: 42 },
};

const INB: TrapDeclaration = {
  fences: [3, 4, [8, 16], [24, 39], [41, 47]],
  freezes: [],
  meanings: {},
  lem: [],
  otherwise: { FENCE: 49, ER: 50, log: 50 },
};

const DECLARATIONS: Readonly<Record<TrapName, TrapDeclaration>> = { PHB, OUT, INA, INB };

function trapBit(trap: TrapName, bit: number): TrapBit {
  const { fences, freezes, meanings, lem, otherwise } = DECLARATIONS[trap];
  const trapClass = expandBits(fences).includes(bit) ? 'FENCE' : expandBits(freezes).includes(bit) ? 'ER' : 'log';
  const feed = lem.find(([, bits]) => expandBits(bits).includes(bit));
  return { ...namedTrapBit(trap, bit, meanings), class: trapClass, lem: feed?.[0] ?? otherwise[trapClass] };
}

export const TRAP_BITS = allTrapBits(trapBit);

/** All bits of one class in a trap, as a register value. */
export function trapClassMask(trap: TrapName, trapClass: TrapClass): bigint {
  return classMask(TRAP_BITS[trap], trapClass);
}
