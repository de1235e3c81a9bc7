/**
 * The register interface of an NVMe controller, as data: BAR0 up to the doorbells. Source: NVM Express 1.2, 3.1.
 * The MSI-X table and its pending bits share the BAR.
 */
import { amend, type ConfigLayout } from './config-space.js';

export type NvmeRegister =
  | 'CAP'
  | 'CAP_HI'
  | 'VS'
  | 'INTMS'
  | 'INTMC'
  | 'CC'
  | 'CSTS'
  | 'AQA'
  | 'ASQ'
  | 'ASQ_HI'
  | 'ACQ'
  | 'ACQ_HI';

export const NVME_CC = {
  EN: 0x0000_0001,
  CSS: 0x0000_0070,
  MPS: 0x0000_0780,
  AMS: 0x0000_3800,
  SHN: 0x0000_c000,
  IOSQES: 0x000f_0000,
  IOCQES: 0x00f0_0000,
} as const;
export const NVME_CSTS = { RDY: 0x1, CFS: 0x2, SHST: 0xc } as const;
/** Values of CC.SHN that ask for something, and of CSTS.SHST. */
export const NVME_SHUTDOWN = { NORMAL: 1, ABRUPT: 2, UNDER_WAY: 1, COMPLETE: 2 } as const;
const AQA_FIELDS = { ASQS: 0x0000_0fff, ACQS: 0x0fff_0000 } as const;

/** Entries a queue may have; CAP.MQES is one less. */
export const NVME_MOST_ENTRIES = 2048;
/** Half seconds that enabling and disabling may take: CAP.TO. */
const TIMEOUT_HALF_SECONDS = 15;
/** Memory pages of 4 KiB (CAP.MPSMIN) to 64 KiB (CAP.MPSMAX). */
export const NVME_SMALLEST_PAGE = 4096;
export const NVME_LARGEST_PAGE_CODE = 4;
const CONTIGUOUS_QUEUES = 0x0001_0000;
const NVM_COMMAND_SET = 0x20;
const VERSION_1_2 = 0x0001_0200;
const ALL = 0xffff_ffff;

const REGISTERS: ConfigLayout<NvmeRegister> = {
  CAP: {
    at: 0x00,
    size: 4,
    reset: ((TIMEOUT_HALF_SECONDS << 24) | CONTIGUOUS_QUEUES | (NVME_MOST_ENTRIES - 1)) >>> 0,
    about: 'entries a queue may have - 1, contiguous queues only, time to become ready',
  },
  CAP_HI: {
    at: 0x04,
    size: 4,
    reset: (NVME_LARGEST_PAGE_CODE << 20) | NVM_COMMAND_SET,
    fields: { DSTRD: 0x0000_000f, CSS: 0x0000_1fe0, MPSMIN: 0x000f_0000, MPSMAX: 0x00f0_0000 },
    about: 'doorbell stride, NVM command set, page sizes',
  },
  VS: { at: 0x08, size: 4, reset: VERSION_1_2, about: 'version of the specification' },
  INTMS: { at: 0x0c, size: 4, about: 'write 1 to mask a vector; the pin only. Reads the mask' },
  INTMC: { at: 0x10, size: 4, about: 'write 1 to unmask a vector. Reads the mask' },
  CC: { at: 0x14, size: 4, writable: 0x00ff_fff1, fields: NVME_CC, about: 'enable, page size, shutdown, entry sizes' },
  CSTS: { at: 0x1c, size: 4, fields: NVME_CSTS, about: 'ready, fatal, progress of a shutdown' },
  AQA: { at: 0x24, size: 4, writable: 0x0fff_0fff, fields: AQA_FIELDS, about: 'entries of the admin queues - 1' },
  ASQ: { at: 0x28, size: 4, writable: 0xffff_f000, about: 'address of the admin submission queue' },
  ASQ_HI: { at: 0x2c, size: 4, writable: ALL, about: 'its upper half' },
  ACQ: { at: 0x30, size: 4, writable: 0xffff_f000, about: 'address of the admin completion queue' },
  ACQ_HI: { at: 0x34, size: 4, writable: ALL, about: 'its upper half' },
};

export function nvmeRegisters(doorbellStride: number): ConfigLayout<NvmeRegister> {
  return amend(REGISTERS, { CAP_HI: { reset: REGISTERS.CAP_HI.reset! | doorbellStride } });
}

export const NVME_DOORBELLS_AT = 0x1000;
export const NVME_DOORBELLS_END = 0x2000;
const SMALLEST_STRIDE_BYTES = 4;
/** With the largest stride every queue pair still has its doorbells. */
export const NVME_LARGEST_STRIDE = 3;

/** Which doorbell an offset is; `undefined` between two. */
export function doorbellAt(offset: number, stride: number): { queue: number; of: 'SQ' | 'CQ' } | undefined {
  const strideBytes = SMALLEST_STRIDE_BYTES << stride;
  const index = (offset - NVME_DOORBELLS_AT) / strideBytes;
  return Number.isInteger(index) ? { queue: index >> 1, of: (index & 1) === 0 ? 'SQ' : 'CQ' } : undefined;
}

/** Queue pairs, that of the admin queues included, whose doorbells fit. */
export function doorbellPairs(stride: number): number {
  return (NVME_DOORBELLS_END - NVME_DOORBELLS_AT) / (2 * (SMALLEST_STRIDE_BYTES << stride));
}
