/**
 * Which PE and which PCI address a processor's load or store belongs to: sixteen M64 windows, the M32 and the IO window.
 * Facts: ioda1-p7ioc 4.9, 6.2. Sources: skiboot p7ioc hw/p7ioc-phb.c: p7ioc_set_phb_mem_window, p7ioc_map_pe_mmio_window;
 * linux pci-ioda.c: pnv_ioda1_init_m64.
 */
import { ALL_ONES, getField, hiOf } from '../hw/bits.js';
import { TableStore } from '../hw/table.js';
import { IODA_TABLES } from './tables.js';

const M64BT = IODA_TABLES.M64BT;
const TWO_32 = 2 ** 32;
const ADDRESS_SPACE = 2 ** 48;
const SEGMENTS = IODA_TABLES.M32DT.entries;
const M64_SEGMENTS = 8;
const GRANULE = 2 ** 24;
const GRANULES = ADDRESS_SPACE / GRANULE;

interface M64Window {
  readonly enabled: boolean;
  readonly base: number;
  readonly mask: number;
  readonly segmentBytes: number;
}
const DISABLED: M64Window = { enabled: false, base: 0, mask: 0, segmentBytes: 0 };

function decodeM64(entry: bigint): M64Window {
  const field = (name: string): number => Number(getField(entry, M64BT.field(name).at));
  if (field('ENABLE') === 0) return DISABLED;
  const mask = field('MASK');
  return {
    enabled: true,
    base: field('BASE'),
    mask,
    segmentBytes: ((GRANULES - mask) * GRANULE) / M64_SEGMENTS,
  };
}

/** A window of 128 segments, the IO or the M32 one. */
class SegmentedWindow {
  readonly table: TableStore;
  readonly pes = new Uint8Array(SEGMENTS);
  enabled = false;
  #first = 0;
  #last = -1;
  #start = 0;
  #segmentBytes = 1;

  constructor(declaration: (typeof IODA_TABLES)['IODT' | 'M32DT']) {
    this.table = new TableStore(declaration, {
      onWrite: (segment) => {
        this.pes[segment] = Number(this.table.field(segment, 'PE'));
      },
    });
  }

  /** The mask leaves out one run of low bits; where it does not, the window is empty (M). */
  place(base: bigint, mask: bigint, start: bigint): void {
    const inSpace = BigInt(ADDRESS_SPACE) - 1n;
    const size = (~mask & inSpace) + 1n;
    const isPowerOfTwo = (size & (size - 1n)) === 0n;
    this.#first = Number(base & mask & inSpace);
    this.#last = isPowerOfTwo ? this.#first + Number(size) - 1 : -1;
    this.#segmentBytes = Number(size) / SEGMENTS;
    this.#start = Number(start & inSpace);
  }

  covers(address: number): boolean {
    return this.enabled && address >= this.#first && address <= this.#last;
  }

  pe(address: number): number {
    return this.pes[Math.floor((address - this.#first) / this.#segmentBytes)] ?? 0;
  }

  pciAddress(address: number): number {
    return this.#start + (address - this.#first);
  }
}

/** Where the last address that `resolve` accepted leads. */
export class OutboundWindows {
  kind: 'memory' | 'io' = 'memory';
  pe = 0;
  pciAddressHi = 0;
  pciAddressLo = 0;

  readonly io = new SegmentedWindow(IODA_TABLES.IODT);
  readonly m32 = new SegmentedWindow(IODA_TABLES.M32DT);
  readonly m64bt = new TableStore(M64BT, {
    onWrite: (index) => {
      this.#m64[index] = decodeM64(this.m64bt.read(index));
    },
  });
  readonly m64dt = new TableStore(IODA_TABLES.M64DT, {
    onWrite: (segment) => {
      this.#m64Pes[segment] = Number(this.m64dt.field(segment, 'PE'));
    },
  });
  readonly #m64: M64Window[] = new Array<M64Window>(M64BT.entries).fill(DISABLED);
  readonly #m64Pes = new Uint8Array(IODA_TABLES.M64DT.entries);
  #m64UpperBitsHi = 0;

  /** Finds the window of a bus address; false if none matches. The lowest-numbered M64 window wins (M). */
  resolve(address: number): boolean {
    return (
      this.#resolveM64(address) || this.#resolve(this.m32, address, 'memory') || this.#resolve(this.io, address, 'io')
    );
  }

  #resolveM64(address: number): boolean {
    const granule = Math.floor(address / GRANULE);
    for (let index = 0; index < this.#m64.length; index++) {
      const window = this.#m64[index]!;
      if (!window.enabled || (granule & window.mask) !== window.base) continue;
      const segment = Math.floor((address - window.base * GRANULE) / window.segmentBytes) & (M64_SEGMENTS - 1);
      this.kind = 'memory';
      this.pe = this.#m64Pes[M64_SEGMENTS * index + segment]!;
      this.pciAddressHi = (Math.floor((address % ADDRESS_SPACE) / TWO_32) | this.#m64UpperBitsHi) >>> 0;
      this.pciAddressLo = address % TWO_32;
      return true;
    }
    return false;
  }

  #resolve(window: SegmentedWindow, address: number, kind: 'memory' | 'io'): boolean {
    if (!window.covers(address)) return false;
    const pciAddress = window.pciAddress(address);
    this.kind = kind;
    this.pe = window.pe(address);
    this.pciAddressHi = Math.floor(pciAddress / TWO_32);
    this.pciAddressLo = pciAddress % TWO_32;
    return true;
  }

  setIo(base: bigint, mask: bigint, start: bigint): void {
    this.io.place(base, mask, start);
  }

  /** Firmware leaves the upper half of the mask zero, and the window works: it counts as ones (M). */
  setM32(base: bigint, mask: bigint, start: bigint): void {
    this.m32.place(base, mask | (ALL_ONES << 32n), start);
  }

  /** Or-ed on top of every M64 PCI address. */
  setM64UpperBits(value: bigint): void {
    this.#m64UpperBitsHi = hiOf(value);
  }

  reset(): void {
    for (const table of [this.m64bt, this.m64dt, this.m32.table, this.io.table]) table.resetAll();
    this.io.enabled = false;
    this.m32.enabled = false;
    this.setM64UpperBits(0n);
    this.setIo(0n, 0n, 0n);
    this.setM32(0n, 0n, 0n);
  }
}
