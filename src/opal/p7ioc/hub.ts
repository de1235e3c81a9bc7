/**
 * What firmware remembers of one P7IOC: where it is, its PHBs, the error its interrupt found.
 * Source: skiboot include/p7ioc.h: struct p7ioc. Facts: ioda1-p7ioc 1.3, 1.5, 7.7.
 */
import type { HostPort } from '../../hw/host-port.js';
import { BUID, interruptNumber } from '../../ioda1/address-map.js';
import type { ErrorClass, HubUnit } from '../../ioda1/error-bits/units.js';
import type { FirmwareProfile } from '../firmware-profile.js';
import type { FirmwareServices } from '../firmware-services.js';
import { P7iocHubAccess } from './access.js';

export type PhbUnit = `PHB${0 | 1 | 2 | 3 | 4 | 5}`;
/** Who an error comes from. `EI`, the GX link, has no registers. */
export type ErrorSource = 'NONE' | 'EI' | HubUnit | PhbUnit;

/** The error that firmware knows of but has told nobody. */
export class PendingError {
  pending = false;
  source: ErrorSource = 'NONE';
  class: ErrorClass | 'NONE' = 'NONE';
  /** Bit of the unit's LEM, -1 if none decided. */
  bit = -1;

  set(source: ErrorSource, errorClass: ErrorClass | 'NONE', bit: number): void {
    this.source = source;
    this.class = errorClass;
    this.bit = bit;
  }

  /** Clearing forgets what it was; setting leaves that as it is. */
  setPending(pending: boolean): void {
    this.pending = pending;
    if (!pending) this.set('NONE', 'NONE', -1);
  }
}

/** Where a hub is, as the service firmware says. */
export interface HubPlace {
  /** Number of the hub: the upper bits of its interrupt numbers. */
  readonly hubId: number;
  /** GX BAR 1: registers and IO windows. */
  readonly mwin1: number;
  /** GX BARs 2 to 4: M32 and M64 windows. */
  readonly mwin2: number;
  /** The PHBs that are wired, 0 to 5. */
  readonly phbs: readonly number[];
  /** P7 or P7+: they differ in how the GX interface is tuned. */
  readonly processor?: 'p7' | 'p7+';
}

/** What the hub hands the errors of a PHB to. */
export interface HubPhb {
  readonly index: number;
  readonly id: number;
  readonly error: PendingError;
}

export interface HubFrame {
  readonly profile: FirmwareProfile;
  readonly services: FirmwareServices;
}

export class P7iocHub {
  readonly access: P7iocHubAccess;
  /** Those that are wired, in order. */
  readonly phbs: HubPhb[] = [];
  readonly error = new PendingError();

  constructor(
    readonly port: HostPort,
    readonly place: HubPlace,
    private readonly frame: HubFrame,
  ) {
    this.access = new P7iocHubAccess(port, place.mwin1);
  }

  get id(): number {
    return this.place.hubId;
  }

  get profile(): FirmwareProfile {
    return this.frame.profile;
  }

  get services(): FirmwareServices {
    return this.frame.services;
  }

  /** The PHB with a place on the hub, if it is wired. */
  phbAt(index: number): HubPhb | undefined {
    return this.phbs.find((phb) => phb.index === index);
  }

  /** First global interrupt number of the hub itself: 16 levels, of which 0 is used. */
  get irqBase(): number {
    return interruptNumber(this.id, BUID.rgc, 0);
  }

  log(line: string): void {
    this.frame.services.log(`P7IOC: ${line}`);
  }
}
