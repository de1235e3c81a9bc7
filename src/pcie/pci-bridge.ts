/**
 * A PCI Express to PCI bridge: one link above, a conventional bus below. It owns what it forwards: requests of devices
 * go up under the identifier of the secondary bus, device 0, function 0, and with its own tags.
 * Source: PCI Express to PCI/PCI-X Bridge 1.0 2.3 (transaction ownership), 2.6 to 2.8, 10; PCI-to-PCI Bridge 1.2.
 */
import type { Figure } from '../hw/figure.js';
import { Priority } from '../sim/priority.js';
import type { HandlerId, Simulator } from '../sim/simulator.js';
import { quantize } from '../sim/time.js';
import { type AerRegister, type BridgeAerRegister, bridgeAerCapability } from './aer-capability.js';
import { BridgeHeader } from './bridge-header.js';
import { littleEndian, littleEndianBytes } from './byte-order.js';
import { linkStatusOf, type PciExpressRegister, pciExpressCapability } from './capabilities.js';
import { completion, completionWithData, splitCompletions } from './completion.js';
import { BRIDGE_CONTROL_FIELDS, type BridgeRegister, bridgeHeader, STATUS_FIELDS } from './config-header.js';
import { amend, type ConfigLayout, ConfigSpace, type ResetKind } from './config-space.js';
import { type CompletionProblem, DmaRequester, type ReadResult, type RequesterHost } from './dma-requester.js';
import { ENDPOINT_TIMING } from './endpoint-options.js';
import { InterruptWires } from './interrupt-wires.js';
import type { Link, LinkPartner } from './link.js';
import type { LinkSpeed, LinkWidth } from './link-profile.js';
import { PCI_BUS_DEVICES, PCI_BUS_TIMING, PciBus, type PciBusHost, type PciBusTiming } from './pci-bus.js';
import { PortErrors } from './port-errors.js';
import { completionTimeoutOf, maxReadRequestOf } from './requester-limits.js';
import { SecondaryErrors } from './secondary-errors.js';
import { SlotStore } from './slot-store.js';
import {
  asType0,
  bdf,
  errorMessage,
  functionOf,
  IGNORED_MESSAGES,
  isAtomic,
  isCompletion,
  isConfiguration,
  isConfigurationWrite,
  isInputOutput,
  isPosted,
  message,
  splitRequest,
  type Tlp,
  type TlpSink,
} from './tlp.js';
import { maxPayloadOf, withDigest } from './tlp-checks.js';

export type PciBridgeRegister = BridgeRegister | PciExpressRegister | AerRegister | BridgeAerRegister;

export interface PciBridgeTiming {
  /** Through the bridge, either way, without the bus. */
  readonly bridgeNs: Figure;
  readonly configNs: Figure;
  /** Of requests it carries up. */
  readonly completionTimeoutNs: Figure;
}
export const PCI_BRIDGE_TIMING: PciBridgeTiming = {
  bridgeNs: { value: 300, known: 'assumed', source: '(M) store and forward between two clocks' },
  configNs: { value: 500, known: 'assumed', source: '(M) as an endpoint' },
  completionTimeoutNs: ENDPOINT_TIMING.completionTimeoutNs,
};

export interface PciBridgeOptions {
  readonly vendorId?: number;
  readonly deviceId?: number;
  readonly timing?: PciBridgeTiming;
  readonly busTiming?: PciBusTiming;
}

const PCIE_AT = 0x40;
const AER_AT = 0x100;
const BRIDGE_CLASS = 0x06_0400;
const TAGS = 32;
/** Configuration space a conventional device has. */
const CONVENTIONAL_BYTES = 0x100;
/** A burst to a device, as its requests are. */
const BURST_BYTES = 128;

export function pciBridgeLayout(identity: { vendorId: number; deviceId: number }): ConfigLayout<PciBridgeRegister> {
  const header = bridgeHeader({ ...identity, classCode: BRIDGE_CLASS, capabilityPointer: PCIE_AT });
  const { PARITY, SERR, MASTER_ABORT_MODE, SECONDARY_BUS_RESET } = BRIDGE_CONTROL_FIELDS;
  return {
    ...amend(header, {
      BRIDGE_CONTROL: { writable: PARITY | SERR | MASTER_ABORT_MODE | SECONDARY_BUS_RESET },
      SECONDARY_LATENCY: { writable: 0xf8, about: 'clocks a burst may hold the bus, stored' },
    }),
    ...pciExpressCapability({
      at: PCIE_AT,
      next: 0,
      port: 'pciBridge',
      maxSpeed: 1,
      maxWidth: 1,
      maxPayloadBytes: 512,
    }),
    ...bridgeAerCapability({ at: AER_AT, next: 0 }),
  };
}

/** A packet between the two sides. */
interface Inside {
  readonly tlp: Tlp;
  readonly to: 'link' | 'bus';
  /** The device on the bus that asks, in requests on their way up. */
  readonly device?: number;
}

export class PciBridge implements TlpSink, LinkPartner, RequesterHost, PciBusHost {
  readonly maxSpeed: LinkSpeed = 1;
  readonly maxWidth: LinkWidth = 1;
  readonly tags = TAGS;
  readonly usableTags = TAGS;
  readonly allowedAttributes = 0;
  readonly mayRequestAtomics = false;
  readonly config: ConfigSpace<PciBridgeRegister>;
  readonly header: BridgeHeader;
  /** The bus below; cards are inserted there. */
  readonly bus: PciBus;
  private readonly dma: DmaRequester;
  private readonly errors: PortErrors;
  private readonly secondary: SecondaryErrors;
  private readonly wires = new InterruptWires(PCI_BUS_DEVICES);
  private readonly timing: PciBridgeTiming;
  private readonly inside = new SlotStore<Inside>();
  private readonly passEvent: HandlerId;
  private readonly reads = new SlotStore<{ readonly device: number; readonly tlp: Tlp }>();
  private link: Link | undefined;
  private capturedId = 0;
  private life = 0;

  constructor(
    private readonly sim: Simulator,
    readonly name: string,
    options: PciBridgeOptions = {},
  ) {
    const { vendorId = 0x104c, deviceId = 0x8231 } = options;
    this.timing = options.timing ?? PCI_BRIDGE_TIMING;
    this.config = new ConfigSpace(name, pciBridgeLayout({ vendorId, deviceId }));
    this.header = new BridgeHeader(this.config);
    this.errors = new PortErrors({
      config: this.config,
      link: 'primary',
      report: (kind) => kind && this.transmit(errorMessage(this.id, kind)),
    });
    this.secondary = new SecondaryErrors(this.config, this.errors);
    this.dma = new DmaRequester(sim, name, this);
    this.bus = new PciBus(sim, `${name} bus`, this, options.busTiming ?? PCI_BUS_TIMING);
    this.passEvent = sim.handler(`${name} forward`, (slot, life) => this.passed(slot, life));
    this.config.hook('LNKSTA', { onRead: (stored) => stored | linkStatusOf(this.link) });
    this.config.hook('BRIDGE_CONTROL', { onWrite: (value, old) => this.secondaryReset(value, old) });
  }

  plugInto(link: Link): void {
    if (link !== this.link) this.errors.watch(link, 'down');
    this.link = link;
    link.down.attach(this);
    link.insertCard(this);
  }

  /** The bridge's own identifier, on the bus of its link; 0 until a configuration write names it. */
  get id(): number {
    return this.capturedId;
  }
  /** The identifier of what it forwards upward. */
  get rid(): number {
    return bdf(this.secondaryBus, 0, 0);
  }
  get secondaryBus(): number {
    return this.header.secondaryBus;
  }
  get busMaster(): boolean {
    return this.header.forwardsUpward;
  }
  get maxPayloadBytes(): number {
    return maxPayloadOf(this.config);
  }
  get maxReadRequestBytes(): number {
    return maxReadRequestOf(this.config);
  }
  get completionTimeoutNs(): number {
    return completionTimeoutOf(this.config, this.timing.completionTimeoutNs.value);
  }

  // From the link.

  resetBy(kind: ResetKind): void {
    this.life++;
    this.capturedId = 0;
    this.dma.abort();
    for (let device = 0; device < PCI_BUS_DEVICES; device++) this.wires.drop(device);
    this.config.reset(kind);
    this.bus.reset();
  }

  resetReleased(): void {
    this.bus.resetReleased();
  }

  receive(tlp: Tlp): void {
    if (this.errors.admit(tlp) !== 'sound') return;
    if (isCompletion(tlp)) this.dma.receive(tlp);
    else if (tlp.kind === 'Msg') this.messageFromAbove(tlp);
    else if (isConfiguration(tlp)) this.configFromAbove(tlp);
    else this.requestFromAbove(tlp);
  }

  private messageFromAbove(tlp: Tlp): void {
    if (!IGNORED_MESSAGES.includes(tlp.messageCode!)) this.errors.raise('UNSUPPORTED_REQUEST', tlp);
  }

  private configFromAbove(tlp: Tlp): void {
    const target = tlp.targetId!;
    const own = tlp.kind === 'CfgRd0' || tlp.kind === 'CfgWr0';
    if (own && isConfigurationWrite(tlp)) this.capturedId = target;
    if (own && functionOf(target) === 0) this.configAnswer(tlp);
    else if (own || this.header.routeConfig(target) === 'none') this.refuse(tlp);
    // A conventional bus has no way to address registers beyond the first 256 bytes.
    else if (tlp.register! >= CONVENTIONAL_BYTES) this.refuse(tlp);
    else if (this.header.routeConfig(target) === 'type0') this.pass(asType0(tlp), 'bus');
    // Further down there is no bridge that would take it.
    else this.masterAbort(tlp);
  }

  private configAnswer(tlp: Tlp): void {
    const id = tlp.targetId!;
    if (!isConfigurationWrite(tlp)) {
      const value = this.config.read(tlp.register!, tlp.lengthBytes);
      const answer = completionWithData(tlp, id, littleEndianBytes(value, tlp.lengthBytes));
      this.later({ tlp: answer, to: 'link' }, this.timing.configNs);
      return;
    }
    if (!tlp.poisoned) this.config.write(tlp.register!, tlp.lengthBytes, littleEndian(tlp.data!));
    this.later({ tlp: completion(tlp, id, tlp.poisoned ? 'UR' : 'SC'), to: 'link' }, this.timing.configNs);
  }

  private requestFromAbove(tlp: Tlp): void {
    const open = this.header.forwardsMemory && !isInputOutput(tlp) && !isAtomic(tlp);
    if (!open || !this.header.ownsAddress(tlp)) {
      this.refuse(tlp);
      return;
    }
    if (tlp.poisoned) this.secondary.parityErrorReported(tlp);
    this.pass(tlp, 'bus');
  }

  private refuse(tlp: Tlp): void {
    if (isPosted(tlp)) {
      this.errors.raise('UNSUPPORTED_REQUEST', tlp);
      return;
    }
    this.errors.advise('UNSUPPORTED_REQUEST', tlp);
    this.pass(completion(tlp, this.id, 'UR'), 'link');
  }

  // From the bus.

  takes(tlp: Tlp): boolean {
    return this.header.forwardsUpward && !isInputOutput(tlp) && !this.header.ownsAddress(tlp);
  }

  requestFromDevice(device: number, tlp: Tlp): void {
    this.later({ tlp, to: 'link', device }, this.timing.bridgeNs);
  }

  /** The bridge completes in its own name (2.3). A device that is not there has not answered at all. */
  answerFromDevice(tlp: Tlp): void {
    if (tlp.status === 'UR') this.config.or('SECONDARY_STATUS', STATUS_FIELDS.RECEIVED_MASTER_ABORT);
    if (tlp.status === 'CA') {
      this.secondary.targetAbort(tlp);
      this.config.or('STATUS', STATUS_FIELDS.SENT_TARGET_ABORT);
    }
    if (tlp.poisoned) this.secondary.badParity(tlp);
    this.pass({ ...tlp, completerId: this.id }, 'link');
  }

  masterAbort(tlp: Tlp): void {
    this.secondary.masterAbort(tlp, isPosted(tlp) ? 'posted' : 'non-posted');
    if (!isPosted(tlp)) this.pass(completion(tlp, this.id, 'UR'), 'link');
  }

  pinChanged(device: number, messageCode: number): void {
    this.sendInterrupts(this.wires.follow(device, messageCode));
  }

  systemError(): void {
    this.secondary.systemError();
  }

  // The requester for the devices.

  transmit(tlp: Tlp): void {
    this.errors.depart(tlp);
    this.link?.down.send(withDigest(tlp, this.config));
  }

  /** What became of a device's read. Without an answer the device sees ones, or an abort if bridge control says so. */
  readDone(slot: number, { status, data }: ReadResult): void {
    const { device, tlp } = this.reads.take(slot);
    if (status === 'reset') return;
    if (status === 'SC' || status === 'poisoned') this.answerDevice(device, tlp, { data, status });
    else if (status === 'CA' || this.config.has('BRIDGE_CONTROL', 'MASTER_ABORT_MODE')) {
      this.secondary.abortsDevice();
      this.bus.answer(device, completion(tlp, this.rid, 'CA'));
    } else this.answerDevice(device, tlp, { data: data.fill(0xff), status: 'SC' });
  }

  completionTimedOut(): void {
    this.errors.raise('COMPLETION_TIMEOUT');
  }

  completionProblem(problem: CompletionProblem, tlp: Tlp): void {
    if (problem === 'UR') this.config.or('STATUS', STATUS_FIELDS.RECEIVED_MASTER_ABORT);
    if (problem === 'CA') this.config.or('STATUS', STATUS_FIELDS.RECEIVED_TARGET_ABORT);
    if (problem === 'malformed') this.errors.raise('MALFORMED_TLP', tlp);
    if (problem === 'unexpected') this.errors.advise('UNEXPECTED_COMPLETION', tlp);
  }

  private answerDevice(device: number, tlp: Tlp, result: { data: Uint8Array; status: 'SC' | 'poisoned' }): void {
    const cut = { maxPayloadBytes: BURST_BYTES, boundaryBytes: BURST_BYTES } as const;
    for (const part of splitCompletions(tlp, this.rid, result.data, cut)) {
      this.bus.answer(device, result.status === 'poisoned' ? { ...part, poisoned: true } : part);
    }
  }

  // Between the sides.

  private pass(tlp: Tlp, to: Inside['to']): void {
    this.later({ tlp, to }, this.timing.bridgeNs);
  }

  private later(inside: Inside, delay: Figure): void {
    const slot = this.inside.put(inside);
    this.sim.schedule(quantize(delay.value), Priority.LINK, this.passEvent, slot, this.life);
  }

  private passed(slot: number, life: number): void {
    const { tlp, to, device } = this.inside.take(slot);
    if (life !== this.life) return;
    if (to === 'bus') for (const burst of bursts(tlp)) this.bus.request(burst);
    else if (device === undefined) this.transmit(tlp);
    else this.requestUpward(device, tlp);
  }

  private requestUpward(device: number, tlp: Tlp): void {
    const address = { hi: tlp.addressHi, lo: tlp.addressLo };
    if (tlp.kind !== 'MWr') {
      this.dma.read(address, tlp.lengthBytes, this.reads.put({ device, tlp }));
      return;
    }
    if (tlp.poisoned) {
      this.secondary.badParity(tlp);
      this.dma.poisonNextWrites(1);
    }
    this.dma.write(address, tlp.data!);
  }

  private sendInterrupts(codes: readonly number[]): void {
    for (const code of codes) this.pass(message(this.id, code), 'link');
  }

  /** Bridge control drives RST# of the bus; the pins of its devices fall. */
  private secondaryReset(value: number, old: number): void {
    const reset = BRIDGE_CONTROL_FIELDS.SECONDARY_BUS_RESET;
    if ((value & reset) === (old & reset)) return;
    if ((value & reset) === 0) {
      this.bus.resetReleased();
      return;
    }
    this.bus.reset();
    this.dma.abort();
    for (let device = 0; device < PCI_BUS_DEVICES; device++) this.sendInterrupts(this.wires.drop(device));
  }
}

/** A write as the bus takes it, in bursts; all else as it is. */
function bursts(tlp: Tlp): Tlp[] {
  if (tlp.kind !== 'MWr' || tlp.lengthBytes <= BURST_BYTES) return [tlp];
  return splitRequest({ hi: tlp.addressHi, lo: tlp.addressLo }, tlp.lengthBytes, BURST_BYTES).map((piece) => ({
    ...tlp,
    addressHi: piece.address.hi,
    addressLo: piece.address.lo,
    lengthBytes: piece.lengthBytes,
    data: tlp.data!.subarray(piece.offset, piece.offset + piece.lengthBytes),
  }));
}
