/**
 * A PHB3 as plain storage: every register keeps what is written, tables answer by index, configuration cycles reach
 * declared configuration spaces. Enough for firmware; nothing fails unless a test says so.
 */
import type { AccessSize, HostPort } from '../../src/hw/host-port.js';
import { InterruptController } from '../../src/hw/interrupts.js';
import { SystemMemory } from '../../src/hw/memory.js';
import {
  PBCQ_NEST_REGISTERS,
  PBCQ_PCI_REGISTERS,
  PBCQ_SPCI_REGISTERS,
  type PbcqNestRegisterName,
} from '../../src/ioda2/registers/pbcq.js';
import { PHB_REGISTERS, type PhbRegisterName } from '../../src/ioda2/registers/phb.js';
import { IODA_TABLES, type IodaTableName, iodaTableBySelector } from '../../src/ioda2/tables.js';
import type { FirmwareProfileChoice } from '../../src/opal/firmware-profile.js';
import { Opal } from '../../src/opal/opal.js';
import type { BoardFacts } from '../../src/opal/phb3/phb3.js';
import type { PbcqPlace } from '../../src/opal/phb3/probe.js';
import { aerCapability, rootAerCapability } from '../../src/pcie/aer-capability.js';
import { type PciExpressOption, type PortKind, pciExpressCapability } from '../../src/pcie/capabilities.js';
import { bridgeHeader, deviceHeader } from '../../src/pcie/config-header.js';
import { amend, type ConfigLayout, ConfigSpace } from '../../src/pcie/config-space.js';
import { delay, type Process } from '../../src/sim/process.js';
import { Simulator } from '../../src/sim/simulator.js';
import { ms } from '../../src/sim/time.js';

const PHB_BASE = 0x3_fffe_4000_0000;
const BANKS = {
  nest: { base: 0x0201_2000, bank: PBCQ_NEST_REGISTERS },
  pci: { base: 0x0901_2000, bank: PBCQ_PCI_REGISTERS },
  spci: { base: 0x0901_3c00, bank: PBCQ_SPCI_REGISTERS },
} as const;

export const LINK_DOWN = 0n;
export const LINK_ACTIVE = 0x0000_1500_0000_0000n;
export const AIB_FENCED = 0x0000_8000_0000_0000n;
const ONES = 0xffff_ffff_ffff_ffffn;

type Answer = bigint | (() => bigint);

/** A function of a test machine. */
export interface FunctionSpec {
  readonly port?: PortKind;
  readonly bridge?: true;
  readonly vendorId?: number;
  readonly deviceId?: number;
  readonly express?: false;
  readonly aer?: false;
  readonly multifunction?: true;
  readonly options?: readonly PciExpressOption[];
  readonly maxPayloadBytes?: 128 | 256 | 512;
}

export function configSpace(name: string, spec: FunctionSpec): ConfigSpace {
  const isBridge = spec.port !== undefined || spec.bridge === true;
  const identity = {
    vendorId: spec.vendorId ?? 0x15b3,
    deviceId: spec.deviceId ?? 0x1003,
    ...{ classCode: isBridge ? 0x060400 : 0x020000, interruptPin: 1 as const },
    capabilityPointer: spec.express === false ? 0 : 0x48,
  };
  const express = pciExpressCapability({
    ...{ at: 0x48, next: 0, port: spec.port ?? ('endpoint' as const), maxSpeed: 3, maxWidth: 8 },
    maxPayloadBytes: spec.maxPayloadBytes ?? 512,
    options: spec.options ?? [],
  });
  const aer =
    spec.port === 'rootPort' ? rootAerCapability({ at: 0x100, next: 0 }) : aerCapability({ at: 0x100, next: 0 });
  const layout: ConfigLayout = {
    ...(isBridge ? bridgeHeader(identity) : deviceHeader(identity, [])),
    ...(spec.express === false ? {} : express),
    ...(spec.express === false || spec.aer === false ? {} : aer),
  };
  const type = isBridge ? 1 : 0;
  return new ConfigSpace(name, spec.multifunction ? amend(layout, { HEADER_TYPE: { reset: 0x80 | type } }) : layout);
}

export class FlatChip implements HostPort {
  readonly name = 'flat';
  readonly sim = new Simulator();
  readonly memory = new SystemMemory({ sizeBytes: 2 ** 24 });
  readonly interrupts = new InterruptController(this.sim);
  readonly log: string[] = [];
  readonly functions = new Map<number, ConfigSpace>();
  /** Every write, as `REGISTER=value`, newest last. */
  readonly writes: string[] = [];
  fenced = false;
  private readonly values = new Map<string, bigint>();
  private readonly answers = new Map<string, Answer>();
  private readonly tables = new Map<string, bigint>();
  private ioda = 0n;

  constructor() {
    const root = configSpace('root', { port: 'rootPort', vendorId: 0x1014, deviceId: 0x03dc });
    root.set('LNKSTA', 0x2083);
    this.functions.set(0, root);
    this.answer('PHB_VERSION', 0x0000_00a3_0000_0005n);
    this.answer('PHB_PCIE_DLP_TRAIN_CTL', LINK_ACTIVE);
    this.answer('PHB_ETU_ERR_SUMMARY', 0n);
    this.answer('PHB_HOTPLUG_OVERRIDE', 0n);
    this.set('nest.PHB_BAR', BigInt(PHB_BASE) << 14n);
    this.set('pci.ASB_BAR', BigInt(PHB_BASE) << 14n);
    this.window(0, 0x3b00_0000_0000n, 0x10_0000_0000n);
    this.window(1, 0x3fe0_0000_0000n, 0x8000_0000n);
  }

  get now(): number {
    return this.sim.now;
  }

  window(index: 0 | 1, base: bigint, bytes: bigint): void {
    this.set(`nest.MMIO_BAR${index}`, base << 14n);
    this.set(`nest.MMIO_MASK${index}`, bytes === 0n ? 0n : BigInt.asUintN(64, ~((bytes - 1n) << 14n)));
  }

  /** What a register reads from now on, whatever is written. */
  answer(register: PhbRegisterName | `nest.${PbcqNestRegisterName}` | `spci.${string}`, answer: Answer): void {
    this.answers.set(register, answer);
  }

  set(register: string, value: bigint): void {
    this.values.set(register, value);
  }

  get(register: string): bigint {
    return this.values.get(register) ?? 0n;
  }

  entry(table: IodaTableName, index: number): bigint {
    return this.tables.get(`${table}[${index}]`) ?? 0n;
  }

  setEntry(table: IodaTableName, index: number, value: bigint): void {
    this.tables.set(`${table}[${index}]`, value);
  }

  /** The words written to one register since the log was last emptied. */
  written(register: string): bigint[] {
    return this.writes
      .filter((line) => line.startsWith(`${register}=`))
      .map((line) => BigInt(`0x${line.slice(register.length + 1)}`));
  }

  // ---- the port ---------------------------------------------------------------------------------------------------------

  *load(address: number, size: AccessSize): Process<bigint> {
    if (this.fenced) return (1n << BigInt(8 * size)) - 1n;
    return this.readPhb(address - PHB_BASE, size);
  }

  *store(address: number, size: AccessSize, value: bigint): Process<void> {
    if (!this.fenced) this.writePhb(address - PHB_BASE, size, value);
  }

  *scomRead(address: number): Process<bigint> {
    const register = scomRegister(address);
    if (register === 'spci.ASB_DATA') return this.readPhb(Number(this.get('spci.ASB_ADDRESS')), 8);
    return this.read(register);
  }

  *scomWrite(address: number, value: bigint): Process<void> {
    const register = scomRegister(address);
    this.write(register, value);
    if (register === 'spci.ASB_DATA') this.writePhb(Number(this.get('spci.ASB_ADDRESS')), 8, value);
    if (register === 'nest.NFIR_AND') this.set('nest.NFIR', this.get('nest.NFIR') & value);
  }

  private read(register: string): bigint {
    const answer = this.answers.get(register);
    if (answer === undefined) return this.get(register);
    return typeof answer === 'bigint' ? answer : answer();
  }

  private write(register: string, value: bigint): void {
    this.writes.push(`${register}=${value.toString(16)}`);
    this.set(register, value);
  }

  private readPhb(offset: number, size: AccessSize): bigint {
    const register = PHB_REGISTERS.byOffset(offset & ~7)!.name;
    if (register === 'PHB_CONFIG_DATA') return this.configData(offset & 3, size);
    if (register === 'PHB_IODA_DATA0') return this.tableRead();
    return this.read(register);
  }

  private writePhb(offset: number, size: AccessSize, value: bigint): void {
    const register = PHB_REGISTERS.byOffset(offset & ~7)!.name;
    if (register === 'PHB_CONFIG_DATA') this.configWrite(offset & 3, size, value);
    else if (register === 'PHB_IODA_DATA0') this.tableWrite(value);
    else this.write(register, value);
    if (register === 'PHB_IODA_ADDR') this.ioda = value;
  }

  private configTarget(): { space: ConfigSpace | undefined; offset: number } {
    const address = this.get('PHB_CONFIG_ADDRESS');
    const space = this.functions.get(Number((address >> 44n) & 0xffffn));
    return { space, offset: Number((address >> 32n) & 0xffcn) };
  }

  private configData(byte: number, size: AccessSize): bigint {
    const { space, offset } = this.configTarget();
    const width = Math.min(size, 4);
    const value = space === undefined ? 2 ** (8 * width) - 1 : space.read(offset + byte, width);
    const swapped = littleEndian(BigInt(value >>> 0), width);
    return size === 8 ? swapped << 32n : swapped;
  }

  private configWrite(byte: number, size: AccessSize, value: bigint): void {
    const { space, offset } = this.configTarget();
    space?.write(offset + byte, size, Number(littleEndian(value, size)));
  }

  private tableStep(): string {
    const table = iodaTableBySelector(Number((this.ioda >> 48n) & 0x1fn))!;
    const index = Number(this.ioda & 0x1ffn) % IODA_TABLES[table].entries;
    if (this.ioda >> 63n) this.ioda = (this.ioda & ~0x1ffn) | BigInt((index + 1) % IODA_TABLES[table].entries);
    return `${table}[${index}]`;
  }

  private tableRead(): bigint {
    return this.tables.get(this.tableStep()) ?? 0n;
  }

  private tableWrite(value: bigint): void {
    const entry = this.tableStep();
    this.tables.set(entry, value);
    if (entry.startsWith('PEST')) this.deriveEvent(Number(/\d+/.exec(entry)![0]));
  }

  private deriveEvent(pe: number): void {
    const bit = 1n << BigInt(63 - (pe & 63));
    const frozen = (this.entry('PESTA', pe) | this.entry('PESTB', pe)) >> 63n;
    const word = this.entry('PEEV', pe >> 6);
    this.setEntry('PEEV', pe >> 6, frozen ? word | bit : word & ONES & ~bit);
  }
}

function scomRegister(address: number): string {
  for (const [window, { base, bank }] of Object.entries(BANKS)) {
    const register = bank.byOffset(address - base);
    if (register !== undefined) return `${window}.${register.name}`;
  }
  throw new Error(`no SCOM register at ${address.toString(16)}`);
}

function littleEndian(value: bigint, size: number): bigint {
  let swapped = 0n;
  for (let i = 0; i < size; i++) swapped |= ((value >> BigInt(8 * i)) & 0xffn) << BigInt(8 * (size - 1 - i));
  return swapped;
}

const PLACE = { nest: BANKS.nest.base, pci: BANKS.pci.base, spci: BANKS.spci.base, index: 0 };

/** Firmware on a flat chip, and short ways to run its calls. */
export class FirmwareRig {
  readonly opal: Opal;

  constructor(
    readonly chip = new FlatChip(),
    board: Partial<PbcqPlace & BoardFacts> = {},
    profile: FirmwareProfileChoice = 'skiboot',
    phbs = 1,
  ) {
    this.opal = new Opal(chip, {
      heapBase: 0x10_0000,
      // All look at the same chip: what they keep themselves is what can differ.
      phbs: Array.from({ length: phbs }, (_, index) => ({ ...PLACE, index, ...board })),
      log: (line) => chip.log.push(line),
      profile,
    });
  }

  static booted(chip = new FlatChip(), profile: FirmwareProfileChoice = 'skiboot'): FirmwareRig {
    const rig = new FirmwareRig(chip, {}, profile);
    rig.boot();
    return rig;
  }

  boot(): void {
    this.run(this.opal.boot());
    this.chip.writes.length = 0;
  }

  run<T>(call: Process<T>): T {
    return this.chip.sim.complete('call', call);
  }

  sleep(milliseconds: number): void {
    this.run(delay(ms(milliseconds)));
  }

  /** A reset and its polls, slept through; what each returned. */
  reset(id: number | bigint, scope: number): number[] {
    const returns = [this.run(this.opal.pciReset(id, scope, 1))];
    while (returns.at(-1)! > 0) {
      this.sleep(returns.at(-1)!);
      returns.push(this.run(this.opal.pciPoll(id)));
    }
    return returns;
  }
}

/** The requester of a card below the root port. */
export const CARD = 0x100;

/** Firmware that has found a card. */
export function rigWithCard(): FirmwareRig {
  const chip = new FlatChip();
  chip.functions.set(CARD, configSpace('card', {}));
  return FirmwareRig.booted(chip);
}
