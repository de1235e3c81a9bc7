/**
 * What a link could carry, by arithmetic, and what the model's link carries, by sending packets through it.
 * Facts: pcie-timing "Effective bandwidth of continuous transfers of one size".
 */
import type { HandlerId } from '../sim/simulator.js';
import { Simulator } from '../sim/simulator.js';
import { splitCompletions } from './completion.js';
import type { Credits } from './flow-control.js';
import { Link } from './link.js';
import { LINK_PROFILE, type LinkSpeed, type LinkWidth, tlpGbps } from './link-profile.js';
import { memoryRead, memoryWrite, splitRequest, type Tlp, WIRE } from './tlp.js';

export interface LinkLoad {
  readonly speed: LinkSpeed;
  readonly width: LinkWidth;
  readonly maxPayloadBytes: number;
  readonly maxReadRequestBytes: number;
}

const REQUEST_BYTES = WIRE.framingAndDataLink + WIRE.header + WIRE.memory64;
const COMPLETION_BYTES = WIRE.framingAndDataLink + WIRE.header + WIRE.completion;

/** Payload bits per nanosecond of posted writes back to back. */
export function modelWriteGbps(load: LinkLoad, size: number): number {
  const packets = Math.ceil(size / load.maxPayloadBytes);
  return (linkGbps(load) * size) / (REQUEST_BYTES * packets + size);
}

/** The same of reads, tags and credits enough: the direction that runs out first limits. */
export function modelReadGbps(load: LinkLoad, size: number): number {
  const requests = Math.ceil(size / load.maxReadRequestBytes);
  return (
    (linkGbps(load) * size) / Math.max(REQUEST_BYTES * requests, COMPLETION_BYTES * completions(load, size) + size)
  );
}

/** With few tags: so many requests under way in one round trip, and never more than the link carries. */
export function modelReadGbpsOfTags(load: LinkLoad, size: number, tags: number): number {
  const requests = Math.ceil(size / load.maxReadRequestBytes);
  const wireBytes = REQUEST_BYTES + (COMPLETION_BYTES * completions(load, size) + size) / requests;
  const roundTripNs = (wireBytes * 8) / linkGbps(load) + 2 * LINK_PROFILE.flightNs.value;
  return Math.min(modelReadGbps(load, size), (tags * (size / requests) * 8) / roundTripNs);
}

/** A completion answers one request: where requests are smaller than the payload, it cannot be larger than they are. */
function completions(load: LinkLoad, size: number): number {
  const { maxPayloadBytes, maxReadRequestBytes } = load;
  const whole = Math.floor(size / maxReadRequestBytes);
  const rest = size % maxReadRequestBytes;
  return whole * Math.ceil(maxReadRequestBytes / maxPayloadBytes) + Math.ceil(rest / maxPayloadBytes);
}

function linkGbps({ speed, width, maxPayloadBytes }: LinkLoad): number {
  return tlpGbps(speed, width, maxPayloadBytes);
}

export interface BenchOptions {
  /** Reads the requester has under way at most. */
  readonly tags?: number;
  /** What the completer can hold. */
  readonly credits?: Credits;
}

const ALL_TAGS = 256;
const TRANSFER_BYTES = 4096;
const COMPLETER = 0x0008;
const REQUESTER = 0x0100;
/** Each transfer starts on a page of its own, above 4 GiB: its requests have 64-bit addresses. */
const FIRST_PAGE_HI = 1;
const DATA = new Uint8Array(TRANSFER_BYTES);
/** Packets of one measurement, and how many of them come before the flow is steady. */
const PACKETS = 500;
const WARM_UP = 260;

/** A requester below a link and a completer above it that answers at once. */
export class BandwidthBench {
  private readonly sim = new Simulator();
  private readonly link: Link;
  private readonly tags: number;
  private readonly freeTags: number[] = [];
  private readonly waiting: Tlp[] = [];
  private readonly missing = new Int32Array(ALL_TAGS);
  private readonly issueEvent: HandlerId;
  private arrivedBytes = 0;
  private arrivedPackets = 0;
  private warmBytes = 0;
  private warmNs = 0;
  private lastNs = 0;

  constructor(
    private readonly load: LinkLoad,
    options: BenchOptions = {},
  ) {
    const { speed, width } = load;
    this.link = new Link(this.sim, 'link', { maxSpeed: speed, maxWidth: width });
    if (options.credits !== undefined) this.link.up.advertise(options.credits);
    this.tags = options.tags ?? ALL_TAGS;
    this.issueEvent = this.sim.handler('issue', () => this.issue());
    this.link.up.attach({ receive: (tlp) => this.complete(tlp) });
    this.link.down.attach({ receive: (tlp) => this.completed(tlp) });
    this.link.insertCard({ maxSpeed: speed, maxWidth: width, resetBy: () => {} });
    this.link.setPerst('deasserted');
    this.link.setMaxPayload(load.maxPayloadBytes);
    this.sim.run({ idle: true });
  }

  /** Payload bits per nanosecond of writes of this size, one after the other. */
  writeGbps(size: number): number {
    this.begin();
    for (let page = 0, packets = 0; packets < PACKETS; page++) {
      for (const piece of splitRequest(pageAddress(page), size, this.load.maxPayloadBytes)) {
        this.link.down.send(memoryWrite(REQUESTER, piece.address, DATA.subarray(0, piece.lengthBytes)));
        packets++;
      }
    }
    return this.finish();
  }

  /** The same of reads, with as many under way as there are tags. */
  readGbps(size: number): number {
    this.begin();
    this.freeTags.length = 0;
    for (let tag = this.tags - 1; tag >= 0; tag--) this.freeTags.push(tag);
    const pages = Math.ceil(PACKETS / Math.ceil(size / this.load.maxPayloadBytes));
    for (let page = 0; page < pages; page++) {
      for (const piece of splitRequest(pageAddress(page), size, this.load.maxReadRequestBytes)) {
        this.waiting.push(memoryRead({ requesterId: REQUESTER, tag: 0 }, piece.address, piece.lengthBytes));
      }
    }
    this.waiting.reverse();
    this.sim.schedule(0, 0, this.issueEvent);
    return this.finish();
  }

  private begin(): void {
    this.arrivedBytes = 0;
    this.arrivedPackets = 0;
  }

  private finish(): number {
    this.sim.run({ idle: true });
    return ((this.arrivedBytes - this.warmBytes) * 8) / (this.lastNs - this.warmNs);
  }

  private issue(): void {
    while (this.waiting.length > 0 && this.freeTags.length > 0) {
      const tag = this.freeTags.pop()!;
      const request = { ...this.waiting.pop()!, tag };
      this.missing[tag] = request.lengthBytes;
      this.link.down.send(request);
    }
  }

  private complete(tlp: Tlp): void {
    if (tlp.kind === 'MWr') this.arrived(tlp.lengthBytes);
    else {
      const cut = { maxPayloadBytes: this.load.maxPayloadBytes, boundaryBytes: 128 } as const;
      const data = DATA.subarray(0, tlp.lengthBytes);
      for (const answer of splitCompletions(tlp, COMPLETER, data, cut)) this.link.up.send(answer);
    }
  }

  private completed(tlp: Tlp): void {
    this.arrived(tlp.lengthBytes);
    this.missing[tlp.tag]! -= tlp.lengthBytes;
    if (this.missing[tlp.tag]! > 0) return;
    this.freeTags.push(tlp.tag);
    this.issue();
  }

  /** Measures from the packet on with which the flow is steady. */
  private arrived(bytes: number): void {
    this.arrivedPackets++;
    this.arrivedBytes += bytes;
    this.lastNs = this.sim.now;
    if (this.arrivedPackets !== WARM_UP) return;
    this.warmBytes = this.arrivedBytes;
    this.warmNs = this.sim.now;
  }
}

function pageAddress(page: number): { hi: number; lo: number } {
  return { hi: FIRST_PAGE_HI, lo: page * TRANSFER_BYTES };
}
