/** What tools must know of a chip of bridges: its moments in the trace, its registers, what it leaves behind in a freeze. */
import type { MessageWrite } from '../faults/target.js';
import type { FieldSpec } from '../hw/bits.js';
import type { ErrorEventName as Ioda1EventName } from '../ioda1/error-bits/events.js';
import type { ErrorEventName as Ioda2EventName } from '../ioda2/error-bits/events.js';
import type { TimeNs } from '../sim/time.js';
import type { TraceKind } from '../sim/trace.js';
import type { MachineOptions, PowerMachine } from './machine.js';
import type { TimingProfile } from './timing-profile.js';

/** Error events of any chip; those of one name mean the same. */
export type ErrorEventName = Ioda1EventName | Ioda2EventName;

/** Kinds of trace records by what they tell. */
export interface ChipMoments {
  /** Event, PE, requester, address in two halves. */
  readonly errorRaised: TraceKind;
  readonly eventNames: readonly ErrorEventName[];
  /** PE, half, frozen or not. */
  readonly peFreeze: TraceKind;
  readonly fenced: TraceKind;
  /** The whole bridge: 1 held, 0 released. */
  readonly bridgeReset: TraceKind;
  /** Of the chip above the bridges: a unit by its bit in the global macro, and error bits in two halves. */
  readonly unitError?: TraceKind;
  readonly hubDead?: TraceKind;
}

/** Names registers for whoever watches software use them. */
export interface RegisterSight {
  /** The register at an address of the processor: of the PHB, or of what stands above it. */
  atAddress(phb: number, address: number): string | undefined;
  /** The register behind a SCOM access; undefined for one that only leads to another. */
  atScom(phb: number, scom: number, value: bigint): string | undefined;
  tableOf(selector: number): string | undefined;
  /** Fields of the register that selects a table entry. */
  readonly select: Readonly<Record<'table' | 'index' | 'step', FieldSpec>>;
}

export interface Chip<M extends PowerMachine = PowerMachine> {
  readonly mostPhbs: number;
  readonly timing: TimingProfile;
  build(options: MachineOptions): M;
  /** What a report says the machine is. */
  describe(phbs: number): string;
  readonly moments: ChipMoments;
  sight(machine: M): RegisterSight;
  /** Name of a unit of the chip above the bridges, by its bit in the global error macro. */
  unitName(gemBit: number): string;
  /** Names of the single causes in a PE's state. */
  causesOf(pestA: bigint, pestB: bigint): readonly string[];
  /** What a device writes to raise message `vector`, by entry `mve` of the filter where there is one. */
  message(vector: number, mve: number): MessageWrite;
  /** The DMA window that an address of a PE goes to. */
  dmaWindow(pe: number, address: bigint): number;
  readonly reset: {
    /** What holds the cards below a bridge in reset: PERST, and slot power where software switches it. */
    lines(machine: M, phb: number): readonly ResetLine[];
    /** A reset of the whole bridge ends in a fundamental one, which is part of it if it comes within this time. */
    readonly partOfWholeNs: TimeNs;
  };
}

export interface ResetLine {
  /** Of the register that drives it, by every way. */
  readonly addresses: readonly number[];
  /** Its bit there: a fundamental reset begins when it goes from 1 to 0. */
  readonly released: FieldSpec;
}
