/**
 * The DMA engine of the educational device: one transfer at a time between host memory and a buffer of 4 KiB, begun a
 * fixed time after the command. Source: qemu hw/misc/edu.c: edu_dma_timer, dma_rw.
 *
 * Where it differs: a transfer that leaves the buffer makes QEMU stop or overwrite itself; here it does not take place,
 * and the command ends. A DMA read that fails leaves zeros in the buffer, as it does there; how it failed is kept.
 */
import type { Figure } from '../hw/figure.js';
import { Priority } from '../sim/priority.js';
import type { EventId, HandlerId, Simulator } from '../sim/simulator.js';
import { quantize } from '../sim/time.js';
import { defineTraceKind } from '../sim/trace.js';
import type { DmaRequester, ReadResult, ReadStatus } from './dma-requester.js';
import { EDU_BUFFER_AT, EDU_BUFFER_BYTES, EDU_COMMAND, type EduRegister } from './edu-registers.js';
import type { Address } from './tlp.js';

export type EduDmaRegister = Extract<EduRegister, `DMA_${string}`>;

/** How a transfer ended. Writes are posted: that one left is all there is to know. */
export type EduTransferStatus = ReadStatus | 'posted' | 'outside-buffer';

export interface EduTransfer {
  readonly direction: 'from-host' | 'to-host';
  /** In host memory, after the mask was applied. */
  readonly address: Address;
  /** Whole only below 4 GiB; more never fits the buffer. */
  readonly lengthBytes: number;
  readonly status: EduTransferStatus;
}

/** What is around the engine. */
export interface EduDmaParts {
  readonly requester: DmaRequester;
  /** Address bits the device has; others are cut off. */
  readonly mask: Address;
  readonly delay: Figure;
  /** A command has ended. */
  readonly done: (command: number) => void;
}

/** A command named bytes outside the buffer. */
export const EDU_DMA_REFUSED = defineTraceKind('edu-dma-refused', 'bufferHi', 'bufferLo', 'countHi', 'countLo');

const ZERO: Address = { hi: 0, lo: 0 };
const NO_REGISTERS: Readonly<Record<EduDmaRegister, Address>> = {
  DMA_SOURCE: ZERO,
  DMA_DESTINATION: ZERO,
  DMA_COUNT: ZERO,
  DMA_COMMAND: ZERO,
};

export class EduDma {
  /** The last transfer that ended since the reset. */
  last: EduTransfer | undefined;
  /** The device's own memory. */
  readonly buffer = new Uint8Array(EDU_BUFFER_BYTES);

  private registers: Record<EduDmaRegister, Address> = { ...NO_REGISTERS };
  private timer: EventId | undefined;
  private readonly delayOver: HandlerId;
  private readonly traceSource: number;

  constructor(
    private readonly sim: Simulator,
    name: string,
    private readonly parts: EduDmaParts,
  ) {
    this.delayOver = sim.handler(`${name} DMA`, () => this.transfer());
    this.traceSource = sim.trace.source(name);
  }

  get isRunning(): boolean {
    return (this.registers.DMA_COMMAND.lo & EDU_COMMAND.START) !== 0;
  }

  read(register: EduDmaRegister): Address {
    return this.registers[register];
  }

  /** While a command runs, nothing can be written. */
  write(register: EduDmaRegister, value: Address): void {
    if (this.isRunning) return;
    const isCommand = register === 'DMA_COMMAND';
    if (isCommand && (value.lo & EDU_COMMAND.START) === 0) return;
    this.registers[register] = value;
    if (isCommand) {
      this.timer = this.sim.schedule(quantize(this.parts.delay.value), Priority.DEVICE, this.delayOver);
    }
  }

  /** The data of a DMA read have come, or will not. */
  readDone({ status, data }: ReadResult): void {
    if (status === 'reset') return;
    this.buffer.set(data, this.registers.DMA_DESTINATION.lo - EDU_BUFFER_AT);
    this.finish(status);
  }

  reset(): void {
    if (this.timer !== undefined) this.sim.cancel(this.timer);
    this.timer = undefined;
    this.registers = { ...NO_REGISTERS };
    this.buffer.fill(0);
    this.last = undefined;
  }

  private get toHost(): boolean {
    return (this.registers.DMA_COMMAND.lo & EDU_COMMAND.TO_HOST) !== 0;
  }

  private get hostAddress(): Address {
    const { hi, lo } = this.toHost ? this.registers.DMA_DESTINATION : this.registers.DMA_SOURCE;
    const { mask } = this.parts;
    return { hi: (hi & mask.hi) >>> 0, lo: (lo & mask.lo) >>> 0 };
  }

  private transfer(): void {
    this.timer = undefined;
    const inBuffer = this.toHost ? this.registers.DMA_SOURCE : this.registers.DMA_DESTINATION;
    const { DMA_COUNT: count } = this.registers;
    if (!insideBuffer(inBuffer, count)) {
      this.sim.trace.emit(EDU_DMA_REFUSED, this.traceSource, inBuffer.hi, inBuffer.lo, count.hi, count.lo);
      this.finish('outside-buffer');
    } else if (this.toHost) this.finish(this.send(inBuffer.lo - EDU_BUFFER_AT, count.lo));
    else if (count.lo === 0) this.finish('SC');
    else this.parts.requester.read(this.hostAddress, count.lo, 0);
  }

  private send(from: number, lengthBytes: number): EduTransferStatus {
    const sent = this.parts.requester.write(this.hostAddress, this.buffer.slice(from, from + lengthBytes));
    return sent ? 'posted' : 'not-master';
  }

  private finish(status: EduTransferStatus): void {
    const direction = this.toHost ? 'to-host' : 'from-host';
    this.last = { direction, address: this.hostAddress, lengthBytes: this.registers.DMA_COUNT.lo, status };
    const { hi, lo } = this.registers.DMA_COMMAND;
    this.registers.DMA_COMMAND = { hi, lo: (lo & ~EDU_COMMAND.START) >>> 0 };
    this.parts.done(lo);
  }
}

function insideBuffer(start: Address, count: Address): boolean {
  const end = EDU_BUFFER_AT + EDU_BUFFER_BYTES;
  return start.hi === 0 && count.hi === 0 && start.lo >= EDU_BUFFER_AT && start.lo + count.lo <= end;
}
