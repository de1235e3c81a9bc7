// How a benchmark is declared: a suite names its unit, how many operations one run holds, and how to set one up.

/**
 * @typedef {object} Suite
 * @property {'ns' | 'events/s'} unit  ns: time of one operation, less is better. events/s: operations in a second, more is better.
 * @property {number} opsPerRun        operations in one call of the function `setup` returns; a run should take 0.1 to 50 ms
 * @property {() => () => number} setup returns the function to measure; that one returns a checksum over what it computed
 * @property {number} [expect]         checksum of the first run after setup; the suite fails on another
 */

/** Suites of the file that was loaded, by name. @type {Map<string, Suite>} */
export const suites = new Map();

/** @param {string} name @param {Suite} definition */
export function suite(name, definition) {
  if (suites.has(name)) throw new Error(`suite "${name}" is defined twice`);
  if (!(definition.opsPerRun >= 1)) throw new Error(`suite "${name}": opsPerRun must be at least 1`);
  if (definition.unit !== 'ns' && definition.unit !== 'events/s') throw new Error(`suite "${name}": unknown unit`);
  suites.set(name, definition);
}
