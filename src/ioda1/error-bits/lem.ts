/**
 * The 64 bits of a PHB's local error macro: class and name. Classes are stated, names are those of the successor's
 * macro where the class agrees. Facts: ioda1-p7ioc 7.4, 7.6. Source: hostboot p9_phb.rule (PHB4 FIR bit names).
 */
import type { FieldDeclaration, Known } from '../../hw/register.js';
import { fieldsOfBits } from '../../ioda/bit-fields.js';
import { type ErrorClass, unitClassOf } from './units.js';

export interface LemBit {
  readonly bit: number;
  readonly name: string;
  readonly class: ErrorClass;
  readonly about: string;
  /** Confidence in the name; the class itself is stated. */
  readonly known: Known;
}

type Meaning = readonly [name: string, about: string, known: Known];

const MEANINGS: Readonly<Record<number, Meaning>> = {
  0: ['AIB_COMMAND', 'a command on the AIB is invalid, or the fence was injected', 'derived'],
  1: ['AIB_ADDRESS', 'an address on the AIB is in no window', 'inferred'],
  2: ['AIB_ACCESS', 'an access on the AIB is malformed', 'inferred'],
  3: ['PAPR_OUTBOUND', 'an outbound injection fired', 'inferred'],
  4: ['AIB_FATAL', 'fatal error on the AIB', 'inferred'],
  6: ['AIB_INFORMATIONAL', 'corrected error on the AIB', 'inferred'],
  7: ['PE_STOP', 'stop state signalled by a PE', 'inferred'],
  8: ['OUTBOUND_ARRAY', 'array error of the outbound pipe', 'inferred'],
  9: ['OUTBOUND_LATCH', 'latch error of the outbound pipe', 'inferred'],
  10: ['OUTBOUND_LOGIC', 'logic error of the outbound pipe', 'inferred'],
  11: ['INTERFACE_PARITY', 'parity of an interface', 'inferred'],
  12: ['CONFIG_WRITE', 'a configuration write was refused', 'inferred'],
  13: ['MMIO_TIMEOUT', 'an MMIO request timed out', 'inferred'],
  15: ['CONFIG_LOGIC', 'a configuration request could not be made', 'inferred'],
  16: ['REGISTER_ADDRESS', 'no register at the address', 'inferred'],
  17: ['SET_A_FATAL', 'fatal error of register set A', 'inferred'],
  18: ['SET_A_INFO', 'event of register set A', 'inferred'],
  19: ['SET_B_FATAL', 'fatal error of register set B', 'inferred'],
  20: ['SET_B_INFO', 'event of register set B', 'inferred'],
  24: ['REGISTER_ACCESS', 'access to a register block', 'assumed'],
  25: ['CORE_ACCESS', 'access to the registers of the PCIe core', 'assumed'],
  31: ['CORE_ERROR', 'error of the PCIe core macro', 'inferred'],
  32: ['IODA_FATAL', 'parity in an IODA table', 'inferred'],
  33: ['MSI_PE', 'an MSI came from the wrong PE or requester', 'inferred'],
  34: ['MSI_ADDRESS', 'an MSI names no valid entry or vector', 'inferred'],
  35: ['TVT', 'the TVE is invalid, of another requester, or does not cover the address', 'inferred'],
  36: ['ERR_FATAL', 'ERR_FATAL message', 'inferred'],
  37: ['ERR_NONFATAL', 'ERR_NONFATAL message', 'inferred'],
  38: ['ERR_CORR', 'ERR_COR message', 'inferred'],
  39: ['PAPR_INBOUND', 'an inbound injection fired', 'inferred'],
  40: ['INBOUND_FATAL', 'fatal error of the inbound pipe', 'inferred'],
  41: ['TABLE_ACCESS', 'a table access failed', 'inferred'],
  42: ['COMPLETION_INFO', 'event of completions or the interface', 'inferred'],
  43: ['COMPLETION', 'a completion carried CA or UR, or none came', 'inferred'],
  44: ['COMPLETION_FATAL', 'ECC, poison or table error, fatal', 'assumed'],
  45: ['INBOUND_ECC_45', 'ECC, poison or table error, fatal', 'assumed'],
  46: ['INBOUND_ECC_46', 'ECC, poison or table event', 'assumed'],
  47: ['INBOUND_ECC_47', 'ECC, poison or table error, fatal', 'assumed'],
  48: ['MERGE_48', 'merge stage, fatal', 'inferred'],
  49: ['MERGE_49', 'merge stage, fatal', 'inferred'],
  50: ['MERGE_50', 'merge stage, informational', 'inferred'],
  51: ['MERGE_51', 'merge stage, fatal', 'inferred'],
  56: ['TCE_PAGE', 'TCE page access', 'assumed'],
  57: ['TCE_TIMEOUT', 'a TCE request timed out', 'inferred'],
  58: ['TCE_UNEXPECTED', 'a TCE grants nothing, or not this access', 'assumed'],
  59: ['TCE_FATAL', 'fatal error of the TCE logic', 'inferred'],
  60: ['CORE_PRIMARY', 'error of the PCIe core; firmware looks for a malformed packet', 'stated'],
  61: ['CORE_SECONDARY', 'second error line of the PCIe core', 'inferred'],
  63: ['LEM_PARITY', 'parity of the macro itself', 'inferred'],
};

/** Every bit of the macro, indexed by bit number. */
export const LEM_BITS: readonly LemBit[] = Array.from({ length: 64 }, (_, bit) => {
  const errorClass = unitClassOf('PHB', bit);
  const [name, about, known] = MEANINGS[bit] ?? [`LEM[${bit}]`, `class ${errorClass}, meaning unknown`, 'assumed'];
  return { bit, name, class: errorClass, about, known };
});

export const LEM_FIELDS: Readonly<Record<string, FieldDeclaration>> = fieldsOfBits(LEM_BITS);
