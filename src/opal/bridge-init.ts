/**
 * Steps of a bridge's initialisation that the drivers share; the values are each driver's own. Facts: ioda2-phb3 8.2,
 * ioda1-p7ioc 8.6. Source: skiboot hw/phb3.c: phb3_init_errors, phb3_wait_dlp_reset; skiboot p7ioc hw/p7ioc-phb.c:
 * p7ioc_phb_init_errors, p7ioc_phb_wait_dlp_reset.
 */
import { ALL_ONES, fieldMask } from '../hw/bits.js';
import type { TrapName } from '../ioda/bit-lists.js';
import { PHB_FORMS } from '../ioda/phb-registers.js';
import { type TrapRegisterName, type TrapSuffix, trapRegisterName } from '../ioda/trap-registers.js';
import { delay, type Process } from '../sim/process.js';
import { ms, type TimeNs } from '../sim/time.js';

const CORE_RESET = fieldMask(PHB_FORMS.PHB_PCIE_DLP_TRAIN_CTL.fields.DL_PGRESET.at);
const CORE_RESET_LIMIT_NS = ms(400);

interface TrainAccess {
  read(register: 'PHB_PCIE_DLP_TRAIN_CTL'): Process<bigint>;
}

/** UTL and configuration space do not answer before the core leaves reset. Says what is wrong if it does not. */
export function* awaitCoreReset(access: TrainAccess, pollNs: TimeNs): Process<string | undefined> {
  for (let poll = 0; poll < CORE_RESET_LIMIT_NS / pollNs; poll++) {
    const state = yield* access.read('PHB_PCIE_DLP_TRAIN_CTL');
    if ((state & CORE_RESET) === 0n) return undefined;
    yield* delay(pollNs);
  }
  return 'timeout waiting for the core to leave reset';
}

/** Where the errors of one trap go, bit by bit. */
export interface TrapRouting {
  readonly lem: bigint;
  readonly freeze: bigint;
  readonly fence: bigint;
  /** Errors that are not even latched. */
  readonly statusMask: bigint;
}

/** One trap, cleared and routed, in the order of writing. */
export function trapSetup(
  trap: TrapName,
  { lem, freeze, fence, statusMask }: TrapRouting,
): (readonly [TrapRegisterName, bigint])[] {
  const values: readonly (readonly [TrapSuffix, bigint])[] = [
    ['ERR_STATUS', ALL_ONES],
    ['ERR1_STATUS', 0n],
    ['ERR_LEM_ENABLE', lem],
    ['ERR_FREEZE_ENABLE', freeze],
    ['ERR_AIB_FENCE_ENABLE', fence],
    ['ERR_LOG_0', 0n],
    ['ERR_LOG_1', 0n],
    ['ERR_STATUS_MASK', statusMask],
    ['ERR1_STATUS_MASK', statusMask],
  ];
  return values.map(([suffix, value]) => [trapRegisterName(trap, suffix), value]);
}
