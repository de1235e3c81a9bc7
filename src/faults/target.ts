/** What a fault can hit, and what it may know: the card's own knobs, its link, and where its driver has mapped pages. */
import type { PbcqNestRegisterName } from '../ioda2/registers/pbcq.js';
import type { Endpoint } from '../pcie/endpoint.js';
import type { Link } from '../pcie/link.js';
import type { ErrorMessage } from '../pcie/tlp.js';
import type { RandomStream } from '../sim/random.js';

/** Pages of a device's DMA window, by what its driver lets the device do with them. */
export type PageKind = 'unmapped' | 'read-only' | 'write-only';

export interface DmaPages {
  readonly pageBytes: number;
  /** The first address behind the window. */
  readonly windowEnd: bigint;
  /** A page of that kind, drawn evenly; none where the window has none. */
  pick(kind: PageKind, random: RandomStream): bigint | undefined;
}

export interface CardTarget {
  readonly kind: 'card';
  readonly name: string;
  readonly endpoint: Endpoint;
  readonly link: Link;
  /** As they are now; none while the device has no driver or no window. */
  readonly pages: DmaPages | undefined;
}

export interface SwitchTarget {
  readonly kind: 'switch';
  readonly name: string;
  /** Sends an error message of its upstream port. */
  sendErrorMessage(message: ErrorMessage): void;
}

export interface PhbTarget {
  readonly kind: 'phb';
  readonly name: string;
  /** Writes a register of the PBCQ through its SCOM door, as a service processor can. */
  writeNest(register: PbcqNestRegisterName, value: bigint): void;
  /** From now on the bridge does not come out of a reset. */
  jamReset(): void;
}

export type FaultTarget = CardTarget | SwitchTarget | PhbTarget;
export type TargetKind = FaultTarget['kind'];
