/**
 * Message interrupts: the entries that say who may send to an address, the PE of a vector, and what to write where.
 * Source: skiboot p7ioc hw/p7ioc-phb.c: p7ioc_set_mve, p7ioc_set_mve_enable, p7ioc_set_xive_pe, p7ioc_get_xive_source,
 * p7ioc_get_msi_32, p7ioc_get_msi_64. Facts: opal-pci 5.7, ioda1-p7ioc 4.5, 6.4.
 */
import { setField } from '../../hw/bits.js';
import { IODA_TABLES } from '../../ioda1/tables.js';
import type { Process } from '../../sim/process.js';
import { entry, entryBits } from '../field-words.js';
import { readEntryOf } from '../ioda-door.js';
import { OpalStatus } from '../opal-api.js';
import type { MsiRequest } from '../opal-requests.js';
import type { MsiMessage, SourceResult } from '../opal-results.js';
import { isPe, requesterFilter } from './mapping.js';
import type { P7iocPhb } from './phb.js';
import { MSI_COUNT } from './tables.js';

const { MVT, MXIVT } = IODA_TABLES;
const VALID = entryBits(MVT, 'VALID');

const isMve = (mve: number): boolean => Number.isInteger(mve) && mve >= 0 && mve < MVT.entries;
const isVector = (xive: number): boolean => Number.isInteger(xive) && xive >= 0 && xive < MSI_COUNT;

/** OPAL_PCI_SET_MVE: an address for the requesters of a PE, not valid yet. */
export function* setMve(phb: P7iocPhb, mve: number, pe: number): Process<number> {
  if (!isPe(pe) || !isMve(mve)) return OpalStatus.PARAMETER;
  const value = entry(MVT, { ...(yield* requesterFilter(phb, pe)), PE: pe });
  yield* phb.access.selectEntry('MVT', mve);
  yield* phb.access.writeEntry(value);
  phb.tables.mve[mve] = value;
  return OpalStatus.SUCCESS;
}

/** OPAL_PCI_SET_MVE_ENABLE; any state but 0 enables. */
export function* setMveEnable(phb: P7iocPhb, mve: number, state: number): Process<number> {
  if (!isMve(mve)) return OpalStatus.PARAMETER;
  const before = yield* readEntryOf(phb.access, 'MVT', mve);
  const value = state === 0 ? before & ~VALID : before | VALID;
  yield* phb.access.writeEntry(value);
  phb.tables.mve[mve] = value;
  return OpalStatus.SUCCESS;
}

/** OPAL_PCI_SET_XIVE_PE: which PE may use a vector. */
export function* setXivePe(phb: P7iocPhb, pe: number, xive: number): Process<number> {
  if (!isPe(pe) || !isVector(xive)) return OpalStatus.PARAMETER;
  phb.tables.mxive[xive] = { ...phb.tables.mxive[xive]!, pe };
  const vector = yield* readEntryOf(phb.access, 'MXIVT', xive);
  yield* phb.access.writeEntry(setField(vector, MXIVT.field('PE').at, BigInt(pe)));
  return OpalStatus.SUCCESS;
}

/** OPAL_GET_XIVE_SOURCE: the interrupt number of a vector. */
export function* xiveSource(phb: P7iocPhb, xive: number): Process<SourceResult> {
  if (!isVector(xive)) return { rc: OpalStatus.PARAMETER, isn: 0 };
  return { rc: OpalStatus.SUCCESS, isn: phb.msiBase + xive };
}

const NO_MESSAGE: MsiMessage = { rc: OpalStatus.PARAMETER, address: 0n, data: 0 };
const MSI_32_BASE = 0xffff_0000n;
const MSI_32_SHIFT = 4n;
const MSI_64_BASE = 9n << 60n;
const MSI_64_SHIFT = 48n;

/** The entry stands in the address, the vector is the data. Callers pass the entry where other chips take a PE. */
function msiMessage({ pe: mve, xive, range }: MsiRequest, base: bigint, shift: bigint): MsiMessage {
  if (!isMve(mve) || !isVector(xive) || range !== 1) return NO_MESSAGE;
  return { rc: OpalStatus.SUCCESS, address: base | (BigInt(mve) << shift), data: xive };
}

/** OPAL_GET_MSI_32. */
export const getMsi32 = (request: MsiRequest): MsiMessage => msiMessage(request, MSI_32_BASE, MSI_32_SHIFT);
/** OPAL_GET_MSI_64. */
export const getMsi64 = (request: MsiRequest): MsiMessage => msiMessage(request, MSI_64_BASE, MSI_64_SHIFT);
