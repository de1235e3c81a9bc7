// `npm test`: type check, lint, and every test with coverage. `npm test -- test/sim` runs a part, without thresholds.
import { join } from 'node:path';
import { ensureBuilt, ensureInstalled, ROOT, run, say } from './setup.mjs';

ensureInstalled();
ensureBuilt();

const selection = process.argv.slice(2);
const vitest = [join(ROOT, 'node_modules', 'vitest', 'vitest.mjs'), 'run'];
if (selection.length > 0) {
  run(process.execPath, [...vitest, ...selection]);
} else {
  say('type check of src, test and bench');
  run(process.execPath, [join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', 'tsconfig.json']);
  say('format and lint (Biome)');
  run(join(ROOT, 'node_modules', '.bin', 'biome'), ['check', '.']);
  say('type-aware rules and the bans of the core (ESLint)');
  run(process.execPath, [join(ROOT, 'node_modules', 'eslint', 'bin', 'eslint.js'), 'src', '--max-warnings=0']);
  say('tests with coverage (Vitest)');
  run(process.execPath, [...vitest, '--coverage']);
}
