/**
 * What stands where: slots with a card and its driver. One slot of a PHB is the root port's own; several share a switch
 * below it, a downstream port and so a bus and a PE for each.
 */
import { Nic } from '../pcie/nic.js';
import { Switch } from '../pcie/switch.js';
import type { Simulator } from '../sim/simulator.js';
import type { TimeNs } from '../sim/time.js';
import { type Card, PHBS_PER_CHIP } from './powernv8.js';

export const DEVICE_MODELS = ['nic'] as const;
export type DeviceModel = (typeof DEVICE_MODELS)[number];

export const DRIVER_KINDS = ['recovering', 'can-recover', 'unaware', 'none'] as const;
export type DriverKind = (typeof DRIVER_KINDS)[number];

export interface SlotOptions {
  readonly device: DeviceModel;
  readonly driver: DriverKind;
  /** Default 0. */
  readonly phb?: number;
  /** A frame comes in from the network this often. */
  readonly framePeriodNs?: TimeNs;
}

export interface Topology {
  /** By slot number, from 1. */
  readonly slots: ReadonlyMap<number, SlotOptions>;
}

/** Slots a switch can have: device numbers on its internal bus. */
export const MOST_SLOTS_PER_PHB = 8;

export class TopologyError extends Error {
  override readonly name = 'TopologyError';
}

/** A slot with its card in it. */
export interface PlacedSlot {
  readonly number: number;
  /** `slot1` */
  readonly name: string;
  readonly phb: number;
  readonly card: Nic;
  /** Device and function numbers from the root port down to the card. */
  readonly path: readonly number[];
}

export interface PlacedSwitch {
  /** `switch0`: by the PHB it hangs below. */
  readonly name: string;
  readonly phb: number;
  readonly switch: Switch;
}

/** What hangs below one PHB. */
export interface Branch {
  readonly slots: readonly PlacedSlot[];
  readonly switch: PlacedSwitch | undefined;
  readonly card: Card | undefined;
}

export function phbCount({ slots }: Topology): number {
  const highest = Math.max(0, ...[...slots.values()].map((slot) => slot.phb ?? 0));
  if (highest >= PHBS_PER_CHIP) {
    throw new TopologyError(`PHB ${highest} does not exist: a chip has PHB 0 to ${PHBS_PER_CHIP - 1}`);
  }
  return highest + 1;
}

/** Builds the cards of one PHB and what they are plugged into. */
export function buildBranch(sim: Simulator, phb: number, topology: Topology): Branch {
  const wanted = [...topology.slots].filter(([, slot]) => (slot.phb ?? 0) === phb).sort(([a], [b]) => a - b);
  if (wanted.length > MOST_SLOTS_PER_PHB) {
    throw new TopologyError(`PHB ${phb} has ${wanted.length} slots: ${MOST_SLOTS_PER_PHB} is the most`);
  }
  const shared = wanted.length > 1;
  const slots = wanted.map(([number, options], port): PlacedSlot => {
    const name = `slot${number}`;
    const card = new Nic(sim, name, cardOptions(options));
    return {
      number,
      name,
      phb,
      card,
      path: shared ? [ROOT_PORT, UPSTREAM_PORT, devfn(port), CARD] : [ROOT_PORT, CARD],
    };
  });
  if (!shared) return { slots, switch: undefined, card: slots[0]?.card };
  const name = `switch${phb}`;
  const fan = new Switch(sim, name, { downstreamPorts: slots.length });
  for (const [port, { card }] of slots.entries()) card.plugInto(fan.ports[port]!.link);
  return { slots, switch: { name, phb, switch: fan }, card: fan };
}

const ROOT_PORT = 0;
const UPSTREAM_PORT = 0;
const CARD = 0;
const devfn = (device: number): number => device << 3;

function cardOptions(options: SlotOptions): { framePeriodNs?: TimeNs } {
  return options.framePeriodNs === undefined ? {} : { framePeriodNs: options.framePeriodNs };
}
