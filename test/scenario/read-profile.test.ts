import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AnySystem } from '../../src/machine/system.js';
import {
  figuresOf,
  formatFigure,
  keyOf,
  POWER8_TIMING,
  rangeOfFigure,
  TIMING_GROUPS,
  type TimingGroup,
} from '../../src/machine/timing-profile.js';
import { wireBytes } from '../../src/pcie/tlp.js';
import { readTimingProfile } from '../../src/scenario/read-profile.js';
import { readScenario } from '../../src/scenario/read-scenario.js';
import { runScenario } from '../../src/scenario/runner.js';
import { quantize } from '../../src/sim/time.js';

const FILE = resolve(import.meta.dirname, '../../profiles/power8.yaml');
const SHIPPED = readFileSync(FILE, 'utf8');

const FIGURES = TIMING_GROUPS.flatMap((group) => Object.keys(POWER8_TIMING[group]).map((name) => ({ group, name })));

/** Everything that is wrong with a profile, as a person reads it. */
function mistakes(text: string): string {
  try {
    readTimingProfile('mine.yaml', text);
  } catch (error) {
    return (error as Error).message;
  }
  return 'none';
}

describe('profiles/power8.yaml', () => {
  it('has every figure that the blocks have by default: value, grade and source', () => {
    expect(readTimingProfile(FILE, SHIPPED)).toEqual(POWER8_TIMING);
  });

  it('leaves no figure to the default', () => {
    const groups = SHIPPED.split(/^(?=[a-z0-9-]+:$)/m).slice(1);
    const written = groups.flatMap((group) => {
      const [head, ...rest] = group.split('\n');
      return rest.flatMap((line) => {
        const [, key] = /^ {2}([a-z-]+): \{/.exec(line) ?? [];
        return key === undefined ? [] : [`${head}${key}`];
      });
    });
    expect(written).toEqual(FIGURES.map(({ group, name }) => `${keyOf(group)}:${keyOf(name)}`));
  });

  it('stays within what a profile may say', () => {
    for (const { group, name } of FIGURES) {
      const { least, most } = rangeOfFigure(group, name);
      const { value } = figuresOf(POWER8_TIMING, group)[name]!;
      expect([group, name, value >= least, value <= most]).toEqual([group, name, true, true]);
    }
  });
});

describe('a timing profile', () => {
  it('keeps the default of what it leaves out', () => {
    const profile = readTimingProfile(
      'x',
      'name: mine\nphb3: { inbound-pipeline: 120 ns }\nlink: { data-credits: 256 }',
    );
    const { phb3, link } = POWER8_TIMING;
    expect(profile).toEqual({
      ...POWER8_TIMING,
      name: 'mine',
      phb3: { ...phb3, inboundPipelineNs: { value: 120, known: 'assumed', source: 'profile mine' } },
      link: { ...link, dataCredits: { value: 256, known: 'assumed', source: 'profile mine' } },
    });
  });

  it('keeps grade and source that it gives', () => {
    const text = 'name: mine\nswitch: { forward: { value: 0.11 us, known: stated, source: a data sheet } }';
    expect(readTimingProfile('x', text).switch.forwardNs).toEqual({
      ...{ value: 110, known: 'stated', source: 'a data sheet' },
    });
  });

  it('gives back what it was written from, whatever the figures', () => {
    const figure = fc.constantFrom(...FIGURES).chain(({ group, name }) => {
      const { unit, least, most } = rangeOfFigure(group, name);
      const eighths = fc.integer({ min: least * 8, max: Math.min(most, 1e8) * 8 }).map((each) => each / 8);
      const value = unit === 'time' ? eighths : fc.integer({ min: least, max: most });
      return fc.record({ group: fc.constant(group), name: fc.constant(name), value });
    });
    fc.assert(
      fc.property(figure, ({ group, name, value }: { group: TimingGroup; name: string; value: number }) => {
        const text = `name: x\n${keyOf(group)}: { ${keyOf(name)}: ${formatFigure(name, value)} }`;
        expect(figuresOf(readTimingProfile('x', text), group)[name]!.value).toBe(value);
      }),
      { seed: 1, numRuns: 500 },
    );
  });

  it.each([
    ['pbh3: {}', '2:1  the profile has no "pbh3"', 'did you mean phb3?'],
    ['phb3: { table-fecth: 1 ns }', '2:9  phb3 has no "table-fecth"', 'did you mean table-fetch?'],
    ['link: { flight: 120 }', '2:17  link.flight must be a duration, not "120"', '120 what? such as 120 ms'],
    ['link: { flight: 120 mm }', '2:17  unknown unit "mm"', 'A duration is a number with a unit'],
    ['link: { flight: -5 ns }', '2:17  link.flight is negative: "-5 ns"', 'A duration is a number'],
    ['link: { flight: 0.1 ns }', '2:17  link.flight is off the grid of virtual time: "0.1 ns"', 'The grid is 1/8 ns'],
    ['link: { flight: 2 s }', '2:17  link.flight is out of range: "2 s"', 'Possible: 0 ns to 1 s'],
    ['link: { credit-repeat: 1 ns }', '2:24  link.credit-repeat is out of range', 'Possible: 1 us to 1 s'],
    ['bus: { scom: 0 ns }', '2:14  bus.scom is out of range', 'Possible: 1 ns to 1 s'],
    ['edu: { multiplication: 1 ms }', '2:24  edu.multiplication is out of range', 'Possible: 0 ns to 100 us'],
    ['link: { header-credits: 128 }', '2:25  link.header-credits must be a whole number from 1 to 127', ''],
    ['link: { data-credits: 128 ns }', '2:23  link.data-credits must be a whole number from 256 to 2047', ''],
    ['link: { replay-buffer: 16384 }', '2:24  link.replay-buffer must be an amount from 512 bytes', '16384 bytes'],
    ['link: { replay-buffer: 9 bytes }', '2:24  link.replay-buffer must be an amount from 512 bytes', '16384 bytes'],
    ['phb3: [1]', '2:7  phb3 must be a map', ''],
    ['phb3: { crs-retry: [1] }', '2:20  phb3.crs-retry must be a duration, not a list', ''],
    ['phb3: { crs-retry: { known: assumed } }', '2:20  phb3.crs-retry lacks "value"', 'Such as 60 ns'],
    ['phb3: { crs-retry: { value: 1 ms, known: sure } }', '2:42  unknown grade "sure"', 'Allowed: stated, derived'],
    ['phb3: { crs-retry: { value: 1 ms, known: stated } }', 'crs-retry is stated, and lacks "source"', 'Say where'],
    ['phb3: { crs-retry: { value: 1 ms, unit: ms } }', '2:35  phb3.crs-retry has no "unit"', 'Allowed: value, known'],
  ])('is refused with %s', (line, message, remedy) => {
    const said = mistakes(`name: mine\n${line}\n`);
    expect(said).toContain('mine.yaml:2:');
    expect(said).toContain(message);
    expect(said).toContain(remedy);
  });

  it('is refused without a name, with a wrong one, and where it is no map', () => {
    expect(mistakes('{}')).toContain('mine.yaml:1:1  the profile lacks "name"');
    expect(mistakes('name: My Own')).toContain('1:7  a name is small letters, digits and hyphens');
    expect(mistakes('')).toContain('a profile is a map, and the file is empty');
    expect(mistakes('name: x\n---\nname: y')).toContain('One profile a file.');
  });

  it('is refused in no time where a number has a million digits', () => {
    const digits = '1'.repeat(1e6);
    expect(mistakes(`name: x\nlink: { flight: ${digits} ns }`)).toContain('out of range');
    expect(mistakes(`name: x\nlink: { flight: 1.${digits} ns }`)).toContain('off the grid');
  });
});

/** A card alone below its root port: one stray write at 10 ms. */
function stray(figures: string): { digest: string; bootNs: number; answerNs: number } {
  const text = [
    'name: stray',
    'about: one write to a page that nobody mapped',
    `machine: { slots: { 1: { device: nic, driver: recovering } }, profile: ./mine.yaml }`,
    'faults: [{ at: 10 ms, kind: dma-write-unmapped, device: slot1 }]',
    'expect: [{ recovered: slot1 }]',
  ].join('\n');
  const profile = { file: 'mine.yaml', text: `name: mine\n${figures}` };
  const { digest, startNs, system, verdicts } = runScenario(readScenario('stray.yaml', text, () => profile));
  expect(verdicts.map(({ state }) => state)).toEqual(['met']);
  expect(system.machine.timing.name).toBe('mine');
  return { digest, bootNs: startNs, answerNs: answerNs(system) };
}

/** From the arrival of a DMA read at the bridge to its first answer, RID and page cached: the shortest of many. */
function answerNs({ sim, machine, slots: [slot] }: AnySystem): number {
  const { link } = machine.phbs[0]!;
  const sent = new Map<number, number>();
  const took: number[] = [];
  link.down.observe((tlp) => {
    if (tlp.kind !== 'MRd') return;
    const wireNs = quantize(wireBytes(tlp) * link.nsPerByte);
    sent.set(tlp.tag, sim.now + wireNs + link.profile.flightNs.value);
  });
  link.up.observe((tlp) => {
    const arrivedNs = tlp.kind === 'CplD' ? sent.get(tlp.tag) : undefined;
    if (arrivedNs !== undefined) took.push(sim.now - arrivedNs);
    sent.delete(tlp.tag);
  });
  sim.run({ untilNs: sim.now + 50e6 });
  expect(slot!.packets).toBeGreaterThan(10);
  return Math.min(...took);
}

describe('a scenario', () => {
  it('has the same digest with the default figures, and another one with others', () => {
    const own = stray('phb3: { inbound-pipeline: 60 ns }');
    expect(own.digest).toBe(stray('').digest);
    expect(stray('phb3: { inbound-pipeline: 120 ns }').digest).not.toBe(own.digest);
  });

  it('has DMA that takes as much longer as the profile says', () => {
    const { inboundPipelineNs, memoryReadNs } = POWER8_TIMING.phb3;
    const usualNs = inboundPipelineNs.value + memoryReadNs.value;
    expect(stray('').answerNs).toBe(usualNs);
    expect(stray('phb3: { inbound-pipeline: 120 ns }').answerNs).toBe(usualNs + 60);
    expect(stray('phb3: { memory-read: 220.125 ns }').answerNs).toBe(usualNs + 0.125);
  });

  it('boots slower where the bus is slower', () => {
    expect(stray('bus: { scom: 20 us }').bootNs).toBeGreaterThan(stray('').bootNs);
  });

  it('reports a profile that cannot be opened with the place where it is named', () => {
    const text =
      'name: x\nabout: x\nmachine: { slots: { 1: { device: nic } }, profile: fats }\nfaults: []\nexpect: [{ freeze: slot1 }]';
    const open = (): { missing: string; remedy: string } => ({ missing: 'no profile', remedy: 'Take another.' });
    expect(() => readScenario('s.yaml', text, open)).toThrow('s.yaml:3:52  no profile');
    expect(() => readScenario('s.yaml', text)).toThrow('s.yaml:3:52  profiles cannot be opened from here');
  });
});
