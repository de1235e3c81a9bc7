/**
 * How firmware reaches one PHB3: its registers by MMIO or through the ASB side path, the PBCQ by SCOM, the on-chip tables
 * through IODA_ADDR and IODA_DATA0. Source: skiboot hw/phb3.c: phb3_read_reg_asb, phb3_ioda_sel.
 */
import type { HostPort } from '../../hw/host-port.js';
import {
  PBCQ_NEST_REGISTERS,
  PBCQ_PCI_REGISTERS,
  PBCQ_SPCI_REGISTERS,
  type PbcqNestRegisterName,
  type PbcqPciRegisterName,
  type PbcqSpciRegisterName,
} from '../../ioda2/registers/pbcq.js';
import { PHB_REGISTERS, type PhbRegisterName } from '../../ioda2/registers/phb.js';
import { IODA_TABLES, type IodaTableName } from '../../ioda2/tables.js';
import type { Process } from '../../sim/process.js';
import { word } from '../field-words.js';

/** SCOM addresses of the three register groups of one PBCQ, as the service firmware's device tree gives them. */
export interface PbcqBases {
  readonly nest: number;
  readonly pci: number;
  readonly spci: number;
}

/** The bits of one named field of a register. */
export function phbBits(register: PhbRegisterName, field: string): bigint {
  return word(PHB_REGISTERS, register, { [field]: -1n });
}

export class Phb3Access {
  /** Real address of the register block; known once the PBCQ was probed. */
  registerBase = 0;

  constructor(
    readonly port: HostPort,
    private readonly pbcq: PbcqBases,
  ) {}

  addressOf(register: PhbRegisterName): number {
    return this.registerBase + PHB_REGISTERS.get(register).offset;
  }

  // ---- MMIO: the ordinary path, all ones while fenced --------------------------------------------------------------

  read(register: PhbRegisterName): Process<bigint> {
    return this.port.load(this.addressOf(register), 8);
  }

  write(register: PhbRegisterName, value: bigint): Process<void> {
    return this.port.store(this.addressOf(register), 8, value);
  }

  // ---- ASB: slower, works while fenced ------------------------------------------------------------------------------

  *readAsb(register: PhbRegisterName): Process<bigint> {
    yield* this.selectAsb(register);
    return yield* this.readSpci('ASB_DATA');
  }

  *writeAsb(register: PhbRegisterName, value: bigint): Process<void> {
    yield* this.selectAsb(register);
    yield* this.writeSpci('ASB_DATA', value);
  }

  /** Points ASB_DATA at a register. */
  selectAsb(register: PhbRegisterName): Process<void> {
    return this.writeSpci('ASB_ADDRESS', BigInt(PHB_REGISTERS.get(register).offset));
  }

  // ---- SCOM ---------------------------------------------------------------------------------------------------------

  readNest(register: PbcqNestRegisterName): Process<bigint> {
    return this.port.scomRead(this.pbcq.nest + PBCQ_NEST_REGISTERS.get(register).offset);
  }

  writeNest(register: PbcqNestRegisterName, value: bigint): Process<void> {
    return this.port.scomWrite(this.pbcq.nest + PBCQ_NEST_REGISTERS.get(register).offset, value);
  }

  /** The reads of ASB status before each access work around erratum HW275117. */
  *readPci(register: PbcqPciRegisterName): Process<bigint> {
    yield* this.readSpci('ASB_STATUS');
    return yield* this.port.scomRead(this.pbcq.pci + PBCQ_PCI_REGISTERS.get(register).offset);
  }

  *writePci(register: PbcqPciRegisterName, value: bigint): Process<void> {
    yield* this.readSpci('ASB_STATUS');
    yield* this.port.scomWrite(this.pbcq.pci + PBCQ_PCI_REGISTERS.get(register).offset, value);
  }

  readSpci(register: PbcqSpciRegisterName): Process<bigint> {
    return this.port.scomRead(this.pbcq.spci + PBCQ_SPCI_REGISTERS.get(register).offset);
  }

  private writeSpci(register: PbcqSpciRegisterName, value: bigint): Process<void> {
    return this.port.scomWrite(this.pbcq.spci + PBCQ_SPCI_REGISTERS.get(register).offset, value);
  }

  // ---- on-chip tables -----------------------------------------------------------------------------------------------

  /** Selects one entry; any number of reads and writes of it may follow. */
  selectEntry(table: IodaTableName, index: number): Process<void> {
    return this.write('PHB_IODA_ADDR', iodaAddress(table, index));
  }

  /** Selects `table` from `index` on; every access of the data register steps to the next entry. */
  walkTable(table: IodaTableName, index = 0): Process<void> {
    return this.write('PHB_IODA_ADDR', iodaAddress(table, index) | AUTOINCREMENT);
  }

  walkTableAsb(table: IodaTableName): Process<void> {
    return this.writeAsb('PHB_IODA_ADDR', iodaAddress(table, 0) | AUTOINCREMENT);
  }

  readEntry(): Process<bigint> {
    return this.read('PHB_IODA_DATA0');
  }

  writeEntry(value: bigint): Process<void> {
    return this.write('PHB_IODA_DATA0', value);
  }
}

const AUTOINCREMENT = phbBits('PHB_IODA_ADDR', 'AUTOINCREMENT');

function iodaAddress(table: IodaTableName, index: number): bigint {
  return word(PHB_REGISTERS, 'PHB_IODA_ADDR', { TABLE: IODA_TABLES[table].selector!, INDEX: index });
}
