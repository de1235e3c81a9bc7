// Type-aware rules, and the bans that keep the core deterministic (docs/architecture.md, "Determinism").
// Formatting and plain lint are Biome's.
import tseslint from 'typescript-eslint';

const banned = (selector, message) => ({ selector, message });

const CORE_BANS = [
  banned("Identifier[name='Date']", "The core has no host clock: use the simulator's time."),
  banned("MemberExpression[object.name='Math'][property.name='random']", 'Draw from a named random stream instead.'),
  banned("Identifier[name='performance']", "The core has no host clock: use the simulator's time."),
  banned("MemberExpression[object.name='process'][property.name='hrtime']", 'The core has no host clock.'),
  banned(
    'CallExpression[callee.name=/^(setTimeout|setInterval|setImmediate|queueMicrotask)$/]',
    'Schedule an event instead of a host timer.',
  ),
  banned('AwaitExpression', 'The core has no async: write a process (generator).'),
  banned(':function[async=true]', 'The core has no async: write a process (generator).'),
  banned("Identifier[name='Promise']", 'The core has no promises: write a process (generator).'),
  banned('ForInStatement', 'for...in takes its order from the object: iterate an array.'),
];

export default tseslint.config(
  { ignores: ['dist/**', 'coverage/**', 'node_modules/**'] },
  {
    files: ['src/**/*.ts'],
    extends: [tseslint.configs.base],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-unnecessary-condition': 'off',
      '@typescript-eslint/no-unnecessary-type-assertion': 'error',
      '@typescript-eslint/restrict-plus-operands': 'error',
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/no-base-to-string': 'error',
      'no-restricted-syntax': ['error', ...CORE_BANS],
    },
  },
  {
    // The command line and the sockets are the host's side: they may wait and look at the clock.
    files: ['src/cli/**/*.ts', 'src/cosim/**/*.ts'],
    rules: { 'no-restricted-syntax': 'off' },
  },
);
