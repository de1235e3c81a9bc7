/** Every scenario that is shipped: a lesson, and a regression test. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readScenario } from '../../src/scenario/read-scenario.js';
import { formatRun } from '../../src/scenario/report.js';
import { type RunResult, runScenario } from '../../src/scenario/runner.js';
import { ms } from '../../src/sim/time.js';

const FOLDER = join(import.meta.dirname, '../../scenarios');
const FILES = readdirSync(FOLDER).filter((name) => name.endsWith('.yaml'));

function runFile(file: string, seed?: string): RunResult {
  const scenario = readScenario(file, readFileSync(join(FOLDER, file), 'utf8'));
  return runScenario(scenario, seed === undefined ? {} : { seed });
}

describe('the library of scenarios', () => {
  it.each(FILES)('%s goes as it says', (file) => {
    const result = runFile(file);
    expect(result.verdicts.filter(({ state }) => state !== 'met')).toEqual([]);
    expect(file).toBe(`${result.scenario.name}.yaml`);
    expect(result.observer.strikes.map(({ missed }) => missed).filter((missed) => missed !== undefined)).toEqual([]);
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
