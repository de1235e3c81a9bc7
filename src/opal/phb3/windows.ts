/**
 * MMIO windows and DMA windows of PEs.
 * Source: skiboot hw/phb3.c: phb3_phb_mmio_enable, phb3_set_phb_mem_window, phb3_map_pe_mmio_window,
 * phb3_map_pe_dma_window, phb3_map_pe_dma_window_real. Facts: opal-pci 5.2 to 5.4, 5.8, ioda2-phb3 4.4, 4.5.
 */
import { getField, setField } from '../../hw/bits.js';
import { IODA_TABLES } from '../../ioda2/tables.js';
import type { Process } from '../../sim/process.js';
import { MAX_LEVELS, PAGE_SHIFTS, WINDOW_BITS } from '../../tce/tve.js';
import { entry, entryBits } from '../field-words.js';
import { MmioEnable, OpalStatus, WindowType } from '../opal-api.js';
import type { DmaWindow, MemWindow, MmioSegment, RealDmaWindow } from '../opal-requests.js';
import { isPe } from './mapping.js';
import type { Phb3 } from './phb3.js';

const { M64BT, M32DT, TVT } = IODA_TABLES;
const M64_ENABLE = entryBits(M64BT, 'ENABLE');
const M64_SINGLE = entryBits(M64BT, 'SINGLE_PE');
const SHARED_SHIFT = 20n;
const SINGLE_SHIFT = 25n;
/** Bits of the compare mask in each form. */
const SHARED_MASK_BITS = 30n;
const SINGLE_MASK_BITS = 25n;

export const isM64Window = (window: number): boolean =>
  Number.isInteger(window) && window >= 0 && window < M64BT.entries;

const isPowerOf2 = (value: bigint): boolean => value > 0n && (value & (value - 1n)) === 0n;

/** OPAL_PCI_PHB_MMIO_ENABLE: the call that brings a cached window to the chip. */
export function* phbMmioEnable(phb: Phb3, type: number, window: number, enable: number): Process<number> {
  if (type === WindowType.IO || type === WindowType.M32) return OpalStatus.UNSUPPORTED;
  if (type !== WindowType.M64) return OpalStatus.PARAMETER;
  if (!isM64Window(window) || enable < MmioEnable.DISABLE || enable > MmioEnable.NON_SPLIT) return OpalStatus.PARAMETER;
  const cached = phb.tables.m64[window]!;
  if (enable === MmioEnable.DISABLE) return yield* writeM64(phb, window, disabled(phb, cached));
  const wantsSingle = enable === MmioEnable.NON_SPLIT;
  const isSingle = (cached & M64_SINGLE) !== 0n;
  if (wantsSingle !== isSingle) return OpalStatus.PARAMETER;
  if (!usableWindow(phb, cached)) return OpalStatus.PARTIAL;
  return yield* writeM64(phb, window, cached | M64_ENABLE);
}

/** What disabling leaves behind, base, mask and PE bits, stays until the window is set again. */
function disabled(phb: Phb3, cached: bigint): bigint {
  if (phb.profile.disabledM64 === 'corrected' && (cached & M64_SINGLE) !== 0n) return 0n;
  return cached & ~(M64_ENABLE | M64_SINGLE);
}

/** A window below the M64 range, or one without a mask, may fence the AIB. */
function usableWindow(phb: Phb3, cached: bigint): boolean {
  const single = (cached & M64_SINGLE) !== 0n;
  const base = single
    ? getField(cached, M64BT.field('SINGLE_BASE').at) << SINGLE_SHIFT
    : getField(cached, M64BT.field('BASE').at) << SHARED_SHIFT;
  const mask = getField(cached, M64BT.field(single ? 'SINGLE_MASK' : 'MASK').at);
  return base >= BigInt(phb.unit.windows.m64.base) && mask !== 0n;
}

function* writeM64(phb: Phb3, window: number, value: bigint): Process<number> {
  phb.tables.m64[window] = value;
  yield* phb.access.selectEntry('M64BT', window);
  yield* phb.access.writeEntry(value);
  return OpalStatus.SUCCESS;
}

/** OPAL_PCI_SET_PHB_MEM_WINDOW: changes the cache only. */
export function setPhbMemWindow(phb: Phb3, request: MemWindow): number {
  const { type, window, address, size } = request;
  if (type === WindowType.IO || type === WindowType.M32) return OpalStatus.UNSUPPORTED;
  if (type !== WindowType.M64 || !isM64Window(window)) return OpalStatus.PARAMETER;
  const cached = phb.tables.m64[window]!;
  const single = (cached & M64_SINGLE) !== 0n;
  const shift = single ? SINGLE_SHIFT : SHARED_SHIFT;
  const granule = 1n << shift;
  if (address % granule !== 0n || size % granule !== 0n) return OpalStatus.PARAMETER;
  if (!isPowerOf2(size) || address % size !== 0n) return OpalStatus.PARAMETER;
  const maskBits = single ? SINGLE_MASK_BITS : SHARED_MASK_BITS;
  const mask = (1n << maskBits) - (size >> shift);
  const withBase = setField(cached, M64BT.field(single ? 'SINGLE_BASE' : 'BASE').at, address >> shift);
  phb.tables.m64[window] = setField(withBase, M64BT.field(single ? 'SINGLE_MASK' : 'MASK').at, mask);
  return OpalStatus.SUCCESS;
}

/** OPAL_PCI_MAP_PE_MMIO_WINDOW: an M32 segment at once, a whole M64 window in the cache. */
export function* mapPeMmioWindow(phb: Phb3, request: MmioSegment): Process<number> {
  const { pe, type, window, segment } = request;
  if (!isPe(pe)) return OpalStatus.PARAMETER;
  if (type === WindowType.IO) return OpalStatus.UNSUPPORTED;
  if (type === WindowType.M64) return mapM64(phb, pe, window);
  if (type !== WindowType.M32 || window !== 0) return OpalStatus.PARAMETER;
  if (!Number.isInteger(segment) || segment < 0 || segment >= M32DT.entries) return OpalStatus.PARAMETER;
  const value = entry(M32DT, { PE: pe });
  phb.tables.m32[segment] = value;
  yield* phb.access.selectEntry('M32DT', segment);
  yield* phb.access.writeEntry(value);
  return OpalStatus.SUCCESS;
}

function mapM64(phb: Phb3, pe: number, window: number): number {
  if (!isM64Window(window)) return OpalStatus.PARAMETER;
  const cached = phb.tables.m64[window]!;
  if ((cached & M64_ENABLE) !== 0n) return OpalStatus.PARTIAL;
  const withHigh = setField(cached | M64_SINGLE, M64BT.field('SINGLE_PE_HIGH').at, BigInt(pe >> 5));
  phb.tables.m64[window] = setField(withHigh, M64BT.field('SINGLE_PE_LOW').at, BigInt(pe));
  return OpalStatus.SUCCESS;
}

/** PE that owns a single-PE window. */
export function singlePeOf(m64: bigint): number {
  const high = getField(m64, M64BT.field('SINGLE_PE_HIGH').at);
  return Number((high << 5n) | getField(m64, M64BT.field('SINGLE_PE_LOW').at));
}

// ---- DMA --------------------------------------------------------------------------------------------------------------

/** Sizes in a TVE are binary logarithms less 11. */
const TVE_SIZE_BIAS = 11;
const MIN_TABLE_BYTES = 0x1000n;
const TABLE_ADDRESS_SHIFT = 12n;
const BYPASS_GRANULE_SHIFT = 24n;
const BYPASS_LIMIT = 0x0003_ffff_ffff_ffffn;

const ownsWindow = (pe: number, window: number): boolean => isPe(pe) && window >> 1 === pe;

/** OPAL_PCI_MAP_PE_DMA_WINDOW; a table of no bytes takes the window away. */
export function* mapPeDmaWindow(phb: Phb3, request: DmaWindow): Process<number> {
  const { pe, window, levels, tableAddress, tableBytes, pageBytes } = request;
  if (!ownsWindow(pe, window)) return OpalStatus.PARAMETER;
  if (tableBytes === 0n) return yield* writeTve(phb, window, 0n);
  if (levels < 1 || levels > MAX_LEVELS) return OpalStatus.PARAMETER;
  if (!isPowerOf2(tableBytes) || tableBytes < MIN_TABLE_BYTES) return OpalStatus.PARAMETER;
  const tableSize = log2(tableBytes) - TVE_SIZE_BIAS;
  if (tableSize > 31) return OpalStatus.PARAMETER;
  const pageShift = PAGE_SHIFTS.find((shift) => 1n << BigInt(shift) === pageBytes);
  if (pageShift === undefined) return OpalStatus.PARAMETER;
  const tve = entry(TVT, {
    TABLE_ADDRESS: tableAddress >> TABLE_ADDRESS_SHIFT,
    LEVELS: levels - 1,
    TABLE_SIZE: tableSize,
    PAGE_SIZE: pageShift - TVE_SIZE_BIAS,
  });
  return yield* writeTve(phb, window, tve);
}

const log2 = (powerOf2: bigint): number => powerOf2.toString(2).length - 1;

/** OPAL_PCI_MAP_PE_DMA_WINDOW_REAL: addresses reach memory untranslated; no size takes the window away. */
export function* mapPeDmaWindowReal(phb: Phb3, request: RealDmaWindow): Process<number> {
  const { pe, window, pciStart, size } = request;
  if (!ownsWindow(pe, window)) return OpalStatus.PARAMETER;
  if (size === 0n) return yield* writeTve(phb, window, 0n);
  if (pciStart >> BigInt(WINDOW_BITS) !== BigInt(window & 1)) return OpalStatus.PARAMETER;
  const start = BigInt.asUintN(WINDOW_BITS, pciStart);
  const end = start + size;
  const granule = 1n << BYPASS_GRANULE_SHIFT;
  if (start % granule !== 0n || size % granule !== 0n || end > BYPASS_LIMIT) return OpalStatus.PARAMETER;
  const from = start >> BYPASS_GRANULE_SHIFT;
  const to = end >> BYPASS_GRANULE_SHIFT;
  const tve = entry(TVT, {
    // Nobody noticed that the firmware's mask loses bits of the start, as bypass windows start at 0.
    BYPASS_START: phb.profile.bypassStart === 'corrected' ? from : from & ~0xffn,
    BYPASS_START_HIGH: from >> 24n,
    BYPASS_END: to,
    BYPASS_END_HIGH: to >> 24n,
  });
  return yield* writeTve(phb, window, tve | entryBits(TVT, 'BYPASS'));
}

function* writeTve(phb: Phb3, window: number, tve: bigint): Process<number> {
  phb.tables.tve[window] = tve;
  yield* phb.access.selectEntry('TVT', window);
  yield* phb.access.writeEntry(tve);
  return OpalStatus.SUCCESS;
}
