/** Packets that each slot's driver took, over time: whether it worked before, while and after something went wrong. */
import type { SystemSlot } from '../machine/system.js';
import type { TimeNs } from '../sim/time.js';

/** Where the count of a slot grew, and to what. A day of samples in which nothing moves takes no room. */
interface Growth {
  readonly times: TimeNs[];
  readonly counts: number[];
}

export class Traffic {
  private readonly growths = new Map<string, Growth>();

  constructor(private readonly slots: readonly SystemSlot[]) {
    for (const slot of slots) this.growths.set(slot.name, { times: [], counts: [] });
  }

  sample(timeNs: TimeNs): void {
    for (const { name, packets } of this.slots) {
      const { times, counts } = this.growths.get(name)!;
      if (packets === (counts.at(-1) ?? 0)) continue;
      times.push(timeNs);
      counts.push(packets);
    }
  }

  /** Packets taken from one time to another. */
  between(slot: string, fromNs: TimeNs, toNs: TimeNs): number {
    return this.upTo(slot, toNs) - this.upTo(slot, fromNs);
  }

  total(slot: string): number {
    return this.growths.get(slot)?.counts.at(-1) ?? 0;
  }

  /** The first sample after `fromNs` in which the slot had taken more than it had then. */
  firstProgressAfter(slot: string, fromNs: TimeNs): TimeNs | undefined {
    const { times } = this.growthOf(slot);
    return times[indexAt(times, fromNs) + 1];
  }

  /** The longest time without a packet between two times. */
  longestGap(slot: string, fromNs: TimeNs, toNs: TimeNs): TimeNs {
    const { times } = this.growthOf(slot);
    let longest = 0;
    let last = fromNs;
    for (let i = indexAt(times, fromNs) + 1; i < times.length && times[i]! <= toNs; i++) {
      longest = Math.max(longest, times[i]! - last);
      last = times[i]!;
    }
    return Math.max(longest, toNs - last);
  }

  private upTo(slot: string, timeNs: TimeNs): number {
    const { times, counts } = this.growthOf(slot);
    return counts[indexAt(times, timeNs)] ?? 0;
  }

  private growthOf(slot: string): Growth {
    return this.growths.get(slot) ?? { times: [], counts: [] };
  }
}

/** The last of these times not after another; they are in order. */
function indexAt(times: readonly TimeNs[], timeNs: TimeNs): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (times[middle]! <= timeNs) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
