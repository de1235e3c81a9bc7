/**
 * Loads and stores of the processor on their way to a device: window, PE, freeze, packet, answer.
 * Facts: ioda1-p7ioc 6.2, step by step; steps 1 (fence) and 3 (form) before the window.
 */
import { classifyAccess } from '../hw/access-policy.js';
import type { AccessSize } from '../hw/host-port.js';
import type { SystemBus } from '../hw/system-bus.js';
import { allOnes, bytesToValue, valueToBytes } from '../ioda/byte-order.js';
import type { OutboundOutcome, OutboundRequest, OutboundRequests } from '../ioda/outbound-requests.js';
import type { PaprInjection } from '../ioda/papr-injection.js';
import type { RootPort } from '../pcie/root-port.js';
import { addressOf, ioRead, ioWrite, memoryRead, memoryWrite, type Tlp } from '../pcie/tlp.js';
import type { Trace } from '../sim/trace.js';
import type { ErrorEventName } from './error-bits/events.js';
import type { ErrorPipeline } from './error-pipeline.js';
import type { OutboundWindows } from './outbound-windows.js';
import type { PeState } from './pe-state.js';
import { BLOCK_REASON, type BlockReason, OUTBOUND_BLOCKED } from './trace.js';

export interface OutboundParts {
  readonly bus: SystemBus;
  readonly windows: OutboundWindows;
  readonly peState: PeState;
  readonly rootPort: RootPort;
  readonly requests: OutboundRequests;
  readonly errors: ErrorPipeline;
  readonly injection: PaprInjection;
  readonly trace: Trace;
  readonly source: number;
}

/** How a load can fail once it left, or should have left; a dead link is silent. */
const LOAD_EVENTS: Readonly<Partial<Record<OutboundOutcome, ErrorEventName>>> = {
  CA: 'mmio-load-ca',
  UR: 'mmio-load-ur',
  timeout: 'mmio-load-timeout',
  poisoned: 'poisoned-completion',
  'table-timeout': 'mmio-load-timeout',
};

const ROOT_COMPLEX = { requesterId: 0, tag: 0 };
/** An IO packet carries at most a doubleword. Source: PCI Express base specification 2.2.7. */
const MOST_IO_BYTES = 4;

export class OutboundPath {
  readonly #parts: OutboundParts;

  constructor(parts: OutboundParts) {
    this.#parts = parts;
  }

  load(address: number, size: AccessSize, ticket: number): void {
    const { bus, windows, requests } = this.#parts;
    const pe = this.#admit(address, size, 'read');
    if (pe === undefined) {
      bus.complete(ticket, allOnes(size));
      return;
    }
    const { kind, pciAddressHi: hi, pciAddressLo: lo } = windows;
    const tlp = kind === 'io' ? ioRead(ROOT_COMPLEX, lo, size) : memoryRead(ROOT_COMPLEX, { hi, lo }, size);
    requests.issue({ operation: 'load', pe, address: BigInt(address), sizeBytes: size, ticket, tlp });
  }

  /** Posted: whoever rejects it says so by a message, later. Nobody waits for the answer of an IO store either (M). */
  store(address: number, size: AccessSize, value: bigint): void {
    const pe = this.#admit(address, size, 'write');
    if (pe === undefined) return;
    const tlp = this.#storePacket(valueToBytes(value, size));
    const { requests, rootPort } = this.#parts;
    if (tlp.kind === 'IOWr') {
      requests.issue({ operation: 'load', pe, address: BigInt(address), sizeBytes: size, ticket: undefined, tlp });
      return;
    }
    if (rootPort.send(tlp) !== 'sent') this.#blocked('link-down', pe, address);
  }

  #storePacket(data: Uint8Array): Tlp {
    const { kind, pciAddressHi: hi, pciAddressLo: lo } = this.#parts.windows;
    return kind === 'io' ? ioWrite(ROOT_COMPLEX, lo, data) : memoryWrite(0, { hi, lo }, data);
  }

  /** The end of a load. Whatever went wrong, the processor sees all ones. */
  ended(request: OutboundRequest, outcome: OutboundOutcome, data: Uint8Array | undefined): bigint {
    const { errors } = this.#parts;
    const event = LOAD_EVENTS[outcome];
    if (event) errors.raise({ event, pe: request.pe, address: request.address });
    if (outcome !== 'SC' || !data) return allOnes(request.sizeBytes);
    return bytesToValue(data);
  }

  /** The PE of an access that may go on, else `undefined`: its end has been decided and recorded. */
  #admit(address: number, size: AccessSize, direction: 'read' | 'write'): number | undefined {
    const { windows, peState, errors, injection } = this.#parts;
    const type = direction === 'read' ? 'mmio-load' : 'mmio-store';
    const where = BigInt(address);
    if (!windows.resolve(address)) {
      errors.raise({ event: 'mmio-no-window', type, address: where });
      return this.#blocked('no-window', 0, address);
    }
    const { pe } = windows;
    const fault = this.#formFault(address, size);
    if (fault !== undefined) {
      errors.raise({ event: fault, type, pe, address: where });
      return this.#blocked('size', pe, address);
    }
    if (peState.mmioFrozen[pe] === 1) return this.#blocked('pe-frozen', pe, address);
    const effect = injection.fires('mmio', direction, where);
    if (!effect) return pe;
    errors.inject(effect, { event: 'papr-mmio', type, pe, address: where });
    return undefined;
  }

  #formFault(address: number, size: AccessSize): 'mmio-size' | 'mmio-alignment' | undefined {
    if (classifyAccess(address, size) === 'misaligned') return 'mmio-alignment';
    return this.#parts.windows.kind === 'io' && size > MOST_IO_BYTES ? 'mmio-size' : undefined;
  }

  #blocked(reason: BlockReason, pe: number, address: number): undefined {
    const { trace, source } = this.#parts;
    const { hi, lo } = addressOf(BigInt(address));
    trace.emit(OUTBOUND_BLOCKED, source, BLOCK_REASON[reason], pe, hi, lo);
  }
}
