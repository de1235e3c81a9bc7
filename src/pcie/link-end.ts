/**
 * One end of a link as sender: packets go out one after the other, each taking its time on the wire, a credit of the
 * receiver and a place in the replay buffer. Facts: pcie-timing. Source: PCI Express base specification 2.6.
 *
 * As long as nothing stalls and nothing is damaged a packet costs one event, its arrival.
 */
import { Priority } from '../sim/priority.js';
import type { EventId, HandlerId, Simulator } from '../sim/simulator.js';
import { quantize, type TimeNs } from '../sim/time.js';
import { AckNak, type AckNakHost } from './ack-nak.js';
import { Disturbance } from './disturbance.js';
import {
  CreditAccount,
  type Credits,
  checkCredits,
  classOf,
  dataCredits,
  type PacketClass,
  type Pool,
} from './flow-control.js';
import type { LinkSide } from './link-error.js';
import { endpointCredits } from './link-profile.js';
import type { LinkTiming } from './link-state.js';
import { TLP_REPLAYED, TLP_RESUMED, TLP_STALLED, traceLost, traceSent } from './link-trace.js';
import { NEVER } from './replay-buffer.js';
import { type Tlp, type TlpSink, wireBytes } from './tlp.js';
import { STALL_REASONS, type StallReason, TransmitQueue, type WaitingPacket } from './transmit-queue.js';

const SEQUENCE_MASK = 0xfff;

export type PacketObserver = (tlp: Tlp, end: LinkEnd) => void;

export class LinkEnd implements AckNakHost {
  /** Packets and bytes this end has put on the wire, packets lost on the way and packets refused while down. */
  sentPackets = 0;
  sentBytes = 0;
  lostPackets = 0;
  refusedPackets = 0;
  /** Packets that went over the wire again. */
  replayedPackets = 0;
  /** Time for which the wire was free and a packet could not go, by what it lacked. */
  readonly stalledNs: Record<StallReason, number> = { PH: 0, PD: 0, NPH: 0, NPD: 0, CPLH: 0, CPLD: 0, REPLAY: 0 };
  /** Hits ACKs, NAKs and credit updates this end sends. */
  readonly dllpDamage: Disturbance;

  private sink: TlpSink | undefined;
  private far!: LinkEnd;
  private advertised: Credits;
  private held = false;
  private readonly credits = new CreditAccount();
  private readonly acks: AckNak;
  private readonly queue = new TransmitQueue();
  /** Exact, not on the 1/8 ns grid: rounding each packet would cost small packets 2 % of the bandwidth. */
  private busyUntil = 0;
  private paused = false;
  /** What kept the heads of the queues back when they were last looked at. */
  private lacksRoom = false;
  private lacksCredits = false;
  private readonly isReady = (packet: WaitingPacket): boolean => this.ready(packet);
  /** While paused: packets from this number on never got to the wire. */
  private unsentFrom = 0;
  private wakeup: EventId | undefined;
  private wakeupNs: TimeNs = NEVER;
  /** Counts the times the link dropped: an event of an earlier life does nothing. */
  private life = 0;
  private readonly observers: PacketObserver[] = [];
  private readonly arrival: HandlerId;
  private readonly wake: HandlerId;
  private readonly repeat: HandlerId;
  private readonly source: number;

  constructor(
    private readonly sim: Simulator,
    readonly name: string,
    readonly side: LinkSide,
    private readonly link: LinkTiming,
  ) {
    this.advertised = endpointCredits(link.profile);
    this.acks = new AckNak(sim, name, this, link);
    this.dllpDamage = new Disturbance(sim, `${name} DLLP damage`);
    this.arrival = sim.handler(`${name} arrival`, (sequence, life) => this.arrive(sequence, life));
    this.wake = sim.handler(`${name} wake`, () => this.woken());
    this.repeat = sim.handler(`${name} credit repeat`, (_, life) => this.creditsRepeated(life));
    this.source = sim.trace.source(name);
  }

  /** Joins the two ends of a link. */
  static join(a: LinkEnd, b: LinkEnd): void {
    a.far = b;
    b.far = a;
  }

  /** Who takes the packets that arrive at this end. */
  attach(sink: TlpSink): void {
    this.sink = sink;
  }

  /** What this end's receiver can hold; the other end learns it when the link comes up next. */
  advertise(credits: Credits): void {
    checkCredits(credits);
    this.advertised = credits;
  }

  /** From now on this end's receiver keeps what it takes, as far as the sender knows: its credits do not go back. */
  holdCredits(): void {
    this.held = true;
  }

  /** All that was held has been drained. */
  releaseCredits(): void {
    this.held = false;
    this.far.released();
  }

  /** False: the link is down and the packet is gone. */
  send(tlp: Tlp): boolean {
    if (!this.link.isUp) {
      this.refusedPackets++;
      traceLost(this.sim.trace, this.source, tlp);
      return false;
    }
    const bytes = wireBytes(tlp);
    if (this.queue.size === 0 && this.mayLeave(classOf(tlp), dataCredits(tlp), bytes)) this.transmit(tlp, bytes);
    else {
      this.queue.push(tlp, Math.max(this.sim.now, this.busyUntil));
      this.pump();
    }
    return true;
  }

  /** Time at which the wire is free for the next packet. */
  get freeAt(): TimeNs {
    return Math.max(quantize(this.busyUntil), this.sim.now);
  }

  /** On the wire, not yet taken at the far end. */
  get packetsInFlight(): number {
    return this.acks.buffer.next - this.acks.expected;
  }

  /** Waiting for credits, for room in the replay buffer, or for the end of recovery. */
  get packetsWaiting(): number {
    return this.queue.size;
  }

  /** Credits this end may still spend. */
  creditsLeft(pool: Pool): number {
    return this.credits.available(pool, this.sim.now);
  }

  /** Hits packets this end sends: their check value is wrong. */
  get packetDamage(): Disturbance {
    return this.acks.packetDamage;
  }

  /** Hits packets this end sends so that the receiver does not even recognise a packet. */
  get symbolDamage(): Disturbance {
    return this.acks.symbolDamage;
  }

  /** The next `count` packets on the wire, replays included, arrive damaged (LCRC error, NAK, replay). */
  damageNextPackets(count: number): void {
    this.packetDamage.hitNext(count);
  }

  /** Sees every packet this end sends. For traces and tests. */
  observe(observer: PacketObserver): void {
    this.observers.push(observer);
  }

  // The link's side.

  /** The data-link layer becomes active: numbers and credits start anew. */
  open(): void {
    this.credits.initialise(this.far.advertised);
  }

  /** The link dropped: all that was on its way or waiting is lost. */
  close(): void {
    this.life++;
    const { buffer, expected } = this.acks;
    for (let i = expected; i < buffer.next; i++) this.lose(buffer.takePacket(i));
    for (const tlp of this.queue.drain()) this.lose(tlp);
    this.acks.clear();
    this.paused = false;
    this.busyUntil = this.sim.now;
    this.cancelWakeup();
  }

  /** Recovery begins. A packet on the wire still gets through, the others wait. */
  pause(): void {
    const { buffer } = this.acks;
    this.paused = true;
    this.unsentFrom = this.firstUnsent();
    for (let i = this.unsentFrom; i < buffer.next; i++) this.sim.cancel(buffer.eventOf(i));
    buffer.forgetAcknowledgements(this.unsentFrom);
    this.acks.hold();
    this.cancelWakeup();
  }

  /** Recovery is over: what was not acknowledged is sent again. */
  resume(): void {
    const { buffer } = this.acks;
    this.paused = false;
    this.acks.resume();
    this.busyUntil = this.sim.now;
    buffer.settle(this.sim.now);
    if (buffer.first < buffer.next) this.resend(buffer.first, this.unsentFrom);
    this.pump();
  }

  // What the data-link layer needs of its sender.

  get answerDamage(): Disturbance {
    return this.far.dllpDamage;
  }
  sendAgain(from: number): void {
    const unsent = this.firstUnsent();
    const { buffer } = this.acks;
    for (let i = from; i < buffer.next; i++) this.sim.cancel(buffer.eventOf(i));
    // A packet whose first byte is out goes to its end, also if nobody wants it any more.
    this.busyUntil = Math.max(this.sim.now, unsent > from ? buffer.endOf(unsent - 1) : 0);
    this.resend(from, unsent);
  }

  // Sending.

  private mayLeave(packets: PacketClass, units: number, bytes: number): boolean {
    const { now } = this.sim;
    return !this.paused && this.acks.buffer.hasRoomFor(bytes, now) && this.credits.spend(packets, units, now);
  }

  private transmit(tlp: Tlp, bytes: number): void {
    this.sentPackets++;
    this.sentBytes += bytes;
    traceSent(this.sim.trace, this.source, tlp);
    for (const observer of this.observers) observer(tlp, this);
    this.putOnWire(this.acks.buffer.add(tlp, bytes), bytes);
  }

  private putOnWire(sequence: number, bytes: number): void {
    const { buffer } = this.acks;
    const end = Math.max(this.sim.now, this.busyUntil) + bytes * this.link.nsPerByte;
    this.busyUntil = end;
    const arrivesAt = quantize(end + this.link.profile.flightNs.value);
    const event = this.sim.scheduleAt(arrivesAt, Priority.LINK, this.arrival, sequence, this.life);
    buffer.sent(sequence, end, event);
    buffer.acknowledgedAt(sequence, arrivesAt + this.link.ackNs);
  }

  private resend(from: number, unsent: number): void {
    const { buffer } = this.acks;
    this.replayedPackets += Math.max(0, unsent - from);
    this.sim.trace.emit(TLP_REPLAYED, this.source, from & SEQUENCE_MASK, buffer.next & SEQUENCE_MASK);
    for (let i = from; i < buffer.next; i++) this.putOnWire(i, buffer.bytesOf(i));
    this.acks.sentAgain(buffer.endOf(from));
  }

  /** The first packet whose transmission has not begun. */
  private firstUnsent(): number {
    const { buffer } = this.acks;
    let i = buffer.next;
    while (i > buffer.first && buffer.endOf(i - 1) - buffer.bytesOf(i - 1) * this.link.nsPerByte > this.sim.now) i--;
    return i;
  }

  /** Sends whatever may go now, and plans when to look again. */
  private pump(): void {
    if (this.paused) return;
    while (this.queue.size > 0) {
      this.lacksRoom = false;
      this.lacksCredits = false;
      const packet = this.queue.pick(this.isReady);
      if (packet === undefined) break;
      this.queue.remove(packet, this.sim.now);
      this.noteResumed(packet);
      this.transmit(packet.tlp, packet.bytes);
    }
    this.planWakeup();
  }

  private ready(packet: WaitingPacket): boolean {
    const { now } = this.sim;
    const room = this.acks.buffer.hasRoomFor(packet.bytes, now);
    if (room && this.credits.spend(packet.packets, packet.units, now)) return true;
    if (room) this.lacksCredits = true;
    else this.lacksRoom = true;
    packet.reason = room ? this.credits.lacking(packet.packets) : 'REPLAY';
    if (!packet.stalled && this.busyUntil <= now) {
      packet.stalled = true;
      this.sim.trace.emit(TLP_STALLED, this.source, STALL_REASONS.indexOf(packet.reason), this.queue.size);
    }
    return false;
  }

  private noteResumed({ reason, readySinceNs, stalled }: WaitingPacket): void {
    if (reason === undefined) return;
    const ns = Math.max(0, this.sim.now - Math.max(readySinceNs, this.busyUntil));
    this.stalledNs[reason] += ns;
    if (stalled) this.sim.trace.emit(TLP_RESUMED, this.source, STALL_REASONS.indexOf(reason), Math.ceil(ns));
  }

  /** Looks again when credits or an acknowledgement arrive, and when the wire is free: only then is it a stall. */
  private planWakeup(): void {
    if (this.queue.size === 0 || this.paused) return;
    const { now } = this.sim;
    const wire = this.busyUntil > now ? this.busyUntil : NEVER;
    const credits = this.lacksCredits ? this.credits.nextUpdateNs(now) : NEVER;
    const room = this.lacksRoom ? this.acks.buffer.nextAckNs(now) : NEVER;
    const at = quantize(Math.min(credits, room, wire));
    if (at >= this.wakeupNs) return;
    this.cancelWakeup();
    this.wakeupNs = at;
    this.wakeup = this.sim.scheduleAt(at, Priority.LINK, this.wake);
  }

  private woken(): void {
    this.cancelWakeup();
    this.pump();
  }

  private cancelWakeup(): void {
    if (this.wakeup !== undefined) this.sim.cancel(this.wakeup);
    this.wakeup = undefined;
    this.wakeupNs = NEVER;
  }

  // Arriving at the far end.

  private arrive(sequence: number, life: number): void {
    if (life !== this.life) return;
    if (this.acks.takes(sequence)) {
      const tlp = this.acks.buffer.takePacket(sequence);
      this.far.sink?.receive(tlp);
      if (life === this.life) this.drained(tlp);
    }
    if (this.queue.size > 0) this.planWakeup();
  }

  private drained(tlp: Tlp): void {
    const packets = classOf(tlp);
    if (this.credits.isEndless(packets)) return;
    const units = dataCredits(tlp);
    if (this.far.held) this.credits.withhold(packets, units);
    else if (this.far.dllpDamage.strikes()) this.loseUpdate(packets, units);
    else this.credits.giveBack(packets, units, this.sim.now + this.link.profile.dllpNs.value);
  }

  private loseUpdate(packets: PacketClass, units: number): void {
    this.credits.lose(packets, units);
    this.acks.loseDllp(this.link.profile.dllpNs.value);
    this.sim.schedule(quantize(this.link.profile.creditRepeatNs.value), Priority.LINK, this.repeat, 0, this.life);
  }

  private creditsRepeated(life: number): void {
    if (life !== this.life) return;
    this.credits.repeat(this.sim.now + this.link.profile.dllpNs.value);
    this.planWakeup();
  }

  private released(): void {
    this.credits.release(this.sim.now + this.link.profile.dllpNs.value);
    this.planWakeup();
  }

  private lose(tlp: Tlp): void {
    this.lostPackets++;
    traceLost(this.sim.trace, this.source, tlp);
  }
}
