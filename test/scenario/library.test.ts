/** Every scenario that is shipped: a lesson, and a regression test. Each runs once; the rest of this file looks at what came of it. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DETECTIONS } from '../../src/scenario/log-evidence.js';
import { readScenario } from '../../src/scenario/read-scenario.js';
import { formatRun } from '../../src/scenario/report.js';
import { type RunResult, runScenario } from '../../src/scenario/runner.js';
import { ms } from '../../src/sim/time.js';
import { type Cell, coverageOf, OUTCOMES } from './coverage.js';
import { DRIVERS, tableOfImpossible, whyNot } from './impossible.js';

const FOLDER = join(import.meta.dirname, '../../scenarios');
const FILES = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.yaml'))
  .sort();
const DIGESTS = join(FOLDER, 'digests.json');
const README = join(FOLDER, 'README.md');
const RECORD = process.env['PHBSIM_RECORD_DIGESTS'] === '1';
const REMEDY = 'if that is meant: PHBSIM_RECORD_DIGESTS=1 npx vitest run test/scenario/library';
const { version } = JSON.parse(readFileSync(join(FOLDER, '../package.json'), 'utf8')) as { version: string };

function runFile(file: string, seed?: string): RunResult {
  const scenario = readScenario(file, readFileSync(join(FOLDER, file), 'utf8'));
  return runScenario(scenario, seed === undefined ? {} : { seed });
}

interface Ran {
  readonly name: string;
  readonly about: string;
  readonly digest: string;
  readonly cells: readonly Cell[];
}

const ran = new Map<string, Ran>();

/** All of them, or the one file that was asked for. */
function everything(): Ran[] {
  for (const file of FILES.filter((each) => !ran.has(each))) keep(file, runFile(file));
  return FILES.map((file) => ran.get(file)!);
}

function keep(file: string, result: RunResult): void {
  const { name, about } = result.scenario;
  ran.set(file, { name, about: about.trim().replace(/\s+/g, ' '), digest: result.digest, cells: coverageOf(result) });
}

describe('the library of scenarios', () => {
  it.each(FILES)('%s goes as it says', (file) => {
    const result = runFile(file);
    keep(file, result);
    expect(result.verdicts.filter(({ state }) => state !== 'met')).toEqual([]);
    expect(file).toBe(`${result.scenario.name}.yaml`);
    const { strikes, actions } = result.observer;
    expect([...strikes, ...actions].map(({ missed }) => missed).filter((missed) => missed !== undefined)).toEqual([]);
  });

  it('has the digests that are recorded', () => {
    const digests = Object.fromEntries(everything().map(({ name, digest }) => [name, digest]));
    if (RECORD) writeFileSync(DIGESTS, `${JSON.stringify({ version, digests }, undefined, 2)}\n`);
    const recorded = JSON.parse(readFileSync(DIGESTS, 'utf8')) as { version: string; digests: Record<string, string> };
    expect(digests, REMEDY).toEqual(recorded.digests);
    expect(recorded.version, REMEDY).toBe(version);
  });

  it('has the tables of its page', () => {
    const all = everything();
    const text = readFileSync(README, 'utf8');
    const tables = { Lessons: lessons(all), Coverage: coverage(all), 'What cannot be': tableOfImpossible() };
    const made = Object.entries(tables).reduce((page, [title, rows]) => withTable(page, title, rows), text);
    if (RECORD) writeFileSync(README, made);
    expect(readFileSync(README, 'utf8'), REMEDY).toBe(made);
  });

  it('shows every outcome by every way to notice with every driver, or says why it cannot be', () => {
    const cells = everything().flatMap((each) => each.cells);
    const shown = (wanted: Cell): boolean =>
      cells.some(
        ({ outcome, by, driver }) => outcome === wanted.outcome && by === wanted.by && driver === wanted.driver,
      );
    const product = OUTCOMES.flatMap((outcome) =>
      DETECTIONS.flatMap((by) => DRIVERS.map((driver): Cell => ({ outcome, by, driver }))),
    );
    expect(product.filter((cell) => !shown(cell) && whyNot(cell) === undefined)).toEqual([]);
    // A reason that a run refutes is none. Scripts reach what others reach, and need not.
    const refuted = product.filter((cell) => shown(cell) && whyNot(cell) !== undefined && cell.driver !== 'scripted');
    expect(refuted).toEqual([]);
  });

  it('gives the same bytes for the same seed, and another address for another', () => {
    const report = (seed?: string) => {
      const result = runFile('dma-write-to-unmapped-page.yaml', seed);
      return { text: formatRun(result, { again: '', log: 'whole', trace: 100 }), result };
    };
    const [first, again, other] = [report('a'), report('a'), report('b')];
    expect(again.text).toBe(first.text);
    expect(other.result.digest).not.toBe(first.result.digest);
    expect(other.result.observer.strikes[0]?.address).not.toBe(first.result.observer.strikes[0]?.address);
    expect(other.result.verdicts.every(({ state }) => state === 'met')).toBe(true);
  });
});

/** The page with the lines of the table below a heading replaced. */
function withTable(text: string, title: string, rows: readonly string[]): string {
  const pattern = new RegExp(`(## ${title}\\n(?:[^|]*?\\n)\\n)(?:\\|.*\\n)*`);
  expect(text).toMatch(pattern);
  return text.replace(pattern, (_, head: string) => `${head}${rows.join('\n')}\n`);
}

function lessons(all: readonly Ran[]): string[] {
  const first = (about: string): string => /^.*?[.!?](?= [A-Z]|$)/.exec(about)?.[0] ?? about;
  return [
    '| scenario | begins with |',
    '|---|---|',
    ...all.map(({ name, about }) => `| \`${name}\` | ${first(about)} |`),
  ];
}

function coverage(all: readonly Ran[]): string[] {
  const rows = OUTCOMES.flatMap((outcome) =>
    DETECTIONS.flatMap((by) => {
      const fitting = all.flatMap(({ name, cells }) => cells.map((cell) => ({ name, ...cell })));
      const here = fitting.filter((cell) => cell.outcome === outcome && cell.by === by);
      return [...new Set(here.map(({ driver }) => driver))].sort().map((driver) => {
        const names = [...new Set(here.filter((cell) => cell.driver === driver).map(({ name }) => `\`${name}\``))];
        return `| ${outcome} | ${by} | ${driver} | ${names.join(', ')} |`;
      });
    }),
  );
  return ['| outcome | noticed by | driver | scenarios |', '|---|---|---|---|', ...rows];
}

describe('a DMA write to an unmapped page', () => {
  const result = runFile('dma-write-to-unmapped-page.yaml');
  const { observer, system } = result;

  it('is frozen with the address of the write and the id of the card in its record', () => {
    const [strike] = observer.strikes;
    const [freeze] = observer.freezesOf('slot1');
    expect(freeze?.pest).toEqual({ a: 0x8000_b03a_0300_0000n, b: 0x8000_0000_0000_0000n | strike!.address! });
    expect(observer.strays.map(({ tlp }) => tlp.kind)).toEqual(['MWr']);
    expect(system.machine.memory.read32(Number(strike!.address))).toBe(0);
  });

  it('is found by firmware in PEEV and PESTA, without anything but register accesses', () => {
    const texts = observer.firmware.accesses.map(({ text }) => text);
    expect(texts).toContain('reads PEEV[3] -> 0000000000000010');
    expect(texts).toContain('reads PESTA[251] -> 8000000000000000');
    expect(texts.indexOf('reads NFIR -> 0000000000000000')).toBe(0);
  });

  it('is recovered step by step in the order of the kernel', () => {
    const texts = system.kernel.log.texts();
    const steps = [
      'EEH: Frozen PE#fb on PHB#0 detected',
      'EEH: Recovering PHB#0-PE#fb',
      'EEH: Notify device drivers to shutdown',
      'EEH: Collect temporary log',
      'PHB3 PHB#0 Diag-data (Version: 1)',
      'EEH: Reset without hotplug activity',
      'EEH: Notify device driver to resume',
      'EEH: Recovery successful.',
    ].map((text) => texts.indexOf(text));
    expect(steps.every((at, i) => at > (steps[i - 1] ?? 0))).toBe(true);
    expect(texts.filter((text) => text.startsWith('PE['))).toEqual([
      `PE[0fb] A/B: 8000b03a03000000 ${(0x8000_0000_0000_0000n | observer.strikes[0]!.address!).toString(16)}`,
    ]);
  });
});

describe('a write to a read-only page', () => {
  it('leaves the page as it was: the card goes on sending the same frame', () => {
    const { observer, system } = runFile('write-to-read-only-page.yaml');
    expect(observer.strays.map(({ tlp }) => tlp.kind)).toEqual(['MWr']);
    const frames: Uint8Array[] = [];
    system.slot('slot1')!.place.nic!.onSend((frame) => frames.push(frame));
    system.sim.run({ untilNs: system.sim.now + ms(50) });
    expect(frames.length).toBeGreaterThan(2);
    for (const frame of frames) expect(new Set(frame)).toEqual(new Set([0xaa]));
  });
});
