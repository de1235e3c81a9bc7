/**
 * One PHB3 in a machine, set up as firmware leaves it, with a card that tests command. Everything goes through the
 * doors that software and devices have: MMIO, SCOM, memory, packets.
 */
import { msbMask } from '../../src/hw/bits.js';
import type { AccessSize } from '../../src/hw/host-port.js';
import { SyncHost } from '../../src/hw/sync-host.js';
import { PBCQ_NEST_REGISTERS, PBCQ_PCI_REGISTERS, type PbcqNestRegisterName } from '../../src/ioda2/registers/pbcq.js';
import { PHB_REGISTERS, type PhbRegisterName } from '../../src/ioda2/registers/phb.js';
import type { IodaTableName } from '../../src/ioda2/tables.js';
import { PHB3_TIMING } from '../../src/ioda2/timing.js';
import { type Card as AnyCard, PowerNv8, type PowerNv8Options } from '../../src/machine/powernv8.js';
import { type ErrorMessage, errorMessage, memoryRead, memoryWrite, message, type Tlp } from '../../src/pcie/tlp.js';
import { ms } from '../../src/sim/time.js';
import { clearErrors, errorState } from '../ioda/rig-errors.js';
import { Card } from './card.js';
import { configAddress, halves, hex, iodaAddress, sharedM64 } from './encodings.js';
import { ENABLES, LEM_MASK, LINK_IRQS, TRAPS } from './firmware-values.js';
import {
  IRQ_BASE,
  IVT,
  M32_BASE,
  M64_BASE,
  M64_SEGMENT,
  ONES,
  PAGE_AT,
  PE,
  PELTV,
  PEST,
  RESERVED_PE,
  RID,
  RTT,
  TCES,
} from './layout.js';

export * from './encodings.js';
export * from './firmware-values.js';
export * from './layout.js';

const IVE_BYTES = 128;
const NEST = 0x0201_2000;
const PCI = 0x0901_2000;
const SPCI = 0x0901_3c00;
const MEMORY_BYTES = 2 ** 30;

export interface RigOptions extends Omit<PowerNv8Options, 'slot'> {
  /** `none`: an empty slot. */
  readonly slot?: 'card' | 'none' | AnyCard;
}

export class Rig {
  readonly machine: PowerNv8;
  readonly host: SyncHost;
  readonly card = new Card();
  /** Registers that `boot` does not touch: what a reset made of them shows. */
  readonly leftAlone = new Set<PhbRegisterName>();

  constructor(options: RigOptions = {}) {
    const { slot = 'card', ...rest } = options;
    this.machine = new PowerNv8({
      memory: { sizeBytes: MEMORY_BYTES },
      ...rest,
      slot: (_, phb) => (phb !== 0 || slot === 'none' ? undefined : slot === 'card' ? this.card : slot),
    });
    this.host = new SyncHost(this.machine.bus);
  }

  get memory() {
    return this.machine.memory;
  }
  get interrupts() {
    return this.machine.interrupts;
  }
  get link() {
    return this.machine.phbs[0]!.link;
  }
  get now(): number {
    return this.machine.sim.now;
  }

  run(ns: number): this {
    this.machine.sim.run({ untilNs: this.now + ns });
    return this;
  }

  // ---- registers --------------------------------------------------------------------------------------------------

  address(name: PhbRegisterName): number {
    return this.machine.addressMap.phbBase(0) + PHB_REGISTERS.get(name).offset;
  }

  read(name: PhbRegisterName): bigint {
    return this.host.load(this.address(name), 8);
  }

  write(name: PhbRegisterName, value: bigint): void {
    this.host.store(this.address(name), 8, value);
  }

  asbRead(name: PhbRegisterName | number): bigint {
    this.selectAsb(name);
    return this.host.scomRead(SPCI + 2);
  }

  asbWrite(name: PhbRegisterName | number, value: bigint): void {
    this.selectAsb(name);
    this.host.scomWrite(SPCI + 2, value);
  }

  private selectAsb(name: PhbRegisterName | number): void {
    this.host.scomWrite(SPCI, BigInt(typeof name === 'number' ? name : PHB_REGISTERS.get(name).offset));
  }

  nest(name: PbcqNestRegisterName): bigint {
    return this.host.scomRead(NEST + PBCQ_NEST_REGISTERS.get(name).offset);
  }

  setNest(name: PbcqNestRegisterName, value: bigint): void {
    this.host.scomWrite(NEST + PBCQ_NEST_REGISTERS.get(name).offset, value);
  }

  etuReset(state: 'held' | 'released'): void {
    this.host.scomWrite(PCI + PBCQ_PCI_REGISTERS.get('ETU_RESET').offset, state === 'held' ? msbMask(0) : 0n);
  }

  setSpci(register: number, value: bigint): void {
    this.host.scomWrite(SPCI + register, value);
  }
  get fenced(): boolean {
    return (this.nest('NFIR') & msbMask(16)) !== 0n;
  }

  // ---- IODA tables ------------------------------------------------------------------------------------------------

  select(table: IodaTableName, index: number, increment: 'stay' | 'increment' = 'stay'): void {
    this.write('PHB_IODA_ADDR', iodaAddress(table, index, increment));
  }

  ioda(table: IodaTableName, index: number): bigint {
    this.select(table, index);
    return this.read('PHB_IODA_DATA0');
  }

  setIoda(table: IodaTableName, index: number, value: bigint): void {
    this.select(table, index);
    this.write('PHB_IODA_DATA0', value);
  }

  asbIoda(table: IodaTableName, index: number): bigint {
    this.asbWrite('PHB_IODA_ADDR', iodaAddress(table, index, 'stay'));
    return this.asbRead('PHB_IODA_DATA0');
  }

  peev(): bigint[] {
    return [0, 1, 2, 3].map((word) => this.ioda('PEEV', word));
  }

  /** PEs that PEEV names. */
  frozenPes(): number[] {
    const words = this.peev();
    return Array.from({ length: 256 }, (_, pe) => pe).filter((pe) => (words[pe >> 6]! & msbMask(pe & 63)) !== 0n);
  }

  /** The entry as diagnostics see it: memory and chip ORed. */
  pest(pe: number): [a: string, b: string] {
    const words = [
      this.memory.read64(PEST + 16 * pe) | this.asbIoda('PESTA', pe),
      this.memory.read64(PEST + 16 * pe + 8) | this.asbIoda('PESTB', pe),
    ] as const;
    return [hex(words[0]), hex(words[1])];
  }

  thaw(pe: number): void {
    this.setIoda('PESTA', pe, 0n);
    this.setIoda('PESTB', pe, 0n);
  }

  thawAll(): void {
    for (const table of ['PESTA', 'PESTB'] as const) {
      this.select(table, 0, 'increment');
      for (let pe = 0; pe < 256; pe++) this.write('PHB_IODA_DATA0', 0n);
    }
  }

  // ---- configuration ----------------------------------------------------------------------------------------------

  selectConfig(rid: number, register: number, pe = PE): void {
    this.write('PHB_CONFIG_ADDRESS', configAddress(rid, register, pe));
  }

  config(rid: number, register: number, size: 1 | 2 | 4 = 4, pe = PE): bigint {
    this.selectConfig(rid, register, pe);
    return this.host.load(this.address('PHB_CONFIG_DATA') + (register & 3), size);
  }

  setConfig(rid: number, register: number, bytes: readonly number[], pe = PE): void {
    this.selectConfig(rid, register, pe);
    const value = bytes.reduce((sum, byte) => sum * 256 + byte, 0);
    this.host.store(this.address('PHB_CONFIG_DATA') + (register & 3), bytes.length as AccessSize, BigInt(value));
  }

  // ---- windows and DMA --------------------------------------------------------------------------------------------

  load(address: number, size: AccessSize = 4): bigint {
    return this.host.load(address, size);
  }
  store(address: number, size: AccessSize, value: bigint): void {
    this.host.store(address, size, value);
  }

  /** The card writes. Returns after the data would have reached memory. */
  dmaWrite(address: bigint, data: readonly number[], rid = RID): void {
    this.card.send(memoryWrite(rid, halves(address), Uint8Array.from(data)));
    this.run(5000);
  }

  /** How long a packet of the card's takes to the bridge. Leaves RID and page in the caches. */
  wireNs(): number {
    this.dmaWrite(0x1000n, [1]);
    this.card.send(memoryWrite(RID, halves(0x1000n), Uint8Array.of(2)));
    const start = this.now;
    while (this.memory.read8(PAGE_AT(1)) !== 2) this.run(1);
    const ns = this.now - start - PHB3_TIMING.inboundPipelineNs.value - PHB3_TIMING.memoryWriteNs.value;
    this.run(5000);
    return ns;
  }

  /** The card reads; the completions it got. */
  dmaRead(address: bigint, lengthBytes: number, rid = RID): Tlp[] {
    const before = this.card.got('Cpl', 'CplD').length;
    this.card.send(memoryRead({ requesterId: rid, tag: 7 }, halves(address), lengthBytes));
    this.run(10_000);
    return this.card.got('Cpl', 'CplD').slice(before);
  }

  /** A 32-bit message interrupt of this source. */
  msi(isn: number, rid = RID): void {
    this.dmaWrite(0xffff_0000n | BigInt((isn << 4) & 0xfe00), [isn & 0x1f, 0, 0, 0], rid);
  }

  sendError(kind: ErrorMessage, rid = RID): void {
    this.card.send(errorMessage(rid, kind));
    this.run(5000);
  }
  sendMessage(code: number): void {
    this.card.send(message(RID, code));
    this.run(5000);
  }
  setRte(rid: number, rte: number): void {
    this.memory.write16(RTT + 2 * rid, rte);
    this.write('PHB_RTC_INVALIDATE', msbMask(0));
  }

  /** Row of the PELT-V: these PEs fall with `pe`. */
  setPeltv(pe: number, others: readonly number[]): void {
    for (const other of others) {
      const byte = PELTV + 32 * pe + (other >> 3);
      this.memory.write8(byte, this.memory.read8(byte) | (0x80 >> (other & 7)));
    }
  }

  iveAddress(isn: number): number {
    return IVT + IVE_BYTES * isn;
  }

  setIve(isn: number, vector: { server?: number; priority?: number; pe?: number; p?: 0 | 1; q?: 0 | 1; gen?: number }) {
    const { server = 0x20, priority = 5, pe = PE, p = 0, q = 0, gen = 0 } = vector;
    const value =
      (BigInt(server) << 40n) |
      (BigInt(priority) << 32n) |
      (BigInt((gen << 1) | p) << 24n) |
      (BigInt(q) << 16n) |
      BigInt(pe);
    this.memory.write64(this.iveAddress(isn), value);
  }

  /** P and Q of a vector, as in memory. */
  pq(isn: number): string {
    const at = this.iveAddress(isn);
    return `${this.memory.read8(at + 4) & 1}${this.memory.read8(at + 5) & 1}`;
  }

  // ---- firmware's part --------------------------------------------------------------------------------------------

  /** From power-on to a trained link, in the steps firmware takes. */
  boot(): this {
    this.routeInterrupts();
    this.etuReset('released');
    this.run(ms(100));
    this.write('PHB_RESET', 0xd000_0000_0000_0000n);
    this.programTables();
    this.run(ms(10));
    this.programRootPort();
    this.programUtl();
    this.programErrors();
    this.write('PHB_RESET', 0xf000_0000_0000_0000n);
    this.run(ms(400));
    return this;
  }

  private program(name: PhbRegisterName, value: bigint): void {
    if (!this.leftAlone.has(name)) this.write(name, value);
  }

  routeInterrupts(): void {
    this.setNest('IRSN_COMPARE', BigInt(IRQ_BASE) << 45n);
    this.setNest('IRSN_MASK', 0xff00_0000_0000_0000n);
    this.setNest('LSI_SOURCE_ID', 0xff00_0000_0000_0000n);
    this.setNest('BAR_ENABLE', 0xf800_0000_0000_0000n);
  }

  programTables(): void {
    const { memory } = this;
    for (let rid = 0; rid < 0x400; rid++) memory.write16(RTT + 2 * rid, RESERVED_PE);
    memory.write16(RTT + 2 * RID, PE);
    for (let pe = 0; pe < 256; pe++) this.setPeltv(pe, [pe]);
    this.write('PHB_LSI_SOURCE_ID', 0x07f8_0000_0000_0000n);
    this.write('PHB_RTT_BAR', msbMask(0) | BigInt(RTT));
    this.write('PHB_PELTV_BAR', msbMask(0) | BigInt(PELTV));
    this.write('PHB_IVT_BAR', msbMask(0) | BigInt(IVT) | 0x800n);
    this.write('PHB_PEST_BAR', msbMask(0) | BigInt(PEST));
    this.write('PHB_M32_BASE_ADDR', BigInt(M32_BASE));
    this.write('PHB_M32_BASE_MASK', 0xffff_ffff_8000_0000n);
    this.write('PHB_M32_START_ADDR', 0x8000_0000n);
    this.program('PHB_PHB3_CONFIG', 0x2000_0000_0000_0000n);
    this.program('PHB_PHB3_CONFIG', 0x0082_8000_0000_0000n);
    for (let lsi = 0; lsi < 8; lsi++) this.setLxivt(lsi, { server: 0x40, priority: 7 });
    this.setIoda('M64BT', 0, sharedM64(M64_BASE, 256 * M64_SEGMENT));
    this.select('M32DT', 0, 'increment');
    for (let segment = 0; segment < 256; segment++) this.write('PHB_IODA_DATA0', BigInt(segment) << 48n);
    this.mapDma(PE);
  }

  setLxivt(lsi: number, vector: { server: number; priority: number }): void {
    this.setIoda('LXIVT', lsi, (BigInt(vector.server) << 40n) | (BigInt(vector.priority) << 32n));
  }

  /** TVE 0 of the PE: 512 pages of 4 KiB; page 1 read and write at 0x100000 above TCES, page 2 readable, 3 writable. */
  mapDma(pe: number): void {
    this.setIoda('TVT', 2 * pe, (BigInt(TCES / 4096) << 16n) | (1n << 8n) | 1n);
    this.setTce(1, BigInt(PAGE_AT(1)) | 3n);
    this.setTce(2, BigInt(PAGE_AT(2)) | 1n);
    this.setTce(3, BigInt(PAGE_AT(3)) | 2n);
  }

  setTce(page: number, tce: bigint): void {
    this.memory.write64(TCES + 8 * page, tce);
  }

  programRootPort(): void {
    this.setConfig(0, 0x18, [0x00, 0x01, 0xff, 0x00]);
    this.setConfig(0, 0x3e, [0x02, 0x00]);
    this.setConfig(0, 0x50, [0x0f, 0x00]);
    this.setConfig(0, 0x64, [0x17, 0x00]);
    this.setConfig(0, 0x108, [0x20, 0xd0, 0x08, 0x00]);
    this.setConfig(0, 0x04, [0x46, 0x01]);
  }

  programUtl(): void {
    this.write('UTL_PCIE_PORT_STATUS', ONES);
    this.write('UTL_PCIE_PORT_IRQ_EN', LINK_IRQS);
    this.program('PHB_CONTROL', 0xf3a8_0edb_0000_0000n);
  }

  programErrors(): void {
    for (const trap of TRAPS) {
      this.write(`${trap}_ERR_STATUS`, ONES);
      this.write(`${trap}_ERR_LEM_ENABLE`, ENABLES[trap][0]);
      this.write(`${trap}_ERR_FREEZE_ENABLE`, ENABLES[trap][1]);
      this.write(`${trap}_ERR_AIB_FENCE_ENABLE`, ENABLES[trap][2]);
      this.write(`${trap}_ERR_IRQ_ENABLE`, ENABLES[trap][3]);
    }
    this.write('PHB_LEM_ERROR_MASK', LEM_MASK);
  }

  /** What firmware's error clear does to traps and LEM. */
  clearErrors(): void {
    clearErrors(this, this.read('PHB_LEM_FIR_ACCUM'));
  }

  /** The error state in one object, for comparison with what facts say. Read through the ASB: fenced or not. */
  errors(): Record<string, string> {
    return errorState((name) => this.asbRead(name));
  }

  /** Message and level interrupts that wait, as ISNs. */
  pendingIsns(): number[] {
    return this.interrupts.pending().map((irq) => irq - IRQ_BASE);
  }

  /** Takes and ends every interrupt that waits; their ISNs in order. */
  endInterrupts(): number[] {
    const taken: number[] = [];
    for (let next = this.interrupts.take(); next !== undefined; next = this.interrupts.take()) {
      this.interrupts.eoi(next.irq);
      taken.push(next.irq - IRQ_BASE);
    }
    return taken;
  }
}

/** A booted PHB with a trained link. */
export function booted(options: RigOptions = {}): Rig {
  return new Rig(options).boot();
}
