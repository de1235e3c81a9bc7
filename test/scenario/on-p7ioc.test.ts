/**
 * The scenarios of a PHB3 that do not go as they say on a POWER7 with a P7IOC: each misses what is said of it, for the
 * reason given. Where the reason is gone, or what it leads to is expected, it does go as it says.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runScenario } from '../../src/scenario/runner.js';
import type { Scenario } from '../../src/scenario/scenario.js';
import { type Difference, NOT_ON_P7IOC } from './on-p7ioc.js';
import { asOnP7ioc, changed, SCENARIO_NAMES, withExpectation } from './p7ioc-library.js';

const PAGE = join(import.meta.dirname, '../../docs/scenarios.md');
const ENTRIES = Object.entries(NOT_ON_P7IOC);

function unmet(scenario: Scenario): { text: string; because: string }[] {
  const { verdicts, observer } = runScenario(scenario, { chip: 'p7ioc' });
  expect([...observer.strikes, ...observer.actions].filter(({ missed }) => missed !== undefined)).toEqual([]);
  return verdicts
    .filter(({ state }) => state !== 'met')
    .map(({ expectation, because }) => ({ text: expectation.text, because }));
}

const texts = ({ expect: all }: Scenario): string[] => all.map(({ text }) => text);

/** Expectations of the file that others stand for, or none. */
function replaced(name: string, difference: Difference): string[] {
  const kept = texts(changed(name, difference));
  return texts(asOnP7ioc(name)).filter((text) => !kept.includes(text));
}

describe('a scenario that goes another way on the other chip', () => {
  it.each(ENTRIES)('%s misses what is said of it first', (name, difference) => {
    const { missed, trace, machine = [] } = difference;
    const found = unmet(trace === undefined ? asOnP7ioc(name) : withExpectation(name, trace));
    const [expectation, seen] = missed;
    expect(found[0]?.text).toBe(expectation);
    expect(found[0]?.because.slice(0, seen.length)).toBe(seen);
    const missing = found.map(({ text }) => text);
    const others = replaced(name, difference);
    // What other expectations stand for is not met, and on the machine of the file nothing else.
    expect(missing).toEqual(machine.length === 0 ? others : expect.arrayContaining(others));
  });

  it.each(ENTRIES)('%s goes as it says without the reason, or with what it leads to', (name, difference) => {
    expect(unmet(changed(name, difference))).toEqual([]);
  });

  it('does so only for reasons that the page of scenarios gives', () => {
    const rows = ENTRIES.map(([name, { reason, missed }]) => `| \`${name}\` | ${reason} | \`${missed[0]}\` |`);
    expect(readFileSync(PAGE, 'utf8')).toContain(rows.join('\n'));
    expect(ENTRIES.map(([name]) => name).filter((name) => !SCENARIO_NAMES.includes(name))).toEqual([]);
  });
});
