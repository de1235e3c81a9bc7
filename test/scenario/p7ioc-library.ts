/** The shipped scenarios of a PHB3, as files of a P7IOC. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readScenario } from '../../src/scenario/read-scenario.js';
import type { Scenario } from '../../src/scenario/scenario.js';
import { type Difference, namesOfP7ioc } from './on-p7ioc.js';

const FOLDER = join(import.meta.dirname, '../../scenarios');
const textOf = (name: string): string => readFileSync(join(FOLDER, `${name}.yaml`), 'utf8');

export const SCENARIO_NAMES: readonly string[] = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.yaml'))
  .sort()
  .map((file) => file.slice(0, -'.yaml'.length))
  .filter((name) => readScenario(`${name}.yaml`, textOf(name)).chip !== 'p7ioc');

export function asOnP7ioc(name: string): Scenario {
  return readScenario(`${name}.yaml`, namesOfP7ioc(textOf(name)));
}

/** One expectation more. */
export function withExpectation(name: string, expectation: string): Scenario {
  const text = namesOfP7ioc(textOf(name)).replace(/^expect:\n/m, `expect:\n  - { ${expectation} }\n`);
  return readScenario(`${name}.yaml`, text);
}

/** With the changes under which it goes as it says. */
export function changed(name: string, { machine = [], changes = [] }: Difference): Scenario {
  const lines = machine.map((line) => `  ${line}\n`).join('');
  let text = namesOfP7ioc(textOf(name)).replace(/^machine:\n/m, `machine:\n${lines}`);
  for (const [from, to] of changes) {
    if (!text.includes(from)) throw new Error(`${name}: nothing says ${from}`);
    text = text.replaceAll(from, to);
  }
  return readScenario(`${name}.yaml`, text);
}
