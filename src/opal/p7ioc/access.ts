/**
 * How firmware reaches a P7IOC: the registers of the hub, those of a PHB through the crossbar (AIB) or the side bus (ASB),
 * and the tables of a PHB behind IODA_ADDR, IODA_DATA0 and IODA_DATA1.
 * Source: skiboot p7ioc hw/p7ioc-phb.c: p7ioc_phb_ioda_sel, p7ioc_phb_setup. Facts: ioda1-p7ioc 1.2, 4.1, 8.
 */
import type { HostPort } from '../../hw/host-port.js';
import { aibOffset, asbOffset } from '../../ioda1/address-map.js';
import { HUB_REGISTERS, type HubRegisterName } from '../../ioda1/registers/hub.js';
import { PHB_REGISTERS, type PhbRegisterName } from '../../ioda1/registers/phb.js';
import { IODA_TABLES, type IodaTableName } from '../../ioda1/tables.js';
import type { Process } from '../../sim/process.js';
import { word } from '../field-words.js';

/** Ways to the registers of a PHB. A fence closes the first; only the second is open before the crossbar is set up. */
export type RegisterPath = 'aib' | 'asb';

/** The bits of one named field of a PHB register. */
export function phbBits(register: PhbRegisterName, field: string): bigint {
  return word(PHB_REGISTERS, register, { [field]: -1n });
}

/** The bits of one named field of a register of the hub. */
export function hubBits(register: HubRegisterName, field: string): bigint {
  return word(HUB_REGISTERS, register, { [field]: -1n });
}

export class P7iocHubAccess {
  constructor(
    readonly port: HostPort,
    /** Real address of the hub's registers: GX BAR 1. */
    readonly registerBase: number,
  ) {}

  addressOf(register: HubRegisterName): number {
    return this.registerBase + HUB_REGISTERS.get(register).offset;
  }

  *read(register: HubRegisterName): Process<bigint> {
    return yield* this.port.load(this.addressOf(register), 8);
  }

  *write(register: HubRegisterName, value: bigint): Process<void> {
    yield* this.port.store(this.addressOf(register), 8, value);
  }

  /** A store that is read back at once, as those of the initialisation are, whatever the register does when read. */
  *writeAndReadBack(register: HubRegisterName, value: bigint): Process<void> {
    yield* this.write(register, value);
    yield* this.read(register);
  }

  /** Replaces the bits of `mask` by those of `value`. */
  *update(register: HubRegisterName, mask: bigint, value: bigint): Process<void> {
    yield* this.write(register, ((yield* this.read(register)) & ~mask) | value);
  }
}

export class P7iocPhbAccess {
  private readonly base: Readonly<Record<RegisterPath, number>>;

  constructor(
    readonly port: HostPort,
    hubRegisterBase: number,
    /** Place of the PHB on its hub, 0 to 5. */
    index: number,
  ) {
    this.base = { aib: hubRegisterBase + aibOffset(index), asb: hubRegisterBase + asbOffset(index) };
  }

  /** Where the registers begin. */
  registerBase(path: RegisterPath): number {
    return this.base[path];
  }

  addressOf(register: PhbRegisterName, path: RegisterPath = 'aib'): number {
    return this.base[path] + PHB_REGISTERS.get(register).offset;
  }

  // ---- AIB: the ordinary path, all ones while fenced ---------------------------------------------------------------

  *read(register: PhbRegisterName): Process<bigint> {
    return yield* this.port.load(this.addressOf(register), 8);
  }

  *write(register: PhbRegisterName, value: bigint): Process<void> {
    yield* this.port.store(this.addressOf(register), 8, value);
  }

  /** Clears the bits of `mask`, then sets those of `value`. */
  *update(register: PhbRegisterName, mask: bigint, value: bigint): Process<void> {
    yield* this.write(register, ((yield* this.read(register)) & ~mask) | value);
  }

  // ---- ASB: works while fenced -------------------------------------------------------------------------------------

  *readAsb(register: PhbRegisterName): Process<bigint> {
    return yield* this.port.load(this.addressOf(register, 'asb'), 8);
  }

  *writeAsb(register: PhbRegisterName, value: bigint): Process<void> {
    yield* this.port.store(this.addressOf(register, 'asb'), 8, value);
  }

  // ---- on-chip tables ----------------------------------------------------------------------------------------------

  /** Selects one entry; any number of reads and writes of it may follow. */
  *selectEntry(table: IodaTableName, index: number): Process<void> {
    yield* this.write('PHB_IODA_ADDR', iodaAddress(table, index));
  }

  /** Selects `table` from its start; every access of the first data register steps to the next entry. */
  *walkTable(table: IodaTableName, path: RegisterPath = 'aib'): Process<void> {
    const address = iodaAddress(table, 0) | AUTOINCREMENT;
    yield* this.port.store(this.addressOf('PHB_IODA_ADDR', path), 8, address);
  }

  *readEntry(): Process<bigint> {
    return yield* this.read('PHB_IODA_DATA0');
  }

  /** Through the side path: of a fenced PHB the entry that was selected before the fence. Facts: ioda1-p7ioc 12.5. */
  *readEntryAsb(): Process<bigint> {
    return yield* this.readAsb('PHB_IODA_DATA0');
  }

  *writeEntry(value: bigint): Process<void> {
    yield* this.write('PHB_IODA_DATA0', value);
  }

  /** Second word of an entry of two; never steps on. */
  *readSecondWord(): Process<bigint> {
    return yield* this.read('PHB_IODA_DATA1');
  }

  *writeSecondWord(value: bigint): Process<void> {
    yield* this.write('PHB_IODA_DATA1', value);
  }
}

const AUTOINCREMENT = phbBits('PHB_IODA_ADDR', 'AUTOINCREMENT');

function iodaAddress(table: IodaTableName, index: number): bigint {
  return word(PHB_REGISTERS, 'PHB_IODA_ADDR', { TABLE: IODA_TABLES[table].selector!, INDEX: index });
}
