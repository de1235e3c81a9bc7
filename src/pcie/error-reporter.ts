/**
 * How a function records the errors it detects, and whether it says so: device status, AER status, error messages.
 * Source: PCI Express base specification 6.2.3 to 6.2.6, figure 6-2; qemu hw/pci/pcie_aer.c: pcie_aer_inject_error.
 */
import {
  type AerRegister,
  CORRECTABLE,
  type CorrectableError,
  FATAL_BY_DEFAULT,
  UNCORRECTABLE,
  type UncorrectableError,
} from './aer-capability.js';
import type { ConfigSpace } from './config-space.js';
import { HeaderLog } from './header-log.js';
import type { LinkError } from './link-error.js';
import type { ErrorMessage, Tlp } from './tlp.js';

/** Registers an error touches. AER is optional in a function. */
type ErrorRegister = 'COMMAND' | 'STATUS' | 'DEVCTL' | 'DEVSTA' | Exclude<AerRegister, 'AER_CAP'>;

/** Non-fatal errors that somebody else deals with as well, and that are only advisory then (6.2.3.2.4). */
export type AdvisoryError =
  | 'UNSUPPORTED_REQUEST'
  | 'COMPLETER_ABORT'
  | 'POISONED_TLP'
  | 'COMPLETION_TIMEOUT'
  | 'UNEXPECTED_COMPLETION';

/** What a port records of an error of its link (6.2.6). A lost link is found by the port itself. */
export const LINK_ERROR_STATUS: Readonly<Record<Exclude<LinkError, 'surprise-down'>, CorrectableError>> = {
  'receiver-error': 'RECEIVER',
  'bad-tlp': 'BAD_TLP',
  'bad-dllp': 'BAD_DLLP',
  'replay-timer-timeout': 'REPLAY_TIMER',
  'replay-num-rollover': 'REPLAY_ROLLOVER',
};

export class ErrorReporter {
  private readonly config: ConfigSpace;
  private readonly log: HeaderLog | undefined;

  constructor(config: ConfigSpace) {
    this.config = config;
    if (config.declares('UE_STATUS')) this.log = new HeaderLog(config);
  }

  /** Records an uncorrectable error. Returns the message to send, if the function is set up to send one. */
  uncorrectable(error: UncorrectableError, tlp?: Tlp): ErrorMessage | undefined {
    const bit = UNCORRECTABLE[error];
    const fatal = this.isFatal(bit);
    const unsupported = error === 'UNSUPPORTED_REQUEST';
    this.flag('DEVSTA', fatal ? 'FATAL' : 'NONFATAL');
    if (unsupported) this.flag('DEVSTA', 'UNSUPPORTED_REQUEST');
    const masked = this.records(bit, tlp);
    if (masked || !this.mayReport(fatal ? 'FATAL' : 'NONFATAL', unsupported)) return undefined;
    return this.messageOf(fatal ? 'FATAL' : 'NONFATAL');
  }

  /** An uncorrectable error that stands in registers of its own. Returns the message to send, if any. */
  signal(severity: 'FATAL' | 'NONFATAL'): ErrorMessage | undefined {
    this.flag('DEVSTA', severity);
    return this.mayReport(severity, false) ? this.messageOf(severity) : undefined;
  }

  /** Records a correctable error. Returns the message to send, if any. */
  correctable(error: CorrectableError): ErrorMessage | undefined {
    this.flag('DEVSTA', 'CORRECTABLE');
    return this.notesCorrectable(error) && this.enabled('DEVCTL', 'CORRECTABLE') ? 'ERR_COR' : undefined;
  }

  /** An advisory error is reported as correctable, unless its severity is fatal. Without AER there is no message. */
  advisory(error: AdvisoryError, tlp?: Tlp): ErrorMessage | undefined {
    const bit = UNCORRECTABLE[error];
    if (this.isFatal(bit)) return this.uncorrectable(error, tlp);
    this.flag('DEVSTA', 'CORRECTABLE');
    if (error === 'UNSUPPORTED_REQUEST') this.flag('DEVSTA', 'UNSUPPORTED_REQUEST');
    if (this.log === undefined || !this.notesCorrectable('ADVISORY_NONFATAL')) return undefined;
    this.records(bit, tlp);
    if (error === 'UNSUPPORTED_REQUEST' && !this.enabled('DEVCTL', 'UNSUPPORTED_REQUEST')) return undefined;
    return this.enabled('DEVCTL', 'CORRECTABLE') ? 'ERR_COR' : undefined;
  }

  private messageOf(severity: 'FATAL' | 'NONFATAL'): ErrorMessage {
    if (this.config.has('COMMAND', 'SERR')) this.flag('STATUS', 'SENT_SERR');
    return severity === 'FATAL' ? 'ERR_FATAL' : 'ERR_NONFATAL';
  }

  /** Uncorrectable status, and pointer and header unless masked. True: masked. */
  private records(bit: number, tlp: Tlp | undefined): boolean {
    if (this.log === undefined) return false;
    const masked = (this.config.get('UE_MASK') & bit) !== 0;
    if (masked) this.log.note(bit);
    else this.log.record(bit, tlp);
    return masked;
  }

  /** True: not masked. */
  private notesCorrectable(error: CorrectableError): boolean {
    const bit = CORRECTABLE[error];
    if (this.declares('CE_STATUS')) this.config.or('CE_STATUS', bit);
    return !this.declares('CE_MASK') || (this.config.get('CE_MASK') & bit) === 0;
  }

  private isFatal(bit: number): boolean {
    const fatal = this.declares('UE_SEVERITY') ? this.config.get('UE_SEVERITY') : FATAL_BY_DEFAULT;
    return (fatal & bit) !== 0;
  }

  /** Either the device control enable or, for all but UR reporting, the SERR enable lets the message out (6.2.6). */
  private mayReport(severity: 'FATAL' | 'NONFATAL', unsupported: boolean): boolean {
    if (this.config.has('COMMAND', 'SERR')) return true;
    if (unsupported && !this.enabled('DEVCTL', 'UNSUPPORTED_REQUEST')) return false;
    return this.enabled('DEVCTL', severity);
  }

  private declares(register: ErrorRegister): boolean {
    return this.config.declares(register);
  }

  private enabled(register: ErrorRegister, field: string): boolean {
    return this.declares(register) && this.config.has(register, field);
  }

  private flag(register: 'DEVSTA' | 'STATUS', field: string): void {
    if (this.declares(register)) this.config.or(register, this.config.mask(register, field));
  }
}
