/**
 * What software sees of the machine. Firmware, kernel and tests of behaviour hold a HostPort and nothing else of the
 * chip, so that real firmware can take the place of ours.
 */
import type { Process } from '../sim/process.js';
import type { TimeNs } from '../sim/time.js';
import type { InterruptController } from './interrupts.js';
import type { SystemMemory } from './memory.js';

export type AccessSize = 1 | 2 | 4 | 8;

export interface HostPort {
  readonly name: string;
  /** Cache-inhibited load: big-endian, right-justified. */
  load(address: number, size: AccessSize): Process<bigint>;
  /** Cache-inhibited store: ends when the store has reached its target. */
  store(address: number, size: AccessSize, value: bigint): Process<void>;
  /** SCOM of this port's chip by PCB address. */
  scomRead(address: number): Process<bigint>;
  scomWrite(address: number, value: bigint): Process<void>;
  /** Ordinary cached system memory: big-endian, no latency. */
  readonly memory: SystemMemory;
  readonly interrupts: InterruptController;
  readonly now: TimeNs;
}
