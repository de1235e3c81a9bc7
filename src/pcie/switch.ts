/**
 * A PCI Express switch: one upstream port, N downstream ports on an internal bus. Routes configuration by bus number,
 * memory by window, completions by requester, messages upward; each hop costs time.
 * Source: PCI Express base specification 2.2.4, 7.3.3; PCI-to-PCI Bridge 1.2.
 */
import type { Figure } from '../hw/figure.js';
import { Priority } from '../sim/priority.js';
import type { HandlerId, Simulator } from '../sim/simulator.js';
import { quantize } from '../sim/time.js';
import { BridgeHeader } from './bridge-header.js';
import { littleEndian, littleEndianBytes } from './byte-order.js';
import { linkStatusOf, type PciExpressOption } from './capabilities.js';
import { completion, completionWithData } from './completion.js';
import { ConfigSpace, type ResetKind } from './config-space.js';
import type { Credits } from './flow-control.js';
import { InterruptWires } from './interrupt-wires.js';
import type { Link, LinkPartner } from './link.js';
import type { LinkEnd } from './link-end.js';
import { LINK_PROFILE, type LinkProfile, type LinkSpeed, type LinkWidth, switchCredits } from './link-profile.js';
import { type Admission, PortErrors } from './port-errors.js';
import { SlotStore } from './slot-store.js';
import { type SwitchCore, SwitchPort, type SwitchPortSpec, type SwitchRegister, switchLayout } from './switch-port.js';
import {
  asType0,
  BROADCAST_MESSAGES,
  busOf,
  deviceOf,
  type ErrorMessage,
  errorMessage,
  functionOf,
  IGNORED_MESSAGES,
  isAtomic,
  isCompletion,
  isConfiguration,
  isConfigurationWrite,
  isInputOutput,
  isPosted,
  MessageCode,
  message,
  type Tlp,
  type TlpSink,
} from './tlp.js';
import { withDigest } from './tlp-checks.js';

export interface SwitchTiming {
  readonly forwardNs: Figure;
  readonly configNs: Figure;
}
export const SWITCH_TIMING: SwitchTiming = {
  forwardNs: { value: 150, known: 'assumed', source: '(M) cut-through switches of the time quote 100 to 200 ns' },
  configNs: { value: 500, known: 'assumed', source: '(M) as an endpoint' },
};

export interface SwitchOptions {
  readonly downstreamPorts: number;
  readonly vendorId?: number;
  readonly deviceId?: number;
  readonly maxSpeed?: LinkSpeed;
  readonly maxWidth?: LinkWidth;
  readonly portOptions?: readonly PciExpressOption[];
  /** How ports with hot-plug slots can interrupt; default by message. */
  readonly portInterrupts?: 'pin' | 'message';
  readonly timing?: SwitchTiming;
  readonly profile?: LinkProfile;
}

/** A forwarded packet and the end it leaves by. */
interface Forwarded {
  readonly tlp: Tlp;
  readonly out: LinkEnd | undefined;
  readonly port: SwitchPort | undefined;
}

/** Wires of the ports' own pins stand behind those from below: a multiple of four, so that they are turned as much. */
const OWN_PINS = 32;

export class Switch implements TlpSink, LinkPartner, SwitchCore {
  readonly maxSpeed: LinkSpeed;
  readonly maxWidth: LinkWidth;
  readonly credits: Credits;
  /** The upstream port's registers. */
  readonly config: ConfigSpace<SwitchRegister>;
  readonly header: BridgeHeader;
  readonly ports: readonly SwitchPort[];
  private readonly errors: PortErrors;
  private readonly wires: InterruptWires;
  private readonly timing: SwitchTiming;
  private readonly inside = new SlotStore<Forwarded>();
  private readonly forwardEvent: HandlerId;
  private link: Link | undefined;
  private capturedId = 0;
  private life = 0;

  constructor(
    private readonly sim: Simulator,
    readonly name: string,
    options: SwitchOptions,
  ) {
    this.maxSpeed = options.maxSpeed ?? 3;
    this.maxWidth = options.maxWidth ?? 8;
    this.timing = options.timing ?? SWITCH_TIMING;
    this.credits = switchCredits(options.profile ?? LINK_PROFILE);
    const spec: SwitchPortSpec = {
      vendorId: options.vendorId ?? 0x10b5,
      deviceId: options.deviceId ?? 0x8732,
      maxSpeed: this.maxSpeed,
      maxWidth: this.maxWidth,
      options: options.portOptions ?? ['slot', 'dll-active-reporting', 'surprise-down-reporting', 'ari-forwarding'],
      interrupts: options.portInterrupts ?? 'message',
    };
    this.config = new ConfigSpace(
      `${name} upstream`,
      switchLayout({ ...spec, options: upstreamOptions(spec) }, 'upstream'),
    );
    this.config.hook('LNKSTA', { onRead: (stored) => stored | linkStatusOf(this.link) });
    this.config.hook('BRIDGE_CONTROL', { onWrite: (value, old) => this.secondaryReset(value, old) });
    this.header = new BridgeHeader(this.config);
    this.errors = new PortErrors({
      config: this.config,
      link: 'primary',
      report: (kind) => this.report(this.rid, kind),
    });
    this.wires = new InterruptWires(OWN_PINS + options.downstreamPorts);
    this.forwardEvent = sim.handler(`${name} forward`, (slot, life) => this.forwardNow(slot, life));
    const wiring = { core: this, spec, profile: options.profile };
    this.ports = Array.from(
      { length: options.downstreamPorts },
      (_, device) => new SwitchPort(sim, `${name} port ${device}`, device, wiring),
    );
  }

  plugInto(link: Link): void {
    if (link !== this.link) this.errors.watch(link, 'down');
    this.link = link;
    link.down.attach(this);
    link.insertCard(this);
  }

  get rid(): number {
    return this.capturedId;
  }
  get internalBus(): number {
    return this.header.secondaryBus;
  }

  resetBy(kind: ResetKind): void {
    this.life++;
    this.capturedId = 0;
    this.config.reset(kind);
    for (const port of this.ports) port.resetBy(kind);
  }

  resetReleased(): void {
    for (const port of this.ports) port.resetReleased();
  }

  /** A packet from the upstream link. A damaged end-to-end CRC matters only to the packet's own receiver (2.7.1). */
  receive(tlp: Tlp): void {
    const admission = this.errors.admit(tlp);
    if (admission === 'dropped') return;
    if (isConfiguration(tlp)) this.configFromAbove(tlp, admission);
    else if (isCompletion(tlp)) this.completionTo(this.portOfBus(busOf(tlp.requesterId)), tlp);
    else if (tlp.kind === 'Msg') this.messageFromAbove(tlp);
    else this.memoryFromAbove(tlp);
  }

  fromBelow(port: SwitchPort, tlp: Tlp): void {
    if (tlp.kind === 'Msg') this.messageFromBelow(port, tlp);
    else if (isCompletion(tlp)) {
      const peer = this.portOfBus(busOf(tlp.requesterId));
      this.pass(tlp, peer?.link.up ?? this.link?.down, peer);
    } else if (isConfiguration(tlp) || isInputOutput(tlp)) this.refuse(tlp, port);
    else this.memoryFromBelow(port, tlp);
  }

  linkFell(port: SwitchPort): void {
    this.sendInterrupts(this.wires.drop(port.device));
  }

  interruptFrom(port: SwitchPort, tlp: Tlp): void {
    if (tlp.kind === 'Msg') this.sendInterrupts(this.wires.follow(OWN_PINS + port.device, tlp.messageCode!));
    else if (this.header.forwardsUpward) this.pass(tlp, this.link?.down, undefined);
    else this.refuse(tlp, undefined);
  }

  pinFell(port: SwitchPort): void {
    this.sendInterrupts(this.wires.drop(OWN_PINS + port.device));
  }

  report(requesterId: number, kind: ErrorMessage | undefined): void {
    if (kind !== undefined)
      this.pass(withDigest(errorMessage(requesterId, kind), this.config), this.link?.down, undefined);
  }

  private configFromAbove(tlp: Tlp, admission: Admission): void {
    const target = tlp.targetId!;
    const own = tlp.kind === 'CfgRd0' || tlp.kind === 'CfgWr0';
    if (!own && this.header.routeConfig(target) === 'none') this.refuse(tlp, undefined);
    else if (!own && busOf(target) !== this.internalBus) this.configBelow(tlp);
    else if (admission === 'damaged') return;
    else if (own) this.configOfUpstreamPort(tlp);
    else this.configOnInternalBus(tlp);
  }

  private configOfUpstreamPort(tlp: Tlp): void {
    if (isConfigurationWrite(tlp)) this.capturedId = tlp.targetId!;
    if (functionOf(tlp.targetId!) === 0) this.answerConfig(this.config, tlp);
    else this.refuse(tlp, undefined);
  }

  /** The ports are the only functions on the internal bus; all others are absent. */
  private configOnInternalBus(tlp: Tlp): void {
    const port = functionOf(tlp.targetId!) === 0 ? this.ports[deviceOf(tlp.targetId!)] : undefined;
    if (port === undefined) this.refuse(tlp, undefined);
    else this.answerConfig(port.config, tlp);
  }

  private configBelow(tlp: Tlp): void {
    const target = tlp.targetId!;
    const port = this.portOfBus(busOf(target));
    const route = port?.header.routeConfig(target) ?? 'none';
    if (port === undefined) this.refuse(tlp, undefined);
    else if (route === 'type0' && !port.header.deviceAnswers(target, port.ariForwarding)) this.refuse(tlp, port);
    else this.pass(route === 'type0' ? asType0(tlp) : tlp, port.link.up, port);
  }

  private memoryFromAbove(tlp: Tlp): void {
    const open = this.header.forwardsMemory && this.routes(tlp);
    const port = open && this.header.ownsAddress(tlp) ? this.portOfAddress(tlp) : undefined;
    if (port === undefined) this.refuse(tlp, undefined);
    else this.pass(tlp, port.link.up, port);
  }

  private memoryFromBelow(port: SwitchPort, tlp: Tlp): void {
    const peer = this.portOfAddress(tlp);
    if (!port.header.forwardsUpward || peer === port || !this.routes(tlp)) this.refuse(tlp, port);
    else if (peer !== undefined) this.pass(tlp, peer.link.up, peer);
    else if (!this.header.forwardsUpward || this.header.ownsAddress(tlp)) this.refuse(tlp, undefined);
    else this.pass(tlp, this.link?.down, undefined);
  }

  /** No I/O is forwarded (see the header), and atomics only where the ports say so. */
  private routes(tlp: Tlp): boolean {
    if (isInputOutput(tlp)) return false;
    return !isAtomic(tlp) || this.config.has('DEVCAP2', 'ATOMIC_ROUTING');
  }

  /** What the root says to everybody goes on; other messages end here. */
  private messageFromAbove(tlp: Tlp): void {
    const code = tlp.messageCode!;
    if (BROADCAST_MESSAGES.includes(code)) for (const port of this.ports) this.pass(tlp, port.link.up, undefined);
    else if (!IGNORED_MESSAGES.includes(code)) this.errors.raise('UNSUPPORTED_REQUEST', tlp);
  }

  /** Error messages go up only where both bridges forward SERR (PCI Express base specification 6.2.6). */
  private messageFromBelow(port: SwitchPort, tlp: Tlp): void {
    const code = tlp.messageCode!;
    if (InterruptWires.isInterrupt(code)) {
      this.sendInterrupts(this.wires.follow(port.device, code));
      return;
    }
    const error = code >= MessageCode.ERR_COR && code <= MessageCode.ERR_FATAL;
    const passes = !error || (port.errors.forwardsMessage(tlp) && this.errors.forwardsMessage(tlp));
    if (passes) this.pass(tlp, this.link?.down, undefined);
  }

  private sendInterrupts(codes: readonly number[]): void {
    for (const code of codes) this.pass(message(this.rid, code), this.link?.down, undefined);
  }

  /** A request nobody takes. `by`: the downstream port that refuses it, else the upstream one does. */
  private refuse(tlp: Tlp, by: SwitchPort | undefined): void {
    const rid = by?.rid ?? this.rid;
    const errors = by?.errors ?? this.errors;
    if (isPosted(tlp)) {
      errors.raise('UNSUPPORTED_REQUEST', tlp);
      return;
    }
    errors.advise('UNSUPPORTED_REQUEST', tlp);
    const back = this.portOfBus(busOf(tlp.requesterId));
    this.pass(withDigest(completion(tlp, rid, 'UR'), this.config), back?.link.up ?? this.link?.down, undefined);
  }

  private completionTo(port: SwitchPort | undefined, tlp: Tlp): void {
    if (port !== undefined) this.pass(tlp, port.link.up, port);
    else this.errors.advise('UNEXPECTED_COMPLETION', tlp);
  }

  private answerConfig(config: ConfigSpace<SwitchRegister>, tlp: Tlp): void {
    this.later({ tlp: configAnswer(config, tlp), out: this.link?.down, port: undefined }, this.timing.configNs);
  }

  private pass(tlp: Tlp, out: LinkEnd | undefined, port: SwitchPort | undefined): void {
    this.later({ tlp, out, port }, this.timing.forwardNs);
  }

  private later(forwarded: Forwarded, delay: Figure): void {
    const slot = this.inside.put(forwarded);
    this.sim.schedule(quantize(delay.value), Priority.LINK, this.forwardEvent, slot, this.life);
  }

  private forwardNow(slot: number, life: number): void {
    const { tlp, out, port } = this.inside.take(slot);
    if (life !== this.life) return;
    const sent = out?.send(tlp) ?? false;
    if (sent && port !== undefined) port.errors.depart(tlp);
    if (sent && out === this.link?.down) this.errors.depart(tlp);
    // A downstream port whose link is down answers for it (PCI Express base specification 2.9.1).
    if (!sent && port !== undefined && !isCompletion(tlp)) this.refuse(tlp, port);
  }

  private portOfBus(bus: number): SwitchPort | undefined {
    return this.ports.find((port) => port.header.ownsBus(bus));
  }

  private portOfAddress(tlp: Tlp): SwitchPort | undefined {
    return this.ports.find((port) => port.header.forwardsMemory && port.header.ownsAddress(tlp));
  }

  /** Secondary bus reset of the upstream port resets all that hangs below, the downstream ports included. */
  private secondaryReset(value: number, old: number): void {
    const reset = this.config.mask('BRIDGE_CONTROL', 'SECONDARY_BUS_RESET');
    if ((value & reset) === (old & reset)) return;
    for (const port of this.ports) {
      if ((value & reset) !== 0) port.resetBy('hot');
      else port.resetReleased();
    }
  }
}

/** The upstream port has no slot and no link of its own below. */
function upstreamOptions(spec: SwitchPortSpec): readonly PciExpressOption[] {
  return spec.options.filter((option) => option === 'atomic-routing');
}

/** Carries out a configuration request on one of the switch's own spaces. Poisoned data change nothing (2.7.2.2). */
function configAnswer(config: ConfigSpace<SwitchRegister>, tlp: Tlp): Tlp {
  const id = tlp.targetId!;
  if (!isConfigurationWrite(tlp)) {
    const value = config.read(tlp.register!, tlp.lengthBytes);
    return withDigest(completionWithData(tlp, id, littleEndianBytes(value, tlp.lengthBytes)), config);
  }
  if (!tlp.poisoned) config.write(tlp.register!, tlp.lengthBytes, littleEndian(tlp.data!));
  return withDigest(completion(tlp, id, tlp.poisoned ? 'UR' : 'SC'), config);
}
