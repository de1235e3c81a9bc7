/**
 * QEMU's educational device: a liveness check, a slow factorial, interrupts on demand, and DMA.
 * Its registers are declared in edu-registers.ts. Source: qemu docs/specs/edu.txt, hw/misc/edu.c.
 *
 * Where it differs: every reset clears the device (QEMU's forgets its configuration only), and an access that the
 * device does not take, narrower than 4 bytes or not aligned, is answered with Completer Abort.
 */
import type { Figure } from '../hw/figure.js';
import { Priority } from '../sim/priority.js';
import type { EventId, HandlerId, Simulator } from '../sim/simulator.js';
import { quantize } from '../sim/time.js';
import type { ReadResult } from './dma-requester.js';
import { EduDma, type EduTransfer } from './edu-dma.js';
import {
  EDU_COMMAND,
  EDU_DOUBLE_REGISTERS,
  EDU_IDENTIFICATION,
  EDU_INTERRUPT,
  EDU_STATUS,
  type EduRegister,
  eduRegisterAt,
} from './edu-registers.js';
import type { BarRead, BarWrite, DeviceReset } from './endpoint.js';
import type { EndpointTiming } from './endpoint-options.js';
import { PEER_IMAGES, PeerDevice } from './peer-devices.js';
import { type Address, addressOf } from './tlp.js';

export interface EduTiming {
  /** From the DMA command to the transfer. */
  readonly dmaDelayNs: Figure;
  readonly factorialNs: Figure;
  /** For each multiplication. */
  readonly multiplicationNs: Figure;
}

export const EDU_TIMING: EduTiming = {
  dmaDelayNs: { value: 100e6, known: 'stated', source: 'qemu hw/misc/edu.c: dma_rw, 100 ms' },
  factorialNs: { value: 1000, known: 'assumed', source: '(M) QEMU computes in a thread of its own, as fast as it can' },
  multiplicationNs: { value: 1, known: 'assumed', source: '(M) see factorial' },
};

/**
 * How registers stand in the BAR. A PCI device is `little`. QEMU 7.2 gives this one the order of the machine's
 * processor, which for POWER is `big`: there a load of the processor returns a register without swapping bytes.
 */
export type EduByteOrder = 'little' | 'big';

export interface EduOptions {
  /** QEMU's property of this name; the default is 28 bits. */
  readonly dmaMask?: bigint;
  readonly byteOrder?: EduByteOrder;
  readonly timing?: Partial<EduTiming & EndpointTiming>;
}

const DEFAULT_DMA_MASK = (1n << 28n) - 1n;
const ONES: Address = { hi: 0xffff_ffff, lo: 0xffff_ffff };
/** From this factorial on every one is a multiple of 2^32. */
const VANISHING_FACTORIAL = 34;

export class Edu extends PeerDevice {
  private readonly engine: EduDma;
  private readonly byteOrder: EduByteOrder;
  private readonly figures: EduTiming;
  private readonly computed: HandlerId;
  private computation: EventId | undefined;
  private liveness = 0;
  private factorial = 0;
  private status = 0;
  private interruptStatus = 0;

  constructor(sim: Simulator, name: string, options: EduOptions = {}) {
    super(sim, name, PEER_IMAGES.edu, options.timing);
    this.byteOrder = options.byteOrder ?? 'little';
    this.figures = { ...EDU_TIMING, ...options.timing };
    this.computed = sim.handler(`${name} factorial`, () => this.factorialDone());
    this.engine = new EduDma(sim, name, {
      requester: this.dma,
      mask: addressOf(options.dmaMask ?? DEFAULT_DMA_MASK),
      delay: this.figures.dmaDelayNs,
      done: (command) => this.dmaEnded(command),
    });
  }

  /** How the last DMA command since the reset ended: what the device's registers do not tell. */
  get lastTransfer(): EduTransfer | undefined {
    return this.engine.last;
  }

  /** The device's own memory, for tools. */
  peekBuffer(): Uint8Array {
    return this.engine.buffer.slice();
  }

  protected override readBar(_bar: number, offset: number, lengthBytes: number): BarRead {
    if (!isAccess(offset, lengthBytes)) return 'CA';
    const register = this.addressed(offset, lengthBytes);
    const value = register === undefined ? ONES : this.registerValue(register);
    const bytes = new Uint8Array(lengthBytes);
    const view = new DataView(bytes.buffer);
    const little = this.byteOrder === 'little';
    view.setUint32(little ? 0 : lengthBytes - 4, value.lo, little);
    if (lengthBytes === 8) view.setUint32(little ? 4 : 0, value.hi, little);
    return bytes;
  }

  protected override writeBar(_bar: number, offset: number, data: Uint8Array): BarWrite {
    if (!isAccess(offset, data.length)) return 'CA';
    const register = this.addressed(offset, data.length);
    if (register === undefined) return 'done';
    const view = new DataView(data.buffer, data.byteOffset, data.length);
    const little = this.byteOrder === 'little';
    const lo = view.getUint32(little ? 0 : data.length - 4, little);
    this.writeRegister(register, { hi: data.length === 8 ? view.getUint32(little ? 4 : 0, little) : 0, lo });
    return 'done';
  }

  protected override dmaDone(_context: number, result: ReadResult): void {
    this.engine.readDone(result);
  }

  protected override onReset(_kind: DeviceReset): void {
    if (this.computation !== undefined) this.sim.cancel(this.computation);
    this.computation = undefined;
    this.liveness = 0;
    this.factorial = 0;
    this.status = 0;
    this.interruptStatus = 0;
    this.engine.reset();
  }

  /** The register an access means; none where there is none or it does not take this size. */
  private addressed(offset: number, lengthBytes: number): EduRegister | undefined {
    return offset < EDU_DOUBLE_REGISTERS && lengthBytes !== 4 ? undefined : eduRegisterAt(offset);
  }

  private registerValue(register: EduRegister): Address {
    switch (register) {
      case 'IDENTIFICATION':
        return { hi: 0, lo: EDU_IDENTIFICATION };
      case 'LIVENESS':
        return { hi: 0, lo: this.liveness };
      case 'FACTORIAL':
        return { hi: 0, lo: this.factorial };
      case 'STATUS':
        return { hi: 0, lo: this.status };
      case 'INTERRUPT_STATUS':
        return { hi: 0, lo: this.interruptStatus };
      case 'INTERRUPT_RAISE':
      case 'INTERRUPT_ACKNOWLEDGE':
        return ONES;
      default:
        return this.engine.read(register);
    }
  }

  private writeRegister(register: EduRegister, value: Address): void {
    switch (register) {
      case 'IDENTIFICATION':
      case 'INTERRUPT_STATUS':
        return;
      case 'LIVENESS':
        this.liveness = ~value.lo >>> 0;
        return;
      case 'FACTORIAL':
        this.compute(value.lo);
        return;
      case 'STATUS':
        this.status = (this.status & ~EDU_STATUS.INTERRUPT) | (value.lo & EDU_STATUS.INTERRUPT);
        return;
      case 'INTERRUPT_RAISE':
        this.raise(value.lo);
        return;
      case 'INTERRUPT_ACKNOWLEDGE':
        this.interruptStatus = (this.interruptStatus & ~value.lo) >>> 0;
        if (this.interruptStatus === 0) this.interrupts.clear();
        return;
      default:
        this.engine.write(register, value);
    }
  }

  private compute(operand: number): void {
    if ((this.status & EDU_STATUS.COMPUTING) !== 0) return;
    this.factorial = operand;
    this.status |= EDU_STATUS.COMPUTING;
    const { factorialNs, multiplicationNs } = this.figures;
    const lengthNs = quantize(factorialNs.value + operand * multiplicationNs.value);
    this.computation = this.sim.schedule(lengthNs, Priority.DEVICE, this.computed);
  }

  private factorialDone(): void {
    this.computation = undefined;
    this.factorial = factorialOf(this.factorial);
    this.status &= ~EDU_STATUS.COMPUTING;
    if ((this.status & EDU_STATUS.INTERRUPT) !== 0) this.raise(EDU_INTERRUPT.FACTORIAL);
  }

  private dmaEnded(command: number): void {
    if ((command & EDU_COMMAND.INTERRUPT) !== 0) this.raise(EDU_INTERRUPT.DMA);
  }

  /** Raising nothing still interrupts if something stands. */
  private raise(bits: number): void {
    this.interruptStatus = (this.interruptStatus | bits) >>> 0;
    if (this.interruptStatus !== 0) this.interrupts.raise(0);
  }
}

/** Registers take 4 or 8 bytes, naturally aligned. */
function isAccess(offset: number, lengthBytes: number): boolean {
  return (lengthBytes === 4 || lengthBytes === 8) && offset % lengthBytes === 0;
}

function factorialOf(operand: number): number {
  if (operand >= VANISHING_FACTORIAL) return 0;
  let product = 1;
  for (let factor = 2; factor <= operand; factor++) product = Math.imul(product, factor);
  return product >>> 0;
}
