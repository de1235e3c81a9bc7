/**
 * Keeps objects that an event will need later, so that the event itself carries only a slot number.
 * Slots are reused lowest-last-freed first, which is the same in every run.
 */
export class SlotStore<T> {
  private readonly items: (T | undefined)[] = [];
  private readonly free: number[] = [];

  get size(): number {
    return this.items.length - this.free.length;
  }

  put(item: T): number {
    const slot = this.free.pop() ?? this.items.length;
    this.items[slot] = item;
    return slot;
  }

  take(slot: number): T {
    const item = this.items[slot];
    if (item === undefined) throw new RangeError(`slot ${slot} holds nothing`);
    this.items[slot] = undefined;
    this.free.push(slot);
    return item;
  }
}
