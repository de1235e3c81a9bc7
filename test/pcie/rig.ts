/** A root port with a memory behind it: what a device sees of a machine, without any chip. */
import { rootAerCapability } from '../../src/pcie/aer-capability.js';
import { type PciExpressOption, pciExpressCapability } from '../../src/pcie/capabilities.js';
import { splitCompletions } from '../../src/pcie/completion.js';
import { bridgeHeader } from '../../src/pcie/config-header.js';
import { littleEndian, littleEndianBytes } from '../../src/pcie/endpoint.js';
import { Link, type LinkOptions } from '../../src/pcie/link.js';
import { RootPort, type RootPortLayout } from '../../src/pcie/root-port.js';
import {
  addressOf,
  addressValue,
  bdf,
  configRead,
  configWrite,
  isCompletion,
  memoryRead,
  memoryWrite,
  type Tlp,
  type TlpSink,
} from '../../src/pcie/tlp.js';
import { Simulator } from '../../src/sim/simulator.js';

export const BUS1 = bdf(1, 0, 0);
const MEMORY_BYTES = 0x10_0000;
const DEADLINE_NS = 20e6;

export function rootLayout(options: readonly PciExpressOption[] = []): RootPortLayout {
  const pcie = { at: 0x48, next: 0, port: 'rootPort', maxSpeed: 3, maxWidth: 16 } as const;
  return {
    ...bridgeHeader({ vendorId: 0x1014, deviceId: 0x0001, classCode: 0x06_0400, capabilityPointer: 0x48 }),
    ...pciExpressCapability({
      ...pcie,
      options: ['dll-active-reporting', 'crs-visibility', 'ari-forwarding', ...options],
    }),
    ...rootAerCapability({ at: 0x100, next: 0 }),
  };
}

/** Plays the chip: answers DMA reads from its memory, takes writes and messages, hands out completions. */
export class Rig implements TlpSink {
  readonly sim: Simulator;
  readonly link: Link;
  readonly port: RootPort;
  readonly memory = new Uint8Array(MEMORY_BYTES);
  readonly messages: number[] = [];
  readonly writes: Tlp[] = [];
  readonly reads: Tlp[] = [];
  /** Bytes per completion, as the chip's payload size. */
  maxPayloadBytes = 256;
  answersReads = true;
  private readonly completions = new Map<number, Tlp>();
  private nextTag = 0;

  constructor(link: LinkOptions = { maxSpeed: 3, maxWidth: 8 }, layout: RootPortLayout = rootLayout()) {
    this.sim = new Simulator({ seed: 'pcie' });
    this.link = new Link(this.sim, 'link', link);
    this.port = new RootPort(this.sim, 'root', this.link, layout);
    this.port.attach(this);
    this.port.config.set('SECONDARY_BUS', 1);
    this.port.config.set('SUBORDINATE_BUS', 0x0f);
    this.port.config.set('COMMAND', 0x0006);
    this.port.config.set('BRIDGE_CONTROL', 0x0002);
    this.port.config.set('RTCTL', 0x0007);
    this.port.config.set('DEVCTL', 0x0020);
  }

  receive(tlp: Tlp): void {
    if (isCompletion(tlp)) this.completions.set(tlp.tag, tlp);
    else if (tlp.kind === 'Msg') this.messages.push(tlp.messageCode!);
    else if (tlp.kind === 'MWr') this.write(tlp);
    else this.read(tlp);
  }

  /** PERST up and time for training. */
  powerOn(): this {
    this.link.setPerst('deasserted');
    this.run(300e6);
    return this;
  }

  run(ns: number): void {
    this.sim.run({ untilNs: this.sim.now + ns });
  }

  /** Sends a non-posted request and waits for its completion; undefined if none comes. */
  ask(make: (tag: number) => Tlp): Tlp | undefined {
    const tag = this.nextTag++ & 0xff;
    this.completions.delete(tag);
    this.port.send(make(tag));
    const until = this.sim.now + DEADLINE_NS;
    while (!this.completions.has(tag) && this.sim.now < until && this.sim.step());
    return this.completions.get(tag);
  }

  cfgRead(target: number, register: number, size = 4): Tlp | undefined {
    const type = this.port.routeConfig(target) === 'type1' ? 1 : 0;
    return this.ask((tag) => configRead({ requesterId: 0, tag }, { target, register, type }, size));
  }

  cfgWrite(target: number, register: number, size: number, value: number): Tlp | undefined {
    const type = this.port.routeConfig(target) === 'type1' ? 1 : 0;
    const data = littleEndianBytes(value, size);
    return this.ask((tag) => configWrite({ requesterId: 0, tag }, { target, register, type }, data));
  }

  /** The value, or all ones where the completion is not successful or missing. */
  config(target: number, register: number, size = 4): number {
    const tlp = this.cfgRead(target, register, size);
    return tlp?.data === undefined ? 2 ** (8 * size) - 1 : littleEndian(tlp.data);
  }

  load(address: number, size = 4): Tlp | undefined {
    return this.ask((tag) => memoryRead({ requesterId: 0, tag }, addressOf(BigInt(address)), size));
  }

  register(address: number, size = 4): number {
    const tlp = this.load(address, size);
    return tlp?.data === undefined ? 2 ** (8 * size) - 1 : littleEndian(tlp.data);
  }

  store(address: number, value: number, size = 4): void {
    this.port.send(memoryWrite(0, addressOf(BigInt(address)), littleEndianBytes(value, size)));
  }

  memory32(address: number): number {
    return littleEndian(this.memory.subarray(address, address + 4));
  }
  setMemory32(address: number, value: number): void {
    this.memory.set(littleEndianBytes(value, 4), address);
  }

  private write(tlp: Tlp): void {
    this.writes.push(tlp);
    const at = Number(addressValue(tlp.addressHi, tlp.addressLo));
    if (at + tlp.lengthBytes <= MEMORY_BYTES) this.memory.set(tlp.data!, at);
  }

  private read(tlp: Tlp): void {
    this.reads.push(tlp);
    if (!this.answersReads) return;
    const at = Number(addressValue(tlp.addressHi, tlp.addressLo)) % MEMORY_BYTES;
    const data = this.memory.slice(at, at + tlp.lengthBytes);
    const cut = { maxPayloadBytes: this.maxPayloadBytes, boundaryBytes: 64 } as const;
    for (const completion of splitCompletions(tlp, 0, data, cut)) this.port.send(completion);
  }
}
