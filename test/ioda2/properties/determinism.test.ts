/**
 * The same sequence gives the same digest: whatever ran before, whatever order the modules were
 * loaded in, and in however many pieces the run was cut.
 */
import { readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { memoryRead, memoryWrite } from '../../../src/pcie/tlp.js';
import { booted, halves, m32, m64, PE, RID, type Rig } from '../rig.js';
import type * as Check from './check.js';
import type { IodaChip } from './chip.js';
import type * as Phb3 from './phb3-chip.js';
import { settings } from './settings.js';
import { type Step, step } from './steps.js';

const SOURCE = 'src';
const FOLDERS = ['sim', 'hw', 'pcie', 'tce', 'ioda2', 'ioda2/registers', 'ioda2/error-bits'];

/** Steps of a few runs, drawn once. */
const SEQUENCES = fc.sample(fc.array(step, { minLength: 60, maxLength: 60, size: 'max' }), { seed: 5, numRuns: 3 });

/** The modules under test, loaded anew in the order that `sort` makes of their names. */
async function loadedIn(sort: (names: string[]) => string[]): Promise<typeof Check & typeof Phb3> {
  vi.resetModules();
  const names = FOLDERS.flatMap((folder) =>
    readdirSync(`${SOURCE}/${folder}`)
      .filter((file) => file.endsWith('.ts'))
      .map((file) => `${folder}/${file}`),
  );
  for (const name of sort(names)) await import(/* @vite-ignore */ resolve(SOURCE, name));
  return { ...(await import('./check.js')), ...(await import('./phb3-chip.js')) };
}

function digests(
  { modelOf, take, Phb3Chip }: typeof Check & typeof Phb3,
  sequences: readonly (readonly Step[])[],
): string[] {
  return sequences.map((steps) => {
    const chip: IodaChip = new Phb3Chip();
    const model = modelOf(chip);
    for (const each of steps) take(each, chip, model);
    return chip.digest();
  });
}

describe('the digest of a sequence', () => {
  afterEach(() => {
    vi.resetModules();
  });

  it('does not depend on the order in which modules were loaded, nor on what ran before', async () => {
    const wanted = digests(await loadedIn((names) => names), SEQUENCES);
    expect(new Set(wanted).size).toBe(SEQUENCES.length);
    const orders: ((names: string[]) => string[])[] = [
      (names) => names.reverse(),
      (names) => names.sort((a, b) => a.length - b.length || (a < b ? 1 : -1)),
      () => [],
    ];
    for (const order of orders) expect(digests(await loadedIn(order), SEQUENCES)).toEqual(wanted);
    const modules = await loadedIn((names) => names);
    expect(digests(modules, [...SEQUENCES].reverse())).toEqual([...wanted].reverse());
  });
});

// ---- cutting a run --------------------------------------------------------------------------------------------------

interface Request {
  readonly kind: 'load' | 'store' | 'register' | 'read' | 'write' | 'silent load';
  readonly at: number;
}

/** Sends everything off at once: from here only the simulator acts. */
function sendOff(rig: Rig, requests: readonly Request[]): number[] {
  const { bus } = rig.machine;
  const begin = ({ kind, at }: Request): number[] => {
    switch (kind) {
      case 'silent load':
        rig.card.answers.push('nothing');
        return [bus.beginLoad(m32(PE, 4 * at), 4)];
      case 'load':
        return [bus.beginLoad(m64(PE, 8 * at), 8)];
      case 'store':
        return [bus.beginStore(m32(PE, 4 * at), 4, BigInt(at))];
      case 'register':
        return [bus.beginLoad(rig.address('PHB_LEM_FIR_ACCUM'), 8)];
      case 'read':
        rig.card.send(memoryRead({ requesterId: RID, tag: at & 31 }, halves(BigInt(at) << 10n), 256));
        return [];
      case 'write':
        rig.card.send(memoryWrite(RID, halves(BigInt(at) << 10n), new Uint8Array(64).fill(at)));
        return [];
    }
  };
  return requests.flatMap(begin);
}

describe('a run cut into pieces', () => {
  it('equals the whole: digest, answers, packets and errors', () => {
    const END_NS = 40_000_000;
    const requests = fc.array(
      fc.record({
        kind: fc.constantFrom<Request['kind']>('load', 'store', 'register', 'read', 'write', 'silent load'),
        at: fc.nat(15),
      }),
      { minLength: 1, maxLength: 25, size: 'max' },
    );
    const cuts = fc.array(fc.oneof(fc.nat(20_000), fc.nat(END_NS)), { maxLength: 30, size: 'max' });
    fc.assert(
      fc.property(requests, cuts, (sent, at) => {
        const outcome = (pieces: readonly number[]): unknown => {
          const rig = booted();
          const start = rig.now;
          const tickets = sendOff(rig, sent);
          for (const piece of pieces) rig.machine.sim.run({ untilNs: start + piece });
          rig.machine.sim.run({ untilNs: start + END_NS });
          return {
            digest: rig.machine.sim.digest(),
            answers: tickets.map((ticket) => rig.machine.bus.take(ticket)),
            received: rig.card.received,
            errors: rig.errors(),
          };
        };
        expect(outcome([...at].sort((a, b) => a - b))).toEqual(outcome([]));
      }),
      settings(40),
    );
  });
});
