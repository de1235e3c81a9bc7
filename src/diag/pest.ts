/**
 * PEST entries as an explanation needs them: the fields in words, what the address means, whether a chip wrote them.
 * The same layout serves PHB3 and PHB4; P7IOC has two more causes. Facts: ioda2-phb3 5.3, phb4-diag 4, ioda1-p7ioc 4.10.
 */
import type { PestEntry as EntryOf, TransactionType } from '../ioda/pest.js';
import { PEST_FORMAT, type PestCause } from '../ioda1/error-bits/pest.js';
import { setBits } from './bit-table.js';
import { type DmaWindowKind, dmaWindowOf } from './dma-address.js';
import type { DiagChip, PestPair } from './layout.js';

type PestFields = EntryOf<PestCause>;

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
  TAG_REUSE: 'tag used twice',
  TVT_RANGE: 'address outside the window',
};
/** Causes of the P7IOC alone: its successors have no meaning for their bits. */
const P7IOC_CAUSES: readonly PestCause[] = ['TAG_REUSE', 'TVT_RANGE'];

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
const RESERVED_BITS: Readonly<Record<DiagChip, readonly number[]>> = {
  p7ioc: [1, 22, 23, 24, 25],
  phb3: [1, 12, 17, 22, 23, 24, 25],
  phb4: [1, 12, 17, 22, 23, 24, 25],
};
const FREEZE_BIT = 1n << 63n;
const ADDRESS_48 = (1n << 48n) - 1n;

/** What the address word of an entry means. */
export type PestAddress =
  | { readonly kind: 'not-recorded' }
  | { readonly kind: 'dma'; readonly address: bigint; readonly window: DmaWindowKind }
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

/** B of a config error holds bus, device, function and register offset. Derived from two real dumps. */
function locate(fields: PestFields, chip: DiagChip): PestAddress {
  const { address } = fields;
  if (address === 0n) return { kind: 'not-recorded' };
  if (isConfigCycle(fields)) {
    return { kind: 'config', bdfn: Number((address >> 16n) & 0xffffn), register: Number(address & 0xfffn) };
  }
  const outbound = fields.causes.includes('MMIO_CAUSE') || OUTBOUND_TYPES.includes(fields.transactionType);
  if (outbound) return { kind: 'mmio', address: address & ADDRESS_48 };
  return { kind: 'dma', address, window: dmaWindowOf(address, chip) };
}

function isImplausible(a: bigint, fields: PestFields, chip: DiagChip): boolean {
  if (setBits(a).some((bit) => RESERVED_BITS[chip].includes(bit)) || fields.transactionType === 'unused') return true;
  return (a & ~FREEZE_BIT) !== 0n && fields.causes.length === 0 && fields.transactionType === 'dma-write';
}

export function decodePestEntry({ a, b }: PestPair, chip: DiagChip): PestEntry {
  const { address, ...rest } = PEST_FORMAT.decode(a, b);
  const isKnown = (cause: PestCause): boolean => chip === 'p7ioc' || !P7IOC_CAUSES.includes(cause);
  const fields = { ...rest, causes: rest.causes.filter(isKnown) };
  const whole: PestFields = { ...fields, address };
  return {
    ...fields,
    a,
    b,
    hasRecord: (a & ~FREEZE_BIT) !== 0n,
    location: locate(whole, chip),
    implausible: isImplausible(a, whole, chip),
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
