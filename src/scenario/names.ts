/** The names by which a scenario speaks of its machine. */
import { CHIPS, type ChipName, DEFAULT_CHIP } from '../machine/chips.js';
import { BRIDGE_CARD, deviceNames, type SlotOptions } from '../machine/topology.js';

/** What faults and expectations may name. */
export interface Names {
  readonly slots: readonly string[];
  readonly switches: readonly string[];
  readonly bridges: readonly string[];
  readonly phbs: readonly string[];
  /** The chip above the bridges, where the machine has one. */
  readonly hubs: readonly string[];
}

export function namesOf(slots: ReadonlyMap<number, SlotOptions>, chip: ChipName = DEFAULT_CHIP): Names {
  const used = Math.max(0, ...[...slots.values()].map((slot) => slot.phb ?? 0)) + 1;
  const perPhb = Array.from({ length: used }, () => 0);
  for (const slot of slots.values()) perPhb[slot.phb ?? 0]!++;
  const inOrder = [...slots].sort(([a], [b]) => a - b);
  return {
    slots: inOrder.flatMap(([number, slot]) => deviceNames(number, slot)),
    bridges: inOrder.flatMap(([number, { device }]) => (device === BRIDGE_CARD ? [`bridge${number}`] : [])),
    switches: perPhb.flatMap((count, phb) => (count > 1 ? [`switch${phb}`] : [])),
    hubs: CHIPS[chip].moments.unitError === undefined ? [] : ['hub'],
    phbs: Array.from({ length: used }, (_, phb) => `phb${phb}`),
  };
}
