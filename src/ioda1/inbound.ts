/**
 * Packets from below: DMA to memory, message interrupts, messages, completions, and what is none of these.
 * Facts: ioda1-p7ioc 6.3, 6.4, 6.5, 7.8.
 */
import { fromHalves } from '../hw/bits.js';
import type { SystemMemory } from '../hw/memory.js';
import { DmaMovement } from '../ioda/dma-movement.js';
import type { InboundOrder } from '../ioda/inbound-order.js';
import { MESSAGE_EVENTS, type PacketParts, PacketsFromBelow } from '../ioda/packets-from-below.js';
import type { InjectionEffect, PaprInjection } from '../ioda/papr-injection.js';
import { SlotStore } from '../pcie/slot-store.js';
import { IGNORED_MESSAGES, MessageCode, type Tlp } from '../pcie/tlp.js';
import { Priority } from '../sim/priority.js';
import type { HandlerId } from '../sim/simulator.js';
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

export interface InboundParts extends PacketParts<DropReason> {
  readonly name: string;
  readonly memory: SystemMemory;
  readonly translation: DmaTranslation;
  readonly ridToPe: RidToPe;
  readonly errors: ErrorPipeline;
  readonly injection: PaprInjection;
  readonly lsi: InterruptSources;
  readonly msi: MsiUnit;
  readonly order: InboundOrder;
  readonly profile: P7iocProfile;
  readonly timing: P7iocTiming;
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

export class InboundPath extends PacketsFromBelow<DropReason> {
  readonly #parts: InboundParts;
  readonly #tableFetchNs: TimeNs;
  readonly #movement: DmaMovement;
  readonly #interrupting = new SlotStore<Tlp>();
  readonly #msiArrives: HandlerId;

  constructor(parts: InboundParts) {
    super(parts, { kind: INBOUND_DROPPED, reasons: DROP_REASON });
    this.#parts = parts;
    this.#tableFetchNs = parts.timing.tableFetchNs.value;
    this.#movement = new DmaMovement(parts, (tlp) => this.isClosed(tlp));
    this.#msiArrives = parts.sim.handler(`${parts.name} MSI`, (slot) => this.#interrupt(this.#interrupting.take(slot)));
  }

  // ---- DMA, Facts: ioda1-p7ioc 6.3 --------------------------------------------------------------------------------

  protected override request(tlp: Tlp): void {
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
    this.dropped(tlp, reason);
    this.answer(tlp, this.#parts.profile.dmaReadRefusal);
  }

  /** A stopped PE's packets are dropped before anybody looks at what they carry, without a new record. */
  #poisoned(tlp: Tlp): void {
    const { ridToPe, translation, errors } = this.#parts;
    const pe = ridToPe.lookup(tlp.requesterId);
    if (translation.isStopped(pe)) {
      this.dropped(tlp, 'pe-stopped');
      return;
    }
    const address = fromHalves(tlp.addressHi, tlp.addressLo);
    errors.raise({ event: 'poisoned-write', pe, requesterId: tlp.requesterId, address });
    this.dropped(tlp, 'refused');
  }

  protected override unsupported(tlp: Tlp): void {
    const { errors, ridToPe } = this.#parts;
    const address = fromHalves(tlp.addressHi, tlp.addressLo);
    const pe = ridToPe.lookup(tlp.requesterId);
    errors.raise({ event: 'request-unsupported', pe, requesterId: tlp.requesterId, address });
    this.dropped(tlp, 'refused');
    this.answer(tlp, 'UR');
  }

  // ---- messages, Facts: ioda1-p7ioc 6.5, 7.6 ----------------------------------------------------------------------

  protected override message(tlp: Tlp): void {
    const { lsi, errors, ridToPe } = this.#parts;
    const code = tlp.messageCode ?? 0;
    const event = MESSAGE_EVENTS[code];
    if (code >= MessageCode.ASSERT_INTA && code <= MessageCode.ASSERT_INTD) lsi.raise(code - MessageCode.ASSERT_INTA);
    else if (code >= MessageCode.DEASSERT_INTA && code <= MessageCode.DEASSERT_INTD)
      lsi.lower(code - MessageCode.DEASSERT_INTA);
    else if (event !== undefined)
      errors.raise({ event, pe: ridToPe.lookup(tlp.requesterId), requesterId: tlp.requesterId });
    else if (IGNORED_MESSAGES.includes(code)) this.dropped(tlp, 'refused');
    else this.unsupported(tlp);
  }

  // ---- message interrupts, Facts: ioda1-p7ioc 6.4 -----------------------------------------------------------------

  /** Steps 1 to 4: form, then the requester's PE. The rest is looked at when the message has come through the pipeline. */
  #messageInterrupt(tlp: Tlp): void {
    const { sim, msi, order, ridToPe, translation } = this.#parts;
    const fault = msi.formFault(tlp);
    if (fault !== undefined) this.#refuseInterrupt(tlp, fault);
    else if (translation.isStopped(ridToPe.lookup(tlp.requesterId))) this.dropped(tlp, 'pe-stopped');
    else sim.scheduleAt(order.posted(0), Priority.CHIP, this.#msiArrives, this.#interrupting.put(tlp));
  }

  /** Steps 5 to 10. */
  #interrupt(tlp: Tlp): void {
    if (this.isClosed(tlp)) return;
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
    this.dropped(tlp, 'refused');
  }
}
