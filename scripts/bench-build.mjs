// Brings node_modules and dist up to date for the benchmarks. A build with type errors does not stop them: what was written is
// measured, and what cannot run says so when its suite loads.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureInstalled, ROOT, say } from './setup.mjs';

export { ROOT } from './setup.mjs';

const COMPILER = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
const NEEDED = [COMPILER, join(ROOT, 'node_modules', 'benchmark'), join(ROOT, 'node_modules', 'seedrandom')];
const STAMP = join(ROOT, 'dist', '.phbsim-bench-build');

export function ensureReady() {
  if (!NEEDED.every((path) => existsSync(path))) ensureInstalled();
  if (existsSync(STAMP) && statSync(STAMP).mtimeMs > newestSource()) return;
  say('building (tsc) ...');
  const started = new Date();
  const { status, stdout } = spawnSync(process.execPath, [COMPILER, '-p', 'tsconfig.build.json'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  if (status !== 0)
    say(`the build reports errors, measuring what it wrote:\n${stdout.split('\n').slice(0, 5).join('\n')}`);
  writeFileSync(STAMP, '');
  // A file saved while the compiler ran is newer than what it compiled.
  utimesSync(STAMP, started, started);
}

function newestSource() {
  const files = [join(ROOT, 'tsconfig.json'), join(ROOT, 'tsconfig.build.json'), ...sources()];
  return Math.max(...files.map((file) => statSync(file).mtimeMs));
}

function sources() {
  return readdirSync(join(ROOT, 'src'), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}
