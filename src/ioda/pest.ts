/**
 * The two doublewords of a PE state entry: why and where a PE froze. Both bridges lay them out alike; which causes a
 * bridge tells apart is its own. Facts: ioda2-phb3 5.3, ioda1-p7ioc 4.10 (the IODA2 entry definition).
 */
import { bit, bits, type FieldSpec, fieldWidth, getField, setField } from '../hw/bits.js';
import type { FieldDeclaration } from '../hw/register.js';

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

/** Operations that meet the same errors. */
export const OPERATIONS = {
  LOAD: ['mmio-load'],
  STORE: ['mmio-store'],
  MMIO: ['mmio-load', 'mmio-store'],
  DMA: ['dma-write', 'dma-read'],
  MSI: ['msi'],
  OTHER: ['other'],
} as const satisfies Record<string, readonly TransactionType[]>;

/** What is known of the operation that met an error. */
export interface FailingOperation {
  /** Default: the first type the error's event can show. */
  readonly type?: TransactionType;
  readonly requesterId?: number;
  readonly msiData?: number;
  readonly address?: bigint;
}

const TRANSACTION_TYPES = Object.keys(TRANSACTION_TYPE) as TransactionType[];

const PEST_A_COMMON = {
  TRANSACTION_TYPE: { at: bits(5, 7), about: 'kind of operation', values: TRANSACTION_TYPE },
  LEM_BIT: { at: bits(26, 31), about: 'LEM bit of the error that froze the PE' },
  REQUESTER_ID: { at: bits(32, 47), about: 'bus, device and function of the packet' },
  MSI_DATA: { at: bits(48, 63), about: 'MSI data, first two bytes' },
} as const satisfies Record<string, FieldDeclaration>;

/** Single cause bits of PEST A that both bridges have. */
export const COMMON_CAUSES = {
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

/** A PEST entry by its parts. The freeze bits are those of the words given, on chip or in memory. */
export interface PestEntry<C extends string = string> {
  readonly mmioFrozen: boolean;
  readonly dmaStopped: boolean;
  readonly causes: readonly C[];
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

/** PEST A of a bridge with these causes. */
export function pestAFields<const C extends Record<string, FieldDeclaration>>(frozen: string, causes: C) {
  return { MMIO_FROZEN: { at: bit(0), about: frozen }, ...causes, ...PEST_A_COMMON } as const;
}

/** PEST B; `where` says what the failing address is. */
export function pestBFields(stopped: string, where: string) {
  return {
    DMA_STOPPED: { at: bit(0), about: stopped },
    ADDRESS: { at: bits(3, 63), about: where },
  } as const satisfies Record<string, FieldDeclaration>;
}

const MMIO_FROZEN = bit(0);
const DMA_STOPPED = bit(0);
const ADDRESS = bits(3, 63);

/** Reads and writes entries of a bridge that tells these causes apart. */
export class PestFormat<C extends string> {
  readonly causes: readonly C[];
  readonly #at: Readonly<Record<C, FieldDeclaration>>;

  constructor(causes: Readonly<Record<C, FieldDeclaration>>) {
    this.#at = causes;
    this.causes = Object.keys(causes) as C[];
  }

  decode(a: bigint, b: bigint): PestEntry<C> {
    const numberIn = (at: FieldSpec): number => Number(getField(a, at));
    return {
      mmioFrozen: numberIn(MMIO_FROZEN) === 1,
      dmaStopped: getField(b, DMA_STOPPED) === 1n,
      causes: this.causes.filter((cause) => numberIn(this.#at[cause].at) === 1),
      transactionType: TRANSACTION_TYPES[numberIn(PEST_A_COMMON.TRANSACTION_TYPE.at)]!,
      lemBit: numberIn(PEST_A_COMMON.LEM_BIT.at),
      requesterId: numberIn(PEST_A_COMMON.REQUESTER_ID.at),
      msiData: numberIn(PEST_A_COMMON.MSI_DATA.at),
      address: getField(b, ADDRESS),
    };
  }

  /** The words of an entry; parts left out are zero. Reserved bits are always zero. */
  encode(entry: Partial<PestEntry<C>>): PestWords {
    const parts: (readonly [FieldSpec, number])[] = [
      [MMIO_FROZEN, entry.mmioFrozen === true ? 1 : 0],
      [PEST_A_COMMON.TRANSACTION_TYPE.at, TRANSACTION_TYPE[entry.transactionType ?? 'dma-write']],
      [PEST_A_COMMON.LEM_BIT.at, entry.lemBit ?? 0],
      [PEST_A_COMMON.REQUESTER_ID.at, entry.requesterId ?? 0],
      [PEST_A_COMMON.MSI_DATA.at, entry.msiData ?? 0],
      ...(entry.causes ?? []).map((cause) => [this.#at[cause].at, 1] as const),
    ];
    const a = parts.reduce((word, [at, value]) => setField(word, at, checked(at, value)), 0n);
    const stopped = setField(0n, DMA_STOPPED, entry.dmaStopped === true ? 1n : 0n);
    // An address of 64 bits loses its top three, as in the chip: there is no room for them.
    return { a, b: setField(stopped, ADDRESS, entry.address ?? 0n) };
  }
}

function checked(at: FieldSpec, value: number): bigint {
  if (Number.isInteger(value) && value >= 0 && value < 2 ** fieldWidth(at)) return BigInt(value);
  throw new RangeError(
    `${value} does not fit in bits ${at.first}:${at.last} of PEST A: give a whole number of ${fieldWidth(at)} bits`,
  );
}
