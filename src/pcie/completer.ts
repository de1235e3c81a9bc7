/**
 * The completer side of a function: takes configuration, memory, I/O and atomic requests and answers them after their
 * time, rightly or, where a fault planned it, wrongly. Source: PCI Express base specification 2.2.9, 2.3.1, 2.7.2.
 */
import { Priority } from '../sim/priority.js';
import type { HandlerId, Simulator } from '../sim/simulator.js';
import { quantize, type TimeNs } from '../sim/time.js';
import type { BaseAddresses } from './base-address.js';
import { littleEndian, littleEndianBytes } from './byte-order.js';
import { completion, completionWithData, splitCompletions } from './completion.js';
import type { AdvisoryError } from './error-reporter.js';
import { SlotStore } from './slot-store.js';
import {
  type AtomicKind,
  isAtomic,
  isConfiguration,
  isConfigurationWrite,
  isForBusBelow,
  isInputOutput,
  type Tlp,
} from './tlp.js';

/** What a register block answers: bytes, or the failing status. */
export type BarRead = Uint8Array | 'UR' | 'CA';
export type BarWrite = 'done' | 'UR' | 'CA';
/** A planned wrong answer; `nothing` lets the requester time out, `poisoned` marks the data of a read as bad. */
export type WrongAnswer = 'UR' | 'CA' | 'CRS' | 'nothing' | 'poisoned';
export type RequestClass = 'configuration' | 'memory';

/** The function around the completer: its register blocks, and where its errors go. */
export interface CompleterHost {
  readonly rid: number;
  readonly maxPayloadBytes: number;
  /** Until then configuration requests are answered with CRS. */
  readonly configReadyAt: TimeNs;
  readonly configNs: TimeNs;
  readonly memoryReadNs: TimeNs;
  /** Memory and I/O requests of the address spaces that are switched on. */
  readonly decodes: (tlp: Tlp) => boolean;
  readonly baseAddresses: BaseAddresses;
  readConfig(register: number, size: number): number;
  writeConfig(register: number, size: number, value: number): void;
  /** A configuration write names the function's identifier. */
  captureId(targetId: number): void;
  readBar(bar: number, offset: number, lengthBytes: number): BarRead;
  writeBar(bar: number, offset: number, data: Uint8Array): BarWrite;
  readRom(offset: number, lengthBytes: number): BarRead;
  atomicBar(kind: AtomicKind, place: { bar: number; offset: number }, operands: Uint8Array): BarRead;
  answer(tlp: Tlp): void;
  /** An error of this function that the requester learns by its completion. */
  advise(error: AdvisoryError, tlp: Tlp): void;
  /** An error of a posted request. */
  raise(error: 'UNSUPPORTED_REQUEST' | 'COMPLETER_ABORT' | 'POISONED_TLP', tlp: Tlp): void;
  /** No function of the card claims the request. */
  unclaimed(tlp: Tlp, requests: 'posted' | 'non-posted'): void;
}

/** Completions end at multiples of this many bytes. */
const READ_COMPLETION_BOUNDARY = 128;

export class Completer {
  private readonly answers = new SlotStore<Tlp>();
  private readonly answerEvent: HandlerId;
  private readonly planned: Record<RequestClass, { answer: WrongAnswer; count: number }[]> = {
    configuration: [],
    memory: [],
  };
  private life = 0;

  constructor(
    private readonly sim: Simulator,
    name: string,
    private readonly host: CompleterHost,
  ) {
    this.answerEvent = sim.handler(`${name} answer`, (slot, life) => this.answer(slot, life));
  }

  /** The next `count` requests of a class get a wrong answer, or none. Stores count only for `nothing`. */
  plan(requests: RequestClass, answer: WrongAnswer, count: number): void {
    this.planned[requests].push({ answer, count });
  }

  /** Answers under way are not sent any more. */
  abort(): void {
    this.life++;
  }

  /** Any request of this function. */
  receive(tlp: Tlp): void {
    if (isConfiguration(tlp)) this.configuration(tlp);
    else if (tlp.kind === 'MWr') this.store(tlp);
    else this.nonPosted(tlp);
  }

  /** A request for a function that is not there, or for a bus below the card: then this function answers for it. */
  refuseConfiguration(tlp: Tlp): void {
    const id = isForBusBelow(tlp) ? this.completerId(tlp) : tlp.targetId!;
    this.later(completion(tlp, id, 'UR'), this.host.configNs);
  }

  private configuration(tlp: Tlp): void {
    const planned = this.takePlanned('configuration');
    if (planned === 'nothing') return;
    if (planned === 'poisoned') this.configAccess(tlp, 'poisoned');
    else if (planned !== undefined) this.configAnswer(tlp, planned);
    else if (this.sim.now < this.host.configReadyAt) this.configAnswer(tlp, 'CRS');
    else this.configAccess(tlp, 'sound');
  }

  private configAnswer(tlp: Tlp, status: 'SC' | 'UR' | 'CA' | 'CRS'): void {
    this.later(completion(tlp, this.completerId(tlp), status), this.host.configNs);
  }

  private configAccess(tlp: Tlp, data: 'sound' | 'poisoned'): void {
    if (isConfigurationWrite(tlp)) {
      this.host.captureId(tlp.targetId!);
      // Poisoned data must not change a register; the requester is told (2.7.2.2).
      if (tlp.poisoned) this.host.advise('POISONED_TLP', tlp);
      else this.host.writeConfig(tlp.register!, tlp.lengthBytes, littleEndian(tlp.data!));
      this.configAnswer(tlp, tlp.poisoned ? 'UR' : 'SC');
      return;
    }
    const value = littleEndianBytes(this.host.readConfig(tlp.register!, tlp.lengthBytes), tlp.lengthBytes);
    const answer = completionWithData(tlp, this.completerId(tlp), value);
    this.later(data === 'poisoned' ? { ...answer, poisoned: true } : answer, this.host.configNs);
  }

  private nonPosted(tlp: Tlp): void {
    const planned = this.takePlanned('memory');
    if (planned === 'nothing') return;
    if (planned !== undefined && planned !== 'poisoned') this.fail(tlp, planned);
    else if (tlp.poisoned) this.refusePoisoned(tlp);
    else this.respond(tlp, planned === 'poisoned' ? 'poisoned' : 'sound');
  }

  private respond(tlp: Tlp, data: 'sound' | 'poisoned'): void {
    const result = this.access(tlp);
    if (result === 'unclaimed') {
      this.host.unclaimed(tlp, 'non-posted');
      this.later(completion(tlp, this.completerId(tlp), 'UR'), this.host.memoryReadNs);
      return;
    }
    if (typeof result === 'string') {
      this.fail(tlp, result);
      return;
    }
    for (const part of this.completions(tlp, result)) {
      this.later(data === 'poisoned' && part.data ? { ...part, poisoned: true } : part, this.host.memoryReadNs);
    }
  }

  private completions(tlp: Tlp, result: Uint8Array): Tlp[] {
    if (tlp.kind === 'IOWr') return [completion(tlp, this.host.rid, 'SC')];
    if (isInputOutput(tlp)) return [completionWithData(tlp, this.host.rid, result)];
    const cut = { maxPayloadBytes: this.host.maxPayloadBytes, boundaryBytes: READ_COMPLETION_BOUNDARY } as const;
    return splitCompletions(tlp, this.host.rid, result, cut);
  }

  /** What the registers answer: data (none for an I/O write), or why not. */
  private access(tlp: Tlp): BarRead | 'unclaimed' {
    const hit = this.host.decodes(tlp) ? this.host.baseAddresses.match(tlp) : undefined;
    if (hit === undefined) return 'unclaimed';
    const { bar, offset } = hit;
    if (bar === 'rom') return isAtomic(tlp) ? 'UR' : this.host.readRom(offset, tlp.lengthBytes);
    if (isAtomic(tlp)) return this.host.atomicBar(tlp.kind as AtomicKind, { bar, offset }, tlp.data!);
    if (tlp.kind !== 'IOWr') return this.host.readBar(bar, offset, tlp.lengthBytes);
    const outcome = this.host.writeBar(bar, offset, tlp.data!);
    return outcome === 'done' ? NO_DATA : outcome;
  }

  private fail(tlp: Tlp, status: 'UR' | 'CA' | 'CRS'): void {
    this.host.advise(status === 'CA' ? 'COMPLETER_ABORT' : 'UNSUPPORTED_REQUEST', tlp);
    this.later(completion(tlp, this.completerId(tlp), status), this.host.memoryReadNs);
  }

  /** Registers stand behind every BAR, so poisoned data of an I/O write or an atomic are refused (2.7.2.2). */
  private refusePoisoned(tlp: Tlp): void {
    this.host.advise('POISONED_TLP', tlp);
    this.later(completion(tlp, this.completerId(tlp), 'UR'), this.host.memoryReadNs);
  }

  private store(tlp: Tlp): void {
    if (this.takePlanned('memory') !== undefined) return;
    if (tlp.poisoned) {
      this.host.raise('POISONED_TLP', tlp);
      return;
    }
    const hit = this.host.decodes(tlp) ? this.host.baseAddresses.match(tlp) : undefined;
    if (hit === undefined) {
      this.host.unclaimed(tlp, 'posted');
      return;
    }
    // A ROM takes no writes and is no error either (M).
    if (hit.bar === 'rom') return;
    const outcome = this.host.writeBar(hit.bar, hit.offset, tlp.data!);
    if (outcome === 'UR') this.host.raise('UNSUPPORTED_REQUEST', tlp);
    if (outcome === 'CA') this.host.raise('COMPLETER_ABORT', tlp);
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
    return this.host.rid === 0 ? (tlp.targetId ?? 0) : this.host.rid;
  }

  private later(tlp: Tlp, delayNs: TimeNs): void {
    this.sim.schedule(quantize(delayNs), Priority.DEVICE, this.answerEvent, this.answers.put(tlp), this.life);
  }

  private answer(slot: number, life: number): void {
    const tlp = this.answers.take(slot);
    if (life === this.life) this.host.answer(tlp);
  }
}

const NO_DATA = new Uint8Array(0);
