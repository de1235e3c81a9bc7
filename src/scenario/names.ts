/** The names by which a scenario speaks of its machine. */
import { PHBS_PER_CHIP } from '../machine/powernv8.js';
import { BRIDGE_CARD, deviceNames, type SlotOptions } from '../machine/topology.js';

/** What faults and expectations may name. */
export interface Names {
  readonly slots: readonly string[];
  readonly switches: readonly string[];
  readonly bridges: readonly string[];
  readonly phbs: readonly string[];
}

export function namesOf(slots: ReadonlyMap<number, SlotOptions>): Names {
  const perPhb = Array.from({ length: PHBS_PER_CHIP }, () => 0);
  for (const slot of slots.values()) perPhb[slot.phb ?? 0]!++;
  const used = Math.max(0, ...[...slots.values()].map((slot) => slot.phb ?? 0)) + 1;
  const inOrder = [...slots].sort(([a], [b]) => a - b);
  return {
    slots: inOrder.flatMap(([number, slot]) => deviceNames(number, slot)),
    bridges: inOrder.flatMap(([number, { device }]) => (device === BRIDGE_CARD ? [`bridge${number}`] : [])),
    switches: perPhb.flatMap((count, phb) => (count > 1 ? [`switch${phb}`] : [])),
    phbs: Array.from({ length: used }, (_, phb) => `phb${phb}`),
  };
}
