/**
 * Watches a run and keeps what matters of it: faults, errors, freezes, loads of all ones, link changes, the kernel's log,
 * the packets of each slot. It looks at traces and logs and changes nothing.
 */
import type { LogRecord } from '../eeh/log.js';
import type { FaultEngine, Strike } from '../faults/engine.js';
import { fromHalves } from '../hw/bits.js';
import { INTERRUPT_TAKEN } from '../hw/interrupts.js';
import { MMIO_LOAD } from '../hw/system-bus.js';
import type { PestWords } from '../ioda/pest.js';
import type { ChipMoments, ErrorEventName } from '../machine/chip.js';
import type { AnySystem, SystemSlot } from '../machine/system.js';
import type { Socket } from '../machine/topology.js';
import { LINK_STATE } from '../pcie/link.js';
import type { LinkError } from '../pcie/link-error.js';
import { TLP_STALLED } from '../pcie/link-trace.js';
import { isCompletion, MessageCode, type Tlp } from '../pcie/tlp.js';
import { malformation } from '../pcie/tlp-checks.js';
import { STALL_REASONS, type StallReason } from '../pcie/transmit-queue.js';
import type { TimeNs } from '../sim/time.js';
import type { TraceRecord } from '../sim/trace.js';
import { FirmwareWatch } from './firmware-watch.js';
import { LogEvidence } from './log-evidence.js';
import type { ActionSeen, Operator } from './operator.js';
import { type ResetSeen, ResetWatch } from './reset-watch.js';

export interface ErrorSeen {
  readonly timeNs: TimeNs;
  readonly phb: number;
  readonly event: ErrorEventName;
  /** None where the requester has no PE. */
  readonly pe: number | undefined;
  readonly requesterId: number;
  readonly address: bigint;
}

/** A PE froze: both halves at once, by an error or by software. */
export interface FreezeSeen {
  readonly timeNs: TimeNs;
  readonly phb: number;
  readonly pe: number;
  /** Slots and switches that had this PE then. */
  readonly who: readonly string[];
  readonly cause: ErrorSeen | undefined;
  pest: PestWords;
  /** When both halves were let go. */
  thawedNs: TimeNs | undefined;
}

/** A load from a slot's registers gave all ones. */
export interface OnesSeen {
  readonly timeNs: TimeNs;
  readonly slot: string;
  readonly address: number;
}

/** The processor took an interrupt of a bridge's own. */
export interface InterruptSeen {
  readonly timeNs: TimeNs;
  readonly irq: number;
}

export interface PacketSeen {
  readonly timeNs: TimeNs;
  readonly slot: string;
  readonly tlp: Tlp;
  /** The most the slot's card may put into a packet. */
  readonly maxPayloadBytes: number;
}

export interface LinkSeen {
  readonly timeNs: TimeNs;
  readonly link: string;
  readonly state: number;
  readonly speed: number;
  readonly width: number;
}

/** An end of a slot's link found an error on it. */
export interface LinkErrorSeen {
  readonly timeNs: TimeNs;
  readonly slot: string;
  readonly error: LinkError;
  readonly by: 'port' | 'card';
}

/** An end of a slot's link had packets to send and no credits for them. */
export interface StallSeen {
  readonly timeNs: TimeNs;
  readonly slot: string;
  readonly by: 'port' | 'card';
  readonly reason: StallReason;
}

export type { ResetKind, ResetSeen } from './reset-watch.js';

export interface PhbSeen {
  readonly timeNs: TimeNs;
  readonly phb: number;
  readonly what: 'fenced' | 'reset';
}

/** A unit of the chip above the bridges reported error bits, or that chip stopped answering. */
export interface HubSeen {
  readonly timeNs: TimeNs;
  readonly what: 'error' | 'dead';
  /** Bit of the unit in the global error macro. */
  readonly unit: number;
  readonly bits: bigint;
}

/** The kernel lost a slot's device, found one there, or bound a driver to it. As fine as the looks are often. */
export interface PresenceSeen {
  readonly timeNs: TimeNs;
  readonly slot: string;
  readonly what: 'gone' | 'found' | 'bound';
}

const NO_PE = 0xffff;
const ONES = 0xffff_ffff;
/** A packet this soon after a fault, at its address, is the fault's. */
const STRAY_WINDOW_NS = 10_000;

export class Observer {
  readonly strikes: Strike[] = [];
  readonly errors: ErrorSeen[] = [];
  readonly freezes: FreezeSeen[] = [];
  readonly ones: OnesSeen[] = [];
  readonly strays: PacketSeen[] = [];
  readonly links: LinkSeen[] = [];
  readonly linkErrors: LinkErrorSeen[] = [];
  readonly stalls: StallSeen[] = [];
  readonly interrupts: InterruptSeen[] = [];
  readonly phbs: PhbSeen[] = [];
  readonly hub: HubSeen[] = [];
  readonly presences: PresenceSeen[] = [];
  readonly log: LogRecord[] = [];
  readonly told = new LogEvidence();
  readonly firmware: FirmwareWatch;
  private readonly resetWatch: ResetWatch;
  private readonly present = new Map<string, 'gone' | 'found' | 'bound'>();
  /** The last packet of each slot. */
  private readonly lastSent = new Map<string, PacketSeen>();
  private readonly linkEnds = new Map<string, Pick<StallSeen, 'slot' | 'by'>>();
  private readonly phbIds = new Map<string, number>();
  private readonly moments: ChipMoments;

  constructor(
    private readonly system: AnySystem,
    engine: FaultEngine,
    private readonly operator: Operator,
  ) {
    const { trace } = system.sim;
    const { moments } = system.chip;
    this.moments = moments;
    for (const [index, phb] of system.machine.phbs.entries()) this.phbIds.set(phb.name, index);
    this.firmware = new FirmwareWatch(system);
    this.resetWatch = new ResetWatch(system);
    engine.onStrike((strike) => this.struck(strike));
    trace.subscribe((record) => this.errorRaised(record), [moments.errorRaised]);
    trace.subscribe((record) => this.peChanged(record), [moments.peFreeze]);
    trace.subscribe((record) => this.phbChanged(record), [moments.fenced, moments.bridgeReset]);
    const { unitError, hubDead } = moments;
    if (unitError !== undefined) trace.subscribe((record) => this.unitReported(record), [unitError]);
    if (hubDead !== undefined) trace.subscribe((record) => this.hubDied(record), [hubDead]);
    trace.subscribe((record) => this.linkChanged(record), [LINK_STATE]);
    trace.subscribe((record) => this.stalled(record), [TLP_STALLED]);
    trace.subscribe((record) => this.loaded(record), [MMIO_LOAD]);
    trace.subscribe(({ time, values }) => this.interrupts.push({ timeNs: time, irq: values[0]! }), [INTERRUPT_TAKEN]);
    system.kernel.log.subscribe((record) => {
      this.log.push(record);
      this.told.read(record);
    });
    for (const slot of system.slots) slot.place.socket.link.down.observe((tlp) => this.sent(slot, tlp));
    for (const socket of new Set(system.slots.map(({ place }) => place.socket))) this.watchLink(socket);
    this.look();
  }

  get actions(): readonly ActionSeen[] {
    return this.operator.seen;
  }

  get resets(): readonly ResetSeen[] {
    return this.resetWatch.resets;
  }

  /** When somebody interfered for the first time: a fault, or the operator. */
  get firstStrikeNs(): TimeNs | undefined {
    const [strike] = this.strikes;
    const [action] = this.actions;
    if (strike === undefined || action === undefined) return (strike ?? action)?.timeNs;
    return Math.min(strike.timeNs, action.timeNs);
  }

  /** Grows with whatever is observed; thaws and packets apart. */
  get size(): number {
    const { strikes, errors, freezes, ones, links, linkErrors, stalls, phbs, hub, presences, log } = this;
    const lists = [strikes, errors, freezes, ones, links, linkErrors, stalls, phbs, hub, presences, log];
    return lists.reduce((sum, list) => sum + list.length, this.actions.length + this.resets.length);
  }

  /** Which devices the kernel has now, and which of them have a driver. */
  look(): void {
    const devices = this.system.kernel.devices;
    for (const slot of this.system.slots) {
      const device = slot.deviceAmong(devices);
      const state = device === undefined ? 'gone' : device.driver === undefined ? 'found' : 'bound';
      const before = this.present.get(slot.name);
      this.present.set(slot.name, state);
      if (before === undefined || before === state) continue;
      this.presences.push({ timeNs: this.system.sim.now, slot: slot.name, what: state });
    }
  }

  /** Freezes of the PE of a slot or switch. */
  freezesOf(name: string): FreezeSeen[] {
    return this.freezes.filter((freeze) => freeze.who.includes(name));
  }

  private errorRaised({ time, source, values }: TraceRecord): void {
    const [event, pe, requesterId, high, low] = values;
    this.errors.push({
      timeNs: time,
      phb: this.phbIds.get(source)!,
      event: this.moments.eventNames[event!]!,
      pe: pe === NO_PE ? undefined : pe!,
      requesterId: requesterId!,
      address: fromHalves(high!, low!),
    });
  }

  private peChanged({ time, source, values }: TraceRecord): void {
    const [pe, , frozen] = values;
    const phb = this.phbIds.get(source)!;
    const open = this.freezes.findLast(
      (freeze) => freeze.phb === phb && freeze.pe === pe && freeze.thawedNs === undefined,
    );
    if (frozen === 1) {
      if (open === undefined) this.frozen(time, phb, pe!);
      // The halves freeze one after the other, and a chip may keep the details of each in its own word.
      else if (open.cause !== undefined && open.timeNs === time) open.pest = this.system.peekPest(phb, pe!);
      return;
    }
    const chip = this.system.machine.phbs[phb]!;
    if (open !== undefined && !chip.peState.isFrozen(pe!)) open.thawedNs = time;
  }

  /** An error freezes in the same instant in which it is raised; all else is software. */
  private frozen(timeNs: TimeNs, phb: number, pe: number): void {
    const last = this.errors.findLast((error) => error.phb === phb);
    const cause = last?.timeNs === timeNs ? last : undefined;
    // The chip's bits follow one after the other; both are set when the event is over.
    const { a, b } = this.system.peekPest(phb, pe);
    const pest = cause === undefined ? { a, b } : { a: a | FROZEN, b: b | FROZEN };
    this.freezes.push({ timeNs, phb, pe, who: this.system.namesOfPe(phb, pe), cause, pest, thawedNs: undefined });
    if (cause !== undefined) this.firmware.cutOff(phb);
  }

  private phbChanged({ time, source, kind, values }: TraceRecord): void {
    const fenced = kind.id === this.moments.fenced.id;
    if (!fenced && values[0] !== 1) return;
    const phb = this.phbIds.get(source)!;
    this.phbs.push({ timeNs: time, phb, what: fenced ? 'fenced' : 'reset' });
    if (fenced) this.firmware.cutOff(phb);
  }

  private unitReported({ time, values }: TraceRecord): void {
    const [unit, high, low] = values;
    this.hub.push({ timeNs: time, what: 'error', unit: unit!, bits: fromHalves(high!, low!) });
    this.firmware.hubReported();
  }

  private hubDied({ time, values }: TraceRecord): void {
    this.hub.push({ timeNs: time, what: 'dead', unit: values[0]!, bits: 0n });
  }

  private watchLink({ link, name }: Socket): void {
    link.onError((error, at) => {
      const by = at === 'up' ? 'port' : 'card';
      this.linkErrors.push({ timeNs: this.system.sim.now, slot: name, error, by });
    });
    this.linkEnds.set(link.up.name, { slot: name, by: 'port' });
    this.linkEnds.set(link.down.name, { slot: name, by: 'card' });
  }

  private stalled({ time, source, values }: TraceRecord): void {
    const end = this.linkEnds.get(source);
    if (end !== undefined) this.stalls.push({ timeNs: time, ...end, reason: STALL_REASONS[values[0]!]! });
  }

  private linkChanged({ time, source, values }: TraceRecord): void {
    const [state, speed, width] = values;
    this.links.push({ timeNs: time, link: source, state: state!, speed: speed!, width: width! });
  }

  private loaded({ time, values }: TraceRecord): void {
    const [high, low, , , value] = values;
    if (value !== ONES) return;
    const address = high! * 2 ** 32 + low!;
    const slot = this.system.slots.find((each) => ownsAddress(each, address));
    if (slot !== undefined) this.ones.push({ timeNs: time, slot: slot.name, address });
  }

  /** A card may send its stray packet before the fault is told of, or later. */
  private sent(slot: SystemSlot, tlp: Tlp): void {
    const { card } = slot.place;
    // Several functions share the link. What comes through a bridge carries the identifier of the bridge.
    if (card.slot !== undefined && senderOf(tlp) !== card.rid) return;
    const packet = { timeNs: this.system.sim.now, slot: slot.name, tlp, maxPayloadBytes: card.maxPayloadBytes };
    const strike = this.strikes.at(-1);
    if (strike !== undefined && belongs(packet, strike)) this.strays.push(packet);
    else this.lastSent.set(slot.name, packet);
  }

  private struck(strike: Strike): void {
    this.strikes.push(strike);
    const last = this.lastSent.get(strike.fault.target);
    if (last !== undefined && belongs(last, strike)) this.strays.push(last);
  }
}

const senderOf = (tlp: Tlp): number | undefined => (isCompletion(tlp) ? tlp.completerId : tlp.requesterId);

function belongs(
  { timeNs, slot, tlp, maxPayloadBytes }: PacketSeen,
  { fault, timeNs: struckNs, address }: Strike,
): boolean {
  if (slot !== fault.target || timeNs < struckNs || timeNs - struckNs > STRAY_WINDOW_NS) return false;
  if (address !== undefined) return targets(tlp, address);
  if (tlp.digestDamaged === true || malformation(tlp, { maxPayloadBytes, from: 'below' }) !== undefined) return true;
  return tlp.poisoned === true || (tlp.kind === 'Msg' && ERROR_MESSAGES.has(tlp.messageCode ?? 0));
}

const ERROR_MESSAGES = new Set<number>([MessageCode.ERR_COR, MessageCode.ERR_NONFATAL, MessageCode.ERR_FATAL]);
const FROZEN = 1n << 63n;

function targets(tlp: Tlp, address: bigint): boolean {
  return (tlp.kind === 'MWr' || tlp.kind === 'MRd') && fromHalves(tlp.addressHi, tlp.addressLo) === address;
}

function ownsAddress(slot: SystemSlot, address: number): boolean {
  const { device } = slot;
  if (device === undefined) return false;
  return device.resources.some(({ index, sizeBytes }) => {
    const base = device.cpuAddress(index);
    return base !== undefined && address >= base && address < base + sizeBytes;
  });
}
