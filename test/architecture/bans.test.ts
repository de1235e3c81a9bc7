import { Linter } from 'eslint';
import tseslint from 'typescript-eslint';
import { describe, expect, it } from 'vitest';
import config from '../../eslint.config.mjs';

/** The rule that keeps host time, chance and asynchrony out of the core, as the project's configuration has it. */
const core = config.find(
  (entry) => entry.rules?.['no-restricted-syntax'] !== undefined && entry.files?.includes('src/**/*.ts'),
);
const bans = core?.rules?.['no-restricted-syntax'];

function findings(code: string): number {
  const linter = new Linter({ configType: 'flat' });
  const messages = linter.verify(
    code,
    [
      {
        files: ['**/*.ts'],
        languageOptions: { parser: tseslint.parser as unknown as Linter.Parser },
        rules: { 'no-restricted-syntax': bans as Linter.RuleEntry },
      },
    ],
    'core.ts',
  );
  expect(messages.filter((message) => message.fatal)).toEqual([]);
  return messages.length;
}

describe('the bans of the core', () => {
  it.each([
    'const now = Date.now();',
    'const later: Date = clock();',
    'const chance = Math.random();',
    'const start = performance.now();',
    'const start = process.hrtime.bigint();',
    'setTimeout(work, 5);',
    'setInterval(work, 5);',
    'setImmediate(work);',
    'queueMicrotask(work);',
    'async function work() {}',
    'const work = async () => {};',
    'class Block { async work() {} }',
    'await work();',
    'const soon: Promise<void> = work();',
    'for (const key in table) use(key);',
  ])('catch %s', (code) => {
    expect(findings(code)).toBeGreaterThan(0);
  });

  it.each([
    'function* boot() { yield* delay(5); }',
    'for (const entry of table) use(entry);',
    'const draw = simulator.random("nic").below(6);',
  ])('let pass %s', (code) => {
    expect(findings(code)).toBe(0);
  });
});
