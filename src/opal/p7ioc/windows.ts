/**
 * MMIO windows and DMA windows of PEs.
 * Source: skiboot p7ioc hw/p7ioc-phb.c: p7ioc_phb_mmio_enable, p7ioc_set_phb_mem_window, p7ioc_map_pe_mmio_window,
 * p7ioc_map_pe_dma_window, p7ioc_map_pe_dma_window_real. Facts: opal-pci 5.2 to 5.4, 5.8, ioda1-p7ioc 4.6, 4.9.
 */
import { getField, setField } from '../../hw/bits.js';
import { IODA_TABLES, type IodaTableName } from '../../ioda1/tables.js';
import type { Process } from '../../sim/process.js';
import { entry, entryBits, wideEntry } from '../field-words.js';
import { MmioEnable, OpalStatus, WindowType } from '../opal-api.js';
import type { DmaWindow, MemWindow, MmioSegment } from '../opal-requests.js';
import { isPe, requesterFilter } from './mapping.js';
import type { P7iocPhb } from './phb.js';
import { writePair } from './table-load.js';

const { M64BT, TVT } = IODA_TABLES;
const M64_ENABLE = entryBits(M64BT, 'ENABLE');
const M64_SHIFT = 24n;
const M64_GRANULE = 1n << M64_SHIFT;
/** One beyond what the mask field counts to. */
const M64_MASK_END = 1n << 24n;
const M64_SEGMENTS = 8;

const isBelow = (value: number, end: number): boolean => Number.isInteger(value) && value >= 0 && value < end;
const isM64Window = (window: number): boolean => isBelow(window, M64BT.entries);

/** OPAL_PCI_PHB_MMIO_ENABLE. */
export function* phbMmioEnable(phb: P7iocPhb, type: number, window: number, enable: number): Process<number> {
  if (type === WindowType.IO || type === WindowType.M32) return OpalStatus.UNSUPPORTED;
  if (type !== WindowType.M64 || !isM64Window(window)) return OpalStatus.PARAMETER;
  // Windows of one PE are a thing of later chips.
  if (enable !== MmioEnable.DISABLE && enable !== MmioEnable.SPLIT) return OpalStatus.PARAMETER;
  const cached = phb.tables.m64[window]!;
  if (enable === MmioEnable.DISABLE) return yield* writeM64(phb, window, cached & ~M64_ENABLE);
  if (!isUsable(phb, cached)) return OpalStatus.PARTIAL;
  return yield* writeM64(phb, window, cached | M64_ENABLE);
}

/** A window below the range of the PHB, or one without a mask, may fence the AIB. */
function isUsable(phb: P7iocPhb, m64: bigint): boolean {
  const base = getField(m64, M64BT.field('BASE').at) << M64_SHIFT;
  return base >= BigInt(phb.m64Window.base) && getField(m64, M64BT.field('MASK').at) !== 0n;
}

function* writeM64(phb: P7iocPhb, window: number, m64: bigint): Process<number> {
  phb.tables.m64[window] = m64;
  yield* phb.access.selectEntry('M64BT', window);
  yield* phb.access.writeEntry(m64);
  return OpalStatus.SUCCESS;
}

/** OPAL_PCI_SET_PHB_MEM_WINDOW: reaches the chip only if the window is enabled already. */
export function* setPhbMemWindow(phb: P7iocPhb, request: MemWindow): Process<number> {
  const { type, window, address, size } = request;
  if (type === WindowType.IO || type === WindowType.M32) return OpalStatus.UNSUPPORTED;
  if (type !== WindowType.M64 || !isM64Window(window)) return OpalStatus.PARAMETER;
  if (address % M64_GRANULE !== 0n || size % M64_GRANULE !== 0n) return OpalStatus.PARAMETER;
  const withBase = setField(phb.tables.m64[window]!, M64BT.field('BASE').at, address >> M64_SHIFT);
  const m64 = setField(withBase, M64BT.field('MASK').at, M64_MASK_END - (size >> M64_SHIFT));
  if ((m64 & M64_ENABLE) !== 0n) return yield* writeM64(phb, window, m64);
  phb.tables.m64[window] = m64;
  return OpalStatus.SUCCESS;
}

interface SegmentPlace {
  readonly table: IodaTableName & ('IODT' | 'M32DT' | 'M64DT');
  readonly index: number;
  readonly cache: bigint[];
}

/** OPAL_PCI_MAP_PE_MMIO_WINDOW: every segment of every window has an entry of its own. */
export function* mapPeMmioWindow(phb: P7iocPhb, request: MmioSegment): Process<number> {
  const place = isPe(request.pe) ? segmentPlace(phb, request) : undefined;
  if (place === undefined) return OpalStatus.PARAMETER;
  const { table, index, cache } = place;
  const segment = entry(IODA_TABLES[table], { PE: request.pe });
  yield* phb.access.selectEntry(table, index);
  yield* phb.access.writeEntry(segment);
  cache[index] = segment;
  return OpalStatus.SUCCESS;
}

function segmentPlace({ tables }: P7iocPhb, { type, window, segment }: MmioSegment): SegmentPlace | undefined {
  if (type === WindowType.M64) {
    if (!isM64Window(window) || !isBelow(segment, M64_SEGMENTS)) return undefined;
    return { table: 'M64DT', index: window * M64_SEGMENTS + segment, cache: tables.m64Segments };
  }
  if (window !== 0 || !isBelow(segment, IODA_TABLES.IODT.entries)) return undefined;
  if (type === WindowType.IO) return { table: 'IODT', index: segment, cache: tables.io };
  return type === WindowType.M32 ? { table: 'M32DT', index: segment, cache: tables.m32 } : undefined;
}

// ---- DMA --------------------------------------------------------------------------------------------------------------

/** Page sizes that the chip knows, as binary logarithms. */
export const PAGE_SHIFTS = [12, 16, 24, 34] as const;
const PAGE_CODE_BIAS = 11;
/** The size in a TVE is a binary logarithm less 26; firmware wants one at least. */
const WINDOW_CODE_BIAS = 26;
const MIN_WINDOW_SHIFT = WINDOW_CODE_BIAS + 1;
const TCE_BYTES_SHIFT = 3n;
const TABLE_ADDRESS_SHIFT = 12n;

/** OPAL_PCI_MAP_PE_DMA_WINDOW. Real firmware refuses to take a window away: no table makes a window that is too small. */
export function* mapPeDmaWindow(phb: P7iocPhb, request: DmaWindow): Process<number> {
  const { pe, window, levels, tableAddress, tableBytes, pageBytes } = request;
  if (!isPe(pe) || !isBelow(window, TVT.entries)) return OpalStatus.PARAMETER;
  if (tableBytes === 0n && phb.profile.dmaWindowRemoval === 'corrected') return yield* writeTve(phb, window, 0n);
  if (levels !== 1) return OpalStatus.PARAMETER;
  const windowShift = log2(BigInt.asUintN(64, pageBytes * (tableBytes >> TCE_BYTES_SHIFT)));
  if (windowShift < MIN_WINDOW_SHIFT) return OpalStatus.PARAMETER;
  const pageShift = PAGE_SHIFTS.find((shift) => 1n << BigInt(shift) === pageBytes);
  if (pageShift === undefined) return OpalStatus.PARAMETER;
  const tve = wideEntry(TVT, {
    ...(yield* requesterFilter(phb, pe)),
    TABLE_ADDRESS: tableAddress >> TABLE_ADDRESS_SHIFT,
    TABLE_SIZE: windowShift - WINDOW_CODE_BIAS,
    PAGE_SIZE: pageShift - PAGE_CODE_BIAS,
    PE: pe,
  });
  return yield* writeTve(phb, window, tve);
}

/** Rounded down; of nothing, less than anything. */
const log2 = (value: bigint): number => (value === 0n ? -1 : value.toString(2).length - 1);

function* writeTve(phb: P7iocPhb, window: number, tve: bigint): Process<number> {
  yield* phb.access.selectEntry('TVT', window);
  yield* writePair(phb, tve);
  phb.tables.tve[window] = tve;
  return OpalStatus.SUCCESS;
}

/** OPAL_PCI_MAP_PE_DMA_WINDOW_REAL: the chip translates everything. */
export function* mapPeDmaWindowReal(): Process<number> {
  return OpalStatus.UNSUPPORTED;
}
