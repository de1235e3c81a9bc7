/**
 * What firmware's generic entry points ask of a bridge's driver. An operation that a chip does not have is absent, and
 * the call on it unsupported. Operations are generators: nothing happens before they run with the PHB's lock held.
 * Source: skiboot include/pci.h: struct phb_ops. Facts: opal-pci 1.3.
 */
import type { Process } from '../sim/process.js';
import type { HubNode, PhbNode, PublishingFacts } from './device-tree.js';
import type {
  DmaWindow,
  InjectRequest,
  MemWindow,
  MmioSegment,
  MsiRequest,
  RealDmaWindow,
  SetPeRequest,
  TceKill,
} from './opal-requests.js';
import type { DiagResult, MsiMessage, NextError, Routing, SourceResult, Xive } from './opal-results.js';
import type { PciHost } from './pci-host.js';
import type { Slot } from './slot.js';

export interface PhbDriver extends PciHost {
  /** The slot of the PHB itself: everything below the root port. */
  readonly slot: Slot;
  /** Initialisation failed: only a complete reset is of any use. */
  readonly broken: boolean;
  readonly interrupts: InterruptSource;
  /** Bytes of its diagnostic data. */
  readonly diagDataBytes: number;
  /** What firmware publishes of it. */
  node(facts: PublishingFacts): PhbNode;
  /** What a message about it names it by. */
  readonly publishedAs: object;

  setPe?(request: SetPeRequest): Process<number>;
  setPeltv?(parentPe: number, childPe: number, action: number): Process<number>;
  mapPeMmioWindow?(request: MmioSegment): Process<number>;
  setPhbMemWindow?(request: MemWindow): Process<number>;
  phbMmioEnable?(type: number, window: number, enable: number): Process<number>;
  mapPeDmaWindow?(request: DmaWindow): Process<number>;
  mapPeDmaWindowReal?(request: RealDmaWindow): Process<number>;
  tceKill?(request: TceKill): Process<number>;
  setCapiMode?(mode: number, pe: number): Process<number>;
  setMve?(mve: number, pe: number): Process<number>;
  setMveEnable?(mve: number, state: number): Process<number>;

  freezeSet?(pe: number, action: number): Process<number>;
  nextError?(): Process<NextError>;
  diagData?(length: number): Process<DiagResult>;
  injectError?(request: InjectRequest): Process<number>;
  /** Disarms an injection. */
  resetErrors?(): Process<number>;
  resetTables?(): Process<number>;
  reinit?(scope: number, data: number): Process<number>;

  setXivePe?(pe: number, xive: number): Process<number>;
  xiveSource?(xive: number): Process<SourceResult>;
  msi32?(request: MsiRequest): Process<MsiMessage>;
  msi64?(request: MsiRequest): Process<MsiMessage>;
  msiEoi?(irq: number): Process<number>;
}

/** Interrupts of one unit, by their global numbers. Source: skiboot include/interrupts.h: struct irq_source. */
export interface InterruptSource {
  owns(irq: number): boolean;
  setXive(irq: number, routing: Routing): Process<number>;
  getXive(irq: number): Xive;
  /** Those that an operating system hands back to firmware. */
  readonly firmwareOwned: readonly number[];
  /** One of these fired. */
  interrupt(irq: number): Process<void>;
}

/** A chip that bridges hang off, where the machine has such. Source: skiboot include/io.h: struct io_hub. */
export interface HubDriver {
  readonly id: number;
  readonly interrupts: InterruptSource;
  /** What firmware publishes of it. */
  node(facts: PublishingFacts): HubNode;
  diagData?(length: number): Process<DiagResult>;
}
