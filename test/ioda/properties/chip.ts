/**
 * An IODA bridge as the properties see it: what software programs into it, what devices send it, and what can be seen
 * from outside. One adapter a chip; nothing in the steps or the reference model knows which chip it is.
 */
import type { AccessSize } from '../../../src/hw/host-port.js';
import type { ErrorMessage } from '../../../src/pcie/tlp.js';

/** Where this chip's windows stand, and how many PEs it has. */
export interface ChipLayout {
  readonly peCount: number;
  /** Segments of an outbound window. */
  readonly segments: number;
  /** TCE tables of 4 KiB, one after the other. */
  readonly tceTables: number;
  readonly memoryBytes: number;
  /** The first doubleword of every device's configuration space as a 4-byte load shows it. */
  readonly deviceIdentity: bigint;
  /** Regions that initialisation fills. */
  readonly tableRegions: readonly (readonly [address: number, bytes: number])[];
  /** Where the chip writes down by itself why PEs froze, if it does so in memory. */
  readonly stateRegion: readonly [address: number, bytes: number];
  readonly m32: { readonly base: number; readonly segmentBytes: number; readonly pciStart: number };
  readonly m64: { readonly base: number; readonly segmentBytes: number };
  /** What a configuration cycle to a frozen PE meets. */
  readonly configOfFrozen: 'passes' | 'is blocked';
  /** Whether a write of the summary words lasts until the PE changes. */
  readonly summaryWrites: 'last' | 'have no effect';
}

export type Answer = 'data' | 'UR' | 'CA' | 'nothing';
export type Half = 'mmio' | 'dma';
export type Direction = 'read' | 'write';

/** A data access to memory that the chip made. */
export interface MemoryAccess {
  readonly direction: Direction;
  readonly address: number;
  readonly length: number;
}

/** What one operation showed outside the chip. */
export interface Observation {
  /** What the processor got. */
  readonly answer: bigint | undefined;
  /** Packets that left the bridge, one line each; the pieces of one completion joined. */
  readonly sent: readonly string[];
  /** Accesses to memory outside of the tables. */
  readonly moved: readonly MemoryAccess[];
  /** Every range of memory the chip wrote, tables too. */
  readonly written: readonly MemoryAccess[];
  /** Message interrupts presented, by source number. */
  readonly interrupts: readonly number[];
}

export interface DmaRequest {
  readonly rid: number;
  readonly direction: Direction;
  readonly address: bigint;
  readonly length: number;
  /** First data byte of a write; each following one is one more. */
  readonly seed: number;
  readonly poisoned: boolean;
}

export interface MsiRequest {
  readonly rid: number;
  readonly isn: number;
  readonly bits: 32 | 64;
}

export interface InjectionRequest {
  readonly kind: 'mmio' | 'config' | 'dma';
  readonly direction: Direction;
  readonly address: bigint;
  readonly mask: bigint;
  readonly sticky: boolean;
}

export interface IodaChip {
  readonly layout: ChipLayout;

  // Software.
  setRte(rid: number, rte: number): void;
  invalidateRtc(rid: number | 'all'): void;
  setPeltv(pe: number, row: readonly number[]): void;
  setTve(index: number, value: bigint): void;
  /** A DMA window of one level and 4 KiB pages for this requester; its first PCI address. */
  openWindow(window: { readonly pe: number; readonly rid: number; readonly table: number }): bigint;
  setTce(address: number, value: bigint): void;
  killTces(scope: { readonly pe: number | 'all'; readonly address?: bigint }): void;
  setM32Segment(segment: number, pe: number): void;
  /** A window of one PE over the segment of the same number, before the shared window; `off` removes it. */
  setOverlay(state: 'on' | 'off', segment: number, pe: number): void;
  setVector(isn: number, vector: { readonly pe: number; readonly priority: number }): void;
  setFreeze(pe: number, half: Half, frozen: boolean): void;
  writeSummary(word: number, value: bigint): void;
  clearErrors(): void;
  inject(injection: InjectionRequest): void;
  forceFence(): void;
  /** Complete reset and initialisation, as firmware does it. */
  reset(): void;

  // Operations that are observed.
  load(address: number, size: AccessSize, answer: Answer): Observation;
  store(address: number, size: AccessSize, value: bigint): Observation;
  configRead(rid: number, pe: number, answer: Answer): Observation;
  configWrite(rid: number, pe: number, answer: Answer): Observation;
  dma(request: DmaRequest): Observation;
  msi(request: MsiRequest): Observation;
  errorMessage(rid: number, kind: ErrorMessage): Observation;
  pinMessage(rid: number, pin: number, asserted: boolean): Observation;
  strayCompletion(tag: number): Observation;
  /** The link drops and comes up again; `planned`: software has switched its port event off. */
  dropLink(kind: 'planned' | 'surprise'): Observation;

  // What can be seen without side effects.
  /** DMA windows that initialisation leaves open. */
  initialTves(): readonly (readonly [index: number, value: bigint])[];
  /** One half of the state of a PE as the chip holds it. */
  pestWord(pe: number, half: Half): bigint;
  frozen(pe: number, half: Half): boolean;
  summaryWord(word: number): bigint;
  localErrors(): bigint;
  isFenced(): boolean;
  /** A vector as it stands in memory; empty if vectors are on the chip. */
  heldVector(isn: number): Uint8Array;
  /** What the chip and its tables in memory hold of a PE, and of an interrupt vector. */
  stateOf(what: { readonly pe: number } | { readonly isn: number }): string;
  memory(address: number, length: number): Uint8Array;
  digest(): string;
}
