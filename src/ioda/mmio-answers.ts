/**
 * Answers to the processor's loads. They leave behind the writes that devices posted before: software that reads a register
 * of the bridge, or of a device, finds those writes in memory. Facts: ioda2-phb3 3.1 (ordering).
 * Source: skiboot hw/phb3.c: phb3_pci_msi_check_q (a register read as a flush).
 */
import type { SystemBus } from '../hw/system-bus.js';
import { SlotStore } from '../pcie/slot-store.js';
import { Priority } from '../sim/priority.js';
import type { HandlerId } from '../sim/simulator.js';
import type { TimeNs } from '../sim/time.js';
import type { InboundOrder } from './inbound-order.js';

interface Answer {
  readonly ticket: number;
  readonly value: bigint;
}

export class MmioAnswers {
  readonly #bus: SystemBus;
  readonly #order: InboundOrder;
  readonly #held = new SlotStore<Answer>();
  readonly #leave: HandlerId;

  constructor(parts: { bus: SystemBus; name: string; order: InboundOrder }) {
    const { bus, name, order } = parts;
    this.#bus = bus;
    this.#order = order;
    this.#leave = bus.sim.handler(`${name} load answer`, (slot) => {
      const { ticket, value } = this.#held.take(slot);
      bus.complete(ticket, value);
    });
  }

  /** Answers as soon as the writes posted before have landed. */
  complete(ticket: number, value: bigint): void {
    this.#completeAt(this.#order.postedLandNs, ticket, value);
  }

  /** Nobody answers: the load ends when its timer runs out. */
  completeAfter(delayNs: TimeNs, ticket: number, value: bigint): void {
    this.#completeAt(this.#bus.sim.now + delayNs, ticket, value);
  }

  #completeAt(atNs: TimeNs, ticket: number, value: bigint): void {
    const { sim } = this.#bus;
    if (atNs <= sim.now) this.#bus.complete(ticket, value);
    else sim.scheduleAt(atNs, Priority.CHIP, this.#leave, this.#held.put({ ticket, value }));
  }
}
