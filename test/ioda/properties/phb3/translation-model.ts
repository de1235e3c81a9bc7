/**
 * The reference for RID to PE and for DMA address translation, in the plainest form and in `bigint`: what a request may
 * lead to, given the tables in memory and everything the caches may still hold. Facts: ioda2-phb3 4.4, 5.1, 5.5, 6.3, 6.6.
 */
import type { ShadowMemory } from '../shadow-memory.js';

export type Fault = 'invalid' | 'range' | 'page-fault' | 'access-fault' | 'memory';
export type Translation = { readonly fault: Fault } | { readonly real: number; readonly entry?: CachedPage };

/** A translation that was used and may still be in the TCE cache. */
export interface CachedPage {
  readonly pe: number;
  readonly pageShift: number;
  readonly page: bigint;
  readonly realPage: bigint;
  readonly permission: number;
}

export const PERMISSION = { read: 1, write: 2 } as const;

/** LSB-0 bits of an address or a table word. */
const bitsOf = (value: bigint, high: number, low: number): bigint =>
  (value >> BigInt(low)) & ((1n << BigInt(high - low + 1)) - 1n);
/** Field first..last in IBM numbering. */
const field = (word: bigint, first: number, last: number): bigint => bitsOf(word, 63 - first, 63 - last);

const PAGE_SHIFTS = [12, 16, 24, 28];
const REAL_BITS = 50n;
const REAL_MASK = (1n << REAL_BITS) - 1n;
const FOUR_GIB = 1n << 32n;

export class TranslationModel {
  readonly tves = new Map<number, bigint>();
  private rids = new Map<number, Set<number>>();
  private pages: CachedPage[] = [];

  constructor(
    private readonly memory: ShadowMemory,
    private readonly place: { readonly rtt: number; readonly memoryBytes: number },
  ) {}

  // ---- requester to PE --------------------------------------------------------------------------------------------

  /** PEs that a request of this RID may be charged to; `undefined` stands for none. */
  pesOf(rid: number): (number | undefined)[] {
    const [high, low] = this.memory.read(this.place.rtt + 2 * rid, 2);
    const rte = high! * 256 + low!;
    const now = rte < 256 ? rte : undefined;
    const stale = [...(this.rids.get(rid) ?? [])].filter((pe) => pe !== now);
    return [now, ...stale];
  }

  ridUsed(rid: number, pe: number): void {
    const known = this.rids.get(rid) ?? new Set<number>();
    this.rids.set(rid, known.add(pe));
  }

  forgetRid(rid: number | 'all'): void {
    if (rid === 'all') this.rids.clear();
    else this.rids.delete(rid);
  }

  // ---- address to memory ------------------------------------------------------------------------------------------

  pageUsed(page: CachedPage): void {
    this.pages.push(page);
  }

  forgetPages(pe: number | 'all', address?: bigint): void {
    this.pages = this.pages.filter((cached) => {
      if (pe !== 'all' && cached.pe !== pe) return true;
      return address !== undefined && address >> BigInt(cached.pageShift) !== cached.page;
    });
  }

  /** Everything this access may lead to: what the tables say now, and what a cache may remember. */
  translate(pe: number, address: bigint, permission: number): Translation[] {
    const word = this.tves.get(2 * pe + Number(bitsOf(address, 59, 59))) ?? 0n;
    const pageSize = Number(field(word, 59, 63));
    if (pageSize === 0) return [this.untranslated(word, address)];
    const levels = Number(field(word, 48, 50)) + 1;
    const tableSize = Number(field(word, 51, 55));
    const pageShift = pageSize + 11;
    if (tableSize === 0 || levels > 5 || !PAGE_SHIFTS.includes(pageShift)) return [{ fault: 'invalid' }];
    const offset = bitsOf(address, 58, 0);
    if (offset >> BigInt(pageShift + levels * (tableSize + 8)) !== 0n) return [{ fault: 'range' }];
    const page = address >> BigInt(pageShift);
    const now = this.walk({ table: field(word, 0, 47) << 12n, levels, indexBits: tableSize + 8, pageShift }, offset);
    const fresh =
      typeof now === 'string' ? { fault: now } : granted({ pe, pageShift, page, ...now }, address, permission);
    const stale = this.pages.filter((held) => held.pe === pe && held.pageShift === pageShift && held.page === page);
    return [fresh, ...stale.map((held) => granted(held, address, permission))];
  }

  /** The last entry of the walk, or why there is none. */
  private walk(
    shape: { table: bigint; levels: number; indexBits: number; pageShift: number },
    offset: bigint,
  ): Fault | { realPage: bigint; permission: number } {
    let { table } = shape;
    for (let level = shape.levels - 1; ; level--) {
      const shift = shape.pageShift + level * shape.indexBits;
      const at = table + 8n * bitsOf(offset, shift + shape.indexBits - 1, shift);
      if (at + 8n > BigInt(this.place.memoryBytes)) return 'memory';
      const entry = this.memory.read64(Number(at));
      const permission = Number(entry & 3n);
      if (permission === 0) return 'page-fault';
      if (level === 0) return { realPage: (entry & REAL_MASK) >> BigInt(shape.pageShift), permission };
      table = entry & REAL_MASK & ~0xfffn;
    }
  }

  /** Venice has no untranslated DMA below 4 GiB through the first window. */
  private untranslated(word: bigint, address: bigint): Translation {
    if (field(word, 51, 51) === 0n) return { fault: 'invalid' };
    const start = ((field(word, 52, 53) << 24n) | field(word, 0, 23)) << 24n;
    const end = ((field(word, 54, 55) << 24n) | field(word, 24, 47)) << 24n;
    const real = bitsOf(address, 58, 0);
    const secondWindow = bitsOf(address, 59, 59) === 1n;
    if (real < start || real >= end || (!secondWindow && real < FOUR_GIB)) return { fault: 'range' };
    return { real: Number(real) };
  }
}

function granted(page: CachedPage, address: bigint, permission: number): Translation {
  if ((page.permission & permission) === 0) return { fault: 'access-fault' };
  const shift = BigInt(page.pageShift);
  return { real: Number((page.realPage << shift) | (address & ((1n << shift) - 1n))), entry: page };
}
