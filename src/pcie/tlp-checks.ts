/**
 * What every receiver checks in a packet before it looks at what the packet wants: malformed packets and end-to-end CRC.
 * Source: PCI Express base specification 2.2.2 to 2.2.9, 2.3.1.1, 2.7.1, 6.2.3.2. Checks it leaves optional are done here (M).
 */
import type { UncorrectableError } from './aer-capability.js';
import { decodeSize } from './capabilities.js';
import type { ConfigSpace } from './config-space.js';
import {
  copyTlp,
  isAtomic,
  isCompletion,
  isConfiguration,
  isInputOutput,
  MessageCode,
  PAGE_4K,
  type Tlp,
} from './tlp.js';
import {
  carriesData,
  dwordsTouched,
  firstByteEnables,
  formatAndType,
  isDefinedType,
  lastByteEnables,
  lengthDwords,
} from './tlp-header.js';

export const MALFORMATIONS = [
  'undefined-type',
  'length-not-payload',
  'payload-too-long',
  'crosses-4k',
  'byte-enables',
  'not-one-dword',
  'traffic-class',
  'interrupt-from-above',
  'operand',
] as const;
export type Malformation = (typeof MALFORMATIONS)[number];

/** On which side of the receiver the sender is. */
export type SenderSide = 'above' | 'below';

export interface ReceiverRules {
  readonly maxPayloadBytes: number;
  readonly from: SenderSide;
}

/** Smallest payload every function takes. */
const LEAST_PAYLOAD_BYTES = 128;

/** The first rule a packet breaks. */
export function malformation(tlp: Tlp, rules: ReceiverRules): Malformation | undefined {
  if (tlp.header !== undefined && !isDefinedType(formatAndType(tlp))) return 'undefined-type';
  if (lengthContradicts(tlp)) return 'length-not-payload';
  if ((tlp.data?.length ?? 0) > rules.maxPayloadBytes) return 'payload-too-long';
  if (isCompletion(tlp)) return undefined;
  if (tlp.kind === 'Msg') return messageMalformation(tlp, rules);
  if (isConfiguration(tlp) || isInputOutput(tlp)) return oneDwordMalformation(tlp);
  if ((tlp.addressLo % PAGE_4K) + tlp.lengthBytes > PAGE_4K) return 'crosses-4k';
  if (isAtomic(tlp)) return operandFits(tlp) ? undefined : 'operand';
  return tlp.header !== undefined && !byteEnablesFit(tlp) ? 'byte-enables' : undefined;
}

/** What a receiver with these registers makes of the packet, apart from poison and of what it asks. */
export function receiverFault(
  tlp: Tlp,
  config: ConfigSpace,
  from: SenderSide,
): Extract<UncorrectableError, 'MALFORMED_TLP' | 'ECRC'> | undefined {
  if (malformation(tlp, { maxPayloadBytes: maxPayloadOf(config), from }) !== undefined) return 'MALFORMED_TLP';
  return tlp.digestDamaged && checksDigest(config) ? 'ECRC' : undefined;
}

export function maxPayloadOf(config: ConfigSpace): number {
  return config.declares('DEVCTL') ? decodeSize(config.field('DEVCTL', 'MAX_PAYLOAD')) : LEAST_PAYLOAD_BYTES;
}

function checksDigest(config: ConfigSpace): boolean {
  return config.declares('AER_CONTROL') && config.has('AER_CONTROL', 'ECRC_CHECK');
}

/** The packet as the sender puts it on the wire: with a digest if its registers say so (7.10.7). */
export function withDigest(tlp: Tlp, config: ConfigSpace): Tlp {
  if (tlp.digest || !config.declares('AER_CONTROL') || !config.has('AER_CONTROL', 'ECRC_GENERATE')) return tlp;
  const sent = copyTlp(tlp);
  sent.digest = true;
  return sent;
}

function lengthContradicts(tlp: Tlp): boolean {
  if (!carriesData(tlp)) return false;
  if (tlp.data === undefined || tlp.data.length !== tlp.lengthBytes) return true;
  return tlp.header?.lengthDwords !== undefined && lengthDwords(tlp) !== dwordsTouched(tlp);
}

/** Interrupt and error messages use traffic class 0, and pins are messages of devices only (2.2.8.1, 2.2.8.3). */
function messageMalformation(tlp: Tlp, { from }: ReceiverRules): Malformation | undefined {
  const code = tlp.messageCode ?? 0;
  const interrupt = code >= MessageCode.ASSERT_INTA && code <= MessageCode.DEASSERT_INTD;
  if (interrupt && from === 'above') return 'interrupt-from-above';
  const error = code >= MessageCode.ERR_COR && code <= MessageCode.ERR_FATAL;
  return (interrupt || error) && (tlp.trafficClass ?? 0) !== 0 ? 'traffic-class' : undefined;
}

/** Configuration and I/O requests: one doubleword, traffic class 0 (2.2.7). */
function oneDwordMalformation(tlp: Tlp): Malformation | undefined {
  if (lengthDwords(tlp) !== 1) return 'not-one-dword';
  if (lastByteEnables(tlp) !== 0) return 'byte-enables';
  return (tlp.trafficClass ?? 0) !== 0 ? 'traffic-class' : undefined;
}

/** Operands of 4 or 8 bytes (compare-and-swap: two of 4, 8 or 16), naturally aligned (2.2.7). */
function operandFits(tlp: Tlp): boolean {
  const operandBytes = tlp.kind === 'CAS' ? tlp.lengthBytes / 2 : tlp.lengthBytes;
  const sized = operandBytes === 4 || operandBytes === 8 || (tlp.kind === 'CAS' && operandBytes === 16);
  return sized && tlp.addressLo % operandBytes === 0;
}

/** Byte enables of a memory request (2.2.5). Holes are allowed in one doubleword, or in an aligned quadword. */
function byteEnablesFit(tlp: Tlp): boolean {
  const first = firstByteEnables(tlp);
  const last = lastByteEnables(tlp);
  const length = lengthDwords(tlp);
  if (length === 1) return last === 0;
  if (first === 0 || last === 0) return false;
  if (length === 2 && tlp.addressLo % 8 < 4) return true;
  return TO_THE_END.includes(first) && FROM_THE_START.includes(last);
}
const TO_THE_END: readonly number[] = [0x8, 0xc, 0xe, 0xf];
const FROM_THE_START: readonly number[] = [0x1, 0x3, 0x7, 0xf];
