/**
 * How a function records the errors it detects, and whether it says so: device status, AER status, error messages.
 * Source: PCI Express base specification 6.2.3 to 6.2.5.
 */
import {
  type AerRegister,
  CORRECTABLE,
  type CorrectableError,
  UNCORRECTABLE,
  type UncorrectableError,
} from './aer-capability.js';
import type { ConfigSpace } from './config-space.js';
import type { ErrorMessage, Tlp } from './tlp.js';

/** Registers an error touches. AER is optional in a function. */
type ErrorRegister = 'COMMAND' | 'STATUS' | 'DEVCTL' | 'DEVSTA' | Exclude<AerRegister, 'AER_CAP'>;

const HEADER_LOGS = ['HEADER_LOG0', 'HEADER_LOG1', 'HEADER_LOG2', 'HEADER_LOG3'] as const;

/** Format and type of the first header doubleword. Source: PCI Express base specification, table 2-3. */
const FORMAT_AND_TYPE: Readonly<Record<Tlp['kind'], number>> = {
  MRd: 0x00,
  MWr: 0x40,
  CfgRd0: 0x04,
  CfgWr0: 0x44,
  CfgRd1: 0x05,
  CfgWr1: 0x45,
  Cpl: 0x0a,
  CplD: 0x4a,
  Msg: 0x30,
};
const FOUR_DWORD_HEADER = 0x20;

export class ErrorReporter {
  private readonly config: ConfigSpace;

  constructor(config: ConfigSpace) {
    this.config = config;
  }

  /** Records an uncorrectable error. Returns the message to send, if the function is set up to send one. */
  uncorrectable(error: UncorrectableError, tlp?: Tlp): ErrorMessage | undefined {
    const bit = UNCORRECTABLE[error];
    const fatal = this.isFatal(bit);
    const unsupported = error === 'UNSUPPORTED_REQUEST';
    this.flag('DEVSTA', fatal ? 'FATAL' : 'NONFATAL');
    if (unsupported) this.flag('DEVSTA', 'UNSUPPORTED_REQUEST');
    const masked = this.declares('UE_MASK') && (this.config.get('UE_MASK') & bit) !== 0;
    if (this.declares('UE_STATUS')) this.latchFirst(bit, masked ? undefined : tlp);
    if (masked || !this.mayReport(fatal ? 'FATAL' : 'NONFATAL', unsupported)) return undefined;
    this.flagIf(this.config.has('COMMAND', 'SERR'), 'STATUS', 'SENT_SERR');
    return fatal ? 'ERR_FATAL' : 'ERR_NONFATAL';
  }

  /** Records a correctable error. Returns the message to send, if any. */
  correctable(error: CorrectableError): ErrorMessage | undefined {
    const bit = CORRECTABLE[error];
    this.flag('DEVSTA', 'CORRECTABLE');
    if (this.declares('CE_STATUS')) this.config.or('CE_STATUS', bit);
    const masked = this.declares('CE_MASK') && (this.config.get('CE_MASK') & bit) !== 0;
    return !masked && this.enabled('DEVCTL', 'CORRECTABLE') ? 'ERR_COR' : undefined;
  }

  /**
   * An error the requester learns from its completion is only advisory (6.2.3.2.4.1): UR and CA of non-posted requests.
   */
  advisory(error: 'UNSUPPORTED_REQUEST' | 'COMPLETER_ABORT', tlp: Tlp): ErrorMessage | undefined {
    if (error === 'UNSUPPORTED_REQUEST') this.flag('DEVSTA', 'UNSUPPORTED_REQUEST');
    if (error === 'COMPLETER_ABORT') this.flag('STATUS', 'SENT_TARGET_ABORT');
    if (this.isFatal(UNCORRECTABLE[error])) return this.uncorrectable(error, tlp);
    if (this.declares('UE_STATUS')) this.latchFirst(UNCORRECTABLE[error], tlp);
    return this.correctable('ADVISORY_NONFATAL');
  }

  private isFatal(bit: number): boolean {
    return this.declares('UE_SEVERITY') && (this.config.get('UE_SEVERITY') & bit) !== 0;
  }

  /** The first error keeps the header log and the first-error pointer until its status bit is cleared. */
  private latchFirst(bit: number, tlp: Tlp | undefined): void {
    const before = this.config.get('UE_STATUS');
    this.config.or('UE_STATUS', bit);
    if (before !== 0) return;
    this.config.setField('AER_CONTROL', 'FIRST_ERROR', 31 - Math.clz32(bit));
    const header = tlp ? headerOf(tlp) : [0, 0, 0, 0];
    for (const [i, log] of HEADER_LOGS.entries()) this.config.set(log, header[i]!);
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

  private flagIf(condition: boolean, register: 'STATUS', field: string): void {
    if (condition) this.flag(register, field);
  }
}

/** The four header doublewords as the header log shows them. */
export function headerOf(tlp: Tlp): [number, number, number, number] {
  const long = (tlp.kind === 'MRd' || tlp.kind === 'MWr') && tlp.addressHi !== 0;
  const type = FORMAT_AND_TYPE[tlp.kind] | (long ? FOUR_DWORD_HEADER : 0);
  const dwords = Math.max(1, Math.ceil(tlp.lengthBytes / 4)) & 0x3ff;
  const first = ((type << 24) | (tlp.poisoned ? 0x4000 : 0) | dwords) >>> 0;
  const second = ((tlp.requesterId << 16) | ((tlp.tag & 0xff) << 8) | (tlp.messageCode ?? 0x0f)) >>> 0;
  if (tlp.targetId !== undefined) return [first, second, ((tlp.targetId << 16) | (tlp.register ?? 0)) >>> 0, 0];
  if (long) return [first, second, tlp.addressHi, tlp.addressLo];
  return [first, second, tlp.addressLo, 0];
}
