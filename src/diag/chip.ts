/** One description per chip: which dump field is which register, and which bit of one register points to another. */
import type { BitTable } from './bit-table.js';
import type { DiagChip, DiagLayout } from './layout.js';
import { P7IOC_LAYOUT } from './p7ioc/layout.js';
import { P7IOC_ERR, P7IOC_INA, P7IOC_INB, P7IOC_LEM, P7IOC_NO_NEST, P7IOC_OUT, P7IOC_SUMMARY } from './p7ioc/tables.js';
import { PHB3_LAYOUT } from './phb3/layout.js';
import { PHB3_INA, PHB3_INB, PHB3_LEM, PHB3_NEST_FIR, PHB3_OUT, PHB3_PHB, PHB3_SUMMARY } from './phb3/tables.js';
import { PHB4_LAYOUT } from './phb4/layout.js';
import { PHB4_LEM } from './phb4/lem.js';
import { PHB4_DLP, PHB4_NEST_FIR, PHB4_PCI_FIR, PHB4_SUMMARY } from './phb4/nest.js';
import { PHB4_PBL } from './phb4/pbl.js';
import { PHB4_PHB_ERR } from './phb4/phb-err.js';
import { PHB4_REGB } from './phb4/regb.js';
import { PHB4_RXE_ARB } from './phb4/rxe-arb.js';
import { PHB4_RXE_MRG } from './phb4/rxe-mrg.js';
import { PHB4_RXE_TCE } from './phb4/rxe-tce.js';
import { PHB4_TXE } from './phb4/txe.js';

export interface TrapDescription {
  readonly label: string;
  readonly table: BitTable;
  readonly status: string;
  readonly first: string;
  readonly log0: string;
  readonly log1: string;
  /** Summary bits: bit number to the label of the trap it stands for. */
  readonly pointsTo?: Readonly<Record<number, string>>;
}

export interface ChipDescription {
  readonly chip: DiagChip;
  readonly layout: DiagLayout;
  readonly lem: BitTable;
  readonly nest: BitTable;
  readonly summary: BitTable;
  /** In the order of the text; the first is where the first-error chain enters. */
  readonly traps: readonly TrapDescription[];
  /** Further words that are bit lists: field name and table. */
  readonly extra: readonly { readonly label: string; readonly field: string; readonly table: BitTable }[];
  /** NFIR bits that, all set, mean firmware forced the fence. */
  readonly forcedFence: readonly number[];
  /** Undefined: the dump does not say; a first error that firmware lets fence the bridge tells. */
  readonly fenceBit: number | undefined;
  /** LEM bit that only says "look at the PCIe core registers". */
  readonly lemPointer: number | undefined;
  /** The last PE: requester IDs of devices that have none yet. */
  readonly reservedPes: readonly number[];
}

const trap = (label: string, prefix: string, table: BitTable, pointsTo?: Record<number, string>): TrapDescription => ({
  label,
  table,
  status: `${prefix}ErrorStatus`,
  first: `${prefix}FirstErrorStatus`,
  log0: `${prefix}ErrorLog0`,
  log1: `${prefix}ErrorLog1`,
  ...(pointsTo === undefined ? {} : { pointsTo }),
});

const PHB3: ChipDescription = {
  chip: 'phb3',
  layout: PHB3_LAYOUT,
  lem: PHB3_LEM,
  nest: PHB3_NEST_FIR,
  summary: PHB3_SUMMARY,
  traps: [
    trap('PhbErr', 'phb', PHB3_PHB),
    trap('OutErr', 'mmio', PHB3_OUT),
    trap('InAErr', 'dma0', PHB3_INA),
    trap('InBErr', 'dma1', PHB3_INB),
  ],
  extra: [],
  forcedFence: [24, 25, 26, 27],
  fenceBit: 16,
  lemPointer: undefined,
  reservedPes: [0xff],
};

const P7IOC: ChipDescription = {
  chip: 'p7ioc',
  layout: P7IOC_LAYOUT,
  lem: P7IOC_LEM,
  nest: P7IOC_NO_NEST,
  summary: P7IOC_SUMMARY,
  traps: [
    trap('PhbErr', 'phb', P7IOC_ERR),
    trap('OutErr', 'mmio', P7IOC_OUT),
    trap('InAErr', 'dma0', P7IOC_INA),
    trap('InBErr', 'dma1', P7IOC_INB),
  ],
  extra: [],
  forcedFence: [],
  fenceBit: undefined,
  lemPointer: undefined,
  reservedPes: [0x7f],
};

const PHB4: ChipDescription = {
  chip: 'phb4',
  layout: PHB4_LAYOUT,
  lem: PHB4_LEM,
  nest: PHB4_NEST_FIR,
  summary: PHB4_SUMMARY,
  traps: [
    trap('PhbErr', 'phb', PHB4_PHB_ERR, {
      20: 'RxeArbErr',
      21: 'RxeMrgErr',
      22: 'RxeTceErr',
      23: 'PhbTxeErr',
      24: 'RegbErr',
      25: 'RegbErr',
      26: 'RegbErr',
    }),
    trap('PhbTxeErr', 'phbTxe', PHB4_TXE),
    trap('RxeArbErr', 'phbRxeArb', PHB4_RXE_ARB),
    trap('RxeMrgErr', 'phbRxeMrg', PHB4_RXE_MRG),
    trap('RxeTceErr', 'phbRxeTce', PHB4_RXE_TCE),
    trap('PblErr', 'phbPbl', PHB4_PBL),
    trap('RegbErr', 'phbRegb', PHB4_REGB, { 25: 'PblErr', 26: 'PblErr', 27: 'PblErr' }),
  ],
  extra: [
    { label: 'PcieDlp', field: 'phbPcieDlpErrorStatus', table: PHB4_DLP },
    { label: 'PCI FIR', field: 'pciFir', table: PHB4_PCI_FIR },
  ],
  forcedFence: [26],
  fenceBit: 16,
  lemPointer: 31,
  reservedPes: [0xff, 0x1ff],
};

export const CHIPS: Readonly<Record<DiagChip, ChipDescription>> = { p7ioc: P7IOC, phb3: PHB3, phb4: PHB4 };
