/**
 * A P7IOC set up as firmware leaves it, with a card below PHB 0 that tests command. Everything goes through the doors that
 * software and devices have: loads, stores, memory, packets, interrupts.
 */
import { msbMask } from '../../src/hw/bits.js';
import type { AccessSize } from '../../src/hw/host-port.js';
import { TRAP_NAMES } from '../../src/ioda/bit-lists.js';
import { trapRegisterName } from '../../src/ioda/trap-registers.js';
import { HUB_UNIT_NAMES, type HubUnit } from '../../src/ioda1/error-bits/units.js';
import { HUB_REGISTERS, type HubRegisterName } from '../../src/ioda1/registers/hub.js';
import { PHB_REGISTERS, type PhbRegisterName } from '../../src/ioda1/registers/phb.js';
import type { IodaTableName } from '../../src/ioda1/tables.js';
import { type ErrorMessage, errorMessage, memoryRead, memoryWrite, message, type Tlp } from '../../src/pcie/tlp.js';
import { ms } from '../../src/sim/time.js';
import { clearErrors, errorState } from '../ioda/rig-errors.js';
import { Card } from '../ioda2/card.js';
import {
  configAddress,
  exactly,
  halves,
  hex,
  IDLE_PELTM,
  iodaAddress,
  m64Window,
  rule,
  tve,
  vector,
} from './encodings.js';
import {
  BI_DOWN_DAMAGE,
  BI_UP_DAMAGE,
  CI_DAMAGE,
  GEM_MASK,
  PHB_LEM_MASK,
  RGC_DAMAGE,
  TRAP_ENABLES,
  UNIT_SETUP,
} from './firmware-values.js';
import { aib, asb, CATCH_ALL, HUB_ID, io, MWIN1, MWIN2, m32, ONES, PAGE_AT, PE, RID, TCES, TVE } from './layout.js';
import { Machine, type MachineOptions } from './machine.js';

export * from './encodings.js';
export * from './firmware-values.js';
export * from './layout.js';

const PE_COUNT = 128;
export class Rig {
  readonly card = new Card();
  readonly machine: Machine;

  constructor(options: Omit<MachineOptions, 'cards'> & { readonly slot?: 'card' | 'none' } = {}) {
    const { slot = 'card', ...rest } = options;
    this.machine = new Machine({ ...rest, cards: slot === 'card' ? { 0: this.card } : {} });
  }

  get memory() {
    return this.machine.memory;
  }
  get interrupts() {
    return this.machine.interrupts;
  }
  get hub() {
    return this.machine.hub;
  }
  get link() {
    return this.machine.links[0]!;
  }

  run(ns: number): this {
    this.machine.run(ns);
    return this;
  }

  // ---- registers --------------------------------------------------------------------------------------------------

  read(name: PhbRegisterName, phb = 0): bigint {
    return this.machine.load(aib(phb) + PHB_REGISTERS.get(name).offset);
  }
  write(name: PhbRegisterName, value: bigint, phb = 0): void {
    this.machine.store(aib(phb) + PHB_REGISTERS.get(name).offset, value);
  }
  asbRead(name: PhbRegisterName, phb = 0): bigint {
    return this.machine.load(asb(phb) + PHB_REGISTERS.get(name).offset);
  }
  asbWrite(name: PhbRegisterName, value: bigint, phb = 0): void {
    this.machine.store(asb(phb) + PHB_REGISTERS.get(name).offset, value);
  }
  hubRead(name: HubRegisterName): bigint {
    return this.machine.load(MWIN1 + HUB_REGISTERS.get(name).offset);
  }
  hubWrite(name: HubRegisterName, value: bigint): void {
    this.machine.store(MWIN1 + HUB_REGISTERS.get(name).offset, value);
  }

  // ---- IODA tables ------------------------------------------------------------------------------------------------

  select(table: IodaTableName | number, index: number, increment: 'stay' | 'increment' = 'stay'): void {
    this.write('PHB_IODA_ADDR', iodaAddress(table, index, increment));
  }
  ioda(table: IodaTableName | number, index: number): bigint {
    this.select(table, index);
    return this.read('PHB_IODA_DATA0');
  }
  setIoda(table: IodaTableName | number, index: number, value: bigint): void {
    this.select(table, index);
    this.write('PHB_IODA_DATA0', value);
  }
  /** Second word first, as firmware does. */
  setPair(table: 'TVT' | 'PELTV', index: number, [word0, word1]: readonly [bigint, bigint]): void {
    this.select(table, index);
    this.write('PHB_IODA_DATA1', word1);
    this.write('PHB_IODA_DATA0', word0);
  }
  asbIoda(table: IodaTableName, index: number): bigint {
    this.asbWrite('PHB_IODA_ADDR', iodaAddress(table, index, 'stay'));
    return this.asbRead('PHB_IODA_DATA0');
  }

  /** PEs that PEEV names. */
  frozenPes(): number[] {
    const words = [0, 1].map((word) => this.asbIoda('PEEV', word));
    return Array.from({ length: PE_COUNT }, (_, pe) => pe).filter((pe) => (words[pe >> 6]! & msbMask(pe & 63)) !== 0n);
  }
  pest(pe: number): [a: string, b: string] {
    return [hex(this.asbIoda('PESTA', pe)), hex(this.asbIoda('PESTB', pe))];
  }
  thaw(pe: number): void {
    this.setIoda('PESTA', pe, 0n);
    this.setIoda('PESTB', pe, 0n);
  }

  // ---- configuration ----------------------------------------------------------------------------------------------

  config(rid: number, register: number, size: 1 | 2 | 4 = 4): bigint {
    this.write('PHB_CONFIG_ADDRESS', configAddress(rid, register));
    return this.machine.load(aib(0) + 0x130 + (register & 3), size);
  }
  setConfig(rid: number, register: number, bytes: readonly number[]): void {
    this.write('PHB_CONFIG_ADDRESS', configAddress(rid, register));
    const value = bytes.reduce((sum, byte) => sum * 256 + byte, 0);
    this.machine.store(aib(0) + 0x130 + (register & 3), BigInt(value), bytes.length as AccessSize);
  }

  // ---- windows and DMA --------------------------------------------------------------------------------------------

  load(address: number, size: AccessSize = 4): bigint {
    return this.machine.load(address, size);
  }
  store(address: number, size: AccessSize, value: bigint): void {
    this.machine.store(address, value, size);
  }
  /** The card writes. Returns after the data would have reached memory. */
  dmaWrite(address: bigint, data: readonly number[], rid = RID): void {
    this.card.send(memoryWrite(rid, halves(address), Uint8Array.from(data)));
    this.run(10_000);
  }
  /** The card reads; the completions it got. */
  dmaRead(address: bigint, lengthBytes: number, rid = RID): Tlp[] {
    const before = this.card.got('Cpl', 'CplD').length;
    this.card.send(memoryRead({ requesterId: rid, tag: 7 }, halves(address), lengthBytes));
    this.run(20_000);
    return this.card.got('Cpl', 'CplD').slice(before);
  }
  /** A message interrupt through entry `entry`, 32-bit address. */
  msi(entry: number, data: number, rid = RID): void {
    this.dmaWrite(0xffff_0000n | BigInt(entry << 4), [data & 0xff, (data >> 8) & 0xff, 0, 0], rid);
  }
  sendError(kind: ErrorMessage, rid = RID): void {
    this.card.send(errorMessage(rid, kind));
    this.run(10_000);
  }
  sendMessage(code: number): void {
    this.card.send(message(RID, code));
    this.run(10_000);
  }
  setTce(page: number, tce: bigint, table = TCES): void {
    this.memory.write64(table + 8 * page, tce);
  }

  // ---- firmware's part --------------------------------------------------------------------------------------------

  /** From power-on to a trained link below PHB 0, as far as behaviour needs it. */
  boot(): this {
    this.programHub();
    this.initPhb(0);
    this.write('PHB_HOTPLUG_OVERRIDE', 0n);
    this.write('PHB_HOTPLUG_OVERRIDE', 0x8400_0000_0000_0000n);
    this.run(ms(400));
    this.write('UTL_PCIE_PORT_STATUS', 0x00e0_0000_0000_0000n);
    this.write('UTL_PCIE_PORT_IRQ_EN', 0xfe65_0000_0000_0000n);
    return this;
  }

  programHub(): void {
    for (const unit of HUB_UNIT_NAMES) this.programUnit(unit);
    this.hubWrite('RGC_LDCP', RGC_DAMAGE);
    this.hubWrite('BI_UP_LDCP0', BI_UP_DAMAGE);
    this.hubWrite('BI_DOWN_LDCP0', BI_DOWN_DAMAGE);
    for (const port of [0, 1, 2, 3, 4, 5, 6, 7] as const)
      this.hubWrite(`CI_P${port}_LDCP`, CI_DAMAGE[Math.min(port, 2)]!);
    this.hubWrite('RGC_BUID', BigInt((HUB_ID << 9) | 0x10) << 32n);
    this.hubWrite('RGC_IODA_ADDR', 0x0002_0000_0000_0000n);
    this.hubWrite('RGC_IODA_DATA', vector({ server: 0x10, priority: 0x40 }));
    for (const phb of [0, 1, 2, 3, 4, 5] as const) this.hubWrite(`RGC_PHB${phb}_BASE`, BigInt(aib(phb)));
    this.programRouting();
    this.hubWrite('GEM_XFIR', 0n);
    this.hubWrite('GEM_MASK', GEM_MASK);
    this.hubWrite('GEM_RWOF', 0n);
  }

  programUnit(unit: HubUnit): void {
    const { action0, action1, mask } = UNIT_SETUP[unit];
    this.hubWrite(`${unit}_LEM_FIR_ACCUM`, 0n);
    this.hubWrite(`${unit}_LEM_ACTION0`, action0);
    this.hubWrite(`${unit}_LEM_ACTION1`, action1);
    this.hubWrite(`${unit}_LEM_WOF`, 0n);
    this.hubWrite(`${unit}_LEM_ERROR_AND_MASK`, mask);
  }

  programRouting(): void {
    const hub = HUB_ID << 9;
    const rules = [0, 1, 2, 3, 4, 5].flatMap((phb) => [
      rule('buid', phb + 2, hub + 0x40 + 0x40 * phb, 0x1ff),
      rule('buid', phb + 2, hub + 0x60 + 0x40 * phb, 0x1f0),
      rule('address', phb + 2, aib(phb), 2 ** 48 - 0x1_0000),
      rule('address', phb + 2, io(0, 0, phb), 2 ** 48 - 0x80_0000),
      rule('address', phb + 2, MWIN2 + phb * 2 ** 32, 2 ** 48 - 2 ** 32),
      rule('address', phb + 2, MWIN2 + (phb + 1) * 2 ** 35, 2 ** 48 - 2 ** 35),
    ]);
    rules.push(rule('type', 7, 0x80, 0xf0), rule('type', 1, 0x60, 0xf0), rule('buid', 1, hub + 0x10, 0x1ff));
    rules.forEach(([match, mask], index) => {
      this.hubWrite(`CI_RMASK_${index}`, mask);
      this.hubWrite(`CI_RMATC_${index}`, match);
    });
    this.hubWrite('CI_RMASK_47', 0n);
    this.hubWrite('CI_RMATC_47', 0x4000_8000_0000_0000n);
  }

  initPhb(phb: number): void {
    const buid = 0x40 + 0x40 * phb;
    this.write('PHB_RESET', 0xe800_0000_0000_0000n, phb);
    this.run(ms(2));
    this.write('PHB_BUID', (BigInt(buid) << 48n) | (BigInt(buid + 0x20) << 32n), phb);
    this.write('PHB_IO_BASE_ADDR', BigInt(io(0, 0, phb)), phb);
    this.write('PHB_IO_BASE_MASK', 0xffff_ffff_ff80_0000n, phb);
    this.write('PHB_M32_BASE_ADDR', BigInt(m32(0, 0, phb)), phb);
    this.write('PHB_M32_BASE_MASK', 0x8000_0000n, phb);
    this.write('PHB_M32_START_ADDR', 0x8000_0000n, phb);
    this.write('PHB_PHB2_CONFIG', 0x208a_8000_0000_0000n, phb);
    if (phb === 0) this.programTables();
    if (phb === 0) this.programRootPort();
    this.write('UTL_PCIE_PORT_STATUS', ONES, phb);
    this.write('UTL_PCIE_PORT_ERROR_SEV', 0x00e0_0000_0000_0000n, phb);
    this.write('UTL_PCIE_PORT_IRQ_EN', 0x7e00_0000_0000_0000n, phb);
    this.write('PHB_RESET', 0xe000_0000_0000_0000n, phb);
    this.programErrors(phb);
  }

  programTables(): void {
    this.select('PELTM', 0, 'increment');
    for (let pe = 0; pe < CATCH_ALL; pe++) this.write('PHB_IODA_DATA0', pe === PE ? exactly(RID) : IDLE_PELTM);
    for (const table of ['IODT', 'M32DT', 'M64DT'] as const) {
      this.select(table, 0, 'increment');
      for (let segment = 0; segment < PE_COUNT; segment++) this.write('PHB_IODA_DATA0', BigInt(segment) << 57n);
    }
    this.select('M64BT', 0, 'increment');
    for (let window = 0; window < 16; window++)
      this.write('PHB_IODA_DATA0', m64Window(MWIN2 + 2 ** 35 + window * 2 ** 31, 2 ** 31));
    for (let lsi = 0; lsi < 8; lsi++) this.setIoda('LXIVT', lsi, vector({ server: 0x15, priority: 5 }));
    this.setPair('TVT', TVE, tve({ table: TCES, pe: PE, rid: RID }));
    this.setTce(1, BigInt(PAGE_AT(1)) | 3n);
    this.setTce(2, BigInt(PAGE_AT(2)) | 1n);
    this.setTce(3, BigInt(PAGE_AT(3)) | 2n);
  }

  programRootPort(): void {
    this.setConfig(0, 0x18, [0x00, 0x01, 0xff, 0x00]);
    this.setConfig(0, 0x3e, [0x02, 0x00]);
    this.setConfig(0, 0x50, [0x0f, 0x00]);
    this.setConfig(0, 0x64, [0x17, 0x00]);
    this.setConfig(0, 0x108, [0x00, 0xd0, 0x08, 0x00]);
    this.setConfig(0, 0x04, [0x47, 0x01]);
  }

  programErrors(phb = 0): void {
    for (const trap of TRAP_NAMES) {
      const { lem, freeze, fence } = TRAP_ENABLES[trap];
      this.write(trapRegisterName(trap, 'ERR_STATUS'), ONES, phb);
      this.write(trapRegisterName(trap, 'ERR1_STATUS'), 0n, phb);
      this.write(trapRegisterName(trap, 'ERR_LEM_ENABLE'), lem, phb);
      this.write(trapRegisterName(trap, 'ERR_FREEZE_ENABLE'), freeze, phb);
      this.write(trapRegisterName(trap, 'ERR_IRQ_ENABLE'), freeze, phb);
      this.write(trapRegisterName(trap, 'ERR_AIB_FENCE_ENABLE'), fence, phb);
    }
    this.write('PHB_LEM_FIR_ACCUM', 0n, phb);
    this.write('PHB_LEM_ACTION0', ONES, phb);
    this.write('PHB_LEM_WOF', 0n, phb);
    this.write('PHB_LEM_ERROR_MASK', PHB_LEM_MASK, phb);
  }

  /** What firmware's error cleanup does to traps and LEM. */
  clearErrors(): void {
    clearErrors(this, this.asbRead('PHB_LEM_FIR_ACCUM'));
  }

  /** The error state in one object. Read through the side path: fenced or not. */
  errors(): Record<string, string> {
    return errorState((name) => this.asbRead(name));
  }

  /** CCRR as firmware pulses it. */
  resetPhb(phb: number): void {
    const bits = msbMask(13 + 2 * phb) | msbMask(32 + phb);
    this.hubWrite('RGC_CCRR', bits);
    this.run(ms(1));
    this.hubWrite('RGC_CCRR', 0n);
  }

  /** Takes and ends every interrupt that waits; their numbers in order. */
  endInterrupts(): number[] {
    const taken: number[] = [];
    for (let next = this.interrupts.take(); next !== undefined && taken.length < 100; next = this.interrupts.take()) {
      taken.push(next.irq);
      this.interrupts.eoi(next.irq);
    }
    return taken;
  }
}

/** A booted hub with a trained link below PHB 0. */
export function booted(options: ConstructorParameters<typeof Rig>[0] = {}): Rig {
  return new Rig(options).boot();
}
