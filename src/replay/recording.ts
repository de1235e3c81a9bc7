/**
 * A recording: what firmware and operating system did to the chips of a machine, access by access, as plain records.
 * Readers for the forms it comes in stand beside this file; nothing here knows how a chip behaves.
 */
import type { AccessSize } from '../hw/host-port.js';

/** The register windows of one PHB as recorders name them: MMIO page, PBCQ nest, PBCQ PCI, and the SCOM side of the PHB. */
export type WindowName = 'phb' | 'nest' | 'pci' | 'spci';

export interface RecordedAccess {
  readonly kind: 'access';
  /** Microseconds since the recording began. */
  readonly timeUs: number;
  readonly direction: 'read' | 'write';
  readonly window: WindowName;
  /** Number of the PHB on its chip. */
  readonly phb: number;
  /** Byte offset in the MMIO page, register number in an XSCOM window. */
  readonly offset: number;
  readonly size: AccessSize;
  readonly value: bigint;
  /** PHB register that an access to the ASB data register reached. */
  readonly asbOffset?: number;
  /** Line of the input, for messages. */
  readonly line: number;
}

/** An access to a chip that has no model here: it can only be counted. */
export interface ForeignAccess {
  readonly kind: 'foreign';
  readonly timeUs: number;
  /** Chip and register, as the recording calls them. */
  readonly what: string;
  readonly line: number;
}

/** Memory as the recorder found it at this moment: software wrote it, or the chip did. */
export interface RecordedMemory {
  readonly kind: 'memory';
  readonly timeUs: number;
  readonly address: number;
  readonly bytes: Uint8Array;
  readonly line: number;
}

/** Something outside the recorded software reached into the machine: an operator's injection, by bus address. */
export interface RecordedIntervention {
  readonly kind: 'intervention';
  readonly timeUs: number;
  readonly address: number;
  readonly value: bigint;
  readonly line: number;
}

/** A console line, a mark between steps, a call or an interrupt: context for people. */
export interface RecordedNote {
  readonly kind: 'note';
  readonly timeUs: number;
  readonly text: string;
}

export type RecordedStep = RecordedAccess | ForeignAccess | RecordedMemory | RecordedIntervention | RecordedNote;

export interface Recording {
  readonly name: string;
  /** Who was recorded driving what. */
  readonly source: string;
  /**
   * `binding`: values read came from a model of the chip and are compared.
   * `advisory`: they came from a flat register file and prove nothing about the chip.
   */
  readonly values: 'binding' | 'advisory';
  readonly steps: readonly RecordedStep[];
}

/** The input is no recording, or a line of it makes no sense. */
export class RecordingError extends Error {
  override readonly name = 'RecordingError';
  constructor(
    readonly file: string,
    readonly line: number,
    problem: string,
    remedy: string,
  ) {
    super(`${file}:${line}  ${problem}\n   ${remedy}`);
  }
}

export function isAccess(step: RecordedStep): step is RecordedAccess {
  return step.kind === 'access';
}

/** Numbers of the PHBs that the recording touches, ascending. */
export function phbsOf(recording: Recording): number[] {
  return [...new Set(recording.steps.filter(isAccess).map((access) => access.phb))].sort((a, b) => a - b);
}

const SIZES: readonly number[] = [1, 2, 4, 8];

export function isAccessSize(value: unknown): value is AccessSize {
  return typeof value === 'number' && SIZES.includes(value);
}
