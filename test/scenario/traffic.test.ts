import { describe, expect, it } from 'vitest';
import type { SystemSlot } from '../../src/machine/system.js';
import { Traffic } from '../../src/scenario/traffic.js';

/** Samples at 10, 20, ... of a slot with these counts. */
function traffic(counts: readonly number[]): Traffic {
  const slot = { name: 'slot1', packets: 0 };
  const samples = new Traffic([slot as SystemSlot]);
  counts.forEach((count, i) => {
    slot.packets = count;
    samples.sample(10 * (i + 1));
  });
  return samples;
}

describe('the packets of a slot over time', () => {
  it('are counted between two times', () => {
    const samples = traffic([1, 3, 3, 8]);
    expect(samples.between('slot1', 10, 20)).toBe(2);
    expect(samples.between('slot1', 19, 39)).toBe(2);
    expect(samples.between('slot1', 0, 100)).toBe(8);
    expect([samples.total('slot1'), samples.total('slot2'), samples.between('slot2', 0, 40)]).toEqual([8, 0, 0]);
  });

  it('tell when the slot went on after a time', () => {
    const samples = traffic([1, 3, 3, 8]);
    expect(samples.firstProgressAfter('slot1', 5)).toBe(10);
    expect(samples.firstProgressAfter('slot1', 20)).toBe(40);
    expect(samples.firstProgressAfter('slot1', 40)).toBeUndefined();
  });

  it('tell the longest pause, one that lasts to the end included', () => {
    const samples = traffic([1, 2, 2, 2, 3, 3]);
    expect(samples.longestGap('slot1', 10, 60)).toBe(30);
    expect(samples.longestGap('slot1', 10, 200)).toBe(150);
    expect(samples.longestGap('slot2', 10, 60)).toBe(50);
  });
});
