/**
 * A recording of real firmware call by call: what the caller did, what firmware did to the chip, what it returned and what
 * it left in memory. The head of the shipped file says how the form is written.
 */
import type { AccessSize } from '../hw/host-port.js';
import type { RecordedBoard } from './firmware-board.js';
import type { RegisterPlace } from './firmware-windows.js';

export interface FirmwareAccess extends RegisterPlace {
  readonly direction: 'read' | 'write';
  readonly size: AccessSize;
  readonly value: bigint;
  /** Microseconds that firmware waited since its access before. */
  readonly afterUs: number;
}

export interface FirmwareCall {
  readonly kind: 'call';
  readonly name: string;
  readonly args: readonly bigint[];
  readonly accesses: readonly FirmwareAccess[];
  readonly returned: number;
  readonly line: number;
}

/** What the caller did between calls. */
export type CallerDeed =
  | { readonly kind: 'fill'; readonly address: number; readonly bytes: number; readonly value: number }
  | { readonly kind: 'sleep'; readonly us: number }
  | { readonly kind: 'interrupt'; readonly irq: number };

export interface FirmwareMemory {
  readonly address: number;
  readonly value: bigint;
}

export interface FirmwarePhase {
  readonly name: string;
  /** Accesses outside calls: firmware boots. */
  readonly boot: readonly FirmwareAccess[];
  readonly steps: readonly (FirmwareCall | CallerDeed)[];
  /** Where memory had changed when the phase was over. */
  readonly memory: readonly FirmwareMemory[];
}

export interface FirmwareCallRecording {
  readonly name: string;
  readonly source: string;
  readonly board: RecordedBoard;
  readonly phases: readonly FirmwarePhase[];
}

export const isCall = (step: FirmwareCall | CallerDeed): step is FirmwareCall => step.kind === 'call';
