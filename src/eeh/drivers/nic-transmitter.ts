/** The sending side of the network card's driver: a small ring and one frame, mapped for reading only, sent over and over. */
import {
  DESCRIPTOR_BYTES,
  DESCRIPTOR_DONE,
  DESCRIPTOR_LENGTH_AT,
  DESCRIPTOR_STATUS_AT,
  type NicRegister,
} from '../../pcie/nic-registers.js';
import type { Process } from '../../sim/process.js';
import type { PciDevice } from '../pci/device.js';
import type { DmaBuffer, DriverServices } from './services.js';

const RING_SIZE = 4;
const FRAME_BYTES = 64;
const FRAME_FILL = 0xaa;

type WriteRegister = (register: NicRegister, value: number) => Process<void>;

export class NicTransmitter {
  /** Frames the card reported as sent. */
  sent = 0;
  private next = 0;

  private constructor(
    private readonly device: PciDevice,
    private readonly services: DriverServices,
    private readonly ring: DmaBuffer,
    private frame: DmaBuffer,
  ) {}

  static *allocate(device: PciDevice, services: DriverServices): Process<NicTransmitter> {
    const ring = yield* services.allocate(device, RING_SIZE * DESCRIPTOR_BYTES, 'both');
    const frame = yield* services.allocate(device, FRAME_BYTES, 'to-device');
    services.memory.fill(frame.realAddress, FRAME_BYTES, FRAME_FILL);
    return new NicTransmitter(device, services, ring, frame);
  }

  /** Programs an empty ring. */
  *start(write: WriteRegister): Process<void> {
    this.next = 0;
    this.services.memory.fill(this.ring.realAddress, RING_SIZE * DESCRIPTOR_BYTES, 0);
    const { dmaAddress } = this.ring;
    yield* write('TX_RING_LO', dmaAddress % 2 ** 32);
    yield* write('TX_RING_HI', Math.floor(dmaAddress / 2 ** 32));
    yield* write('TX_RING_SIZE', RING_SIZE);
    yield* write('TX_TAIL', 0);
  }

  /** Sends the frame once more, unless the card still has the one before. */
  *send(write: WriteRegister): Process<void> {
    const { memory } = this.services;
    const previous = this.descriptorAt((this.next + RING_SIZE - 1) % RING_SIZE);
    const before = view(memory.readBlock(previous, DESCRIPTOR_BYTES));
    if (before.getUint32(DESCRIPTOR_LENGTH_AT, true) !== 0) {
      if ((before.getUint32(DESCRIPTOR_STATUS_AT, true) & DESCRIPTOR_DONE) === 0) return;
      this.sent++;
    }
    const bytes = new Uint8Array(DESCRIPTOR_BYTES);
    view(bytes).setBigUint64(0, BigInt(this.frame.dmaAddress), true);
    view(bytes).setUint32(DESCRIPTOR_LENGTH_AT, FRAME_BYTES, true);
    memory.writeBlock(this.descriptorAt(this.next), bytes);
    this.next = (this.next + 1) % RING_SIZE;
    yield* write('TX_TAIL', this.next);
  }

  *remap(): Process<void> {
    const { dmaAddress, realAddress, bytes } = this.frame;
    yield* this.services.unmap(this.device, dmaAddress, bytes);
    const fresh = yield* this.services.map(this.device, realAddress, bytes, 'to-device');
    this.frame = { dmaAddress: fresh, realAddress, bytes };
  }

  *free(): Process<void> {
    for (const buffer of [this.frame, this.ring]) yield* this.services.free(this.device, buffer);
  }

  private descriptorAt(index: number): number {
    return this.ring.realAddress + index * DESCRIPTOR_BYTES;
  }
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
