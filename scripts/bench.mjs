// npm run bench: builds what is stale, measures every suite of bench/*.bench.mjs in a fresh process, compares with the baseline.
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { UNIT_PER_SECOND } from '../bench/suite.mjs';
import { readOptions } from './options.mjs';
import { ensureBuilt, ROOT } from './setup.mjs';

const run = promisify(execFile);
const BENCH = join(ROOT, 'bench');
const BASELINE = join(BENCH, 'baseline.json');
const HARNESS = join(BENCH, 'measure.mjs');

const options = await readOptions(
  'bench',
  'Measures each suite in a fresh process and prints its median beside the stored baseline.',
  [
    ['--only <name...>', 'only suites whose name contains one of these'],
    ['--json <file>', 'also writes {name: {median, unit}}'],
    ['--save-baseline', 'writes bench/baseline.json from this run; suites that did not run keep theirs'],
  ],
  ['npm run bench', 'npm run bench -- --only dma --only frozen', 'npm run bench -- --json results.json'],
);
ensureBuilt();
const { results, failures } = await measureAll();
if (results.length === 0 && failures === 0) {
  console.error(`no suite matches --only ${options.only?.join(' --only ')}`);
  failWith();
}
if (options.json !== undefined) writeJson(options.json, summary(results));
if (options.saveBaseline) {
  const before = readBaseline().results;
  writeJson(BASELINE, { machine: machine(), results: { ...before, ...summary(results) } });
  console.log('baseline written to bench/baseline.json');
}
if (failures > 0) failWith();

async function measureAll() {
  const baseline = readBaseline();
  console.log(`machine: ${machine()}`);
  if (baseline.machine !== undefined) console.log(`baseline: ${baseline.machine}`);
  const results = [];
  let failures = 0;
  for (const file of readdirSync(BENCH)
    .filter((f) => f.endsWith('.bench.mjs'))
    .sort()) {
    for (const name of await suitesOf(file)) {
      if (name === undefined) failures++;
      else if (wanted(name)) {
        const result = await measure(file, name);
        if (result === undefined) failures++;
        else {
          results.push(result);
          console.log(line(result, baseline.results[name]));
          for (const note of result.notes ?? []) console.log(`  ${note}`);
        }
      }
    }
  }
  return { results, failures };
}

async function suitesOf(file) {
  try {
    return JSON.parse((await run(process.execPath, [HARNESS, join(BENCH, file)], { cwd: ROOT })).stdout);
  } catch (error) {
    console.error(`bench/${file} does not load:\n${error.stderr ?? error.message}`);
    return [undefined];
  }
}

async function measure(file, name) {
  try {
    const { stdout } = await run(process.execPath, [HARNESS, join(BENCH, file), name], { cwd: ROOT });
    return JSON.parse(stdout);
  } catch (error) {
    console.error(`${name} failed:\n${error.stderr ?? error.message}`);
    return undefined;
  }
}

function wanted(name) {
  return options.only === undefined || options.only.some((part) => name.includes(part));
}

function line({ name, median, unit, rme, samples, checksum }, base) {
  const figure = `${format(median, unit).padStart(12)} ${unit.padEnd(10)}`;
  const spread = `±${rme.toFixed(1)} % of ${samples} samples`.padEnd(24);
  return `${name.padEnd(24)} ${figure} ${spread} ${comparison(median, unit, base).padEnd(26)} checksum ${(checksum >>> 0).toString(16)}`;
}

function comparison(median, unit, base) {
  if (base === undefined) return 'no baseline';
  // Above 1 is faster than the baseline, whatever the unit.
  const speed = unit in UNIT_PER_SECOND ? base.median / median : median / base.median;
  return `${speed.toFixed(2)}x the baseline's speed`;
}

function format(value, unit) {
  return unit in UNIT_PER_SECOND ? value.toFixed(2) : Math.round(value).toLocaleString('en-US');
}

function summary(results) {
  return Object.fromEntries(results.map(({ name, median, unit }) => [name, { median, unit }]));
}

function readBaseline() {
  return existsSync(BASELINE) ? JSON.parse(readFileSync(BASELINE, 'utf8')) : { results: {} };
}

function writeJson(file, value) {
  writeFileSync(file, `${JSON.stringify(value, undefined, 2)}\n`);
}

function machine() {
  return `${cpus()[0]?.model.trim() ?? 'unknown processor'}, ${cpus().length} cores, Node ${process.version}`;
}

function failWith() {
  process.exitCode = 1;
}
