import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatTime, isTime, MAX_TIME_NS, ms, quantize, seconds, TICK_NS, us } from '../../src/sim/time.js';

describe('virtual time', () => {
  it('rounds a fraction of an eighth of a nanosecond up, and leaves a whole one alone', () => {
    expect(quantize(1.01)).toBe(1.125);
    expect(quantize(1.125)).toBe(1.125);
    expect(quantize(0)).toBe(0);
  });

  it('has helpers for microseconds, milliseconds and seconds', () => {
    expect([us(5), ms(250), seconds(2)]).toEqual([5_000, 250_000_000, 2_000_000_000]);
    expect(us(0.1)).toBe(100);
  });

  it('prints milliseconds to the nanosecond in groups of three digits', () => {
    expect(formatTime(5_000_412)).toBe('5.000 412 ms');
    expect(formatTime(5_000_412.875)).toBe('5.000 412 ms');
    expect(formatTime(0)).toBe('0.000 000 ms');
    expect(formatTime(seconds(12))).toBe('12000.000 000 ms');
  });

  it('knows which numbers are times', () => {
    expect([0, 0.125, 7, MAX_TIME_NS].every(isTime)).toBe(true);
    expect([-1, 0.1, Number.NaN, Number.POSITIVE_INFINITY, MAX_TIME_NS * 2].some(isTime)).toBe(false);
  });

  it('stays exact for 13 days: adding one tick and taking it away again changes nothing', () => {
    const thirteenDays = seconds(13 * 24 * 3600);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: thirteenDays * 8 - 1 }), (ticks) => {
        const t = ticks / 8;
        expect(isTime(t)).toBe(true);
        expect(t + TICK_NS).not.toBe(t);
        expect(t + TICK_NS - TICK_NS).toBe(t);
      }),
      { seed: 1, numRuns: 200 },
    );
  });
});
