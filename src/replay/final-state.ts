/**
 * Does the chip end in the state that the recorded writes describe? Works out from the writes alone what every register and table
 * entry must hold that only software changes, and looks whether it does. BARs, windows, enables, vectors, DMA windows.
 */
import { msbMask } from '../hw/bits.js';
import type { RegisterInfo } from '../hw/register.js';
import type { Phb3 } from '../ioda2/phb3.js';
import { PBCQ_NEST_REGISTERS, PBCQ_PCI_REGISTERS, type PbcqNestRegisterName } from '../ioda2/registers/pbcq.js';
import { PHB_REGISTERS, type PhbRegisterName } from '../ioda2/registers/phb.js';
import { IODA_TABLES, type IodaTableName } from '../ioda2/tables.js';
import { SelectorTracker } from './read-target.js';
import { isAccess, type RecordedAccess, type Recording } from './recording.js';

export interface StateDifference {
  readonly phb: number;
  readonly what: string;
  readonly written: bigint;
  readonly held: bigint;
}

export interface FinalState {
  /** Registers that held what was written last. */
  readonly registers: number;
  readonly tableEntries: number;
  readonly differences: readonly StateDifference[];
}

/** Read-write registers that the chip changes too, or that act instead of holding. */
const CHANGED_BY_CHIP: ReadonlySet<PhbRegisterName> = new Set<PhbRegisterName>([
  'PHB_CONFIG_DATA',
  'PHB_LOCK0',
  'PHB_LOCK1',
  'PHB_FFI_LOCK',
  'PHB_IODA_ADDR',
  'PHB_IODA_DATA0',
  'PHB_PAPR_ERR_INJ_CTL',
  'PHB_LEM_FIR_ACCUM',
  'PHB_PCIE_DLP_TRAIN_CTL',
  'PHB_PCIE_LINK_MANAGEMENT',
]);
const ERROR_CAPTURE = /_ERR(1_STATUS|_LOG_[01]|_INJECT)$/;
/** Tables that only software writes. */
const HELD_TABLES: readonly IodaTableName[] = ['LXIVT', 'MRT', 'TVT', 'M64BT', 'M32DT'];
const ETU_RESET = PBCQ_PCI_REGISTERS.get('ETU_RESET').offset;
const RESET_HELD = msbMask(0);

class ExpectedState {
  readonly registers = new Map<PhbRegisterName, bigint>();
  readonly nest = new Map<PbcqNestRegisterName, bigint>();
  readonly tables = new Map<string, { table: IodaTableName; index: number; value: bigint }>();
  readonly #tracker = new SelectorTracker();

  follow(access: RecordedAccess): void {
    const target = this.#tracker.touch(access);
    if (access.direction === 'read') return;
    if (access.window === 'pci' && access.offset === ETU_RESET && (access.value & RESET_HELD) !== 0n) this.#forgetPhb();
    if (target.kind === 'table') this.#tableWritten(target.table, target.index, access.value);
    if (target.kind !== 'register') return;
    if (target.window === 'phb') this.#registerWritten(target.register as PhbRegisterName, access.value);
    if (target.window === 'nest') this.#nestWritten(target.register as PbcqNestRegisterName, access.value);
  }

  /** A reset of the ETU leaves nothing of what was written before to the PHB itself. */
  #forgetPhb(): void {
    this.registers.clear();
    this.tables.clear();
  }

  #registerWritten(name: PhbRegisterName, value: bigint): void {
    const register = PHB_REGISTERS.get(name);
    if (register.access !== 'read-write' || CHANGED_BY_CHIP.has(name) || ERROR_CAPTURE.test(name)) return;
    this.registers.set(name, kept(register, value));
  }

  #nestWritten(name: PbcqNestRegisterName, value: bigint): void {
    const register = PBCQ_NEST_REGISTERS.get(name);
    if (register.access === 'read-write' && name !== 'NFIR') this.nest.set(name, kept(register, value));
  }

  #tableWritten(table: IodaTableName, index: number, value: bigint): void {
    if (!HELD_TABLES.includes(table)) return;
    this.tables.set(`${table}[${index}]`, { table, index, value: value & IODA_TABLES[table].writable });
  }
}

function kept(register: RegisterInfo, value: bigint): bigint {
  return (value & register.writable) | (register.reset & ~register.writable);
}

export function checkFinalState(recording: Recording, phbs: readonly Phb3[]): FinalState {
  const expected = phbs.map(() => new ExpectedState());
  for (const access of recording.steps.filter(isAccess)) expected[access.phb]?.follow(access);
  const differences: StateDifference[] = [];
  let registers = 0;
  let tableEntries = 0;
  for (const [index, phb] of phbs.entries()) {
    const state = expected[index];
    if (!state) continue;
    const check = (what: string, written: bigint, held: bigint): void => {
      if (written !== held) differences.push({ phb: index, what, written, held });
    };
    for (const [name, value] of state.nest) check(`nest.${name}`, value, phb.pbcq.nest.peek(name));
    registers += state.nest.size;
    // A fence drops what software writes past it, so the writes no longer describe the PHB.
    if (phb.pbcq.isFenced) continue;
    for (const [name, value] of state.registers) check(name, value, phb.registers.peek(name));
    for (const [name, { table, index: entry, value }] of state.tables) check(name, value, phb.peekTable(table, entry));
    registers += state.registers.size;
    tableEntries += state.tables.size;
  }
  return { registers, tableEntries, differences };
}
