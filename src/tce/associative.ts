/**
 * Fully associative look-up with true LRU replacement, the shape of the chip's caches: it maps a key of three words
 * to a slot number, and its owner keeps the data of the slots. Find, claim and release take constant time and
 * allocate nothing. Size and policy: ioda2-phb3 11 #17 (M).
 */

const NONE = -1;
/** Tag of a slot that holds nothing; no key has it. */
const UNUSED = 0xffff_ffff;
const HASH_FACTOR = 0x9e37_79b1;
const BUCKETS_PER_SLOT = 4;

export class AssociativeIndex {
  readonly slots: number;
  /** The key of each slot: a tag below 2^32 - 1 and two words. */
  readonly tag: Uint32Array;
  readonly hi: Uint32Array;
  readonly lo: Uint32Array;

  /** First slot of each hash value, and from there the chain of slots with the same. */
  private readonly buckets: Int16Array;
  private readonly chain: Int16Array;
  private readonly bucketOf: Uint16Array;
  private readonly hashShift: number;
  /** The order of use, a list through all slots: unused ones stand at the old end, so they are claimed first. */
  private readonly older: Int16Array;
  private readonly newer: Int16Array;
  private newest = 0;
  private oldest: number;

  /** `slots` is a power of two, 2 to 8192. */
  constructor(slots: number) {
    this.slots = slots;
    this.tag = new Uint32Array(slots).fill(UNUSED);
    this.hi = new Uint32Array(slots);
    this.lo = new Uint32Array(slots);
    this.buckets = new Int16Array(slots * BUCKETS_PER_SLOT).fill(NONE);
    this.chain = new Int16Array(slots).fill(NONE);
    this.bucketOf = new Uint16Array(slots);
    this.hashShift = Math.clz32(slots * BUCKETS_PER_SLOT) + 1;
    this.older = Int16Array.from({ length: slots }, (_, slot) => (slot + 1 < slots ? slot + 1 : NONE));
    this.newer = Int16Array.from({ length: slots }, (_, slot) => slot - 1);
    this.oldest = slots - 1;
  }

  /** The slot of the key, which becomes the most recently used, or -1. */
  find(tag: number, hi: number, lo: number): number {
    // Most requests follow one of the same device to the same page.
    const newest = this.newest;
    if (this.lo[newest] === lo && this.tag[newest] === tag && this.hi[newest] === hi) return newest;
    return this.search(tag, hi, lo);
  }

  private search(tag: number, hi: number, lo: number): number {
    let slot = this.buckets[this.hash(tag, hi, lo)]!;
    while (slot >= 0) {
      if (this.lo[slot] === lo && this.tag[slot] === tag && this.hi[slot] === hi) {
        this.promote(slot);
        return slot;
      }
      slot = this.chain[slot]!;
    }
    return NONE;
  }

  /** Gives the key, which must not be present, the least recently used slot. */
  claim(tag: number, hi: number, lo: number): number {
    const slot = this.oldest;
    if (this.tag[slot] !== UNUSED) this.unchain(slot);
    const bucket = this.hash(tag, hi, lo);
    this.tag[slot] = tag;
    this.hi[slot] = hi;
    this.lo[slot] = lo;
    this.bucketOf[slot] = bucket;
    this.chain[slot] = this.buckets[bucket]!;
    this.buckets[bucket] = slot;
    this.promote(slot);
    return slot;
  }

  release(slot: number): void {
    if (!this.isUsed(slot)) return;
    this.unchain(slot);
    this.tag[slot] = UNUSED;
    if (slot !== this.oldest) this.demote(slot);
  }

  releaseAll(): void {
    this.buckets.fill(NONE);
    this.tag.fill(UNUSED);
  }

  isUsed(slot: number): boolean {
    return this.tag[slot] !== UNUSED;
  }

  /** The used slots, the most recently used first. For tools; does not count as a use. */
  usedSlots(): number[] {
    const used: number[] = [];
    for (let slot = this.newest; slot >= 0; slot = this.older[slot]!) if (this.isUsed(slot)) used.push(slot);
    return used;
  }

  private hash(tag: number, hi: number, lo: number): number {
    // Keys are page addresses, most often with only a few middle bits alive: the rotation brings the high ones down.
    const mixed = ((lo >>> 12) | (lo << 20)) ^ Math.imul(hi, 0x85eb_ca6b) ^ (tag << 6);
    return Math.imul(mixed, HASH_FACTOR) >>> this.hashShift;
  }

  private unchain(slot: number): void {
    const bucket = this.bucketOf[slot]!;
    let at = this.buckets[bucket]!;
    if (at === slot) {
      this.buckets[bucket] = this.chain[slot]!;
      return;
    }
    while (this.chain[at] !== slot) at = this.chain[at]!;
    this.chain[at] = this.chain[slot]!;
  }

  /** Moves a slot that is not the newest to the new end. */
  private promote(slot: number): void {
    const newer = this.newer[slot]!;
    const older = this.older[slot]!;
    this.older[newer] = older;
    if (older >= 0) this.newer[older] = newer;
    else this.oldest = newer;
    this.older[slot] = this.newest;
    this.newer[slot] = NONE;
    this.newer[this.newest] = slot;
    this.newest = slot;
  }

  /** Moves a slot that is not the oldest to the old end. */
  private demote(slot: number): void {
    const newer = this.newer[slot]!;
    const older = this.older[slot]!;
    this.newer[older] = newer;
    if (newer >= 0) this.older[newer] = older;
    else this.newest = older;
    this.newer[slot] = this.oldest;
    this.older[slot] = NONE;
    this.older[this.oldest] = slot;
    this.oldest = slot;
  }
}
