/** A driver for the NVMe disk: queues in the memory of a rig, commands in, completions out. */

import { completion } from '../../src/pcie/completion.js';
import { Nvme, type NvmeOptions } from '../../src/pcie/nvme.js';
import { ADMIN, COMMAND_BYTES, COMPLETION_BYTES, IO } from '../../src/pcie/nvme-format.js';
import { NVME_DOORBELLS_AT, type NvmeRegister, nvmeRegisters } from '../../src/pcie/nvme-registers.js';
import { addressValue, type Tlp } from '../../src/pcie/tlp.js';
import { BUS1, Rig } from './rig.js';

export const BASE = 0x8000_0000;
export const MSIX_TABLE = 0x2000;
export const MSIX_PENDING = 0x3000;
export const MSI_ADDRESS = 0xffe0_0000;
export const PAGE = 0x1000;
export const CC_ENABLED = 0x0046_0001;

const ADMIN_SQ = 0x1_0000;
const ADMIN_CQ = 0x1_2000;
export const ADMIN_ENTRIES = 8;
const RINGS = 0x2_0000;
/** A page of any size used here. */
const RING_BYTES = 0x2000;

/** A rig whose memory refuses some pages, as an IOMMU would: reads are answered UR, writes are lost. */
export class GuardedRig extends Rig {
  readonly refused = new Set<number>();

  override receive(tlp: Tlp): void {
    const page = Math.floor(Number(addressValue(tlp.addressHi, tlp.addressLo)) / PAGE);
    if (!this.refused.has(page) || (tlp.kind !== 'MRd' && tlp.kind !== 'MWr')) super.receive(tlp);
    else if (tlp.kind === 'MRd') this.port.send(completion(tlp, 0, 'UR'));
  }
}

export interface Entry {
  readonly result: number;
  readonly head: number;
  readonly queue: number;
  readonly commandId: number;
  readonly status: number;
}

export interface Command {
  readonly opcode: number;
  readonly flags?: number;
  readonly commandId?: number;
  readonly namespace?: number;
  readonly prp1?: number;
  readonly prp2?: number;
  /** From command doubleword 10 on. */
  readonly dwords?: readonly number[];
}

class Ring {
  tail = 0;
  head = 0;
  phase = 1;
  constructor(
    readonly base: number,
    readonly entries: number,
  ) {}
}

export class NvmeDriver {
  readonly r = new GuardedRig();
  readonly disk: Nvme;
  readonly submissions: Ring[] = [];
  readonly completions: Ring[] = [];
  private readonly layout;
  private readonly stride: number;
  private nextId = 0;

  constructor(options: NvmeOptions = {}) {
    this.disk = new Nvme(this.r.sim, 'disk', options);
    this.stride = options.doorbellStride ?? 0;
    this.layout = nvmeRegisters(this.stride);
    this.disk.plugInto(this.r.link);
    this.r.powerOn();
    this.place();
  }

  /** Gives the BAR its address and lets the device work. */
  place(): this {
    this.r.cfgWrite(BUS1, 0x10, 4, BASE);
    this.r.cfgWrite(BUS1, 0x14, 4, 0);
    this.r.cfgWrite(BUS1, 0x04, 2, 0x0006);
    return this;
  }

  get(name: NvmeRegister): number {
    return this.r.register(BASE + this.layout[name].at);
  }

  set(name: NvmeRegister, value: number): void {
    this.r.store(BASE + this.layout[name].at, value);
  }

  /** Admin queues set up and the controller enabled. */
  enable(configuration = CC_ENABLED): this {
    this.r.memory.fill(0, ADMIN_SQ, ADMIN_CQ + RING_BYTES);
    this.submissions.length = 0;
    this.completions.length = 0;
    this.submissions[0] = new Ring(ADMIN_SQ, ADMIN_ENTRIES);
    this.completions[0] = new Ring(ADMIN_CQ, ADMIN_ENTRIES);
    this.set('AQA', ((ADMIN_ENTRIES - 1) << 16) | (ADMIN_ENTRIES - 1));
    this.set('ASQ', ADMIN_SQ);
    this.set('ASQ_HI', 0);
    this.set('ACQ', ADMIN_CQ);
    this.set('ACQ_HI', 0);
    this.set('CC', configuration);
    this.r.run(12e6);
    return this;
  }

  /** MSI-X on, each vector with a data word of its own number. */
  enableMsiX(vectors = 4): this {
    for (let vector = 0; vector < vectors; vector++) {
      const entry = BASE + MSIX_TABLE + 16 * vector;
      this.r.store(entry, MSI_ADDRESS);
      this.r.store(entry + 8, vector);
      this.r.store(entry + 12, 0);
    }
    this.r.cfgWrite(BUS1, 0x42, 2, 0x8000);
    return this;
  }

  /** Vectors of the messages that came. */
  messages(): number[] {
    return this.r.writes.filter((tlp) => tlp.addressLo === MSI_ADDRESS).map((tlp) => tlp.data![0]!);
  }

  /** Where the rings of a queue lie. */
  ringBase(id: number, kind: 'SQ' | 'CQ'): number {
    return RINGS + (2 * id + (kind === 'SQ' ? 0 : 1)) * RING_BYTES;
  }

  createCompletionQueue(id: number, entries: number, flags = 0x3, vector = 0): Entry {
    const prp1 = this.ringBase(id, 'CQ');
    this.r.memory.fill(0, prp1, prp1 + RING_BYTES);
    const dwords = [((entries - 1) << 16) | id, ((vector << 16) | flags) >>> 0];
    const entry = this.admin({ opcode: ADMIN.CREATE_CQ, prp1, dwords });
    if (entry.status === 0) this.completions[id] = new Ring(prp1, entries);
    return entry;
  }

  createSubmissionQueue(id: number, entries: number, completionQueue = id, flags = 1): Entry {
    const prp1 = this.ringBase(id, 'SQ');
    const dwords = [((entries - 1) << 16) | id, ((completionQueue << 16) | flags) >>> 0];
    const entry = this.admin({ opcode: ADMIN.CREATE_SQ, prp1, dwords });
    if (entry.status === 0) this.submissions[id] = new Ring(prp1, entries);
    return entry;
  }

  /** A pair of queues with one number. */
  createQueues(id: number, entries: number, vector = 0): this {
    this.createCompletionQueue(id, entries, 0x3, vector);
    this.createSubmissionQueue(id, entries);
    return this;
  }

  /** Puts a command into a submission queue without ringing. Returns its id. */
  put(queue: number, command: Command): number {
    const ring = this.submissions[queue]!;
    const commandId = command.commandId ?? this.nextId++ & 0xffff;
    const bytes = new Uint8Array(COMMAND_BYTES);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, ((commandId << 16) | ((command.flags ?? 0) << 8) | command.opcode) >>> 0, true);
    view.setUint32(4, command.namespace ?? 0, true);
    view.setBigUint64(24, BigInt(command.prp1 ?? 0), true);
    view.setBigUint64(32, BigInt(command.prp2 ?? 0), true);
    for (const [i, dword] of (command.dwords ?? []).entries()) view.setUint32(40 + 4 * i, dword, true);
    this.r.memory.set(bytes, ring.base + COMMAND_BYTES * ring.tail);
    ring.tail = (ring.tail + 1) % ring.entries;
    return commandId;
  }

  ring(queue: number): void {
    this.doorbell(queue, 'SQ', this.submissions[queue]!.tail);
  }

  doorbell(queue: number, kind: 'SQ' | 'CQ', value: number): void {
    const index = 2 * queue + (kind === 'SQ' ? 0 : 1);
    this.r.store(BASE + NVME_DOORBELLS_AT + index * (4 << this.stride), value);
  }

  submit(queue: number, command: Command): number {
    const commandId = this.put(queue, command);
    this.ring(queue);
    return commandId;
  }

  /** The next completion of a queue, if there is one; taken, but not told to the device. */
  peek(queue: number): Entry | undefined {
    const ring = this.completions[queue]!;
    const at = ring.base + COMPLETION_BYTES * ring.head;
    const view = new DataView(this.r.memory.buffer, at, COMPLETION_BYTES);
    const last = view.getUint16(14, true);
    if ((last & 1) !== ring.phase) return undefined;
    ring.head = (ring.head + 1) % ring.entries;
    if (ring.head === 0) ring.phase ^= 1;
    return {
      result: view.getUint32(0, true),
      head: view.getUint16(8, true),
      queue: view.getUint16(10, true),
      commandId: view.getUint16(12, true),
      status: last >>> 1,
    };
  }

  /** All completions that stand in a queue; the device is told that they were taken. */
  take(queue: number): Entry[] {
    const entries: Entry[] = [];
    for (let entry = this.peek(queue); entry !== undefined; entry = this.peek(queue)) entries.push(entry);
    if (entries.length > 0) this.doorbell(queue, 'CQ', this.completions[queue]!.head);
    return entries;
  }

  /** Carries out one command: waits for its completion. */
  execute(queue: number, command: Command): Entry {
    const commandId = this.submit(queue, command);
    const until = this.r.sim.now + 100e6;
    while (this.r.sim.now < until) {
      this.r.run(1000);
      const [entry] = this.take(queue);
      if (entry?.commandId === commandId) return entry;
    }
    throw new Error(`command ${commandId} of queue ${queue} is not completed`);
  }

  admin(command: Command): Entry {
    return this.execute(0, command);
  }

  /** Identify and the like: the page that came back. */
  page(command: Command, at = 0x4_0000): Uint8Array {
    this.r.memory.fill(0xee, at, at + PAGE);
    const { status } = this.admin({ ...command, prp1: at });
    if (status !== 0) throw new Error(`status ${status.toString(16)}`);
    return this.r.memory.slice(at, at + PAGE);
  }
}

/** A command that moves blocks; `prp2` as the extent needs it. */
export function blockCommand(kind: 'READ' | 'WRITE', first: number, count: number, prp: readonly number[]): Command {
  const [prp1 = 0, prp2 = 0] = prp;
  const dwords = [first >>> 0, Math.floor(first / 2 ** 32), count - 1];
  return { opcode: IO[kind], namespace: 1, prp1, prp2, dwords };
}

export function pattern(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let x = (seed * 2654435761 + 1) >>> 0;
  for (let i = 0; i < length; i++) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    bytes[i] = x >>> 24;
  }
  return bytes;
}
