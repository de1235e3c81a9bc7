/**
 * The P7IOC hub with its six PHBs, as the processor meets it on the GX bus: two address ranges, routed by the crossbar to
 * the register control and the PHBs, and interrupts by bus unit id. Facts: ioda1-p7ioc 1.1 to 1.5, 8.5.
 */

import { classifyAccess } from '../hw/access-policy.js';
import type { AccessSize } from '../hw/host-port.js';
import type { InterruptController } from '../hw/interrupts.js';
import { RegisterFile } from '../hw/register-file.js';
import type { BusTarget, SystemBus } from '../hw/system-bus.js';
import { allOnes } from '../ioda/byte-order.js';
import type { Link } from '../pcie/link.js';
import { addressOf } from '../pcie/tlp.js';
import { interruptNumber, interruptPlace, MWIN1_BYTES, MWIN2_BYTES, PHB_WINDOW_BYTES } from './address-map.js';
import { CiRouting } from './ci-routing.js';
import { type HubUnit, PHBS_PER_HUB } from './error-bits/units.js';
import { HubErrors } from './hub-errors.js';
import { Ioda1Phb } from './phb.js';
import { type P7iocProfile, p7iocProfile } from './profile.js';
import { HUB_REGISTERS, type HubRegisterName } from './registers/hub.js';
import { PHB_INDICES, type PhbIndex } from './registers/hub-rgc.js';
import { Rgc } from './rgc.js';
import type { RgcTableName } from './tables.js';
import { P7IOC_TIMING, type P7iocTiming } from './timing.js';
import { BLOCK_REASON, CI_FENCE, REGISTER_BLOCKED, UNKNOWN_REGISTER, UNROUTED } from './trace.js';

export interface P7iocOptions {
  readonly bus: SystemBus;
  readonly interrupts: InterruptController;
  /** Number of the hub: the upper bits of its interrupt numbers. */
  readonly hubId: number;
  /** GX BAR 1: registers and IO windows. */
  readonly mwin1: number;
  /** GX BARs 2 to 4: M32 and M64 windows. */
  readonly mwin2: number;
  /** The link below a PHB; all six exist, whatever is wired to them. */
  readonly link: (phb: number) => Link;
  /** Name in the trace, followed by the number of the PHB where one is meant. */
  readonly name?: string;
  /** Slot power as the service processor leaves it. */
  readonly slotPower?: 'on' | 'off';
  /** Other than the recommended choices. */
  readonly profile?: Partial<P7iocProfile>;
  readonly timing?: P7iocTiming;
}

/** Registers of the hub that answer after its link has stopped, where the profile lets them. */
const ERROR_REGISTERS = /^GEM_|_LEM_/;

const RGC_PORT = 1;
const FIRST_PHB_PORT = 2;
/** The register window of the RGC: what lies beyond the last PHB's side path is the hub's own. */
const ASB_END = PHB_WINDOW_BYTES * PHBS_PER_HUB;

export class P7ioc implements BusTarget {
  readonly name: string;
  readonly registers = new RegisterFile<HubRegisterName>(HUB_REGISTERS);
  readonly phbs: readonly Ioda1Phb[];

  readonly #options: P7iocOptions;
  readonly #profile: P7iocProfile;
  readonly #source: number;
  readonly #routing: CiRouting;
  readonly #rgc: Rgc;
  readonly #errors: HubErrors;

  constructor(options: P7iocOptions) {
    const { bus, interrupts, name = 'P7IOC' } = options;
    const { trace } = bus.sim;
    this.#options = options;
    this.name = name;
    this.#profile = p7iocProfile(options.profile);
    this.#source = trace.source(name);
    this.#routing = new CiRouting(this.registers);
    this.#rgc = new Rgc(this.registers, {
      interrupt: (...interrupt) => this.#interrupt(...interrupt),
      phbReset: (phb, state) => this.#phbReset(phb, state),
    });
    this.#errors = new HubErrors(
      { registers: this.registers, trace, source: this.#source },
      {
        phbDrives: (phb, severity) => this.phbs?.[phb]?.driven(severity) ?? 0n,
        fencePhb: (phb) => this.phbs[phb]?.fence(CI_FENCE),
        errorLevel: (asserted) => this.#rgc.setErrorLevel(asserted),
      },
    );
    this.phbs = PHB_INDICES.map((phb) => this.#buildPhb(phb));
    interrupts.onEnd((irq) => this.#interruptEnded(irq));
    bus.attachMmio(this);
  }

  #buildPhb(index: PhbIndex): Ioda1Phb {
    const { bus, link, slotPower = 'off', timing = P7IOC_TIMING } = this.#options;
    return new Ioda1Phb(
      { bus, index, timing, slotPower, link: link(index), name: `PHB${index}`, profile: this.#profile },
      {
        interrupt: (...interrupt) => this.#interrupt(...interrupt),
        fenced: () => this.#errors.phbFenced(index),
        errorsChanged: () => this.#errors.update(),
        isDead: () => this.#errors.isDead,
      },
    );
  }

  // ---- the processor's side ---------------------------------------------------------------------------------------

  claims(address: number): boolean {
    const { mwin1, mwin2 } = this.#options;
    return (address >= mwin1 && address < mwin1 + MWIN1_BYTES) || (address >= mwin2 && address < mwin2 + MWIN2_BYTES);
  }

  load(address: number, size: AccessSize, ticket: number): void {
    const { bus } = this.#options;
    const [port] = this.#routing.portsOfAddress(address);
    if (this.#errors.isDead && !this.#answersDead(address)) this.#silent(address, 'read');
    else if (port === RGC_PORT) {
      this.#registerLoad(address - this.#options.mwin1, size, ticket);
      return;
    } else if (port !== undefined && this.phbs[port - FIRST_PHB_PORT]) {
      this.#phbLoad(port - FIRST_PHB_PORT, address, size, ticket);
      return;
    } else this.#unrouted(address, 'read');
    bus.complete(ticket, allOnes(size));
  }

  /** A store may go to several ports; no rule of firmware sends one so. */
  store(address: number, size: AccessSize, value: bigint): void {
    const ports = this.#routing.portsOfAddress(address);
    if (this.#errors.isDead && !this.#answersDead(address)) {
      this.#silent(address, 'write');
      return;
    }
    const taken = ports.filter((port) => port === RGC_PORT || this.phbs[port - FIRST_PHB_PORT]);
    if (taken.length === 0) this.#unrouted(address, 'write');
    for (const port of taken) {
      if (port === RGC_PORT) this.#registerStore(address - this.#options.mwin1, size, value);
      else this.#phbStore(port - FIRST_PHB_PORT, address, size, value);
    }
  }

  /** A table of the hub's own interrupts without side effects, for tools. */
  peekTable(table: RgcTableName, index: number): bigint {
    return this.#rgc.table(table).read(index);
  }

  /** Something inside a unit of the hub breaks: a fault, as no software can cause one. */
  reportUnitError(unit: HubUnit, bit: number): void {
    this.#errors.report(unit, bit);
  }

  get isDead(): boolean {
    return this.#errors.isDead;
  }

  #answersDead(address: number): boolean {
    if (this.#profile.deadHub !== 'errors-readable') return false;
    const register = HUB_REGISTERS.byOffset(address - this.#options.mwin1);
    return register !== undefined && ERROR_REGISTERS.test(register.name);
  }

  #silent(address: number, direction: 'read' | 'write'): void {
    const { sim } = this.#options.bus;
    const offset = Math.max(0, address - this.#options.mwin1) % 2 ** 32;
    sim.trace.emit(REGISTER_BLOCKED, this.#source, BLOCK_REASON.dead, offset, direction === 'write' ? 1 : 0);
  }

  #unrouted(address: number, direction: 'read' | 'write'): void {
    const { hi, lo } = addressOf(BigInt(address));
    this.#options.bus.sim.trace.emit(UNROUTED, this.#source, hi, lo, direction === 'write' ? 1 : 0);
  }

  // ---- behind the RGC ---------------------------------------------------------------------------------------------

  #registerLoad(offset: number, size: AccessSize, ticket: number): void {
    if (offset >= 0 && offset < ASB_END) {
      const phb = Math.floor(offset / PHB_WINDOW_BYTES);
      this.phbs[phb]!.registerLoad('asb', offset % PHB_WINDOW_BYTES, size, ticket);
      return;
    }
    const known = this.#isRegister(offset, size, 'read');
    this.#options.bus.complete(ticket, known ? this.registers.read(offset) : allOnes(size));
  }

  #registerStore(offset: number, size: AccessSize, value: bigint): void {
    if (offset >= 0 && offset < ASB_END) {
      const phb = Math.floor(offset / PHB_WINDOW_BYTES);
      this.phbs[phb]!.registerStore('asb', offset % PHB_WINDOW_BYTES, size, value);
    } else if (this.#isRegister(offset, size, 'write')) this.registers.write(offset, value);
  }

  /** Registers are doublewords: anything else is ignored and reads all ones, as do offsets without a register (M). */
  #isRegister(offset: number, size: AccessSize, direction: 'read' | 'write'): boolean {
    const { trace } = this.#options.bus.sim;
    const write = direction === 'write' ? 1 : 0;
    if (classifyAccess(offset, size) !== 'whole') {
      trace.emit(REGISTER_BLOCKED, this.#source, BLOCK_REASON.size, offset % 2 ** 32, write);
      return false;
    }
    const known = this.registers.has(offset);
    if (!known) trace.emit(UNKNOWN_REGISTER, this.#source, Math.max(0, offset) % 2 ** 32, write, size);
    return known;
  }

  // ---- behind the ports of PHBs -----------------------------------------------------------------------------------

  #phbLoad(phb: number, address: number, size: AccessSize, ticket: number): void {
    const offset = this.#aibOffset(phb, address);
    if (offset === undefined) this.phbs[phb]!.windowLoad(address, size, ticket);
    else this.phbs[phb]!.registerLoad('aib', offset, size, ticket);
  }

  #phbStore(phb: number, address: number, size: AccessSize, value: bigint): void {
    const offset = this.#aibOffset(phb, address);
    if (offset === undefined) this.phbs[phb]!.windowStore(address, size, value);
    else this.phbs[phb]!.registerStore('aib', offset, size, value);
  }

  #aibOffset(phb: number, address: number): number | undefined {
    const base = Number(this.registers.get(`RGC_PHB${PHB_INDICES[phb]!}_BASE`));
    const offset = address - base;
    return base !== 0 && offset >= 0 && offset < PHB_WINDOW_BYTES ? offset : undefined;
  }

  // ---- interrupts -------------------------------------------------------------------------------------------------

  #interrupt(buid: number, level: number, server: number, priority: number): boolean {
    if (this.#errors?.isDead) return false;
    return this.#options.interrupts.present(interruptNumber(this.#options.hubId, buid, level), server, priority);
  }

  /** The end of an interrupt finds its source by the crossbar's rules for bus unit ids; without one it is lost. */
  #interruptEnded(irq: number): void {
    const { hubId, buid, level } = interruptPlace(irq);
    if (hubId !== this.#options.hubId) return;
    for (const port of this.#routing.portsOfBuid(buid)) {
      if (port === RGC_PORT) this.#rgc.interruptEnded(buid, level);
      else this.phbs[port - FIRST_PHB_PORT]?.interruptEnded(buid, level);
    }
  }

  // ---- resets -----------------------------------------------------------------------------------------------------

  #phbReset(phb: number, state: 'held' | 'released'): void {
    const bridge = this.phbs[phb]!;
    bridge.configurationReset(state);
    if (!bridge.isFenced) this.#errors.phbUnfenced(phb);
  }
}
