/** A chip on the bus that keeps what it was asked, and answers at once, later, or never. */

import type { AccessSize } from '../../src/hw/host-port.js';
import type { BusTarget, ScomTarget, SystemBus } from '../../src/hw/system-bus.js';
import { Priority } from '../../src/sim/priority.js';
import type { HandlerId, Simulator } from '../../src/sim/simulator.js';

export const CHIP_BASE = 0x3_fffe_4000_0000;

export class FakeChip implements BusTarget, ScomTarget {
  answer: 'now' | 'later' | 'never' = 'now';
  readonly accesses: (string | number | bigint)[][] = [];
  readonly tickets: number[] = [];
  private readonly answerLater: HandlerId;

  constructor(
    private readonly sim: Simulator,
    private readonly bus: SystemBus,
    private readonly value = 0x1122_3344_5566_7788n,
  ) {
    this.answerLater = sim.handler('fake-chip', (ticket) => bus.complete(ticket, this.value));
    bus.attach(this);
  }

  claims(address: number): boolean {
    return address >= CHIP_BASE && address < CHIP_BASE + 0x1000;
  }

  load(address: number, size: AccessSize, ticket: number): void {
    this.accesses.push([this.sim.now, 'load', address - CHIP_BASE, size]);
    this.reply(ticket);
  }

  store(address: number, size: AccessSize, value: bigint): void {
    this.accesses.push([this.sim.now, 'store', address - CHIP_BASE, size, value]);
  }

  claimsScom(address: number): boolean {
    return address >= 0x0201_2000 && address < 0x0201_2400;
  }

  scomRead(address: number, ticket: number): void {
    this.accesses.push([this.sim.now, 'scomRead', address]);
    this.reply(ticket);
  }

  scomWrite(address: number, value: bigint): void {
    this.accesses.push([this.sim.now, 'scomWrite', address, value]);
  }

  private reply(ticket: number): void {
    this.tickets.push(ticket);
    if (this.answer === 'now') this.bus.complete(ticket, this.value);
    if (this.answer === 'later') this.sim.schedule(16_000, Priority.CHIP, this.answerLater, ticket);
  }
}
