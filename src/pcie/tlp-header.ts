/**
 * The header of a packet as it stands on the wire, and in a header log: byte 0 in bits 31:24 of the first doubleword.
 * Source: PCI Express base specification 2.2.1, tables 2-3 and 2-6 to 2-8; 7.10.8 (order of the header log).
 */
import { BROADCAST_MESSAGES, isConfiguration, isMemory, type Tlp, type TlpKind } from './tlp.js';

/** Format and type of the first header doubleword, 3-doubleword form. Source: table 2-3. */
const FORMAT_AND_TYPE: Readonly<Record<TlpKind, number>> = {
  MRd: 0x00,
  MWr: 0x40,
  CfgRd0: 0x04,
  CfgWr0: 0x44,
  CfgRd1: 0x05,
  CfgWr1: 0x45,
  Cpl: 0x0a,
  CplD: 0x4a,
  Msg: 0x30,
  IORd: 0x02,
  IOWr: 0x42,
  FetchAdd: 0x4c,
  Swap: 0x4d,
  CAS: 0x4e,
};
const FOUR_DWORDS = 0x20;
const WITH_DATA = 0x40;
/** Messages of interrupt pins end at the next receiver: routing 100b. Source: 2.2.8.1. */
const LOCAL_MESSAGE = 0x34;
/** From the root to everybody: routing 011b. */
const BROADCAST_MESSAGE = 0x33;
const KNOWN_TYPES: ReadonlySet<number> = new Set([
  ...Object.values(FORMAT_AND_TYPE),
  ...[0x00, 0x40, 0x4c, 0x4d, 0x4e].map((type) => type | FOUR_DWORDS),
  ...[0, 1, 2, 3, 4, 5].flatMap((routing) => [0x30 | routing, 0x70 | routing]),
]);

const STATUS_CODE = { SC: 0, UR: 1, CRS: 2, CA: 4 } as const;

/** False for format and type codes the specification leaves undefined. */
export function isDefinedType(formatAndType: number): boolean {
  return KNOWN_TYPES.has(formatAndType);
}

/** Kinds that carry data. */
export function carriesData(tlp: Tlp): boolean {
  return (FORMAT_AND_TYPE[tlp.kind] & WITH_DATA) !== 0;
}

export function formatAndType(tlp: Tlp): number {
  if (tlp.header?.formatAndType !== undefined) return tlp.header.formatAndType;
  if (tlp.kind === 'Msg') return messageType(tlp.messageCode ?? 0);
  return FORMAT_AND_TYPE[tlp.kind] | (isMemory(tlp) && tlp.addressHi !== 0 ? FOUR_DWORDS : 0);
}

/** Doublewords the packet's bytes touch; a request of no bytes names one. */
export function dwordsTouched(tlp: Tlp): number {
  return Math.max(1, Math.ceil((firstByte(tlp) + tlp.lengthBytes) / 4));
}

/** The length field: 1 to 1024 doublewords, 0 where it is reserved. */
export function lengthDwords(tlp: Tlp): number {
  if (tlp.header?.lengthDwords !== undefined) return tlp.header.lengthDwords;
  return tlp.kind === 'Msg' || tlp.kind === 'Cpl' ? 0 : dwordsTouched(tlp);
}

/** Which bytes of the first doubleword, bit 0 the lowest. Atomics have none. */
export function firstByteEnables(tlp: Tlp): number {
  if (tlp.header?.firstByteEnables !== undefined) return tlp.header.firstByteEnables;
  const first = firstByte(tlp);
  return (((1 << Math.min(tlp.lengthBytes, 4)) - 1) << first) & 0xf;
}

/** Which bytes of the last doubleword, if there is more than one. */
export function lastByteEnables(tlp: Tlp): number {
  if (tlp.header?.lastByteEnables !== undefined) return tlp.header.lastByteEnables;
  if (dwordsTouched(tlp) === 1) return 0;
  const end = (firstByte(tlp) + tlp.lengthBytes) % 4;
  return end === 0 ? 0xf : (1 << end) - 1;
}

/** The four header doublewords; the fourth is 0 in headers of three. */
export function headerOf(tlp: Tlp): [number, number, number, number] {
  const first = firstDword(tlp);
  if (tlp.status !== undefined) return completionHeader(tlp, first);
  const low = tlp.kind === 'Msg' ? (tlp.messageCode ?? 0) : byteEnables(tlp);
  const second = ((tlp.requesterId << 16) | ((tlp.tag & 0xff) << 8) | low) >>> 0;
  if (tlp.kind === 'Msg') return [first, second, 0, 0];
  if (isConfiguration(tlp)) return [first, second, ((tlp.targetId! << 16) | (tlp.register! & 0xffc)) >>> 0, 0];
  const address = (tlp.addressLo & ~3) >>> 0;
  return tlp.addressHi === 0 ? [first, second, address, 0] : [first, second, tlp.addressHi, address];
}

function firstDword(tlp: Tlp): number {
  const attributes = tlp.attributes ?? 0;
  const word =
    (formatAndType(tlp) << 24) |
    ((tlp.trafficClass ?? 0) << 20) |
    ((attributes & 4) << 16) |
    (tlp.digest ? 0x8000 : 0) |
    (tlp.poisoned ? 0x4000 : 0) |
    ((attributes & 3) << 12) |
    (lengthDwords(tlp) & 0x3ff);
  return word >>> 0;
}

function completionHeader(tlp: Tlp, first: number): [number, number, number, number] {
  const status = STATUS_CODE[tlp.status!];
  const second = ((tlp.completerId ?? 0) << 16) | (status << 13) | ((tlp.byteCount ?? 0) & 0xfff);
  const third = (tlp.requesterId << 16) | ((tlp.tag & 0xff) << 8) | ((tlp.lowerAddress ?? 0) & 0x7f);
  return [first, second >>> 0, third >>> 0, 0];
}

function byteEnables(tlp: Tlp): number {
  const atomic = (formatAndType(tlp) & 0x1c) === 0x0c;
  return atomic ? 0 : (lastByteEnables(tlp) << 4) | firstByteEnables(tlp);
}

/** Where in its first doubleword the packet begins. */
function firstByte(tlp: Tlp): number {
  return (tlp.register ?? tlp.lowerAddress ?? tlp.addressLo) & 3;
}

function messageType(code: number): number {
  if (code >= 0x20 && code <= 0x27) return LOCAL_MESSAGE;
  return BROADCAST_MESSAGES.includes(code) ? BROADCAST_MESSAGE : FORMAT_AND_TYPE.Msg;
}
