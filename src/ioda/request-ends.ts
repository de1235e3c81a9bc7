/**
 * Ends of requests that went to a device: the block that asked makes a value of the outcome, and the processor gets that.
 * Facts: ioda2-phb3 6.1, 6.2; ioda1-p7ioc 6.1, 6.2.
 */
import type { SystemBus } from '../hw/system-bus.js';
import { allOnes } from './byte-order.js';
import type { MmioAnswers } from './mmio-answers.js';
import type { OutboundOutcome, OutboundRequest } from './outbound-requests.js';

/** A block that sends requests. Whatever an outcome says, it knows what the processor sees. */
interface Requester {
  ended(request: OutboundRequest, outcome: OutboundOutcome, data: Uint8Array | undefined): bigint;
}

export interface RequestEndsParts {
  readonly bus: SystemBus;
  readonly answers: MmioAnswers;
  readonly outbound: Requester;
  readonly config: Requester;
  /** Where configuration data are read. */
  readonly page: { configEnded(ticket: number, value: bigint): void };
}

export class RequestEnds {
  readonly #parts: RequestEndsParts;

  constructor(parts: RequestEndsParts) {
    this.#parts = parts;
  }

  ended(request: OutboundRequest, outcome: OutboundOutcome, data: Uint8Array | undefined): void {
    const { outbound, config, answers, page } = this.#parts;
    const requester = request.operation === 'load' ? outbound : config;
    const value = requester.ended(request, outcome, data);
    if (request.ticket === undefined) return;
    if (request.operation === 'load') answers.complete(request.ticket, value);
    else page.configEnded(request.ticket, value);
  }

  /** The bridge is fenced or reset: what was outstanding ends with all ones, at once, and nobody is charged. */
  abandon(requests: readonly OutboundRequest[]): void {
    const { bus, page } = this.#parts;
    for (const request of requests) {
      if (request.ticket === undefined) continue;
      const ones = allOnes(request.sizeBytes);
      if (request.operation === 'load') bus.complete(request.ticket, ones);
      else page.configEnded(request.ticket, ones);
    }
  }
}
