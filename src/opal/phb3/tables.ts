/**
 * The tables of one PHB3 that firmware keeps copies of: three in memory, four on the chip. A complete reset loads them
 * again from here. Source: skiboot hw/phb3.c: phb3_allocate_tables, phb3_init_ioda_cache. Facts: ioda2-phb3 4.7, 5.
 */
import type { SystemMemory } from '../../hw/memory.js';
import { PE_COUNT } from '../../ioda2/pe-state.js';
import { IODA_TABLES, MEMORY_TABLES } from '../../ioda2/tables.js';
import { entry } from '../field-words.js';
import type { FirmwareHeap } from '../firmware-heap.js';

/** PE of a requester nobody mapped. Never "no PE": an MSI from such a requester hangs the chip (HW278969). */
export const RESERVED_PE = PE_COUNT - 1;
/** Interrupt sources: 2040 messages, then 8 levels. */
export const ISN_COUNT = MEMORY_TABLES.IVT.entries;
export const LSI_COUNT = IODA_TABLES.LXIVT.entries;
export const MSI_COUNT = ISN_COUNT - LSI_COUNT;
export const MASKED = 0xff;

export const IVE_BYTES = MEMORY_TABLES.IVT.entryBits / 8;
const PELTV_ROW_BYTES = MEMORY_TABLES.PELTV.entryBits / 8;
export const PEST_ENTRY_BYTES = MEMORY_TABLES.PEST.entryBits / 8;

export const TABLE_BYTES = {
  rtt: (MEMORY_TABLES.RTT.entries * MEMORY_TABLES.RTT.entryBits) / 8,
  peltv: MEMORY_TABLES.PELTV.entries * PELTV_ROW_BYTES,
  pest: MEMORY_TABLES.PEST.entries * PEST_ENTRY_BYTES,
  ivt: ISN_COUNT * IVE_BYTES,
} as const;
export type MemoryTable = keyof typeof TABLE_BYTES;
export type TableAddresses = Readonly<Record<MemoryTable, number>>;

/** Every table is aligned to its size, as its BAR demands. */
export function takeTables(heap: FirmwareHeap): TableAddresses {
  const aligned = (bytes: number): number => heap.take(bytes, bytes);
  const { rtt, peltv, pest, ivt } = TABLE_BYTES;
  return { rtt: aligned(rtt), peltv: aligned(peltv), pest: aligned(pest), ivt: aligned(ivt) };
}

const MASKED_LXIVE = entry(IODA_TABLES.LXIVT, { PRIORITY: MASKED });
/** The fields of a vector all stand in its first doubleword. */
const MASKED_IVE = entry(MEMORY_TABLES.IVT, { PRIORITY: MASKED });

export class Phb3Tables {
  readonly rte = new Uint16Array(MEMORY_TABLES.RTT.entries);
  readonly peltv = new Uint8Array(TABLE_BYTES.peltv);
  /** First doubleword of each vector without P, Q and generation, which live in memory alone. */
  readonly ive = new BigUint64Array(ISN_COUNT);
  readonly lxive: bigint[] = [];
  readonly tve: bigint[] = [];
  readonly m64: bigint[] = [];
  readonly m32: bigint[] = [];

  constructor(
    readonly memory: SystemMemory,
    readonly addresses: TableAddresses,
  ) {
    for (const table of Object.keys(TABLE_BYTES) as MemoryTable[]) memory.fill(addresses[table], TABLE_BYTES[table], 0);
    this.purge();
    this.writeRtt();
  }

  /** Forgets every mapping. */
  purge(): void {
    this.rte.fill(RESERVED_PE);
    this.peltv.fill(0);
    this.ive.fill(MASKED_IVE);
    refill(this.lxive, IODA_TABLES.LXIVT.entries, MASKED_LXIVE);
    refill(this.tve, IODA_TABLES.TVT.entries, 0n);
    refill(this.m64, IODA_TABLES.M64BT.entries, 0n);
    refill(this.m32, IODA_TABLES.M32DT.entries, 0n);
  }

  peOf(rid: number): number {
    return this.rte[rid] ?? RESERVED_PE;
  }

  setRte(rid: number, pe: number): void {
    this.rte[rid] = pe;
    this.memory.write16(this.addresses.rtt + 2 * rid, pe);
  }

  /** Adds `child` to the PEs that freeze with `parent`, or takes it out. */
  setPeltv(parent: number, child: number, change: 'add' | 'remove'): void {
    const at = parent * PELTV_ROW_BYTES + (child >> 3);
    const mask = 0x80 >> (child & 7);
    const row = this.peltv[at]!;
    this.peltv[at] = change === 'add' ? row | mask : row & ~mask;
    this.memory.write8(this.addresses.peltv + at, this.peltv[at]);
  }

  iveAddress(isn: number): number {
    return this.addresses.ivt + isn * IVE_BYTES;
  }

  /** Loads the three tables in memory from the caches. */
  writeImages(): void {
    this.writeRtt();
    this.memory.writeBlock(this.addresses.peltv, this.peltv);
    for (const [isn, ive] of this.ive.entries()) this.memory.write64(this.iveAddress(isn), ive);
  }

  private writeRtt(): void {
    const image = new DataView(new ArrayBuffer(TABLE_BYTES.rtt));
    for (const [rid, pe] of this.rte.entries()) image.setUint16(2 * rid, pe);
    this.memory.writeBlock(this.addresses.rtt, new Uint8Array(image.buffer));
  }
}

function refill(cache: bigint[], entries: number, value: bigint): void {
  cache.length = entries;
  cache.fill(value);
}
