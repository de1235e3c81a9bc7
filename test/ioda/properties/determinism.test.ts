/**
 * The same sequence gives the same digest: whatever ran before, whatever order the modules were
 * loaded in, and in however many pieces the run was cut.
 */
import { readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { memoryRead, memoryWrite } from '../../../src/pcie/tlp.js';
import * as p7ioc from '../../ioda1/rig.js';
import * as phb3 from '../../ioda2/rig.js';
import type * as Bridges from './bridges.js';
import { BRIDGES } from './bridges.js';
import type * as Check from './check.js';
import { settings } from './settings.js';
import { type Step, stepsOf } from './steps.js';

const SOURCE = 'src';
const CHIP_FOLDERS = ['ioda1', 'ioda1/registers', 'ioda1/error-bits', 'ioda2', 'ioda2/registers', 'ioda2/error-bits'];
const FOLDERS = ['sim', 'hw', 'pcie', 'tce', 'ioda', ...CHIP_FOLDERS];

type Modules = typeof Check & typeof Bridges;

/** The modules under test, loaded anew in the order that `sort` makes of their names. */
async function loadedIn(sort: (names: string[]) => string[]): Promise<Modules> {
  vi.resetModules();
  const names = FOLDERS.flatMap((folder) =>
    readdirSync(`${SOURCE}/${folder}`)
      .filter((file) => file.endsWith('.ts'))
      .map((file) => `${folder}/${file}`),
  );
  for (const name of sort(names)) await import(/* @vite-ignore */ resolve(SOURCE, name));
  return { ...(await import('./check.js')), ...(await import('./bridges.js')) };
}

function digests(
  { benchOf, take, ...modules }: Modules,
  at: number,
  sequences: readonly (readonly Step[])[],
): string[] {
  return sequences.map((steps) => {
    const bench = benchOf(modules.BRIDGES[at]!);
    for (const each of steps) take(each, bench);
    return bench.chip.digest();
  });
}

describe.each(BRIDGES.map((bridge, at) => ({ ...bridge, at })))(
  'the digest of a sequence on $name',
  ({ at, dialect }) => {
    /** Steps of a few runs, drawn once. */
    const sequences = fc.sample(fc.array(stepsOf(dialect), { minLength: 60, maxLength: 60, size: 'max' }), {
      ...{ seed: 5, numRuns: 3 },
    });

    afterEach(() => {
      vi.resetModules();
    });

    it('does not depend on the order in which modules were loaded, nor on what ran before', async () => {
      const wanted = digests(await loadedIn((names) => names), at, sequences);
      expect(new Set(wanted).size).toBe(sequences.length);
      const orders: ((names: string[]) => string[])[] = [
        (names) => names.reverse(),
        (names) => names.sort((a, b) => a.length - b.length || (a < b ? 1 : -1)),
        () => [],
      ];
      for (const order of orders) expect(digests(await loadedIn(order), at, sequences)).toEqual(wanted);
      const modules = await loadedIn((names) => names);
      expect(digests(modules, at, [...sequences].reverse())).toEqual([...wanted].reverse());
    });
  },
);

// ---- cutting a run --------------------------------------------------------------------------------------------------

interface Request {
  readonly kind: 'load' | 'store' | 'register' | 'read' | 'write' | 'silent load';
  readonly at: number;
}

type Rig = p7ioc.Rig | phb3.Rig;

/** A booted chip, and where its parts stand. */
interface CutChip {
  readonly name: string;
  readonly booted: () => Rig;
  readonly m32: (offset: number) => number;
  readonly m64: (offset: number) => number;
  readonly register: (rig: Rig) => number;
  readonly dma: bigint;
}

const LEM_FIR = 0xc00;
const CUT_CHIPS: readonly CutChip[] = [
  {
    name: 'PHB3',
    booted: () => phb3.booted(),
    m32: (offset) => phb3.m32(phb3.PE, offset),
    m64: (offset) => phb3.m64(phb3.PE, offset),
    register: (rig) => (rig as phb3.Rig).address('PHB_LEM_FIR_ACCUM'),
    dma: 0n,
  },
  {
    name: 'P7IOC',
    booted: () => p7ioc.booted(),
    m32: (offset) => p7ioc.m32(p7ioc.PE, offset),
    m64: (offset) => p7ioc.m64(p7ioc.PE, offset),
    register: () => p7ioc.aib(0) + LEM_FIR,
    dma: p7ioc.WINDOW,
  },
];

/** Sends everything off at once: from here only the simulator acts. */
function sendOff(rig: Rig, requests: readonly Request[], chip: CutChip): number[] {
  const { bus } = rig.machine;
  const requesterId = p7ioc.RID;
  const begin = ({ kind, at }: Request): number[] => {
    const address = p7ioc.halves(chip.dma + (BigInt(at) << 10n));
    switch (kind) {
      case 'silent load':
        rig.card.answers.push('nothing');
        return [bus.beginLoad(chip.m32(4 * at), 4)];
      case 'load':
        return [bus.beginLoad(chip.m64(8 * at), 8)];
      case 'store':
        return [bus.beginStore(chip.m32(4 * at), 4, BigInt(at))];
      case 'register':
        return [bus.beginLoad(chip.register(rig), 8)];
      case 'read':
        rig.card.send(memoryRead({ requesterId, tag: at & 31 }, address, 256));
        return [];
      case 'write':
        rig.card.send(memoryWrite(requesterId, address, new Uint8Array(64).fill(at)));
        return [];
    }
  };
  return requests.flatMap(begin);
}

describe.each(CUT_CHIPS)('a run of $name cut into pieces', (chip) => {
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
          const rig = chip.booted();
          const start = rig.machine.sim.now;
          const tickets = sendOff(rig, sent, chip);
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
