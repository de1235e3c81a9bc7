/**
 * What firmware keeps of the tables of one P7IOC PHB: a reset loads the chip's from here.
 * Source: skiboot p7ioc hw/p7ioc-phb.c: p7ioc_phb_init_ioda_cache. Facts: ioda1-p7ioc 4.2, 4.3.
 */
import { getField } from '../../hw/bits.js';
import { IODA_TABLES, PE_COUNT } from '../../ioda1/tables.js';
import { entry } from '../field-words.js';
import type { Routing } from '../opal-results.js';

/** PE of requesters that nobody mapped, by the last entry of the PELTM, which matches them all. */
export const RESERVED_PE = PE_COUNT - 1;
export const LSI_COUNT = IODA_TABLES.LXIVT.entries;
export const MSI_COUNT = IODA_TABLES.MXIVT.entries;
export const MASKED = 0xff;
const NOWHERE: Routing = { server: 0, priority: MASKED };

/** Matches function 1 of the root port, which has none: no requester belongs to the PE. */
export const NO_REQUESTER = entry(IODA_TABLES.PELTM, {
  ...{ BUS: 0, DEVICE: 0, FUNCTION: 1 },
  ...{ BUS_VALID: 7, DEVICE_VALID: 1, FUNCTION_VALID: 1 },
});
/** Compares nothing. */
export const ANY_REQUESTER = 0n;

export interface MessageVector extends Routing {
  /** PE that may use it. */
  readonly pe: number;
}

export class P7iocTables {
  /** Server and priority as callers gave them: the chip holds them mangled. */
  readonly lxive: Routing[] = [];
  readonly mxive: MessageVector[] = [];
  readonly mve: bigint[] = [];
  readonly peltm: bigint[] = [];
  /** Rows of 128 bits, bit k is PE k. */
  readonly peltv: bigint[] = [];
  /** Entries of 128 bits. */
  readonly tve: bigint[] = [];
  readonly m64: bigint[] = [];
  /** PEs of segments. */
  readonly io: bigint[] = [];
  readonly m32: bigint[] = [];
  readonly m64Segments: bigint[] = [];

  constructor() {
    this.purge();
  }

  /** Forgets every mapping. */
  purge(): void {
    refill(this.lxive, LSI_COUNT, NOWHERE);
    refill(this.mxive, MSI_COUNT, { ...NOWHERE, pe: 0 });
    refill(this.mve, IODA_TABLES.MVT.entries, 0n);
    refill(this.peltm, PE_COUNT, NO_REQUESTER);
    this.peltm[RESERVED_PE] = ANY_REQUESTER;
    refill(this.peltv, IODA_TABLES.PELTV.entries, 0n);
    refill(this.tve, IODA_TABLES.TVT.entries, 0n);
    refill(this.m64, IODA_TABLES.M64BT.entries, 0n);
    refill(this.io, IODA_TABLES.IODT.entries, 0n);
    refill(this.m32, IODA_TABLES.M32DT.entries, 0n);
    refill(this.m64Segments, IODA_TABLES.M64DT.entries, 0n);
  }
}

function refill<T>(cache: T[], entries: number, value: T): void {
  cache.length = entries;
  cache.fill(value);
}

/** PE that a segment of a window belongs to, as its table entry has it. */
export const segmentPe = (segment: bigint): number => Number(getField(segment, IODA_TABLES.M32DT.field('PE').at));

const SERVER_LOW_BITS = 3;
const PRIORITY_LOST_BITS = 3;
const BYTE_BITS = 8;

/** What a vector of the chip holds: it takes five bits of the priority, and the low bits of the server above them. */
export function mangled({ server, priority }: Routing): { SERVER: number; PRIORITY: number } {
  if (priority === MASKED) return { SERVER: 0, PRIORITY: MASKED };
  const serverLow = server & (2 ** SERVER_LOW_BITS - 1);
  return {
    SERVER: server >> SERVER_LOW_BITS,
    PRIORITY: (priority >> PRIORITY_LOST_BITS) | (serverLow << (BYTE_BITS - SERVER_LOW_BITS)),
  };
}
