/**
 * The errors a port of a switch or a bridge finds in packets that pass it: malformed, damaged and poisoned ones.
 * Source: PCI Express base specification 2.7, 6.2.3.2.4.2 (intermediate receivers), 6.2.6, 7.5.1.2, 7.5.1.7.
 */
import type { UncorrectableError } from './aer-capability.js';
import type { BridgeRegister } from './config-header.js';
import { STATUS_FIELDS } from './config-header.js';
import type { ConfigSpace } from './config-space.js';
import { type AdvisoryError, ErrorReporter, LINK_ERROR_STATUS } from './error-reporter.js';
import type { Link } from './link.js';
import type { LinkSide } from './link-error.js';
import { type ErrorMessage, isCompletion, MessageCode, type Tlp } from './tlp.js';
import { receiverFault, type SenderSide } from './tlp-checks.js';

/** The port around this: its registers, which side of the bridge its link is on, and the way for its messages. */
export interface PortErrorsHost {
  readonly config: ConfigSpace<BridgeRegister>;
  readonly link: 'primary' | 'secondary';
  report(kind: ErrorMessage | undefined): void;
}

/** What becomes of a received packet: `damaged` ones pass through but are not taken. */
export type Admission = 'sound' | 'damaged' | 'dropped';

export class PortErrors {
  private readonly reporter: ErrorReporter;

  constructor(private readonly host: PortErrorsHost) {
    this.reporter = new ErrorReporter(host.config);
  }

  raise(error: UncorrectableError, tlp?: Tlp): void {
    this.host.report(this.reporter.uncorrectable(error, tlp));
  }

  advise(error: AdvisoryError, tlp: Tlp): void {
    this.host.report(this.reporter.advisory(error, tlp));
  }

  /** An uncorrectable error that stands in registers of its own. */
  signal(severity: 'FATAL' | 'NONFATAL'): void {
    this.host.report(this.reporter.signal(severity));
  }

  /** Errors of the link become correctable status; that it is lost the port finds itself. */
  watch(link: Link, end: LinkSide): void {
    link.onError((error, at) => {
      if (at === end && error !== 'surprise-down')
        this.host.report(this.reporter.correctable(LINK_ERROR_STATUS[error]));
    });
  }

  /** A packet arrives from the port's link. */
  admit(tlp: Tlp): Admission {
    const from: SenderSide = this.host.link === 'primary' ? 'above' : 'below';
    const fault = receiverFault(tlp, this.host.config, from);
    if (fault !== undefined) this.raise(fault, tlp);
    if (fault === 'MALFORMED_TLP') return 'dropped';
    if (tlp.poisoned) this.poisonedIn(tlp);
    return fault === 'ECRC' ? 'damaged' : 'sound';
  }

  /** A packet leaves by the port's link. */
  depart(tlp: Tlp): void {
    if (tlp.poisoned && !isCompletion(tlp)) this.noteMasterParity();
  }

  /** An error message comes from the secondary side. True: it may go on (6.2.6). */
  forwardsMessage(tlp: Tlp): boolean {
    const { config } = this.host;
    const severe = tlp.messageCode === MessageCode.ERR_NONFATAL || tlp.messageCode === MessageCode.ERR_FATAL;
    // On the secondary side this bit means: received system error.
    if (severe) config.or('SECONDARY_STATUS', STATUS_FIELDS.SENT_SERR);
    if (!config.has('BRIDGE_CONTROL', 'SERR')) return false;
    if (severe && config.has('COMMAND', 'SERR')) config.or('STATUS', STATUS_FIELDS.SENT_SERR);
    return true;
  }

  /** Poison is passed on; that it passed is advisory. */
  private poisonedIn(tlp: Tlp): void {
    this.host.config.or(this.status, STATUS_FIELDS.DETECTED_PARITY);
    if (isCompletion(tlp)) this.noteMasterParity();
    this.advise('POISONED_TLP', tlp);
  }

  private noteMasterParity(): void {
    const enable = this.host.link === 'primary' ? 'COMMAND' : 'BRIDGE_CONTROL';
    if (this.host.config.has(enable, 'PARITY')) this.host.config.or(this.status, STATUS_FIELDS.MASTER_PARITY);
  }

  private get status(): 'STATUS' | 'SECONDARY_STATUS' {
    return this.host.link === 'primary' ? 'STATUS' : 'SECONDARY_STATUS';
  }
}
