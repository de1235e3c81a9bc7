/** The scenarios of a PHB3 once more, on a POWER7 with a P7IOC: those that go there as they say. */
import { describe, expect, it } from 'vitest';
import { runScenario } from '../../src/scenario/runner.js';
import { NOT_ON_P7IOC } from './on-p7ioc.js';
import { asOnP7ioc, SCENARIO_NAMES } from './p7ioc-library.js';

describe('a scenario on the other chip', () => {
  it.each(SCENARIO_NAMES.filter((name) => NOT_ON_P7IOC[name] === undefined))('%s goes as it says', (name) => {
    const { verdicts, observer, system } = runScenario(asOnP7ioc(name), { chip: 'p7ioc' });
    expect(system.chipName).toBe('p7ioc');
    expect(verdicts.filter(({ state }) => state !== 'met')).toEqual([]);
    expect([...observer.strikes, ...observer.actions].filter(({ missed }) => missed !== undefined)).toEqual([]);
  });
});
