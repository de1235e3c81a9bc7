/**
 * The error events of the bridge: which trap bit each sets, and what it leaves in the PEST and the summaries.
 * Facts: ioda2-phb3 7.6. LEM bit and class follow from the trap bit and are not repeated here.
 */
import type { Known } from '../../hw/register.js';
import type { EventSummary } from '../../ioda/error-summary.js';
import { type FailingOperation, OPERATIONS } from '../../ioda/pest.js';
import type { TrapName } from './bit-lists.js';
import { encodePest, type PestCause, type PestWords, type TransactionType } from './pest.js';
import { TRAP_BITS, type TrapBit } from './traps.js';

/** PEs frozen when the freeze enable of the trap bit is set. */
export type FreezeReach = 'single' | 'pelt-v' | 'all';
/** PEs frozen under the enables firmware programs; `none`: only an interrupt; `fence`: the AIB is fenced instead. */
export type EventScope = FreezeReach | 'none' | 'fence';

export interface ErrorEventDeclaration {
  readonly trap: TrapName;
  readonly bit: number;
  readonly reach: FreezeReach;
  readonly causes: readonly PestCause[];
  /** Operations that can meet the error, and so the types PEST A can show. */
  readonly types: readonly TransactionType[];
  /** Parts of the operation that the PEST keeps. */
  readonly keeps: readonly ('requester' | 'address' | 'msi-data')[];
  readonly summary: EventSummary;
  readonly known: Known;
}

const { LOAD, STORE, MMIO, DMA, MSI, OTHER } = OPERATIONS;

type Rest = Omit<ErrorEventDeclaration, 'trap' | 'bit' | 'reach' | 'causes' | 'keeps' | 'summary'> &
  Partial<Pick<ErrorEventDeclaration, 'causes'>>;

/** A completion with an error: found inbound, so neither requester nor address is known. */
const completion = (bit: number, cause: PestCause, known: Known): ErrorEventDeclaration => ({
  trap: 'INA',
  bit,
  reach: 'single',
  causes: [cause],
  types: LOAD,
  keeps: [],
  summary: 'load-store',
  known,
});
const outbound = (bit: number, rest: Rest): ErrorEventDeclaration => ({
  trap: 'OUT',
  bit,
  reach: 'single',
  causes: [],
  keeps: ['address'],
  summary: 'load-store',
  ...rest,
});
/** Configuration cycles have no MMIO address of their own to keep (M). */
const config = (bit: number, rest: Rest): ErrorEventDeclaration => ({ ...outbound(bit, rest), keeps: [] });
const inbound = (bit: number, rest: Rest): ErrorEventDeclaration => ({
  trap: 'INA',
  bit,
  reach: 'single',
  causes: [],
  keeps: ['requester', 'address'],
  summary: 'dma',
  ...rest,
});
const msi = (bit: number, rest: Omit<Rest, 'types'>): ErrorEventDeclaration => ({
  ...inbound(bit, { ...rest, types: MSI }),
  keeps: ['requester', 'address', 'msi-data'],
});
const message = (bit: number, cause: PestCause, known: Known): ErrorEventDeclaration => ({
  trap: 'INB',
  bit,
  reach: 'pelt-v',
  causes: [cause],
  types: OTHER,
  keeps: ['requester'],
  summary: 'dma',
  known,
});

export const ERROR_EVENTS = {
  'mmio-load-ca': completion(0, 'COMPLETER_ABORT', 'stated'),
  'mmio-load-ur': completion(1, 'UNSUPPORTED_REQUEST', 'derived'),
  'mmio-load-timeout': completion(0, 'COMPLETER_ABORT', 'assumed'),
  'config-read-ur': completion(1, 'UNSUPPORTED_REQUEST', 'derived'),
  'config-read-ca': completion(0, 'COMPLETER_ABORT', 'derived'),
  'config-read-timeout': completion(0, 'COMPLETER_ABORT', 'derived'),
  'config-write-ur': config(17, {
    causes: ['MMIO_CAUSE', 'CONFIG_WRITE', 'UNSUPPORTED_REQUEST'],
    types: STORE,
    known: 'inferred',
  }),
  'config-write-ca': config(17, {
    causes: ['MMIO_CAUSE', 'CONFIG_WRITE', 'COMPLETER_ABORT'],
    types: STORE,
    known: 'inferred',
  }),
  'config-write-timeout': config(29, { types: STORE, known: 'inferred' }),
  'config-not-enabled': config(24, { types: MMIO, known: 'inferred' }),
  'config-size': config(25, { types: MMIO, known: 'inferred' }),
  'config-target': config(26, { types: MMIO, known: 'inferred' }),
  'config-link-down': config(27, { types: MMIO, known: 'inferred' }),
  'mmio-no-window': outbound(2, { types: MMIO, known: 'inferred' }),
  'papr-mmio': outbound(28, { causes: ['MMIO_CAUSE'], types: MMIO, known: 'assumed' }),
  'papr-config-read': config(28, { causes: ['MMIO_CAUSE', 'CONFIG_READ'], types: LOAD, known: 'assumed' }),
  'papr-config-write': config(28, { causes: ['MMIO_CAUSE', 'CONFIG_WRITE'], types: STORE, known: 'assumed' }),
  'papr-dma': inbound(39, { types: DMA, known: 'inferred' }),
  'tve-invalid': inbound(26, { causes: ['IODA_ERROR'], types: DMA, known: 'inferred' }),
  'tve-range': inbound(28, { causes: ['IODA_ERROR'], types: DMA, known: 'inferred' }),
  'tce-page-fault': inbound(49, {
    causes: ['IODA_ERROR', 'TCE_PAGE_FAULT', 'TCE_ACCESS_FAULT'],
    types: DMA,
    known: 'inferred',
  }),
  'tce-access-fault': inbound(49, { causes: ['IODA_ERROR', 'TCE_ACCESS_FAULT'], types: DMA, known: 'inferred' }),
  'msi-pe-mismatch': msi(31, { causes: ['IODA_ERROR'], known: 'assumed' }),
  'msi-source': msi(23, { causes: ['IODA_ERROR'], known: 'assumed' }),
  'msi-size': msi(2, { known: 'inferred' }),
  'msi-alignment': msi(3, { known: 'inferred' }),
  'poisoned-write': inbound(24, { causes: ['PARITY'], types: ['dma-write'], known: 'assumed' }),
  /** Poisoned data that a load or configuration read waited for: found inbound, as any failing completion. */
  'poisoned-completion': { ...completion(24, 'PARITY', 'assumed') },
  /** A request of no kind the bridge takes: answered with UR, or dropped. */
  'request-unsupported': inbound(18, { types: ['other'], known: 'inferred' }),
  'rte-invalid': inbound(40, { types: ['dma-write', 'dma-read', 'msi', 'other'], known: 'inferred' }),
  'table-bar-disabled': inbound(32, { types: ['dma-write', 'dma-read', 'msi', 'other'], known: 'assumed' }),
  'pest-bar-disabled': { ...inbound(51, { types: OTHER, known: 'inferred' }), trap: 'INB' },
  'fetch-ue': inbound(36, { types: ['dma-write', 'dma-read', 'msi', 'other'], known: 'assumed' }),
  'err-fatal': message(57, 'FATAL', 'inferred'),
  'err-nonfatal': message(58, 'NONFATAL', 'inferred'),
  'err-corr': message(59, 'CORRECTABLE', 'stated'),
  'completion-table-timeout': {
    ...completion(34, 'COMPLETER_ABORT', 'inferred'),
    causes: [],
  },
  /** Any enabled UTL event: link down, malformed packet, discarded outbound request. */
  'utl-error': {
    trap: 'PHB',
    bit: 32,
    reach: 'all',
    causes: ['CORE'],
    types: OTHER,
    keeps: [],
    summary: 'both',
    known: 'assumed',
  },
  /** Belongs to no PE; should software enable freezing for it, all freeze. */
  'register-address': {
    trap: 'PHB',
    bit: 26,
    reach: 'all',
    causes: [],
    types: MMIO,
    keeps: [],
    summary: 'none',
    known: 'assumed',
  },
} as const satisfies Record<string, ErrorEventDeclaration>;

export type ErrorEventName = keyof typeof ERROR_EVENTS;

export const ERROR_EVENT_NAMES = Object.keys(ERROR_EVENTS) as readonly ErrorEventName[];

/** The trap bit of an event, with its class and LEM bit. */
export function trapBitOf(name: ErrorEventName): TrapBit {
  const { trap, bit } = ERROR_EVENTS[name];
  return TRAP_BITS[trap][bit]!;
}

/** What freezes under the enables of the firmware. */
export function eventScope(name: ErrorEventName): EventScope {
  const errorClass = trapBitOf(name).class;
  if (errorClass === 'ER') return ERROR_EVENTS[name].reach;
  return errorClass === 'FENCE' ? 'fence' : 'none';
}

/** The PEST words an event leaves; the freeze bits stay zero, as in memory. Parts the event does not keep are dropped. */
export function pestOfEvent(name: ErrorEventName, operation: FailingOperation): PestWords {
  const event: ErrorEventDeclaration = ERROR_EVENTS[name];
  return encodePest({
    causes: event.causes,
    transactionType: operation.type ?? event.types[0]!,
    lemBit: trapBitOf(name).lem ?? 0,
    requesterId: event.keeps.includes('requester') ? (operation.requesterId ?? 0) : 0,
    msiData: event.keeps.includes('msi-data') ? (operation.msiData ?? 0) : 0,
    address: event.keeps.includes('address') ? (operation.address ?? 0n) : 0n,
  });
}
