/**
 * The timing of a whole machine, hop by hop: what every block is built with. The figures of the default profile stand
 * with the blocks; profiles/power8.yaml is the same for people to read, and to begin their own from.
 */
import type { Figure } from '../hw/figure.js';
import { BUS_TIMING, type BusTiming } from '../hw/system-bus.js';
import { P7IOC_TIMING, type P7iocTiming } from '../ioda1/timing.js';
import { PHB3_TIMING, type Phb3Timing } from '../ioda2/timing.js';
import { EDU_TIMING, type EduTiming } from '../pcie/edu.js';
import { ENDPOINT_TIMING, type EndpointTiming } from '../pcie/endpoint-options.js';
import { LINK_PROFILE, type LinkProfile } from '../pcie/link-profile.js';
import { NVME_TIMING, type NvmeTiming } from '../pcie/nvme.js';
import { PCI_BRIDGE_TIMING, type PciBridgeTiming } from '../pcie/pci-bridge.js';
import { PCI_BUS_TIMING, type PciBusTiming } from '../pcie/pci-bus.js';
import { SWITCH_TIMING, type SwitchTiming } from '../pcie/switch.js';

export interface TimingProfile {
  readonly name: string;
  /** From a processor to the chip. */
  readonly bus: BusTiming;
  readonly phb3: Phb3Timing;
  /** Of the hub of a POWER7. */
  readonly p7ioc: P7iocTiming;
  /** Of every link of the machine. */
  readonly link: LinkProfile;
  /** Of every card. */
  readonly endpoint: EndpointTiming;
  readonly switch: SwitchTiming;
  readonly pciBridge: PciBridgeTiming;
  readonly pciBus: PciBusTiming;
  readonly edu: EduTiming;
  readonly nvme: NvmeTiming;
}

export const POWER8_TIMING: TimingProfile = {
  name: 'power8',
  bus: BUS_TIMING,
  phb3: PHB3_TIMING,
  p7ioc: P7IOC_TIMING,
  link: LINK_PROFILE,
  endpoint: ENDPOINT_TIMING,
  switch: SWITCH_TIMING,
  pciBridge: PCI_BRIDGE_TIMING,
  pciBus: PCI_BUS_TIMING,
  edu: EDU_TIMING,
  nvme: NVME_TIMING,
};

/** (M) Nothing is known of a POWER7 that differs but its bridges, which have figures of their own. */
export const POWER7_TIMING: TimingProfile = { ...POWER8_TIMING, name: 'power7' };

export const TIMING_GROUPS = [
  ...(['bus', 'phb3', 'p7ioc', 'link', 'endpoint', 'switch', 'pciBridge', 'pciBus', 'edu', 'nvme'] as const),
] satisfies (keyof TimingProfile)[];
export type TimingGroup = (typeof TIMING_GROUPS)[number];

/** Figures by name, for whoever treats them all alike. */
export type Figures = Readonly<Record<string, Figure>>;
export type PartialTiming = Readonly<Partial<Record<TimingGroup, Figures>>>;

export function figuresOf(profile: TimingProfile, group: TimingGroup): Figures {
  return { ...profile[group] };
}

/** What a profile leaves out keeps the default. */
export function composeTiming(name: string, given: PartialTiming): TimingProfile {
  const composed: Record<string, unknown> = { name };
  for (const group of TIMING_GROUPS) composed[group] = { ...POWER8_TIMING[group], ...given[group] };
  return composed as unknown as TimingProfile;
}

/** What a figure may be. Times stand on the grid of virtual time; buffers and counts are whole numbers. */
export interface FigureRange {
  readonly unit: 'time' | 'bytes' | 'count';
  readonly least: number;
  readonly most: number;
}

const LONGEST_NS = 1e9;
/** What repeats itself in this time must not do so at one instant. */
const SHORTEST_REPEAT_NS = 1e3;

const OWN_RANGES: Readonly<Record<string, Partial<FigureRange>>> = {
  'phb3.crsRetryNs': { least: SHORTEST_REPEAT_NS },
  'p7ioc.crsRetryNs': { least: SHORTEST_REPEAT_NS },
  'phb3.interruptRepresentNs': { least: SHORTEST_REPEAT_NS },
  'link.creditRepeatNs': { least: SHORTEST_REPEAT_NS },
  // Software polls until time has passed: where no access takes any, it never does.
  ...{ 'bus.mmioLoadNs': { least: 1 }, 'bus.mmioStoreNs': { least: 1 }, 'bus.scomNs': { least: 1 } },
  'bus.memoryNs': { least: 1 },
  // Taken as often as an operand of 32 bits says.
  'edu.multiplicationNs': { most: 1e5 },
  'link.replayBufferBytes': { least: 512, most: 2 ** 20 },
  'link.retrainings': { least: 0, most: 1000 },
  // The most that counters of 8 and 12 bits allow; data of the largest packet, 4096 bytes, have to fit.
  'link.headerCredits': { least: 1, most: 127 },
  'link.dataCredits': { least: 256, most: 2047 },
};

export function rangeOfFigure(group: TimingGroup, name: string): FigureRange {
  const unit = name.endsWith('Ns') ? 'time' : name.endsWith('Bytes') ? 'bytes' : 'count';
  return { unit, least: 0, most: LONGEST_NS, ...OWN_RANGES[`${group}.${name}`] };
}

/** How files and tables call a group or a figure: `pciBus` is pci-bus, `mmioLoadNs` mmio-load. */
export function keyOf(name: string): string {
  return name.replace(/(Ns|Bytes)$/, '').replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

const TIME_UNITS = [
  { unit: 's', ns: 1e9 },
  { unit: 'ms', ns: 1e6 },
  { unit: 'us', ns: 1e3 },
] as const;

/** `60 ns`, `16384 bytes`, `127`: as a profile has it. */
export function formatFigure(name: string, value: number): string {
  if (name.endsWith('Bytes')) return `${value} bytes`;
  if (!name.endsWith('Ns')) return String(value);
  const { unit, ns } = TIME_UNITS.find((each) => value >= each.ns) ?? { unit: 'ns', ns: 1 };
  return `${value / ns} ${unit}`;
}
