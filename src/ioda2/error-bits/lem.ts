/**
 * The 64 bits of the PHB3 local error macro: meaning, class, and the trap bits that feed each.
 * Classes are those of skiboot hw/phb3.c: phb3_err_check_lem; meanings and feeds mostly follow PHB4. Facts: ioda2-phb3 7.4.
 */
import type { Known } from '../../hw/register.js';
import { classMask } from '../../ioda/trap-bits.js';
import type { BitList, ErrorClass, TrapName } from './bit-lists.js';

export interface LemBit {
  readonly bit: number;
  readonly name: string;
  readonly class: ErrorClass;
  readonly about: string;
  /** Confidence in meaning and feed; the class itself is stated. */
  readonly known: Known;
  readonly fedBy: Readonly<Partial<Record<TrapName, BitList>>>;
}

type Meaning = readonly [name: string, about: string, known: Known, fedBy?: LemBit['fedBy']];

const lemBit = (bit: number, errorClass: ErrorClass, meaning: Meaning): LemBit => {
  const [name, about, known, fedBy = {}] = meaning;
  return { bit, name, class: errorClass, about, known, fedBy };
};
const fatal = (bit: number, ...meaning: Meaning): LemBit => lemBit(bit, 'FENCE', meaning);
const recoverable = (bit: number, ...meaning: Meaning): LemBit => lemBit(bit, 'ER', meaning);
const informational = (bit: number, ...meaning: Meaning): LemBit => lemBit(bit, 'INF', meaning);
const unclassified = (bit: number, ...meaning: Meaning): LemBit => lemBit(bit, 'none', meaning);

const INA_FATAL: BitList = [[4, 15], 17, 19, 21, 25, 27, 30, [36, 38], 47, 48, [51, 57], [59, 62]];
const INB_MERGE_FATAL: BitList = [
  [0, 5],
  [8, 16],
  [26, 28],
  [30, 39],
  [41, 50],
];

export const LEM_BITS: readonly LemBit[] = [
  fatal(0, 'AIB_COMMAND', 'a command on the AIB is invalid', 'inferred', { OUT: [0] }),
  informational(1, 'MMIO_NO_WINDOW', 'an MMIO address hit no window', 'inferred', { OUT: [1, 2] }),
  fatal(2, 'AIB_SIZE', 'size or alignment on the AIB is wrong', 'inferred', { OUT: [3, 8] }),
  unclassified(3, 'UNCLASSIFIED_3', 'in no class of the firmware', 'assumed'),
  fatal(4, 'AIB_FATAL', 'parity, sequence or credit error on the AIB', 'inferred', { OUT: [4, 5, [9, 11], 14, 15] }),
  fatal(5, 'OUTBOUND_FATAL', 'fatal error of the outbound pipe', 'assumed', { OUT: [[32, 36]] }),
  informational(6, 'AIB_INFORMATIONAL', 'corrected error of the outbound pipe', 'inferred', {
    OUT: [12, 13, 37, 42, 48],
  }),
  fatal(7, 'OUTBOUND_DATA', 'outbound data error', 'assumed'),
  fatal(8, 'OUTBOUND_ARRAY', 'array error of the outbound pipe', 'inferred', { OUT: [40, [43, 45], [49, 51]] }),
  unclassified(9, 'UNCLASSIFIED_9', 'in no class of the firmware, and masked', 'assumed'),
  fatal(10, 'OUTBOUND_LOGIC', 'logic error of the outbound pipe', 'inferred', {
    OUT: [
      [18, 21],
      [60, 63],
    ],
  }),
  fatal(11, 'LINK_PARITY', 'parity towards the link', 'inferred', { OUT: [16] }),
  recoverable(12, 'CONFIG_WRITE', 'a configuration write was refused', 'inferred', { OUT: [17] }),
  fatal(13, 'FATAL_13', 'fatal, no public meaning', 'assumed'),
  fatal(14, 'REGISTER_BLOCK', 'register block failure', 'assumed'),
  informational(15, 'CONFIG_REQUEST', 'a configuration request could not be made', 'inferred', {
    OUT: [[24, 27], 29],
  }),
  informational(16, 'REGISTER_ADDRESS', 'no register at the address', 'assumed', { PHB: [26], OUT: [[56, 59]] }),
  fatal(17, 'REGISTER_FATAL_0', 'fatal register error, first group', 'assumed', { PHB: [[0, 7]] }),
  fatal(18, 'REGISTER_FATAL_1', 'fatal register error, second group', 'assumed', { PHB: [[8, 15]] }),
  fatal(19, 'REGISTER_FATAL_2', 'fatal register error, third group', 'assumed', { PHB: [[16, 25]] }),
  informational(20, 'REGISTER_INFO_0', 'register event, first group', 'assumed', { PHB: [30] }),
  informational(21, 'REGISTER_INFO_1', 'register event, second group', 'assumed', { PHB: [42] }),
  informational(22, 'REGISTER_INFO_2', 'register event, third group', 'assumed', { PHB: [43, 44] }),
  unclassified(23, 'UNCLASSIFIED_23', 'in no class of the firmware', 'assumed'),
  fatal(24, 'DEBUG_FATAL', 'fatal error of the debug logic', 'assumed', { PHB: [[27, 29], 31] }),
  fatal(25, 'CORE_REGISTER_SIZE', 'wrong size of a core register access', 'inferred', { PHB: [36, 37] }),
  informational(26, 'INFO_26', 'informational, no public meaning', 'assumed'),
  recoverable(27, 'PAPR_OUTBOUND', 'an outbound injection fired', 'assumed', { OUT: [28] }),
  fatal(28, 'CORE_FATAL', 'fatal error of the PCIe core', 'assumed', { PHB: [[48, 57]] }),
  unclassified(29, 'LINK_SPEED_CHANGE', 'the link changed its speed; masked', 'stated'),
  informational(30, 'INFO_30', 'informational, no public meaning', 'assumed'),
  fatal(31, 'CORE_ERROR', 'error of the PCIe core', 'inferred'),
  fatal(32, 'IODA_FATAL', 'parity in an IODA table', 'inferred', { INA: [33] }),
  recoverable(33, 'MSI_PE', 'an MSI came from the wrong PE', 'assumed', { INA: [31] }),
  recoverable(34, 'MSI_SOURCE', 'an MSI names no interrupt source', 'assumed', { INA: [22, 23] }),
  recoverable(35, 'TVT', 'the TVE is invalid or does not cover the address', 'inferred', { INA: [26, 28] }),
  recoverable(36, 'ERR_FATAL', 'ERR_FATAL message', 'inferred', { INB: [57] }),
  recoverable(37, 'ERR_NONFATAL', 'ERR_NONFATAL message', 'inferred', { INB: [58] }),
  recoverable(38, 'ERR_CORR', 'ERR_COR message', 'inferred', { INB: [59] }),
  recoverable(39, 'PAPR_INBOUND', 'an inbound injection fired', 'inferred', { INA: [39] }),
  fatal(40, 'INBOUND_FATAL', 'fatal error of the inbound pipe', 'inferred', { INA: INA_FATAL }),
  recoverable(41, 'POISONED', 'a poisoned packet came in', 'assumed', { INA: [24] }),
  fatal(42, 'MSI_OR_BAR', 'malformed MSI, or a table BAR is disabled', 'assumed', { INA: [2, 3, 32] }),
  recoverable(43, 'COMPLETION', 'a completion carried CA or UR', 'stated', { INA: [0, 1] }),
  fatal(44, 'COMPLETION_TIMEOUT', 'the completion table timed out', 'inferred', { INA: [34] }),
  fatal(45, 'COMPLETION_UNEXPECTED', 'a completion answers no request', 'inferred', { INA: [35] }),
  unclassified(46, 'UNCLASSIFIED_46', 'in no class of the firmware, masked only in CAPI mode', 'assumed'),
  fatal(47, 'FATAL_47', 'fatal, no public meaning', 'assumed'),
  fatal(48, 'MERGE_FATAL', 'fatal error of the merge logic', 'inferred', { INB: INB_MERGE_FATAL }),
  fatal(49, 'PEST_BAR', 'an error had to be logged with the PEST BAR disabled', 'inferred', { INB: [51] }),
  informational(50, 'INBOUND_CE', 'corrected ECC error inbound', 'inferred', { INB: [40] }),
  fatal(51, 'INBOUND_UE', 'uncorrected ECC error inbound', 'assumed', { INB: [56, 60, 61] }),
  recoverable(52, 'MMIO_WRITE_DATA', 'an MMIO write carried bad data', 'assumed', { OUT: [22] }),
  informational(53, 'RTE_ALL_ONES', 'the requester has no PE', 'inferred', { INA: [40] }),
  recoverable(54, 'MIGRATION', 'error of the migration table', 'inferred', { INB: [17, 18] }),
  fatal(55, 'AIB_TX_TIMEOUT', 'the AIB did not take a transfer in time', 'assumed', { INB: [24, 25] }),
  informational(56, 'INBOUND_INFO', 'inbound request not supported', 'assumed', { INA: [16, 18] }),
  fatal(57, 'TCE_TIMEOUT', 'a TCE request timed out', 'inferred'),
  recoverable(58, 'TCE_ACCESS', 'the TCE refuses the access', 'assumed', { INA: [49, 50] }),
  fatal(59, 'TCE_FATAL', 'fatal error of the TCE logic', 'inferred'),
  recoverable(60, 'UTL_PRIMARY', 'primary interrupt of the PCIe core', 'assumed', { PHB: [32] }),
  recoverable(61, 'UTL_SECONDARY', 'secondary interrupt of the PCIe core', 'assumed', { PHB: [40] }),
  informational(62, 'INFO_62', 'informational, no public meaning', 'assumed', { INA: [46, 58] }),
  fatal(63, 'LEM_PARITY', 'parity of the macro itself', 'inferred'),
];

/** All LEM bits of one class, as a register value. */
export function lemClassMask(errorClass: ErrorClass): bigint {
  return classMask(LEM_BITS, errorClass);
}
