/**
 * One descriptor ring of the network card: where it lies, how far the card is, which step it is at.
 */
import type { ConfigSpace } from './config-space.js';
import { DESCRIPTOR_BYTES, MAX_RING, type NicRegister } from './nic-registers.js';
import { type Address, addressPlus } from './tlp.js';

export type RingStep = 'idle' | 'descriptor' | 'data' | 'wire' | 'halted';

export interface Descriptor {
  readonly address: Address;
  readonly lengthBytes: number;
}

export class NicRing {
  step: RingStep = 'idle';

  constructor(
    private readonly registers: ConfigSpace<NicRegister>,
    private readonly side: 'RX' | 'TX',
  ) {}

  get size(): number {
    return Math.min(this.registers.get(`${this.side}_RING_SIZE`), MAX_RING);
  }
  get head(): number {
    return this.registers.get(`${this.side}_HEAD`);
  }
  /** True if the driver has left the card a descriptor. A tail outside the ring leaves none. */
  get ready(): boolean {
    const tail = this.registers.get(`${this.side}_TAIL`);
    return this.size > 0 && tail < this.size && this.head < this.size && tail !== this.head;
  }
  get descriptorAddress(): Address {
    const hi = this.registers.get(`${this.side}_RING_HI`);
    const lo = this.registers.get(`${this.side}_RING_LO`);
    return addressPlus({ hi, lo }, this.head * DESCRIPTOR_BYTES);
  }

  advance(): void {
    this.registers.set(`${this.side}_HEAD`, (this.head + 1) % this.size);
    this.step = 'idle';
  }
}

export function parseDescriptor(bytes: Uint8Array): Descriptor {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const address = { lo: view.getUint32(0, true), hi: view.getUint32(4, true) };
  return { address, lengthBytes: view.getUint32(8, true) };
}

/** The second half of a descriptor as the card writes it back. */
export function descriptorStatus(lengthBytes: number, status: number): Uint8Array {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, lengthBytes, true);
  view.setUint32(4, status, true);
  return bytes;
}
