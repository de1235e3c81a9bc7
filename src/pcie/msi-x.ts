/**
 * MSI-X: its capability, and the table of vectors and pending bits that a device has in one of its BARs.
 * Source: PCI Local Bus 3.0 6.8.2, 6.8.3.
 */
import { CapabilityId, type CapabilityPlace } from './capabilities.js';
import type { ConfigLayout, ConfigSpace } from './config-space.js';
import type { Address } from './tlp.js';

export type MsiXRegister = 'MSIX_CAP' | 'MSIX_CONTROL' | 'MSIX_TABLE' | 'MSIX_PBA';

/** Where in which BAR a structure begins, a multiple of 8. */
export interface MsiXPlace {
  readonly bar: 0 | 1 | 2 | 3 | 4 | 5;
  readonly at: number;
}

export interface MsiXSpec extends CapabilityPlace {
  /** 1 to 2048. */
  readonly vectors: number;
  readonly table: MsiXPlace;
  readonly pending: MsiXPlace;
}

export const MSIX_CONTROL_FIELDS = { LAST_VECTOR: 0x07ff, FUNCTION_MASK: 0x4000, ENABLE: 0x8000 } as const;
const PLACE_FIELDS = { BAR: 0x0000_0007, OFFSET: 0xffff_fff8 } as const;

export function msiXCapability(spec: MsiXSpec): ConfigLayout<MsiXRegister> {
  const { at, next, vectors, table, pending } = spec;
  return {
    MSIX_CAP: { at, size: 2, reset: (next << 8) | CapabilityId.MSIX, about: 'MSI-X capability' },
    MSIX_CONTROL: {
      at: at + 2,
      size: 2,
      reset: vectors - 1,
      writable: MSIX_CONTROL_FIELDS.ENABLE | MSIX_CONTROL_FIELDS.FUNCTION_MASK,
      fields: MSIX_CONTROL_FIELDS,
      about: 'enable, mask of all vectors, vectors - 1',
    },
    MSIX_TABLE: {
      at: at + 4,
      size: 4,
      reset: table.at + table.bar,
      fields: PLACE_FIELDS,
      about: 'BAR and offset of the vectors',
    },
    MSIX_PBA: {
      at: at + 8,
      size: 4,
      reset: pending.at + pending.bar,
      fields: PLACE_FIELDS,
      about: 'BAR and offset of the pending bits',
    },
  };
}

/** Words of one table entry. */
const ENTRY_BYTES = 16;
const ENTRY_WORDS = 4;
const ADDRESS = 0;
const ADDRESS_UPPER = 1;
const DATA = 2;
const CONTROL = 3;
const MASKED = 0x1;
/** What software can write of each word. */
const WRITABLE: readonly number[] = [0xffff_fffc, 0xffff_ffff, 0xffff_ffff, MASKED];
/** Pending bits stand in doublewords of 64. */
const PENDING_GROUP = 64;

/** Sends one message: a write of 4 bytes. */
export type MessageSender = (address: Address, data: number) => void;

interface Region {
  readonly bar: number;
  readonly at: number;
  readonly words: Uint32Array;
}

export class MsiXVectors {
  private readonly config: ConfigSpace<MsiXRegister>;
  private readonly table: Region;
  private readonly pending: Region;

  /** The layout of `config` has the capability. */
  constructor(
    config: ConfigSpace,
    private readonly send: MessageSender,
  ) {
    this.config = config;
    this.table = this.region('MSIX_TABLE', this.count * ENTRY_WORDS);
    this.pending = this.region('MSIX_PBA', (Math.ceil(this.count / PENDING_GROUP) * PENDING_GROUP) / 32);
    this.reset();
  }

  get count(): number {
    return this.config.field('MSIX_CONTROL', 'LAST_VECTOR') + 1;
  }

  get enabled(): boolean {
    return this.config.has('MSIX_CONTROL', 'ENABLE');
  }

  /** An event: its message goes out, or waits as a pending bit while the vector or the function is masked. */
  raise(vector: number): void {
    if (vector >= this.count) return;
    this.pending.words[vector >>> 5]! |= 1 << (vector & 31);
    this.sendPending(vector);
  }

  /** What raised the vector is gone before its message was sent. */
  withdraw(vector: number): void {
    this.pending.words[vector >>> 5]! &= ~(1 << (vector & 31));
  }

  /** Sends what no mask holds back any more: after a write to the control register. */
  update(): void {
    for (let vector = 0; vector < this.count; vector++) this.sendPending(vector);
  }

  /** A load from the BAR; `undefined` outside both structures. They take aligned accesses of 4 or 8 bytes. */
  read(bar: number, offset: number, lengthBytes: number): Uint8Array | 'CA' | undefined {
    const region = this.regionAt(bar, offset);
    if (region === undefined) return undefined;
    if (!isAccess(offset, lengthBytes)) return 'CA';
    const bytes = new Uint8Array(lengthBytes);
    const view = new DataView(bytes.buffer);
    const first = (offset - region.at) / 4;
    for (let i = 0; i < lengthBytes / 4; i++) view.setUint32(4 * i, region.words[first + i]!, true);
    return bytes;
  }

  /** A store to the BAR, likewise. Pending bits are read-only. */
  write(bar: number, offset: number, data: Uint8Array): 'done' | 'CA' | undefined {
    const region = this.regionAt(bar, offset);
    if (region === undefined) return undefined;
    if (!isAccess(offset, data.length)) return 'CA';
    if (region === this.pending) return 'done';
    const view = new DataView(data.buffer, data.byteOffset, data.length);
    const first = (offset - region.at) / 4;
    for (let i = 0; i < data.length / 4; i++) {
      region.words[first + i] = view.getUint32(4 * i, true) & WRITABLE[(first + i) % ENTRY_WORDS]!;
    }
    this.sendPending(Math.floor((offset - region.at) / ENTRY_BYTES));
    return 'done';
  }

  /** Every vector masked and without an address, nothing pending. */
  reset(): void {
    this.table.words.fill(0);
    this.pending.words.fill(0);
    for (let vector = 0; vector < this.count; vector++) this.table.words[ENTRY_WORDS * vector + CONTROL] = MASKED;
  }

  private sendPending(vector: number): void {
    const isPending = (this.pending.words[vector >>> 5]! & (1 << (vector & 31))) !== 0;
    if (!isPending || !this.enabled || this.config.has('MSIX_CONTROL', 'FUNCTION_MASK')) return;
    const entry = this.table.words.subarray(ENTRY_WORDS * vector, ENTRY_WORDS * (vector + 1));
    if ((entry[CONTROL]! & MASKED) !== 0) return;
    this.withdraw(vector);
    this.send({ hi: entry[ADDRESS_UPPER]!, lo: entry[ADDRESS]! }, entry[DATA]!);
  }

  private region(register: 'MSIX_TABLE' | 'MSIX_PBA', words: number): Region {
    const at = (this.config.get(register) & PLACE_FIELDS.OFFSET) >>> 0;
    return { bar: this.config.field(register, 'BAR'), at, words: new Uint32Array(words) };
  }

  private regionAt(bar: number, offset: number): Region | undefined {
    return [this.table, this.pending].find(
      (region) => region.bar === bar && offset >= region.at && offset < region.at + region.words.byteLength,
    );
  }
}

function isAccess(offset: number, lengthBytes: number): boolean {
  return (lengthBytes === 4 || lengthBytes === 8) && offset % lengthBytes === 0;
}
