/** Firmware on the model of a P7IOC, through a port that keeps every access, and where tests change what registers answer. */
import { HUB_REGISTERS, type HubRegisterName } from '../../src/ioda1/registers/hub.js';
import { PHB_REGISTERS, type PhbRegisterName } from '../../src/ioda1/registers/phb.js';
import type { FirmwareProfileChoice } from '../../src/opal/firmware-profile.js';
import { Opal } from '../../src/opal/opal.js';
import type { HubPlace } from '../../src/opal/p7ioc/hub.js';
import type { PhbDriver } from '../../src/opal/phb-driver.js';
import { delay, type Process } from '../../src/sim/process.js';
import { ms } from '../../src/sim/time.js';
import { aib, asb, HUB_ID, MWIN1, MWIN2 } from '../ioda1/layout.js';
import { Machine, type MachineOptions } from '../ioda1/machine.js';
import { Card } from '../ioda2/card.js';
import { type Access, WatchedPort } from './watched-port.js';

const HEAP = 0x10_0000;

export interface BenchOptions {
  readonly profile?: FirmwareProfileChoice;
  /** The PHBs that are wired. */
  readonly phbs?: readonly number[];
  readonly processor?: NonNullable<HubPlace['processor']>;
  readonly hubId?: number;
  /** Nothing in the slot of PHB 0, where a card is otherwise. */
  readonly slot?: 'empty';
  readonly chip?: Omit<MachineOptions, 'cards' | 'hubId'>;
}

export const hubOffset = (register: HubRegisterName): number => HUB_REGISTERS.get(register).offset;
export const aibOffset = (phb: number, register: PhbRegisterName): number =>
  aib(phb) - MWIN1 + PHB_REGISTERS.get(register).offset;
export const asbOffset = (phb: number, register: PhbRegisterName): number =>
  asb(phb) - MWIN1 + PHB_REGISTERS.get(register).offset;

class OpenOpal extends Opal {
  driver(phb: number): PhbDriver {
    return this.platform.phbs.get(phb)!;
  }
}

export class Bench {
  readonly card = new Card();
  readonly machine: Machine;
  readonly opal: OpenOpal;
  readonly log: string[] = [];
  private readonly port: WatchedPort;

  constructor(options: BenchOptions = {}) {
    const { profile = 'skiboot', phbs = [0], hubId = HUB_ID, processor = 'p7', slot, chip } = options;
    this.machine = new Machine({ cards: slot === 'empty' ? {} : { 0: this.card }, hubId, ...chip });
    this.port = new WatchedPort(this.machine, MWIN1);
    this.opal = new OpenOpal(this.port, {
      heapBase: HEAP,
      hubs: [{ hubId, mwin1: MWIN1, mwin2: MWIN2, phbs, processor }],
      profile,
      log: (line) => this.log.push(line),
    });
  }

  boot(): this {
    this.run(this.opal.boot());
    return this;
  }

  run<T>(call: Process<T>): T {
    return this.machine.sim.complete('call', call);
  }

  driver(phb: number): PhbDriver {
    return this.opal.driver(phb);
  }

  get nowMs(): number {
    return this.machine.sim.now / 1e6;
  }

  /** What a register answers from now on, made of what the chip answers. */
  answer(offset: number, answer: (value: bigint) => bigint): void {
    this.port.answers.set(offset, answer);
  }

  /** The chip answers by itself again. */
  believe(offset: number): void {
    this.port.answers.delete(offset);
  }

  get accesses(): readonly Access[] {
    return this.port.accesses;
  }

  /** What a call does to the hub. */
  accessesOf(call: Process<unknown>): readonly Access[] {
    return this.port.accessesOf(() => this.run(call));
  }

  writesTo(offset: number): bigint[] {
    return this.accesses.filter((each) => each.operation === 'W' && each.offset === offset).map(({ value }) => value);
  }

  register(name: PhbRegisterName, phb = 0): bigint {
    return this.machine.load(asb(phb) + PHB_REGISTERS.get(name).offset);
  }

  setRegister(name: PhbRegisterName, value: bigint, phb = 0): void {
    this.machine.store(asb(phb) + PHB_REGISTERS.get(name).offset, value);
  }

  hubRegister(name: HubRegisterName): bigint {
    return this.machine.load(MWIN1 + hubOffset(name));
  }

  /** An outbound error that fences. */
  fence(phb = 0): void {
    this.setRegister('PHB_OUT_ERR_INJECT', 1n << 63n, phb);
  }

  /** A reset and its polls, slept through; what each returned. */
  reset(id: number | bigint, scope: number): number[] {
    const returns = [this.run(this.opal.pciReset(id, scope, 1))];
    while (returns.at(-1)! > 0) returns.push(this.poll(id, returns.at(-1)!));
    return returns;
  }

  poll(id: number | bigint, waitMs: number): number {
    this.run(delay(ms(waitMs)));
    return this.run(this.opal.pciPoll(id));
  }
}
