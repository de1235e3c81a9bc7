import { beforeAll, describe, expect, it } from 'vitest';
import { Card } from '../ioda2/card.js';
import { readPhases } from './firmware/accesses.js';
import { hubAlone, initialisationOf, routingOf } from './firmware/other-phb.js';
import { type Difference, RECORDED_MWIN1, Replay, type ReplayResult } from './firmware/replay.js';
import { Machine } from './machine.js';

const PHBS = [0, 1, 2, 3, 4, 5];
const aib = (phb: number, offset: number): number => RECORDED_MWIN1 + 0x8_0000 + 0x1_0000 * phb + offset;

const machine = new Machine({
  mwin1: RECORDED_MWIN1,
  cards: Object.fromEntries(PHBS.map((phb) => [phb, new Card()])),
});
const refused: string[] = [];
const results: ReplayResult[] = [];
let hub: ReplayResult;

beforeAll(() => {
  machine.sim.trace.subscribe((record) => {
    if (/unknown|unrouted|unclaimed|blocked/.test(record.kind.name))
      refused.push(`${record.kind.name} ${record.values.join()}`);
  });
  const phases = readPhases();
  hub = new Replay(machine).run(hubAlone(phases)).result;
  // The recorded hub had one PHB.
  for (const phb of PHBS.slice(1)) new Replay(machine).run(routingOf(phb, phases));
  for (const phb of PHBS) results.push(new Replay(machine).run(initialisationOf(phb, phases)).result);
});

const placesOf = (differences: readonly Difference[]): string[] => differences.map(({ place }) => place);

describe('the initialisation of firmware on each of the six PHBs of a hub', () => {
  it('finds every register, and no access is turned away', () => {
    expect(refused).toEqual([]);
    expect(hub.writes).toBeGreaterThan(400);
    for (const { reads, writes } of results) expect([reads, writes]).toEqual([results[0]!.reads, results[0]!.writes]);
    expect(results[0]!.writes).toBeGreaterThan(2000);
  });

  it.each(PHBS)('ends every poll on PHB %i', (phb) => {
    expect(results[phb]!.endlessPolls).toEqual([]);
  });

  it.each(PHBS)('reads on PHB %i what it reads on PHB 0', (phb) => {
    expect(placesOf(results[phb]!.differences)).toEqual(placesOf(results[0]!.differences));
  });

  it.each(PHBS)('leaves PHB %i with its link up, its slot powered, no error and no frozen PE', (phb) => {
    expect(machine.links[phb]!.isUp).toBe(true);
    const trainControl = machine.load(aib(phb, 0x640));
    const slot = machine.load(aib(phb, 0x668));
    // Link up and active, no core reset; power, clock and presence of the slot.
    expect([(trainControl >> 40n) & 0x7n, (slot >> 39n) & 0xffn]).toEqual([0b101n, 0b1100_0001n]);
    expect([machine.load(aib(phb, 0x2c8)), machine.load(aib(phb, 0xc00))]).toEqual([0n, 0n]);
    expect([0, 1].map((word) => machine.hub.phbs[phb]!.peekTable('PEEV', word))).toEqual([0n, 0n]);
  });

  it.each(PHBS)('gives PHB %i interrupts and windows of its own', (phb) => {
    const buid = 0x40n + 0x40n * BigInt(phb);
    expect(machine.load(aib(phb, 0x100))).toBe((buid << 48n) | ((buid + 0x20n) << 32n));
    expect(machine.load(aib(phb, 0x170))).toBe(BigInt(RECORDED_MWIN1 + 0x100_0000 + 0x80_0000 * phb));
    expect(machine.load(aib(phb, 0x190))).toBe(0x3d0_8000_0000n + (BigInt(phb) << 32n));
  });
});
