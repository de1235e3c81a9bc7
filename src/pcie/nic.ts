/**
 * A network card that does DMA and MMIO for real: rings in host memory, frames by MWr, MSI or INTx.
 * Its register interface is declared in nic-registers.ts. Timing figures are (M).
 */
import { Priority } from '../sim/priority.js';
import type { RandomStream } from '../sim/random.js';
import type { EventId, HandlerId, Simulator } from '../sim/simulator.js';
import { quantize, type TimeNs } from '../sim/time.js';
import { aerCapability } from './aer-capability.js';
import { msiCapability, pciExpressCapability, powerManagementCapability } from './capabilities.js';
import { type BarSpec, deviceHeader } from './config-header.js';
import { ConfigSpace } from './config-space.js';
import type { ReadResult } from './dma-requester.js';
import {
  type BarRead,
  type BarWrite,
  type DeviceReset,
  Endpoint,
  type EndpointLayout,
  type EndpointOptions,
  littleEndian,
  littleEndianBytes,
} from './endpoint.js';
import {
  DESCRIPTOR_BYTES,
  DESCRIPTOR_DONE,
  DESCRIPTOR_LENGTH_AT,
  NIC_CAUSE,
  NIC_CONTROL,
  NIC_MEMORY_BAR,
  NIC_MEMORY_BYTES,
  NIC_REGISTER_BAR,
  NIC_REGISTER_BYTES,
  NIC_REGISTERS,
  NIC_STATUS,
  type NicRegister,
} from './nic-registers.js';
import { descriptorStatus, NicRing, parseDescriptor } from './nic-ring.js';
import { type Address, addressPlus } from './tlp.js';

export interface NicOptions extends Partial<Omit<EndpointOptions, 'layout' | 'bars'>> {
  readonly vendorId?: number;
  readonly deviceId?: number;
  readonly powerManagement?: 'present';
  readonly functionLevelReset?: 'present';
  /** On a conventional bus it has no PCI Express capability, and nothing beyond the first 256 bytes. Default `express`. */
  readonly bus?: 'express' | 'conventional';
  /** A frame arrives from the network this often while receiving is on. */
  readonly framePeriodNs?: TimeNs;
}

const NIC_BARS: readonly BarSpec[] = [
  { index: NIC_REGISTER_BAR, sizeBytes: NIC_REGISTER_BYTES, kind: 'memory32' },
  { index: NIC_MEMORY_BAR, sizeBytes: NIC_MEMORY_BYTES, kind: 'memory64', prefetchable: true },
];
const PCIE_AT = 0x40;
const MSI_AT = 0x80;
const PM_AT = 0xa0;

const MIN_FRAME = 60;
const MAX_FRAME = 1514;
const RECEIVE_FIFO_FRAMES = 16;
/** 10 Gb/s. */
const NETWORK_NS_PER_BYTE = 0.8;

const RX_DESCRIPTOR = 0;
const TX_DESCRIPTOR = 1;
const TX_DATA = 2;
const CONTEXTS = 4;

export function nicLayout(options: NicOptions): EndpointLayout {
  const hasPm = options.powerManagement === 'present';
  const identity = {
    vendorId: options.vendorId ?? 0x1014,
    deviceId: options.deviceId ?? 0xf001,
    classCode: 0x02_0000,
    subsystemVendorId: 0x1014,
    subsystemId: 0xf001,
    interruptPin: 1,
    capabilityPointer: options.bus === 'conventional' ? MSI_AT : PCIE_AT,
  } as const;
  const conventional = {
    ...deviceHeader(identity, NIC_BARS),
    ...msiCapability({ at: MSI_AT, next: hasPm ? PM_AT : 0 }, 1),
    ...(hasPm ? powerManagementCapability({ at: PM_AT, next: 0 }) : {}),
  };
  if (options.bus === 'conventional') return conventional;
  return { ...conventional, ...expressRegisters(options) };
}

function expressRegisters({ maxSpeed = 3, maxWidth = 8, functionLevelReset }: NicOptions) {
  return {
    ...pciExpressCapability({
      ...{ at: PCIE_AT, next: MSI_AT, port: 'endpoint', maxSpeed, maxWidth, maxPayloadBytes: 512 },
      options: functionLevelReset === 'present' ? ['function-level-reset', 'extended-tags'] : ['extended-tags'],
    }),
    ...aerCapability({ at: 0x100, next: 0 }),
  };
}

export class Nic extends Endpoint {
  readonly registers = new ConfigSpace<NicRegister>('NIC BAR0', NIC_REGISTERS);
  private readonly rx = new NicRing(this.registers, 'RX');
  private readonly tx = new NicRing(this.registers, 'TX');
  private readonly cardMemory = new Uint8Array(NIC_MEMORY_BYTES);
  private readonly traffic: RandomStream;
  private readonly framePeriodNs: TimeNs;
  private readonly frameEvent: HandlerId;
  private readonly sentEvent: HandlerId;
  private readonly senders: ((frame: Uint8Array) => void)[] = [];
  private nextFrame: EventId | undefined;
  private fifo: Uint8Array[] = [];
  private sending: Uint8Array | undefined;
  private frameNumber = 0;
  /** Answers to requests of an earlier life are not ours any more. */
  private epoch = 0;

  constructor(sim: Simulator, name: string, options: NicOptions = {}) {
    super(sim, name, { ...options, layout: nicLayout(options), bars: NIC_BARS });
    this.framePeriodNs = options.framePeriodNs ?? 100_000;
    this.traffic = sim.random(`${name}/traffic`);
    this.frameEvent = sim.handler(`${name} frame`, () => this.frameArrives());
    this.sentEvent = sim.handler(`${name} sent`, (epoch) => this.frameSent(epoch));
    this.registers.hook('CONTROL', { onWrite: (value) => this.controlWritten(value) });
    this.registers.hook('STATUS', { onRead: () => this.status() });
    this.registers.hook('CAUSE', { onWrite: () => this.updateInterrupt(0) });
    this.registers.hook('MASK', { onWrite: (value, old) => this.updateInterrupt(value & ~old) });
    this.registers.hook('RX_TAIL', { onWrite: () => this.receiveNext() });
    this.registers.hook('TX_TAIL', { onWrite: () => this.sendNext() });
  }

  /** A frame comes in from the network now. */
  deliverFrame(frame: Uint8Array): void {
    if (!this.registers.has('CONTROL', 'RECEIVE')) return;
    if (this.fifo.length >= RECEIVE_FIFO_FRAMES || (!this.rx.ready && this.rx.step === 'idle')) {
      this.count('RX_DROPPED');
      this.cause(NIC_CAUSE.OVERRUN);
      return;
    }
    this.fifo.push(frame);
    this.receiveNext();
  }

  /** Sees each frame that leaves for the network. */
  onSend(listener: (frame: Uint8Array) => void): void {
    this.senders.push(listener);
  }

  protected override readBar(bar: number, offset: number, lengthBytes: number): BarRead {
    if (bar === NIC_MEMORY_BAR) return this.cardMemory.slice(offset, offset + lengthBytes);
    if (!isRegisterAccess(offset, lengthBytes)) return 'CA';
    const out = new Uint8Array(lengthBytes);
    for (let at = 0; at < lengthBytes; at += 4) {
      const size = Math.min(4, lengthBytes);
      out.set(littleEndianBytes(offset + at < 4096 ? this.registers.read(offset + at, size) : 0, size), at);
    }
    return out;
  }

  protected override writeBar(bar: number, offset: number, data: Uint8Array): BarWrite {
    if (bar === NIC_MEMORY_BAR) {
      this.cardMemory.set(data, offset);
      return 'done';
    }
    if (!isRegisterAccess(offset, data.length)) return 'CA';
    for (let at = 0; at < data.length && offset + at < 4096; at += 4) {
      const part = data.subarray(at, at + 4);
      this.registers.write(offset + at, part.length, littleEndian(part));
    }
    return 'done';
  }

  protected override onReset(_kind: DeviceReset): void {
    this.epoch++;
    this.registers.reset('fundamental');
    this.fifo = [];
    this.sending = undefined;
    this.rx.step = 'idle';
    this.tx.step = 'idle';
    if (this.nextFrame !== undefined) this.sim.cancel(this.nextFrame);
    this.nextFrame = undefined;
  }

  protected override dmaDone(context: number, result: ReadResult): void {
    if (Math.floor(context / CONTEXTS) !== this.epoch || result.status === 'reset') return;
    const step = context % CONTEXTS;
    const ring = step === RX_DESCRIPTOR ? this.rx : this.tx;
    if (result.status !== 'SC') this.halt(ring);
    else if (step === RX_DESCRIPTOR) this.storeFrame(result.data);
    else if (step === TX_DESCRIPTOR) this.fetchFrame(result.data);
    else this.putOnNetwork(result.data);
  }

  private controlWritten(value: number): void {
    if ((value & NIC_CONTROL.RESET) !== 0) {
      this.onReset('function');
      this.interrupts.clear();
      return;
    }
    if ((value & NIC_CONTROL.RECEIVE) !== 0 && this.nextFrame === undefined) this.scheduleFrame();
    this.sendNext();
  }

  private status(): number {
    const halted = this.rx.step === 'halted' ? NIC_STATUS.RECEIVE_HALTED : 0;
    return NIC_STATUS.LINK_UP | halted | (this.tx.step === 'halted' ? NIC_STATUS.TRANSMIT_HALTED : 0);
  }

  // Receiving.

  private scheduleFrame(): void {
    this.nextFrame = this.sim.schedule(quantize(this.framePeriodNs), Priority.DEVICE, this.frameEvent);
  }

  private frameArrives(): void {
    this.nextFrame = undefined;
    if (!this.registers.has('CONTROL', 'RECEIVE')) return;
    this.deliverFrame(this.makeFrame());
    this.scheduleFrame();
  }

  /** A frame of random length whose bytes follow from its number, so that a receiver can check it. */
  private makeFrame(): Uint8Array {
    const number = this.frameNumber++;
    const frame = new Uint8Array(MIN_FRAME + this.traffic.below(MAX_FRAME - MIN_FRAME + 1));
    for (let i = 0; i < frame.length; i++) frame[i] = number + i;
    frame.set(littleEndianBytes(number, 4));
    return frame;
  }

  private receiveNext(): void {
    if (this.rx.step !== 'idle' || this.fifo.length === 0 || !this.rx.ready) return;
    this.rx.step = 'descriptor';
    this.read(this.rx.descriptorAddress, DESCRIPTOR_BYTES, RX_DESCRIPTOR);
  }

  private storeFrame(bytes: Uint8Array): void {
    const { address, lengthBytes } = parseDescriptor(bytes);
    const frame = this.fifo.shift()!;
    const stored = frame.subarray(0, lengthBytes);
    this.dma.write(address, stored);
    this.dma.write(this.statusAddress(this.rx), descriptorStatus(stored.length, DESCRIPTOR_DONE));
    this.rx.advance();
    this.count('RX_FRAMES');
    this.cause(NIC_CAUSE.RECEIVED);
    this.receiveNext();
  }

  // Sending.

  private sendNext(): void {
    if (this.tx.step !== 'idle' || !this.tx.ready || !this.registers.has('CONTROL', 'TRANSMIT')) return;
    this.tx.step = 'descriptor';
    this.read(this.tx.descriptorAddress, DESCRIPTOR_BYTES, TX_DESCRIPTOR);
  }

  private fetchFrame(bytes: Uint8Array): void {
    const { address, lengthBytes } = parseDescriptor(bytes);
    if (lengthBytes === 0 || lengthBytes > NIC_MEMORY_BYTES) {
      this.halt(this.tx);
      return;
    }
    this.tx.step = 'data';
    this.read(address, lengthBytes, TX_DATA);
  }

  private putOnNetwork(frame: Uint8Array): void {
    this.tx.step = 'wire';
    this.sending = frame;
    this.sim.schedule(quantize(frame.length * NETWORK_NS_PER_BYTE), Priority.DEVICE, this.sentEvent, this.epoch);
  }

  private frameSent(epoch: number): void {
    if (epoch !== this.epoch || this.sending === undefined) return;
    const frame = this.sending;
    this.sending = undefined;
    for (const listener of this.senders) listener(frame);
    this.dma.write(this.statusAddress(this.tx), descriptorStatus(frame.length, DESCRIPTOR_DONE));
    this.tx.advance();
    this.count('TX_FRAMES');
    this.cause(NIC_CAUSE.SENT);
    this.sendNext();
  }

  // Common.

  private read(address: Address, lengthBytes: number, step: number): void {
    this.dma.read(address, lengthBytes, this.epoch * CONTEXTS + step);
  }

  private statusAddress(ring: NicRing): Address {
    return addressPlus(ring.descriptorAddress, DESCRIPTOR_LENGTH_AT);
  }

  /** After a failed read the ring stands still until the driver resets the card. */
  private halt(ring: NicRing): void {
    ring.step = 'halted';
    this.count('DMA_ERRORS');
    this.cause(NIC_CAUSE.DMA_ERROR);
  }

  private count(register: 'RX_FRAMES' | 'RX_DROPPED' | 'TX_FRAMES' | 'DMA_ERRORS'): void {
    this.registers.set(register, (this.registers.get(register) + 1) >>> 0);
  }

  private cause(bits: number): void {
    this.registers.or('CAUSE', bits);
    this.updateInterrupt(bits);
  }

  /** `fresh`: causes that just arose or were just unmasked. MSI tells of those; the pin follows all that stand. */
  private updateInterrupt(fresh: number): void {
    const mask = this.registers.get('MASK');
    if ((this.registers.get('CAUSE') & mask) === 0) this.interrupts.clear();
    else if ((this.registers.get('CAUSE') & mask & fresh) !== 0) this.interrupts.raise(0);
  }
}

/** Registers take 1, 2, 4 or 8 bytes, naturally aligned. */
function isRegisterAccess(offset: number, lengthBytes: number): boolean {
  return [1, 2, 4, 8].includes(lengthBytes) && offset % lengthBytes === 0;
}
