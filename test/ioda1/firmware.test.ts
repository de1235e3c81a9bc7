import { beforeAll, describe, expect, it } from 'vitest';
import { ALL_ONES, msbMask } from '../../src/hw/bits.js';
import { Card } from '../ioda2/card.js';
import { readPhases } from './firmware/accesses.js';
import { RECORDED_MWIN1, Replay, type ReplayResult } from './firmware/replay.js';
import { Machine } from './machine.js';

/** The recorded machine answered reads from a file without a chip behind it; every read that differs has its reason. */
const EXPLANATIONS: readonly (readonly [place: RegExp, why: string])[] = [
  [/^hub 3e1830$/, 'hub interrupt vectors: the index has stepped when initialisation reads back'],
  [/^phb 800$/, 'the file shows revision DD1.0'],
  [/^phb 640$/, 'the link of the file is up at all times'],
  [/^phb 668$|^phb fb0$/, 'slot power of the file never comes on'],
  [/^config 0000 (0|8)$/, 'the file has the root port of PHB3'],
  [/^config 0000 (24|4c|54|58|5a|6c|60|62|118)$/, 'capabilities, link and slot of another root port'],
  [/^config 0100 /, 'another card, and memory of what was written to it'],
  [/^phb (228|2c8|120|c00|c40|d80|d88|dc0)$/, 'the recording probes a bus where nobody is: PE 127 froze, and says why'],
  [/^hub 3e(0028|a040|a018)$|^phb (c40|228)$/, 'errors that the recorder wrote into its file'],
  [/^phb (110|d00|d08|c00)$/, 'the fence of this run came through the trap'],
  [/^hub 3e(c018|1e00|1e40)$/, 'the fence of this run shows in fence WOF and in error 18 of the RGC'],
];

const machine = new Machine({ mwin1: RECORDED_MWIN1, cards: { 0: new Card() } });
const refused: string[] = [];
let result: ReplayResult;
let frozenAfterReset: readonly bigint[];

const frozenWords = () => [0, 1].map((word) => machine.hub.phbs[0]!.peekTable('PEEV', word));

beforeAll(() => {
  machine.sim.trace.subscribe((record) => {
    if (/unknown|unrouted|unclaimed/.test(record.kind.name))
      refused.push(`${record.kind.name} ${record.values.join()}`);
  });
  const phases = readPhases();
  const fence = phases.findIndex(({ name }) => name === '85-fence_next_error');
  const replay = new Replay(machine).run(phases.slice(0, fence));
  // The recorder set the fence shadow in its file; here an outbound error does it.
  machine.store(RECORDED_MWIN1 + 0xd10, msbMask(0));
  const rootSlot = phases.findIndex(({ name }) => name === '91-rp_slot_hot');
  replay.run(phases.slice(fence, rootSlot));
  frozenAfterReset = frozenWords();
  result = replay.run(phases.slice(rootSlot)).result;
});

describe("every access of the firmware's P7IOC driver", () => {
  it('finds a register, a window or a device', () => {
    expect(refused).toEqual([]);
    expect([result.reads, result.writes]).toEqual([3770, 14314]);
  });

  it('ends every poll within the limits of the firmware', () => {
    expect(result.endlessPolls).toEqual([]);
  });

  it('reads what the recording has, or something else for a known reason', () => {
    const unexplained = result.differences.filter(({ place }) => !EXPLANATIONS.some(([known]) => known.test(place)));
    expect(unexplained).toEqual([]);
  });

  it('needs every one of those reasons', () => {
    const idle = EXPLANATIONS.filter(([known]) => !result.differences.some(({ place }) => known.test(place)));
    expect(idle).toEqual([]);
  });

  it('sees the fence in the shadow register and lifts it by a complete reset', () => {
    const shadow = result.differences.filter(({ place }) => place === 'hub 3ec010');
    expect(shadow).toEqual([]);
    expect(machine.hub.phbs[0]!.isFenced).toBe(false);
  });

  it('leaves the error summary of a fresh bridge at zero, so that initialisation goes through', () => {
    const summary = result.differences.filter(({ phase, place }) => place === 'phb 2c8' && phase < '24');
    expect(summary).toEqual([]);
  });

  it('finds the link up and no PE frozen after the complete reset of a fenced bridge', () => {
    expect(machine.links[0]!.isUp).toBe(true);
    expect(frozenAfterReset).toEqual([0n, 0n]);
  });

  it('freezes all PEs when the root port is reset as a slot, with the link events still enabled', () => {
    expect(frozenWords()).toEqual([ALL_ONES, ALL_ONES]);
  });
});
