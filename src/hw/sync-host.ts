/**
 * A requester outside virtual time, for replay and tests: it runs the simulator until its access is answered, and no
 * further. It must not be used from within an event or a process.
 */
import { formatTime, type TimeNs } from '../sim/time.js';
import type { AccessSize } from './host-port.js';
import type { SystemBus } from './system-bus.js';

/** Longer than any timeout of the hardware, so that those show first. */
const DEFAULT_PATIENCE_NS: TimeNs = 10_000_000_000;

/** The simulation cannot, or does not, answer an access. */
export class UnansweredAccessError extends Error {
  override readonly name = 'UnansweredAccessError';
  constructor(access: string, now: TimeNs, why: string) {
    super(`${access} is unanswered at ${formatTime(now)}: ${why}. Its target took it and must call bus.complete`);
  }
}

export class SyncHost {
  constructor(
    private readonly bus: SystemBus,
    private readonly patienceNs: TimeNs = DEFAULT_PATIENCE_NS,
  ) {}

  load(address: number, size: AccessSize): bigint {
    return this.finish(this.bus.beginLoad(address, size));
  }

  store(address: number, size: AccessSize, value: bigint): void {
    this.finish(this.bus.beginStore(address, size, value));
  }

  scomRead(address: number): bigint {
    return this.finish(this.bus.beginScomRead(address));
  }

  scomWrite(address: number, value: bigint): void {
    this.finish(this.bus.beginScomWrite(address, value));
  }

  private finish(ticket: number): bigint {
    const { sim } = this.bus;
    const deadline = sim.now + this.patienceNs;
    while (!this.bus.isDone(ticket)) {
      if (!sim.step()) throw this.unanswered(ticket, 'nothing is left to happen');
      if (sim.now > deadline) throw this.unanswered(ticket, `${formatTime(this.patienceNs)} have passed`);
    }
    return this.bus.take(ticket);
  }

  private unanswered(ticket: number, why: string): UnansweredAccessError {
    const error = new UnansweredAccessError(this.bus.describe(ticket), this.bus.sim.now, why);
    this.bus.leave(ticket);
    return error;
  }
}
