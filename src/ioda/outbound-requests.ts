/**
 * Non-posted requests on their way to a device: tags, completions, the UTL request timer, and CRS.
 * Sources: skiboot hw/phb3.c: phb3_init_utl (Init_82); skiboot core/pci.c: pci_wait_crs. Facts: ioda2-phb3 6.1, 6.2.
 */
import type { Figure } from '../hw/figure.js';
import type { RootPort } from '../pcie/root-port.js';
import { copyTlp, type Tlp } from '../pcie/tlp.js';
import { Priority } from '../sim/priority.js';
import type { EventId, HandlerId, Simulator } from '../sim/simulator.js';
import type { TimeNs } from '../sim/time.js';

/** The chip's figures for requests. */
export interface RequestTiming {
  /** The ETU's own wait for the core's answer. */
  readonly completionTableNs: Figure;
  /** Pause before a configuration request that was answered with CRS is sent again. */
  readonly crsRetryNs: Figure;
}

/** The core that runs the request timer. */
export interface RequestTimer {
  readonly requestTimeoutNs: TimeNs;
}

/**
 * How a request ended. `link-down`: it never left, and the timer ran out. `table-timeout`: the core's timer is set so
 * long that the ETU gave up first. `poisoned`: answered with data that are known to be wrong.
 */
export type OutboundOutcome =
  | 'SC'
  | 'poisoned'
  | 'UR'
  | 'CA'
  | 'timeout'
  | 'table-timeout'
  | 'link-down'
  | 'crs-visible';

export interface OutboundRequest {
  readonly operation: 'load' | 'config-read' | 'config-write';
  /** PE charged if it fails. */
  readonly pe: number;
  /** What the PEST says about where it failed: the processor-side address of a load. */
  readonly address: bigint;
  readonly sizeBytes: 1 | 2 | 4 | 8;
  /** Bus ticket of a load that waits for the answer; none for a configuration write. */
  readonly ticket: number | undefined;
  /** The packet, but for its tag. */
  readonly tlp: Tlp;
}

export interface OutboundOwner {
  ended(request: OutboundRequest, outcome: OutboundOutcome, data: Uint8Array | undefined): void;
}

interface Pending {
  readonly request: OutboundRequest;
  readonly timer: EventId;
  readonly whenTimedOut: 'timeout' | 'table-timeout' | 'link-down';
  /** Tells this use of the tag from a later one. */
  readonly serial: number;
}

const TAGS = 256;
const VENDOR_ID_REGISTER = 0;

export class OutboundRequests {
  readonly #sim: Simulator;
  readonly #rootPort: RootPort;
  readonly #utl: RequestTimer;
  readonly #timing: RequestTiming;
  readonly #owner: OutboundOwner;
  readonly #pending: (Pending | undefined)[] = new Array<Pending | undefined>(TAGS).fill(undefined);
  readonly #waiting: OutboundRequest[] = [];
  readonly #timeout: HandlerId;
  readonly #retry: HandlerId;
  #nextTag = 0;
  #nextSerial = 0;

  constructor(
    parts: { sim: Simulator; name: string; rootPort: RootPort; utl: RequestTimer; timing: RequestTiming },
    owner: OutboundOwner,
  ) {
    this.#sim = parts.sim;
    this.#rootPort = parts.rootPort;
    this.#utl = parts.utl;
    this.#timing = parts.timing;
    this.#owner = owner;
    this.#timeout = parts.sim.handler(`${parts.name} request timeout`, (tag) => this.#timedOut(tag));
    this.#retry = parts.sim.handler(`${parts.name} CRS retry`, (tag, serial) => this.#resend(tag, serial));
  }

  get isIdle(): boolean {
    return this.#pending.every((pending) => pending === undefined);
  }

  issue(request: OutboundRequest): void {
    const tag = this.#freeTag();
    if (tag === undefined) {
      this.#waiting.push(request);
      return;
    }
    const tlp = copyTlp(request.tlp);
    tlp.tag = tag;
    const sent = this.#rootPort.send(tlp);
    if (sent === 'memory-disabled') {
      // The root port itself does not take it (M).
      this.#owner.ended(request, 'UR', undefined);
      return;
    }
    const coreNs = this.#utl.requestTimeoutNs;
    const tableNs = this.#timing.completionTableNs.value;
    const timer = this.#sim.schedule(Math.min(coreNs, tableNs), Priority.CHIP, this.#timeout, tag);
    // Nothing tells the requester that the link dropped the packet: the timer ends it all the same.
    const whenTimedOut = coreNs > tableNs ? 'table-timeout' : sent === 'sent' ? 'timeout' : 'link-down';
    this.#pending[tag] = { request, timer, whenTimedOut, serial: this.#nextSerial++ };
  }

  #freeTag(): number | undefined {
    for (let step = 0; step < TAGS; step++) {
      const tag = (this.#nextTag + step) % TAGS;
      if (this.#pending[tag] !== undefined) continue;
      this.#nextTag = (tag + 1) % TAGS;
      return tag;
    }
    return undefined;
  }

  /** A completion came in. False if it answers nothing that was asked. */
  complete(tlp: Tlp): boolean {
    const pending = this.#pending[tlp.tag];
    if (!pending) return false;
    switch (tlp.status) {
      case 'CRS':
        // Only configuration requests can be asked to try again; elsewhere it means UR. Source: PCIe 2.3.2.
        if (pending.request.operation === 'load') this.#end(tlp.tag, 'UR', undefined);
        else this.#answeredWithRetry(tlp.tag, pending);
        break;
      case 'SC':
        this.#end(tlp.tag, tlp.poisoned ? 'poisoned' : 'SC', tlp.data);
        break;
      case 'UR':
      case 'CA':
        this.#end(tlp.tag, tlp.status, tlp.data);
        break;
      case undefined:
        return false;
    }
    return true;
  }

  /** With CRS visible to software a read of the vendor id says so at once; anything else is sent again until the timer runs out. */
  #answeredWithRetry(tag: number, { request, serial }: Pending): void {
    const readsVendor =
      request.operation === 'config-read' && request.tlp.register === VENDOR_ID_REGISTER && request.sizeBytes >= 2;
    if (readsVendor && this.#rootPort.crsVisible) {
      this.#end(tag, 'crs-visible', undefined);
      return;
    }
    this.#sim.schedule(this.#timing.crsRetryNs.value, Priority.CHIP, this.#retry, tag, serial);
  }

  #resend(tag: number, serial: number): void {
    const pending = this.#pending[tag];
    if (pending?.serial === serial) this.#rootPort.send({ ...pending.request.tlp, tag });
  }

  #timedOut(tag: number): void {
    const pending = this.#pending[tag];
    if (!pending) return;
    if (pending.whenTimedOut === 'timeout') this.#rootPort.raiseAdvisory('COMPLETION_TIMEOUT', pending.request.tlp);
    this.#end(tag, pending.whenTimedOut, undefined);
  }

  #end(tag: number, outcome: OutboundOutcome, data: Uint8Array | undefined): void {
    const pending = this.#pending[tag];
    if (!pending) return;
    this.#sim.cancel(pending.timer);
    this.#pending[tag] = undefined;
    this.#owner.ended(pending.request, outcome, data);
    const next = this.#waiting.shift();
    if (next) this.issue(next);
  }

  /** The PHB is fenced or reset: nothing will be answered any more. Returns what was outstanding, oldest tag first. */
  abandonAll(): OutboundRequest[] {
    const abandoned: OutboundRequest[] = [];
    this.#pending.forEach((pending, tag) => {
      if (!pending) return;
      this.#sim.cancel(pending.timer);
      this.#pending[tag] = undefined;
      abandoned.push(pending.request);
    });
    return [...abandoned, ...this.#waiting.splice(0)];
  }
}
