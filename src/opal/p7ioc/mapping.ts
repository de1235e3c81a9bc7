/**
 * Which requesters form a PE, and which PEs freeze together.
 * Source: skiboot p7ioc hw/p7ioc-phb.c: p7ioc_set_pe, p7ioc_set_peltv. Facts: opal-pci 5.5, 5.6, ioda1-p7ioc 4.7, 4.8.
 */
import { getField, msbMask } from '../../hw/bits.js';
import { IODA_TABLES, PE_COUNT } from '../../ioda1/tables.js';
import type { Process } from '../../sim/process.js';
import { entry } from '../field-words.js';
import { readEntryOf } from '../ioda-door.js';
import { BusCompare, OpalStatus, PeAction, PeltvAction, RidCompare } from '../opal-api.js';
import type { SetPeRequest } from '../opal-requests.js';
import type { P7iocPhb } from './phb.js';
import { ANY_REQUESTER, NO_REQUESTER } from './tables.js';

const { PELTM } = IODA_TABLES;
const MAX_RID = 0xffff;
/** Between `ANY` and `BITS_3`: stored like the others, and what the chip makes of it is unknown. */
const UNASSIGNED_COMPARE = 1;

export function isPe(pe: number): boolean {
  return Number.isInteger(pe) && pe >= 0 && pe < PE_COUNT;
}

/** OPAL_PCI_SET_PE. */
export function* setPe(phb: P7iocPhb, request: SetPeRequest): Process<number> {
  const { pe, rid, match, action } = request;
  if (!isPe(pe) || rid < 0 || rid > MAX_RID) return OpalStatus.PARAMETER;
  if (action !== PeAction.MAP && action !== PeAction.UNMAP) return OpalStatus.PARAMETER;
  if (match.bus < 0 || match.bus > BusCompare.ALL) return OpalStatus.PARAMETER;
  if (match.bus === UNASSIGNED_COMPARE && phb.profile.unassignedBusCompare === 'corrected') return OpalStatus.PARAMETER;
  const requesters = action === PeAction.MAP ? requestersOf(request) : unmapped(phb);
  yield* phb.access.selectEntry('PELTM', pe);
  yield* phb.access.writeEntry(requesters);
  phb.tables.peltm[pe] = requesters;
  return OpalStatus.SUCCESS;
}

/** Any code but "ignore" compares a device or function number. */
function requestersOf({ rid, match }: SetPeRequest): bigint {
  return entry(PELTM, {
    ...{ BUS: rid >> 8, DEVICE: rid >> 3, FUNCTION: rid, BUS_VALID: match.bus },
    DEVICE_VALID: match.device === RidCompare.IGNORE ? 0 : 1,
    FUNCTION_VALID: match.function === RidCompare.IGNORE ? 0 : 1,
  });
}

/** Real firmware leaves an entry that takes the requesters of every higher PE. */
function unmapped(phb: P7iocPhb): bigint {
  return phb.profile.unmappedRequesters === 'corrected' ? NO_REQUESTER : ANY_REQUESTER;
}

/** Fields by which an entry of another table filters requesters. */
const FILTER = ['BUS', 'DEVICE', 'FUNCTION', 'BUS_VALID', 'DEVICE_VALID', 'FUNCTION_VALID'] as const;
export type RequesterFilter = Readonly<Record<(typeof FILTER)[number], bigint>>;

/** The requesters of a PE as they are now; an entry that took them does not follow when they change. */
export function* requesterFilter(phb: P7iocPhb, pe: number): Process<RequesterFilter> {
  const requesters = yield* readEntryOf(phb.access, 'PELTM', pe);
  const values = FILTER.map((field) => [field, getField(requesters, PELTM.field(field).at)]);
  return Object.fromEntries(values) as RequesterFilter;
}

const PES_PER_WORD = 64;
/** What firmware keeps of a child's number within its word: bit 4 is missing. */
const CHILD_MASK = 0x2f;

/** OPAL_PCI_SET_PELTV; any action but "remove" adds. */
export function* setPeltv(phb: P7iocPhb, parent: number, child: number, action: number): Process<number> {
  if (!isPe(parent) || !isPe(child)) return OpalStatus.PARAMETER;
  const { access, tables } = phb;
  const inWord = child % PES_PER_WORD;
  const bit = msbMask(phb.profile.peltvChild === 'corrected' ? inWord : inWord & CHILD_MASK);
  const change = (word: bigint): bigint => (action === PeltvAction.REMOVE ? word & ~bit : word | bit);
  yield* access.selectEntry('PELTV', parent);
  const cached = tables.peltv[parent]!;
  if (child < PES_PER_WORD) {
    const first = change(yield* access.readEntry());
    yield* access.writeEntry(first);
    tables.peltv[parent] = (first << 64n) | BigInt.asUintN(64, cached);
  } else {
    const second = change(yield* access.readSecondWord());
    yield* access.writeSecondWord(second);
    tables.peltv[parent] = ((cached >> 64n) << 64n) | second;
  }
  return OpalStatus.SUCCESS;
}
