/**
 * Data of translated DMA requests on their way: they reach memory, or come from there, in the order of the requests.
 * Facts: ioda2-phb3 3.1 (ordering), 6.3; ioda1-p7ioc 6.3 step 12; lopar R1-9.
 */
import type { Figure } from '../hw/figure.js';
import type { SystemMemory } from '../hw/memory.js';
import { splitCompletions } from '../pcie/completion.js';
import type { RootPort } from '../pcie/root-port.js';
import { SlotStore } from '../pcie/slot-store.js';
import type { Tlp } from '../pcie/tlp.js';
import { Priority } from '../sim/priority.js';
import type { HandlerId, Simulator } from '../sim/simulator.js';
import type { TimeNs } from '../sim/time.js';
import type { InboundOrder } from './inbound-order.js';

export interface DmaMovementParts {
  readonly sim: Simulator;
  readonly name: string;
  readonly memory: SystemMemory;
  readonly rootPort: RootPort;
  readonly order: InboundOrder;
  readonly timing: MemoryTiming;
}

/** The chip's figures for memory. */
export interface MemoryTiming {
  /** Data of a DMA read from memory. */
  readonly memoryReadNs: Figure;
  /** A posted DMA write until other bus masters see it. */
  readonly memoryWriteNs: Figure;
}

/** A request whose translation succeeded. */
interface Moving {
  readonly tlp: Tlp;
  readonly realAddress: number;
}

const COMPLETER_ID = 0;
/** Completions of memory reads are cut at 128 bytes, the boundary root ports may choose (M). */
const READ_COMPLETION_BOUNDARY = 128;

export class DmaMovement {
  readonly #parts: DmaMovementParts;
  readonly #moving = new SlotStore<Moving>();
  readonly #move: HandlerId;

  /** `isClosed` records the request as lost, if nothing passes any more when its time has come. */
  constructor(parts: DmaMovementParts, isClosed: (tlp: Tlp) => boolean) {
    this.#parts = parts;
    this.#move = parts.sim.handler(`${parts.name} DMA`, (slot) => {
      const { tlp, realAddress } = this.#moving.take(slot);
      if (tlp.kind === 'MRd') parts.order.readEnded();
      if (!isClosed(tlp)) this.#moveData(tlp, realAddress);
    });
  }

  /** No data are on their way. */
  get isIdle(): boolean {
    return this.#moving.size === 0;
  }

  /**
   * Translation decides when the request arrives; its data move later, even if the PE freezes meanwhile (lopar R1-9).
   * False if there is no such memory: the request fails.
   */
  schedule(tlp: Tlp, realAddress: number, lookUpNs: TimeNs): boolean {
    const { sim, memory, order, timing } = this.#parts;
    if (!memory.contains(realAddress, tlp.lengthBytes)) return false;
    const atNs =
      tlp.kind === 'MWr'
        ? order.posted(lookUpNs + timing.memoryWriteNs.value)
        : order.read(lookUpNs + timing.memoryReadNs.value);
    sim.scheduleAt(atNs, Priority.CHIP, this.#move, this.#moving.put({ tlp, realAddress }));
    return true;
  }

  #moveData(tlp: Tlp, realAddress: number): void {
    const { memory, rootPort } = this.#parts;
    if (tlp.kind === 'MWr') {
      memory.writeBlock(realAddress, tlp.data ?? new Uint8Array(tlp.lengthBytes));
      return;
    }
    const data = memory.readBlock(realAddress, tlp.lengthBytes);
    const cut = { maxPayloadBytes: rootPort.link.maxPayloadBytes, boundaryBytes: READ_COMPLETION_BOUNDARY } as const;
    for (const part of splitCompletions(tlp, COMPLETER_ID, data, cut)) rootPort.send(part);
  }
}
