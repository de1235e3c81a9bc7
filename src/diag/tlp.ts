/** The header of a packet that a port logged, read as a named packet. Facts: PCI Express Base Specification, TLP headers. */
import { formatRid } from './pest.js';

export interface TlpReading {
  /** "MWr", "CfgRd0", "CplD" */
  readonly name: string;
  readonly text: string;
  readonly requester: string | undefined;
  readonly completer: string | undefined;
  readonly address: bigint | undefined;
}

/** Format (3 bits) and type (5 bits) of the first byte, for the kinds that have a fixed one. */
const NAMES: Readonly<Record<number, string>> = {
  0: 'MRd',
  32: 'MRd',
  1: 'MRdLk',
  33: 'MRdLk',
  64: 'MWr',
  96: 'MWr',
  2: 'IORd',
  66: 'IOWr',
  4: 'CfgRd0',
  68: 'CfgWr0',
  5: 'CfgRd1',
  69: 'CfgWr1',
  10: 'Cpl',
  74: 'CplD',
  11: 'CplLk',
  75: 'CplDLk',
  76: 'FetchAdd',
  108: 'FetchAdd',
  77: 'Swap',
  109: 'Swap',
  78: 'CAS',
  110: 'CAS',
};
const COMPLETION_STATUS = ['successful', 'Unsupported Request', 'config retry', 'reserved', 'Completer Abort'];
const MESSAGES: Readonly<Record<number, string>> = {
  32: 'INTA asserted',
  36: 'INTA deasserted',
  48: 'ERR_COR',
  49: 'ERR_NONFATAL',
  51: 'ERR_FATAL',
  80: 'slot power limit',
  25: 'PME turn off',
  27: 'PME to ack',
  24: 'PM_PME',
};

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');

function isMessage(kind: number): boolean {
  return (kind & 0xb8) === 0x30;
}

function lengthText(dword: number): string {
  const count = dword & 0x3ff;
  return `${count === 0 ? 1024 : count} dword${count === 1 ? '' : 's'}`;
}

function completion(name: string, [first, second, third]: readonly number[]): TlpReading {
  const completer = formatRid(second! >>> 16);
  const requester = formatRid(third! >>> 16);
  const status = COMPLETION_STATUS[(second! >>> 13) & 7] ?? 'reserved';
  const tag = hex((third! >>> 8) & 0xff, 2);
  const text = `${name} from ${completer} to ${requester}, tag ${tag}, ${status}, ${lengthText(first!)}`;
  return { name, text, requester, completer, address: undefined };
}

function configuration(name: string, [, second, third]: readonly number[]): TlpReading {
  const requester = formatRid(second! >>> 16);
  const completer = formatRid(third! >>> 16);
  const register = third! & 0xffc;
  const text = `${name} from ${requester} to ${completer} register 0x${hex(register, 3)}`;
  return { name, text, requester, completer, address: undefined };
}

function memory(name: string, kind: number, [first, second, third, fourth]: readonly number[]): TlpReading {
  const wide = (kind & 0x20) !== 0;
  const address = (wide ? (BigInt(third!) << 32n) | BigInt(fourth!) : BigInt(third!)) & ~3n;
  const requester = formatRid(second! >>> 16);
  const tag = hex((second! >>> 8) & 0xff, 2);
  const poisoned = (first! & 0x4000) === 0 ? '' : ', poisoned';
  const where = `0x${address.toString(16).padStart(wide ? 16 : 8, '0')}`;
  const text = `${name} from ${requester}, tag ${tag}, address ${where}, ${lengthText(first!)}${poisoned}`;
  return { name, text, requester, completer: undefined, address };
}

/** Undefined for a log that holds nothing. Words in the order of the specification, first byte highest. */
export function readTlpHeader(words: readonly number[]): TlpReading | undefined {
  const four = [0, 1, 2, 3].map((i) => (words[i] ?? 0) >>> 0);
  if (four.every((word) => word === 0) || four.every((word) => word === 0xffff_ffff)) return undefined;
  const kind = four[0]! >>> 24;
  if (isMessage(kind)) {
    const requester = formatRid(four[1]! >>> 16);
    const code = four[1]! & 0xff;
    const name = `Msg${(kind & 0x40) === 0 ? '' : 'D'}`;
    const text = `${name} from ${requester}: ${MESSAGES[code] ?? `code 0x${hex(code, 2)}`}`;
    return { name, text, requester, completer: undefined, address: undefined };
  }
  const name = NAMES[kind];
  if (name === undefined) {
    return {
      name: 'unknown',
      text: `no packet of the specification (first byte 0x${hex(kind, 2)})`,
      requester: undefined,
      completer: undefined,
      address: undefined,
    };
  }
  if (name.startsWith('Cpl')) return completion(name, four);
  if (name.startsWith('Cfg')) return configuration(name, four);
  return memory(name, kind, four);
}

/** The kernel prints the words as the port holds them; older firmware turned the bytes round. */
export function readTlpEitherWay(words: readonly number[]): TlpReading | undefined {
  const asIs = readTlpHeader(words);
  if (asIs === undefined || asIs.name !== 'unknown') return asIs;
  const swapped = readTlpHeader(words.map(swapBytes));
  return swapped === undefined || swapped.name === 'unknown' ? asIs : swapped;
}

function swapBytes(word: number): number {
  return (((word & 0xff) << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0;
}
