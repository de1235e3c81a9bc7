/**
 * Packets from below: DMA to memory, message interrupts, messages, completions, and what is none of these.
 * Facts: ioda1-p7ioc 6.3, 6.4, 6.5, 7.8.
 */
import { fromHalves } from '../hw/bits.js';
import type { SystemMemory } from '../hw/memory.js';
import { DmaMovement } from '../ioda/dma-movement.js';
import type { InboundOrder } from '../ioda/inbound-order.js';
import type { OutboundRequests } from '../ioda/outbound-requests.js';
import type { InjectionEffect, PaprInjection } from '../ioda/papr-injection.js';
import { completion } from '../pcie/completion.js';
import type { RootPort } from '../pcie/root-port.js';
import { SlotStore } from '../pcie/slot-store.js';
import { IGNORED_MESSAGES, isCompletion, isPosted, MessageCode, type Tlp, type TlpSink } from '../pcie/tlp.js';
import { Priority } from '../sim/priority.js';
import type { HandlerId, Simulator } from '../sim/simulator.js';
import type { TimeNs } from '../sim/time.js';
import { DmaDirection, DmaStatus, type DmaTranslation } from './dma-translation.js';
import type { ErrorEventName } from './error-bits/events.js';
import type { ErrorPipeline } from './error-pipeline.js';
import type { InterruptSources } from './interrupt-sources.js';
import { type MsiUnit, messageData } from './msi.js';
import type { P7iocProfile } from './profile.js';
import type { RidToPe } from './rid-to-pe.js';
import type { P7iocTiming } from './timing.js';
import { DROP_REASON, type DropReason, INBOUND_DROPPED } from './trace.js';

export interface InboundParts {
  readonly sim: Simulator;
  readonly name: string;
  readonly source: number;
  readonly memory: SystemMemory;
  readonly rootPort: RootPort;
  readonly translation: DmaTranslation;
  readonly ridToPe: RidToPe;
  readonly requests: OutboundRequests;
  readonly errors: ErrorPipeline;
  readonly injection: PaprInjection;
  readonly lsi: InterruptSources;
  readonly msi: MsiUnit;
  readonly order: InboundOrder;
  readonly profile: P7iocProfile;
  readonly timing: P7iocTiming;
  /** Why nothing inbound passes now, if so. */
  readonly closed: () => 'fenced' | 'held-in-reset' | 'dead' | undefined;
}

/** The event of each failing status; statuses that leave no record are missing. */
const STATUS_EVENTS: Readonly<Partial<Record<DmaStatus, ErrorEventName>>> = {
  [DmaStatus.BAD_ADDRESS]: 'dma-address',
  [DmaStatus.TVE_INVALID]: 'tve-invalid',
  [DmaStatus.TVE_REQUESTER]: 'tve-requester',
  [DmaStatus.TVE_RANGE]: 'tve-range',
  [DmaStatus.TCE_PAGE_FAULT]: 'tce-page-fault',
  [DmaStatus.TCE_ACCESS_FAULT]: 'tce-access-fault',
  [DmaStatus.MEMORY_ERROR]: 'dma-memory-error',
};

const MESSAGE_EVENTS: Readonly<Record<number, ErrorEventName>> = {
  [MessageCode.ERR_FATAL]: 'err-fatal',
  [MessageCode.ERR_NONFATAL]: 'err-nonfatal',
  [MessageCode.ERR_COR]: 'err-corr',
};

const COMPLETER_ID = 0;

export class InboundPath implements TlpSink {
  readonly #parts: InboundParts;
  readonly #tableFetchNs: TimeNs;
  readonly #movement: DmaMovement;
  readonly #interrupting = new SlotStore<Tlp>();
  readonly #msiArrives: HandlerId;

  constructor(parts: InboundParts) {
    this.#parts = parts;
    this.#tableFetchNs = parts.timing.tableFetchNs.value;
    this.#movement = new DmaMovement(parts, (tlp) => this.#isClosed(tlp));
    this.#msiArrives = parts.sim.handler(`${parts.name} MSI`, (slot) => this.#interrupt(this.#interrupting.take(slot)));
    parts.rootPort.attach(this);
  }

  receive(tlp: Tlp): void {
    // The fence gave up every load: what is answered after it was asked through the side path, which it does not touch.
    if (isCompletion(tlp)) {
      if (!this.#parts.requests.complete(tlp)) this.#unexpectedCompletion(tlp);
      return;
    }
    if (this.#isClosed(tlp)) return;
    if (tlp.kind === 'Msg') this.#message(tlp);
    else if (tlp.kind === 'MRd' || tlp.kind === 'MWr') this.#request(tlp);
    else this.#unsupported(tlp);
  }

  /** The core knows its tags: it records the stray answer, and the completion table behind it never sees one. */
  #unexpectedCompletion(tlp: Tlp): void {
    this.#dropped(tlp, 'unexpected');
    if (this.#parts.closed() === undefined) this.#parts.rootPort.raiseAdvisory('UNEXPECTED_COMPLETION', tlp);
  }

  /** A fenced AIB takes and answers nothing: the device runs into its own completion timeout (M). */
  #isClosed(tlp: Tlp): boolean {
    const closed = this.#parts.closed();
    if (closed !== undefined) this.#dropped(tlp, closed);
    return closed !== undefined;
  }

  // ---- DMA, Facts: ioda1-p7ioc 6.3 --------------------------------------------------------------------------------

  #request(tlp: Tlp): void {
    const { translation, msi, injection } = this.#parts;
    const write = tlp.kind === 'MWr';
    if (write && tlp.poisoned) {
      this.#poisoned(tlp);
      return;
    }
    if (write && msi.isMessageAddress(tlp.addressHi, tlp.addressLo)) {
      this.#messageInterrupt(tlp);
      return;
    }
    const fetchesBefore = translation.fetches;
    let status = translation.select(tlp.requesterId, tlp.addressHi, tlp.addressLo);
    if (status === DmaStatus.OK) {
      const effect = injection.fires('dma', write ? 'write' : 'read', BigInt(translation.tveIndex));
      if (effect) {
        this.#fail(tlp, 'papr-dma', effect);
        return;
      }
      status = translation.translate(write ? DmaDirection.WRITE : DmaDirection.READ);
    }
    if (status === DmaStatus.PE_STOPPED) {
      this.#refuse(tlp, 'pe-stopped');
      return;
    }
    const event = STATUS_EVENTS[status];
    const lookUpNs = ((translation.fetches - fetchesBefore) | 0) * this.#tableFetchNs;
    if (event) this.#fail(tlp, event);
    else if (!this.#movement.schedule(tlp, translation.realAddress, lookUpNs)) this.#fail(tlp, 'dma-memory-error');
  }

  /** A failing check: recorded, then the request is dropped or answered. */
  #fail(tlp: Tlp, event: ErrorEventName, effect: InjectionEffect = 'error'): void {
    const { errors, translation } = this.#parts;
    errors.inject(effect, {
      event,
      pe: translation.pe,
      type: tlp.kind === 'MWr' ? 'dma-write' : 'dma-read',
      requesterId: tlp.requesterId,
      address: fromHalves(tlp.addressHi, tlp.addressLo),
    });
    this.#refuse(tlp, 'refused');
  }

  /** Writes are dropped; reads are answered with the status that the profile says. */
  #refuse(tlp: Tlp, reason: DropReason): void {
    this.#dropped(tlp, reason);
    this.#answer(tlp, this.#parts.profile.dmaReadRefusal);
  }

  /** The error that led here may have fenced the AIB, which then answers nothing. */
  #answer(tlp: Tlp, status: 'CA' | 'UR'): void {
    const { closed, rootPort } = this.#parts;
    if (!isPosted(tlp) && closed() === undefined) rootPort.send(completion(tlp, COMPLETER_ID, status));
  }

  /** A stopped PE's packets are dropped before anybody looks at what they carry, without a new record. */
  #poisoned(tlp: Tlp): void {
    const { ridToPe, translation, errors } = this.#parts;
    const pe = ridToPe.lookup(tlp.requesterId);
    if (translation.isStopped(pe)) {
      this.#dropped(tlp, 'pe-stopped');
      return;
    }
    const address = fromHalves(tlp.addressHi, tlp.addressLo);
    errors.raise({ event: 'poisoned-write', pe, requesterId: tlp.requesterId, address });
    this.#dropped(tlp, 'refused');
  }

  /** I/O, configuration and atomic requests have no place here; those that want an answer get UR. */
  #unsupported(tlp: Tlp): void {
    const { errors, ridToPe } = this.#parts;
    const address = fromHalves(tlp.addressHi, tlp.addressLo);
    const pe = ridToPe.lookup(tlp.requesterId);
    errors.raise({ event: 'request-unsupported', pe, requesterId: tlp.requesterId, address });
    this.#dropped(tlp, 'refused');
    this.#answer(tlp, 'UR');
  }

  // ---- messages, Facts: ioda1-p7ioc 6.5, 7.6 ----------------------------------------------------------------------

  #message(tlp: Tlp): void {
    const { lsi, errors, ridToPe } = this.#parts;
    const code = tlp.messageCode ?? 0;
    const event = MESSAGE_EVENTS[code];
    if (code >= MessageCode.ASSERT_INTA && code <= MessageCode.ASSERT_INTD) lsi.raise(code - MessageCode.ASSERT_INTA);
    else if (code >= MessageCode.DEASSERT_INTA && code <= MessageCode.DEASSERT_INTD)
      lsi.lower(code - MessageCode.DEASSERT_INTA);
    else if (event !== undefined)
      errors.raise({ event, pe: ridToPe.lookup(tlp.requesterId), requesterId: tlp.requesterId });
    else if (IGNORED_MESSAGES.includes(code)) this.#dropped(tlp, 'refused');
    else this.#unsupported(tlp);
  }

  // ---- message interrupts, Facts: ioda1-p7ioc 6.4 -----------------------------------------------------------------

  /** Steps 1 to 4: form, then the requester's PE. The rest is looked at when the message has come through the pipeline. */
  #messageInterrupt(tlp: Tlp): void {
    const { sim, msi, order, ridToPe, translation } = this.#parts;
    const fault = msi.formFault(tlp);
    if (fault !== undefined) this.#refuseInterrupt(tlp, fault);
    else if (translation.isStopped(ridToPe.lookup(tlp.requesterId))) this.#dropped(tlp, 'pe-stopped');
    else sim.scheduleAt(order.posted(0), Priority.CHIP, this.#msiArrives, this.#interrupting.put(tlp));
  }

  /** Steps 5 to 10. */
  #interrupt(tlp: Tlp): void {
    if (this.#isClosed(tlp)) return;
    const refused = this.#parts.msi.receive(tlp);
    if (refused !== undefined) this.#refuseInterrupt(tlp, refused);
  }

  #refuseInterrupt(tlp: Tlp, event: ErrorEventName): void {
    const { errors, ridToPe } = this.#parts;
    errors.raise({
      event,
      pe: ridToPe.lookup(tlp.requesterId),
      requesterId: tlp.requesterId,
      address: fromHalves(tlp.addressHi, tlp.addressLo),
      msiData: messageData(tlp) & 0xffff,
    });
    this.#dropped(tlp, 'refused');
  }

  #dropped(tlp: Tlp, reason: DropReason): void {
    const { sim, source } = this.#parts;
    const { requesterId, addressHi, addressLo, lengthBytes } = tlp;
    sim.trace.emit(INBOUND_DROPPED, source, DROP_REASON[reason], requesterId, addressHi, addressLo, lengthBytes);
  }
}
