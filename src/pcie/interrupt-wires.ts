/**
 * INTx as virtual wires: which pins each port below holds up, turned by device number or straight, and joined upward.
 * Source: PCI Express base specification 2.2.8.1.
 */
import { MessageCode } from './tlp.js';

const PINS = 4;

export class InterruptWires {
  /** Per port one bit for each pin that is up. */
  private readonly asserted: Uint8Array;

  /** `turned`: pin p of device number d drives pin (p + d) mod 4, as bridges do. `straight`: pin p, as within a device. */
  constructor(
    ports: number,
    private readonly wiring: 'turned' | 'straight' = 'turned',
  ) {
    this.asserted = new Uint8Array(ports);
  }

  static isInterrupt(messageCode: number): boolean {
    return messageCode >= MessageCode.ASSERT_INTA && messageCode <= MessageCode.DEASSERT_INTD;
  }

  /** A message from below port (device number) `port`. Returns the messages that must go up. */
  follow(port: number, messageCode: number): number[] {
    if (!InterruptWires.isInterrupt(messageCode)) return [];
    const pin = messageCode % PINS;
    const old = this.asserted[port]!;
    const assert = messageCode < MessageCode.DEASSERT_INTA;
    return this.change(port, assert ? old | (1 << pin) : old & ~(1 << pin));
  }

  /** The link below the port is gone: all its wires fall. */
  drop(port: number): number[] {
    return this.change(port, 0);
  }

  private change(port: number, pins: number): number[] {
    const before = this.joined();
    this.asserted[port] = pins;
    const after = this.joined();
    const messages: number[] = [];
    for (let pin = 0; pin < PINS; pin++) {
      const was = (before >>> pin) & 1;
      const is = (after >>> pin) & 1;
      if (was !== is) messages.push((is === 1 ? MessageCode.ASSERT_INTA : MessageCode.DEASSERT_INTA) + pin);
    }
    return messages;
  }

  private joined(): number {
    let up = 0;
    for (const [device, pins] of this.asserted.entries()) {
      const turn = this.wiring === 'turned' ? device : 0;
      for (let pin = 0; pin < PINS; pin++) if ((pins >>> pin) & 1) up |= 1 << ((pin + turn) % PINS);
    }
    return up;
  }
}
