/**
 * The inbound DMA path: requester, stopped PEs, DMA window, then TCE and real address. Two steps, because an injection
 * fires between window and TCE. Facts: ioda1-p7ioc 6.3, 12.8. Each failing status is one error event.
 */
import type { SystemMemory } from '../hw/memory.js';
import { Permission, permissionOf } from '../tce/tce.js';
import { DmaDirection } from '../tce/translation.js';
import { DmaWindows } from './dma-windows.js';
import type { RidToPe } from './rid-to-pe.js';
import { TceCache } from './tce-cache.js';

export { DmaDirection };

export const DmaStatus = {
  OK: 0,
  /** The PE is stopped: refused without a record. */
  PE_STOPPED: 1,
  /** The top address bits name no space. */
  BAD_ADDRESS: 2,
  TVE_INVALID: 3,
  /** The window is for other requesters. */
  TVE_REQUESTER: 4,
  /** Outside the window. */
  TVE_RANGE: 5,
  TCE_PAGE_FAULT: 6,
  TCE_ACCESS_FAULT: 7,
  /** The table could not be read. */
  MEMORY_ERROR: 8,
} as const;
export type DmaStatus = (typeof DmaStatus)[keyof typeof DmaStatus];

const TWO_32 = 2 ** 32;
const TCE_SHIFT = 3;
/** Positions in the high half of a PCI address (LSB-0): the space above, the selector of 64-bit windows below. */
const SPACE_SHIFT = 60 - 32;
const SELECTOR_SHIFT = 53 - 32;
const SELECTOR_MASK = 0x7f;
const SELECTED_HI = (SELECTOR_MASK << SELECTOR_SHIFT) >>> 0;
/** Below 4 GiB each 256 MiB have their own window. */
const SEGMENT_SHIFT = 28;
const SELECTED_LO = 0xf000_0000;
/** AIB addresses have 48 bits. */
const REAL_ADDRESS_HI = 0xffff;

export interface DmaTranslationOptions {
  readonly memory: SystemMemory;
  readonly ridToPe: RidToPe;
  /** PESTB bit 0 per PE, owned by the PE state. */
  readonly peStopped: Uint8Array;
}

export class DmaTranslation {
  readonly windows = new DmaWindows();
  readonly cache = new TceCache();

  /** Results of the last `select`: the PE charged, and the window's number. */
  pe = 0;
  tveIndex = 0;
  /** TCEs fetched from memory so far; wraps at 32 bits. */
  fetches = 0;

  readonly #memory: SystemMemory;
  readonly #ridToPe: RidToPe;
  readonly #peStopped: Uint8Array;
  /** One cell instead of a field: a double in a field could be allocated anew at every write. */
  readonly #result = new Float64Array(1);
  /** Address bits inside the window, as signed words: a larger number in a field could be allocated anew as well. */
  #insideHi = 0;
  #insideLo = 0;
  /** Halves of the address of the TCE. */
  #atHi = 0;
  #atLo = 0;

  constructor({ memory, ridToPe, peStopped }: DmaTranslationOptions) {
    this.#memory = memory;
    this.#ridToPe = ridToPe;
    this.#peStopped = peStopped;
  }

  /** Valid after `translate` answered OK. */
  get realAddress(): number {
    return this.#result[0]!;
  }

  isStopped(pe: number): boolean {
    return this.#peStopped[pe] !== 0;
  }

  /** The window of an address, and whether this requester may use it there. Halves are unsigned. */
  select(rid: number, addressHi: number, addressLo: number): DmaStatus {
    const { windows } = this;
    this.pe = this.#ridToPe.lookup(rid);
    if (this.#peStopped[this.pe] !== 0) return DmaStatus.PE_STOPPED;
    if (addressHi >>> SPACE_SHIFT !== 0) return DmaStatus.BAD_ADDRESS;
    const low = addressHi === 0;
    const index = low ? addressLo >>> SEGMENT_SHIFT : (addressHi >>> SELECTOR_SHIFT) & SELECTOR_MASK;
    this.tveIndex = index;
    if (windows.valid[index] === 0) return DmaStatus.TVE_INVALID;
    if ((rid & windows.ridMask[index]!) !== windows.ridValue[index]) return DmaStatus.TVE_REQUESTER;
    // From here on the window's own PE counts.
    this.pe = windows.pe[index]!;
    if (this.#peStopped[this.pe] !== 0) return DmaStatus.PE_STOPPED;
    const insideHi = windows.insideHi[index]!;
    const insideLo = windows.insideLo[index]!;
    const beyondHi = addressHi & ~insideHi & (low ? -1 : ~SELECTED_HI);
    const beyondLo = addressLo & ~insideLo & (low ? ~SELECTED_LO : -1);
    if ((beyondHi | beyondLo) !== 0) return DmaStatus.TVE_RANGE;
    this.#insideHi = addressHi & insideHi;
    this.#insideLo = addressLo & insideLo;
    return DmaStatus.OK;
  }

  /** The TCE of the place that `select` found. */
  translate(direction: DmaDirection): DmaStatus {
    const { cache } = this;
    const shift = this.windows.pageShift[this.tveIndex]!;
    this.#locate(this.tveIndex, shift);
    const atLo = this.#atLo >>> 0;
    const slot = cache.find(this.#atHi, atLo);
    if (slot >= 0) return this.#grant(cache.hi[slot]!, cache.lo[slot]!, shift, direction);
    const memory = this.#memory;
    this.fetches = (this.fetches + 1) | 0;
    if (!memory.tryReadHalvesAt(this.#atHi, atLo)) return DmaStatus.MEMORY_ERROR;
    const { hi, lo } = memory;
    const status = this.#grant(hi, lo, shift, direction);
    // Only a TCE that granted the access is kept, so a page mapped later needs no kill (M).
    if (status === DmaStatus.OK) cache.keep(this.#atHi, atLo, hi, lo);
    return status;
  }

  /** Table plus eight times the page number: whole numbers all the way. */
  #locate(tve: number, shift: number): void {
    const hi = this.#insideHi;
    const isSmall = shift < 32;
    const pageHi = isSmall ? hi >>> shift : 0;
    const pageLo = isSmall ? (this.#insideLo >>> shift) | (hi << (32 - shift)) : hi >>> (shift - 32);
    const sum = this.windows.tableLo[tve]! + ((pageLo << TCE_SHIFT) >>> 0);
    this.#atLo = sum | 0;
    const carry = sum >= TWO_32 ? 1 : 0;
    this.#atHi = this.windows.tableHi[tve]! + ((pageHi << TCE_SHIFT) | (pageLo >>> (32 - TCE_SHIFT))) + carry;
  }

  #grant(hi: number, lo: number, shift: number, direction: DmaDirection): DmaStatus {
    const permission = permissionOf(lo);
    if (permission === Permission.NONE) return DmaStatus.TCE_PAGE_FAULT;
    if ((permission & direction) === 0) return DmaStatus.TCE_ACCESS_FAULT;
    this.#result[0] = shift < 32 ? this.#inPage(hi, lo, shift) : this.#inHugePage(hi, shift);
    return DmaStatus.OK;
  }

  #inPage(hi: number, lo: number, shift: number): number {
    const pageLo = ((lo >>> shift) << shift) >>> 0;
    return (hi & REAL_ADDRESS_HI) * TWO_32 + pageLo + (this.#insideLo & ((1 << shift) - 1));
  }

  #inHugePage(hi: number, shift: number): number {
    const above = shift - 32;
    const pageHi = ((hi & REAL_ADDRESS_HI) >>> above) << above;
    return (pageHi + (this.#insideHi & ((1 << above) - 1))) * TWO_32 + (this.#insideLo >>> 0);
  }

  reset(): void {
    this.windows.reset();
    this.cache.killAll();
  }
}
