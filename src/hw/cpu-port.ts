/** A processor's view of the bus for software that runs as a process: each access takes its time. */
import { type Process, wait } from '../sim/process.js';
import type { TimeNs } from '../sim/time.js';
import type { AccessSize, HostPort } from './host-port.js';
import type { InterruptController } from './interrupts.js';
import type { SystemMemory } from './memory.js';
import type { SystemBus } from './system-bus.js';

export class CpuPort implements HostPort {
  constructor(
    readonly name: string,
    private readonly bus: SystemBus,
    readonly interrupts: InterruptController,
  ) {}

  get memory(): SystemMemory {
    return this.bus.memory;
  }

  get now(): TimeNs {
    return this.bus.sim.now;
  }

  load(address: number, size: AccessSize): Process<bigint> {
    return this.finish(() => this.bus.beginLoad(address, size));
  }

  *store(address: number, size: AccessSize, value: bigint): Process<void> {
    yield* this.finish(() => this.bus.beginStore(address, size, value));
  }

  scomRead(address: number): Process<bigint> {
    return this.finish(() => this.bus.beginScomRead(address));
  }

  *scomWrite(address: number, value: bigint): Process<void> {
    yield* this.finish(() => this.bus.beginScomWrite(address, value));
  }

  /** The access begins when the process runs, not when its generator is made. */
  private *finish(begin: () => number): Process<bigint> {
    const ticket = begin();
    let taken = false;
    try {
      yield* wait(this.bus.completion(ticket));
      const value = this.bus.take(ticket);
      taken = true;
      return value;
    } finally {
      // Only a cancelled process comes here without its value.
      if (!taken) this.bus.abandon(ticket);
    }
  }
}
