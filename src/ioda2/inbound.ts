/**
 * Packets from below: DMA to memory, MSI writes, messages, completions.
 * Sources: qemu pnv_phb3_translate_iommu; linux pci_iov_resource_on_powernv.rst; lopar R1-9. Facts: ioda2-phb3 6.3, 6.4.2.
 */
import { fromHalves } from '../hw/bits.js';
import type { SystemMemory } from '../hw/memory.js';
import type { RootPort } from '../pcie/root-port.js';
import { SlotStore } from '../pcie/slot-store.js';
import { completion, isCompletion, MessageCode, splitCompletions, type Tlp, type TlpSink } from '../pcie/tlp.js';
import { Priority } from '../sim/priority.js';
import type { HandlerId, Simulator } from '../sim/simulator.js';
import type { TimeNs } from '../sim/time.js';
import { DmaDirection, DmaStatus, type DmaTranslation } from './dma-translation.js';
import type { ErrorEventName } from './error-bits/events.js';
import type { TransactionType } from './error-bits/pest.js';
import type { ErrorPipeline, ErrorReport } from './error-pipeline.js';
import type { LsiUnit } from './lsi.js';
import type { MsiUnit } from './msi.js';
import type { OutboundRequests } from './outbound-requests.js';
import type { InjectionEffect, PaprInjection } from './papr-injection.js';
import { RidFailure, type RidToPe } from './rid-to-pe.js';
import { PHB3_TIMING } from './timing.js';
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
  readonly lsi: LsiUnit;
  readonly msi: MsiUnit;
  /** Why nothing inbound passes now, if so. */
  readonly closed: () => 'fenced' | 'held-in-reset' | undefined;
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

/** The same for packets that only need a PE. */
const RID_EVENTS: Readonly<Record<RidFailure, ErrorEventName>> = {
  [RidFailure.NO_PE]: 'rte-invalid',
  [RidFailure.INVALID_RTE]: 'rte-invalid',
  [RidFailure.BAR_DISABLED]: 'table-bar-disabled',
  [RidFailure.MEMORY_ERROR]: 'fetch-ue',
};

const MESSAGE_EVENTS: Readonly<Record<number, ErrorEventName>> = {
  [MessageCode.ERR_FATAL]: 'err-fatal',
  [MessageCode.ERR_NONFATAL]: 'err-nonfatal',
  [MessageCode.ERR_COR]: 'err-corr',
};

/** A request whose translation succeeded, waiting for its data to move. */
interface Moving {
  readonly tlp: Tlp;
  readonly realAddress: number;
}

const COMPLETER_ID = 0;
/** Completions of memory reads are cut at 128 bytes, the boundary root ports may choose (M). */
const READ_COMPLETION_BOUNDARY = 128;

export class InboundPath implements TlpSink {
  readonly #parts: InboundParts;
  readonly #moving = new SlotStore<Moving>();
  readonly #move: HandlerId;
  readonly #messageWaits = new SlotStore<Tlp>();
  readonly #msiArrives: HandlerId;
  readonly #stalled: Tlp[] = [];
  #quiesced = false;
  /** Posted writes reach memory in order; reads and MSIs stay behind the writes before them. */
  #lastEffectNs: TimeNs = 0;

  constructor(parts: InboundParts) {
    this.#parts = parts;
    this.#move = parts.sim.handler(`${parts.name} DMA`, (slot) => this.#moveData(this.#moving.take(slot)));
    this.#msiArrives = parts.sim.handler(`${parts.name} MSI`, (slot) =>
      this.#msiReceived(this.#messageWaits.take(slot)),
    );
    parts.rootPort.attach(this);
  }

  receive(tlp: Tlp): void {
    // The fence gave up every load: what is answered after it was asked through the ASB, which it does not touch.
    if (isCompletion(tlp)) {
      if (!this.#parts.requests.complete(tlp)) this.#dropped(tlp, 'unexpected');
      return;
    }
    if (this.#isClosed(tlp)) return;
    if (tlp.kind === 'Msg') this.#message(tlp);
    else if (tlp.kind === 'MRd' || tlp.kind === 'MWr') this.#requestInTurn(tlp);
    else this.#unsupported(tlp);
  }

  /** A fenced AIB takes and answers nothing: the device runs into its own completion timeout (M). */
  #isClosed(tlp: Tlp): boolean {
    const closed = this.#parts.closed();
    if (closed !== undefined) this.#dropped(tlp, closed);
    return closed !== undefined;
  }

  // ---- PHB_QUIESCE_DMA_G ------------------------------------------------------------------------------------------

  /** While quiesced, requests from below wait without an error (M); let go, they follow in order. */
  setQuiesce(state: 'quiesced' | 'running'): void {
    this.#quiesced = state === 'quiesced';
    if (this.#quiesced) return;
    for (const tlp of this.#stalled.splice(0)) this.#request(tlp);
  }

  /** No data of a DMA are on their way. */
  get isIdle(): boolean {
    return this.#moving.size === 0;
  }

  reset(): void {
    this.#stalled.length = 0;
    this.#quiesced = false;
  }

  #requestInTurn(tlp: Tlp): void {
    if (this.#quiesced) this.#stalled.push(tlp);
    else this.#request(tlp);
  }

  #request(tlp: Tlp): void {
    const { translation, errors, injection } = this.#parts;
    const write = tlp.kind === 'MWr';
    if (write && tlp.poisoned) {
      this.#poisoned(tlp);
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
    const lookUpNs = ((translation.tableFetches - fetchesBefore) | 0) * PHB3_TIMING.tableFetch.ns;
    if (pe >= 0 && errors.takeInjected(['INA', 'INB'], { pe, summary: 'dma' })) {
      this.#refuse(tlp, 'refused');
      return;
    }
    if (status === DmaStatus.MSI32 || status === DmaStatus.MSI64) {
      this.#parts.sim.scheduleAt(
        this.#effectAt(lookUpNs + PHB3_TIMING.tableFetch.ns),
        Priority.CHIP,
        this.#msiArrives,
        this.#messageWaits.put(tlp),
      );
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
    else this.#schedule(tlp, translation.realAddress, lookUpNs);
  }

  /** Translation decides when the request arrives; its data move later, even if the PE freezes meanwhile (lopar R1-9). */
  #schedule(tlp: Tlp, realAddress: number, lookUpNs: TimeNs): void {
    const { sim, memory } = this.#parts;
    if (!memory.contains(realAddress, tlp.lengthBytes)) {
      this.#fail(tlp, { event: 'fetch-ue', pe: this.#parts.translation.pe });
      return;
    }
    const moveNs = tlp.kind === 'MWr' ? PHB3_TIMING.memoryWrite.ns : PHB3_TIMING.memoryRead.ns;
    sim.scheduleAt(
      this.#effectAt(lookUpNs + moveNs),
      Priority.CHIP,
      this.#move,
      this.#moving.put({ tlp, realAddress }),
    );
  }

  #effectAt(workNs: TimeNs): TimeNs {
    const { sim } = this.#parts;
    this.#lastEffectNs = Math.max(this.#lastEffectNs, sim.now + PHB3_TIMING.inboundPipeline.ns + workNs);
    return this.#lastEffectNs;
  }

  #moveData({ tlp, realAddress }: Moving): void {
    const { memory, rootPort } = this.#parts;
    if (this.#isClosed(tlp)) return;
    if (tlp.kind === 'MWr') {
      memory.writeBlock(realAddress, tlp.data ?? new Uint8Array(tlp.lengthBytes));
      return;
    }
    const data = memory.readBlock(realAddress, tlp.lengthBytes);
    const cut = { maxPayloadBytes: rootPort.link.maxPayloadBytes, boundaryBytes: READ_COMPLETION_BOUNDARY } as const;
    for (const part of splitCompletions(tlp, COMPLETER_ID, data, cut)) rootPort.send(part);
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

  /** Writes are dropped; reads are answered with Completer Abort (M; source of the choice: skiboot p7ioc Init_96). */
  #refuse(tlp: Tlp, reason: DropReason): void {
    this.#dropped(tlp, reason);
    // The error may have fenced the AIB, which then answers nothing.
    if (tlp.kind === 'MRd' && this.#parts.closed() === undefined)
      this.#parts.rootPort.send(completion(tlp, COMPLETER_ID, 'CA'));
  }

  #poisoned(tlp: Tlp): void {
    const pe = this.#parts.ridToPe.lookup(tlp.requesterId);
    this.#parts.errors.raise({
      ...(pe >= 0 ? { event: 'poisoned-write', pe } : { event: RID_EVENTS[pe as RidFailure] }),
      type: 'dma-write',
      requesterId: tlp.requesterId,
      address: fromHalves(tlp.addressHi, tlp.addressLo),
    });
    this.#dropped(tlp, 'refused');
  }

  /** Nothing else may come from below; requests that want an answer get UR. INA 18 has no consumer of its own here. */
  #unsupported(tlp: Tlp): void {
    this.#dropped(tlp, 'refused');
    this.#parts.rootPort.send(completion(tlp, COMPLETER_ID, 'UR'));
  }

  #message(tlp: Tlp): void {
    const code = tlp.messageCode ?? 0;
    if (code >= MessageCode.ASSERT_INTA && code <= MessageCode.ASSERT_INTD) {
      this.#parts.lsi.assert(code - MessageCode.ASSERT_INTA);
    } else if (code >= MessageCode.DEASSERT_INTA && code <= MessageCode.DEASSERT_INTD) {
      this.#parts.lsi.deassert(code - MessageCode.DEASSERT_INTA);
    } else {
      this.#errorMessage(tlp, MESSAGE_EVENTS[code]);
    }
  }

  #errorMessage(tlp: Tlp, event: ErrorEventName | undefined): void {
    if (!event) {
      this.#dropped(tlp, 'refused');
      return;
    }
    const pe = this.#parts.ridToPe.lookup(tlp.requesterId);
    if (pe >= 0) this.#parts.errors.raise({ event, pe, requesterId: tlp.requesterId });
    else this.#parts.errors.raise({ event: RID_EVENTS[pe as RidFailure], type: 'other', requesterId: tlp.requesterId });
  }

  #msiReceived(tlp: Tlp): void {
    const { msi, errors, ridToPe } = this.#parts;
    if (this.#isClosed(tlp)) return;
    const pe = ridToPe.lookup(tlp.requesterId);
    if (pe < 0) {
      errors.raise({ event: RID_EVENTS[pe as RidFailure], type: 'msi', requesterId: tlp.requesterId });
      return;
    }
    const refused = msi.receive(tlp, pe);
    if (!refused) return;
    errors.raise({
      event: refused,
      pe,
      requesterId: tlp.requesterId,
      address: fromHalves(tlp.addressHi, tlp.addressLo),
      msiData: ((tlp.data?.[1] ?? 0) << 8) | (tlp.data?.[0] ?? 0),
    });
    this.#dropped(tlp, 'refused');
  }

  #dropped(tlp: Tlp, reason: DropReason): void {
    const { sim, source } = this.#parts;
    sim.trace.emit(
      INBOUND_DROPPED,
      source,
      DROP_REASON[reason],
      tlp.requesterId,
      tlp.addressHi,
      tlp.addressLo,
      tlp.lengthBytes,
    );
  }
}
