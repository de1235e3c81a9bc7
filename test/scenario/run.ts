/** Runs scenarios given as text. */
import { readScenario } from '../../src/scenario/read-scenario.js';
import { type RunOptions, type RunResult, runScenario } from '../../src/scenario/runner.js';

export interface Trial {
  readonly slots?: readonly string[];
  readonly faults: readonly string[];
  readonly expect: readonly string[];
  readonly more?: readonly string[];
  /** Further keys of the machine. */
  readonly machine?: readonly string[];
}

const NIC = '{ device: nic, driver: recovering }';

export function run(trial: Trial, options: RunOptions = {}): RunResult {
  const list = (items: readonly string[]): string[] => items.map((item) => `  - { ${item} }`);
  const text = [
    'name: trial',
    'about: A trial.',
    'machine:',
    ...(trial.machine ?? []).map((line) => `  ${line}`),
    '  slots:',
    ...(trial.slots ?? [NIC, NIC]).map((slot, i) => `    ${i + 1}: ${slot}`),
    trial.faults.length === 0 ? 'faults: []' : 'faults:',
    ...list(trial.faults),
    'expect:',
    ...list(trial.expect),
    ...(trial.more ?? []),
  ];
  return runScenario(readScenario('trial.yaml', text.join('\n')), options);
}

/** State and reason of each expectation. */
export function verdicts(result: RunResult): string[] {
  return result.verdicts.map(({ state, because }) => `${state}: ${because}`);
}
