/**
 * Which PE and which PCI address a processor's load or store belongs to: sixteen M64 windows, then the M32 window.
 * Sources: skiboot hw/phb3.c: phb3_set_phb_mem_window, phb3_map_pe_mmio_window; qemu pnv_phb3_check_m32, pnv_phb3_check_m64;
 * linux pci_iov_resource_on_powernv.rst.
 */
import { getField, hiOf, loOf } from '../hw/bits.js';
import { TableStore } from '../hw/table.js';
import { IODA_TABLES } from './tables.js';

const M64BT = IODA_TABLES.M64BT;
const M32DT = IODA_TABLES.M32DT;
const M64_WINDOWS = M64BT.entries;
const SEGMENTS = M32DT.entries;
const TWO_32 = 0x1_0000_0000;
const ADDRESS_SPACE = 2 ** 50;
const SHARED_GRANULE = 2 ** 20;
const SINGLE_GRANULE = 2 ** 25;
const SHARED_UNITS = ADDRESS_SPACE / SHARED_GRANULE;
const SINGLE_PE_LOW_BITS = 5n;

interface M64Window {
  readonly enabled: boolean;
  /** PE that owns the whole window, or -1 where each of 256 segments belongs to the PE of its number. */
  readonly singlePe: number;
  readonly granule: number;
  readonly base: number;
  readonly mask: number;
  readonly segmentBytes: number;
}

const DISABLED: M64Window = {
  enabled: false,
  singlePe: -1,
  granule: SHARED_GRANULE,
  base: 0,
  mask: 0,
  segmentBytes: 0,
};

const m64Field = (entry: bigint, name: string): number => Number(getField(entry, M64BT.field(name).at));

/** Decoded when written: outbound requests are many, window changes are few. */
function decodeM64(entry: bigint): M64Window {
  if (m64Field(entry, 'ENABLE') === 0) return DISABLED;
  if (m64Field(entry, 'SINGLE_PE') === 1) {
    const peHigh = BigInt(m64Field(entry, 'SINGLE_PE_HIGH'));
    return {
      enabled: true,
      singlePe: Number((peHigh << SINGLE_PE_LOW_BITS) | BigInt(m64Field(entry, 'SINGLE_PE_LOW'))),
      granule: SINGLE_GRANULE,
      base: m64Field(entry, 'SINGLE_BASE'),
      mask: m64Field(entry, 'SINGLE_MASK'),
      segmentBytes: 0,
    };
  }
  const mask = m64Field(entry, 'MASK');
  return {
    enabled: true,
    singlePe: -1,
    granule: SHARED_GRANULE,
    base: m64Field(entry, 'BASE'),
    mask,
    segmentBytes: ((SHARED_UNITS - mask) * SHARED_GRANULE) / SEGMENTS,
  };
}

/** Where the last address that `resolve` accepted leads. */
export interface OutboundTarget {
  readonly pe: number;
  readonly pciAddressHi: number;
  readonly pciAddressLo: number;
}

export class OutboundWindows implements OutboundTarget {
  pe = 0;
  pciAddressHi = 0;
  pciAddressLo = 0;

  readonly m64bt = new TableStore(M64BT, {
    onWrite: (index) => {
      this.#m64[index] = decodeM64(this.m64bt.read(index));
    },
  });
  readonly m32dt = new TableStore(M32DT, {
    onWrite: (segment) => {
      this.#m32SegmentPe[segment] = Number(this.m32dt.field(segment, 'PE'));
    },
  });

  readonly #m64: M64Window[] = new Array<M64Window>(M64_WINDOWS).fill(DISABLED);
  readonly #m32SegmentPe = new Uint8Array(SEGMENTS);
  #m64UpperBitsHi = 0;
  #m32Enabled = false;
  #m32Start = 0;
  /** Halves of base and mask inside the 50-bit address space. */
  #m32BaseHi = 0;
  #m32BaseLo = 0;
  #m32MaskHi = 0;
  #m32MaskLo = 0;
  #m32SegmentBytes = ADDRESS_SPACE / SEGMENTS;

  /** Finds the window of a 50-bit bus address; false if none matches. The lowest-numbered M64 window wins. */
  resolve(address: number): boolean {
    return this.#resolveM64(address) || this.#resolveM32(address);
  }

  #resolveM64(address: number): boolean {
    for (const window of this.#m64) {
      if (!window.enabled) continue;
      const unit = Math.floor(address / window.granule);
      if ((unit & window.mask) >>> 0 !== window.base) continue;
      this.pe =
        window.singlePe >= 0
          ? window.singlePe
          : Math.floor((address - window.base * window.granule) / window.segmentBytes) & (SEGMENTS - 1);
      const high = Math.floor((address % ADDRESS_SPACE) / TWO_32);
      this.pciAddressHi = (high | this.#m64UpperBitsHi) >>> 0;
      this.pciAddressLo = address % TWO_32;
      return true;
    }
    return false;
  }

  #resolveM32(address: number): boolean {
    if (!this.#m32Enabled) return false;
    const high = Math.floor(address / TWO_32);
    const low = address % TWO_32;
    if ((high & this.#m32MaskHi) >>> 0 !== this.#m32BaseHi || (low & this.#m32MaskLo) >>> 0 !== this.#m32BaseLo) {
      return false;
    }
    const offset = ((high & ~this.#m32MaskHi) >>> 0) * TWO_32 + ((low & ~this.#m32MaskLo) >>> 0);
    this.pe = this.#m32SegmentPe[Math.floor(offset / this.#m32SegmentBytes)] ?? 0;
    const pciAddress = this.#m32Start + offset;
    this.pciAddressHi = Math.floor(pciAddress / TWO_32);
    this.pciAddressLo = pciAddress % TWO_32;
    return true;
  }

  /** PHB_PHB3_CONFIG bit 16. */
  setM32Enable(state: 'enabled' | 'disabled'): void {
    this.#m32Enabled = state === 'enabled';
  }

  /** PHB_M32_BASE_ADDR, PHB_M32_BASE_MASK (ones in compared bits), PHB_M32_START_ADDR. */
  setM32(base: bigint, mask: bigint, start: bigint): void {
    const inSpace = BigInt(ADDRESS_SPACE) - 1n;
    // Bits above the bus address are never compared.
    const comparedBits = mask & inSpace;
    const comparedBase = base & comparedBits;
    this.#m32Start = Number(start & inSpace);
    this.#m32BaseHi = hiOf(comparedBase);
    this.#m32BaseLo = loOf(comparedBase);
    this.#m32MaskHi = hiOf(comparedBits);
    this.#m32MaskLo = loOf(comparedBits);
    this.#m32SegmentBytes = (Number(inSpace ^ comparedBits) + 1) / SEGMENTS;
  }

  /** PHB_M64_UPPER_BITS: or-ed on top of every M64 PCI address. */
  setM64UpperBits(value: bigint): void {
    this.#m64UpperBitsHi = hiOf(value);
  }

  reset(): void {
    this.m64bt.resetAll();
    this.m32dt.resetAll();
    this.setM64UpperBits(0n);
    this.setM32Enable('disabled');
    this.setM32(0n, 0n, 0n);
  }
}
