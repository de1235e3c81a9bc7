/**
 * A root port: type 1 configuration space over a link. Which registers it has, and where, comes in as data from the
 * chip. Facts: ioda2-phb3 6.1 steps 3 to 6, 6.2 step 8, 6.3.6, 7.10.3, 7.10.5, 8.3; PCI Express base specification 6.2.
 */
import type { Simulator } from '../sim/simulator.js';
import {
  type AerRegister,
  CORRECTABLE,
  type CorrectableError,
  ROOT_ERROR_STATUS_FIELDS,
  type RootAerRegister,
  UNCORRECTABLE,
  type UncorrectableError,
} from './aer-capability.js';
import { BridgeHeader } from './bridge-header.js';
import type { MsiRegister } from './capabilities.js';
import { completion } from './completion.js';
import { STATUS_FIELDS } from './config-header.js';
import { type ConfigLayout, ConfigSpace, type ResetKind } from './config-space.js';
import type { InterruptHost } from './device-interrupts.js';
import { type AdvisoryError, ErrorReporter, LINK_ERROR_STATUS } from './error-reporter.js';
import { InterruptWires } from './interrupt-wires.js';
import type { Link } from './link.js';
import { bindPortToLink, followRegisters } from './port-registers.js';
import { type PortRegister, raisesSlotEvents, SlotEvents } from './slot-events.js';
import { busOf, type ErrorMessage, errorMessage, MessageCode, message, type Tlp, type TlpSink } from './tlp.js';
import { receiverFault } from './tlp-checks.js';

export type RootPortRegister = PortRegister | AerRegister | RootAerRegister;
/** A layout may declare more than these (power management, vendor registers). */
export type RootPortLayout = ConfigLayout<RootPortRegister>;

/** Where a configuration request from the processor goes; `none`: nobody answers. */
export type RootPortRoute = 'self' | 'type0' | 'type1' | 'none';
export type SendResult = 'sent' | 'link-down' | 'memory-disabled';

/** An error the root port detected itself; `message` if it reports it. */
export interface RootPortError {
  readonly error: UncorrectableError | CorrectableError;
  /** The mask of its AER hides the error. */
  readonly masked: boolean;
  readonly message: ErrorMessage | undefined;
}

type SlotSpace = ConfigSpace<RootPortRegister | MsiRegister>;

const ERROR_KINDS: Readonly<Record<number, ErrorMessage>> = {
  [MessageCode.ERR_COR]: 'ERR_COR',
  [MessageCode.ERR_NONFATAL]: 'ERR_NONFATAL',
  [MessageCode.ERR_FATAL]: 'ERR_FATAL',
};

/** Where an error message gets through to the chip: system error of root control, or root error command. */
const MESSAGE_ENABLES = {
  ERR_COR: { control: 'SERR_CORRECTABLE', command: 'CORRECTABLE' },
  ERR_NONFATAL: { control: 'SERR_NONFATAL', command: 'NONFATAL' },
  ERR_FATAL: { control: 'SERR_FATAL', command: 'FATAL' },
} as const satisfies Record<ErrorMessage, { control: string; command: string }>;

/** Wires of the device below and of the port itself: numbers that the joining turns alike. */
const BELOW = 0;
const OWN_PIN = 4;

export class RootPort implements TlpSink, InterruptHost {
  readonly config: ConfigSpace<RootPortRegister>;
  readonly header: BridgeHeader;
  /** Packets from below that the port did not let through. */
  rejectedPackets = 0;
  /**
   * Which losses of the link count as surprise down: all, or only those that neither a reset nor a command of this side
   * brought about (3.2.1 of the specification).
   */
  surpriseDown: 'any-loss' | 'unexpected' = 'any-loss';

  /** Of a hot-plug slot; only a port with an interrupt pin tells of it. */
  readonly events: SlotEvents | undefined;

  private readonly reporter: ErrorReporter;
  private inner: TlpSink | undefined;
  private wasUp = false;
  private readonly wires = new InterruptWires(OWN_PIN + 1);
  private readonly errorListeners: ((event: RootPortError) => void)[] = [];

  constructor(
    readonly sim: Simulator,
    readonly name: string,
    readonly link: Link,
    layout: RootPortLayout,
  ) {
    this.config = new ConfigSpace(name, layout);
    this.header = new BridgeHeader(this.config);
    this.reporter = new ErrorReporter(this.config);
    this.events = raisesSlotEvents(this.config) ? new SlotEvents(sim, this.config as SlotSpace, this) : undefined;
    bindPortToLink(this.config, link, this.events);
    link.up.attach(this);
    link.onChange(() => this.linkChanged());
    link.onError((error, at) => {
      if (at !== 'up') return;
      // By default a surprise down shows in the state of the link.
      if (error !== 'surprise-down') this.raiseCorrectable(LINK_ERROR_STATUS[error]);
      else if (this.surpriseDown === 'unexpected') this.raiseSurpriseDown();
    });
    followRegisters(this.config, link);
  }

  /** The chip's side: takes requests, completions and messages from below. */
  attach(inner: TlpSink): void {
    this.inner = inner;
  }

  /** Own identifier: bus 0 as seen by the primary bus register, device 0, function 0. */
  get rid(): number {
    return this.config.get('PRIMARY_BUS') << 8;
  }

  get busMaster(): boolean {
    return this.header.forwardsUpward;
  }

  /** The port's own interrupt, to the chip around it. */
  transmit(tlp: Tlp): void {
    if (tlp.kind === 'Msg') this.sendInterrupts(this.wires.follow(OWN_PIN, tlp.messageCode!));
    else this.inner?.receive(tlp);
  }

  get crsVisible(): boolean {
    return this.config.has('RTCTL', 'CRS_VISIBILITY');
  }

  get dllActive(): boolean {
    return this.link.isUp;
  }

  /** Facts: ioda2-phb3 6.1 steps 3 and 6. `target` is bus, device, function. */
  routeConfig(target: number): RootPortRoute {
    if (busOf(target) === this.config.get('PRIMARY_BUS')) return (target & 0xff) === 0 ? 'self' : 'none';
    const route = this.header.routeConfig(target);
    if (route !== 'type0') return route;
    const ari = this.config.has('DEVCTL2', 'ARI_FORWARDING') ? 'on' : 'off';
    return this.header.deviceAnswers(target, ari) ? 'type0' : 'none';
  }

  /** Sends a packet down. The chip has chosen the configuration type by routeConfig. */
  send(tlp: Tlp): SendResult {
    const memory = tlp.kind === 'MRd' || tlp.kind === 'MWr';
    if (memory && !this.header.forwardsMemory) return 'memory-disabled';
    return this.link.up.send(tlp) ? 'sent' : 'link-down';
  }

  receive(tlp: Tlp): void {
    const fault = receiverFault(tlp, this.config, 'below');
    if (fault !== undefined) {
      this.rejectedPackets++;
      this.raiseUncorrectable(fault, tlp);
      return;
    }
    // Recorded here; what a poisoned packet does is its receiver's affair.
    if (tlp.poisoned === true) this.raiseAdvisory('POISONED_TLP', tlp);
    if ((tlp.kind === 'MRd' || tlp.kind === 'MWr') && !this.header.forwardsUpward) {
      this.refuse(tlp);
      return;
    }
    this.noteCompletion(tlp);
    if (tlp.kind !== 'Msg') {
      this.inner?.receive(tlp);
      return;
    }
    const code = tlp.messageCode!;
    const changed = this.wires.follow(BELOW, code);
    const error = ERROR_KINDS[code];
    // A port with a pin of its own joins it with that of the device; else nothing is to be joined.
    if (this.events !== undefined && InterruptWires.isInterrupt(code)) this.sendInterrupts(changed);
    else if (error === undefined) this.inner?.receive(tlp);
    else this.errorFromBelow(error, tlp);
  }

  /** The port itself found an uncorrectable error: AER and device status, a message of its own, then the listeners. */
  raiseUncorrectable(error: UncorrectableError, tlp?: Tlp): void {
    const masked = (this.config.get('UE_MASK') & UNCORRECTABLE[error]) !== 0;
    this.notify({ error, masked, message: this.reporter.uncorrectable(error, tlp) });
  }

  /** As above, for an error somebody else deals with as well: a correctable one, unless its severity is fatal (6.2.3.2.4). */
  raiseAdvisory(error: AdvisoryError, tlp?: Tlp): void {
    const masked = (this.config.get('UE_MASK') & UNCORRECTABLE[error]) !== 0;
    this.notify({ error, masked, message: this.reporter.advisory(error, tlp) });
  }

  raiseCorrectable(error: CorrectableError): void {
    const masked = (this.config.get('CE_MASK') & CORRECTABLE[error]) !== 0;
    this.notify({ error, masked, message: this.reporter.correctable(error) });
  }

  onError(listener: (event: RootPortError) => void): void {
    this.errorListeners.push(listener);
  }

  /** Reset of the whole port with its core; sticky bits go too on 'fundamental'. */
  reset(kind: ResetKind): void {
    this.config.reset(kind);
    this.events?.reset();
    this.sendInterrupts(this.wires.drop(OWN_PIN));
    followRegisters(this.config, this.link);
  }

  private notify(event: RootPortError): void {
    if (event.message !== undefined) this.report(event.message, errorMessage(this.rid, event.message));
    for (const listener of this.errorListeners) listener(event);
  }

  private refuse(tlp: Tlp): void {
    this.rejectedPackets++;
    if (tlp.kind === 'MWr') {
      this.raiseUncorrectable('UNSUPPORTED_REQUEST', tlp);
      return;
    }
    this.link.up.send(completion(tlp, this.rid, 'UR'));
    this.raiseAdvisory('UNSUPPORTED_REQUEST', tlp);
  }

  /** Facts: ioda2-phb3 8.3, secondary status: received master abort is seen after a failed configuration request. */
  private noteCompletion(tlp: Tlp): void {
    if (tlp.kind !== 'Cpl') return;
    if (tlp.status === 'UR') this.config.or('SECONDARY_STATUS', STATUS_FIELDS.RECEIVED_MASTER_ABORT);
    if (tlp.status === 'CA') this.config.or('SECONDARY_STATUS', STATUS_FIELDS.RECEIVED_TARGET_ABORT);
  }

  /** Bridge control forwards error messages from the secondary side, or keeps them from going further (7.5.1.3). */
  private errorFromBelow(kind: ErrorMessage, tlp: Tlp): void {
    if (kind !== 'ERR_COR') this.config.or('SECONDARY_STATUS', STATUS_FIELDS.SENT_SERR);
    if (!this.config.has('BRIDGE_CONTROL', 'SERR')) {
      this.rejectedPackets++;
      return;
    }
    if (kind !== 'ERR_COR' && this.config.has('COMMAND', 'SERR')) this.config.or('STATUS', STATUS_FIELDS.SENT_SERR);
    this.report(kind, tlp);
  }

  /** A message from below or of the port itself: root error status, and the chip if root control or command let it. */
  private report(kind: ErrorMessage, tlp: Tlp): void {
    this.collect(kind, tlp.requesterId);
    const { control, command } = MESSAGE_ENABLES[kind];
    if (this.config.has('RTCTL', control) || this.config.has('ROOT_ERROR_COMMAND', command)) this.inner?.receive(tlp);
  }

  /** Root error status and source: the first message of each kind names its sender, a second sets "multiple". */
  private collect(kind: ErrorMessage, from: number): void {
    const status = this.config.get('ROOT_ERROR_STATUS');
    const F = ROOT_ERROR_STATUS_FIELDS;
    if (kind === 'ERR_COR') {
      if ((status & F.CORRECTABLE) === 0) this.config.setField('ERROR_SOURCE', 'CORRECTABLE', from);
      this.config.or('ROOT_ERROR_STATUS', (status & F.CORRECTABLE) === 0 ? F.CORRECTABLE : F.MULTIPLE_CORRECTABLE);
      return;
    }
    const first = (status & F.UNCORRECTABLE) === 0;
    if (first) this.config.setField('ERROR_SOURCE', 'UNCORRECTABLE', from);
    const severity = kind === 'ERR_FATAL' ? F.FATAL | (first ? F.FIRST_FATAL : 0) : F.NONFATAL;
    this.config.or('ROOT_ERROR_STATUS', severity | (first ? F.UNCORRECTABLE : F.MULTIPLE_UNCORRECTABLE));
  }

  /** Facts: ioda2-phb3 7.10.3 step 1: surprise down is set, if unmasked, whatever took the link down. */
  private linkChanged(): void {
    const fell = this.wasUp && !this.link.isUp;
    this.wasUp = this.link.isUp;
    if (!fell) return;
    // A device behind a dead link cannot take its interrupt back, so the port does (6.1 of the specification).
    this.sendInterrupts(this.wires.drop(BELOW));
    if (this.surpriseDown === 'any-loss') this.raiseSurpriseDown();
  }

  private sendInterrupts(codes: readonly number[]): void {
    for (const code of codes) this.inner?.receive(message(this.rid, code));
  }

  private raiseSurpriseDown(): void {
    const masked = (this.config.get('UE_MASK') & UNCORRECTABLE.SURPRISE_DOWN) !== 0;
    if (!masked) this.raiseUncorrectable('SURPRISE_DOWN');
  }
}
