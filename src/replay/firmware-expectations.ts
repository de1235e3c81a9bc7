/**
 * What firmware insists on when it reads, whatever a flat register file answered it: an answer of the chip that would have stopped
 * it, or kept it waiting where it went on. Sources: skiboot hw/phb3.c: phb3_init_hw, phb3_wait_dlp_reset, phb3_creset,
 * phb3_pci_msi_check_q.
 */
import { ALL_ONES, hex64, msbMask, msbMasks } from '../hw/bits.js';
import type { PbcqNestRegisterName } from '../ioda2/registers/pbcq.js';
import type { PhbRegisterName } from '../ioda2/registers/phb.js';
import { ms, type TimeNs } from '../sim/time.js';
import { formatTarget, type ReadTarget } from './read-target.js';

export interface Reading {
  readonly target: ReadTarget;
  readonly recorded: bigint;
  readonly answered: bigint;
  /** Firmware holds the slot in PERST: it expects no link. */
  readonly perst: 'asserted' | 'released';
}

/** Given the chip's answer and what firmware was told instead: why firmware would object, if it would. */
type Objection = (answered: bigint, recorded: bigint, perst: Reading['perst']) => string | undefined;

interface Expectation {
  readonly objects: Objection;
  /** A register that firmware polls: it looks again this often, for this long, before it gives up. */
  readonly poll?: { readonly everyNs: TimeNs; readonly forNs: TimeNs };
}

const CORE_IN_RESET = msbMask(22);
const LINK_ACTIVE = msbMask(23);
const ELECTRICAL = msbMasks(19, 23);
const OUTSTANDING = msbMasks(0, 1);

const version: Objection = (answered) =>
  answered === 0n || answered === ALL_ONES ? 'firmware takes this version for a broken PHB' : undefined;
/** A summary that shows errors only starts the clear sequence; all ones mean a fence nobody asked for. */
const errorSummary: Objection = (answered, recorded) =>
  answered === ALL_ONES && recorded !== ALL_ONES ? 'firmware takes all ones for a fenced PHB' : undefined;
const trainControl: Objection = (answered, recorded, perst) => {
  const missing = perst === 'released' ? recorded & ~answered : 0n;
  if ((answered & ~recorded & CORE_IN_RESET) !== 0n) return 'the core stays in reset where firmware went on';
  if ((missing & LINK_ACTIVE) !== 0n) return 'the link does not come up where firmware went on';
  return (missing & ELECTRICAL) !== 0n ? 'no card is detected where firmware went on' : undefined;
};
const lock: Objection = (answered, recorded) =>
  answered !== 0n && recorded === 0n ? 'the lock is held where firmware got it: it would poll without end' : undefined;
const drained: Objection = (answered, recorded) =>
  (answered & ~recorded & OUTSTANDING) !== 0n ? 'transactions stay outstanding where firmware went on' : undefined;
const nestErrors: Objection = (answered) =>
  answered === ALL_ONES ? 'firmware takes all ones for a dead SCOM path' : undefined;

/** Facts: ioda2-phb3 10.1. */
const PHB_EXPECTATIONS: Readonly<Partial<Record<PhbRegisterName, Expectation>>> = {
  PHB_VERSION: { objects: version },
  PHB_ETU_ERR_SUMMARY: { objects: errorSummary },
  PHB_PCIE_DLP_TRAIN_CTL: { objects: trainControl, poll: { everyNs: ms(1), forNs: ms(2100) } },
  PHB_FFI_LOCK: { objects: lock },
};
const NEST_EXPECTATIONS: Readonly<Partial<Record<PbcqNestRegisterName, Expectation>>> = {
  CQ_STATUS: { objects: drained, poll: { everyNs: ms(10), forNs: ms(5000) } },
  NFIR: { objects: nestErrors },
};

function expectationOf(target: ReadTarget): Expectation | undefined {
  if (target.kind !== 'register') return undefined;
  if (target.window === 'phb') return PHB_EXPECTATIONS[target.register as PhbRegisterName];
  return target.window === 'nest' ? NEST_EXPECTATIONS[target.register as PbcqNestRegisterName] : undefined;
}

/** Why firmware would not have gone on with this answer. */
export function firmwareRejects({ target, recorded, answered, perst }: Reading): string | undefined {
  const why = expectationOf(target)?.objects(answered, recorded, perst);
  return why === undefined ? undefined : `${formatTarget(target)} reads ${hex64(answered)}: ${why}`;
}

/** How firmware polls this register, if it does. */
export function pollOf(target: ReadTarget): { readonly everyNs: TimeNs; readonly forNs: TimeNs } | undefined {
  return expectationOf(target)?.poll;
}
