// Measures one suite in this process: `node bench/measure.mjs FILE NAME`; without NAME, lists the file's suites. A fresh process
// each, so that no suite warms or spoils another's code.
import { pathToFileURL } from 'node:url';
import { suites, UNIT_PER_SECOND } from './suite.mjs';

const WARM_UP_MS = 300;
const MIN_SAMPLES = 25;
const MAX_SECONDS = 3;

/** @param {string} name @param {import('./suite.mjs').Suite} definition */
async function measure(name, { unit, opsPerRun, setup, expect }) {
  const { default: Benchmark } = await import('benchmark');
  // The package would otherwise paste the function's source into a new one, where its variables do not exist.
  Benchmark.support.decompilation = false;

  const fn = setup();
  let checksum = takeChecksum(name, fn());
  if (expect !== undefined && checksum !== expect) {
    throw new Error(`suite "${name}": checksum ${checksum} of the first run, expected ${expect}`);
  }
  const first = checksum;
  const run = () => {
    checksum = (Math.imul(checksum, 31) + fn()) | 0;
  };
  const warmUntil = performance.now() + WARM_UP_MS;
  while (performance.now() < warmUntil) run();

  const bench = new Benchmark(name, run, { defer: false, minSamples: MIN_SAMPLES, maxTime: MAX_SECONDS });
  bench.run();
  if (bench.error) throw bench.error;
  const secondsPerRun = median(bench.stats.sample);
  const perSecond = UNIT_PER_SECOND[unit];
  const value = perSecond === undefined ? opsPerRun / secondsPerRun : (secondsPerRun * perSecond) / opsPerRun;
  return { name, unit, median: value, samples: bench.stats.sample.length, rme: bench.stats.rme, first, checksum };
}

function takeChecksum(name, value) {
  if (!Number.isInteger(value))
    throw new Error(`suite "${name}": a run must return a whole number as checksum, not ${value}`);
  return value | 0;
}

/** @param {readonly number[]} values */
function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

async function main([file, name]) {
  await import(pathToFileURL(file).href);
  if (name === undefined) {
    console.log(JSON.stringify([...suites.keys()]));
    return;
  }
  const definition = suites.get(name);
  if (definition === undefined) throw new Error(`${file} defines no suite "${name}"`);
  if (definition.measure === undefined) console.log(JSON.stringify(await measure(name, definition)));
  else console.log(JSON.stringify({ name, unit: definition.unit, ...(await definition.measure()) }));
}

await main(process.argv.slice(2));
