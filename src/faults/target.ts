/** What a fault can hit, and what it may know: the card's own knobs, its link, and where its driver has mapped pages. */
import type { HubUnit } from '../ioda1/error-bits/units.js';
import type { Endpoint } from '../pcie/endpoint.js';
import type { Link } from '../pcie/link.js';
import type { ErrorMessage } from '../pcie/tlp.js';
import type { RandomStream } from '../sim/random.js';
import type { HubErrorKind, NestError } from './bridge-errors.js';

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
  /** Where and what a device writes to raise message interrupt `vector` of its bridge. */
  message(vector: number): MessageWrite;
}

export interface MessageWrite {
  readonly address: bigint;
  readonly data: Uint8Array;
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
  /** Makes the bridge find a fatal error, through a register that a service processor reaches. */
  raiseFatal(error: NestError): void;
  /** From now on the bridge does not come out of a reset. */
  jamReset(): void;
}

/** The chip above several bridges, where a machine has one. */
export interface HubTarget {
  readonly kind: 'hub';
  readonly name: 'hub';
  /** One of its units finds an error; says why it does not, if the unit has none of the kind. */
  report(unit: HubUnit, error: HubErrorKind): string | undefined;
}

export type FaultTarget = CardTarget | SwitchTarget | PhbTarget | HubTarget;
export type TargetKind = FaultTarget['kind'];
