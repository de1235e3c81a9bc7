/**
 * What the registers of a function let its requester do: sizes, tags, attributes, atomics, and how long it waits for a
 * completion. Source: PCI Express base specification 2.8, 7.8.4, 7.8.16.
 */
import { type DEVCTL_FIELDS, decodeSize } from './capabilities.js';
import type { ConfigSpace } from './config-space.js';
import { ATTRIBUTE } from './tlp.js';

/** Without the PCI Express capability: the smallest of what the specification knows. */
const LEAST_READ_BYTES = 128;
/** Tags of 5 and of 8 bits. */
export const SHORT_TAGS = 32;
const LONG_TAGS = 256;

export function maxReadRequestOf(config: ConfigSpace): number {
  return config.declares('DEVCTL') ? decodeSize(config.field('DEVCTL', 'MAX_READ_REQUEST')) : LEAST_READ_BYTES;
}

export function usableTagsOf(config: ConfigSpace): number {
  return enabled(config, 'EXTENDED_TAG') ? LONG_TAGS : SHORT_TAGS;
}

export function allowedAttributesOf(config: ConfigSpace): number {
  const relaxed = enabled(config, 'RELAXED_ORDERING') ? ATTRIBUTE.RELAXED_ORDERING : 0;
  return relaxed | (enabled(config, 'NO_SNOOP') ? ATTRIBUTE.NO_SNOOP : 0);
}

export function mayRequestAtomics(config: ConfigSpace): boolean {
  return config.declares('DEVCTL2') && config.has('DEVCTL2', 'ATOMIC_REQUESTER');
}

/** How long is waited: the longer end of each range (M), by code. Codes without an entry are reserved and mean the default range. */
export const COMPLETION_TIMEOUT_NS: Readonly<Record<number, number>> = {
  1: 100e3,
  2: 10e6,
  5: 55e6,
  6: 210e6,
  9: 900e6,
  10: 3.5e9,
  13: 13e9,
  14: 64e9,
};

/** Infinity: the function waits for ever. A function without device control 2 has the default range. */
export function completionTimeoutOf(config: ConfigSpace, defaultNs: number): number {
  if (!config.declares('DEVCTL2')) return defaultNs;
  if (config.has('DEVCTL2', 'TIMEOUT_DISABLE')) return Number.POSITIVE_INFINITY;
  return COMPLETION_TIMEOUT_NS[config.field('DEVCTL2', 'TIMEOUT')] ?? defaultNs;
}

function enabled(config: ConfigSpace, field: keyof typeof DEVCTL_FIELDS): boolean {
  return config.declares('DEVCTL') && config.has('DEVCTL', field);
}
