/** One P7IOC on a bus with memory, interrupt presentation, and six links: what a test of the chip stands on. */
import type { AccessSize } from '../../src/hw/host-port.js';
import { InterruptController } from '../../src/hw/interrupts.js';
import { SystemMemory } from '../../src/hw/memory.js';
import { SyncHost } from '../../src/hw/sync-host.js';
import { SystemBus } from '../../src/hw/system-bus.js';
import { P7ioc, type P7iocOptions } from '../../src/ioda1/p7ioc.js';
import { Link, type LinkPartner } from '../../src/pcie/link.js';
import { Simulator } from '../../src/sim/simulator.js';
import { HUB_ID, MWIN1, MWIN2 } from './layout.js';

export interface Pluggable extends LinkPartner {
  plugInto(link: Link): void;
}

export type MachineOptions = Partial<Pick<P7iocOptions, 'profile' | 'slotPower' | 'hubId' | 'mwin1'>> & {
  /** What is in the slot of each PHB. */
  readonly cards?: Readonly<Record<number, Pluggable>>;
};

const MEMORY_BYTES = 2 ** 30;

export class Machine {
  readonly sim = new Simulator();
  readonly memory = new SystemMemory({ sizeBytes: MEMORY_BYTES });
  readonly bus = new SystemBus(this.sim, this.memory);
  readonly interrupts = new InterruptController(this.sim);
  readonly host = new SyncHost(this.bus);
  readonly links: readonly Link[];
  readonly hub: P7ioc;

  constructor(options: MachineOptions = {}) {
    const { cards = {}, ...rest } = options;
    this.links = Array.from(
      { length: 6 },
      (_, phb) => new Link(this.sim, `PHB${phb} link`, { maxSpeed: 2, maxWidth: 8 }),
    );
    this.hub = new P7ioc({
      ...{ bus: this.bus, interrupts: this.interrupts, hubId: HUB_ID, mwin1: MWIN1, mwin2: MWIN2 },
      link: (phb) => this.links[phb]!,
      ...rest,
    });
    for (const [phb, card] of Object.entries(cards)) card.plugInto(this.links[Number(phb)]!);
  }

  run(ns: number): this {
    this.sim.run({ untilNs: this.sim.now + ns });
    return this;
  }

  load(address: number, size: AccessSize = 8): bigint {
    return this.host.load(address, size);
  }

  store(address: number, value: bigint, size: AccessSize = 8): void {
    this.host.store(address, size, value);
  }
}
