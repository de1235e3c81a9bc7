/**
 * A downstream port of a switch: type 1 configuration space and its own link. Source: PCI Express base specification
 * 7.5.3 and 7.8; facts: ioda2-phb3 7.11.5 (firmware's hot reset of a switch port).
 */
import type { Simulator } from '../sim/simulator.js';
import { type AerRegister, aerCapability } from './aer-capability.js';
import { BridgeHeader } from './bridge-header.js';
import {
  type MsiRegister,
  msiCapability,
  type PciExpressOption,
  type PciExpressSpec,
  pciExpressCapability,
} from './capabilities.js';
import { bridgeHeader } from './config-header.js';
import { type ConfigLayout, ConfigSpace, type ResetKind } from './config-space.js';
import type { InterruptHost } from './device-interrupts.js';
import { Link } from './link.js';
import { LINK_PROFILE, type LinkProfile, type LinkSpeed, type LinkWidth, switchCredits } from './link-profile.js';
import { PortErrors } from './port-errors.js';
import { bindPortToLink, followRegisters } from './port-registers.js';
import { type PortRegister, raisesSlotEvents, SlotEvents } from './slot-events.js';
import { bdf, type ErrorMessage, type Tlp, type TlpSink } from './tlp.js';

/** Ports with hot-plug slots that send messages have those of MSI, too. */
export type SwitchRegister = PortRegister | AerRegister;

/** What distinguishes one switch from another. */
export interface SwitchPortSpec {
  readonly vendorId: number;
  readonly deviceId: number;
  readonly maxSpeed: LinkSpeed;
  readonly maxWidth: LinkWidth;
  readonly options: readonly PciExpressOption[];
  /** How a port with a hot-plug slot can interrupt: by its pin alone, or by message as well. */
  readonly interrupts: 'pin' | 'message';
}

const MSI_AT = 0x48;
const PCIE_AT = 0x68;
const AER_AT = 0x100;
const BRIDGE_CLASS = 0x06_0400;

export function switchLayout(spec: SwitchPortSpec, port: 'upstream' | 'downstream'): ConfigLayout<SwitchRegister> {
  const pcie: PciExpressSpec = {
    at: PCIE_AT,
    next: 0,
    port,
    maxSpeed: spec.maxSpeed,
    maxWidth: spec.maxWidth,
    maxPayloadBytes: 512,
    options: spec.options,
  };
  const identity = { vendorId: spec.vendorId, deviceId: spec.deviceId, classCode: BRIDGE_CLASS };
  const tells = spec.options.includes('hot-plug') || spec.options.includes('hot-plug-surprise');
  const message = tells && spec.interrupts === 'message';
  return {
    ...bridgeHeader({ ...identity, capabilityPointer: message ? MSI_AT : PCIE_AT, interruptPin: tells ? 1 : 0 }),
    ...(message ? msiCapability({ at: MSI_AT, next: PCIE_AT }, 1) : {}),
    ...pciExpressCapability(pcie),
    ...aerCapability({ at: AER_AT, next: 0 }),
  };
}

/** What a port hands to its switch. */
export interface SwitchCore {
  readonly internalBus: number;
  fromBelow(port: SwitchPort, tlp: Tlp): void;
  linkFell(port: SwitchPort): void;
  /** The port's own interrupt: a message up, or a change of its pin. */
  interruptFrom(port: SwitchPort, tlp: Tlp): void;
  /** The port was reset: its own pin is down. */
  pinFell(port: SwitchPort): void;
  report(requesterId: number, message: ErrorMessage | undefined): void;
}

type SlotSpace = ConfigSpace<SwitchRegister | MsiRegister>;

export class SwitchPort implements TlpSink, InterruptHost {
  readonly config: ConfigSpace<SwitchRegister>;
  readonly header: BridgeHeader;
  readonly link: Link;
  readonly errors: PortErrors;
  /** Of a hot-plug slot. */
  readonly events: SlotEvents | undefined;
  private wasUp = false;
  private planned = false;

  constructor(
    sim: Simulator,
    readonly name: string,
    /** Device number on the switch's internal bus. */
    readonly device: number,
    private readonly wiring: { core: SwitchCore; spec: SwitchPortSpec; profile: LinkProfile | undefined },
  ) {
    const { spec, profile = LINK_PROFILE } = wiring;
    this.config = new ConfigSpace(name, switchLayout(spec, 'downstream'));
    this.header = new BridgeHeader(this.config);
    this.errors = new PortErrors({
      config: this.config,
      link: 'secondary',
      report: (kind) => wiring.core.report(this.rid, kind),
    });
    const { maxSpeed, maxWidth } = spec;
    this.link = new Link(sim, `${name} link`, { maxSpeed, maxWidth, profile });
    this.link.up.advertise(switchCredits(profile));
    this.events = raisesSlotEvents(this.config) ? new SlotEvents(sim, this.config as SlotSpace, this) : undefined;
    bindPortToLink(this.config, this.link, this.events);
    followRegisters(this.config, this.link);
    this.link.up.attach(this);
    this.errors.watch(this.link, 'up');
    this.link.onChange(() => this.linkChanged());
  }

  get rid(): number {
    return bdf(this.wiring.core.internalBus, this.device, 0);
  }
  get ariForwarding(): 'on' | 'off' {
    return this.config.has('DEVCTL2', 'ARI_FORWARDING') ? 'on' : 'off';
  }

  get busMaster(): boolean {
    return this.header.forwardsUpward;
  }

  /** The port's own packets. */
  transmit(tlp: Tlp): void {
    this.wiring.core.interruptFrom(this, tlp);
  }

  receive(tlp: Tlp): void {
    // Packets with a damaged end-to-end CRC pass, too: their receiver decides (2.7.1).
    if (this.errors.admit(tlp) !== 'dropped') this.wiring.core.fromBelow(this, tlp);
  }

  /** A reset from above passes to the link below. */
  resetBy(kind: ResetKind): void {
    this.planned = true;
    this.config.reset(kind);
    if (this.events !== undefined) {
      this.events.reset();
      this.wiring.core.pinFell(this);
    }
    followRegisters(this.config, this.link);
    if (kind === 'fundamental') this.link.setPerst('asserted');
    else this.link.setHotReset('asserted');
  }

  resetReleased(): void {
    this.planned = false;
    this.link.setHotReset('released');
    this.link.setPerst('deasserted');
  }

  /** Surprise down is an error only if nobody above asked for it (PCI Express base specification 3.2.1). */
  private linkChanged(): void {
    const fell = this.wasUp && !this.link.isUp;
    this.wasUp = this.link.isUp;
    if (!fell) return;
    this.wiring.core.linkFell(this);
    const inReset = this.link.state === 'hot-reset' || this.link.state === 'disabled';
    const asked = this.planned || inReset || this.link.slotPower === 'off';
    if (!asked && this.config.has('LNKCAP', 'SURPRISE_DOWN')) this.errors.raise('SURPRISE_DOWN');
  }
}
