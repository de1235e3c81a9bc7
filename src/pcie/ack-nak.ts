/**
 * The data-link layer of one direction: whether an arriving packet is good and in order, what is acknowledged, and when
 * the sender has to send again. Source: PCI Express base specification 3.5.2 (sender), 3.5.3 (receiver), 6.2.6.
 *
 * A receiver that has sent one NAK sends no second before the packet it waits for has come: a replay that is damaged
 * too is found by the sender's timer.
 */
import { Priority } from '../sim/priority.js';
import type { EventId, HandlerId, Simulator } from '../sim/simulator.js';
import { quantize } from '../sim/time.js';
import { Disturbance } from './disturbance.js';
import type { LinkSide } from './link-error.js';
import type { LinkSpeed } from './link-profile.js';
import type { LinkTiming } from './link-state.js';
import { NEVER, ReplayBuffer } from './replay-buffer.js';

/** REPLAY_NUM has two bits: the fourth replay rolls over (3.5.2.1). */
const MOST_REPLAYS = 3;
/** At 8 GT/s a framing error sends the link to recovery (4.2.2.3.3). */
const FRAMED_SPEED: LinkSpeed = 3;

/** The sender this works for. */
export interface AckNakHost {
  readonly side: LinkSide;
  /** Hits what the receiver answers. */
  readonly answerDamage: Disturbance;
  /** Sends all from this number on once more. */
  sendAgain(from: number): void;
}

export class AckNak {
  readonly buffer: ReplayBuffer;
  readonly packetDamage: Disturbance;
  readonly symbolDamage: Disturbance;
  /** Sequence number the receiver waits for. */
  expected = 0;

  /** The receiver has not got the packet it waits for, and refuses all behind it. */
  private missing = false;
  private nakScheduled = false;
  private ackLost = false;
  private held = false;
  private timer: EventId | undefined;
  /** Counts the times the link dropped: an event of an earlier life does nothing. */
  private life = 0;
  private readonly nak: HandlerId;
  private readonly expiry: HandlerId;
  private readonly badDllp: HandlerId;

  constructor(
    private readonly sim: Simulator,
    name: string,
    private readonly host: AckNakHost,
    private readonly link: LinkTiming,
  ) {
    this.buffer = new ReplayBuffer(link.profile.replayBufferBytes.value);
    this.packetDamage = new Disturbance(sim, `${name} packet damage`);
    this.symbolDamage = new Disturbance(sim, `${name} symbol damage`);
    this.nak = sim.handler(`${name} NAK`, (expected, life) => this.nakArrived(expected, life));
    this.expiry = sim.handler(`${name} replay timer`, () => this.timedOut());
    this.badDllp = sim.handler(`${name} bad DLLP`, (_, life) => {
      if (life === this.life) link.report('bad-dllp', host.side);
    });
  }

  /** A packet arrives. True: the receiver takes it. */
  takes(sequence: number): boolean {
    if (this.symbolDamage.armed && this.symbolDamage.strikes()) this.unrecognised(sequence);
    else if (this.packetDamage.armed && this.packetDamage.strikes()) this.bad(sequence);
    else if (sequence < this.expected) this.acknowledge(sequence);
    else if (sequence > this.expected) this.ahead();
    else {
      this.expected++;
      if (this.nakScheduled || this.ackLost || this.host.answerDamage.armed) {
        this.nakScheduled = false;
        this.acknowledge(sequence);
      }
      return true;
    }
    return false;
  }

  /** The answer to a packet that the receiver took did not get through; the sender's side sees a bad DLLP. */
  loseDllp(afterNs: number): void {
    this.sim.schedule(quantize(afterNs), Priority.LINK, this.badDllp, 0, this.life);
  }

  /** All was sent once more; the timer runs from the end of the first. */
  sentAgain(firstEndsAt: number): void {
    this.missing = false;
    this.stopTimer();
    this.startTimer(firstEndsAt);
  }

  /** Recovery begins: nothing runs out meanwhile. */
  hold(): void {
    this.held = true;
    this.stopTimer();
  }

  resume(): void {
    this.held = false;
  }

  /** The link dropped. */
  clear(): void {
    this.life++;
    this.buffer.clear();
    this.expected = 0;
    this.missing = false;
    this.nakScheduled = false;
    this.ackLost = false;
    this.held = false;
    this.stopTimer();
  }

  private get receiver(): LinkSide {
    return this.host.side === 'up' ? 'down' : 'up';
  }

  private bad(sequence: number): void {
    this.link.report('bad-tlp', this.receiver);
    this.miss(sequence);
    if (this.nakScheduled) return;
    this.nakScheduled = true;
    if (this.host.answerDamage.strikes()) this.loseDllp(this.link.profile.dllpNs.value);
    else this.sim.schedule(quantize(this.link.profile.dllpNs.value), Priority.LINK, this.nak, this.expected, this.life);
  }

  /** The one before it was not recognised; those behind the first are dropped without a word. */
  private ahead(): void {
    if (!this.nakScheduled) this.bad(this.expected);
  }

  /** The receiver saw no packet, only an error: no NAK before the next packet shows the gap. */
  private unrecognised(sequence: number): void {
    this.link.report('receiver-error', this.receiver);
    this.miss(sequence);
    if (this.link.speed === FRAMED_SPEED) this.link.retrain();
  }

  private miss(sequence: number): void {
    this.missing = true;
    this.buffer.forgetAcknowledgements(Math.min(sequence, this.expected));
    this.startTimer(this.sim.now);
  }

  private acknowledge(sequence: number): void {
    if (this.host.answerDamage.strikes()) {
      this.buffer.acknowledgedAt(sequence, NEVER);
      this.ackLost = true;
      this.loseDllp(this.link.ackNs);
      this.startTimer(this.sim.now);
      return;
    }
    this.ackLost = false;
    this.buffer.acknowledgeThrough(this.expected - 1, this.sim.now + this.link.ackNs);
  }

  private nakArrived(expected: number, life: number): void {
    if (life !== this.life || this.held) return;
    this.buffer.acknowledgeThrough(expected - 1, this.sim.now);
    this.buffer.settle(this.sim.now);
    this.replay();
  }

  private timedOut(): void {
    this.timer = undefined;
    this.buffer.settle(this.sim.now);
    if (this.buffer.first === this.buffer.next) return;
    if (this.buffer.ackOf(this.buffer.first) === NEVER) {
      this.link.report('replay-timer-timeout', this.host.side);
      this.replay();
    } else if (this.missing || this.ackLost) this.startTimer(this.sim.now);
  }

  private replay(): void {
    if (this.buffer.replays < MOST_REPLAYS) {
      this.buffer.replays++;
      this.host.sendAgain(this.buffer.first);
      return;
    }
    this.link.report('replay-num-rollover', this.host.side);
    this.buffer.replays = 0;
    this.buffer.retrainings++;
    if (this.buffer.retrainings > this.link.profile.retrainings.value) this.link.giveUp();
    else this.link.retrain();
  }

  private startTimer(from: number): void {
    if (this.timer !== undefined || this.held) return;
    const at = quantize(Math.max(from, this.sim.now) + this.link.replayTimerNs);
    this.timer = this.sim.scheduleAt(at, Priority.LINK, this.expiry);
  }

  private stopTimer(): void {
    if (this.timer !== undefined) this.sim.cancel(this.timer);
    this.timer = undefined;
  }
}
