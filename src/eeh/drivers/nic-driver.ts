/**
 * Driver of the network card: receive buffers posted in a ring, arrivals looked for by reading a status register (the
 * load that notices a frozen PE), and recovery in three flavours. Registers: pcie/nic-registers.
 */
import {
  DESCRIPTOR_BYTES,
  DESCRIPTOR_DONE,
  DESCRIPTOR_LENGTH_AT,
  DESCRIPTOR_STATUS_AT,
  NIC_CONTROL,
  NIC_ID,
  NIC_REGISTER_BAR,
  NIC_REGISTERS,
  type NicRegister,
} from '../../pcie/nic-registers.js';
import { delay, type Process, type ProcessHandle } from '../../sim/process.js';
import { ms, type TimeNs } from '../../sim/time.js';
import type { ChannelState } from '../eeh-flags.js';
import { ENODEV } from '../errno.js';
import type { PciDevice, PciErrorHandlers } from '../pci/device.js';
import { allOnes } from '../pci/regs.js';
import type { SavedState } from '../pci/saved-state.js';
import type { PciDriver } from './driver.js';
import { NicTransmitter } from './nic-transmitter.js';
import type { DmaBuffer, DriverServices } from './services.js';
import type { ErsVote } from './votes.js';

/** `recovering` wants a reset, `can-recover` only to be let in again, `unaware` has no handlers. */
export type NicFlavour = 'recovering' | 'can-recover' | 'unaware';

export interface NicDriverOptions {
  readonly name?: string;
  readonly flavour?: NicFlavour;
  readonly pollPeriodNs?: TimeNs;
  /** Sends a frame this often; default never. */
  readonly sendPeriodNs?: TimeNs;
  readonly ringSize?: number;
  readonly bufferBytes?: number;
  /** Default: every card of the model's vendor and device id. */
  readonly ids?: { readonly vendorId: number; readonly deviceId: number };
  /** Default: all cards with these ids. */
  readonly wants?: (device: PciDevice) => 'yes' | 'no';
}

/** The card drives all 64 address lines. */
const DMA_MASK = 2n ** 64n - 1n;
const NOTHING_SAVED: SavedState = { header: [], express: [] };
const DEFAULT_IDS = { vendorId: 0x1014, deviceId: 0xf001 };

/** What the driver knows of one card. Counters live on over resets, not over remove. */
export interface NicState {
  readonly device: PciDevice;
  readonly services: DriverServices;
  readonly ring: DmaBuffer;
  readonly buffers: DmaBuffer[];
  readonly transmitter: NicTransmitter | undefined;
  savedHeader: SavedState;
  next: number;
  packets: number;
  bytes: number;
  /** Loads that gave all ones. */
  deadReads: number;
  poller: ProcessHandle<void> | undefined;
}

export class NicDriver implements PciDriver {
  readonly name: string;
  readonly flavour: NicFlavour;
  readonly errorHandlers?: PciErrorHandlers;
  /** Packets of all cards since boot, removed ones included. */
  totalPackets = 0;
  private readonly cards: NicState[] = [];
  private readonly ringSize: number;
  private readonly bufferBytes: number;

  constructor(private readonly options: NicDriverOptions = {}) {
    this.flavour = options.flavour ?? 'recovering';
    this.name = options.name ?? 'phbnic';
    this.ringSize = options.ringSize ?? 16;
    this.bufferBytes = options.bufferBytes ?? 2048;
    if (this.flavour === 'recovering') this.errorHandlers = this.resettingHandlers();
    if (this.flavour === 'can-recover') this.errorHandlers = this.thawingHandlers();
  }

  get progress(): number {
    return this.totalPackets;
  }

  matches(device: PciDevice): 'yes' | 'no' {
    const { vendorId, deviceId } = this.options.ids ?? DEFAULT_IDS;
    if (device.identity.vendorId !== vendorId || device.identity.deviceId !== deviceId) return 'no';
    return this.options.wants?.(device) ?? 'yes';
  }

  /** The card behind a device this driver is bound to. */
  card(device: PciDevice): NicState | undefined {
    return this.cards.find((card) => card.device === device);
  }

  *probe(device: PciDevice, services: DriverServices): Process<number> {
    const rc = yield* services.enableDevice(device);
    if (rc < 0) return rc;
    const masked = services.setDmaMask(device, DMA_MASK);
    if (masked < 0) {
      yield* services.disableDevice(device);
      return masked;
    }
    yield* services.setMaster(device);
    if ((yield* services.read32(device, NIC_REGISTER_BAR, NIC_REGISTERS.ID.at, [this.frame('probe')])) !== NIC_ID) {
      yield* services.disableDevice(device);
      return ENODEV;
    }
    const card = yield* this.allocate(device, services);
    this.cards.push(card);
    card.savedHeader = yield* services.saveState(device);
    yield* this.start(card);
    services.info(device, `up, ${this.ringSize} receive buffers`);
    return 0;
  }

  *remove(device: PciDevice): Process<void> {
    const card = this.card(device);
    if (card === undefined) return;
    this.stopPolling(card);
    yield* this.write(card, 'CONTROL', 0);
    if (card.transmitter !== undefined) yield* card.transmitter.free();
    for (const buffer of [...card.buffers, card.ring]) yield* card.services.free(device, buffer);
    yield* card.services.disableDevice(device);
    this.cards.splice(this.cards.indexOf(card), 1);
  }

  private *allocate(device: PciDevice, services: DriverServices): Process<NicState> {
    const ring = yield* services.allocate(device, this.ringSize * DESCRIPTOR_BYTES, 'both');
    const buffers: DmaBuffer[] = [];
    for (let i = 0; i < this.ringSize; i++) {
      buffers.push(yield* services.allocate(device, this.bufferBytes, 'from-device'));
    }
    const sends = this.options.sendPeriodNs !== undefined;
    const transmitter = sends ? yield* NicTransmitter.allocate(device, services) : undefined;
    const counters = { next: 0, packets: 0, bytes: 0, deadReads: 0 };
    return { device, services, ring, buffers, transmitter, savedHeader: NOTHING_SAVED, poller: undefined, ...counters };
  }

  /** Programs the ring from scratch and begins to look for packets. */
  private *start(card: NicState): Process<void> {
    yield* this.write(card, 'CONTROL', NIC_CONTROL.RESET);
    card.next = 0;
    for (let i = 0; i < this.ringSize; i++) this.post(card, i);
    const { dmaAddress } = card.ring;
    yield* this.write(card, 'RX_RING_LO', dmaAddress % 2 ** 32);
    yield* this.write(card, 'RX_RING_HI', Math.floor(dmaAddress / 2 ** 32));
    yield* this.write(card, 'RX_RING_SIZE', this.ringSize);
    yield* this.write(card, 'RX_TAIL', this.ringSize - 1);
    if (card.transmitter !== undefined)
      yield* card.transmitter.start((register, value) => this.write(card, register, value));
    const transmit = card.transmitter === undefined ? 0 : NIC_CONTROL.TRANSMIT;
    yield* this.write(card, 'CONTROL', NIC_CONTROL.RECEIVE | transmit);
    this.startPolling(card);
  }

  private startPolling(card: NicState): void {
    this.stopPolling(card);
    card.poller = card.services.spawn(`${this.name} ${card.device.name}`, this.poll(card));
  }

  private stopPolling(card: NicState): void {
    card.poller?.cancel();
    card.poller = undefined;
  }

  private *poll(card: NicState): Process<void> {
    const { transmitter, services } = card;
    const period = this.options.pollPeriodNs ?? ms(1);
    let lastSentNs = services.nowNs;
    // Between the frames, not with them: what happens to a card at a round time is not met by a load by chance.
    yield* delay(period / 2);
    for (; ; yield* delay(period)) {
      const head = yield* this.read(card, 'RX_HEAD');
      if (head === allOnes(4)) {
        card.deadReads++;
        continue;
      }
      yield* this.receive(card, head);
      if (transmitter === undefined || services.nowNs - lastSentNs < this.options.sendPeriodNs!) continue;
      lastSentNs = services.nowNs;
      yield* transmitter.send((register, value) => this.write(card, register, value));
    }
  }

  /** Counts the filled buffers up to the card's head and gives them back. */
  private *receive(card: NicState, head: number): Process<void> {
    const { memory } = card.services;
    const first = card.next;
    while (card.next !== head % this.ringSize) {
      const descriptor = memory.readBlock(card.ring.realAddress + card.next * DESCRIPTOR_BYTES, DESCRIPTOR_BYTES);
      const view = new DataView(descriptor.buffer, descriptor.byteOffset);
      if ((view.getUint32(DESCRIPTOR_STATUS_AT, true) & DESCRIPTOR_DONE) === 0) break;
      card.packets++;
      this.totalPackets++;
      card.bytes += view.getUint32(DESCRIPTOR_LENGTH_AT, true);
      this.post(card, card.next);
      card.next = (card.next + 1) % this.ringSize;
    }
    if (card.next === first) return;
    yield* this.write(card, 'RX_TAIL', (card.next + this.ringSize - 1) % this.ringSize);
  }

  private post(card: NicState, index: number): void {
    const buffer = card.buffers[index]!;
    const bytes = new Uint8Array(DESCRIPTOR_BYTES);
    const view = new DataView(bytes.buffer);
    view.setBigUint64(0, BigInt(buffer.dmaAddress), true);
    view.setUint32(DESCRIPTOR_LENGTH_AT, this.bufferBytes, true);
    card.services.memory.writeBlock(card.ring.realAddress + index * DESCRIPTOR_BYTES, bytes);
  }

  private resettingHandlers(): PciErrorHandlers {
    return {
      errorDetected: (device, state) => this.quiesce(device, state, 'need reset'),
      slotReset: (device) => this.comeBack(device),
      resume: (device) => this.resume(device),
    };
  }

  private thawingHandlers(): PciErrorHandlers {
    return {
      errorDetected: (device, state) => this.quiesce(device, state, 'can recover'),
      mmioEnabled: (device) => this.comeBack(device),
      slotReset: (device) => this.comeBack(device),
      resume: (device) => this.resume(device),
    };
  }

  private *quiesce(device: PciDevice, state: ChannelState, wish: ErsVote): Process<ErsVote> {
    const card = this.card(device);
    if (card === undefined) return 'disconnect';
    this.stopPolling(card);
    if (state === 'perm-failure') return 'disconnect';
    if (wish === 'need reset') yield* card.services.disableDevice(device);
    return wish;
  }

  /** The device is reachable again, reset or only thawed: is it the one we knew? */
  private *comeBack(device: PciDevice): Process<ErsVote> {
    const card = this.card(device);
    if (card === undefined) return 'disconnect';
    if (device.enableCount === 0 && (yield* card.services.enableDevice(device)) < 0) return 'disconnect';
    yield* card.services.setMaster(device);
    yield* card.services.restoreState(device, card.savedHeader);
    yield* this.remap(card);
    return (yield* this.read(card, 'ID')) === NIC_ID ? 'recovered' : 'disconnect';
  }

  /** No mapping from before the error is trusted: the buffers get new ones. */
  private *remap(card: NicState): Process<void> {
    for (const [index, { dmaAddress, realAddress, bytes }] of card.buffers.entries()) {
      yield* card.services.unmap(card.device, dmaAddress, bytes);
      const fresh = yield* card.services.map(card.device, realAddress, bytes, 'from-device');
      card.buffers[index] = { dmaAddress: fresh, realAddress, bytes };
    }
    if (card.transmitter !== undefined) yield* card.transmitter.remap();
  }

  private *resume(device: PciDevice): Process<void> {
    const card = this.card(device);
    if (card !== undefined) yield* this.start(card);
  }

  private *read(card: NicState, register: NicRegister): Process<number> {
    const callers = [this.frame('read')];
    return yield* card.services.read32(card.device, NIC_REGISTER_BAR, NIC_REGISTERS[register].at, callers);
  }

  private *write(card: NicState, register: NicRegister, value: number): Process<void> {
    yield* card.services.write32(card.device, NIC_REGISTER_BAR, NIC_REGISTERS[register].at, value);
  }

  /** A stack frame of this module; the offsets are (M). */
  private frame(symbol: string): string {
    return `${this.name}_${symbol}+0x40/0x120 [${this.name}]`;
  }
}
