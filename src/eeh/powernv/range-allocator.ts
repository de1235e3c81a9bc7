/** First-fit allocator over one range of numbers: system memory for the kernel's tables and buffers, pages of a DMA window. */

export class OutOfRangeSpaceError extends Error {
  override readonly name = 'OutOfRangeSpaceError';
  constructor(what: string, size: number) {
    super(`${what}: no room left for ${size}; give the kernel a larger range or free what is not used`);
  }
}

interface Span {
  start: number;
  size: number;
}

export class RangeAllocator {
  private readonly free: Span[];

  constructor(
    readonly name: string,
    readonly start: number,
    readonly size: number,
  ) {
    this.free = [{ start, size }];
  }

  get freeSize(): number {
    return this.free.reduce((sum, span) => sum + span.size, 0);
  }

  /** Start of `size` units aligned to `align`. */
  allocate(size: number, align = 1): number {
    for (const [index, span] of this.free.entries()) {
      const start = Math.ceil(span.start / align) * align;
      const end = span.start + span.size;
      if (start + size > end) continue;
      const parts = [
        { start: span.start, size: start - span.start },
        { start: start + size, size: end - start - size },
      ];
      this.free.splice(index, 1, ...parts.filter((part) => part.size > 0));
      return start;
    }
    throw new OutOfRangeSpaceError(this.name, size);
  }

  release(start: number, size: number): void {
    const index = this.free.findIndex((span) => span.start > start);
    const at = index < 0 ? this.free.length : index;
    const before = this.free[at - 1];
    const after = this.free[at];
    if (
      (before !== undefined && before.start + before.size > start) ||
      (after !== undefined && start + size > after.start)
    ) {
      throw new RangeError(`${this.name}: ${size} at ${start} is released twice`);
    }
    this.free.splice(at, 0, { start, size });
    this.join(at);
    this.join(at - 1);
  }

  private join(index: number): void {
    const left = this.free[index];
    const right = this.free[index + 1];
    if (left === undefined || right === undefined || left.start + left.size !== right.start) return;
    left.size += right.size;
    this.free.splice(index + 1, 1);
  }
}
