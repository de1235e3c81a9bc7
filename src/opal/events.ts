/**
 * The events that firmware has for an operating system, as levels.
 * Source: skiboot core/opal.c: opal_update_pending_evt, opal_dynamic_event_alloc; core/pci-opal.c: opal_pci_eeh_set_evt,
 * opal_pci_eeh_clear_evt. Facts: opal-pci 3.4, 7.1, 9.2.
 */
import { Signal } from '../sim/process.js';
import type { TaskKernel } from '../sim/task.js';
import { DYNAMIC_EVENTS, OpalEvent } from './opal-api.js';

export class PendingEvents {
  /** Emits the mask whenever an event becomes pending: the interrupt by which firmware makes itself heard. */
  readonly raised: Signal<bigint>;
  private pending = 0n;
  private dynamic = 0n;
  /** PHBs whose error has not been asked for; those that did not say who they are stand not here. */
  private readonly owners = new Set<number>();

  constructor(sim: TaskKernel, name: string) {
    this.raised = new Signal(sim, `${name} OPAL events`);
  }

  get mask(): bigint {
    return this.pending;
  }

  raise(event: bigint): void {
    const isNew = (this.pending & event) !== event;
    this.pending |= event;
    if (isNew) this.raised.emit(this.pending);
  }

  lower(event: bigint): void {
    this.pending &= ~event;
  }

  raisePciError(phbId?: number): void {
    if (phbId !== undefined) this.owners.add(phbId);
    this.raise(OpalEvent.PCI_ERROR);
  }

  /** Somebody asks this PHB for its errors. */
  askedForErrors(phbId: number): void {
    this.owners.delete(phbId);
    if (this.owners.size === 0) this.lower(OpalEvent.PCI_ERROR);
  }

  /** An event bit for one user, the highest that is free; 0 when all are taken. */
  allocate(): bigint {
    for (let event = 1n << 63n; (event & DYNAMIC_EVENTS) !== 0n; event >>= 1n) {
      if ((this.dynamic & event) !== 0n) continue;
      this.dynamic |= event;
      return event;
    }
    return 0n;
  }

  free(event: bigint): void {
    this.dynamic &= ~event;
  }
}
