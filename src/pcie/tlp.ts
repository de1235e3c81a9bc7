/**
 * Transaction-layer packets as plain records, their size on the wire, and the rules by which requests and
 * completions are cut. Facts: pcie-timing "Bytes on the wire per packet"; PCI Express base specification 2.2, 2.3.1.1.
 *
 * Data bytes stand in PCI order: byte 0 belongs to the lowest address. A packet carries exactly the bytes that its
 * byte enables would cover; the padding to whole doublewords is not counted on the wire, as in the reference curve.
 */

export const TLP_KINDS = [
  'MRd',
  'MWr',
  'CfgRd0',
  'CfgWr0',
  'CfgRd1',
  'CfgWr1',
  'Cpl',
  'CplD',
  'Msg',
  'IORd',
  'IOWr',
  'FetchAdd',
  'Swap',
  'CAS',
] as const;
export type TlpKind = (typeof TLP_KINDS)[number];

/** Successful, Unsupported Request, Configuration Request Retry, Completer Abort. */
export type CompletionStatus = 'SC' | 'UR' | 'CRS' | 'CA';

export interface Tlp {
  readonly kind: TlpKind;
  readonly requesterId: number;
  readonly tag: number;
  readonly addressHi: number;
  readonly addressLo: number;
  readonly lengthBytes: number;
  readonly data?: Uint8Array | undefined;
  /** Bus, device and function a configuration request is for. */
  readonly targetId?: number | undefined;
  /** Byte offset in the target's configuration space. */
  readonly register?: number | undefined;
  readonly completerId?: number | undefined;
  readonly status?: CompletionStatus | undefined;
  /** Bytes still to come for this request, this packet included. */
  readonly byteCount?: number | undefined;
  /** Low seven bits of the address of the first byte of a read completion. */
  readonly lowerAddress?: number | undefined;
  readonly messageCode?: number | undefined;
  readonly poisoned?: boolean | undefined;
  /** An end-to-end CRC follows the data. */
  readonly digest?: boolean | undefined;
  /** The end-to-end CRC does not fit the packet. */
  readonly digestDamaged?: true | undefined;
  /** Bits of ATTRIBUTE. */
  readonly attributes?: number | undefined;
  readonly trafficClass?: number | undefined;
  /** What a broken sender put into the header instead of what the packet is. */
  readonly header?: FalseHeader | undefined;
}

/** Header fields that contradict the packet they stand on. */
export interface FalseHeader {
  readonly formatAndType?: number;
  readonly lengthDwords?: number;
  readonly firstByteEnables?: number;
  readonly lastByteEnables?: number;
}

/** Attributes of a request, repeated in its completions. Source: PCI Express base specification 2.2.6.3. */
export const ATTRIBUTE = { NO_SNOOP: 1, RELAXED_ORDERING: 2, ID_ORDERING: 4 } as const;

export type AtomicKind = 'FetchAdd' | 'Swap' | 'CAS';

/** What takes packets: the far end of a link, a port's inner side, a chip. */
export interface TlpSink {
  receive(tlp: Tlp): void;
}

/** Message codes. Source: PCI Express base specification, tables 2-18 and 2-20. */
export const MessageCode = {
  UNLOCK: 0x00,
  PME_TURN_OFF: 0x19,
  ASSERT_INTA: 0x20,
  ASSERT_INTB: 0x21,
  ASSERT_INTC: 0x22,
  ASSERT_INTD: 0x23,
  DEASSERT_INTA: 0x24,
  DEASSERT_INTB: 0x25,
  DEASSERT_INTC: 0x26,
  DEASSERT_INTD: 0x27,
  ERR_COR: 0x30,
  ERR_NONFATAL: 0x31,
  ERR_FATAL: 0x33,
} as const;
/** Messages a receiver may ignore: Unlock, power management, slot power, vendor type 1, hot-plug of old (2.2.8). */
export const IGNORED_MESSAGES: readonly number[] = [
  ...[0x00, 0x14, 0x18, 0x19, 0x1b, 0x50, 0x7f],
  ...[0x40, 0x41, 0x43, 0x44, 0x45, 0x47, 0x48],
];
/** Messages from the root to everybody below. */
export const BROADCAST_MESSAGES: readonly number[] = [0x00, 0x19];

export type ErrorMessage = 'ERR_COR' | 'ERR_NONFATAL' | 'ERR_FATAL';
export type InterruptPin = 0 | 1 | 2 | 3;

/** Bytes each part of a packet takes on the wire. Facts: pcie-timing. */
export const WIRE = {
  framingAndDataLink: 8,
  header: 4,
  memory32: 8,
  memory64: 12,
  completion: 8,
  configuration: 8,
  message: 16,
  ecrc: 4,
  dllp: 8,
} as const;

export const PAGE_4K = 4096;

export function wireBytes(tlp: Tlp): number {
  const payload = tlp.data?.length ?? 0;
  return WIRE.framingAndDataLink + WIRE.header + routingBytes(tlp) + payload + (tlp.digest ? WIRE.ecrc : 0);
}

function routingBytes(tlp: Tlp): number {
  switch (tlp.kind) {
    case 'MRd':
    case 'MWr':
    case 'FetchAdd':
    case 'Swap':
    case 'CAS':
      return tlp.addressHi === 0 ? WIRE.memory32 : WIRE.memory64;
    case 'CfgRd0':
    case 'CfgWr0':
    case 'CfgRd1':
    case 'CfgWr1':
    case 'IORd':
    case 'IOWr':
      return WIRE.configuration;
    case 'Cpl':
    case 'CplD':
      return WIRE.completion;
    case 'Msg':
      return WIRE.message;
  }
}

/** A posted request gets no completion. */
export function isPosted(tlp: Tlp): boolean {
  return tlp.kind === 'MWr' || tlp.kind === 'Msg';
}

export function isCompletion(tlp: Tlp): boolean {
  return tlp.kind === 'Cpl' || tlp.kind === 'CplD';
}

export function isConfiguration(tlp: Tlp): boolean {
  return tlp.targetId !== undefined;
}

export function isConfigurationWrite(tlp: Tlp): boolean {
  return tlp.kind === 'CfgWr0' || tlp.kind === 'CfgWr1';
}

/** A configuration request of type 1, which only a bridge takes. */
export function isForBusBelow(tlp: Tlp): boolean {
  return tlp.kind === 'CfgRd1' || tlp.kind === 'CfgWr1';
}

export function isAtomic(tlp: Tlp): boolean {
  return tlp.kind === 'FetchAdd' || tlp.kind === 'Swap' || tlp.kind === 'CAS';
}

/** Routed by an address in memory space. */
export function isMemory(tlp: Tlp): boolean {
  return tlp.kind === 'MRd' || tlp.kind === 'MWr' || isAtomic(tlp);
}

/** Routed by an address in I/O space. */
export function isInputOutput(tlp: Tlp): boolean {
  return tlp.kind === 'IORd' || tlp.kind === 'IOWr';
}

/** Requester, completer or target identifier: bus 15:8, device 7:3, function 2:0. */
export function bdf(bus: number, device: number, fn: number): number {
  return ((bus & 0xff) << 8) | ((device & 0x1f) << 3) | (fn & 7);
}
export const busOf = (id: number): number => (id >>> 8) & 0xff;
export const deviceOf = (id: number): number => (id >>> 3) & 0x1f;
export const functionOf = (id: number): number => id & 7;

export function formatBdf(id: number): string {
  const hex = (value: number): string => value.toString(16).padStart(2, '0');
  return `${hex(busOf(id))}:${hex(deviceOf(id))}.${functionOf(id)}`;
}

/** A 64-bit PCI address as two unsigned halves. */
export interface Address {
  readonly hi: number;
  readonly lo: number;
}
export function addressOf(value: bigint): Address {
  return { hi: Number((value >> 32n) & 0xffff_ffffn), lo: Number(value & 0xffff_ffffn) };
}
export function addressValue(hi: number, lo: number): bigint {
  return (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
}
export function addressPlus(address: Address, bytes: number): Address {
  const lo = address.lo + bytes;
  const carry = Math.floor(lo / 0x1_0000_0000);
  return { hi: (address.hi + carry) >>> 0, lo: lo >>> 0 };
}

/** Who asks, and under which tag the answer returns. */
export interface Requester {
  readonly requesterId: number;
  readonly tag: number;
}

/** A packet that is being made. */
export type TlpDraft = { -readonly [K in keyof Tlp]: Tlp[K] };

/** Of packets that are routed by an identifier. */
export const NO_ADDRESS: Address = { hi: 0, lo: 0 };

/** Every packet begins here or as a copy: one shape for all keeps the code that reads them fast. */
export function draftTlp(kind: TlpKind, from: Requester, address: Address, lengthBytes: number): TlpDraft {
  return {
    kind,
    requesterId: from.requesterId,
    tag: from.tag,
    addressHi: address.hi,
    addressLo: address.lo,
    lengthBytes,
    data: undefined,
    targetId: undefined,
    register: undefined,
    completerId: undefined,
    status: undefined,
    byteCount: undefined,
    lowerAddress: undefined,
    messageCode: undefined,
    poisoned: undefined,
    digest: undefined,
    digestDamaged: undefined,
    attributes: undefined,
    trafficClass: undefined,
    header: undefined,
  };
}

export function copyTlp(tlp: Tlp): TlpDraft {
  const copy = draftTlp(tlp.kind, tlp, NO_ADDRESS, tlp.lengthBytes);
  copy.addressHi = tlp.addressHi;
  copy.addressLo = tlp.addressLo;
  copy.data = tlp.data;
  copy.targetId = tlp.targetId;
  copy.register = tlp.register;
  copy.completerId = tlp.completerId;
  copy.status = tlp.status;
  copy.byteCount = tlp.byteCount;
  copy.lowerAddress = tlp.lowerAddress;
  copy.messageCode = tlp.messageCode;
  copy.poisoned = tlp.poisoned;
  copy.digest = tlp.digest;
  copy.digestDamaged = tlp.digestDamaged;
  copy.attributes = tlp.attributes;
  copy.trafficClass = tlp.trafficClass;
  copy.header = tlp.header;
  return copy;
}

export function memoryRead(from: Requester, address: Address, lengthBytes: number): Tlp {
  return draftTlp('MRd', from, address, lengthBytes);
}

export function memoryWrite(requesterId: number, address: Address, data: Uint8Array): Tlp {
  return draftWithData('MWr', { requesterId, tag: 0 }, address, data);
}

function draftWithData(kind: TlpKind, from: Requester, address: Address, data: Uint8Array): TlpDraft {
  const tlp = draftTlp(kind, from, address, data.length);
  tlp.data = data;
  return tlp;
}

/** Which register of which function: `target` as bdf, byte offset, 1 to 4 bytes within one doubleword. */
export interface ConfigTarget {
  readonly target: number;
  readonly register: number;
  readonly type: 0 | 1;
}

export function configRead(from: Requester, to: ConfigTarget, lengthBytes: number): Tlp {
  return forTarget(draftTlp(to.type === 0 ? 'CfgRd0' : 'CfgRd1', from, NO_ADDRESS, lengthBytes), to);
}

export function configWrite(from: Requester, to: ConfigTarget, data: Uint8Array): Tlp {
  return forTarget(draftWithData(to.type === 0 ? 'CfgWr0' : 'CfgWr1', from, NO_ADDRESS, data), to);
}

function forTarget(tlp: TlpDraft, to: ConfigTarget): Tlp {
  tlp.targetId = to.target;
  tlp.register = to.register;
  return tlp;
}

/** The same configuration request, converted by the bridge whose secondary bus it has reached. */
export function asType0(tlp: Tlp): Tlp {
  const converted = copyTlp(tlp);
  converted.kind = isConfigurationWrite(tlp) ? 'CfgWr0' : 'CfgRd0';
  return converted;
}

export function message(requesterId: number, messageCode: number): Tlp {
  const tlp = draftTlp('Msg', { requesterId, tag: 0 }, NO_ADDRESS, 0);
  tlp.messageCode = messageCode;
  return tlp;
}

export function errorMessage(requesterId: number, kind: ErrorMessage): Tlp {
  return message(requesterId, MessageCode[kind]);
}

/** What an atomic does to memory. The data are its operands; compare-and-swap has the value compared with first. */
export function atomicRequest(kind: AtomicKind, from: Requester, address: Address, operands: Uint8Array): Tlp {
  return draftWithData(kind, from, address, operands);
}

/** The port address is 32 bits; 1 to 4 bytes within one doubleword. */
export function ioRead(from: Requester, port: number, lengthBytes: number): Tlp {
  return draftTlp('IORd', from, { hi: 0, lo: port }, lengthBytes);
}

export function ioWrite(from: Requester, port: number, data: Uint8Array): Tlp {
  return draftWithData('IOWr', from, { hi: 0, lo: port }, data);
}

/** A piece of a transfer: `offset` bytes from its start, at `address`. */
export interface Piece {
  readonly address: Address;
  readonly offset: number;
  readonly lengthBytes: number;
}

/** Cuts a transfer into requests of at most `maxBytes` that never cross a 4 KiB boundary. */
export function splitRequest(address: Address, lengthBytes: number, maxBytes: number): Piece[] {
  const pieces: Piece[] = [];
  let offset = 0;
  while (offset < lengthBytes) {
    const at = addressPlus(address, offset);
    // Requests start on multiples of their largest size, so that a misaligned start costs one short packet only.
    const toBoundary = maxBytes - (at.lo % maxBytes);
    const toPage = PAGE_4K - (at.lo % PAGE_4K);
    const take = Math.min(lengthBytes - offset, toBoundary, toPage);
    pieces.push({ address: at, offset, lengthBytes: take });
    offset += take;
  }
  return pieces;
}
