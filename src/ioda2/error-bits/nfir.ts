/**
 * The bits of the PBCQ nest FIR: meaning, what service firmware's actions make of them, how OPAL reads them.
 * Facts: ioda2-phb3 3.3.1.
 */
import { msbMasks } from '../../hw/bits.js';

/** Consequence set up by the service firmware's action and mask registers. */
export type PrdClass = 'checkstop' | 'recoverable' | 'freeze' | 'masked';
/** What the run-time firmware concludes from the bit: the bridge is dead, fenced, or nothing. */
export type NfirOpalClass = 'DEAD' | 'FENCED' | 'none';

export interface NfirBit {
  readonly bit: number;
  readonly name: string;
  readonly about: string;
  readonly prd: PrdClass;
  readonly opal: NfirOpalClass;
}

const nfir = (
  bit: number,
  prd: PrdClass,
  opal: NfirOpalClass,
  ...[name, about]: [name: string, about: string]
): NfirBit => ({ bit, name, about, prd, opal });

export const NFIR_SOURCE =
  'hostboot Proc_acts_PB.rule (gPciNestFir), proc_pcie_config.H; skiboot hw/phb3.c: phb3_err_check_pbcq';

export const NFIR_BITS: readonly NfirBit[] = [
  nfir(0, 'checkstop', 'none', 'BAR_PARITY', 'parity of a BAR register'),
  nfir(1, 'freeze', 'FENCED', 'REGISTER_PARITY', 'parity of another register'),
  nfir(2, 'recoverable', 'FENCED', 'BUS_DATA_CE', 'corrected data from the processor bus'),
  nfir(3, 'freeze', 'FENCED', 'BUS_DATA_UE', 'uncorrectable data from the processor bus'),
  nfir(4, 'freeze', 'FENCED', 'BUS_DATA_SUE', 'data already marked bad on the processor bus'),
  nfir(5, 'recoverable', 'FENCED', 'ARRAY_CE', 'corrected array error'),
  nfir(6, 'freeze', 'FENCED', 'ARRAY_UE', 'uncorrectable array error'),
  nfir(7, 'freeze', 'DEAD', 'ARRAY_SUE', 'array data already marked bad'),
  nfir(8, 'checkstop', 'DEAD', 'REGISTER_ARRAY_PARITY', 'parity of a register array'),
  nfir(9, 'checkstop', 'FENCED', 'BUS_INTERFACE_PARITY', 'parity at the bus interface'),
  nfir(10, 'masked', 'FENCED', 'BUS_DATA_HANG', 'a data transfer of the bus hangs'),
  nfir(11, 'masked', 'FENCED', 'BUS_HANG', 'the bus hangs'),
  nfir(12, 'freeze', 'FENCED', 'READ_ADDRESS', 'a read was answered with an address error'),
  nfir(13, 'freeze', 'FENCED', 'OTHER_ADDRESS', 'another command was answered with an address error'),
  nfir(14, 'freeze', 'none', 'PCI_HANG', 'the bridge does not answer, as when held in reset'),
  nfir(15, 'freeze', 'FENCED', 'PCI_CLOCK', 'PCI clock failure'),
  nfir(16, 'freeze', 'FENCED', 'AIB_FENCE', 'the AIB is fenced'),
  nfir(17, 'checkstop', 'FENCED', 'HARDWARE', 'hardware error'),
  nfir(18, 'checkstop', 'none', 'UNSOLICITED_DATA', 'bus data nobody asked for'),
  nfir(19, 'checkstop', 'none', 'UNEXPECTED_RESPONSE', 'combined response nobody expects'),
  nfir(20, 'checkstop', 'none', 'INVALID_RESPONSE', 'combined response that does not exist'),
  nfir(21, 'checkstop', 'FENCED', 'BUS_SIZE', 'transfer size not supported'),
  nfir(22, 'checkstop', 'FENCED', 'BUS_COMMAND', 'bus command not supported'),
  nfir(23, 'freeze', 'FENCED', 'AIB_PARITY', 'parity on the AIB'),
  nfir(24, 'freeze', 'DEAD', 'ASB_ERROR', 'error on the ASB'),
  nfir(25, 'masked', 'DEAD', 'FOREIGN_LINK', 'foreign link failed'),
  nfir(26, 'masked', 'DEAD', 'FOREIGN_HANG', 'foreign bus hangs'),
  nfir(27, 'freeze', 'DEAD', 'CAPP', 'error of the coherent accelerator proxy'),
  nfir(28, 'masked', 'DEAD', 'SCOM_SYNCHRONOUS', 'synchronous SCOM error'),
  nfir(29, 'masked', 'none', 'SCOM_ENGINE_0', 'first SCOM engine error'),
  nfir(30, 'masked', 'none', 'SCOM_ENGINE_1', 'second SCOM engine error'),
];

/** Bits that make the PBCQ fence the AIB while set: the ones software sets to force a fence (M). */
export const NFIR_FORCED_FENCE = msbMasks(24, 25, 26, 27);

/** All NFIR bits of one class of the run-time firmware, as a register value. */
export function nfirOpalMask(opal: NfirOpalClass): bigint {
  return msbMasks(...NFIR_BITS.filter((entry) => entry.opal === opal).map((entry) => entry.bit));
}

/** All NFIR bits of one class of the service firmware, as a register value. */
export function nfirPrdMask(prd: PrdClass): bigint {
  return msbMasks(...NFIR_BITS.filter((entry) => entry.prd === prd).map((entry) => entry.bit));
}
