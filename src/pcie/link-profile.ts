/**
 * Figures of a link's timing and of the buffers at its ends, each with its source and how well it is known.
 * Facts: pcie-timing; ioda2-phb3 10.2.
 */
import type { Figure } from '../hw/figure.js';
import type { Credits } from './flow-control.js';

export type LinkSpeed = 1 | 2 | 3;
export type LinkWidth = 1 | 2 | 4 | 8 | 16;

/** What the two ends can hold, and how long they try. */
export interface LinkLimits {
  readonly replayBufferBytes: Figure;
  /** Retrainings in a row because one packet does not get across; then the link goes down. */
  readonly retrainings: Figure;
  /** Credits a receiver advertises of each header and data pool, as far as they are finite. */
  readonly headerCredits: Figure;
  readonly dataCredits: Figure;
}

export interface LinkProfile extends LinkLimits {
  /** PERST released (or card inserted) until the port sees a receiver. */
  readonly electricalDetectNs: Figure;
  /** The same after a reset that leaves the card powered. */
  readonly redetectNs: Figure;
  readonly pollingNs: Figure;
  /** Lanes, then the speed change, until both data-link layers are active. */
  readonly configurationNs: Figure;
  /** Retraining or a change of speed. */
  readonly recoveryNs: Figure;
  /** The last part of training: both receivers advertise their credits. */
  readonly flowControlInitNs: Figure;
  /** How long equalisation at 8 GT/s is tried before the link falls back. */
  readonly equalisationTimeoutNs: Figure;
  /** From the last byte on the wire at one end until the packet is handed on at the other. */
  readonly flightNs: Figure;
  /** A DLLP, from its cause until the other end has acted on it. */
  readonly dllpNs: Figure;
  /** A lost credit update is made good by the next one, which comes after this time at the latest. */
  readonly creditRepeatNs: Figure;
}

const FIRMWARE_TIMES = 'ioda2-phb3 10.2: presence within 100 ms, link typically 100 to 300 ms later';

export const LINK_LIMITS: LinkLimits = {
  replayBufferBytes: { value: 16384, known: 'assumed', source: '(M) twice what is under way on a full x16 link' },
  retrainings: { value: 4, known: 'assumed', source: '(M) the specification sets no limit' },
  headerCredits: {
    value: 127,
    known: 'assumed',
    source: '(M) the most that 8-bit counters allow (PCI Express base specification 2.6.1.2)',
  },
  dataCredits: { value: 1024, known: 'assumed', source: '(M) 16 KiB, more than is under way on a full x16 link' },
};

export const LINK_PROFILE: LinkProfile = {
  electricalDetectNs: { value: 100e6, known: 'stated', source: FIRMWARE_TIMES },
  redetectNs: { value: 12e6, known: 'stated', source: 'PCI Express base specification 4.2.6.1: Detect.Quiet, 12 ms' },
  pollingNs: { value: 100e6, known: 'assumed', source: '(M) with configuration 150 ms: 250 ms in total after PERST' },
  configurationNs: { value: 50e6, known: 'assumed', source: '(M) see polling' },
  recoveryNs: {
    value: 1e6,
    known: 'assumed',
    source: '(M) recovery with speed change stays well below its 24 ms limit',
  },
  flowControlInitNs: { value: 2000, known: 'assumed', source: '(M) a few rounds of InitFC1 and InitFC2' },
  equalisationTimeoutNs: {
    value: 24e6,
    known: 'stated',
    source: 'PCI Express base specification 4.2.6.4.2: each phase of equalisation ends after 24 ms at the latest',
  },
  flightNs: { value: 120, known: 'assumed', source: '(M) both physical and data-link layers and a short trace' },
  dllpNs: { value: 100, known: 'assumed', source: '(M) shorter than the way of a packet: nothing is gathered first' },
  creditRepeatNs: {
    value: 30e3,
    known: 'stated',
    source: 'PCI Express base specification 2.6.1.2: an UpdateFC of each kind at least every 30 us',
  },
  ...LINK_LIMITS,
};

const ENDLESS = Number.POSITIVE_INFINITY;

/** A switch forwards completions, so it has to hold them. */
export function switchCredits({ headerCredits, dataCredits }: LinkLimits): Credits {
  const [headers, data] = [headerCredits.value, dataCredits.value];
  return { PH: headers, PD: data, NPH: headers, NPD: data, CPLH: headers, CPLD: data };
}

/** Endpoints and root ports take every completion they asked for (PCI Express base specification 2.6.1, table 2-37). */
export function endpointCredits(limits: LinkLimits): Credits {
  return { ...switchCredits(limits), CPLH: ENDLESS, CPLD: ENDLESS };
}

export const SWITCH_CREDITS: Credits = switchCredits(LINK_LIMITS);
export const ENDPOINT_CREDITS: Credits = endpointCredits(LINK_LIMITS);

/** Payload bandwidth of one lane after encoding, in bits per nanosecond. Facts: pcie-timing "Rates". */
export const LANE_GBPS: Readonly<Record<LinkSpeed, number>> = { 1: 2.0, 2: 4.0, 3: (8 * 128) / 130 };

/** Symbols between skip ordered sets, and their length. Facts: pcie-timing. */
const SKIP_INTERVAL = 1538;
const SKIP_SYMBOLS = 4;
const DLLP_SYMBOLS = 8;

/** TLP bytes of overhead, AckFactor and internal delay of the specification's limit, 3.5.2.2 (symbol times). */
const ACK_OVERHEAD_BYTES = 28;
const INTERNAL_DELAY: Readonly<Record<LinkSpeed, number>> = { 1: 19, 2: 70, 3: 115 };

function ackFactor(width: LinkWidth, payloadBytes: number): number {
  if (width === 16) return payloadBytes <= 256 ? 3 : 2;
  if (width === 8) return payloadBytes <= 256 ? 2.5 : 1;
  return payloadBytes <= 256 ? 1.4 : 1;
}

/**
 * Symbol times between two DLLPs of one kind (ACK or flow-control update). The specification's formula, which yields
 * the table of pcie-timing "Overhead of ACK and flow-control traffic" exactly.
 */
export function dllpIntervalSymbols(speed: LinkSpeed, width: LinkWidth, maxPayloadBytes: number): number {
  const factor = ackFactor(width, maxPayloadBytes);
  const gen1 = Math.floor(((maxPayloadBytes + ACK_OVERHEAD_BYTES) * factor) / width + INTERNAL_DELAY[1]);
  return gen1 - INTERNAL_DELAY[1] + INTERNAL_DELAY[speed];
}

/** Bits per nanosecond left for TLPs beside ACKs, flow-control updates and skip ordered sets. */
export function tlpGbps(speed: LinkSpeed, width: LinkWidth, maxPayloadBytes: number): number {
  const dllps = (2 * DLLP_SYMBOLS) / dllpIntervalSymbols(speed, width, maxPayloadBytes);
  return LANE_GBPS[speed] * width * (1 - dllps - SKIP_SYMBOLS / SKIP_INTERVAL);
}

/** Duration of one symbol on each lane. */
export function symbolNs(speed: LinkSpeed): number {
  return 8 / LANE_GBPS[speed];
}

/** How long a receiver may gather packets before it acknowledges them (PCI Express base specification 3.5.3.1). */
export function ackLatencyNs(speed: LinkSpeed, width: LinkWidth, maxPayloadBytes: number): number {
  return dllpIntervalSymbols(speed, width, maxPayloadBytes) * symbolNs(speed);
}

/** How long a sender waits for an acknowledgement: three times as long (PCI Express base specification 3.5.2.1). */
export function replayTimerNs(speed: LinkSpeed, width: LinkWidth, maxPayloadBytes: number): number {
  return 3 * ackLatencyNs(speed, width, maxPayloadBytes);
}
