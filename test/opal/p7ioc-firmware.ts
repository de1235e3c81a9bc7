/** Firmware on a P7IOC: the model of the chip with a card below PHB 0, booted by OPAL, whose accesses are kept. */
import type { AccessSize } from '../../src/hw/host-port.js';
import { asbOffset } from '../../src/ioda1/address-map.js';
import type { HubUnit } from '../../src/ioda1/error-bits/units.js';
import { HUB_REGISTERS, type HubRegisterName } from '../../src/ioda1/registers/hub.js';
import { PHB_REGISTERS, type PhbRegisterName } from '../../src/ioda1/registers/phb.js';
import type { IodaTableName } from '../../src/ioda1/tables.js';
import type { FirmwareProfileChoice } from '../../src/opal/firmware-profile.js';
import { Opal } from '../../src/opal/opal.js';
import { errorMessage, memoryRead, memoryWrite } from '../../src/pcie/tlp.js';
import { delay, type Process } from '../../src/sim/process.js';
import { ms } from '../../src/sim/time.js';
import { halves } from '../ioda1/encodings.js';
import { HUB_ID, MWIN1, MWIN2, RID } from '../ioda1/layout.js';
import { Machine, type MachineOptions } from '../ioda1/machine.js';
import { Card } from '../ioda2/card.js';
import { type Access, WatchedPort } from './watched-port.js';

const HEAP = 0x10_0000;

export interface FirmwareOptions {
  readonly profile?: FirmwareProfileChoice;
  /** The PHBs that are wired; the card is below PHB 0. */
  readonly phbs?: readonly number[];
  /** Where the registers of the hub are. */
  readonly mwin1?: number;
  /** What the chip itself does. */
  readonly chip?: MachineOptions['profile'];
}

export class P7iocFirmware {
  readonly card = new Card();
  readonly machine: Machine;
  readonly opal: Opal;
  readonly log: string[] = [];
  private readonly port: WatchedPort;
  private readonly mwin1: number;

  constructor({ profile = 'skiboot', phbs = [0], mwin1 = MWIN1, chip = {} }: FirmwareOptions = {}) {
    this.mwin1 = mwin1;
    this.machine = new Machine({ cards: { 0: this.card }, mwin1, profile: chip });
    this.port = new WatchedPort(this.machine, mwin1);
    const place = { hubId: HUB_ID, mwin1, mwin2: MWIN2, phbs };
    this.opal = new Opal(this.port, { heapBase: HEAP, hubs: [place], profile, log: (line) => this.log.push(line) });
  }

  static booted(options: FirmwareOptions = {}): P7iocFirmware {
    const firmware = new P7iocFirmware(options);
    firmware.run(firmware.opal.boot());
    return firmware;
  }

  get hub() {
    return this.machine.hub;
  }

  run<T>(call: Process<T>): T {
    return this.machine.sim.complete('call', call);
  }

  /** What a call does to the hub. */
  accessesOf(call: Process<unknown>): readonly Access[] {
    return this.port.accessesOf(() => this.run(call));
  }

  // ---- the chip, past firmware ------------------------------------------------------------------------------------

  table(name: IodaTableName, index: number, phb = 0): bigint {
    return this.hub.phbs[phb]!.peekTable(name, index);
  }

  /** Both words of an entry of two. */
  pair(name: 'PELTV' | 'TVT', index: number): [bigint, bigint] {
    const phb = this.hub.phbs[0]!;
    return [phb.peekTable(name, index, 0), phb.peekTable(name, index, 1)];
  }

  frozenPes(phb = 0): number[] {
    const row = (this.table('PEEV', 0, phb) << 64n) | this.table('PEEV', 1, phb);
    return [...row.toString(2).padStart(128, '0')].flatMap((bit, pe) => (bit === '1' ? [pe] : []));
  }

  /** The PE that pays for an error message of a requester, thawed again. */
  peOf(rid: number): number | undefined {
    this.card.send(errorMessage(rid, 'ERR_FATAL'));
    this.machine.run(10_000);
    const [pe] = this.frozenPes();
    if (pe !== undefined) this.run(this.opal.pciEehFreezeClear(0, pe, 3));
    return pe;
  }

  register(name: PhbRegisterName, phb = 0): bigint {
    return this.machine.load(this.mwin1 + asbOffset(phb) + PHB_REGISTERS.get(name).offset);
  }

  setRegister(name: PhbRegisterName, value: bigint, phb = 0): void {
    this.machine.store(this.mwin1 + asbOffset(phb) + PHB_REGISTERS.get(name).offset, value);
  }

  hubRegister(name: HubRegisterName): bigint {
    return this.machine.load(this.mwin1 + HUB_REGISTERS.get(name).offset);
  }

  setHubRegister(name: HubRegisterName, value: bigint): void {
    this.machine.store(this.mwin1 + HUB_REGISTERS.get(name).offset, value);
  }

  /** A unit of the hub breaks. */
  breakUnit(unit: HubUnit, bit: number): void {
    this.hub.reportUnitError(unit, bit);
  }

  /** An outbound error that fences. */
  fence(phb = 0): void {
    this.setRegister('PHB_OUT_ERR_INJECT', 1n << 63n, phb);
  }

  dmaWrite(address: bigint, bytes: readonly number[], rid = RID): void {
    this.card.send(memoryWrite(rid, halves(address), Uint8Array.from(bytes)));
    this.machine.run(10_000);
  }

  dmaRead(address: bigint, rid = RID): void {
    this.card.send(memoryRead({ requesterId: rid, tag: 7 }, halves(address), 4));
    this.machine.run(20_000);
  }

  load(address: number, size: AccessSize = 4): bigint {
    return this.machine.load(address, size);
  }

  /** A reset and its polls, slept through; what each returned. */
  reset(id: number | bigint, scope: number): number[] {
    const returns = [this.run(this.opal.pciReset(id, scope, 1))];
    while (returns.at(-1)! > 0) {
      this.run(delay(ms(returns.at(-1)!)));
      returns.push(this.run(this.opal.pciPoll(id)));
    }
    return returns;
  }

  /** As an operating system does before it wants to hear of errors. */
  enableInterrupts(): this {
    for (const irq of this.opal.firmwareInterrupts()) this.run(this.opal.setXive(irq, 0x10, 5));
    return this;
  }

  /** Takes every interrupt that waits to firmware, if it is firmware's, and ends it; their numbers. */
  handleInterrupts(): number[] {
    const { interrupts } = this.machine;
    const taken: number[] = [];
    // What still stands after it was handled comes again, and again.
    for (let next = interrupts.take(); next !== undefined; next = interrupts.take()) {
      const isNew = !taken.includes(next.irq);
      if (isNew) taken.push(next.irq);
      if (isNew && this.opal.firmwareInterrupts().includes(next.irq)) this.run(this.opal.handleInterrupt(next.irq));
      if (isNew) interrupts.eoi(next.irq);
    }
    return taken;
  }
}
