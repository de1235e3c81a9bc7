/**
 * PEST entries as an explanation needs them: the fields in words, what the address means, whether a chip wrote them.
 * The same layout serves PHB3 and PHB4. Facts: ioda2-phb3 5.3, phb4-diag 4.
 */

import {
  decodePest,
  type PestCause,
  type PestEntry as PestFields,
  type TransactionType,
} from '../ioda2/error-bits/pest.js';
import { setBits } from './bit-table.js';

export interface PestPair {
  readonly a: bigint;
  readonly b: bigint;
}

const CAUSE_TEXT: Readonly<Record<PestCause, string>> = {
  MMIO_CAUSE: 'caused by an MMIO or config operation',
  CONFIG_READ: 'config read',
  CONFIG_WRITE: 'config write',
  COMPLETER_ABORT: 'Completer Abort or timeout',
  UNSUPPORTED_REQUEST: 'Unsupported Request',
  NONFATAL: 'device sent ERR_NONFATAL',
  FATAL: 'device sent ERR_FATAL',
  PARITY: 'parity or uncorrectable data',
  CORRECTABLE: 'device sent ERR_CORR',
  CORE: 'PCIe core',
  IODA_ERROR: 'address translation refused',
  TCE_PAGE_FAULT: 'page not mapped',
  TCE_ACCESS_FAULT: 'no permission for the page',
  DMA_RESPONSE_TIMEOUT: 'memory did not answer',
  AIB_SIZE: 'AIB size invalid',
};

const TYPE_TEXT: Readonly<Record<TransactionType, string>> = {
  'dma-write': 'DMA write',
  msi: 'MSI',
  'dma-read': 'DMA read',
  'dma-read-response': 'DMA read response',
  'mmio-load': 'MMIO load',
  'mmio-store': 'MMIO store',
  unused: 'unused',
  other: 'other',
};

/** Bits no source gives a meaning: set, they make an entry doubtful. */
const RESERVED_BITS = [1, 12, 17, 22, 23, 24, 25];
const FREEZE_BIT = 1n << 63n;
const ADDRESS_48 = (1n << 48n) - 1n;

/** What the address word of an entry means. */
export type PestAddress =
  | { readonly kind: 'not-recorded' }
  | { readonly kind: 'dma'; readonly address: bigint; readonly window: 'bypass' | '32-bit' | 'none' }
  | { readonly kind: 'mmio'; readonly address: bigint; readonly window?: undefined }
  | { readonly kind: 'config'; readonly bdfn: number; readonly register: number };

export interface PestEntry extends PestPair, Omit<PestFields, 'address'> {
  /** False when A carries nothing but bit 0: frozen with no cause of its own. */
  readonly hasRecord: boolean;
  readonly location: PestAddress;
  /** True when the fields contradict each other, as words that no chip wrote do. */
  readonly implausible: boolean;
}

export function hasCause(entry: PestEntry, ...causes: readonly PestCause[]): boolean {
  return causes.some((cause) => entry.causes.includes(cause));
}

export function isConfigCycle(fields: Pick<PestFields, 'causes' | 'transactionType'>): boolean {
  if (fields.causes.includes('CONFIG_READ') || fields.causes.includes('CONFIG_WRITE')) return true;
  // An injected config read carries type "other" and the MMIO bit only (phb4-diag 4.2).
  return fields.causes.includes('MMIO_CAUSE') && fields.transactionType === 'other';
}

const OUTBOUND_TYPES: readonly TransactionType[] = ['mmio-load', 'mmio-store'];

/** The windows that the OS sets up: 0 to 2 GiB, and bypass by PCI address bit 59. Facts: phb4-diag 4.2. */
function windowOf(address: bigint): 'bypass' | '32-bit' | 'none' {
  if (((address >> 59n) & 1n) === 1n) return 'bypass';
  return address < 0x8000_0000n ? '32-bit' : 'none';
}

/** B of a config error holds bus, device, function and register offset. Derived from two real dumps. */
function locate(fields: PestFields): PestAddress {
  const { address } = fields;
  if (address === 0n) return { kind: 'not-recorded' };
  if (isConfigCycle(fields)) {
    return { kind: 'config', bdfn: Number((address >> 16n) & 0xffffn), register: Number(address & 0xfffn) };
  }
  const outbound = fields.causes.includes('MMIO_CAUSE') || OUTBOUND_TYPES.includes(fields.transactionType);
  if (outbound) return { kind: 'mmio', address: address & ADDRESS_48 };
  return { kind: 'dma', address, window: windowOf(address) };
}

function isImplausible(a: bigint, fields: PestFields): boolean {
  if (setBits(a).some((bit) => RESERVED_BITS.includes(bit)) || fields.transactionType === 'unused') return true;
  return (a & ~FREEZE_BIT) !== 0n && fields.causes.length === 0 && fields.transactionType === 'dma-write';
}

export function decodePestEntry({ a, b }: PestPair): PestEntry {
  const whole = decodePest(a, b);
  const { address: _raw, ...fields } = whole;
  return {
    ...fields,
    a,
    b,
    hasRecord: (a & ~FREEZE_BIT) !== 0n,
    location: locate(whole),
    implausible: isImplausible(a, whole),
  };
}

export function typeText(entry: PestEntry): string {
  return TYPE_TEXT[entry.transactionType];
}

/** All causes in words. `MMIO_CAUSE` is left out where type or config bits say more. */
export function causeTexts(entry: PestEntry): string[] {
  const saysMore = isConfigCycle(entry) || OUTBOUND_TYPES.includes(entry.transactionType);
  return entry.causes.filter((cause) => cause !== 'MMIO_CAUSE' || !saysMore).map((cause) => CAUSE_TEXT[cause]);
}

/** "02:06.0" */
export function formatRid(rid: number): string {
  const two = (n: number) => n.toString(16).padStart(2, '0');
  return `${two(rid >> 8)}:${two((rid >> 3) & 0x1f)}.${rid & 7}`;
}
