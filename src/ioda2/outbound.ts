/**
 * Loads and stores of the processor on their way to a device: window, PE, freeze, packet, answer.
 * Sources: linux pci_iov_resource_on_powernv.rst (stores dropped, loads all ones); lopar R1-8; facts: ioda2-phb3 6.2.
 */
import type { AccessSize } from '../hw/host-port.js';
import type { SystemBus } from '../hw/system-bus.js';
import { allOnes, bytesToValue, valueToBytes } from '../ioda/byte-order.js';
import type { OutboundOutcome, OutboundRequest, OutboundRequests } from '../ioda/outbound-requests.js';
import type { PaprInjection } from '../ioda/papr-injection.js';
import type { RootPort } from '../pcie/root-port.js';
import { addressOf, memoryRead, memoryWrite } from '../pcie/tlp.js';
import type { Trace } from '../sim/trace.js';
import type { ErrorEventName } from './error-bits/events.js';
import type { ErrorPipeline } from './error-pipeline.js';
import type { LinkControl } from './link-control.js';
import type { OutboundWindows } from './outbound-windows.js';
import type { PeState } from './pe-state.js';
import { BLOCK_REASON, type BlockReason, OUTBOUND_BLOCKED } from './trace.js';
import { PORT_EVENT, type UtlCore } from './utl.js';

export interface OutboundParts {
  readonly bus: SystemBus;
  readonly windows: OutboundWindows;
  readonly peState: PeState;
  readonly rootPort: RootPort;
  readonly linkControl: LinkControl;
  readonly requests: OutboundRequests;
  readonly errors: ErrorPipeline;
  readonly injection: PaprInjection;
  readonly utl: UtlCore;
  readonly trace: Trace;
  readonly source: number;
}

const LOAD_EVENTS: Readonly<Partial<Record<OutboundOutcome, ErrorEventName>>> = {
  CA: 'mmio-load-ca',
  UR: 'mmio-load-ur',
  timeout: 'mmio-load-timeout',
  'link-down': 'mmio-load-timeout',
  poisoned: 'poisoned-completion',
  'table-timeout': 'completion-table-timeout',
};

export class OutboundPath {
  readonly #parts: OutboundParts;

  constructor(parts: OutboundParts) {
    this.#parts = parts;
  }

  load(address: number, size: AccessSize, ticket: number): void {
    const { bus, windows, requests } = this.#parts;
    const pe = this.#admit(address, 'read');
    if (pe === undefined) {
      bus.complete(ticket, allOnes(size));
      return;
    }
    const pciAddress = { hi: windows.pciAddressHi, lo: windows.pciAddressLo };
    const tlp = memoryRead({ requesterId: 0, tag: 0 }, pciAddress, size);
    requests.issue({ operation: 'load', pe, address: BigInt(address), sizeBytes: size, ticket, tlp });
  }

  /** Posted: whoever rejects it says so by a message, later. */
  store(address: number, size: AccessSize, value: bigint): void {
    const { windows, rootPort } = this.#parts;
    const pe = this.#admit(address, 'write');
    if (pe === undefined) return;
    const pciAddress = { hi: windows.pciAddressHi, lo: windows.pciAddressLo };
    const sent = rootPort.send(memoryWrite(0, pciAddress, valueToBytes(value, size)));
    if (sent !== 'sent') this.#blocked('link-down', pe, address);
  }

  /** The end of a load. Whatever went wrong, the processor sees all ones. */
  ended(request: OutboundRequest, outcome: OutboundOutcome, data: Uint8Array | undefined): bigint {
    const { errors } = this.#parts;
    // A test error of the inbound pipes hits the completion, whatever that says.
    if (errors.takeInjected(['INA', 'INB'], { pe: request.pe, summary: 'load-store' }))
      return allOnes(request.sizeBytes);
    const event = LOAD_EVENTS[outcome];
    // Where the port's own event handling has frozen the PE already, there is nothing left to record.
    const alreadyFrozen = outcome === 'link-down' && this.#parts.peState.isFrozen(request.pe);
    if (event && !alreadyFrozen) errors.raise({ event, pe: request.pe, address: request.address });
    if (outcome !== 'SC' || !data) return allOnes(request.sizeBytes);
    return bytesToValue(data);
  }

  /** The PE of an access that may go on, else `undefined`: its end has been decided and recorded. */
  #admit(address: number, direction: 'read' | 'write'): number | undefined {
    const { windows, peState, errors, injection, utl } = this.#parts;
    const type = direction === 'read' ? 'mmio-load' : 'mmio-store';
    if (!windows.resolve(address)) {
      errors.raise({ event: 'mmio-no-window', type, address: BigInt(address) });
      return this.#blocked('no-window', 0, address);
    }
    const { pe } = windows;
    if (errors.takeInjected(['OUT'], { pe, summary: 'load-store' })) return undefined;
    if (peState.mmioFrozen[pe] === 1) return this.#blocked('pe-frozen', pe, address);
    const effect = injection.fires('mmio', direction, BigInt(address));
    if (!effect) return pe;
    errors.inject(effect, { event: 'papr-mmio', type, pe, address: BigInt(address) });
    utl.latch(PORT_EVENT.OUTBOUND_DISCARD);
    return undefined;
  }

  #blocked(reason: BlockReason, pe: number, address: number): undefined {
    const { trace, source } = this.#parts;
    const { hi, lo } = addressOf(BigInt(address));
    trace.emit(OUTBOUND_BLOCKED, source, BLOCK_REASON[reason], pe, hi, lo);
  }
}
