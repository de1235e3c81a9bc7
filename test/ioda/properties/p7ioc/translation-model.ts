/**
 * The reference for requester to PE and for DMA on P7IOC: the PELTM from entry 0 on, the window that the address names,
 * one TCE, and every TCE that the cache may still hold. Facts: ioda1-p7ioc 4.6, 4.7, 5, 6.3, 6.6, 12.8.
 */
import { exactly, IDLE_PELTM, PE, RID } from '../../../ioda1/rig.js';
import type { ShadowMemory } from '../shadow-memory.js';
import { LAYOUT } from './chip.js';

/** `tve`: no window, or not this requester's; `range`: beyond it. */
export interface NoPlace {
  readonly fault: 'tve' | 'range';
  /** The PE of the window, where that one counts already. */
  readonly pe?: number;
}

export interface Place {
  readonly index: number;
  readonly pe: number;
  readonly offset: bigint;
  readonly shift: bigint;
  readonly table: bigint;
}

export interface CachedTce {
  readonly at: bigint;
  readonly value: bigint;
}

/** Field first..last in IBM numbering of a word of `width` bits. */
const field = (word: bigint, [first, last]: readonly [number, number], width = 64): number =>
  Number((word >> BigInt(width - 1 - last)) & ((1n << BigInt(last - first + 1)) - 1n));

/** Bus bits compared for each code: none, none, then the top three and more. */
const BUS_BITS = [0, 0, 3, 4, 5, 6, 7, 8] as const;
const PAGE_SHIFTS = [12, 16, 24, 34];
const FOUR_GIB = 1n << 32n;
const LOW_SELECTOR = 0xfn << 28n;
const HIGH_SELECTOR = 0x7fn << 53n;

interface Filter {
  readonly bus: number;
  readonly busCode: number;
  readonly device: number | undefined;
  readonly function: number | undefined;
}

function passes(filter: Filter, rid: number): boolean {
  const drop = 8 - BUS_BITS[filter.busCode]!;
  if (rid >> (8 + drop) !== filter.bus >> drop) return false;
  if (filter.device !== undefined && ((rid >> 3) & 31) !== filter.device) return false;
  return filter.function === undefined || (rid & 7) === filter.function;
}

export class TranslationModel {
  readonly peltm = new Map<number, bigint>();
  readonly tves = new Map<number, bigint>();
  #cached: CachedTce[] = [];

  constructor(private readonly memory: ShadowMemory) {
    for (let pe = 0; pe < LAYOUT.peCount - 1; pe++) this.peltm.set(pe, pe === PE ? exactly(RID) : IDLE_PELTM);
    this.peltm.set(LAYOUT.peCount - 1, 0n);
  }

  peOf(rid: number): number {
    for (let pe = 0; pe < LAYOUT.peCount; pe++) if (passes(peltmFilter(this.peltm.get(pe)!), rid)) return pe;
    return LAYOUT.peCount - 1;
  }

  /** The window of an address, if this requester may use it there. */
  select(rid: number, address: bigint): Place | NoPlace {
    if (address >> 60n !== 0n) return { fault: 'tve' };
    const isLow = address < FOUR_GIB;
    const index = Number(isLow ? address >> 28n : (address >> 53n) & 0x7fn);
    const word = this.tves.get(index) ?? 0n;
    const sizeCode = field(word, [51, 55], 128);
    const pageShift = field(word, [64 + 19, 64 + 23], 128) + 11;
    if (sizeCode === 0 || sizeCode + 26 > 48 || !PAGE_SHIFTS.includes(pageShift)) return { fault: 'tve' };
    if (!passes(tveFilter(word), rid)) return { fault: 'tve' };
    const pe = field(word, [64 + 57, 64 + 63], 128);
    const inside = (1n << BigInt(26 + sizeCode)) - 1n;
    if ((address & ~inside & ~(isLow ? LOW_SELECTOR : HIGH_SELECTOR)) !== 0n) return { fault: 'range', pe };
    const table = BigInt(field(word, [0, 47], 128)) << 12n;
    return { index, pe, offset: address & inside, shift: BigInt(pageShift), table };
  }

  /** What the table says now, and what the cache may remember of it. */
  tcesOf({ table, offset, shift }: Place): (CachedTce | 'no memory')[] {
    const at = table + 8n * (offset >> shift);
    const now = at + 8n > BigInt(LAYOUT.memoryBytes) ? 'no memory' : { at, value: this.memory.read64(Number(at)) };
    return [now, ...this.#cached.filter((held) => held.at === at)];
  }

  used(tce: CachedTce): void {
    if (!this.#cached.some(({ at, value }) => at === tce.at && value === tce.value)) this.#cached.push(tce);
  }

  /** Sixteen bytes at an address, or everything. */
  forget(address: bigint | undefined): void {
    this.#cached = address === undefined ? [] : this.#cached.filter(({ at }) => at >> 4n !== address >> 4n);
  }
}

function peltmFilter(entry: bigint): Filter {
  return {
    bus: field(entry, [0, 7]),
    busCode: field(entry, [16, 18]),
    device: field(entry, [19, 19]) === 1 ? field(entry, [8, 12]) : undefined,
    function: field(entry, [20, 20]) === 1 ? field(entry, [13, 15]) : undefined,
  };
}

function tveFilter(word: bigint): Filter {
  return {
    bus: field(word, [56, 63], 128),
    busCode: field(word, [48, 50], 128),
    device: field(word, [66, 66], 128) === 1 ? field(word, [67, 71], 128) : undefined,
    function: field(word, [76, 76], 128) === 1 ? field(word, [77, 79], 128) : undefined,
  };
}
