/**
 * Writes the tables of one P7IOC PHB to the chip: after a reset what firmware keeps of them, on demand with every mapping
 * forgotten. Source: skiboot p7ioc hw/p7ioc-phb.c: p7ioc_ioda_reset. Facts: ioda1-p7ioc 4.2, 4.3, 7.12.
 */
import { IODA_TABLES, type IodaTableName, PE_COUNT } from '../../ioda1/tables.js';
import type { Process } from '../../sim/process.js';
import { entry } from '../field-words.js';
import { clearFreezes, fillTable } from '../ioda-door.js';
import { OpalStatus } from '../opal-api.js';
import { phbBits } from './access.js';
import type { P7iocPhb } from './phb.js';
import { mangled } from './tables.js';

const FETCH_64_BYTES = phbBits('PHB_PHB2_CONFIG', 'TCE_64B');

/** Writes every IODA table from the caches, drops cached TCEs, and forgets every freeze. */
export function* loadTables(phb: P7iocPhb): Process<void> {
  const { access, tables } = phb;
  yield* fillTable(access, 'HRT', all('HRT', BigInt(phb.index + 1)));
  yield* fillTable(
    access,
    'LXIVT',
    tables.lxive.map((routing) => entry(IODA_TABLES.LXIVT, mangled(routing))),
  );
  yield* fillTable(
    access,
    'MXIVT',
    tables.mxive.map((vector) => entry(IODA_TABLES.MXIVT, { ...mangled(vector), PE: vector.pe })),
  );
  yield* fillTable(access, 'MVT', tables.mve);
  yield* fillTable(access, 'PELTM', written(phb, tables.peltm));
  yield* fillPairs(phb, 'PELTV', tables.peltv);
  yield* fillPairs(phb, 'TVT', tables.tve);
  yield* fillTable(access, 'M64BT', all('M64BT', 0n));
  yield* fillTable(access, 'IODT', written(phb, tables.io));
  yield* fillTable(access, 'M32DT', written(phb, tables.m32));
  yield* fillTable(access, 'M64BT', tables.m64);
  yield* fillTable(access, 'M64DT', written(phb, tables.m64Segments));
  yield* dropCachedTces(phb);
  yield* clearFreezes(access, PE_COUNT);
  yield* fillTable(access, 'PEEV', all('PEEV', 0n));
}

const all = (table: IodaTableName, value: bigint): bigint[] =>
  new Array<bigint>(IODA_TABLES[table].entries).fill(value);

/** Firmware's loops over tables of 128 entries end at 127: the last entry stays what the chip has. */
function written(phb: P7iocPhb, entries: readonly bigint[]): readonly bigint[] {
  return phb.profile.lastTableEntry === 'corrected' ? entries : entries.slice(0, -1);
}

/** Entries of two words; the second goes first, as only the first steps on. */
function* fillPairs(phb: P7iocPhb, table: 'PELTV' | 'TVT', entries: readonly bigint[]): Process<void> {
  yield* phb.access.walkTable(table);
  for (const value of written(phb, entries)) yield* writePair(phb, value);
}

/** The entry that is selected, of two words. */
export function* writePair(phb: P7iocPhb, value: bigint): Process<void> {
  yield* phb.access.writeSecondWord(BigInt.asUintN(64, value));
  yield* phb.access.writeEntry(value >> 64n);
}

/** Turning the fetch of whole lines off and on empties the cache. */
function* dropCachedTces({ access }: P7iocPhb): Process<void> {
  const config = yield* access.read('PHB_PHB2_CONFIG');
  yield* access.write('PHB_PHB2_CONFIG', config & ~FETCH_64_BYTES);
  yield* access.write('PHB_PHB2_CONFIG', config | FETCH_64_BYTES);
  yield* access.read('PHB_PHB2_CONFIG');
}

/** OPAL_PCI_RESET of the IODA tables: every mapping an operating system made is gone. */
export function* purgeTables(phb: P7iocPhb): Process<number> {
  phb.tables.purge();
  yield* loadTables(phb);
  return OpalStatus.SUCCESS;
}
