// DMA translation of P7IOC beside PHB3's `dma-path-cold`: requester to PE over the PELTM, the window with its requester filter, one
// TCE from memory. Every TCE look-up misses the chip's cache, and every requester comes by.
import { SystemMemory } from '../dist/hw/memory.js';
import { DmaDirection, DmaTranslation } from '../dist/ioda1/dma-translation.js';
import { RidToPe } from '../dist/ioda1/rid-to-pe.js';
import { encodeTce, Permission } from '../dist/tce/tce.js';
import { suite } from './suite.mjs';

const OPS = 50_000;
const PE_COUNT = 128;
const PAGE_BYTES = 0x1000;
/** As many pages as PHB3's suite has, in the sixteen windows below 4 GiB. */
const PAGES = 1 << 15;
const WINDOWS = 16;
const PAGES_IN_WINDOW = PAGES / WINDOWS;
// Above 4 GiB, where the tables of a real machine stand.
const TABLES = 0x1_4000_0000;
const TABLE_BYTES = PAGES_IN_WINDOW * 8;
const DATA = 0x2_0000_0000;

/** Entry n of the PELTM is for two buses, from bus 2 n on. */
const peltm = (pe) => (BigInt(2 * pe) << 56n) | (6n << 45n);
/** 256 MiB of 4 KiB pages for every requester. */
const tve = (window) => (BigInt((TABLES + window * TABLE_BYTES) / PAGE_BYTES) << 16n) | (2n << 8n);
const TVE_PAGES = 1n << 40n;

function translation() {
  const memory = new SystemMemory({ sizeBytes: 0x4_0000_0000 });
  for (let page = 0; page < PAGES; page++) {
    memory.write64(TABLES + page * 8, encodeTce(DATA + page * PAGE_BYTES, Permission.READ_WRITE));
  }
  const ridToPe = new RidToPe();
  for (let pe = 0; pe < PE_COUNT; pe++) ridToPe.peltm.write(pe, peltm(pe));
  const dma = new DmaTranslation({ memory, ridToPe, peStopped: new Uint8Array(PE_COUNT) });
  for (let window = 0; window < WINDOWS; window++) {
    dma.windows.tvt.second.write(window, TVE_PAGES | BigInt(window));
    dma.windows.tvt.write(window, tve(window));
  }
  return dma;
}

suite('dma-path-cold-p7ioc', {
  unit: 'ns',
  opsPerRun: OPS,
  setup() {
    const dma = translation();
    let next = 0;
    return () => {
      let sum = 0;
      let status = 0;
      for (let i = 0; i < OPS; i++) {
        const rid = Math.imul(next, 40_503) & 0xffff;
        const page = Math.imul(next++, 20_021) & (PAGES - 1);
        // The window's number on top, the page in it below.
        const address = ((page & (WINDOWS - 1)) << 28) | ((page >>> 4) * PAGE_BYTES);
        status |= dma.select(rid, 0, (address + 0x40) >>> 0);
        status |= dma.translate(DmaDirection.READ);
        sum = (Math.imul(sum, 31) + dma.realAddress + dma.pe) | 0;
      }
      next &= 0xff_ffff;
      // A fast error path proves nothing.
      if (status !== 0) throw new Error(`translation ended with status ${status}`);
      return sum;
    };
  },
});
