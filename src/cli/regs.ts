/** `phbsim regs phb3|p7ioc [NAME]`: the chip's registers and tables as they are declared. */
import { Command } from 'commander';
import { hex64 } from '../hw/bits.js';
import type { FieldInfo, NamedRegisterBank, RegisterInfo } from '../hw/register.js';
import type { TableDeclaration } from '../hw/table.js';
import { HUB_REGISTERS } from '../ioda1/registers/hub.js';
import { PHB_REGISTERS as IODA1_PHB_REGISTERS } from '../ioda1/registers/phb.js';
import { IODA_TABLES as IODA1_TABLES, RGC_TABLES, TCE_FORMAT } from '../ioda1/tables.js';
import { PBCQ_NEST_REGISTERS, PBCQ_PCI_REGISTERS, PBCQ_SPCI_REGISTERS } from '../ioda2/registers/pbcq.js';
import { PHB_REGISTERS } from '../ioda2/registers/phb.js';
import { IODA_TABLES, MEMORY_TABLES } from '../ioda2/tables.js';
import { HOST_STREAMS, type TextStreams } from './host-streams.js';

export interface RegsOptions {
  readonly json?: boolean;
}

interface Entry {
  readonly bank: string;
  readonly name: string;
  /** Where it is: an offset, a selector, or a table in memory. */
  readonly place: string;
  readonly access: string;
  readonly reset?: string;
  readonly about: string;
  readonly source: string;
  readonly known: string;
  readonly fields: readonly { readonly bits: string; readonly name: string; readonly about: string }[];
}

interface ChipDeclarations {
  readonly banks: readonly NamedRegisterBank[];
  /** By what the listing calls them. */
  readonly tables: Readonly<Record<string, readonly TableDeclaration[]>>;
}

const CHIPS: ReadonlyMap<string, ChipDeclarations> = new Map([
  [
    'phb3',
    {
      banks: [PHB_REGISTERS, PBCQ_NEST_REGISTERS, PBCQ_PCI_REGISTERS, PBCQ_SPCI_REGISTERS],
      tables: { 'on-chip table': Object.values(IODA_TABLES), 'memory table': Object.values(MEMORY_TABLES) },
    },
  ],
  [
    'p7ioc',
    {
      banks: [HUB_REGISTERS, IODA1_PHB_REGISTERS],
      tables: {
        'on-chip table': Object.values(IODA1_TABLES),
        'hub table': Object.values(RGC_TABLES),
        'memory table': [TCE_FORMAT],
      },
    },
  ],
]);
const CHIP_NAMES = [...CHIPS.keys()];

function fieldsOf(fields: readonly FieldInfo[]): Entry['fields'] {
  return fields.map(({ at, name, about }) => ({
    bits: at.first === at.last ? String(at.first) : `${at.first}:${at.last}`,
    name,
    about,
  }));
}

function registerEntry(bank: NamedRegisterBank, register: RegisterInfo): Entry {
  const { name, offset, access, about, source, known, reset, resetKnown, fields } = register;
  return {
    ...{ bank: bank.name, name, about, source, known, access },
    place: `0x${offset.toString(16)}`,
    reset: `${hex64(reset)} (${resetKnown})`,
    fields: fieldsOf(fields),
  };
}

function tableEntry(bank: string, table: TableDeclaration): Entry {
  const { name, selector, entries, entryBits, about, source, known, fields } = table;
  return {
    ...{ bank, name, about, source, known },
    place: selector === undefined ? 'in memory' : `selector ${selector}`,
    access: `table of ${entries.toLocaleString('en-US')} x ${entryBits} bits`,
    fields: fieldsOf(fields),
  };
}

function entriesOf({ banks, tables }: ChipDeclarations): Entry[] {
  return [
    ...banks.flatMap((bank) => bank.registers.map((register) => registerEntry(bank, register))),
    ...Object.entries(tables).flatMap(([kind, list]) => list.map((table) => tableEntry(kind, table))),
  ];
}

/** Exit status: 0 found, 1 no such register, 2 no such chip. */
export function runRegs(
  chip: string,
  name: string | undefined,
  options: RegsOptions,
  streams: TextStreams = HOST_STREAMS,
): number {
  const declarations = CHIPS.get(chip.toLowerCase());
  if (declarations === undefined) {
    streams.err(`phbsim regs: unknown chip "${chip}"; known: ${CHIP_NAMES.join(', ')}`);
    return 2;
  }
  const found = entriesOf(declarations).filter((entry) => name === undefined || matches(entry, name));
  if (found.length === 0) {
    streams.err(`phbsim regs: ${chip} declares nothing called "${name}"; phbsim regs ${chip} lists every name`);
    return 1;
  }
  const exact = found.filter((entry) => entry.name.toLowerCase() === name?.toLowerCase() || entry.place === name);
  const shown = exact.length > 0 ? exact : found;
  if (options.json === true) streams.out(JSON.stringify(shown, undefined, 2));
  else streams.out(shown.length === 1 || exact.length > 0 ? shown.map(formatEntry).join('\n\n') : formatList(shown));
  return 0;
}

function matches(entry: Entry, wanted: string): boolean {
  return entry.name.toLowerCase().includes(wanted.toLowerCase()) || entry.place === wanted.toLowerCase();
}

function formatList(entries: readonly Entry[]): string {
  const lines: string[] = [];
  let bank = '';
  for (const entry of entries) {
    if (entry.bank !== bank) lines.push('', entry.bank);
    bank = entry.bank;
    lines.push(`  ${entry.place.padEnd(12)} ${entry.name.padEnd(32)} ${entry.about}`);
  }
  return lines.slice(1).join('\n');
}

function formatEntry(entry: Entry): string {
  const lines = [
    `${entry.name}  (${entry.bank}, ${entry.place})`,
    `  ${entry.about}`,
    `  Access   ${entry.access}`,
    ...(entry.reset === undefined ? [] : [`  Reset    ${entry.reset}`]),
    `  Known    ${entry.known}`,
    `  Source   ${entry.source}`,
  ];
  if (entry.fields.length > 0) lines.push('  Bits     (0 = most significant)');
  const width = Math.max(0, ...entry.fields.map((field) => field.name.length));
  for (const field of entry.fields)
    lines.push(`    ${field.bits.padStart(7)}  ${field.name.padEnd(width)}  ${field.about}`.trimEnd());
  return lines.join('\n');
}

export function regsCommand(): Command {
  return new Command('regs')
    .description('show registers and tables with fields, reset value, source and certainty')
    .argument('<chip>', CHIP_NAMES.join(', '))
    .argument('[name]', 'name, part of a name, or offset such as 0x210; without it every name is listed')
    .option('--json', 'print as JSON')
    .addHelpText(
      'after',
      [
        '',
        'Offsets of the hub of a P7IOC count from its register base, those of a PHB from the base of either of its windows.',
        '',
        'Examples:',
        '  phbsim regs phb3',
        '  phbsim regs phb3 PHB_TCE_KILL',
        '  phbsim regs phb3 pest',
        '  phbsim regs p7ioc RGC_LDCP',
      ].join('\n'),
    )
    .action((chip: string, name: string | undefined, options: RegsOptions) => {
      process.exitCode = runRegs(chip, name, options);
    });
}
