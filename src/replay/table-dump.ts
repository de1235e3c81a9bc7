/**
 * Tables of a recorded machine, dumped from it at a mark of the recording, and their comparison with the chips of a
 * replay: bases, tables on the chip, tables in memory. Entries that a dump does not name hold its `otherwise`.
 */
import { fieldMask, getField } from '../hw/bits.js';
import type { SystemMemory } from '../hw/memory.js';
import type { Phb3 } from '../ioda2/phb3.js';
import { PHB_REGISTERS, type PhbRegisterName } from '../ioda2/registers/phb.js';
import { IODA_TABLES, type IodaTableName, MEMORY_TABLES } from '../ioda2/tables.js';
import type { Recording } from './recording.js';

/** A range of indices, hexadecimal and inclusive (`0-5` or `1fa`), and the value of each entry in it. */
export type DumpedEntry = readonly [indices: string, value: string];

export type MemoryTableName = 'RTT' | 'PELTV' | 'PEST' | 'IVT';

export interface DumpedMemoryTable {
  readonly otherwise: string;
  readonly entries: readonly DumpedEntry[];
}

export interface DumpedPhb {
  readonly registers: Readonly<Partial<Record<PhbRegisterName, string>>>;
  readonly onChip: Readonly<Partial<Record<IodaTableName, readonly DumpedEntry[]>>>;
  readonly memory: Readonly<Record<MemoryTableName, DumpedMemoryTable>>;
  /** TCE tables that TVEs point to, and how many of their entries were not zero. */
  readonly tceTables: readonly { readonly tve: string; readonly nonzero: number }[];
}

export interface TableDump {
  /** Text of the note in the recording at which the tables were read. */
  readonly mark: string;
  readonly phbs: readonly DumpedPhb[];
}

/** An entry, or a register, that the dump and the chip hold differently. */
export interface TableDifference {
  readonly phb: number;
  readonly what: string;
  readonly dumped: string;
  readonly held: string;
}

export interface TableComparison {
  /** Entries and registers compared, the unnamed ones included. */
  readonly compared: number;
  readonly differences: readonly TableDifference[];
}

/** The recording up to a mark, for a replay that stops there. */
export function untilMark(recording: Recording, mark: string): Recording {
  const at = recording.steps.findIndex((step) => step.kind === 'note' && step.text.endsWith(mark));
  if (at < 0) throw new RangeError(`${recording.name} has no mark ${mark}`);
  return { ...recording, steps: recording.steps.slice(0, at) };
}

class Comparison {
  compared = 0;
  readonly differences: TableDifference[] = [];

  constructor(private readonly phb: number) {}

  check(what: string, dumped: string, held: string): void {
    this.compared++;
    if (dumped !== held) this.differences.push({ phb: this.phb, what, dumped, held });
  }
}

/** Registers and tables on the chips, and what the chips find in memory behind their bases. */
export function compareTables(dump: TableDump, phbs: readonly Phb3[], memory: SystemMemory): TableComparison {
  const all = dump.phbs.map((dumped, index) => {
    const comparison = new Comparison(index);
    const phb = phbs[index];
    if (phb === undefined) throw new RangeError(`the dump has PHB${index}, the machine has not`);
    compareRegisters(dumped, phb, comparison);
    compareOnChip(dumped, phb, comparison);
    for (const name of Object.keys(MEMORY_LAYOUT) as MemoryTableName[]) {
      compareInMemory(name, dumped.memory[name], { phb, memory, comparison });
    }
    return comparison;
  });
  return {
    compared: all.reduce((sum, { compared }) => sum + compared, 0),
    differences: all.flatMap(({ differences }) => differences),
  };
}

function compareRegisters(dumped: DumpedPhb, phb: Phb3, comparison: Comparison): void {
  for (const [name, value] of Object.entries(dumped.registers)) {
    comparison.check(name, value, hexOf(phb.registers.peek(name as PhbRegisterName), 64));
  }
}

function compareOnChip(dumped: DumpedPhb, phb: Phb3, comparison: Comparison): void {
  for (const [name, entries] of Object.entries(dumped.onChip)) {
    const table = name as IodaTableName;
    const value = dumpedValues(entries, hexOf(0n, 64));
    for (let index = 0; index < IODA_TABLES[table].entries; index++) {
      comparison.check(entryName(table, index), value(index), hexOf(phb.peekTable(table, index), 64));
    }
  }
}

interface MemoryLayout {
  readonly bar: 'PHB_RTT_BAR' | 'PHB_PELTV_BAR' | 'PHB_PEST_BAR' | 'PHB_IVT_BAR';
  readonly entries: number;
  readonly strideBytes: number;
  /** Bytes of an entry that mean something. */
  readonly valueBytes: number;
}

const layoutOf = (bar: MemoryLayout['bar'], table: keyof typeof MEMORY_TABLES, valueBytes?: number): MemoryLayout => {
  const { entries, entryBits } = MEMORY_TABLES[table];
  return { bar, entries, strideBytes: entryBits / 8, valueBytes: valueBytes ?? entryBits / 8 };
};
const MEMORY_LAYOUT: Readonly<Record<MemoryTableName, MemoryLayout>> = {
  RTT: layoutOf('PHB_RTT_BAR', 'RTT'),
  PELTV: layoutOf('PHB_PELTV_BAR', 'PELTV'),
  PEST: layoutOf('PHB_PEST_BAR', 'PEST'),
  // Only the first doubleword of a vector counts.
  IVT: layoutOf('PHB_IVT_BAR', 'IVT', 8),
};

/** Base of a table in memory, as the PHB has it now; `undefined` while disabled. */
export function tableBase(phb: Phb3, name: MemoryTableName): number | undefined {
  const { bar } = MEMORY_LAYOUT[name];
  const value = phb.registers.peek(bar);
  const at = (field: string) => PHB_REGISTERS.field(bar, field).at;
  return getField(value, at('ENABLE')) === 0n ? undefined : Number(value & fieldMask(at('BASE')));
}

function compareInMemory(
  name: MemoryTableName,
  dumped: DumpedMemoryTable,
  where: { readonly phb: Phb3; readonly memory: SystemMemory; readonly comparison: Comparison },
): void {
  const { phb, memory, comparison } = where;
  const base = tableBase(phb, name);
  const { entries, strideBytes, valueBytes } = MEMORY_LAYOUT[name];
  const value = dumpedValues(dumped.entries, dumped.otherwise);
  for (let index = 0; index < entries; index++) {
    const bytes = base === undefined ? undefined : memory.readBlock(base + index * strideBytes, valueBytes);
    comparison.check(entryName(name, index), value(index), bytes ? Buffer.from(bytes).toString('hex') : 'disabled');
  }
}

function dumpedValues(entries: readonly DumpedEntry[], otherwise: string): (index: number) => string {
  const ranges = entries.map(([indices, value]) => {
    const [from, to] = indices.split('-').map((index) => Number.parseInt(index, 16));
    return { from: from!, to: to ?? from!, value };
  });
  return (index) => ranges.find(({ from, to }) => index >= from && index <= to)?.value ?? otherwise;
}

function entryName(table: string, index: number): string {
  return `${table}[${index.toString(16)}]`;
}

function hexOf(value: bigint, bits: number): string {
  return value.toString(16).padStart(bits / 4, '0');
}
