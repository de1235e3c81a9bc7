/**
 * Packets from below: DMA to memory, MSI writes, messages, completions, and what is none of these.
 * Sources: qemu pnv_phb3_translate_iommu; linux pci_iov_resource_on_powernv.rst; lopar R1-9. Facts: ioda2-phb3 6.3, 6.4.2.
 */
import { fromHalves } from '../hw/bits.js';
import type { SystemMemory } from '../hw/memory.js';
import { DmaMovement } from '../ioda/dma-movement.js';
import type { InboundOrder } from '../ioda/inbound-order.js';
import { type PacketParts, PacketsFromBelow } from '../ioda/packets-from-below.js';
import type { InjectionEffect, PaprInjection } from '../ioda/papr-injection.js';
import { SlotStore } from '../pcie/slot-store.js';
import type { Tlp } from '../pcie/tlp.js';
import { Priority } from '../sim/priority.js';
import type { HandlerId } from '../sim/simulator.js';
import type { TimeNs } from '../sim/time.js';
import { DmaDirection, DmaStatus, type DmaTranslation } from './dma-translation.js';
import type { ErrorEventName } from './error-bits/events.js';
import type { TransactionType } from './error-bits/pest.js';
import type { ErrorPipeline, ErrorReport } from './error-pipeline.js';
import { type InboundMessages, RID_EVENTS } from './inbound-messages.js';
import { type MsiUnit, messageFault, messageSource } from './msi.js';
import type { Phb3Profile } from './profile.js';
import { RidFailure, type RidToPe } from './rid-to-pe.js';
import type { Phb3Timing } from './timing.js';
import { DROP_REASON, type DropReason, INBOUND_DROPPED } from './trace.js';

export interface InboundParts extends PacketParts<DropReason> {
  readonly name: string;
  readonly memory: SystemMemory;
  readonly translation: DmaTranslation;
  readonly ridToPe: RidToPe;
  readonly errors: ErrorPipeline;
  readonly injection: PaprInjection;
  readonly messages: InboundMessages;
  readonly msi: MsiUnit;
  readonly order: InboundOrder;
  readonly profile: Phb3Profile;
  readonly timing: Phb3Timing;
}

/** The event of each failing status; statuses that leave no record are missing. */
const STATUS_EVENTS: Readonly<Partial<Record<DmaStatus, ErrorEventName>>> = {
  [DmaStatus.NO_PE]: 'rte-invalid',
  [DmaStatus.INVALID_RTE]: 'rte-invalid',
  [DmaStatus.RTT_DISABLED]: 'table-bar-disabled',
  [DmaStatus.BAD_ADDRESS_SPACE]: 'tve-range',
  [DmaStatus.TVE_INVALID]: 'tve-invalid',
  [DmaStatus.TVE_RANGE]: 'tve-range',
  [DmaStatus.TCE_PAGE_FAULT]: 'tce-page-fault',
  [DmaStatus.TCE_ACCESS_FAULT]: 'tce-access-fault',
  [DmaStatus.MEMORY_ERROR]: 'fetch-ue',
};

/** A message interrupt whose requester may interrupt, on its way to its vector. */
interface Interrupting {
  readonly tlp: Tlp;
  readonly pe: number;
}

export class InboundPath extends PacketsFromBelow<DropReason> {
  readonly #parts: InboundParts;
  readonly #tableFetchNs: TimeNs;
  readonly #movement: DmaMovement;
  readonly #interrupting = new SlotStore<Interrupting>();
  readonly #msiArrives: HandlerId;
  readonly #stalled: Tlp[] = [];
  #quiesced = false;
  /** A message interrupt without a PE hung the way in: see the profile. */
  #hung = false;

  constructor(parts: InboundParts) {
    super(parts, { kind: INBOUND_DROPPED, reasons: DROP_REASON });
    this.#parts = parts;
    this.#tableFetchNs = parts.timing.tableFetchNs.value;
    this.#movement = new DmaMovement(parts, (tlp) => this.isClosed(tlp));
    this.#msiArrives = parts.sim.handler(`${parts.name} MSI`, (slot) => this.#interrupt(this.#interrupting.take(slot)));
  }

  protected override get closed(): DropReason | undefined {
    return this.#parts.closed() ?? (this.#hung ? 'hung' : undefined);
  }

  // ---- PHB_QUIESCE_DMA_G ------------------------------------------------------------------------------------------

  /**
   * While quiesced, requests from below wait without an error (M); let go, they follow in order. Their buffers stay taken:
   * when the credits run out, the packets wait further down.
   */
  setQuiesce(state: 'quiesced' | 'running'): void {
    const quiesced = state === 'quiesced';
    if (quiesced === this.#quiesced) return;
    this.#quiesced = quiesced;
    const receiver = this.#parts.rootPort.link.up;
    if (quiesced) receiver.holdCredits();
    else {
      for (const tlp of this.#stalled.splice(0)) this.#serve(tlp);
      receiver.releaseCredits();
    }
  }

  /** No data of a DMA and no message interrupt are on their way. */
  get isIdle(): boolean {
    return this.#movement.isIdle && this.#interrupting.size === 0;
  }

  reset(): void {
    this.#stalled.length = 0;
    this.setQuiesce('running');
    this.#hung = false;
  }

  protected override request(tlp: Tlp): void {
    if (this.#quiesced) this.#stalled.push(tlp);
    else this.#serve(tlp);
  }

  #serve(tlp: Tlp): void {
    const { translation, errors, injection } = this.#parts;
    const write = tlp.kind === 'MWr';
    if (write && tlp.poisoned) {
      this.#poisoned(tlp);
      return;
    }
    if (write && translation.isMessageAddress(tlp.addressHi, tlp.addressLo)) {
      this.#messageInterrupt(tlp);
      return;
    }
    const fetchesBefore = translation.tableFetches;
    const status = translation.translate(
      tlp.requesterId,
      tlp.addressHi,
      tlp.addressLo,
      write ? DmaDirection.WRITE : DmaDirection.READ,
    );
    const { pe } = translation;
    const lookUpNs = ((translation.tableFetches - fetchesBefore) | 0) * this.#tableFetchNs;
    if (pe >= 0 && errors.takeInjected(['INA', 'INB'], { pe, summary: 'dma' })) {
      this.#refuse(tlp, 'refused');
      return;
    }
    if (status === DmaStatus.PE_STOPPED) {
      this.#refuse(tlp, 'pe-stopped');
      return;
    }
    const address = fromHalves(tlp.addressHi, tlp.addressLo);
    const effect = pe >= 0 ? injection.fires('dma', write ? 'write' : 'read', address) : undefined;
    if (effect) {
      this.#fail(tlp, { event: 'papr-dma', pe }, effect);
      return;
    }
    const event = STATUS_EVENTS[status];
    if (event) this.#fail(tlp, pe >= 0 ? { event, pe } : { event });
    else if (!this.#movement.schedule(tlp, translation.realAddress, lookUpNs))
      this.#fail(tlp, { event: 'fetch-ue', pe: pe });
  }

  /** A failing check: recorded, then the request is dropped or answered. */
  #fail(tlp: Tlp, what: Pick<ErrorReport, 'event' | 'pe'>, effect: InjectionEffect = 'error'): void {
    const type: TransactionType = tlp.kind === 'MWr' ? 'dma-write' : 'dma-read';
    this.#parts.errors.inject(effect, {
      ...what,
      type,
      requesterId: tlp.requesterId,
      address: fromHalves(tlp.addressHi, tlp.addressLo),
    });
    this.#refuse(tlp, what.pe === undefined ? 'no-pe' : 'refused');
  }

  /** Writes are dropped; reads are answered with the status that the profile says. Facts: ioda2-phb3 6.3.5. */
  #refuse(tlp: Tlp, reason: DropReason): void {
    this.dropped(tlp, reason);
    this.answer(tlp, this.#parts.profile.dmaReadRefusal);
  }

  #poisoned(tlp: Tlp): void {
    const pe = this.#parts.ridToPe.lookup(tlp.requesterId);
    // A stopped PE's packets are dropped before anybody looks at what they carry, without a new record.
    if (pe >= 0 && this.#parts.translation.isStopped(pe)) {
      this.dropped(tlp, 'pe-stopped');
      return;
    }
    this.#parts.errors.raise({
      ...(pe >= 0 ? { event: 'poisoned-write', pe } : { event: RID_EVENTS[pe as RidFailure] }),
      type: 'dma-write',
      requesterId: tlp.requesterId,
      address: fromHalves(tlp.addressHi, tlp.addressLo),
    });
    this.dropped(tlp, 'refused');
  }

  /** Facts: ioda2-phb3 7.6, INA 18. */
  protected override unsupported(tlp: Tlp): void {
    const address = fromHalves(tlp.addressHi, tlp.addressLo);
    this.#parts.errors.raise({ event: 'request-unsupported', requesterId: tlp.requesterId, address });
    this.dropped(tlp, 'refused');
    this.answer(tlp, 'UR');
  }

  protected override message(tlp: Tlp): void {
    const outcome = this.#parts.messages.receive(tlp);
    if (outcome === 'ignored') this.dropped(tlp, 'refused');
    if (outcome === 'unsupported') this.unsupported(tlp);
  }

  // ---- message interrupts, Facts: ioda2-phb3 6.4.2 ----------------------------------------------------------------

  /** Steps 1 to 3: form, requester, stopped PE. The vector is looked at when the message has come through the pipeline. */
  #messageInterrupt(tlp: Tlp): void {
    const { errors, ridToPe, translation } = this.#parts;
    const fault = messageFault(tlp);
    const fetchesBefore = translation.tableFetches;
    const pe = ridToPe.lookup(tlp.requesterId);
    if (pe >= 0 && errors.takeInjected(['INA', 'INB'], { pe, summary: 'dma' })) {
      this.dropped(tlp, 'refused');
    } else if (fault !== undefined) {
      this.#refuseInterrupt(tlp, fault, pe);
    } else if (pe < 0) {
      this.#interruptWithoutPe(tlp, pe as RidFailure);
    } else if (translation.isStopped(pe)) {
      this.dropped(tlp, 'pe-stopped');
    } else {
      this.#takeInterrupt(tlp, pe, (translation.tableFetches - fetchesBefore) | 0);
    }
  }

  #takeInterrupt(tlp: Tlp, pe: number, fetchesSoFar: number): void {
    const { sim, msi, order } = this.#parts;
    const fetches = fetchesSoFar + (msi.vectors.holds(messageSource(tlp)) ? 0 : 1);
    const atNs = order.posted(fetches * this.#tableFetchNs);
    sim.scheduleAt(atNs, Priority.CHIP, this.#msiArrives, this.#interrupting.put({ tlp, pe }));
  }

  /** Erratum HW278969: an all-ones RTE leaves the chip in a bad state. Whether the model shows that, the profile says. */
  #interruptWithoutPe(tlp: Tlp, failure: RidFailure): void {
    const { errors, profile } = this.#parts;
    errors.raise({ event: RID_EVENTS[failure], type: 'msi', requesterId: tlp.requesterId });
    this.dropped(tlp, 'no-pe');
    if (failure === RidFailure.NO_PE && profile.messageWithoutPe === 'hangs') this.#hung = true;
  }

  /** Steps 4 to 7. */
  #interrupt({ tlp, pe }: Interrupting): void {
    if (this.isClosed(tlp)) return;
    const refused = this.#parts.msi.receive(messageSource(tlp), pe);
    if (refused !== undefined) this.#refuseInterrupt(tlp, refused, pe);
  }

  #refuseInterrupt(tlp: Tlp, event: ErrorEventName, pe: number): void {
    this.#parts.errors.raise({
      ...(pe >= 0 ? { event, pe } : { event }),
      type: 'msi',
      requesterId: tlp.requesterId,
      address: fromHalves(tlp.addressHi, tlp.addressLo),
      msiData: ((tlp.data?.[1] ?? 0) << 8) | (tlp.data?.[0] ?? 0),
    });
    this.dropped(tlp, 'refused');
  }
}
