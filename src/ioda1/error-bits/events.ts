/**
 * The error events of a P7IOC PHB: which trap bit each sets, and what it leaves in the PE state and the summaries.
 * Facts: ioda1-p7ioc 6.1 to 6.4, 7.6. Class and LEM bit follow from the trap bit and are not repeated here.
 */
import type { Known } from '../../hw/register.js';
import type { TrapName } from '../../ioda/bit-lists.js';
import type { EventSummary } from '../../ioda/error-summary.js';
import { type FailingOperation, OPERATIONS, type PestWords, type TransactionType } from '../../ioda/pest.js';
import { PEST_FORMAT, type PestCause } from './pest.js';
import { TRAP_BITS, type TrapBit } from './traps.js';

export interface ErrorEventDeclaration {
  readonly trap: TrapName;
  readonly bit: number;
  /** PEs frozen when the freeze enable of the trap bit is set: the one charged with its PELT-V, or every one. */
  readonly reach: 'pe' | 'all';
  readonly causes: readonly PestCause[];
  /** Operations that can meet the error, and so the types PESTA can show. */
  readonly types: readonly TransactionType[];
  readonly summary: EventSummary;
  readonly known: Known;
}

const { LOAD, STORE, MMIO, DMA, MSI, OTHER } = OPERATIONS;

type Rest = Pick<ErrorEventDeclaration, 'types'> & Partial<ErrorEventDeclaration>;

const event = (trap: TrapName, bit: number, rest: Rest): ErrorEventDeclaration => ({
  ...{ trap, bit, reach: 'pe', causes: [], known: 'assumed' },
  summary: trap === 'OUT' ? 'load-store' : 'dma',
  ...rest,
});
/** A completion that fails a load or a configuration cycle: found inbound, charged to the outbound side. */
const completion = (bit: number, causes: readonly PestCause[], rest: Partial<ErrorEventDeclaration> = {}) =>
  event('INA', bit, { types: LOAD, causes: ['MMIO_CAUSE', ...causes], summary: 'load-store', ...rest });
const config = (bit: number, types: readonly TransactionType[], causes: readonly PestCause[] = []) =>
  event('OUT', bit, { types, causes });

export const ERROR_EVENTS = {
  'mmio-load-ca': completion(0, ['COMPLETER_ABORT']),
  'mmio-load-ur': completion(1, ['UNSUPPORTED_REQUEST']),
  'mmio-load-timeout': completion(0, ['COMPLETER_ABORT']),
  'poisoned-completion': completion(24, ['PARITY']),
  /** The normal end of probing a device that is not there. Source: skiboot core/pci.c: pci_check_clear_freeze. */
  'config-read-ur': completion(1, ['CONFIG_READ', 'UNSUPPORTED_REQUEST'], { known: 'derived' }),
  'config-read-ca': completion(0, ['CONFIG_READ', 'COMPLETER_ABORT']),
  'config-read-timeout': completion(0, ['CONFIG_READ', 'COMPLETER_ABORT']),
  'config-read-poisoned': completion(24, ['CONFIG_READ', 'PARITY']),
  'config-write-ur': config(17, STORE, ['MMIO_CAUSE', 'CONFIG_WRITE', 'UNSUPPORTED_REQUEST']),
  'config-write-ca': config(17, STORE, ['MMIO_CAUSE', 'CONFIG_WRITE', 'COMPLETER_ABORT']),
  'config-not-enabled': config(24, MMIO),
  'config-size': config(25, MMIO),
  'config-link-down': config(27, MMIO),
  'mmio-no-window': event('OUT', 2, { types: MMIO, known: 'inferred' }),
  'mmio-size': event('OUT', 3, { types: MMIO, known: 'inferred' }),
  'mmio-alignment': event('OUT', 8, { types: MMIO, known: 'inferred' }),
  'papr-mmio': event('OUT', 28, { types: MMIO, causes: ['MMIO_CAUSE'], known: 'inferred' }),
  'papr-config-read': config(28, LOAD, ['MMIO_CAUSE', 'CONFIG_READ']),
  'papr-config-write': config(28, STORE, ['MMIO_CAUSE', 'CONFIG_WRITE']),
  'papr-dma': event('INA', 39, { types: DMA, known: 'inferred' }),
  /** Address bits that select no space. */
  'dma-address': event('INA', 26, { types: DMA, causes: ['IODA_ERROR'] }),
  'tve-invalid': event('INA', 26, { types: DMA, causes: ['IODA_ERROR'], known: 'inferred' }),
  'tve-requester': event('INA', 23, { types: DMA, causes: ['IODA_ERROR'] }),
  'tve-range': event('INA', 28, { types: DMA, causes: ['TVT_RANGE'], known: 'inferred' }),
  'tce-page-fault': event('INA', 29, { types: DMA, causes: ['TCE_PAGE_FAULT'] }),
  'tce-access-fault': event('INA', 30, { types: DMA, causes: ['TCE_ACCESS_FAULT'] }),
  'dma-memory-error': event('INA', 22, { types: DMA, causes: ['DMA_RESPONSE_TIMEOUT'] }),
  'poisoned-write': event('INA', 24, { types: ['dma-write'], causes: ['PARITY'], known: 'inferred' }),
  'msi-size': event('INA', 2, { types: MSI, known: 'inferred' }),
  'msi-alignment': event('INA', 3, { types: MSI, known: 'inferred' }),
  'msi-address': event('INA', 31, { types: MSI, causes: ['IODA_ERROR'] }),
  'mve-invalid': event('INA', 25, { types: MSI, causes: ['IODA_ERROR'] }),
  'mve-requester': event('INA', 27, { types: MSI, causes: ['IODA_ERROR'], known: 'inferred' }),
  'msi-data': event('INA', 31, { types: MSI, causes: ['IODA_ERROR'] }),
  'msi-pe-mismatch': event('INA', 27, { types: MSI, causes: ['IODA_ERROR'], known: 'derived' }),
  'request-unsupported': event('INA', 18, { types: OTHER, known: 'inferred' }),
  'err-fatal': event('INA', 49, { types: OTHER, causes: ['FATAL'] }),
  'err-nonfatal': event('INA', 50, { types: OTHER, causes: ['NONFATAL'] }),
  'err-corr': event('INA', 58, { types: OTHER, causes: ['CORRECTABLE'] }),
  /** Events of the core belong to no requester: every PE pays (M). */
  'utl-fatal': event('PHB', 33, { types: OTHER, reach: 'all', causes: ['CORE'], summary: 'both' }),
  'utl-nonfatal': event('PHB', 34, { types: OTHER, reach: 'all', causes: ['CORE'], summary: 'both' }),
} as const satisfies Record<string, ErrorEventDeclaration>;

export type ErrorEventName = keyof typeof ERROR_EVENTS;

export const ERROR_EVENT_NAMES = Object.keys(ERROR_EVENTS) as readonly ErrorEventName[];

/** The trap bit of an event, with its class and LEM bit. */
export function trapBitOf(name: ErrorEventName): TrapBit {
  const { trap, bit } = ERROR_EVENTS[name];
  return TRAP_BITS[trap][bit]!;
}

/** The words an event leaves in the PE state, freeze bits included. */
export function pestOfEvent(name: ErrorEventName, operation: FailingOperation): PestWords {
  const declaration: ErrorEventDeclaration = ERROR_EVENTS[name];
  return PEST_FORMAT.encode({
    mmioFrozen: true,
    dmaStopped: true,
    causes: declaration.causes,
    transactionType: operation.type ?? declaration.types[0]!,
    lemBit: trapBitOf(name).lem,
    requesterId: operation.requesterId ?? 0,
    msiData: operation.msiData ?? 0,
    address: operation.address ?? 0n,
  });
}
