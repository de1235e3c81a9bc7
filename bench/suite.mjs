// How a benchmark is declared: a suite names its unit, how many operations one run holds, and how to set one up.

/**
 * @typedef {object} MeasuredSuite       one that does not run inside this process, and measures itself
 * @property {'accesses/s' | 'MB/s'} unit
 * @property {() => Promise<{median: number, samples: number, rme: number, checksum: number, notes?: string[]}>} measure
 */

/**
 * @typedef {object} Suite
 * @property {'ns' | 'ms' | 'events/s'} unit  ns, ms: time of one operation, less is better. events/s: operations in a second, more is better.
 * @property {number} opsPerRun        operations in one call of the function `setup` returns; a run should take 0.1 to 50 ms
 * @property {() => () => number} setup returns the function to measure; that one returns a checksum over what it computed
 * @property {number} [expect]         checksum of the first run after setup; the suite fails on another
 */

/** Units of a time, less is better: how many of them are a second. */
export const UNIT_PER_SECOND = { ns: 1e9, ms: 1e3 };
const UNITS = [...Object.keys(UNIT_PER_SECOND), 'events/s', 'accesses/s', 'MB/s'];

/** Suites of the file that was loaded, by name. @type {Map<string, Suite | MeasuredSuite>} */
export const suites = new Map();

/** @param {string} name @param {Suite | MeasuredSuite} definition */
export function suite(name, definition) {
  if (suites.has(name)) throw new Error(`suite "${name}" is defined twice`);
  if (definition.measure === undefined && !(definition.opsPerRun >= 1))
    throw new Error(`suite "${name}": opsPerRun must be at least 1`);
  if (!UNITS.includes(definition.unit)) throw new Error(`suite "${name}": unknown unit`);
  suites.set(name, definition);
}
