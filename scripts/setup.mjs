// Installs and builds what is missing or stale, says so, and is quick when nothing is.
// Plain Node with built-in modules only: it runs before anything is installed.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

const OLDEST_NODE = 20;
const INSTALL_STAMP = join(ROOT, 'node_modules', '.phbsim-install');
const BUILD_STAMP = join(ROOT, 'dist', '.phbsim-build');

/** Runs a command in the project's folder; ends this process with its status if it fails. */
export function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: ROOT, stdio: 'inherit', ...options });
  if (result.error) fail(`cannot run ${command}: ${result.error.message}`);
  if (result.status !== 0 && !options.tolerate) {
    process.exit(result.status ?? 1);
  }
  return result;
}

/** The path of a tool that a dependency brings. */
export function tool(name) {
  return join(ROOT, 'node_modules', '.bin', name);
}

export function ensureInstalled() {
  const major = Number(process.versions.node.split('.')[0]);
  if (major < OLDEST_NODE) fail(`Node ${OLDEST_NODE} or newer is needed, this is ${process.version}.`);
  const wanted = digest([join(ROOT, 'package-lock.json'), join(ROOT, 'package.json')]);
  if (existsSync(INSTALL_STAMP) && readFileSync(INSTALL_STAMP, 'utf8') === wanted) return;
  say('installing dependencies (npm ci) ...');
  const started = process.hrtime.bigint();
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
  writeFileSync(INSTALL_STAMP, wanted);
  say(`dependencies installed in ${secondsSince(started)} s`);
}

export function ensureBuilt() {
  const wanted = digest([
    join(ROOT, 'tsconfig.json'),
    join(ROOT, 'tsconfig.build.json'),
    join(ROOT, 'package-lock.json'),
    ...filesBelow(join(ROOT, 'src')),
  ]);
  const bin = join(ROOT, 'dist', 'cli', 'main.js');
  if (existsSync(BUILD_STAMP) && existsSync(bin) && readFileSync(BUILD_STAMP, 'utf8') === wanted) return;
  say('building (tsc) ...');
  const started = process.hrtime.bigint();
  run(process.execPath, [join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', 'tsconfig.build.json']);
  chmodSync(bin, 0o755);
  mkdirSync(dirname(BUILD_STAMP), { recursive: true });
  writeFileSync(BUILD_STAMP, wanted);
  say(`built in ${secondsSince(started)} s`);
}

function digest(files) {
  const hash = createHash('sha256');
  for (const file of files) {
    hash.update(file.slice(ROOT.length));
    if (existsSync(file)) hash.update(readFileSync(file));
  }
  hash.update(process.versions.node.split('.')[0]);
  return hash.digest('hex');
}

function filesBelow(folder) {
  const found = [];
  for (const name of readdirSync(folder).sort()) {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) found.push(...filesBelow(path));
    else found.push(path);
  }
  return found;
}

function secondsSince(started) {
  return (Number(process.hrtime.bigint() - started) / 1e9).toFixed(1);
}

export function say(text) {
  process.stderr.write(`phbsim: ${text}\n`);
}

export function fail(text) {
  say(text);
  process.exit(1);
}
