/** What system memory must hold: big-endian bytes in sparse pages, written only by what the reference model allows. */
const PAGE_BYTES = 4096;

export class ShadowMemory {
  private readonly pages = new Map<number, Uint8Array>();

  write(address: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      const at = (address + done) % PAGE_BYTES;
      const step = Math.min(PAGE_BYTES - at, bytes.length - done);
      this.page(address + done).set(bytes.subarray(done, done + step), at);
      done += step;
    }
  }

  read(address: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      const at = (address + done) % PAGE_BYTES;
      const step = Math.min(PAGE_BYTES - at, length - done);
      const page = this.pages.get(Math.floor((address + done) / PAGE_BYTES));
      if (page) bytes.set(page.subarray(at, at + step), done);
      done += step;
    }
    return bytes;
  }

  read64(address: number): bigint {
    return this.read(address, 8).reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  }

  write64(address: number, value: bigint): void {
    this.write(
      address,
      Uint8Array.from({ length: 8 }, (_, at) => Number((value >> BigInt(8 * (7 - at))) & 0xffn)),
    );
  }

  write16(address: number, value: number): void {
    this.write(address, Uint8Array.of(value >> 8, value & 0xff));
  }

  /** Addresses of the pages that hold anything. */
  pageAddresses(): number[] {
    return [...this.pages.keys()].map((page) => page * PAGE_BYTES);
  }

  private page(address: number): Uint8Array {
    const number = Math.floor(address / PAGE_BYTES);
    const known = this.pages.get(number);
    if (known) return known;
    const page = new Uint8Array(PAGE_BYTES);
    this.pages.set(number, page);
    return page;
  }
}
