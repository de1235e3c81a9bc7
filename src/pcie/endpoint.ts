/**
 * The base of every device: a function with type 0 configuration space, completer, requester, interrupts, errors,
 * resets, and the knobs by which a fault makes it misbehave on the wire. By itself it is a card of one function.
 * Source: PCI Express base specification 2.2 to 2.3, 2.7, 6.2, 6.6.
 */
import type { Simulator } from '../sim/simulator.js';
import type { TimeNs } from '../sim/time.js';
import type { CorrectableError, UncorrectableError } from './aer-capability.js';
import { BaseAddresses } from './base-address.js';
import { DEVCTL_FIELDS, linkStatusOf } from './capabilities.js';
import { Card, type CardFunction } from './card.js';
import {
  type BarRead,
  type BarWrite,
  Completer,
  type CompleterHost,
  type RequestClass,
  type WrongAnswer,
} from './completer.js';
import { STATUS_FIELDS } from './config-header.js';
import { type ConfigLayout, ConfigSpace } from './config-space.js';
import { DeviceInterrupts } from './device-interrupts.js';
import { type CompletionProblem, DmaRequester, type ReadResult, type RequesterHost } from './dma-requester.js';
import {
  ENDPOINT_TIMING,
  type EndpointOptions,
  type EndpointRegister,
  type EndpointTiming,
} from './endpoint-options.js';
import { type AdvisoryError, ErrorReporter } from './error-reporter.js';
import type { Link } from './link.js';
import type { LinkSpeed, LinkWidth } from './link-profile.js';
import {
  allowedAttributesOf,
  completionTimeoutOf,
  maxReadRequestOf,
  mayRequestAtomics,
  SHORT_TAGS,
  usableTagsOf,
} from './requester-limits.js';
import {
  type AtomicKind,
  addressOf,
  type ErrorMessage,
  errorMessage,
  IGNORED_MESSAGES,
  isCompletion,
  isInputOutput,
  type Tlp,
} from './tlp.js';
import { maxPayloadOf, withDigest } from './tlp-checks.js';
import { type PacketClass, type PacketDefect, PacketDefects } from './tlp-defects.js';

export { littleEndian, littleEndianBytes } from './byte-order.js';
export type { BarRead, BarWrite, RequestClass, WrongAnswer } from './completer.js';
export type { EndpointLayout, EndpointOptions, EndpointRegister, EndpointTiming } from './endpoint-options.js';

export type DeviceReset = 'fundamental' | 'hot' | 'function';

/** Context numbers below zero are the base's own. */
const STRAY_READ = -1;

export class Endpoint implements CardFunction, RequesterHost {
  readonly maxSpeed: LinkSpeed;
  readonly maxWidth: LinkWidth;
  readonly tags: number;
  readonly electricalDetectNs?: number;
  readonly trainingNs?: number;
  readonly config: ConfigSpace<EndpointRegister>;
  readonly timing: EndpointTiming;
  readonly dma: DmaRequester;
  readonly interrupts: DeviceInterrupts;
  readonly baseAddresses: BaseAddresses;
  /** Results of stray reads, oldest first. */
  readonly strayReads: ReadResult[] = [];
  unexpectedCompletions = 0;

  private readonly reporter: ErrorReporter;
  private readonly completer: Completer;
  private readonly defects = new PacketDefects();
  private card: Card | undefined;
  private capturedId = 0;
  private configReadyAt: TimeNs = 0;
  private deaf = false;

  constructor(
    protected readonly sim: Simulator,
    readonly name: string,
    options: EndpointOptions,
  ) {
    this.maxSpeed = options.maxSpeed ?? 3;
    this.maxWidth = options.maxWidth ?? 8;
    this.tags = options.tags ?? SHORT_TAGS;
    if (options.electricalDetectNs !== undefined) this.electricalDetectNs = options.electricalDetectNs;
    if (options.trainingNs !== undefined) this.trainingNs = options.trainingNs;
    this.timing = { ...ENDPOINT_TIMING, ...options.timing };
    // Registers a device may lack are used only after `declares`.
    this.config = new ConfigSpace(name, options.layout as ConfigLayout<EndpointRegister>);
    this.reporter = new ErrorReporter(this.config);
    this.baseAddresses = new BaseAddresses(this.config, options.bars);
    this.completer = new Completer(sim, name, this.completerHost());
    this.dma = new DmaRequester(sim, name, this);
    this.interrupts = new DeviceInterrupts(this.config, this);
    this.hookRegisters();
  }

  /** Puts the function, as a card of its own, into the slot below `link`. */
  plugInto(link: Link): void {
    const card = this.card ?? new Card([this]);
    card.plugInto(link);
  }

  join(card: Card): void {
    this.card = card;
  }

  /** Bus, device and function as captured from configuration writes; 0 until then. */
  get rid(): number {
    return this.capturedId;
  }
  get busMaster(): boolean {
    return this.config.has('COMMAND', 'BUS_MASTER') && this.powered;
  }
  get maxPayloadBytes(): number {
    return maxPayloadOf(this.config);
  }
  get maxReadRequestBytes(): number {
    return maxReadRequestOf(this.config);
  }
  get usableTags(): number {
    return usableTagsOf(this.config);
  }
  get allowedAttributes(): number {
    return allowedAttributesOf(this.config);
  }
  get mayRequestAtomics(): boolean {
    return mayRequestAtomics(this.config);
  }
  /** On a conventional bus it is the bridge that gives up waiting. */
  get completionTimeoutNs(): number {
    if (this.slot === undefined) return Number.POSITIVE_INFINITY;
    return completionTimeoutOf(this.config, this.timing.completionTimeoutNs.value);
  }
  get slot(): Link | undefined {
    return this.card?.slot;
  }
  get takesPackets(): boolean {
    return !this.deaf;
  }

  // What a device model overrides.

  /** A load from a register block, in memory or I/O space. */
  protected readBar(_bar: number, _offset: number, _lengthBytes: number): BarRead {
    return 'UR';
  }
  /** A store to a register block. */
  protected writeBar(_bar: number, _offset: number, _data: Uint8Array): BarWrite {
    return 'UR';
  }
  /** A read of the expansion ROM. */
  protected readRom(_offset: number, _lengthBytes: number): BarRead {
    return 'UR';
  }
  /** An atomic on a register block; the answer is the old value. */
  protected atomicBar(_kind: AtomicKind, _place: { bar: number; offset: number }, _operands: Uint8Array): BarRead {
    return 'UR';
  }
  /** A read of the configuration space. */
  protected readConfig(register: number, size: number): number {
    return this.config.read(register, size);
  }
  /** A DMA read or an atomic ended. Contexts are the model's own, from 0. */
  protected dmaDone(_context: number, _result: ReadResult): void {}
  /** Everything the model holds goes back to its reset state. */
  protected onReset(_kind: DeviceReset): void {}

  // Packets.

  receive(tlp: Tlp): void {
    if (this.deaf) return;
    if (tlp.poisoned) this.config.or('STATUS', STATUS_FIELDS.DETECTED_PARITY);
    if (isCompletion(tlp)) this.dma.receive(tlp);
    else if (tlp.kind !== 'Msg') this.completer.receive(tlp);
    else if (!IGNORED_MESSAGES.includes(tlp.messageCode ?? 0)) this.raiseUncorrectable('UNSUPPORTED_REQUEST', tlp);
  }

  transmit(tlp: Tlp): void {
    if (this.deaf) return;
    const sent = withDigest(this.defects.strike(tlp, this.maxPayloadBytes), this.config);
    if (sent.poisoned && sent.kind === 'MWr') this.noteMasterParity();
    this.card?.send(this, sent);
  }

  /** True for memory and I/O requests that one of the function's BARs holds now. */
  claims(tlp: Tlp): boolean {
    return this.decodes(tlp) && this.baseAddresses.match(tlp) !== undefined;
  }

  refuseConfiguration(tlp: Tlp): void {
    if (!this.deaf) this.completer.refuseConfiguration(tlp);
  }

  readDone(context: number, result: ReadResult): void {
    if (context === STRAY_READ) this.strayReads.push(result);
    else this.dmaDone(context, result);
  }

  completionTimedOut(): void {
    this.raiseUncorrectable('COMPLETION_TIMEOUT');
  }

  /** Status bits and errors of the requester (PCI Express base specification 7.5.1.2, 2.3.2, 2.7.2.2). */
  completionProblem(problem: CompletionProblem, tlp: Tlp): void {
    switch (problem) {
      case 'UR':
        this.config.or('STATUS', STATUS_FIELDS.RECEIVED_MASTER_ABORT);
        return;
      case 'CA':
        this.config.or('STATUS', STATUS_FIELDS.RECEIVED_TARGET_ABORT);
        return;
      case 'poisoned':
        this.noteMasterParity();
        this.raiseUncorrectable('POISONED_TLP', tlp);
        return;
      case 'malformed':
        this.raiseUncorrectable('MALFORMED_TLP', tlp);
        return;
      case 'unexpected':
        this.unexpectedCompletions++;
        if (tlp.requesterId === this.rid) this.advise('UNEXPECTED_COMPLETION', tlp);
        else this.card?.advise('UNEXPECTED_COMPLETION', tlp);
    }
  }

  // Resets.

  resetBy(kind: 'fundamental' | 'hot'): void {
    this.completer.abort();
    this.dma.abort();
    this.interrupts.reset();
    this.config.reset(kind);
    this.capturedId = 0;
    if (kind === 'fundamental') this.deaf = false;
    this.onReset(kind);
  }

  resetReleased(): void {
    this.configReadyAt = this.sim.now + this.timing.configRetryNs.value;
  }

  /** Function level reset: the function forgets everything but what belongs to its link (6.6.2). */
  functionReset(): void {
    const payload = this.config.get('DEVCTL') & DEVCTL_FIELDS.MAX_PAYLOAD;
    this.dma.abort();
    // The link stays up, so nobody above takes the pin back.
    this.interrupts.clear();
    this.interrupts.reset();
    this.config.reset('hot');
    this.config.or('DEVCTL', payload);
    this.configReadyAt = this.sim.now + this.timing.functionResetNs.value;
    this.onReset('function');
  }

  // Errors the device finds, and faults it is made to show.

  raiseUncorrectable(error: UncorrectableError, tlp?: Tlp): void {
    this.say(this.noteUncorrectable(error, tlp));
  }

  raiseCorrectable(error: CorrectableError): void {
    this.say(this.noteCorrectable(error));
  }

  noteUncorrectable(error: UncorrectableError, tlp: Tlp | undefined): ErrorMessage | undefined {
    return this.reporter.uncorrectable(error, tlp);
  }

  noteCorrectable(error: CorrectableError): ErrorMessage | undefined {
    return this.reporter.correctable(error);
  }

  noteAdvisory(error: AdvisoryError, tlp: Tlp | undefined): ErrorMessage | undefined {
    return this.reporter.advisory(error, tlp);
  }

  /** An error message without a recorded error: what a confused device may do. */
  sendErrorMessage(kind: ErrorMessage): void {
    this.say(kind);
  }

  /** The next `count` requests of a class get a wrong answer, or none. Stores count only for `nothing`. */
  answerNextRequests(requests: RequestClass, answer: WrongAnswer, count: number): void {
    this.completer.plan(requests, answer, count);
  }

  /** The next `count` packets of a class leave with a defect. */
  damageNextPackets(packets: PacketClass, defect: PacketDefect, count: number): void {
    this.defects.plan(packets, defect, count);
  }

  /** Stops taking and sending packets until the next fundamental reset; the link stays up. */
  stopResponding(): void {
    this.deaf = true;
  }

  /** Writes where it has no business. False: the bus master bit is clear, so not even a stray write gets out. */
  strayWrite(address: bigint, lengthBytes: number): boolean {
    return this.dma.write(addressOf(address), new Uint8Array(lengthBytes).fill(0xee));
  }

  /** Reads where it has no business; the outcome goes to `strayReads`. */
  strayRead(address: bigint, lengthBytes: number): void {
    this.dma.read(addressOf(address), lengthBytes, STRAY_READ);
  }

  private completerHost(): CompleterHost {
    const endpoint = this;
    return {
      get rid() {
        return endpoint.rid;
      },
      get maxPayloadBytes() {
        return endpoint.maxPayloadBytes;
      },
      get configReadyAt() {
        return endpoint.configReadyAt;
      },
      configNs: this.timing.configNs.value,
      memoryReadNs: this.timing.memoryReadNs.value,
      baseAddresses: this.baseAddresses,
      decodes: (tlp) => this.decodes(tlp),
      readConfig: (register, size) => this.readConfig(register, size),
      writeConfig: (register, size, value) => this.config.write(register, size, value),
      captureId: (targetId) => {
        this.capturedId = targetId;
      },
      readBar: (bar, offset, lengthBytes) => this.readBar(bar, offset, lengthBytes),
      writeBar: (bar, offset, data) => this.writeBar(bar, offset, data),
      readRom: (offset, lengthBytes) => this.readRom(offset, lengthBytes),
      atomicBar: (kind, place, operands) => this.atomicBar(kind, place, operands),
      answer: (tlp) => this.transmit(tlp),
      advise: (error, tlp) => this.advise(error, tlp),
      raise: (error, tlp) => this.raiseUncorrectable(error, tlp),
      unclaimed: (tlp, requests) => {
        if (requests === 'posted') this.card?.raise('UNSUPPORTED_REQUEST', tlp);
        else this.card?.advise('UNSUPPORTED_REQUEST', tlp);
      },
    };
  }

  private hookRegisters(): void {
    this.config.hook('COMMAND', { onWrite: () => this.interrupts.update() });
    const anyRegister = this.config as ConfigSpace;
    if (anyRegister.declares('MSI_CONTROL')) {
      anyRegister.hook('MSI_CONTROL', { onWrite: () => this.interrupts.update() });
    }
    if (!this.config.declares('DEVCTL')) return;
    this.config.hook('DEVCTL', { onWrite: (_value, _old, written) => this.deviceControlWritten(written) });
    const pending = this.config.mask('DEVSTA', 'TRANSACTIONS_PENDING');
    this.config.hook('DEVSTA', { onRead: (stored) => stored | (this.dma.outstandingReads > 0 ? pending : 0) });
    this.config.hook('LNKSTA', {
      onRead: (stored) => stored | linkStatusOf(this.card),
    });
  }

  private deviceControlWritten(written: number): void {
    const asked = (written & DEVCTL_FIELDS.FUNCTION_LEVEL_RESET) !== 0;
    if (asked && this.config.has('DEVCAP', 'FUNCTION_LEVEL_RESET')) this.functionReset();
  }

  /** In D3hot only configuration requests are answered. Source: PCI Power Management 1.2 5.4.1. */
  private get powered(): boolean {
    const config = this.config as ConfigSpace;
    return !config.declares('PMCSR') || config.field('PMCSR', 'POWER_STATE') === 0;
  }

  private decodes(tlp: Tlp): boolean {
    return this.config.has('COMMAND', isInputOutput(tlp) ? 'IO' : 'MEMORY') && this.powered;
  }

  /** Poisoned data this function sent, or was sent as requester: noted only with the parity response on (7.5.1.2). */
  private noteMasterParity(): void {
    if (this.config.has('COMMAND', 'PARITY')) this.config.or('STATUS', STATUS_FIELDS.MASTER_PARITY);
  }

  private advise(error: AdvisoryError, tlp: Tlp): void {
    if (error === 'COMPLETER_ABORT') this.config.or('STATUS', STATUS_FIELDS.SENT_TARGET_ABORT);
    this.say(this.noteAdvisory(error, tlp));
  }

  private say(kind: ErrorMessage | undefined): void {
    if (kind !== undefined) this.transmit(errorMessage(this.rid, kind));
  }
}
