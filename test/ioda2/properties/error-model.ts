/** What each error leaves behind under the enables that firmware programs, written from the tables. Facts: ioda2-phb3 5.3, 7.6. */

/** `single`: the PE of the request; `row`: the PEs of its PELT-V row; `none`: only information; `fence`: no PE, the bridge fences. */
export type Reach = 'single' | 'row' | 'all' | 'none' | 'fence';

export interface ErrorRule {
  readonly lem: number;
  readonly reach: Reach;
  /** Bits of PEST A, IBM numbering. */
  readonly causes: readonly number[];
  readonly type: number;
  readonly keeps: readonly ('rid' | 'address' | 'data')[];
}

const rule = (lem: number, reach: Reach, causes: readonly number[], type: number, keeps: ErrorRule['keeps'] = []) => ({
  ...{ lem, reach, causes, type, keeps },
});

const WRITE = 0;
const MSI = 1;
const READ = 2;
const LOAD = 4;
const STORE = 5;
const OTHER = 7;
const FROM_DEVICE = ['rid', 'address'] as const;

export const RULES = {
  'completion-ca': rule(43, 'single', [8], LOAD),
  'completion-ur': rule(43, 'single', [9], LOAD),
  'config-write-ca': rule(12, 'single', [2, 4, 8], STORE),
  'config-write-ur': rule(12, 'single', [2, 4, 9], STORE),
  'config-write-lost': rule(15, 'none', [], STORE),
  'config-target': rule(15, 'none', [], LOAD),
  'no-window': rule(1, 'none', [], LOAD),
  'papr-load': rule(27, 'single', [2], LOAD, ['address']),
  'papr-store': rule(27, 'single', [2], STORE, ['address']),
  'papr-config-read': rule(27, 'single', [2, 3], LOAD),
  'papr-config-write': rule(27, 'single', [2, 4], STORE),
  'papr-dma-read': rule(39, 'single', [], READ, FROM_DEVICE),
  'papr-dma-write': rule(39, 'single', [], WRITE, FROM_DEVICE),
  'tve-read': rule(35, 'single', [16], READ, FROM_DEVICE),
  'tve-write': rule(35, 'single', [16], WRITE, FROM_DEVICE),
  'page-fault-read': rule(58, 'single', [16, 18, 19], READ, FROM_DEVICE),
  'page-fault-write': rule(58, 'single', [16, 18, 19], WRITE, FROM_DEVICE),
  'access-fault-read': rule(58, 'single', [16, 19], READ, FROM_DEVICE),
  'access-fault-write': rule(58, 'single', [16, 19], WRITE, FROM_DEVICE),
  'msi-mismatch': rule(33, 'single', [16], MSI, ['rid', 'address', 'data']),
  'msi-source': rule(34, 'single', [16], MSI, ['rid', 'address', 'data']),
  'msi-form': rule(42, 'fence', [], MSI),
  poisoned: rule(41, 'single', [13], WRITE, FROM_DEVICE),
  'no-pe': rule(53, 'none', [], OTHER),
  memory: rule(40, 'fence', [], OTHER),
  'unexpected-completion': rule(45, 'fence', [], OTHER),
  ERR_FATAL: rule(36, 'row', [11], OTHER, ['rid']),
  ERR_NONFATAL: rule(37, 'row', [10], OTHER, ['rid']),
  ERR_COR: rule(38, 'none', [14], OTHER, ['rid']),
  'link-down': rule(60, 'all', [15], OTHER),
} as const satisfies Record<string, ErrorRule>;
export type ErrorName = keyof typeof RULES;

export interface ErrorDetail {
  readonly rid?: number;
  readonly address?: bigint;
  readonly data?: number;
}

const ibm = (bit: number): bigint => 1n << BigInt(63 - bit);
const FAIL_ADDRESS = (1n << 61n) - 1n;

/** The two words in memory: without the freeze bits, which only the chip has. */
export function pestOf(name: ErrorName, detail: ErrorDetail): readonly [a: bigint, b: bigint] {
  const { lem, causes, type, keeps } = RULES[name] as ErrorRule;
  const kept = (part: 'rid' | 'address' | 'data', value: bigint): bigint => (keeps.includes(part) ? value : 0n);
  const a =
    causes.reduce((sum, bit) => sum | ibm(bit), 0n) |
    (BigInt(type) << 56n) |
    (BigInt(lem) << 32n) |
    (kept('rid', BigInt(detail.rid ?? 0)) << 16n) |
    kept('data', BigInt(detail.data ?? 0));
  return [a, kept('address', detail.address ?? 0n) & FAIL_ADDRESS];
}
