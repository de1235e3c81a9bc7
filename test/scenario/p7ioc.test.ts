/** The scenarios of a PHB3 once more, on a POWER7 with a P7IOC: the same lesson, or a reason why it is another there. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FaultPlanError } from '../../src/faults/engine.js';
import { readScenario } from '../../src/scenario/read-scenario.js';
import { runScenario } from '../../src/scenario/runner.js';
import type { Scenario } from '../../src/scenario/scenario.js';
import { NOT_ON_P7IOC, namesOfP7ioc } from './on-p7ioc.js';

const ROOT = join(import.meta.dirname, '../..');
const SCENARIOS = readdirSync(join(ROOT, 'scenarios'))
  .filter((file) => file.endsWith('.yaml'))
  .sort()
  .map((file) => readScenario(file, namesOfP7ioc(readFileSync(join(ROOT, 'scenarios', file), 'utf8'))))
  .filter(({ chip }) => chip !== 'p7ioc');

/** What is not met, in the words of the file; or why the machine cannot have the fault. */
function unmet(scenario: Scenario): string[] {
  try {
    const { verdicts, system } = runScenario(scenario, { chip: 'p7ioc' });
    expect(system.chipName).toBe('p7ioc');
    return verdicts.filter(({ state }) => state !== 'met').map(({ expectation }) => expectation.text);
  } catch (error) {
    if (error instanceof FaultPlanError) return [error.message];
    throw error;
  }
}

const byName = (wanted: 'same' | 'other') =>
  SCENARIOS.filter(({ name }) => (NOT_ON_P7IOC[name] === undefined) === (wanted === 'same'));

describe('a scenario on the other chip', () => {
  it.each(byName('same'))('$name goes as it says', (scenario) => {
    expect(unmet(scenario)).toEqual([]);
  });

  it.each(byName('other'))('$name does not, and the reason stands', (scenario) => {
    expect(unmet(scenario)).not.toEqual([]);
  });

  it('is missed only for reasons that the page of scenarios gives', () => {
    const page = readFileSync(join(ROOT, 'docs/scenarios.md'), 'utf8');
    const rows = Object.entries(NOT_ON_P7IOC).map(([name, reason]) => `| \`${name}\` | ${reason} |`);
    expect(page).toContain(rows.join('\n'));
    const names = SCENARIOS.map(({ name }) => name);
    expect(Object.keys(NOT_ON_P7IOC).filter((name) => !names.includes(name))).toEqual([]);
  });
});
