import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LinkHolds } from '../../src/pcie/link-holds.js';
import { MS, trained } from './link-bench.js';

type Held = ReturnType<typeof trained>;

/** What the card met, and the state the link rests in. */
function outcome(...steps: ((link: Held['link']) => void)[]): { resets: readonly string[]; state: string } {
  const { link, card } = held();
  for (const step of steps) step(link);
  return { resets: card.resets, state: link.state };
}

function held() {
  const b = trained();
  b.card.resets.length = 0;
  return b;
}

const perst = (level: 'asserted' | 'deasserted') => (link: Held['link']) => link.setPerst(level);
const power = (level: 'on' | 'off') => (link: Held['link']) => link.setSlotPower(level);
const hot = (level: 'asserted' | 'released') => (link: Held['link']) => link.setHotReset(level);
const turned = (state: 'disabled' | 'enabled') => (link: Held['link']) => link.setDisabled(state);

describe('a link that is held down', () => {
  it('by PERST and then without power resets its card once, and is let go by the later of the two', () => {
    const steps = [perst('asserted'), power('off'), perst('deasserted')];
    expect(outcome(...steps)).toEqual({ resets: ['fundamental'], state: 'detect' });
    expect(outcome(...steps, power('on')).resets).toEqual(['fundamental', 'released']);
    const other = [power('off'), perst('asserted'), power('on')];
    expect(outcome(...other)).toEqual({ resets: ['fundamental'], state: 'detect' });
    expect(outcome(...other, perst('deasserted')).resets).toEqual(['fundamental', 'released']);
  });

  it('by a hot reset under PERST comes out of PERST into the hot reset, its card still in reset', () => {
    const steps = [perst('asserted'), hot('asserted')];
    expect(outcome(...steps)).toEqual({ resets: ['fundamental'], state: 'detect' });
    expect(outcome(...steps, perst('deasserted'))).toEqual({ resets: ['fundamental'], state: 'hot-reset' });
    expect(outcome(...steps, perst('deasserted'), hot('released'))).toEqual({
      resets: ['fundamental', 'released'],
      state: 'detect',
    });
  });

  it('by being disabled is not reset again by that under PERST or in hot reset, and rests disabled afterwards', () => {
    const under = [perst('asserted'), turned('disabled')];
    expect(outcome(...under)).toEqual({ resets: ['fundamental'], state: 'detect' });
    expect(outcome(...under, perst('deasserted')).state).toBe('disabled');
    const within = [hot('asserted'), turned('disabled')];
    expect(outcome(...within)).toEqual({ resets: ['hot'], state: 'hot-reset' });
    expect(outcome(...within, hot('released')).state).toBe('disabled');
    expect(outcome(...within, turned('enabled')).resets).toEqual(['hot']);
  });

  it('by a hot reset while disabled goes to hot reset, and back', () => {
    expect(outcome(turned('disabled'), hot('asserted'), hot('released'))).toEqual({
      resets: ['hot', 'hot', 'released'],
      state: 'disabled',
    });
  });

  it('takes the time of power-on after PERST, and less after a hot reset', () => {
    const { electricalDetectNs, redetectNs } = held().link.profile;
    for (const [assert, release, ns] of [
      [perst('asserted'), perst('deasserted'), electricalDetectNs.value],
      [power('off'), power('on'), electricalDetectNs.value],
      [hot('asserted'), hot('released'), redetectNs.value],
      [turned('disabled'), turned('enabled'), redetectNs.value],
    ] as const) {
      const { link, run } = held();
      assert(link);
      run(MS);
      release(link);
      run(ns - 0.125);
      expect(link.state).toBe('detect');
      run(0.125);
      expect(link.state).toBe('polling');
    }
  });

  it('is told only of what changes the whole, whatever comes in whatever order', () => {
    const step = fc.constantFrom(
      (h: LinkHolds) => h.setPerst('asserted'),
      (h: LinkHolds) => h.setPerst('deasserted'),
      (h: LinkHolds) => h.setSlotPower('off'),
      (h: LinkHolds) => h.setSlotPower('on'),
      (h: LinkHolds) => h.setHotReset('asserted'),
      (h: LinkHolds) => h.setHotReset('released'),
      (h: LinkHolds) => h.setDisabled('disabled'),
      (h: LinkHolds) => h.setDisabled('enabled'),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const holds = new LinkHolds();
        for (const each of steps) {
          const before = [holds.areFundamental, holds.rest];
          const change = each(holds);
          // The same again is no news.
          expect(each(holds)).toBeUndefined();
          if (change === undefined) {
            // What does not reach the link is hidden by what holds it already.
            if (!holds.areFundamental) expect(holds.rest).toBe(before[1]);
            expect(holds.areFundamental).toBe(before[0]);
          } else if ('reset' in change) expect(change.rest === 'detect').toBe(holds.areFundamental);
          else expect(holds.areFundamental).toBe(false);
        }
      }),
      { seed: 1, numRuns: 300 },
    );
  });
});
