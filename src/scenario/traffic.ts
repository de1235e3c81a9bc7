/** Packets that each slot's driver took, over time: whether it worked before, while and after something went wrong. */
import type { SystemSlot } from '../machine/system.js';
import type { TimeNs } from '../sim/time.js';

/** Cumulative packets at the end of each sample. */
export class Traffic {
  readonly times: TimeNs[] = [];
  private readonly counts = new Map<string, number[]>();

  constructor(private readonly slots: readonly SystemSlot[]) {
    for (const slot of slots) this.counts.set(slot.name, []);
  }

  sample(timeNs: TimeNs): void {
    this.times.push(timeNs);
    for (const slot of this.slots) this.counts.get(slot.name)!.push(slot.packets);
  }

  /** Packets taken from one time to another. */
  between(slot: string, fromNs: TimeNs, toNs: TimeNs): number {
    return this.upTo(slot, toNs) - this.upTo(slot, fromNs);
  }

  total(slot: string): number {
    return this.counts.get(slot)?.at(-1) ?? 0;
  }

  /** The first sample after `fromNs` in which the slot had taken more than it had then. */
  firstProgressAfter(slot: string, fromNs: TimeNs): TimeNs | undefined {
    const counts = this.counts.get(slot) ?? [];
    const start = this.indexAt(fromNs);
    const had = counts[start] ?? 0;
    for (let i = start + 1; i < counts.length; i++) if (counts[i]! > had) return this.times[i];
    return undefined;
  }

  /** The longest time without a packet between two times. */
  longestGap(slot: string, fromNs: TimeNs, toNs: TimeNs): TimeNs {
    const counts = this.counts.get(slot) ?? [];
    let longest = 0;
    let last = fromNs;
    for (let i = this.indexAt(fromNs) + 1; i < counts.length && this.times[i]! <= toNs; i++) {
      if (counts[i]! === counts[i - 1]!) continue;
      longest = Math.max(longest, this.times[i]! - last);
      last = this.times[i]!;
    }
    return Math.max(longest, toNs - last);
  }

  private upTo(slot: string, timeNs: TimeNs): number {
    return this.counts.get(slot)?.[this.indexAt(timeNs)] ?? 0;
  }

  /** The last sample not after a time; samples are in order. */
  private indexAt(timeNs: TimeNs): number {
    let low = 0;
    let high = this.times.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.times[middle]! <= timeNs) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}
