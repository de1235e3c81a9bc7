/** What a disk holds: blocks of 512 bytes, zeros where nothing was written. Survives every reset. */

export const BLOCK_BYTES = 512;
export const BLOCK_SHIFT = 9;

export class NvmeBlocks {
  private readonly written = new Map<number, Uint8Array>();

  constructor(readonly count: number) {}

  /** Blocks that hold anything. */
  get used(): number {
    return this.written.size;
  }

  contains(first: number, count: number): boolean {
    return first + count <= this.count;
  }

  read(first: number, count: number): Uint8Array {
    const data = new Uint8Array(count * BLOCK_BYTES);
    for (let i = 0; i < count; i++) {
      const block = this.written.get(first + i);
      if (block !== undefined) data.set(block, i * BLOCK_BYTES);
    }
    return data;
  }

  write(first: number, data: Uint8Array): void {
    for (let at = 0; at < data.length; at += BLOCK_BYTES) {
      this.written.set(first + at / BLOCK_BYTES, data.slice(at, at + BLOCK_BYTES));
    }
  }
}
