/**
 * Figures of a link's timing, each with its source and how well it is known. Facts: pcie-timing; ioda2-phb3 10.2.
 */

export type LinkSpeed = 1 | 2 | 3;
export type LinkWidth = 1 | 2 | 4 | 8 | 16;

/** A number nobody should have to take on trust. */
export interface Figure {
  readonly value: number;
  readonly known: 'stated' | 'assumed';
  readonly source: string;
}

export interface LinkProfile {
  /** PERST released (or card inserted) until the port sees a receiver. */
  readonly electricalDetectNs: Figure;
  /** The same after a reset that leaves the card powered. */
  readonly redetectNs: Figure;
  readonly pollingNs: Figure;
  readonly configurationNs: Figure;
  readonly recoveryNs: Figure;
  /** From the last byte on the wire at one end until the packet is handed on at the other. */
  readonly flightNs: Figure;
  /** A packet that arrives damaged: time until the sender has sent it again. */
  readonly replayNs: Figure;
}

const FIRMWARE_TIMES = 'ioda2-phb3 10.2: presence within 100 ms, link typically 100 to 300 ms later';

export const LINK_PROFILE: LinkProfile = {
  electricalDetectNs: { value: 100e6, known: 'stated', source: FIRMWARE_TIMES },
  redetectNs: { value: 12e6, known: 'stated', source: 'PCI Express base specification 4.2.6.1: Detect.Quiet, 12 ms' },
  pollingNs: { value: 100e6, known: 'assumed', source: '(M) with configuration 150 ms: 250 ms in total after PERST' },
  configurationNs: { value: 50e6, known: 'assumed', source: '(M) see pollingNs' },
  recoveryNs: {
    value: 1e6,
    known: 'assumed',
    source: '(M) recovery with speed change stays well below its 24 ms limit',
  },
  flightNs: { value: 120, known: 'assumed', source: '(M) both physical and data-link layers and a short trace' },
  replayNs: { value: 1000, known: 'assumed', source: '(M) NAK turn-around and resending' },
};

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
