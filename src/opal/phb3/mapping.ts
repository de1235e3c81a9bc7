/**
 * Which requesters form a PE, which PEs freeze together, and the reset of all IODA tables.
 * Source: skiboot hw/phb3.c: phb3_set_pe, phb3_set_peltv, phb3_ioda_reset. Facts: opal-pci 5.5, 5.6, ioda2-phb3 4.7.
 */
import { PE_COUNT } from '../../ioda2/pe-state.js';
import { IODA_TABLES, type IodaTableName } from '../../ioda2/tables.js';
import type { Process } from '../../sim/process.js';
import { clearFreezes, fillTable } from '../ioda-door.js';
import { BusCompare, OpalStatus, PeAction, PeltvAction, RidCompare } from '../opal-api.js';
import type { RidMatch, SetPeRequest } from '../opal-requests.js';
import { phbBits } from './access.js';
import type { Phb3 } from './phb3.js';
import { RESERVED_PE } from './tables.js';

const MAX_RID = 0xffff;
/** Between `ANY` and `BITS_3`: the formula makes two bits of it. */
const UNASSIGNED_COMPARE = 1;
const DEVICE_BITS = 0x00f8;
const FUNCTION_BITS = 0x0007;

function ridMask({ bus, device, function: fn }: RidMatch): number {
  // Code n compares the top n + 1 bits of the bus; 0 compares none.
  const busMask = bus === BusCompare.ANY ? 0 : ((1 << (bus + 1)) - 1) << (15 - bus);
  const deviceMask = device === RidCompare.COMPARE ? DEVICE_BITS : 0;
  return busMask | deviceMask | (fn === RidCompare.COMPARE ? FUNCTION_BITS : 0);
}

/** OPAL_PCI_SET_PE. */
export function* setPe(phb: Phb3, request: SetPeRequest): Process<number> {
  const { pe, rid, match, action } = request;
  if (action !== PeAction.MAP && action !== PeAction.UNMAP) return OpalStatus.PARAMETER;
  if (!isPe(pe) || rid < 0 || rid > MAX_RID) return OpalStatus.PARAMETER;
  if (match.bus < 0 || match.bus > BusCompare.ALL) return OpalStatus.PARAMETER;
  if (match.bus === UNASSIGNED_COMPARE && phb.profile.unassignedBusCompare === 'corrected') return OpalStatus.PARAMETER;
  if (match.device > RidCompare.COMPARE || match.function > RidCompare.COMPARE) return OpalStatus.PARAMETER;
  const mask = ridMask(match);
  for (let candidate = 0; candidate <= MAX_RID; candidate++) {
    if ((candidate & mask) !== (rid & mask)) continue;
    phb.tables.setRte(candidate, action === PeAction.MAP ? pe : RESERVED_PE);
  }
  yield* phb.access.write('PHB_RTC_INVALIDATE', phbBits('PHB_RTC_INVALIDATE', 'ALL'));
  return OpalStatus.SUCCESS;
}

/** OPAL_PCI_SET_PELTV; any action but "remove" adds. The chip reads the table anew at each error: nothing to invalidate. */
export function setPeltv(phb: Phb3, parent: number, child: number, action: number): number {
  if (!isPe(parent) || !isPe(child)) return OpalStatus.PARAMETER;
  phb.tables.setPeltv(parent, child, action === PeltvAction.REMOVE ? 'remove' : 'add');
  return OpalStatus.SUCCESS;
}

export function isPe(pe: number): boolean {
  return Number.isInteger(pe) && pe >= 0 && pe < PE_COUNT;
}

/** Writes every IODA table of the chip and in memory from the caches, and forgets every freeze. */
export function* loadTables(phb: Phb3): Process<void> {
  const { access, tables } = phb;
  yield* fillTable(access, 'LXIVT', tables.lxive);
  yield* fillTable(access, 'MRT', zeros('MRT'));
  yield* fillTable(access, 'TVT', tables.tve);
  yield* fillTable(access, 'M64BT', tables.m64);
  yield* fillTable(access, 'M32DT', tables.m32);
  tables.writeImages();
  yield* access.write('PHB_RTC_INVALIDATE', phbBits('PHB_RTC_INVALIDATE', 'ALL'));
  yield* access.write('PHB_IVC_INVALIDATE', phbBits('PHB_IVC_INVALIDATE', 'ALL'));
  yield* access.write('PHB_TCE_KILL', phbBits('PHB_TCE_KILL', 'ALL'));
  yield* fillTable(access, 'RBA', zeros('RBA'));
  yield* clearFreezes(access, PE_COUNT);
  yield* fillTable(access, 'PEEV', zeros('PEEV'));
}

const zeros = (table: IodaTableName): bigint[] => new Array<bigint>(IODA_TABLES[table].entries).fill(0n);

/** OPAL_PCI_RESET of the IODA tables: every mapping an operating system made is gone. */
export function* purgeTables(phb: Phb3): Process<number> {
  phb.tables.purge();
  yield* loadTables(phb);
  return OpalStatus.SUCCESS;
}
