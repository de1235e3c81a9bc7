/**
 * The driver of a P7IOC itself: its interrupt, its diagnostic data, what is published of it.
 * Source: skiboot p7ioc hw/p7ioc.c: p7ioc_hub_ops, p7ioc_rgc_irq_ops. Facts: ioda1-p7ioc 1.6, 7.7.
 */
import type { Process } from '../../sim/process.js';
import type { HubNode, PublishingFacts } from '../device-tree.js';
import type { DiagResult } from '../opal-results.js';
import type { HubDriver, InterruptSource } from '../phb-driver.js';
import type { P7iocHub } from './hub.js';
import { getHubDiagData } from './hub-diag.js';
import { P7iocHubInterrupts } from './interrupts.js';

/** PHB 0 is the most significant of eight bits. */
const PRESENCE_TOP = 0x80;

export class P7iocHubDriver implements HubDriver {
  readonly interrupts: InterruptSource;

  constructor(readonly hub: P7iocHub) {
    this.interrupts = new P7iocHubInterrupts(hub);
  }

  get id(): number {
    return this.hub.id;
  }

  *diagData(length: number): Process<DiagResult> {
    return yield* getHubDiagData(this.hub, length);
  }

  node({ chipId, phandles }: PublishingFacts): HubNode {
    const { hub } = this;
    return {
      phandle: phandles.of(hub),
      hubId: BigInt(hub.id),
      chipId,
      registers: hub.place.mwin1,
      windows: hub.place.mwin2,
      interrupt: hub.irqBase,
      presence: hub.place.phbs.reduce((mask, phb) => mask | (PRESENCE_TOP >> phb), 0),
    };
  }
}
