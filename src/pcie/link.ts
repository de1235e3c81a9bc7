/**
 * A PCI Express link between a bridge (end `up`) and what is plugged below it (end `down`): training with virtual time,
 * resets, and the packets themselves. Facts: ioda2-phb3 7.10, 7.11.1, 10.2; pcie-timing.
 *
 * detect -> polling -> configuration -> l0; l0 <-> recovery on retraining; disabled and hot-reset leave to detect.
 */
import { Priority } from '../sim/priority.js';
import { Signal } from '../sim/process.js';
import type { EventId, HandlerId, Simulator } from '../sim/simulator.js';
import { quantize, type TimeNs } from '../sim/time.js';
import { defineTraceKind } from '../sim/trace.js';
import { LinkEnd, type LinkTiming } from './link-end.js';
import { LINK_PROFILE, type LinkProfile, type LinkSpeed, type LinkWidth, tlpGbps } from './link-profile.js';

export type LinkState = 'detect' | 'polling' | 'configuration' | 'l0' | 'recovery' | 'disabled' | 'hot-reset';
export const LINK_STATES: readonly LinkState[] = [
  'detect',
  'polling',
  'configuration',
  'l0',
  'recovery',
  'disabled',
  'hot-reset',
];

/** What is plugged in below. */
export interface LinkPartner {
  readonly maxSpeed: LinkSpeed;
  readonly maxWidth: LinkWidth;
  /** PERST went down (fundamental), or the link went down while the card stays powered (hot). */
  resetBy(kind: 'fundamental' | 'hot'): void;
  /** The reset is over; training follows. */
  resetReleased?(): void;
  /** This card's own time from PERST to electrical presence, if it differs from the profile. */
  readonly electricalDetectNs?: number;
  /** This card's own time for polling and configuration together. */
  readonly trainingNs?: number;
}

export interface LinkOptions {
  readonly maxSpeed: LinkSpeed;
  readonly maxWidth: LinkWidth;
  readonly profile?: LinkProfile;
}

/** `speed` and `width` are 0 while the link is down. */
export const LINK_STATE = defineTraceKind('pcie.link', 'state', 'speed', 'width');

export class Link implements LinkTiming {
  readonly up: LinkEnd;
  readonly down: LinkEnd;
  readonly changed: Signal;
  readonly profile: LinkProfile;
  session = 0;
  heldUntil: TimeNs = 0;
  nsPerByte = 0;

  private current: LinkState = 'detect';
  private presence = false;
  private perst: 'asserted' | 'deasserted' = 'asserted';
  private hotReset: 'asserted' | 'released' = 'released';
  private disabled = false;
  private partner: LinkPartner | undefined;
  private targetSpeed: LinkSpeed;
  private targetWidth: LinkWidth;
  private maxPayload = 256;
  private trained: { speed: LinkSpeed; width: LinkWidth } | undefined;
  private pending: EventId | undefined;
  private readonly advance: HandlerId;
  private readonly listeners: ((link: Link) => void)[] = [];
  private readonly source: number;

  constructor(
    private readonly sim: Simulator,
    readonly name: string,
    readonly options: LinkOptions,
  ) {
    this.profile = options.profile ?? LINK_PROFILE;
    this.targetSpeed = options.maxSpeed;
    this.targetWidth = options.maxWidth;
    this.up = new LinkEnd(sim, `${name} downstream`, this);
    this.down = new LinkEnd(sim, `${name} upstream`, this);
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
  get cardInserted(): boolean {
    return this.partner !== undefined;
  }
  get flightNs(): number {
    return this.profile.flightNs.value;
  }
  get replayNs(): number {
    return this.profile.replayNs.value;
  }
  get maxPayloadBytes(): number {
    return this.maxPayload;
  }
  /** Bits per nanosecond that TLPs get each way now; 0 while down. */
  get gbps(): number {
    return this.nsPerByte === 0 ? 0 : 8 / this.nsPerByte;
  }

  setPerst(level: 'asserted' | 'deasserted'): void {
    if (level === this.perst) return;
    this.perst = level;
    if (level === 'asserted') {
      this.presence = false;
      this.drop('detect');
      this.partner?.resetBy('fundamental');
    } else {
      if (this.hotReset === 'released') this.partner?.resetReleased?.();
      this.startDetect(this.electricalDetectNs());
    }
  }

  /** Bridge control, secondary bus reset. */
  setHotReset(level: 'asserted' | 'released'): void {
    if (level === this.hotReset) return;
    this.hotReset = level;
    if (this.perst === 'asserted') return;
    if (level === 'asserted') {
      this.drop('hot-reset');
      this.partner?.resetBy('hot');
    } else {
      this.partner?.resetReleased?.();
      this.startDetect(this.profile.redetectNs.value);
    }
  }

  /** Link control, link disable. A disabled link resets what is below it as a hot reset does. */
  setDisabled(state: 'disabled' | 'enabled'): void {
    const disabled = state === 'disabled';
    if (disabled === this.disabled) return;
    this.disabled = disabled;
    if (this.perst === 'asserted' || this.hotReset === 'asserted') return;
    if (disabled) {
      this.drop('disabled');
      this.partner?.resetBy('hot');
    } else {
      this.partner?.resetReleased?.();
      this.startDetect(this.profile.redetectNs.value);
    }
  }

  /** Goes through recovery and takes up the target speed and width. Nothing is lost. */
  retrain(): void {
    if (this.current !== 'l0') return;
    this.enter('recovery');
    this.heldUntil = this.sim.now + quantize(this.profile.recoveryNs.value);
    this.later(this.profile.recoveryNs.value);
  }

  /** Limits the speed from the next training on. */
  setTargetSpeed(speed: LinkSpeed): void {
    this.targetSpeed = speed;
  }

  /** Limits the width from the next training on. */
  setTargetWidth(width: LinkWidth): void {
    this.targetWidth = width;
  }

  /** The payload size in use decides how often ACKs and flow-control updates take wire time. */
  setMaxPayload(bytes: number): void {
    this.maxPayload = bytes;
    this.updateRate();
  }

  insertCard(partner: LinkPartner): void {
    this.partner = partner;
    partner.resetBy('fundamental');
    if (this.perst === 'asserted') {
      this.enter(this.current);
      return;
    }
    partner.resetReleased?.();
    this.startDetect(this.electricalDetectNs());
  }

  /** The card is pulled, or dies: the link drops without warning. */
  surpriseRemove(): void {
    if (this.partner === undefined) return;
    this.partner = undefined;
    this.presence = false;
    this.drop('detect');
  }

  /** The link goes down by itself and trains again, card still in. */
  surpriseDown(): void {
    if (!this.isUp) return;
    this.drop('detect');
    this.partner?.resetBy('hot');
    this.partner?.resetReleased?.();
    this.startDetect(this.profile.redetectNs.value);
  }

  /** Called at each change of state, presence, speed or width, before `changed` wakes processes. */
  onChange(listener: (link: Link) => void): void {
    this.listeners.push(listener);
  }

  private electricalDetectNs(): number {
    return this.partner?.electricalDetectNs ?? this.profile.electricalDetectNs.value;
  }

  private startDetect(afterNs: number): void {
    this.drop(this.hotReset === 'asserted' ? 'hot-reset' : this.disabled ? 'disabled' : 'detect');
    if (this.partner !== undefined && this.current === 'detect') this.later(afterNs);
  }

  /** One training step; which one follows from the state. */
  private step(): void {
    this.pending = undefined;
    const share = this.partner?.trainingNs;
    switch (this.current) {
      case 'detect':
        this.presence = true;
        this.enter('polling');
        this.later(share === undefined ? this.profile.pollingNs.value : share / 2);
        return;
      case 'polling':
        this.enter('configuration');
        this.later(share === undefined ? this.profile.configurationNs.value : share / 2);
        return;
      default:
        this.negotiate();
        this.enter('l0');
    }
  }

  private negotiate(): void {
    const { maxSpeed, maxWidth } = this.partner!;
    if (this.trained === undefined) this.session++;
    this.trained = {
      speed: Math.min(this.options.maxSpeed, this.targetSpeed, maxSpeed) as LinkSpeed,
      width: Math.min(this.options.maxWidth, this.targetWidth, maxWidth) as LinkWidth,
    };
    this.updateRate();
  }

  private updateRate(): void {
    this.nsPerByte = this.trained ? 8 / tlpGbps(this.trained.speed, this.trained.width, this.maxPayload) : 0;
  }

  private drop(to: LinkState): void {
    if (this.pending !== undefined) this.sim.cancel(this.pending);
    this.pending = undefined;
    this.trained = undefined;
    this.heldUntil = this.sim.now;
    this.updateRate();
    this.up.idle();
    this.down.idle();
    this.enter(to);
  }

  private later(delayNs: TimeNs): void {
    this.pending = this.sim.schedule(quantize(delayNs), Priority.LINK, this.advance);
  }

  private enter(state: LinkState): void {
    this.current = state;
    this.sim.trace.emit(LINK_STATE, this.source, LINK_STATES.indexOf(state), this.speed, this.width);
    for (const listener of this.listeners) listener(this);
    this.changed.emit();
  }
}
