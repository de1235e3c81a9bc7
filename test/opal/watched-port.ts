/** A processor on a P7IOC that keeps what it did, and where tests change what registers answer. */
import { CpuPort } from '../../src/hw/cpu-port.js';
import type { AccessSize } from '../../src/hw/host-port.js';
import type { Process } from '../../src/sim/process.js';
import type { Machine } from '../ioda1/machine.js';

export interface Access {
  readonly operation: 'R' | 'W';
  readonly size: AccessSize;
  /** From the start of the hub's registers. */
  readonly offset: number;
  readonly value: bigint;
}

export class WatchedPort extends CpuPort {
  readonly accesses: Access[] = [];
  /** What a register answers, made of what the chip answers. */
  readonly answers = new Map<number, (value: bigint) => bigint>();

  constructor(
    { bus, interrupts }: Machine,
    private readonly hubRegisters: number,
  ) {
    super('CPU', bus, interrupts);
  }

  override *load(address: number, size: AccessSize): Process<bigint> {
    const offset = address - this.hubRegisters;
    const answer = yield* super.load(address, size);
    const value = this.answers.get(offset)?.(answer) ?? answer;
    this.accesses.push({ operation: 'R', size, offset, value });
    return value;
  }

  override *store(address: number, size: AccessSize, value: bigint): Process<void> {
    this.accesses.push({ operation: 'W', size, offset: address - this.hubRegisters, value });
    yield* super.store(address, size, value);
  }

  /** What a call does. */
  accessesOf(call: () => void): readonly Access[] {
    const before = this.accesses.length;
    call();
    return this.accesses.slice(before);
  }
}
