/** What calls with more than a return code give. Facts: opal-pci 5. */
import type { FreezeState, PciError, Severity } from './opal-api.js';
import { OpalStatus, PciError as PciErrors, Severity as Severities } from './opal-api.js';

export interface FreezeStatus {
  readonly rc: number;
  readonly freezeState: FreezeState;
  readonly errorType: PciError;
  /** Firmware leaves the caller's value alone where the PE is not frozen; here that is "no error". */
  readonly severity: Severity;
}

export interface NextError {
  readonly rc: number;
  /** All ones: no PE in particular. */
  readonly firstFrozenPe: bigint;
  readonly errorType: PciError;
  readonly severity: Severity;
  /** Outputs that firmware leaves as the caller had them. */
  readonly untouched?: 'first-frozen-pe';
}

export const NO_ERROR: NextError = {
  rc: OpalStatus.SUCCESS,
  firstFrozenPe: 0xffff_ffff_ffff_ffffn,
  errorType: PciErrors.NO_ERROR,
  severity: Severities.NO_ERROR,
};

export interface DiagResult {
  readonly rc: number;
  /** The binary structure; empty unless the call succeeded. */
  readonly data: Uint8Array;
  /** What of it is stored, where that is not all: the caller's buffer keeps the rest. */
  readonly written?: readonly { readonly at: number; readonly bytes: number }[];
}

/** Presence or power of a slot. */
export interface SlotStateResult {
  readonly rc: number;
  readonly state: number;
}

export interface MsiMessage {
  readonly rc: number;
  readonly address: bigint;
  readonly data: number;
}

/** Where an interrupt goes; priority 0xff masks it. */
export interface Routing {
  readonly server: number;
  readonly priority: number;
}

export interface Xive extends Routing {
  readonly rc: number;
}

export interface SourceResult {
  readonly rc: number;
  readonly isn: number;
}
