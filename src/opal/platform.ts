/** What firmware knows of the machine: its bridges and hubs by number, slots by id. Source: skiboot core/pci.c: pci_get_phb. */
import type { Phandles } from './device-tree.js';
import { decodeSlotId } from './opal-api.js';
import type { HubDriver, InterruptSource, PhbDriver } from './phb-driver.js';
import type { Slot } from './slot.js';

/** A slot and the bridge it belongs to. */
export interface SlotPlace {
  readonly slot: Slot;
  readonly phb: PhbDriver;
}

export class Platform {
  /** By the number calls use, in order of probing. */
  readonly phbs = new Map<number, PhbDriver>();
  readonly hubs = new Map<number, HubDriver>();

  constructor(readonly phandles: Phandles) {}

  add(phb: PhbDriver): void {
    this.phbs.set(phb.id, phb);
  }

  /** For bridges that have no number by their place. */
  freePhbId(): number {
    let id = 0;
    while (this.phbs.has(id)) id++;
    return id;
  }

  slot(id: number | bigint): SlotPlace | undefined {
    const { phbId, bdfn } = decodeSlotId(id);
    const phb = this.phbs.get(phbId);
    if (phb === undefined) return undefined;
    const slot = bdfn === undefined ? phb.slot : phb.portSlots.get(bdfn);
    return slot === undefined ? undefined : { slot, phb };
  }

  get interruptSources(): readonly InterruptSource[] {
    return [...this.hubs.values(), ...this.phbs.values()].map(({ interrupts }) => interrupts);
  }

  sourceOf(irq: number): InterruptSource | undefined {
    return this.interruptSources.find((source) => source.owns(irq));
  }

  /** Number of the node of a slot: that of the bridge above it, or of the PHB. */
  phandleOf({ slot, phb }: SlotPlace): number {
    return this.phandles.of(slot.bridge ?? phb.publishedAs);
  }
}
