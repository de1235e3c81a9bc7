// The run digest: same scenario and seed, same 64 bits; however the run is cut, whatever is loaded first, in any process.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import ts from 'typescript';
import { afterAll, describe, expect, it } from 'vitest';
import { Digest } from '../../src/sim/digest.js';
import { Priority } from '../../src/sim/priority.js';
import { delay } from '../../src/sim/process.js';
import { Simulator } from '../../src/sim/simulator.js';
import { defineTraceKind } from '../../src/sim/trace.js';
import { buildModel, MODEL_END_NS } from './model.js';

function digestOf(seed: string): string {
  const sim = buildModel(seed);
  sim.run({ untilNs: MODEL_END_NS });
  return sim.digest();
}

describe('the digest of a run', () => {
  it('is 16 hex digits, the same for the same seed and another for another', () => {
    expect(digestOf('one')).toMatch(/^[0-9a-f]{16}$/);
    expect(digestOf('one')).toBe(digestOf('one'));
    expect(digestOf('two')).not.toBe(digestOf('one'));
  });

  it('does not change by being read', () => {
    const sim = buildModel('one');
    sim.run({ untilNs: MODEL_END_NS / 2 });
    expect(sim.digest()).toBe(sim.digest());
    sim.run({ untilNs: MODEL_END_NS });
    expect(sim.digest()).toBe(digestOf('one'));
  });

  it('is the same however the run is cut into pieces', () => {
    const whole = digestOf('cut');
    const cut = fc.oneof(
      fc.record({ untilTicks: fc.nat(MODEL_END_NS * 8) }),
      fc.record({ maxEvents: fc.nat(400) }),
      fc.constant({ step: true as const }),
    );
    fc.assert(
      fc.property(fc.array(cut, { maxLength: 12 }), (cuts) => {
        const sim = buildModel('cut');
        for (const piece of cuts) {
          if ('untilTicks' in piece) sim.run({ untilNs: Math.max(sim.now, piece.untilTicks / 8) });
          else if ('maxEvents' in piece) sim.run({ maxEvents: piece.maxEvents, untilNs: MODEL_END_NS });
          else if (sim.now < MODEL_END_NS / 2) sim.step();
        }
        sim.run({ untilNs: MODEL_END_NS });
        expect(sim.digest()).toBe(whole);
      }),
      { seed: 1, numRuns: 60 },
    );
  });

  it('sees a change in time, handler, either number, or any value of a record', () => {
    const kind = defineTraceKind('digest.test', 'a', 'b', 'c', 'd', 'e', 'f');
    interface Run {
      at?: number;
      name?: string;
      a?: number;
      b?: number;
      values?: number[];
      source?: string;
    }
    const digest = ({ at = 1, name = 'h', a = 1, b = 2, values = [1, 2, 3, 4, 5, 6], source = 's' }: Run): string => {
      const sim = new Simulator();
      const id = sim.trace.source(source);
      const [p, q, r, s, t, u] = values;
      const handler = sim.handler(name, () => sim.trace.emit(kind, id, p, q, r, s, t, u));
      sim.schedule(at, Priority.CHIP, handler, a, b);
      sim.run();
      return sim.digest();
    };
    const runs: Run[] = [
      {},
      { at: 1.125 },
      { at: 2 ** 40 + 1 },
      { name: 'g' },
      { a: 2, b: 1 },
      { a: -1 },
      { a: 0xffff_ffff },
      { b: 0.5 },
      { b: 2 ** 40 },
      { b: -0.5 },
      { b: Number.NaN },
      { source: 't' },
      ...[0, 1, 2, 3, 4, 5].map((i) => ({ values: [1, 2, 3, 4, 5, 6].map((v, j) => (i === j ? v ^ 0x8000_0000 : v)) })),
      { values: [2, 1, 3, 4, 5, 6] },
      { values: [1, 2, 3, 4, 6, 5] },
    ];
    const digests = runs.map(digest);
    expect(new Set(digests).size).toBe(runs.length);
  });

  it('sees all of an event also where nothing is traced', () => {
    const digest = (at: number, name: string, a: number): string => {
      const sim = new Simulator();
      sim.schedule(
        at,
        Priority.CHIP,
        sim.handler(name, () => {}),
        a,
      );
      sim.run();
      return sim.digest();
    };
    const digests = [
      digest(1, 'h', 1),
      digest(2 ** 40 + 1, 'h', 1),
      digest(2, 'h', 1),
      digest(1, 'g', 1),
      digest(1, 'h', 2),
    ];
    expect(new Set(digests).size).toBe(digests.length);
  });

  it('sees a process start, by its name', () => {
    const spawned = (name: string): string => {
      const sim = new Simulator();
      sim.spawn(name, delay(0));
      sim.run();
      return sim.digest();
    };
    expect(spawned('a')).not.toBe(spawned('b'));
  });

  it('loses no bit of a pair of words: from one state, different pairs lead to different states', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer(), fc.integer({ min: 0, max: 63 }), (x, y, flipped) => {
        const one = new Digest();
        const other = new Digest();
        one.pair(x, y);
        other.pair(flipped < 32 ? x ^ (1 << flipped) : x, flipped < 32 ? y : y ^ (1 << flipped));
        expect(other.hex()).not.toBe(one.hex());
      }),
      { seed: 4, numRuns: 500 },
    );
  });
});

describe('two processes of the operating system', () => {
  const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
  // Below node_modules, so that the compiled files find the dependencies.
  const folder = join(root, 'node_modules', '.cache', `phbsim-digest-test-${process.pid}`);

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function compile(path: string): void {
    const { outputText } = ts.transpileModule(readFileSync(join(root, path), 'utf8'), {
      compilerOptions: { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true },
    });
    const out = join(folder, path.replace(/\.ts$/, '.js'));
    mkdirSync(dirname(out), { recursive: true });
    writeFileSync(out, outputText);
  }

  function runElsewhere(firstLoaded: string, cwd: string): string {
    const script = `await import('./src/sim/${firstLoaded}.js');
      const { buildModel, MODEL_END_NS } = await import('./test/sim/model.js');
      const sim = buildModel('two processes');
      sim.run({ untilNs: MODEL_END_NS });
      process.stdout.write(sim.digest());`;
    const main = join(folder, `main-${firstLoaded}.js`);
    writeFileSync(main, script);
    return execFileSync(process.execPath, [main], {
      cwd,
      encoding: 'utf8',
      env: { TZ: firstLoaded === 'trace' ? 'Asia/Tokyo' : 'UTC' },
    });
  }

  it('get the same digest for the same seed, with another load order, folder and time zone', () => {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
    for (const file of readdirSync(join(root, 'src', 'sim'))) compile(join('src', 'sim', file));
    compile(join('test', 'sim', 'model.ts'));
    const here = digestOf('two processes');
    expect(runElsewhere('simulator', root)).toBe(here);
    expect(runElsewhere('trace', '/')).toBe(here);
  });
});
