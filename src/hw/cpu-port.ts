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
    return this.read('load', address, size);
  }

  store(address: number, size: AccessSize, value: bigint): Process<void> {
    return this.write('store', address, size, value);
  }

  scomRead(address: number): Process<bigint> {
    return this.read('scom-read', address, 8);
  }

  scomWrite(address: number, value: bigint): Process<void> {
    return this.write('scom-write', address, 8, value);
  }

  // An access begins when the process runs, not when its generator is made.

  private *read(operation: BusOperation, address: number, size: AccessSize): Process<bigint> {
    const ticket = this.bus.begin(operation, address, size, 0n);
    try {
      const wait = this.bus.completion(ticket);
      if (!this.bus.sim.waitInPlace(wait)) yield wait;
      return this.bus.value(ticket);
    } finally {
      this.bus.leave(ticket);
    }
  }

  private *write(operation: BusOperation, address: number, size: AccessSize, value: bigint): Process<void> {
    const ticket = this.bus.begin(operation, address, size, value);
    try {
      const wait = this.bus.completion(ticket);
      if (!this.bus.sim.waitInPlace(wait)) yield wait;
    } finally {
      this.bus.leave(ticket);
    }
  }
}
