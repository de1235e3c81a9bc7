/** A booted machine with somebody in its user space who keeps what is printed. */
import { KernelFiles } from '../../src/eeh/interfaces/files.js';
import { PowerSystem, type SystemOptions } from '../../src/machine/system.js';
import type { SlotOptions } from '../../src/machine/topology.js';
import { UserSpace } from '../../src/scenario/procedures/user-space.js';
import type { Process } from '../../src/sim/process.js';

export class UserMachine {
  readonly system: PowerSystem;
  readonly files: KernelFiles;
  readonly user: UserSpace;
  readonly printed: string[] = [];

  constructor(slots: readonly SlotOptions[], options: Partial<SystemOptions> = {}) {
    const numbered = new Map(slots.map((slot, i) => [i + 1, slot]));
    this.system = new PowerSystem({ ...options, slots: numbered, seed: 'user' });
    this.system.boot();
    this.files = new KernelFiles(this.system.kernel);
    this.user = new UserSpace(this.files, (line) => this.printed.push(line));
  }

  run<T>(body: Process<T>): T {
    return this.system.sim.complete('user', body);
  }

  /** Lines that begin like this. */
  lines(start: string): string[] {
    return this.printed.filter((line) => line.startsWith(start));
  }
}
