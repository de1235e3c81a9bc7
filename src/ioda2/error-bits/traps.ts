/**
 * The four error traps of PHB3, bit by bit: class, meaning, LEM bit.
 * Classes follow from the enables firmware programs; meanings mostly from PHB4. Facts: ioda2-phb3 7.3, 7.5.
 */
import type { Known } from '../../hw/register.js';
import { allTrapBits, classMask, type Meaning, type NamedTrapBit, namedTrapBit } from '../../ioda/trap-bits.js';
import { type BitList, type ErrorClass, expandBits, TRAP_NAMES, type TrapName } from './bit-lists.js';
import { LEM_BITS } from './lem.js';

export interface TrapBit extends NamedTrapBit {
  readonly class: ErrorClass;
  /** LEM bit the trap bit is forwarded to; undefined when it reaches none. */
  readonly lem: number | undefined;
  readonly lemKnown: Known | undefined;
}

interface TrapDeclaration {
  readonly classes: Readonly<Record<Exclude<ErrorClass, 'none'>, BitList>>;
  readonly meanings: Readonly<Record<number, Meaning>>;
}

const PHB: TrapDeclaration = {
  classes: {
    ER: [32, 40],
    INF: [26, 30, [42, 44]],
    FENCE: [[0, 25], [27, 29], 31, 36, 37, [48, 57]],
  },
  meanings: {
    26: ['REGISTER_ADDRESS', 'access to an offset without a register', 'assumed'],
    32: ['UTL_PRIMARY', 'primary interrupt of the PCIe core, link down among its causes', 'derived'],
    40: ['UTL_SECONDARY', 'secondary interrupt of the PCIe core', 'derived'],
  },
};

const OUT: TrapDeclaration = {
  classes: {
    ER: [17, 22, 28],
    INF: [1, 2, 12, 13, [24, 27], 29, 37, 42, 48, [56, 59]],
    FENCE: [0, [3, 5], [8, 11], [14, 16], [18, 21], [32, 36], 40, [43, 45], [49, 51], [60, 63]],
  },
  meanings: {
    0: ['AIB_COMMAND', 'the AIB carried a command that does not exist', 'inferred'],
    2: ['MMIO_NO_WINDOW', 'the address is in no MMIO window', 'inferred'],
    3: ['AIB_SIZE', 'the AIB carried an invalid size', 'inferred'],
    4: ['AIB_CONTROL_PARITY', 'parity of AIB control', 'inferred'],
    5: ['AIB_COMMAND_PARITY', 'parity of an AIB command', 'inferred'],
    8: ['AIB_ALIGNMENT', 'the AIB carried a misaligned address', 'inferred'],
    9: ['AIB_DATA_PARITY', 'parity of AIB data', 'inferred'],
    10: ['AIB_DATA_UE', 'uncorrectable AIB data', 'inferred'],
    11: ['AIB_SEQUENCE', 'AIB transfers out of sequence', 'inferred'],
    12: ['AIB_DATA_CE', 'corrected AIB data', 'inferred'],
    14: ['AIB_COMMAND_CREDIT', 'command sent without a credit', 'inferred'],
    15: ['AIB_DATA_CREDIT', 'data sent without a credit', 'inferred'],
    16: ['LINK_PARITY', 'parity between ETU and core', 'inferred'],
    17: ['CONFIG_WRITE', 'a configuration write came back with CA or UR', 'inferred'],
    18: ['NO_PROGRESS', 'the link side makes no progress', 'inferred'],
    19: ['SECOND_MMIO_READ', 'an MMIO read overlaps another', 'inferred'],
    20: ['SECOND_MMIO_WRITE', 'an MMIO write overlaps another', 'inferred'],
    21: ['SECOND_CONFIG', 'a configuration cycle overlaps another', 'inferred'],
    22: ['MMIO_WRITE_DATA', 'an MMIO write carries bad data', 'inferred'],
    24: ['CONFIG_ENABLE', 'configuration data touched with the enable bit clear', 'inferred'],
    25: ['CONFIG_SIZE', 'configuration access of a wrong size', 'inferred'],
    26: ['CONFIG_TARGET', 'bus or device out of bounds, or the core in reset', 'inferred'],
    27: ['CONFIG_LINK_DOWN', 'configuration access without a link', 'inferred'],
    28: ['PAPR_INJECTION', 'an armed outbound injection fired', 'inferred'],
    29: ['CONFIG_WRITE_TIMEOUT', 'a configuration write could not be sent in time', 'inferred'],
    40: ['BAR_TABLE_PARITY', 'parity in the MMIO BAR table', 'inferred'],
    41: ['BAR_MULTIPLE_HIT', 'several BARs match; legal, so firmware masks it', 'stated'],
    42: ['M32DT_CE', 'corrected error in the M32 segment table', 'inferred'],
    43: ['M32DT_UE', 'uncorrectable error in the M32 segment table', 'inferred'],
    44: ['M32DT_STAGE_0', 'stage error at the M32 segment table', 'inferred'],
    45: ['M32DT_STAGE_1', 'second stage error at the M32 segment table', 'inferred'],
  },
};

const INA: TrapDeclaration = {
  classes: {
    ER: [0, 1, [22, 24], 26, 28, 31, 39, 49, 50],
    INF: [16, 18, 40, 46, 58],
    FENCE: [[2, 15], 17, 19, 21, 25, 27, 30, [32, 38], 47, 48, [51, 57], [59, 62]],
  },
  meanings: {
    0: ['COMPLETION_CA', 'a completion carried CA, or never came', 'stated'],
    1: ['COMPLETION_UR', 'a completion carried UR', 'inferred'],
    2: ['MSI_SIZE', 'an MSI is too long', 'inferred'],
    3: ['MSI_ALIGNMENT', 'an MSI is misaligned', 'inferred'],
    18: ['REQUEST_UNSUPPORTED', 'the inbound request is of no supported kind', 'inferred'],
    22: ['IODA_22', 'an IODA check of an MSI or DMA, never raised here', 'assumed'],
    23: ['MSI_SOURCE', 'the ISN of an MSI is beyond the vector table', 'assumed'],
    24: ['POISONED', 'the packet is poisoned', 'inferred'],
    26: ['TVE_INVALID', 'the TVE translates nothing', 'inferred'],
    28: ['TVE_RANGE', 'the address is outside what the TVE covers', 'inferred'],
    31: ['MSI_PE', 'the vector belongs to another PE', 'assumed'],
    32: ['TABLE_BAR_DISABLED', 'a table was needed while its BAR is disabled', 'inferred'],
    33: ['IODA_PARITY', 'parity in an IODA table', 'inferred'],
    34: ['COMPLETION_TIMEOUT', 'the completion table waited too long', 'inferred'],
    35: ['COMPLETION_UNEXPECTED', 'a completion matches no request', 'inferred'],
    36: ['FETCH_UE', 'a table or TCE came from memory with an uncorrectable error', 'assumed'],
    39: ['PAPR_INJECTION', 'an armed inbound injection fired', 'inferred'],
    40: ['RTE_ALL_ONES', 'the requester has no PE', 'inferred'],
    49: ['TCE_REQUEST', 'the TCE refuses the access', 'assumed'],
    50: ['TCE_RESPONSE', 'the TCE refuses the access, found when the data came', 'assumed'],
  },
};

const INB: TrapDeclaration = {
  classes: {
    ER: [17, 18, 57, 58],
    INF: [40, 59],
    FENCE: [[0, 5], [8, 16], [24, 28], [30, 39], [41, 51], 56, 60, 61],
  },
  meanings: {
    17: ['MIGRATION_PAGE_SIZE', 'the migration target page is smaller', 'inferred'],
    18: ['MIGRATION_INVALID', 'the migration entry is invalid', 'inferred'],
    24: ['AIB_TX_TIMEOUT', 'the AIB did not take a transfer in time', 'inferred'],
    26: ['AIB_TX_CREDIT_26', 'credit error towards the AIB', 'inferred'],
    28: ['AIB_TX_CREDIT_28', 'credit error towards the AIB', 'inferred'],
    30: ['AIB_TX_CREDIT_30', 'credit error towards the AIB', 'inferred'],
    31: ['AIB_TX_CREDIT_31', 'credit error towards the AIB', 'inferred'],
    32: ['AIB_TX_CREDIT_32', 'credit error towards the AIB', 'inferred'],
    33: ['AIB_TX_CREDIT_33', 'credit error towards the AIB', 'inferred'],
    34: ['AIB_TX_CREDIT_34', 'credit error towards the AIB', 'inferred'],
    35: ['AIB_TX_CREDIT_35', 'credit error towards the AIB', 'inferred'],
    40: ['ECC_CE', 'corrected ECC error', 'inferred'],
    51: ['PEST_BAR_DISABLED', 'an error had to be logged while the PEST BAR is disabled', 'inferred'],
    57: ['ERR_FATAL', 'an ERR_FATAL message came in', 'inferred'],
    58: ['ERR_NONFATAL', 'an ERR_NONFATAL message came in', 'inferred'],
    59: ['ERR_CORR', 'an ERR_COR message came in; on DD1 it freezes', 'stated'],
  },
};

const DECLARATIONS: Readonly<Record<TrapName, TrapDeclaration>> = { PHB, OUT, INA, INB };

function classOf({ classes }: TrapDeclaration, bit: number): ErrorClass {
  if (expandBits(classes.FENCE).includes(bit)) return 'FENCE';
  if (expandBits(classes.ER).includes(bit)) return 'ER';
  return expandBits(classes.INF).includes(bit) ? 'INF' : 'none';
}

function trapBit(trap: TrapName, bit: number): TrapBit {
  const declaration = DECLARATIONS[trap];
  const lem = LEM_BITS.find((entry) => expandBits(entry.fedBy[trap] ?? []).includes(bit));
  return {
    ...namedTrapBit(trap, bit, declaration.meanings),
    class: classOf(declaration, bit),
    lem: lem?.bit,
    lemKnown: lem?.known,
  };
}

export const TRAP_BITS = allTrapBits(trapBit);

/** All bits of one class in a trap, as a register value. */
export function trapClassMask(trap: TrapName, errorClass: ErrorClass): bigint {
  return classMask(TRAP_BITS[trap], errorClass);
}

/** All trap bits that reach a LEM bit, in trap order. */
export function trapBitsOfLem(lem: number): readonly TrapBit[] {
  return TRAP_NAMES.flatMap((trap) => TRAP_BITS[trap].filter((entry) => entry.lem === lem));
}
