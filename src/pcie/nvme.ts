/**
 * An NVMe disk with its queues in host memory: one namespace, MSI-X or the pin, every transfer by DMA of its own.
 * Registers are declared in nvme-registers.ts; configuration space is that of QEMU's nvme. Source: NVM Express 1.2,
 * 3.1, 7.3, 7.6. Where the specification leaves a choice to the controller, the choice is (M).
 */
import type { Figure } from '../hw/figure.js';
import { Priority } from '../sim/priority.js';
import type { EventId, HandlerId, Simulator } from '../sim/simulator.js';
import { quantize } from '../sim/time.js';
import { ConfigSpace } from './config-space.js';
import type { ReadResult } from './dma-requester.js';
import { type BarRead, type BarWrite, type DeviceReset, littleEndian, littleEndianBytes } from './endpoint.js';
import type { EndpointTiming } from './endpoint-options.js';
import { NvmeAdmin } from './nvme-admin.js';
import { ASYNC_EVENT, NvmeAsyncEvents } from './nvme-async-events.js';
import { NvmeBlocks } from './nvme-blocks.js';
import { NvmeData } from './nvme-data.js';
import { NvmeEngine } from './nvme-engine.js';
import { NvmeFeatures } from './nvme-features.js';
import { COMMAND_BYTES, COMPLETION_BYTES } from './nvme-format.js';
import type { NvmeCounters } from './nvme-identify.js';
import { NvmeIo } from './nvme-io.js';
import { NvmeMemory } from './nvme-memory.js';
import { ADMIN_QUEUE, CompletionQueue, type NvmeRun, SubmissionQueue } from './nvme-queues.js';
import {
  doorbellAt,
  doorbellPairs,
  NVME_CSTS,
  NVME_DOORBELLS_AT,
  NVME_DOORBELLS_END,
  NVME_LARGEST_PAGE_CODE,
  NVME_LARGEST_STRIDE,
  NVME_SHUTDOWN,
  NVME_SMALLEST_PAGE,
  type NvmeRegister,
  nvmeRegisters,
} from './nvme-registers.js';
import { PEER_IMAGES, PeerDevice } from './peer-devices.js';
import type { Address } from './tlp.js';

export interface NvmeTiming {
  readonly enableNs: Figure;
  readonly disableNs: Figure;
  readonly shutdownNs: Figure;
  /** From the arrival of a command until it is carried out. */
  readonly commandNs: Figure;
  readonly mediaReadNs: Figure;
  readonly mediaWriteNs: Figure;
  readonly flushNs: Figure;
}

const FLASH = '(M) of the order of flash behind a controller';
const WITHIN_TIMEOUT = '(M) well within CAP.TO, 7.5 s';

export const NVME_TIMING: NvmeTiming = {
  enableNs: { value: 10e6, known: 'assumed', source: WITHIN_TIMEOUT },
  disableNs: { value: 1e6, known: 'assumed', source: WITHIN_TIMEOUT },
  shutdownNs: { value: 10e6, known: 'assumed', source: FLASH },
  commandNs: { value: 1000, known: 'assumed', source: '(M) firmware or logic of the controller' },
  mediaReadNs: { value: 80e3, known: 'assumed', source: FLASH },
  mediaWriteNs: { value: 20e3, known: 'assumed', source: '(M) into a buffer that survives a loss of power' },
  flushNs: { value: 5e3, known: 'assumed', source: '(M) there is nothing to flush' },
};

export interface NvmeOptions {
  /** Blocks of 512 bytes; default 1 GiB of them. */
  readonly blocks?: number;
  /** CAP.DSTRD, 0 to 3: doorbells stand 4 shifted left by this apart. */
  readonly doorbellStride?: 0 | 1 | 2 | 3;
  readonly serialNumber?: string;
  readonly timing?: Partial<NvmeTiming & EndpointTiming>;
}

const DEFAULT_BLOCKS = 2 ** 21;
const MOST_IO_QUEUES = 64;

export class Nvme extends PeerDevice {
  readonly registers: ConfigSpace<NvmeRegister>;
  /** What is stored on the disk; resets leave it alone. */
  readonly blocks: NvmeBlocks;

  private readonly stride: number;
  private readonly figures: NvmeTiming;
  private readonly memory: NvmeMemory;
  private readonly engine: NvmeEngine;
  private readonly data: NvmeData;
  private readonly features: NvmeFeatures;
  private readonly events: NvmeAsyncEvents;
  private readonly admin: NvmeAdmin;
  private readonly io: NvmeIo;
  private readonly changed: HandlerId;
  /** A change of state under way: enabling, disabling or shutting down. */
  private change: EventId | undefined;
  private maskedVectors = 0;

  constructor(sim: Simulator, name: string, options: NvmeOptions = {}) {
    super(sim, name, PEER_IMAGES.nvme, options.timing);
    this.stride = Math.min(options.doorbellStride ?? 0, NVME_LARGEST_STRIDE);
    this.figures = { ...NVME_TIMING, ...options.timing };
    this.registers = new ConfigSpace(`${name} registers`, nvmeRegisters(this.stride));
    this.blocks = new NvmeBlocks(options.blocks ?? DEFAULT_BLOCKS);
    this.memory = new NvmeMemory(this.dma);
    this.engine = this.makeEngine();
    this.data = new NvmeData(this.engine, this.memory);
    this.features = new NvmeFeatures(Math.min(MOST_IO_QUEUES, doorbellPairs(this.stride) - 1));
    this.events = new NvmeAsyncEvents(this.engine);
    const counters: NvmeCounters = { blocksRead: 0, blocksWritten: 0, readCommands: 0, writeCommands: 0 };
    this.admin = this.makeAdmin(counters, options.serialNumber ?? name);
    this.io = this.makeIo(counters);
    this.changed = sim.handler(`${name} state`, () => this.changeDone());
    this.registers.hook('CC', { onWrite: (_value, old) => this.configurationWritten(old) });
    this.registers.hook('INTMS', { onWrite: (_value, _old, bits) => this.maskVectors(this.maskedVectors | bits) });
    this.registers.hook('INTMC', { onWrite: (_value, _old, bits) => this.maskVectors(this.maskedVectors & ~bits) });
  }

  private makeEngine(): NvmeEngine {
    return new NvmeEngine(this.sim, this.name, {
      memory: this.memory,
      commandNs: this.figures.commandNs.value,
      execute: (run: NvmeRun) => (run.queue.ring.id === ADMIN_QUEUE ? this.admin : this.io).execute(run),
      completed: (queue) => this.completed(queue),
      failed: () => this.fail(),
      invalidDoorbell: (what) =>
        this.events.happened(
          what === 'register' ? ASYNC_EVENT.INVALID_DOORBELL_REGISTER : ASYNC_EVENT.INVALID_DOORBELL_VALUE,
        ),
    });
  }

  private makeAdmin(counters: NvmeCounters, serialNumber: string): NvmeAdmin {
    const { engine, data, features, events, blocks, config } = this;
    return new NvmeAdmin({
      ...{ engine, data, features, events, blocks, counters },
      identity: {
        vendorId: config.get('VENDOR_ID'),
        subsystemVendorId: config.get('SUBSYSTEM_VENDOR'),
        serialNumber,
        model: 'phbsim NVMe disk',
        firmware: '1.0',
      },
      vectors: () => (this.interrupts.msiXEnabled ? this.interrupts.msiX!.count : 1),
      entrySizesFit: () =>
        2 ** this.registers.field('CC', 'IOSQES') === COMMAND_BYTES &&
        2 ** this.registers.field('CC', 'IOCQES') === COMPLETION_BYTES,
    });
  }

  private makeIo(counters: NvmeCounters): NvmeIo {
    const { engine, data, blocks, figures } = this;
    const media = {
      readNs: figures.mediaReadNs.value,
      writeNs: figures.mediaWriteNs.value,
      flushNs: figures.flushNs.value,
    };
    return new NvmeIo({ engine, data, blocks, counters, media });
  }

  // Accesses.

  protected override readBar(bar: number, offset: number, lengthBytes: number): BarRead {
    const vectors = this.interrupts.msiX?.read(bar, offset, lengthBytes);
    if (vectors !== undefined) return vectors;
    if (!isAccess(offset, lengthBytes)) return 'CA';
    const out = new Uint8Array(lengthBytes);
    for (let at = 0; at < lengthBytes && offset + at < NVME_DOORBELLS_AT; at += 4) {
      out.set(littleEndianBytes(this.registers.read(offset + at, 4), 4), at);
    }
    return out;
  }

  protected override writeBar(bar: number, offset: number, data: Uint8Array): BarWrite {
    const vectors = this.interrupts.msiX?.write(bar, offset, data);
    if (vectors !== undefined) return vectors;
    if (!isAccess(offset, data.length)) return 'CA';
    if (offset >= NVME_DOORBELLS_AT) this.doorbell(offset, data);
    else {
      for (let at = 0; at < data.length; at += 4) {
        this.registers.write(offset + at, 4, littleEndian(data.subarray(at, at + 4)));
      }
    }
    return 'done';
  }

  protected override dmaDone(context: number, result: ReadResult): void {
    this.memory.readDone(context, result);
  }

  protected override onReset(_kind: DeviceReset): void {
    this.cancelChange();
    this.registers.reset('fundamental');
    this.forget();
  }

  /** Doorbells take 4 bytes, and are none while the controller is not ready. */
  private doorbell(offset: number, data: Uint8Array): void {
    if (offset >= NVME_DOORBELLS_END || data.length !== 4 || !this.registers.has('CSTS', 'RDY')) return;
    const bell = doorbellAt(offset, this.stride);
    const value = littleEndian(data) & 0xffff;
    if (bell === undefined) this.events.happened(ASYNC_EVENT.INVALID_DOORBELL_REGISTER);
    else if (bell.of === 'SQ') this.engine.submissionDoorbell(bell.queue, value);
    else {
      this.engine.completionDoorbell(bell.queue, value);
      this.updatePin();
    }
  }

  // Enabling, disabling, shutting down.

  private configurationWritten(old: number): void {
    const wasEnabled = (old & this.registers.mask('CC', 'EN')) !== 0;
    const isEnabled = this.registers.has('CC', 'EN');
    if (isEnabled && !wasEnabled) this.changeIn(this.figures.enableNs);
    else if (!isEnabled && wasEnabled) this.disable();
    const asked = this.registers.field('CC', 'SHN');
    const wasAsked = (old & this.registers.mask('CC', 'SHN')) !== 0;
    if (isEnabled && !wasAsked && (asked === NVME_SHUTDOWN.NORMAL || asked === NVME_SHUTDOWN.ABRUPT)) this.shutDown();
  }

  /** Controller reset: everything but the admin queues' place and what PCI owns goes back to its reset state. */
  private disable(): void {
    this.forget();
    this.registers.clear('CSTS', NVME_CSTS.CFS | NVME_CSTS.SHST);
    this.changeIn(this.figures.disableNs);
  }

  private shutDown(): void {
    this.engine.shutDown();
    this.registers.setField('CSTS', 'SHST', NVME_SHUTDOWN.UNDER_WAY);
    this.changeIn(this.figures.shutdownNs);
  }

  private changeIn({ value }: Figure): void {
    this.cancelChange();
    this.change = this.sim.schedule(quantize(value), Priority.DEVICE, this.changed);
  }

  private cancelChange(): void {
    if (this.change !== undefined) this.sim.cancel(this.change);
    this.change = undefined;
  }

  private changeDone(): void {
    this.change = undefined;
    if (!this.registers.has('CC', 'EN')) this.registers.clear('CSTS', NVME_CSTS.RDY);
    else if (this.registers.field('CSTS', 'SHST') === NVME_SHUTDOWN.UNDER_WAY) {
      this.registers.setField('CSTS', 'SHST', NVME_SHUTDOWN.COMPLETE);
    } else if (this.configurationFits()) this.start();
    else this.fail();
  }

  /** What the controller cannot work with: 3.1.5, 3.1.8. */
  private configurationFits(): boolean {
    const { registers } = this;
    const pageCode = registers.field('CC', 'MPS');
    if (pageCode > NVME_LARGEST_PAGE_CODE) return false;
    const misaligned = (registers.get('ASQ') | registers.get('ACQ')) % (NVME_SMALLEST_PAGE << pageCode) !== 0;
    if (misaligned || registers.field('AQA', 'ASQS') === 0 || registers.field('AQA', 'ACQS') === 0) return false;
    return registers.field('CC', 'CSS') === 0 && registers.field('CC', 'AMS') === 0;
  }

  private start(): void {
    const { registers, engine } = this;
    this.data.pageBytes = NVME_SMALLEST_PAGE << registers.field('CC', 'MPS');
    const completions = new CompletionQueue(this.adminRing('ACQ'), 0);
    engine.queues.addCompletion(completions);
    engine.queues.addSubmission(new SubmissionQueue(this.adminRing('ASQ'), completions));
    engine.start();
    registers.or('CSTS', NVME_CSTS.RDY);
  }

  private adminRing(which: 'ASQ' | 'ACQ'): { id: number; base: Address; entries: number } {
    const base = { hi: this.registers.get(`${which}_HI`), lo: this.registers.get(which) };
    return { id: ADMIN_QUEUE, base, entries: this.registers.field('AQA', `${which}S`) + 1 };
  }

  /** Queues, commands, features, masks: all that software built up. */
  private forget(): void {
    this.engine.reset();
    this.events.reset();
    this.features.reset();
    this.maskedVectors = 0;
    this.registers.set('INTMS', 0);
    this.registers.set('INTMC', 0);
    this.interrupts.clear();
  }

  /** The controller has lost its way; only a reset helps. */
  private fail(): void {
    this.events.reset();
    this.registers.or('CSTS', NVME_CSTS.CFS);
    this.interrupts.clear();
  }

  // Interrupts.

  private completed(queue: CompletionQueue): void {
    if (!this.interrupts.msiXEnabled) this.updatePin();
    else if (queue.vector !== undefined) this.interrupts.raise(queue.vector);
  }

  private maskVectors(mask: number): void {
    this.maskedVectors = mask >>> 0;
    this.registers.set('INTMS', this.maskedVectors);
    this.registers.set('INTMC', this.maskedVectors);
    this.updatePin();
  }

  /** The pin is up while a queue whose vector is not masked holds completions that software has not taken: 7.5.1.1. */
  private updatePin(): void {
    const wanted = this.engine.queues.allCompletions.some(
      (queue) => queue.vector !== undefined && queue.unconsumed > 0 && !this.isMasked(queue.vector),
    );
    if (!wanted) this.interrupts.clear();
    else if (!this.interrupts.msiXEnabled) this.interrupts.raise(0);
  }

  private isMasked(vector: number): boolean {
    return vector < 32 && (this.maskedVectors & (1 << vector)) !== 0;
  }
}

/** Registers take 4 or 8 bytes, naturally aligned. */
function isAccess(offset: number, lengthBytes: number): boolean {
  return (lengthBytes === 4 || lengthBytes === 8) && offset % lengthBytes === 0;
}
