/** What an error of a bridge leaves behind under the enables that firmware programs: the form in which each bridge's rules stand. */

/**
 * `single`: the PE of the request; `row`: those its PELT-V row lists; `pe and row`: both; `none`: only information;
 * `fence`: no PE, the bridge fences.
 */
export type Reach = 'single' | 'row' | 'pe and row' | 'all' | 'none' | 'fence';

export interface ErrorRule {
  readonly lem: number;
  readonly reach: Reach;
  /** Bits of PEST A, IBM numbering. */
  readonly causes: readonly number[];
  readonly type: number;
  readonly keeps: readonly ('rid' | 'address' | 'data')[];
}

export const rule = (
  lem: number,
  reach: Reach,
  causes: readonly number[],
  type: number,
  keeps: ErrorRule['keeps'] = [],
): ErrorRule => ({ lem, reach, causes, type, keeps });

/** Kinds of operations in PEST A. */
export const WRITE = 0;
export const MSI = 1;
export const READ = 2;
export const LOAD = 4;
export const STORE = 5;
export const OTHER = 7;
export const FROM_DEVICE = ['rid', 'address'] as const;

export interface ErrorDetail {
  readonly rid?: number;
  readonly address?: bigint;
  readonly data?: number;
}

const ibm = (bit: number): bigint => 1n << BigInt(63 - bit);
const FAIL_ADDRESS = (1n << 61n) - 1n;

/** Both words of the entry, without the freeze bits. */
export function pestOf({ lem, causes, type, keeps }: ErrorRule, detail: ErrorDetail): readonly [a: bigint, b: bigint] {
  const kept = (part: 'rid' | 'address' | 'data', value: bigint): bigint => (keeps.includes(part) ? value : 0n);
  const a =
    causes.reduce((sum, bit) => sum | ibm(bit), 0n) |
    (BigInt(type) << 56n) |
    (BigInt(lem) << 32n) |
    (kept('rid', BigInt(detail.rid ?? 0)) << 16n) |
    kept('data', BigInt(detail.data ?? 0));
  return [a, kept('address', detail.address ?? 0n) & FAIL_ADDRESS];
}
