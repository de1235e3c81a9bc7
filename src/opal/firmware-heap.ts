/** Hands out firmware's memory; nothing is ever given back. */
export class FirmwareHeap {
  private next: number;

  constructor(readonly base: number) {
    this.next = base;
  }

  take(bytes: number, alignment: number): number {
    const address = Math.ceil(this.next / alignment) * alignment;
    this.next = address + bytes;
    return address;
  }

  get usedBytes(): number {
    return this.next - this.base;
  }
}
