/**
 * A conventional PCI bus below a bridge: devices selected by number, one transaction at a time, pins instead of
 * messages. Packets stand for its transactions; a delayed read is a request and a completion.
 * Source: PCI Local Bus 3.0 2.2.8 (PERR#, SERR#), 3.2.2.3.4 (IDSEL), 3.3.3.1 (master abort), 4.2.3.1 (33 MHz).
 */
import type { Figure } from '../hw/figure.js';
import { Priority } from '../sim/priority.js';
import type { HandlerId, Simulator } from '../sim/simulator.js';
import { quantize } from '../sim/time.js';
import { type Card, CardError } from './card.js';
import { completion } from './completion.js';
import { STATUS_FIELDS } from './config-header.js';
import { InterruptWires } from './interrupt-wires.js';
import { SlotStore } from './slot-store.js';
import {
  busOf,
  deviceOf,
  functionOf,
  isAtomic,
  isCompletion,
  isConfiguration,
  isPosted,
  MessageCode,
  type Tlp,
} from './tlp.js';

export interface PciBusTiming {
  readonly clockNs: Figure;
  readonly transactionNs: Figure;
}
export const PCI_BUS_TIMING: PciBusTiming = {
  clockNs: { value: 30, known: 'stated', source: 'PCI Local Bus 3.0 4.2.3.1: 33 MHz; 4 bytes a clock' },
  transactionNs: { value: 180, known: 'assumed', source: '(M) arbitration, address, decode, turn-around: six clocks' },
};

/** The bridge above the bus. */
export interface PciBusHost {
  readonly secondaryBus: number;
  /** True if the bridge takes this request from the bus to carry it up. */
  takes(tlp: Tlp): boolean;
  requestFromDevice(device: number, tlp: Tlp): void;
  /** The end of a request that the bridge had put on the bus. */
  answerFromDevice(tlp: Tlp): void;
  /** Nobody answered a request of the bridge. */
  masterAbort(tlp: Tlp): void;
  pinChanged(device: number, messageCode: number): void;
  /** A device pulls SERR#. */
  systemError(): void;
}

/** Device numbers with an IDSEL line: address lines 16 to 31 (M). */
export const PCI_BUS_DEVICES = 16;
const TO_BRIDGE = -1;
const NOBODY = -2;
const BYTES_PER_CLOCK = 4;

interface Transaction {
  readonly tlp: Tlp;
  readonly from: number;
  readonly to: number;
}

export class PciBus {
  private readonly cards: (Card | undefined)[] = [];
  private readonly underWay = new SlotStore<Transaction>();
  private readonly doneEvent: HandlerId;
  private readonly resetListeners: (() => void)[] = [];
  private busyUntil = 0;
  private life = 0;

  constructor(
    private readonly sim: Simulator,
    name: string,
    private readonly host: PciBusHost,
    private readonly timing: PciBusTiming = PCI_BUS_TIMING,
  ) {
    this.doneEvent = sim.handler(`${name} transaction`, (slot, life) => this.done(slot, life));
  }

  /** Puts a card on the bus. Its functions need no PCI Express capability. */
  insert(device: number, card: Card): void {
    if (!Number.isInteger(device) || device < 0 || device >= PCI_BUS_DEVICES) {
      throw new CardError(`device ${device} has no IDSEL line: a bus has devices 0 to ${PCI_BUS_DEVICES - 1}`);
    }
    if (this.cards[device] !== undefined) throw new CardError(`device ${device} is on the bus already`);
    this.cards[device] = card;
    card.connect({ speed: 0, width: 0, send: (tlp) => this.fromDevice(device, tlp) });
    card.resetBy('fundamental');
    card.resetReleased();
  }

  onReset(listener: () => void): void {
    this.resetListeners.push(listener);
  }

  /** RST# goes down: all devices are reset, and what is under way is lost. */
  reset(): void {
    for (const listener of this.resetListeners) listener();
    this.life++;
    this.busyUntil = this.sim.now;
    for (const card of this.cards) card?.resetBy('fundamental');
  }

  resetReleased(): void {
    for (const card of this.cards) card?.resetReleased();
  }

  /** A request of the bridge. */
  request(tlp: Tlp): void {
    this.start({ tlp, from: TO_BRIDGE, to: this.target(tlp, TO_BRIDGE) });
  }

  /** The bridge's answer to a request of a device. */
  answer(device: number, tlp: Tlp): void {
    this.start({ tlp, from: TO_BRIDGE, to: device });
  }

  private fromDevice(device: number, tlp: Tlp): boolean {
    if (tlp.kind === 'Msg') this.signal(device, tlp.messageCode ?? 0);
    else if (isCompletion(tlp)) this.start({ tlp, from: device, to: this.requesterOf(tlp) });
    else this.start({ tlp, from: device, to: this.target(tlp, device) });
    return true;
  }

  /** Side-band lines: no transaction, no time. There is no line for a correctable error. */
  private signal(device: number, code: number): void {
    if (InterruptWires.isInterrupt(code)) this.host.pinChanged(device, code);
    else if (code === MessageCode.ERR_NONFATAL || code === MessageCode.ERR_FATAL) this.host.systemError();
  }

  /** Requests of devices carry the identifier of the device; all others came through the bridge. */
  private requesterOf(tlp: Tlp): number {
    const device = deviceOf(tlp.requesterId);
    const local = busOf(tlp.requesterId) === this.host.secondaryBus && this.cards[device] !== undefined;
    return local ? device : TO_BRIDGE;
  }

  /** Who answers a request. Atomics have no command on this bus. */
  private target(tlp: Tlp, from: number): number {
    if (isConfiguration(tlp)) {
      const device = deviceOf(tlp.targetId!);
      return this.cards[device]?.has(functionOf(tlp.targetId!)) ? device : NOBODY;
    }
    if (isAtomic(tlp)) return NOBODY;
    const device = this.cards.findIndex((card, index) => index !== from && card?.claims(tlp));
    if (device >= 0) return device;
    return from !== TO_BRIDGE && this.host.takes(tlp) ? TO_BRIDGE : NOBODY;
  }

  private start(transaction: Transaction): void {
    const clocks = Math.ceil((transaction.tlp.data?.length ?? 0) / BYTES_PER_CLOCK);
    const begin = Math.max(this.sim.now, this.busyUntil);
    this.busyUntil = quantize(begin + this.timing.transactionNs.value + clocks * this.timing.clockNs.value);
    this.sim.scheduleAt(this.busyUntil, Priority.LINK, this.doneEvent, this.underWay.put(transaction), this.life);
  }

  private done(slot: number, life: number): void {
    const { tlp, from, to } = this.underWay.take(slot);
    if (life !== this.life) return;
    if (to >= 0) this.cards[to]?.receive(tlp);
    else if (to === NOBODY) this.masterAbort(from, tlp);
    else if (isCompletion(tlp)) this.host.answerFromDevice(tlp);
    else this.host.requestFromDevice(from, tlp);
  }

  private masterAbort(from: number, tlp: Tlp): void {
    if (from === TO_BRIDGE) {
      this.host.masterAbort(tlp);
      return;
    }
    if (isPosted(tlp)) {
      this.cards[from]?.flag(tlp.requesterId, STATUS_FIELDS.RECEIVED_MASTER_ABORT);
      return;
    }
    this.cards[from]?.receive(completion(tlp, tlp.requesterId, 'UR'));
  }
}
