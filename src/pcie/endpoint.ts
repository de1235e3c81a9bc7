/**
 * The base of every device: type 0 configuration space, completer, requester, interrupts, errors, resets, and the
 * knobs by which a fault makes it misbehave on the wire. Source: PCI Express base specification 2.2 to 2.3, 6.2, 6.6.
 */
import { Priority } from '../sim/priority.js';
import type { HandlerId, Simulator } from '../sim/simulator.js';
import { quantize, type TimeNs } from '../sim/time.js';
import type { CorrectableError, UncorrectableError } from './aer-capability.js';
import { BaseAddresses } from './base-address.js';
import { DEVCTL_FIELDS, decodeSize, type PciExpressRegister } from './capabilities.js';
import type { BarSpec, DeviceRegister } from './config-header.js';
import { type ConfigLayout, ConfigSpace } from './config-space.js';
import { DeviceInterrupts } from './device-interrupts.js';
import { DmaRequester, type ReadResult, type RequesterHost } from './dma-requester.js';
import { ErrorReporter } from './error-reporter.js';
import type { Link, LinkPartner } from './link.js';
import type { Figure, LinkSpeed, LinkWidth } from './link-profile.js';
import { SlotStore } from './slot-store.js';
import {
  addressOf,
  completion,
  completionWithData,
  type ErrorMessage,
  errorMessage,
  functionOf,
  isCompletion,
  isConfiguration,
  isConfigurationWrite,
  splitCompletions,
  type Tlp,
  type TlpSink,
} from './tlp.js';

export type EndpointRegister = DeviceRegister | PciExpressRegister;
/** A device without the PCI Express capability (conventional, behind no bridge of its own) is accepted too. */
export type EndpointLayout = ConfigLayout<DeviceRegister> & Partial<ConfigLayout<PciExpressRegister>>;

export interface EndpointTiming {
  readonly configNs: Figure;
  readonly memoryReadNs: Figure;
  /** After a reset, configuration requests are answered with CRS for this long. */
  readonly configRetryNs: Figure;
  readonly functionResetNs: Figure;
  readonly completionTimeoutNs: Figure;
}

export const ENDPOINT_TIMING: EndpointTiming = {
  configNs: { value: 500, known: 'assumed', source: '(M) ioda2-phb3 10.4: a configuration cycle takes 1 to 2 us' },
  memoryReadNs: { value: 300, known: 'assumed', source: '(M) ioda2-phb3 10.4: an MMIO load takes about 1 us' },
  configRetryNs: { value: 0, known: 'assumed', source: '(M) ready by the time its link is' },
  functionResetNs: { value: 1e6, known: 'assumed', source: '(M) the specification, 6.6.2, allows 100 ms' },
  completionTimeoutNs: {
    value: 50e6,
    known: 'stated',
    source: 'PCI Express base specification 2.8, 7.8.16: 50 us to 50 ms',
  },
};

export interface EndpointOptions {
  readonly layout: EndpointLayout;
  readonly bars: readonly BarSpec[];
  readonly maxSpeed?: LinkSpeed;
  readonly maxWidth?: LinkWidth;
  /** Reads it can have outstanding: 32, or up to 256 with extended tags. */
  readonly tags?: number;
  readonly timing?: Partial<EndpointTiming>;
  readonly electricalDetectNs?: number;
  readonly trainingNs?: number;
}

/** What a register block answers: bytes, or the failing status. */
export type BarRead = Uint8Array | 'UR' | 'CA';
export type BarWrite = 'done' | 'UR' | 'CA';
export type DeviceReset = 'fundamental' | 'hot' | 'function';
/** A planned wrong answer; `nothing` lets the requester time out. */
export type WrongAnswer = 'UR' | 'CA' | 'CRS' | 'nothing';
export type RequestClass = 'configuration' | 'memory';

/** Context numbers below zero are the base's own. */
const STRAY_READ = -1;
const SMALLEST_BYTES = 128;

export class Endpoint implements TlpSink, LinkPartner, RequesterHost {
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
  private readonly answers = new SlotStore<Tlp>();
  private readonly answerEvent: HandlerId;
  private readonly planned: Record<RequestClass, { answer: WrongAnswer; count: number }[]> = {
    configuration: [],
    memory: [],
  };
  private link: Link | undefined;
  private capturedId = 0;
  private life = 0;
  private configReadyAt: TimeNs = 0;
  private deaf = false;

  constructor(
    protected readonly sim: Simulator,
    readonly name: string,
    options: EndpointOptions,
  ) {
    this.maxSpeed = options.maxSpeed ?? 3;
    this.maxWidth = options.maxWidth ?? 8;
    this.tags = options.tags ?? 32;
    if (options.electricalDetectNs !== undefined) this.electricalDetectNs = options.electricalDetectNs;
    if (options.trainingNs !== undefined) this.trainingNs = options.trainingNs;
    this.timing = { ...ENDPOINT_TIMING, ...options.timing };
    // Registers a device may lack are used only after `declares`.
    this.config = new ConfigSpace(name, options.layout as ConfigLayout<EndpointRegister>);
    this.reporter = new ErrorReporter(this.config);
    this.baseAddresses = new BaseAddresses(this.config, options.bars);
    this.dma = new DmaRequester(sim, name, this);
    this.interrupts = new DeviceInterrupts(this.config, this);
    this.answerEvent = sim.handler(`${name} answer`, (slot, life) => this.answer(slot, life));
    this.hookRegisters();
  }

  /** Puts the card into the slot below `link`. */
  plugInto(link: Link): void {
    this.link = link;
    link.down.attach(this);
    link.insertCard(this);
  }

  /** Bus, device and function as captured from configuration writes; 0 until then. */
  get rid(): number {
    return this.capturedId;
  }
  get busMaster(): boolean {
    return this.config.has('COMMAND', 'BUS_MASTER') && this.powered;
  }
  get maxPayloadBytes(): number {
    return this.config.declares('DEVCTL') ? decodeSize(this.config.field('DEVCTL', 'MAX_PAYLOAD')) : SMALLEST_BYTES;
  }
  get maxReadRequestBytes(): number {
    return this.config.declares('DEVCTL')
      ? decodeSize(this.config.field('DEVCTL', 'MAX_READ_REQUEST'))
      : SMALLEST_BYTES;
  }
  get completionTimeoutNs(): number {
    return this.timing.completionTimeoutNs.value;
  }
  get slot(): Link | undefined {
    return this.link;
  }

  // What a device model overrides.

  /** A load from a register block. */
  protected readBar(_bar: number, _offset: number, _lengthBytes: number): BarRead {
    return 'UR';
  }
  /** A store to a register block. */
  protected writeBar(_bar: number, _offset: number, _data: Uint8Array): BarWrite {
    return 'UR';
  }
  /** A read of the configuration space. */
  protected readConfig(register: number, size: number): number {
    return this.config.read(register, size);
  }
  /** A DMA read ended. Contexts are the model's own, from 0. */
  protected dmaDone(_context: number, _result: ReadResult): void {}
  /** Everything the model holds goes back to its reset state. */
  protected onReset(_kind: DeviceReset): void {}

  // Packets.

  receive(tlp: Tlp): void {
    if (this.deaf) return;
    if (isCompletion(tlp)) this.dma.receive(tlp);
    else if (isConfiguration(tlp)) this.configRequest(tlp);
    else if (tlp.kind === 'MRd') this.memoryRequest(tlp);
    else if (tlp.kind === 'MWr') this.storeRequest(tlp);
    // Messages from above (power management, unlock) ask nothing of these devices.
  }

  transmit(tlp: Tlp): void {
    if (!this.deaf) this.link?.down.send(tlp);
  }

  readDone(context: number, result: ReadResult): void {
    if (context === STRAY_READ) this.strayReads.push(result);
    else this.dmaDone(context, result);
  }

  completionTimedOut(): void {
    this.raiseUncorrectable('COMPLETION_TIMEOUT');
  }

  unexpectedCompletion(tlp: Tlp): void {
    this.unexpectedCompletions++;
    this.raiseUncorrectable('UNEXPECTED_COMPLETION', tlp);
  }

  // Resets.

  resetBy(kind: 'fundamental' | 'hot'): void {
    this.life++;
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
    this.interrupts.reset();
    this.config.reset('hot');
    this.config.or('DEVCTL', payload);
    this.configReadyAt = this.sim.now + this.timing.functionResetNs.value;
    this.onReset('function');
  }

  // Errors the device finds, and faults it is made to show.

  raiseUncorrectable(error: UncorrectableError, tlp?: Tlp): void {
    this.say(this.reporter.uncorrectable(error, tlp));
  }

  raiseCorrectable(error: CorrectableError): void {
    this.say(this.reporter.correctable(error));
  }

  /** An error message without a recorded error: what a confused device may do. */
  sendErrorMessage(kind: ErrorMessage): void {
    this.say(kind);
  }

  /** The next `count` requests of a class get a wrong answer, or none. Stores count only for `nothing`. */
  answerNextRequests(requests: RequestClass, answer: WrongAnswer, count: number): void {
    this.planned[requests].push({ answer, count });
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
      onRead: (stored) => stored | (this.link === undefined ? 0 : this.link.speed | (this.link.width << 4)),
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

  private configRequest(tlp: Tlp): void {
    const planned = this.takePlanned('configuration');
    if (planned === 'nothing') return;
    if (planned !== undefined) this.answerLater(completion(tlp, this.completerId(tlp), planned), 'configNs');
    else if (this.sim.now < this.configReadyAt) {
      this.answerLater(completion(tlp, this.completerId(tlp), 'CRS'), 'configNs');
    } else if (functionOf(tlp.targetId!) !== 0) {
      this.answerLater(completion(tlp, tlp.targetId!, 'UR'), 'configNs');
    } else this.configAccess(tlp);
  }

  private configAccess(tlp: Tlp): void {
    if (isConfigurationWrite(tlp)) {
      this.capturedId = tlp.targetId!;
      this.config.write(tlp.register!, tlp.lengthBytes, littleEndian(tlp.data!));
      this.answerLater(completion(tlp, this.capturedId, 'SC'), 'configNs');
      return;
    }
    const data = littleEndianBytes(this.readConfig(tlp.register!, tlp.lengthBytes), tlp.lengthBytes);
    this.answerLater(completionWithData(tlp, this.completerId(tlp), data), 'configNs');
  }

  private memoryRequest(tlp: Tlp): void {
    const planned = this.takePlanned('memory');
    if (planned === 'nothing') return;
    const result = planned ?? this.readRegisters(tlp);
    if (typeof result === 'string') {
      this.say(this.reporter.advisory(result === 'CA' ? 'COMPLETER_ABORT' : 'UNSUPPORTED_REQUEST', tlp));
      this.answerLater(completion(tlp, this.completerId(tlp), result), 'memoryReadNs');
      return;
    }
    const cut = { maxPayloadBytes: this.maxPayloadBytes, boundaryBytes: 128 } as const;
    for (const cpl of splitCompletions(tlp, this.rid, result, cut)) this.answerLater(cpl, 'memoryReadNs');
  }

  private readRegisters(tlp: Tlp): BarRead {
    const hit = this.claimed(tlp);
    return hit === undefined ? 'UR' : this.readBar(hit.bar, hit.offset, tlp.lengthBytes);
  }

  private storeRequest(tlp: Tlp): void {
    if (this.takePlanned('memory') !== undefined) return;
    if (tlp.poisoned) {
      this.raiseUncorrectable('POISONED_TLP', tlp);
      return;
    }
    const hit = this.claimed(tlp);
    const outcome = hit === undefined ? 'UR' : this.writeBar(hit.bar, hit.offset, tlp.data!);
    if (outcome === 'UR') this.raiseUncorrectable('UNSUPPORTED_REQUEST', tlp);
    if (outcome === 'CA') this.raiseUncorrectable('COMPLETER_ABORT', tlp);
  }

  private claimed(tlp: Tlp): { bar: number; offset: number } | undefined {
    if (!this.config.has('COMMAND', 'MEMORY') || !this.powered) return undefined;
    return this.baseAddresses.match(tlp);
  }

  private takePlanned(requests: RequestClass): WrongAnswer | undefined {
    const next = this.planned[requests][0];
    if (next === undefined) return undefined;
    next.count--;
    if (next.count <= 0) this.planned[requests].shift();
    return next.answer;
  }

  /** Before the first configuration write the completer id is whatever the request was addressed to. */
  private completerId(tlp: Tlp): number {
    return this.capturedId === 0 ? (tlp.targetId ?? 0) : this.capturedId;
  }

  private answerLater(tlp: Tlp, delay: 'configNs' | 'memoryReadNs'): void {
    const delayNs = quantize(this.timing[delay].value);
    this.sim.schedule(delayNs, Priority.DEVICE, this.answerEvent, this.answers.put(tlp), this.life);
  }

  private answer(slot: number, life: number): void {
    const tlp = this.answers.take(slot);
    if (life === this.life) this.transmit(tlp);
  }

  private say(kind: ErrorMessage | undefined): void {
    if (kind !== undefined) this.transmit(errorMessage(this.rid, kind));
  }
}

/** Bytes in PCI order to a number, up to 4 bytes. */
export function littleEndian(bytes: Uint8Array): number {
  let value = 0;
  for (let i = bytes.length - 1; i >= 0; i--) value = value * 256 + bytes[i]!;
  return value;
}

export function littleEndianBytes(value: number, lengthBytes: number): Uint8Array {
  return Uint8Array.from({ length: lengthBytes }, (_, i) => Math.floor(value / 2 ** (8 * i)) & 0xff);
}
