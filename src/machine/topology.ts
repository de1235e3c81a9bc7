/**
 * What stands where: slots with a card and its driver. One slot of a PHB is the root port's own; several share a switch
 * below it, a downstream port and so a bus and a PE for each. A card has one function or several, or is a bridge with
 * conventional devices on the bus below it.
 */
import type { PciDriver } from '../eeh/drivers/driver.js';
import type { DriverPlan } from '../eeh/drivers/driver-plan.js';
import type { PciExpressOption } from '../pcie/capabilities.js';
import { Card as FunctionCard } from '../pcie/card.js';
import type { Endpoint } from '../pcie/endpoint.js';
import type { Link } from '../pcie/link.js';
import { Nic } from '../pcie/nic.js';
import { PciBridge } from '../pcie/pci-bridge.js';
import { peerCard } from '../pcie/peer-cards.js';
import { Switch } from '../pcie/switch.js';
import type { Simulator } from '../sim/simulator.js';
import type { TimeNs } from '../sim/time.js';
import type { Card } from './machine.js';
import { POWER8_TIMING, type TimingProfile } from './timing-profile.js';

export const DEVICE_MODELS = ['nic', 'nvme', 'edu'] as const;
export type DeviceModel = (typeof DEVICE_MODELS)[number];
/** The device there are drivers for. */
export const DRIVEN_MODEL: DeviceModel = 'nic';

/** A card that is a bridge to a conventional bus. */
export const BRIDGE_CARD = 'pci-bridge';
export const MOST_FUNCTIONS = 8;
/** Devices with an IDSEL line on a conventional bus. */
export const MOST_DEVICES_BEHIND = 16;

export const DRIVER_KINDS = ['recovering', 'can-recover', 'unaware', 'none'] as const;
export type DriverKind = (typeof DRIVER_KINDS)[number];

/** A driver of one's own for a device. It is offered the devices of its slot and no others. */
export type DriverFactory = (place: PlacedSlot) => PciDriver;

/** A kind by name, the network card's driver with deviations, or a driver of one's own for whatever is in the slot. */
export type SlotDriver = DriverKind | DriverPlan | PciDriver | DriverFactory;

export interface SlotOptions {
  /** One function, the functions of one card from number 0 on, or a bridge. */
  readonly device: DeviceModel | readonly DeviceModel[] | typeof BRIDGE_CARD;
  /** Devices on the bus below a `pci-bridge`, from device 0 on. */
  readonly behind?: readonly DeviceModel[];
  /** Of every `nic` in the slot; a driver of one's own, of every device. */
  readonly driver: SlotDriver;
  /** Default 0. */
  readonly phb?: number;
  /** A frame comes in from the network of a `nic` this often. */
  readonly framePeriodNs?: TimeNs;
}

/** What the ports of switches can do besides passing packets on. */
export interface PortFeatures {
  /** Cards may come and go, and the port tells by its interrupt: Linux registers the slot for hotplug. Default no. */
  readonly hotPlug?: 'yes' | 'no';
  /** How such a port interrupts: by message if software wants it, which is the default, or by its pin alone. */
  readonly interrupts?: 'message' | 'pin';
  /** The port tells whether its link is up. Default yes; without it software can only wait. */
  readonly linkReporting?: 'yes' | 'no';
}

export interface Topology {
  /** By slot number, from 1. */
  readonly slots: ReadonlyMap<number, SlotOptions>;
  readonly timing?: TimingProfile;
  readonly ports?: PortFeatures;
}

/** Slots a switch can have: device numbers on its internal bus. */
export const MOST_SLOTS_PER_PHB = 8;

export class TopologyError extends Error {
  override readonly name = 'TopologyError';
}

/** A device in a slot: the card, one of its functions, or a conventional device behind it. */
export interface PlacedSlot {
  readonly number: number;
  /** `slot1`, or `slot1.0` where there are several devices. */
  readonly name: string;
  readonly phb: number;
  readonly model: DeviceModel;
  readonly card: Endpoint;
  /** The card again, if it is one. */
  readonly nic: Nic | undefined;
  /** Device and function numbers from the root port down to the card. */
  readonly path: readonly number[];
  readonly socket: Socket;
}

/** A slot of the machine: the link to it, once the card is plugged in. */
export class Socket {
  private plugged: Link | undefined;

  constructor(
    /** `slot1` */
    readonly name: string,
    private readonly contents: Card,
  ) {}

  plugInto(link: Link): void {
    this.plugged = link;
    this.contents.plugInto(link);
  }

  get link(): Link {
    return this.plugged!;
  }

  get isFilled(): boolean {
    return this.link.cardInserted;
  }

  /** Pulls the card, without warning. */
  pull(): void {
    this.link.surpriseRemove();
  }

  /** Puts the card back, as it is after power-on. */
  putBack(): void {
    this.contents.plugInto(this.link);
  }
}

export interface PlacedBridge {
  /** `bridge1`: by its slot. */
  readonly name: string;
  readonly phb: number;
  readonly bridge: PciBridge;
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
  readonly bridges: readonly PlacedBridge[];
  readonly switch: PlacedSwitch | undefined;
  readonly card: Card | undefined;
}

/** PHBs that are needed for the slots, of the most that the chip has. */
export function phbCount({ slots }: Topology, most: number): number {
  const highest = Math.max(0, ...[...slots.values()].map((slot) => slot.phb ?? 0));
  if (highest >= most) {
    throw new TopologyError(`PHB ${highest} does not exist: a chip has PHB 0 to ${most - 1}`);
  }
  return highest + 1;
}

/** Builds the cards of one PHB and what they are plugged into. */
export function buildBranch(sim: Simulator, phb: number, topology: Topology): Branch {
  const wanted = [...topology.slots].filter(([, slot]) => (slot.phb ?? 0) === phb).sort(([a], [b]) => a - b);
  if (wanted.length > MOST_SLOTS_PER_PHB) {
    throw new TopologyError(`PHB ${phb} has ${wanted.length} slots: ${MOST_SLOTS_PER_PHB} is the most`);
  }
  const { timing = POWER8_TIMING } = topology;
  const shared = wanted.length > 1;
  const filled = wanted.map(([number, options], port) => {
    const path = shared ? [ROOT_PORT, UPSTREAM_PORT, devfn(port), CARD] : [ROOT_PORT, CARD];
    return fillSlot(sim, { number, phb, path, timing }, options);
  });
  const slots = filled.flatMap((each) => each.devices);
  const bridges = filled.flatMap((each) => each.bridge ?? []);
  if (!shared) return { slots, bridges, switch: undefined, card: filled[0]?.socket };
  const name = `switch${phb}`;
  const fan = new Switch(sim, name, {
    downstreamPorts: filled.length,
    timing: timing.switch,
    profile: timing.link,
    portOptions: portOptions(topology.ports),
    portInterrupts: topology.ports?.interrupts ?? 'message',
  });
  for (const [port, { socket }] of filled.entries()) socket.plugInto(fan.ports[port]!.link);
  return { slots, bridges, switch: { name, phb, switch: fan }, card: fan };
}

function portOptions({ hotPlug = 'no', linkReporting = 'yes' }: PortFeatures = {}): PciExpressOption[] {
  return [
    'slot',
    ...(hotPlug === 'yes' ? (['hot-plug-surprise', 'power-controller'] as const) : []),
    ...(linkReporting === 'yes' ? (['dll-active-reporting', 'surprise-down-reporting'] as const) : []),
    'ari-forwarding',
  ];
}

/** Names of the devices in a slot. */
export function deviceNames(number: number, options: SlotOptions): string[] {
  const models = modelsOf(options);
  if (!hasSeveralNames(options)) return [`slot${number}`];
  return models.map((_, index) => `slot${number}.${index}`);
}

/** The devices in a slot, a bridge not counted. */
export function modelsOf({ device, behind }: SlotOptions): readonly DeviceModel[] {
  if (device === BRIDGE_CARD) return behind ?? [];
  return typeof device === 'string' ? [device] : device;
}

const hasSeveralNames = ({ device }: SlotOptions): boolean => device === BRIDGE_CARD || typeof device !== 'string';

const ROOT_PORT = 0;
const UPSTREAM_PORT = 0;
const CARD = 0;
const devfn = (device: number): number => device << 3;

interface SlotPlace {
  readonly number: number;
  readonly phb: number;
  /** To function 0 of what is plugged in. */
  readonly path: readonly number[];
  readonly timing: TimingProfile;
}

interface FilledSlot {
  readonly socket: Socket;
  readonly devices: readonly PlacedSlot[];
  readonly bridge: PlacedBridge | undefined;
}

function fillSlot(sim: Simulator, place: SlotPlace, options: SlotOptions): FilledSlot {
  const { number, phb, path, timing } = place;
  const models = modelsOf(options);
  const names = deviceNames(number, options);
  const cards = models.map((model, index) => makeCard(sim, { name: names[index]!, model, timing }, options));
  checkCount(place, options, cards.length);
  const slotName = `slot${number}`;
  const bridge = options.device === BRIDGE_CARD ? makeBridge(sim, slotName, timing) : undefined;
  for (const [index, card] of cards.entries()) bridge?.bus.insert(index, new FunctionCard([card]));
  const socket = new Socket(slotName, bridge ?? new FunctionCard(cards));
  const pathOf = (index: number): number[] =>
    bridge === undefined ? [...path.slice(0, -1), index] : [...path, devfn(index)];
  const devices = cards.map(
    (card, index): PlacedSlot => ({
      ...{ number, phb, card, socket, name: names[index]!, model: models[index]! },
      nic: card instanceof Nic ? card : undefined,
      path: pathOf(index),
    }),
  );
  return { socket, devices, bridge: bridge && { name: `bridge${number}`, phb, bridge } };
}

function checkCount({ number }: SlotPlace, { device }: SlotOptions, count: number): void {
  const most = device === BRIDGE_CARD ? MOST_DEVICES_BEHIND : MOST_FUNCTIONS;
  if (count >= 1 && count <= most) return;
  const what = device === BRIDGE_CARD ? 'devices behind its bridge' : 'functions';
  throw new TopologyError(`slot ${number} has ${count} ${what}: 1 to ${most} are possible`);
}

interface CardPlan {
  readonly name: string;
  readonly model: DeviceModel;
  readonly timing: TimingProfile;
}

function makeCard(sim: Simulator, { name, model, timing }: CardPlan, { device, framePeriodNs }: SlotOptions): Endpoint {
  if (model !== 'nic') return peerCard(sim, name, model, timing);
  return new Nic(sim, name, {
    timing: timing.endpoint,
    bus: device === BRIDGE_CARD ? 'conventional' : 'express',
    ...(framePeriodNs === undefined ? {} : { framePeriodNs }),
  });
}

function makeBridge(sim: Simulator, name: string, timing: TimingProfile): PciBridge {
  return new PciBridge(sim, name, { timing: timing.pciBridge, busTiming: timing.pciBus });
}
