/** States of a link, and what it wants to know of the two sides. Source: PCI Express base specification 4.2.5, 3.2. */
import type { Credits } from './flow-control.js';
import type { LinkError, LinkSide } from './link-error.js';
import type { LinkProfile, LinkSpeed, LinkWidth } from './link-profile.js';

export type LinkState = 'detect' | 'polling' | 'configuration' | 'l0' | 'recovery' | 'disabled' | 'hot-reset';
export const LINK_STATES: readonly LinkState[] = [
  'detect',
  'polling',
  'configuration',
  'l0',
  'recovery',
  'disabled',
  'hot-reset',
];

/** What is plugged in below. */
export interface LinkPartner {
  readonly maxSpeed: LinkSpeed;
  readonly maxWidth: LinkWidth;
  /** PERST went down (fundamental), or the link went down while the card stays powered (hot). */
  resetBy(kind: 'fundamental' | 'hot'): void;
  /** The reset is over; training follows. */
  resetReleased?(): void;
  /** This card's own time from PERST to electrical presence, if it differs from the profile. */
  readonly electricalDetectNs?: number;
  /** This card's own time for polling and configuration together. */
  readonly trainingNs?: number;
  /** What it can hold, if that is not what an endpoint can. */
  readonly credits?: Credits;
}

export interface LinkOptions {
  readonly maxSpeed: LinkSpeed;
  readonly maxWidth: LinkWidth;
  readonly profile?: LinkProfile;
}

/** Of the data-link layer. Source: PCI Express base specification 3.2. */
export type DataLinkState = 'inactive' | 'init' | 'active';

/** What an end needs of its link. */
export interface LinkTiming {
  readonly isUp: boolean;
  readonly speed: LinkSpeed | 0;
  readonly nsPerByte: number;
  readonly profile: LinkProfile;
  /** From the arrival of a packet until its sender has the acknowledgement. */
  readonly ackNs: number;
  readonly replayTimerNs: number;
  report(error: LinkError, at: LinkSide): void;
  /** Through recovery, which holds up both directions. */
  retrain(): void;
  /** Retraining did not help. */
  giveUp(): void;
}
