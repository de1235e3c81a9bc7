/** The two doublewords of a PEST entry: why and where a PE froze. Facts: ioda2-phb3 5.3 (the IODA2 entry definition). */
import { bit, bits, type FieldSpec, fieldWidth, getField, setField } from '../../hw/bits.js';
import type { FieldDeclaration } from '../../hw/register.js';

/** Kind of operation that froze the PE, as coded in PEST A. */
export const TRANSACTION_TYPE = {
  'dma-write': 0,
  msi: 1,
  'dma-read': 2,
  'dma-read-response': 3,
  'mmio-load': 4,
  'mmio-store': 5,
  unused: 6,
  other: 7,
} as const;
export type TransactionType = keyof typeof TRANSACTION_TYPE;

const TRANSACTION_TYPES = Object.keys(TRANSACTION_TYPE) as TransactionType[];

/** Single cause bits of PEST A. */
const CAUSES = {
  MMIO_CAUSE: { at: bit(2), about: 'an MMIO operation froze the PE, not a DMA' },
  CONFIG_READ: { at: bit(3), about: 'an injected configuration read' },
  CONFIG_WRITE: { at: bit(4), about: 'an injected or refused configuration write' },
  COMPLETER_ABORT: { at: bit(8), about: 'completer abort, or no completion in time' },
  UNSUPPORTED_REQUEST: { at: bit(9), about: 'unsupported request' },
  NONFATAL: { at: bit(10), about: 'ERR_NONFATAL message' },
  FATAL: { at: bit(11), about: 'ERR_FATAL message' },
  PARITY: { at: bit(13), about: 'parity or uncorrectable data' },
  CORRECTABLE: { at: bit(14), about: 'ERR_COR message' },
  CORE: { at: bit(15), about: 'interrupt of the PCIe core' },
  IODA_ERROR: { at: bit(16), about: 'no window, or an IODA check failed' },
  TCE_PAGE_FAULT: { at: bit(18), about: 'the TCE grants nothing' },
  TCE_ACCESS_FAULT: { at: bit(19), about: 'the TCE does not grant this access' },
  DMA_RESPONSE_TIMEOUT: { at: bit(20), about: 'memory did not answer a read' },
  AIB_SIZE: { at: bit(21), about: 'invalid size on the AIB' },
} as const satisfies Record<string, FieldDeclaration>;
export type PestCause = keyof typeof CAUSES;

export const PEST_CAUSES = Object.keys(CAUSES) as readonly PestCause[];

export const PEST_A_FIELDS = {
  MMIO_FROZEN: { at: bit(0), about: 'MMIO is frozen; the on-chip copy counts' },
  ...CAUSES,
  TRANSACTION_TYPE: { at: bits(5, 7), about: 'kind of operation', values: TRANSACTION_TYPE },
  LEM_BIT: { at: bits(26, 31), about: 'LEM bit of the error that froze the PE' },
  REQUESTER_ID: { at: bits(32, 47), about: 'bus, device and function of the packet' },
  MSI_DATA: { at: bits(48, 63), about: 'MSI data, first two bytes' },
} as const satisfies Record<string, FieldDeclaration>;

export const PEST_B_FIELDS = {
  DMA_STOPPED: { at: bit(0), about: 'DMA is stopped; the on-chip copy counts' },
  ADDRESS: { at: bits(3, 63), about: 'failing address: AIB address of an MMIO, PCI address bits 60:0 of a DMA' },
} as const satisfies Record<string, FieldDeclaration>;

/** A PEST entry by its parts. The freeze bits are those of the words given, on chip or in memory. */
export interface PestEntry {
  readonly mmioFrozen: boolean;
  readonly dmaStopped: boolean;
  readonly causes: readonly PestCause[];
  readonly transactionType: TransactionType;
  readonly lemBit: number;
  readonly requesterId: number;
  readonly msiData: number;
  readonly address: bigint;
}

export interface PestWords {
  readonly a: bigint;
  readonly b: bigint;
}

export function decodePest(a: bigint, b: bigint): PestEntry {
  const numberIn = (at: FieldSpec): number => Number(getField(a, at));
  return {
    mmioFrozen: numberIn(PEST_A_FIELDS.MMIO_FROZEN.at) === 1,
    dmaStopped: getField(b, PEST_B_FIELDS.DMA_STOPPED.at) === 1n,
    causes: PEST_CAUSES.filter((cause) => numberIn(CAUSES[cause].at) === 1),
    transactionType: TRANSACTION_TYPES[numberIn(PEST_A_FIELDS.TRANSACTION_TYPE.at)]!,
    lemBit: numberIn(PEST_A_FIELDS.LEM_BIT.at),
    requesterId: numberIn(PEST_A_FIELDS.REQUESTER_ID.at),
    msiData: numberIn(PEST_A_FIELDS.MSI_DATA.at),
    address: getField(b, PEST_B_FIELDS.ADDRESS.at),
  };
}

/** The words of an entry; parts left out are zero. Reserved bits are always zero. */
export function encodePest(entry: Partial<PestEntry>): PestWords {
  const parts: (readonly [FieldSpec, number])[] = [
    [PEST_A_FIELDS.MMIO_FROZEN.at, entry.mmioFrozen === true ? 1 : 0],
    [PEST_A_FIELDS.TRANSACTION_TYPE.at, TRANSACTION_TYPE[entry.transactionType ?? 'dma-write']],
    [PEST_A_FIELDS.LEM_BIT.at, entry.lemBit ?? 0],
    [PEST_A_FIELDS.REQUESTER_ID.at, entry.requesterId ?? 0],
    [PEST_A_FIELDS.MSI_DATA.at, entry.msiData ?? 0],
    ...(entry.causes ?? []).map((cause) => [CAUSES[cause].at, 1] as const),
  ];
  const a = parts.reduce((word, [at, value]) => setField(word, at, checked(at, value)), 0n);
  const stopped = setField(0n, PEST_B_FIELDS.DMA_STOPPED.at, entry.dmaStopped === true ? 1n : 0n);
  // An address of 64 bits loses its top three, as in the chip: there is no room for them.
  return { a, b: setField(stopped, PEST_B_FIELDS.ADDRESS.at, entry.address ?? 0n) };
}

function checked(at: FieldSpec, value: number): bigint {
  if (Number.isInteger(value) && value >= 0 && value < 2 ** fieldWidth(at)) return BigInt(value);
  throw new RangeError(
    `${value} does not fit in bits ${at.first}:${at.last} of PEST A: give a whole number of ${fieldWidth(at)} bits`,
  );
}
