/**
 * What a link's layers report to the ports at its ends. Source: PCI Express base specification 6.2.6 (sources of errors
 * in physical and data-link layer), 3.5, 2.6.
 */

export type LinkError =
  | 'receiver-error'
  | 'bad-tlp'
  | 'bad-dllp'
  | 'replay-timer-timeout'
  | 'replay-num-rollover'
  | 'surprise-down';

/** Which end found it: `up` is the bridge's port, `down` the card's. */
export type LinkSide = 'up' | 'down';
export type LinkErrorListener = (error: LinkError, at: LinkSide) => void;
