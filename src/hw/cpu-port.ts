/** A processor's view of the bus for software that runs as a process: each access takes its time. */
import type { Process } from '../sim/process.js';
import type { TimeNs } from '../sim/time.js';
import type { AccessSize, HostPort } from './host-port.js';
import type { InterruptController } from './interrupts.js';
import type { SystemMemory } from './memory.js';
import type { BusOperation, SystemBus } from './system-bus.js';

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
    return this.access('load', address, size, 0n);
  }

  *store(address: number, size: AccessSize, value: bigint): Process<void> {
    yield* this.access('store', address, size, value);
  }

  scomRead(address: number): Process<bigint> {
    return this.access('scom-read', address, 8, 0n);
  }

  *scomWrite(address: number, value: bigint): Process<void> {
    yield* this.access('scom-write', address, 8, value);
  }

  /** The access begins when the process runs, not when its generator is made. */
  private *access(operation: BusOperation, address: number, size: AccessSize, value: bigint): Process<bigint> {
    const ticket = this.bus.begin(operation, address, size, value);
    let taken = false;
    try {
      yield this.bus.completion(ticket);
      const answer = this.bus.take(ticket);
      taken = true;
      return answer;
    } finally {
      // Only a cancelled process comes here without its value.
      if (!taken) this.bus.abandon(ticket);
    }
  }
}
