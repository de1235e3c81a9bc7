// DMA translation: the cold three-level walk, the hit of the TCE cache, and the whole path from RID to real address.
// "Cold" means that every look-up misses the chip's own caches; the tables' size decides about the host's.
import { SystemMemory } from '../dist/hw/memory.js';
import { DmaDirection, DmaTranslation } from '../dist/ioda2/dma-translation.js';
import { RidToPe } from '../dist/ioda2/rid-to-pe.js';
import { encodeIndirectTce, encodeTce, Permission } from '../dist/tce/tce.js';
import { TceTranslation } from '../dist/tce/translation.js';
import { encodeTranslatedTve } from '../dist/tce/tve.js';
import { suite } from './suite.mjs';

const OPS = 50_000;
const PE = 5;
const PE_COUNT = 256;
const PAGE_BYTES = 0x1000;
const TABLE_ENTRIES = 512;
/** 32,768 pages: 256 KiB of final TCEs in 64 tables. */
const PAGES = 1 << 15;
// Above 4 GiB, where the tables of a real machine stand.
const TOP_TABLE = 0x1_4000_0000;
const MIDDLE_TABLE = TOP_TABLE + PAGE_BYTES;
const FINAL_TABLES = TOP_TABLE + 0x10_0000;
const RTT = TOP_TABLE + 0x100_0000;
const DATA = 0x2_0000_0000;

const TVE = encodeTranslatedTve({ tableAddress: TOP_TABLE, tableBytes: 4096, levels: 3, pageShift: 12 });

function memoryWithTables() {
  const memory = new SystemMemory({ sizeBytes: 0x4_0000_0000 });
  memory.write64(TOP_TABLE, encodeIndirectTce(MIDDLE_TABLE));
  for (let table = 0; table < PAGES / TABLE_ENTRIES; table++) {
    memory.write64(MIDDLE_TABLE + table * 8, encodeIndirectTce(FINAL_TABLES + table * PAGE_BYTES));
  }
  for (let page = 0; page < PAGES; page++) {
    memory.write64(FINAL_TABLES + page * 8, encodeTce(DATA + page * PAGE_BYTES, Permission.READ_WRITE));
  }
  for (let rid = 0; rid < 0x1_0000; rid++) memory.write16(RTT + rid * 2, rid % PE_COUNT);
  return memory;
}

function tceTranslation() {
  const tce = new TceTranslation({ memory: memoryWithTables(), peCount: PE_COUNT, tvesPerPe: 2 });
  tce.tves.set(2 * PE, Number(TVE >> 32n), Number(TVE & 0xffff_ffffn));
  return tce;
}

/** Every page once before any returns, in an order without neighbours. */
const pageOf = (i) => (Math.imul(i, 20_021) & (PAGES - 1)) * PAGE_BYTES;

/** Fails the suite when a translation failed: a fast error path proves nothing. */
function checked(status, sum) {
  if (status !== 0) throw new Error(`translation ended with status ${status}`);
  return sum;
}

suite('tce-walk-cold', {
  unit: 'ns',
  opsPerRun: OPS,
  setup() {
    const tce = tceTranslation();
    let next = 0;
    return () => {
      let sum = 0;
      let status = 0;
      for (let i = 0; i < OPS; i++) {
        status |= tce.translate(2 * PE, 0, pageOf(next++) + 0x40, DmaDirection.WRITE);
        sum = (Math.imul(sum, 31) + tce.realAddress) | 0;
      }
      next &= 0xff_ffff;
      return checked(status, sum);
    };
  },
});

suite('tce-cache-hit', {
  unit: 'ns',
  opsPerRun: OPS,
  setup() {
    const tce = tceTranslation();
    return () => {
      let sum = 0;
      let status = 0;
      // 64 pages fill the cache; each is used again only after the other 63.
      for (let i = 0; i < OPS; i++) {
        status |= tce.translate(2 * PE, 0, pageOf(i & 63) + (i & 0xfc0), DmaDirection.WRITE);
        sum = (Math.imul(sum, 31) + tce.realAddress) | 0;
      }
      return checked(status, sum);
    };
  },
});

suite('dma-path-cold', {
  unit: 'ns',
  opsPerRun: OPS,
  setup() {
    const memory = memoryWithTables();
    const ridToPe = new RidToPe(memory);
    ridToPe.setBase(RTT);
    const dma = new DmaTranslation({ memory, ridToPe, peStopped: new Uint8Array(PE_COUNT) });
    for (let pe = 0; pe < PE_COUNT; pe++) dma.writeTve(2 * pe, TVE);
    let next = 0;
    return () => {
      let sum = 0;
      let status = 0;
      for (let i = 0; i < OPS; i++) {
        const rid = Math.imul(next, 40_503) & 0xffff;
        status |= dma.translate(rid, 0, pageOf(next++) + 0x40, DmaDirection.READ);
        sum = (Math.imul(sum, 31) + dma.realAddress) | 0;
      }
      next &= 0xff_ffff;
      return checked(status, sum);
    };
  },
});
