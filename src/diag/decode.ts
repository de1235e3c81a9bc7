/** A dump with names: every register that is not zero, its bits in words, which of them came first. */
import { type NamedBit, nameBits, setBits } from './bit-table.js';
import { CHIPS, type ChipDescription, type TrapDescription } from './chip.js';
import { type Dump, word } from './dump.js';
import { decodeLink, namePciFlags, PCI_WORDS } from './pci-words.js';
import { formatRid } from './pest.js';
import { readTlpEitherWay } from './tlp.js';

export interface DecodedBit extends NamedBit {
  /** Latched by the first error of this register. */
  readonly first: boolean;
}

export interface DecodedRegister {
  readonly label: string;
  readonly about: string;
  readonly words: readonly { readonly name: string; readonly value: bigint; readonly digits: 8 | 16 }[];
  readonly bits: readonly DecodedBit[];
  readonly notes: readonly string[];
  /** The notes say all that the bits say. */
  readonly compact?: boolean;
}

const ALL_ONES_8 = 0xffff_ffffn;

function bitList(chipBits: readonly NamedBit[], first: bigint): DecodedBit[] {
  return chipBits.map((entry) => ({ ...entry, first: (first >> BigInt(63 - entry.bit)) % 2n === 1n }));
}

function decodeRootPort(dump: Dump): DecodedRegister[] {
  const registers: DecodedRegister[] = [];
  const add = (label: string, about: string, name: string, value: bigint, notes: string[]) =>
    registers.push({ label, about, words: [{ name, value, digits: 8 }], bits: [], notes });
  const addLink = (): void => {
    const link = dump.words.get('linkStatus');
    if (link === undefined) return;
    const notes =
      link.value === ALL_ONES_8 ? ['all ones: the root port did not answer'] : [decodeLink(link.value).text];
    add('RootSts link', 'root port link status', 'linkStatus', link.value, notes);
  };
  const isCopy = word(dump, 'devSecStatus') !== 0n && word(dump, 'devSecStatus') === word(dump, 'devCmdStatus');
  for (const pci of PCI_WORDS) {
    if (pci.field === 'devCmdStatus') addLink();
    const value = word(dump, pci.field);
    if (value === 0n) continue;
    const copied = pci.field === 'devSecStatus' && isCopy;
    const notes = copied
      ? ['copy of the command word (a firmware 6.6 to 6.7 fault): ignored']
      : namePciFlags(pci, value);
    if (notes.length > 0) add(pci.label, pci.about, pci.field, value, notes);
  }
  const source = word(dump, 'sourceId');
  if (source !== 0n) add('sourceId', 'sender of error messages', 'sourceId', source, sourceNotes(source));
  return registers;
}

function sourceNotes(source: bigint): string[] {
  const uncorrectable = Number(source >> 16n);
  const correctable = Number(source & 0xffffn);
  return [
    ...(uncorrectable === 0 ? [] : [`fatal or non-fatal from ${formatRid(uncorrectable)}`]),
    ...(correctable === 0 ? [] : [`correctable from ${formatRid(correctable)}`]),
  ];
}

function decodeTlpHeader(dump: Dump): DecodedRegister[] {
  const words = ['tlpHdr1', 'tlpHdr2', 'tlpHdr3', 'tlpHdr4'].map((name) => ({
    name,
    value: word(dump, name),
    digits: 8 as const,
  }));
  if (words.every((entry) => entry.value === 0n)) return [];
  const packet = readTlpEitherWay(words.map(({ value }) => Number(value)));
  const notes = packet === undefined ? [] : [packet.text];
  return [{ label: 'RootErrLog', about: 'header of the packet the root port logged', words, bits: [], notes }];
}

function decodeUtl(dump: Dump): DecodedRegister[] {
  const names = ['portStatusReg', 'rootCmplxStatus', 'busAgentStatus'];
  const words = names.map((name) => ({ name, value: word(dump, name), digits: 8 as const }));
  if (words.every((entry) => entry.value === 0n)) return [];
  const port = word(dump, 'portStatusReg');
  const portBit = (bit: number) => ((port >> BigInt(31 - bit)) & 1n) === 1n;
  const notes = [
    ...(portBit(11) ? ['port event: link went down'] : []),
    ...(portBit(12) ? ['port event: outbound request discarded'] : []),
  ];
  return [{ label: 'UtlSts', about: 'PCIe core: port, root complex, bus agent', words, bits: [], notes }];
}

function decodeFirs(dump: Dump, chip: ChipDescription): DecodedRegister[] {
  const fir = (
    label: string,
    table: ChipDescription['lem'],
    names: readonly [string, string, string],
  ): DecodedRegister[] => {
    const [status, mask, wof] = names.map((name) => word(dump, name)) as [bigint, bigint, bigint];
    if (status === 0n && wof === 0n) return [];
    const words = names.map((name) => ({ name, value: word(dump, name), digits: 16 as const }));
    const masked = status & mask;
    const notes = masked === 0n ? [] : ['masked bits among them: firmware reports those only when no other is set'];
    return [{ label, about: table.about, words, bits: bitList(nameBits(table, status | wof), wof), notes }];
  };
  return [
    ...fir('nFir', chip.nest, ['nFir', 'nFirMask', 'nFirWOF']),
    ...fir('Lem', chip.lem, ['lemFir', 'lemErrorMask', 'lemWOF']),
  ];
}

function decodeTrap(dump: Dump, trap: TrapDescription): DecodedRegister[] {
  const status = word(dump, trap.status);
  if (status === 0n) return [];
  const words = [trap.status, trap.first, trap.log0, trap.log1].map((name) => ({
    name,
    value: word(dump, name),
    digits: 16 as const,
  }));
  const bits = bitList(nameBits(trap.table, status), word(dump, trap.first));
  return [{ label: trap.label, about: trap.table.about, words, bits, notes: trapNotes(dump, trap) }];
}

/** Only the IOMMU trap's log word has a known meaning: PE and direction. Facts: phb4-diag 3.6. */
function trapNotes(dump: Dump, trap: TrapDescription): string[] {
  const fault = tceLog(dump, trap);
  return fault === undefined ? [] : [`log0: PE ${formatPe(fault.pe)}, ${fault.direction} (derived)`];
}

export function formatPe(pe: number): string {
  return pe.toString(16).padStart(3, '0');
}

export interface TceLog {
  readonly pe: number;
  readonly direction: 'DMA read' | 'DMA write';
}

/** Which PE a PHB4 IOMMU fault names, from the log word of its trap. */
export function tceLog(dump: Dump, trap: TrapDescription | undefined): TceLog | undefined {
  if (trap?.label !== 'RxeTceErr' || dump.chip !== 'phb4') return undefined;
  const first = nameBits(trap.table, word(dump, trap.first));
  const log0 = word(dump, trap.log0);
  if (log0 === 0n || !first.some((entry) => entry.signal === 'tce-permission')) return undefined;
  return { pe: Number(log0 & 0x1ffn), direction: log0 >> 63n === 1n ? 'DMA read' : 'DMA write' };
}

/** "all 16 lanes", "lane 1": bits 0 to 15 of the DLP status. */
export function laneText(dlpStatus: bigint): string {
  const bad = setBits(dlpStatus).filter((bit) => bit < 16);
  if (bad.length === 0) return '';
  return bad.length === 16 ? 'all 16 lanes' : `lane ${bad.join(', ')}`;
}

/** Registers in the order of the kernel's text; zero registers are left out. */
export function decodeRegisters(dump: Dump): DecodedRegister[] {
  const chip = CHIPS[dump.chip];
  const extra = chip.extra.flatMap((entry): DecodedRegister[] => {
    const value = word(dump, entry.field);
    if (value === 0n) return [];
    const lanes = entry.label === 'PcieDlp' ? laneText(value) : '';
    return [
      {
        label: entry.label,
        about: entry.table.about,
        words: [{ name: entry.field, value, digits: 16 }],
        bits: bitList(nameBits(entry.table, value), 0n),
        notes: lanes === '' ? [] : [`errors on ${lanes}`],
        compact: lanes !== '',
      },
    ];
  });
  return [
    ...decodeUtl(dump),
    ...decodeRootPort(dump),
    ...decodeTlpHeader(dump),
    ...decodeFirs(dump, chip),
    ...chip.traps.flatMap((trap) => decodeTrap(dump, trap)),
    ...extra,
    ...decodeConsoleOnly(dump),
  ];
}

/** Of a bridge that does not answer: the words without the bits, which mean nothing. */
export function decodeUnanswered(dump: Dump): DecodedRegister[] {
  return decodeRegisters(dump).map((register) => ({
    ...register,
    bits: [],
    notes: register.words[0]!.name === 'linkStatus' ? register.notes : ['all ones'],
  }));
}

const CONSOLE_ONLY = ['errorReport0', 'errorReport1', 'aibError'];

function decodeConsoleOnly(dump: Dump): DecodedRegister[] {
  return CONSOLE_ONLY.flatMap((name): DecodedRegister[] => {
    const value = word(dump, name);
    if (value === 0n) return [];
    const words = [{ name, value, digits: 16 as const }];
    return [{ label: name, about: 'no public bit names', words, bits: [], notes: ['no public bit names'] }];
  });
}
