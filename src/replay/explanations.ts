/**
 * Why a value read from the chip differs from the recording, as a table of rules. Each rule names a register, the bits that may
 * differ, and the reason: almost always that the recorder's model is simpler than the chip. A difference outside these bits is
 * unexplained. Facts: ioda2-phb3 11.1, and the sections named below.
 */
import { ALL_ONES, msbMask, msbMasks } from '../hw/bits.js';
import { allOnes, unswapConfig } from '../ioda/byte-order.js';
import type { PhbRegisterName } from '../ioda2/registers/phb.js';
import { type RootComplexRegister, rootComplexLayout } from '../ioda2/root-complex.js';
import type { IodaTableName } from '../ioda2/tables.js';
import type { ReadTarget } from './read-target.js';

export interface Explanation {
  readonly id: string;
  readonly reason: string;
}

/** A read that differs, with what is known of the moment. */
export interface Difference {
  readonly target: ReadTarget;
  readonly sizeBytes: number;
  readonly recorded: bigint;
  readonly answered: bigint;
  /** The recorder's nest FIR last said that this PHB is fenced or dead. */
  readonly recorderFenced: boolean;
  /** The whole PHB, and with it the card, has been reset since the recording began. */
  readonly wasReset: boolean;
}

const NEVER_FREEZES: Explanation = {
  id: 'recorder-never-freezes',
  reason: 'The recorder has no error half: the injected error froze the PE on the chip, nothing froze in the recorder.',
};
const PLAIN_STORAGE: Explanation = {
  id: 'recorder-is-plain-storage',
  reason:
    'The recorder stores what software writes; on the chip this register acts on a write and keeps nothing of it.',
};
const ROOT_PORT_MODEL: Explanation = {
  id: 'root-port-model',
  reason:
    "The recorder's generic root port has other capabilities and another order of them than the chip's root port.",
};
const NO_SLOT: Explanation = {
  id: 'no-slot-registers',
  reason:
    'Firmware cleared the slot bit of SYSTEM_CONFIG, so the chip has no slot registers; the recorder ignores that bit.',
};
const LINK_MODEL: Explanation = {
  id: 'link-model',
  reason: "The recorder's link is always up at 2.5 GT/s x1; the chip's trains to what the card and the port can do.",
};

interface RegisterRule {
  readonly why: Explanation;
  /** Bits that may differ. */
  readonly bits: bigint;
}

const TRAIN_CONTROL: Explanation = {
  id: 'train-control-from-presence',
  reason:
    'The recorder makes this register from the presence of a device alone; the chip shows reset, presence and link state.',
};
const SYSTEM_CONFIG: Explanation = {
  id: 'system-config-constant',
  reason: 'The recorder answers a constant here; the chip keeps what firmware wrote (slot bit cleared).',
};

const RESET_LINES: Explanation = {
  id: 'reset-register-at-power-on',
  reason: "The recorder's register is 0 at first; a real chip came out of reset with the PERST line released.",
};

const LINK_STATE_BITS = msbMasks(19, 21, 22, 23);

const PHB_RULES: Readonly<Partial<Record<PhbRegisterName, RegisterRule>>> = {
  PHB_PCIE_SYSTEM_CONFIG: { why: SYSTEM_CONFIG, bits: msbMask(15) },
  PHB_RESET: { why: RESET_LINES, bits: msbMask(2) },
  PHB_PCIE_DLP_TRAIN_CTL: { why: TRAIN_CONTROL, bits: LINK_STATE_BITS },
  PHB_IVC_UPDATE: { why: PLAIN_STORAGE, bits: ALL_ONES },
  UTL_PCIE_PORT_STATUS: { why: PLAIN_STORAGE, bits: ALL_ONES },
  UTL_RC_STATUS: { why: PLAIN_STORAGE, bits: ALL_ONES },
  UTL_SYS_BUS_AGENT_STATUS: { why: PLAIN_STORAGE, bits: ALL_ONES },
  PHB_ERR_STATUS: { why: PLAIN_STORAGE, bits: ALL_ONES },
  PHB_OUT_ERR_STATUS: { why: PLAIN_STORAGE, bits: ALL_ONES },
  PHB_INA_ERR_STATUS: { why: PLAIN_STORAGE, bits: ALL_ONES },
  PHB_INB_ERR_STATUS: { why: PLAIN_STORAGE, bits: ALL_ONES },
};

/** Where the chip may have bits set that the recorder has not: it recorded an error, the recorder did not. */
const ERROR_STATE_REGISTERS: readonly PhbRegisterName[] = [
  'PHB_ETU_ERR_SUMMARY',
  'PHB_LEM_FIR_ACCUM',
  'PHB_LEM_WOF',
  'PHB_CPU_LOADSTORE_STATUS',
  'PHB_DMA_CHAN_STATUS',
  'PHB_ERR1_STATUS',
  'PHB_OUT_ERR1_STATUS',
  'PHB_INA_ERR1_STATUS',
  'PHB_INB_ERR1_STATUS',
  'PHB_OUT_ERR_LOG_0',
  'PHB_OUT_ERR_LOG_1',
  'PHB_INA_ERR_LOG_0',
  'PHB_INA_ERR_LOG_1',
  'PHB_INB_ERR_LOG_0',
  'PHB_INB_ERR_LOG_1',
];
const ERROR_STATE_TABLES: readonly IodaTableName[] = ['PESTA', 'PESTB', 'PEEV'];

/** Bits of root-port registers that may differ, counted as PCI does. */
const ROOT_PORT_RULES: Readonly<Partial<Record<RootComplexRegister, { why: Explanation; bits: number }>>> = {
  CAPABILITY_POINTER: { why: ROOT_PORT_MODEL, bits: 0xff },
  PM_CAP: { why: ROOT_PORT_MODEL, bits: 0xffff },
  PMC: { why: ROOT_PORT_MODEL, bits: 0xffff },
  PMCSR: { why: ROOT_PORT_MODEL, bits: 0xffff },
  PCIE_CAP: { why: ROOT_PORT_MODEL, bits: 0xff00 },
  PCIE_FLAGS: { why: NO_SLOT, bits: 0x0100 },
  SLTCAP: { why: NO_SLOT, bits: 0xffff_ffff },
  SLTCTL: { why: NO_SLOT, bits: 0xffff },
  SLTSTA: { why: NO_SLOT, bits: 0xffff },
  DEVCAP: { why: ROOT_PORT_MODEL, bits: 0x7 },
  DEVCAP2: { why: ROOT_PORT_MODEL, bits: 0xffff_ffff },
  DEVCTL2: { why: ROOT_PORT_MODEL, bits: 0x1f },
  LNKCAP: { why: LINK_MODEL, bits: 0x00ff_ffff },
  LNKCAP2: { why: LINK_MODEL, bits: 0xffff_ffff },
  LNKSTA: { why: LINK_MODEL, bits: 0xffff },
  LNKCTL2: { why: LINK_MODEL, bits: 0xf },
  RTCAP: { why: ROOT_PORT_MODEL, bits: 0x1 },
  RTCTL: { why: ROOT_PORT_MODEL, bits: 0x10 },
  AER_CAP: { why: ROOT_PORT_MODEL, bits: 0xffff_0000 },
  /** Also the number of the first error, which the chip keeps of a lost link. */
  AER_CONTROL: { why: ROOT_PORT_MODEL, bits: 0x21f },
  COMMAND: {
    why: { id: 'parity-bit', reason: 'The recorder does not keep the parity error response bit that firmware sets.' },
    bits: 0x40,
  },
  UE_MASK: {
    why: {
      id: 'aer-mask',
      reason: "The recorder's root port reads 0 here whatever is written; the chip keeps the mask.",
    },
    bits: 0xffff_ffff,
  },
  UE_STATUS: { why: NEVER_FREEZES, bits: 0xffff_ffff },
};

const RECORDER_FENCED: Explanation = {
  id: 'recorder-fenced',
  reason: "The recorder's model was patched to fence on this error; on the chip the fence enables of the traps decide.",
};
const RECORDER_FENCE_BIT: Explanation = {
  id: 'recorder-fence-bit',
  reason:
    'The recorder was patched to show its own choice of fence bits; the reactions of firmware and Linux are what counts.',
};
const RECORDER_WOF: Explanation = {
  id: 'recorder-latches-masked-wof',
  reason: 'The patched recorder latches masked error bits in WOF too; on the chip masked bits stay out of it.',
};
const NEST_RESET: Explanation = {
  id: 'recorder-resets-nest',
  reason: 'The patched recorder clears the PBCQ with the ETU; on the chip an ETU reset leaves the PBCQ alone.',
};
const RESET_BELOW: Explanation = {
  id: 'recorder-keeps-state-below',
  reason:
    'A complete reset takes the root port with it, and asserts PERST to the card; the recorder leaves both as they were.',
};
const CARD_OPTIONS: Explanation = {
  id: 'card-without-rom',
  reason: 'The recorded card was started without its option ROM.',
};

const ROOT_PORT = 0;
const ROM_BAR = 0x30;
const ROOT_LAYOUT = Object.entries(rootComplexLayout({ maxSpeed: 3, maxWidth: 16 })).map(([name, register]) => ({
  name: name as RootComplexRegister,
  ...register,
}));

/** The rule that accounts for a difference, or `undefined`. */
export function explain(difference: Difference): Explanation | undefined {
  const { target, recorded, recorderFenced, sizeBytes } = difference;
  if (recorderFenced && recorded === allOnes(sizeBytes)) return RECORDER_FENCED;
  switch (target.kind) {
    case 'register':
      return explainRegister(difference, target);
    case 'table':
      return ERROR_STATE_TABLES.includes(target.table) ? onlyChipHasBits(difference) : undefined;
    case 'config':
      return target.target === ROOT_PORT
        ? explainRootPort(difference, target.offset)
        : explainCard(difference, target.offset);
    case 'undeclared':
      return undefined;
  }
}

function explainRegister(
  difference: Difference,
  target: { window: string; register: string },
): Explanation | undefined {
  const { recorded, answered, wasReset } = difference;
  if (target.window === 'nest') {
    const isFence = target.register === 'NFIR' || target.register === 'NFIR_WOF';
    if (isFence && (answered & ~recorded) === 0n) return RECORDER_FENCE_BIT;
    return target.register === 'HARDWARE_CONFIG0' && wasReset ? NEST_RESET : undefined;
  }
  if (target.window !== 'phb') return undefined;
  const name = target.register as PhbRegisterName;
  const rule = PHB_RULES[name];
  if (rule && ((recorded ^ answered) & ~rule.bits) === 0n) return rule.why;
  if (name === 'PHB_LEM_WOF' && answered === 0n) return RECORDER_WOF;
  return ERROR_STATE_REGISTERS.includes(name) ? onlyChipHasBits(difference) : undefined;
}

function onlyChipHasBits({ recorded, answered }: Difference): Explanation | undefined {
  return (recorded & ~answered) === 0n ? NEVER_FREEZES : undefined;
}

/** Every differing byte must belong to a register with a rule that covers it; the first rule is the answer. */
function explainRootPort(difference: Difference, offset: number): Explanation | undefined {
  const { recorded, answered, sizeBytes, wasReset } = difference;
  const differing = unswapConfig(recorded ^ answered, sizeBytes);
  let first: Explanation | undefined;
  for (let at = 0; at < sizeBytes; at++) {
    const byte = Math.floor(differing / 2 ** (8 * at)) & 0xff;
    if (byte === 0) continue;
    const rule = ruleForByte(offset + at);
    const covered = rule !== undefined && (byte & ~rule.byteMask) === 0;
    if (!covered && !wasReset) return undefined;
    first ??= covered ? rule.why : RESET_BELOW;
  }
  return first;
}

function ruleForByte(offset: number): { why: Explanation; byteMask: number } | undefined {
  const register = ROOT_LAYOUT.find(({ at, size }) => offset >= at && offset < at + size);
  const rule = register && ROOT_PORT_RULES[register.name];
  if (!register || !rule) return undefined;
  return { why: rule.why, byteMask: Math.floor(rule.bits / 2 ** (8 * (offset - register.at))) & 0xff };
}

function explainCard(difference: Difference, offset: number): Explanation | undefined {
  if (difference.wasReset) return RESET_BELOW;
  return offset === ROM_BAR && difference.recorded === 0n ? CARD_OPTIONS : undefined;
}
