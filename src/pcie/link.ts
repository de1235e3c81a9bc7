/**
 * A PCI Express link between a bridge (end `up`) and what is plugged below it (end `down`): training with virtual time,
 * resets, and the packets themselves. Facts: ioda2-phb3 7.10, 7.11.1, 10.2; pcie-timing.
 *
 * detect -> polling -> configuration -> recovery (change of speed) -> l0; l0 <-> recovery on retraining; disabled and
 * hot-reset leave to detect. In l0 the data-link layers first tell each other their credits, then packets pass.
 */
import { Priority } from '../sim/priority.js';
import { Signal } from '../sim/process.js';
import type { EventId, HandlerId, Simulator } from '../sim/simulator.js';
import { quantize, type TimeNs } from '../sim/time.js';
import { defineTraceKind } from '../sim/trace.js';
import { LinkEnd } from './link-end.js';
import type { LinkError, LinkErrorListener, LinkSide } from './link-error.js';
import { type HoldChange, LinkHolds } from './link-holds.js';
import { FIRST_SPEED, LinkNegotiation } from './link-negotiation.js';
import {
  ackLatencyNs,
  endpointCredits,
  LINK_PROFILE,
  type LinkProfile,
  type LinkSpeed,
  type LinkWidth,
  replayTimerNs,
  tlpGbps,
} from './link-profile.js';
import {
  type DataLinkState,
  LINK_STATES,
  type LinkOptions,
  type LinkPartner,
  type LinkState,
  type LinkTiming,
} from './link-state.js';

export { type DataLinkState, LINK_STATES, type LinkOptions, type LinkPartner, type LinkState } from './link-state.js';

/** `speed` and `width` are 0 while the link is down. */
export const LINK_STATE = defineTraceKind('pcie.link', 'state', 'speed', 'width');

export class Link implements LinkTiming {
  readonly up: LinkEnd;
  readonly down: LinkEnd;
  readonly changed: Signal;
  readonly profile: LinkProfile;
  nsPerByte = 0;
  ackNs = 0;
  replayTimerNs = 0;

  private current: LinkState = 'detect';
  private presence = false;
  private readonly holds = new LinkHolds();
  private partner: LinkPartner | undefined;
  private readonly negotiation: LinkNegotiation;
  private maxPayload = 256;
  /** Speed of the lanes while the link trains. */
  private laneSpeed: LinkSpeed = FIRST_SPEED;
  private trained: { speed: LinkSpeed; width: LinkWidth } | undefined;
  private pending: EventId | undefined;
  private readonly advance: HandlerId;
  private readonly listeners: ((link: Link) => void)[] = [];
  private readonly errorListeners: LinkErrorListener[] = [];
  private readonly source: number;

  constructor(
    private readonly sim: Simulator,
    readonly name: string,
    readonly options: LinkOptions,
  ) {
    this.profile = options.profile ?? LINK_PROFILE;
    this.negotiation = new LinkNegotiation(options);
    this.up = new LinkEnd(sim, `${name} downstream`, 'up', this);
    this.down = new LinkEnd(sim, `${name} upstream`, 'down', this);
    LinkEnd.join(this.up, this.down);
    this.changed = new Signal(sim, `${name} changed`);
    this.advance = sim.handler(`${name} training`, () => this.step());
    this.source = sim.trace.source(name);
  }

  get state(): LinkState {
    return this.current;
  }
  get speed(): LinkSpeed | 0 {
    return this.trained?.speed ?? 0;
  }
  get width(): LinkWidth | 0 {
    return this.trained?.width ?? 0;
  }
  /** Data link active: packets pass. Recovery only holds them up. */
  get isUp(): boolean {
    return this.trained !== undefined;
  }
  get training(): boolean {
    return this.current === 'polling' || this.current === 'configuration' || this.current === 'recovery';
  }
  get electricalPresence(): boolean {
    return this.presence;
  }
  /** No signal on the lanes. */
  get electricalIdle(): boolean {
    return this.current === 'detect' || this.current === 'disabled';
  }
  get dataLinkState(): DataLinkState {
    if (this.isUp) return 'active';
    return this.current === 'l0' ? 'init' : 'inactive';
  }
  get cardInserted(): boolean {
    return this.partner !== undefined;
  }
  get maxPayloadBytes(): number {
    return this.maxPayload;
  }
  /** Bits per nanosecond that TLPs get each way now; 0 while down. */
  get gbps(): number {
    return this.nsPerByte === 0 ? 0 : 8 / this.nsPerByte;
  }

  setPerst(level: 'asserted' | 'deasserted'): void {
    this.follow(this.holds.setPerst(level));
  }

  /** Slot control, power controller. */
  setSlotPower(power: 'on' | 'off'): void {
    this.follow(this.holds.setSlotPower(power));
  }

  get slotPower(): 'on' | 'off' {
    return this.holds.slotPower;
  }

  /** Bridge control, secondary bus reset. */
  setHotReset(level: 'asserted' | 'released'): void {
    this.follow(this.holds.setHotReset(level));
  }

  /** Link control, link disable. */
  setDisabled(state: 'disabled' | 'enabled'): void {
    this.follow(this.holds.setDisabled(state));
  }

  private follow(change: HoldChange): void {
    if (change === undefined) return;
    if ('reset' in change) {
      if (change.reset === 'fundamental') this.presence = false;
      this.drop(change.rest);
      this.partner?.resetBy(change.reset);
      return;
    }
    if (change.below === 'released') this.partner?.resetReleased?.();
    this.startDetect(change.detect === 'again' ? this.profile.redetectNs.value : this.electricalDetectNs());
  }

  /** Goes through recovery and takes up the target speed and width. Nothing is lost. */
  retrain(): void {
    if (this.current !== 'l0' || !this.isUp) return;
    this.up.pause();
    this.down.pause();
    this.recover(this.profile.recoveryNs.value);
  }

  /** Limits the speed from the next training on. */
  setTargetSpeed(speed: LinkSpeed): void {
    this.negotiation.targetSpeed = speed;
  }

  /** The chip's own limit, on top of what software aims for; from the next training on. */
  setSpeedLimit(speed: LinkSpeed): void {
    this.negotiation.speedLimit = speed;
  }

  /** Limits the width from the next training on. */
  setTargetWidth(width: LinkWidth): void {
    this.negotiation.targetWidth = width;
  }

  /** These lanes no longer carry a signal. A running link that used one goes through recovery and comes up narrower. */
  failLanes(...lanes: number[]): void {
    this.negotiation.failLanes(lanes);
    if (!this.isUp || this.negotiation.lanesWork(this.width)) return;
    this.report('receiver-error', 'up');
    this.report('receiver-error', 'down');
    if (this.negotiation.width(this.partner!) === undefined) this.surpriseDown();
    else this.retrain();
  }

  /** All lanes work again, from the next training on. */
  repairLanes(): void {
    this.negotiation.repairLanes();
  }

  /** The next `count` times the link tries to reach 8 GT/s it fails and falls back. */
  failNextEqualisations(count: number): void {
    this.negotiation.failNextEqualisations(count);
  }

  /** The payload size in use decides how often ACKs and flow-control updates take wire time. */
  setMaxPayload(bytes: number): void {
    this.maxPayload = bytes;
    this.updateRate();
  }

  insertCard(partner: LinkPartner): void {
    this.partner = partner;
    this.down.advertise(partner.credits ?? endpointCredits(this.profile));
    this.down.releaseCredits();
    partner.resetBy('fundamental');
    if (this.holds.areFundamental) {
      this.enter(this.current);
      return;
    }
    partner.resetReleased?.();
    this.startDetect(this.electricalDetectNs());
  }

  /** The card is pulled, or dies: the link drops without warning. */
  surpriseRemove(): void {
    if (this.partner === undefined) return;
    const wasUp = this.isUp;
    this.partner = undefined;
    this.presence = false;
    this.drop('detect');
    if (wasUp) this.report('surprise-down', 'up');
  }

  /** The link goes down by itself and trains again, card still in. */
  surpriseDown(): void {
    if (!this.isUp) return;
    this.drop('detect');
    this.report('surprise-down', 'up');
    this.partner?.resetBy('hot');
    this.partner?.resetReleased?.();
    this.startDetect(this.profile.redetectNs.value);
  }

  /** Called at each change of state, presence, speed or width, before `changed` wakes processes. */
  onChange(listener: (link: Link) => void): void {
    this.listeners.push(listener);
  }

  /** Called for each error that one of the ends finds on the link. */
  onError(listener: LinkErrorListener): void {
    this.errorListeners.push(listener);
  }

  report(error: LinkError, at: LinkSide): void {
    for (const listener of this.errorListeners) listener(error, at);
  }

  /** Packets do not get across, and retraining did not help. */
  giveUp(): void {
    this.surpriseDown();
  }

  private electricalDetectNs(): number {
    return this.partner?.electricalDetectNs ?? this.profile.electricalDetectNs.value;
  }

  private startDetect(afterNs: number): void {
    this.drop(this.holds.rest);
    if (this.partner !== undefined && this.current === 'detect') this.later(afterNs);
  }

  /** One training step; which one follows from the state. */
  private step(): void {
    this.pending = undefined;
    switch (this.current) {
      case 'detect':
        this.presence = true;
        this.laneSpeed = FIRST_SPEED;
        this.enter('polling');
        this.later(this.partner?.trainingNs === undefined ? this.profile.pollingNs.value : this.partner.trainingNs / 2);
        return;
      case 'polling':
        this.polled();
        return;
      case 'configuration':
        if (this.changesSpeed()) this.recover(this.times().speedChangeNs);
        else this.initDataLink();
        return;
      case 'recovery':
        if (this.trained === undefined) this.initDataLink();
        else this.recovered();
        return;
      default:
        this.activate();
    }
  }

  /** Without lane 0 nothing answers, and the link waits for a reset. */
  private polled(): void {
    if (this.negotiation.width(this.partner!) === undefined) {
      this.presence = false;
      this.enter('detect');
      return;
    }
    this.enter('configuration');
    this.later(this.times().lanesNs);
  }

  private changesSpeed(): boolean {
    return this.negotiation.speed(this.partner!) !== FIRST_SPEED;
  }

  /** How the time of configuration is spent: lanes, change of speed, credits. */
  private times(): { lanesNs: number; speedChangeNs: number; initNs: number } {
    const own = this.partner?.trainingNs;
    const whole = own === undefined ? this.profile.configurationNs.value : own / 2;
    const speedChangeNs = this.changesSpeed() ? Math.min(this.profile.recoveryNs.value, whole) : 0;
    const initNs = Math.min(this.profile.flowControlInitNs.value, whole - speedChangeNs);
    return { lanesNs: whole - speedChangeNs - initNs, speedChangeNs, initNs };
  }

  /** Enters recovery, which leads to the speed aimed for, or back if equalisation fails. */
  private recover(durationNs: number): void {
    const wanted = this.negotiation.speed(this.partner!);
    const reached = wanted === this.laneSpeed || this.negotiation.reaches(wanted);
    this.laneSpeed = reached ? wanted : this.negotiation.fallback(this.laneSpeed);
    this.enter('recovery');
    this.later(durationNs + (reached ? 0 : this.profile.equalisationTimeoutNs.value));
  }

  private recovered(): void {
    if (!this.negotiate()) {
      this.surpriseDown();
      return;
    }
    this.enter('l0');
    this.up.resume();
    this.down.resume();
  }

  /** The lanes are up, at the speed they will have; packets pass once both ends know each other's credits. */
  private initDataLink(): void {
    this.current = 'l0';
    this.notify();
    this.later(this.times().initNs);
  }

  private activate(): void {
    if (!this.negotiate()) {
      this.startDetect(this.profile.redetectNs.value);
      return;
    }
    this.up.open();
    this.down.open();
    this.enter('l0');
  }

  /** False: lanes failed meanwhile, and none is left to train on. */
  private negotiate(): boolean {
    const width = this.negotiation.width(this.partner!);
    if (width === undefined) return false;
    this.trained = { speed: this.laneSpeed, width };
    this.updateRate();
    return true;
  }

  private updateRate(): void {
    const { trained, maxPayload, profile } = this;
    this.nsPerByte = trained ? 8 / tlpGbps(trained.speed, trained.width, maxPayload) : 0;
    this.ackNs = trained ? ackLatencyNs(trained.speed, trained.width, maxPayload) + profile.dllpNs.value : 0;
    this.replayTimerNs = trained ? replayTimerNs(trained.speed, trained.width, maxPayload) : 0;
  }

  private drop(to: LinkState): void {
    if (this.pending !== undefined) this.sim.cancel(this.pending);
    this.pending = undefined;
    this.trained = undefined;
    this.updateRate();
    this.up.close();
    this.down.close();
    this.enter(to);
  }

  private later(delayNs: TimeNs): void {
    this.pending = this.sim.schedule(quantize(delayNs), Priority.LINK, this.advance);
  }

  private enter(state: LinkState): void {
    this.current = state;
    this.sim.trace.emit(LINK_STATE, this.source, LINK_STATES.indexOf(state), this.speed, this.width);
    this.notify();
  }

  private notify(): void {
    for (const listener of this.listeners) listener(this);
    this.changed.emit();
  }
}
