/**
 * Packets from below as every bridge takes them in: completions first, nothing while the bridge is closed, and each packet
 * that is not let through leaves a record. What becomes of the others is the chip's own. Facts: ioda2-phb3 6.3, ioda1-p7ioc 6.3.
 */
import { completion } from '../pcie/completion.js';
import type { RootPort } from '../pcie/root-port.js';
import { isCompletion, isPosted, MessageCode, type Tlp, type TlpSink } from '../pcie/tlp.js';
import type { Simulator } from '../sim/simulator.js';
import type { TraceKind } from '../sim/trace.js';
import type { OutboundRequests } from './outbound-requests.js';

export interface PacketParts<R extends string> {
  readonly sim: Simulator;
  readonly source: number;
  readonly rootPort: RootPort;
  readonly requests: OutboundRequests;
  /** Why nothing inbound passes now, if so. */
  readonly closed: () => R | undefined;
}

/** The trace record of a packet that was not let through, with the number of each reason. */
export interface DropRecord<R extends string> {
  readonly kind: TraceKind;
  readonly reasons: Readonly<Record<R | 'unexpected', number>>;
}

/** The error event of each message that reports one. */
export const MESSAGE_EVENTS: Readonly<Record<number, 'err-fatal' | 'err-nonfatal' | 'err-corr'>> = {
  [MessageCode.ERR_FATAL]: 'err-fatal',
  [MessageCode.ERR_NONFATAL]: 'err-nonfatal',
  [MessageCode.ERR_COR]: 'err-corr',
};

const COMPLETER_ID = 0;

/** `R`: the reasons for which the chip drops packets. */
export abstract class PacketsFromBelow<R extends string> implements TlpSink {
  readonly #parts: PacketParts<R>;
  readonly #record: DropRecord<R>;

  constructor(parts: PacketParts<R>, record: DropRecord<R>) {
    this.#parts = parts;
    this.#record = record;
    parts.rootPort.attach(this);
  }

  receive(tlp: Tlp): void {
    // The fence gave up every load: what is answered after it was asked through the side path, which it does not touch.
    if (isCompletion(tlp)) {
      if (!this.#parts.requests.complete(tlp)) this.#unexpectedCompletion(tlp);
      return;
    }
    if (this.isClosed(tlp)) return;
    if (tlp.kind === 'Msg') this.message(tlp);
    else if (tlp.kind === 'MRd' || tlp.kind === 'MWr') this.request(tlp);
    else this.unsupported(tlp);
  }

  protected abstract request(tlp: Tlp): void;
  protected abstract message(tlp: Tlp): void;
  /** I/O, configuration and atomic requests have no place here; those that want an answer get UR. */
  protected abstract unsupported(tlp: Tlp): void;

  /** The core knows its tags: it records the stray answer, and the completion table behind it never sees one. */
  #unexpectedCompletion(tlp: Tlp): void {
    this.dropped(tlp, 'unexpected');
    // What a fence or reset gave up is still expected by the core.
    if (this.#parts.closed() === undefined) this.#parts.rootPort.raiseAdvisory('UNEXPECTED_COMPLETION', tlp);
  }

  protected get closed(): R | undefined {
    return this.#parts.closed();
  }

  /** A fenced AIB takes and answers nothing: the device runs into its own completion timeout (M). */
  protected isClosed(tlp: Tlp): boolean {
    const { closed } = this;
    if (closed !== undefined) this.dropped(tlp, closed);
    return closed !== undefined;
  }

  /** The error that led here may have fenced the AIB, which then answers nothing. */
  protected answer(tlp: Tlp, status: 'CA' | 'UR'): void {
    if (!isPosted(tlp) && this.closed === undefined) this.#parts.rootPort.send(completion(tlp, COMPLETER_ID, status));
  }

  protected dropped(tlp: Tlp, reason: R | 'unexpected'): void {
    const { sim, source } = this.#parts;
    const { kind, reasons } = this.#record;
    const { requesterId, addressHi, addressLo, lengthBytes } = tlp;
    sim.trace.emit(kind, source, reasons[reason], requesterId, addressHi, addressLo, lengthBytes);
  }
}
