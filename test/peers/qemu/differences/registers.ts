/** Differences in the PHB's register page. */
import { TRAP_NAMES } from '../../../../src/ioda2/error-bits/bit-lists.js';
import { type TrapSuffix, trapRegisterName } from '../../../../src/ioda2/registers/errors.js';
import { PHB_REGISTERS } from '../../../../src/ioda2/registers/phb.js';
import { UTL_REGISTERS } from '../../../../src/ioda2/registers/utl.js';
import type { Difference } from '../compare.js';
import { REGISTER_PAGE_BYTES } from '../steps.js';
import {
  all,
  type DifferenceRule,
  named,
  neverWritten,
  onlyBits,
  oursAllOnes,
  oursIs,
  qemuIs,
  qemuStores,
  register,
  registerOfKind,
  unit,
} from './rule.js';

const UTL_NAMES = Object.keys(UTL_REGISTERS);

const oursAtReset = ({ place, ours }: Difference): boolean =>
  ours !== 0n && ours === PHB_REGISTERS.byOffset(place.index)?.reset;
const SUMMARIES = ['PHB_DMA_CHAN_STATUS', 'PHB_CPU_LOADSTORE_STATUS', 'PHB_ETU_ERR_SUMMARY'] as const;
/** Status, first status and logs of each trap: only what errors that were met have put there, or software did. */
function recordOfErrors({ place, ours, stored, conditions }: Difference): boolean {
  for (const trap of TRAP_NAMES) {
    const met = conditions.raised[trap];
    const name = (suffix: TrapSuffix): string => trapRegisterName(trap, suffix);
    if (place.name === name('ERR_STATUS')) return (ours & ~met) === 0n;
    if (place.name === name('ERR1_STATUS')) return (ours & ~met) === 0n || ours === stored;
    if (place.name === name('ERR_LOG_0') || place.name === name('ERR_LOG_1')) return met !== 0n;
  }
  return false;
}
/** The LEM holds what was written, and bits of errors that were met. */
const lemGathers = ({ ours, qemu, conditions }: Difference): boolean =>
  (qemu & ~ours) === 0n && (ours & ~qemu & ~conditions.raised.LEM) === 0n;
const ERROR_INJECTS = ['', 'OUT_', 'INA_', 'INB_'].map((trap) => `PHB_${trap}ERR_INJECT`);
const PRESENCE_PINS = 0x0030_0000_0000_0000n;
const LOCK_BIT = 1n << 63n;

export const REGISTER_RULES: readonly DifferenceRule[] = [
  {
    id: 'fenced',
    reason: 'errors',
    where: 'any load while the AIB is fenced',
    qemu: 'answers: it knows no fence',
    ours: 'all ones; stores are lost',
    why: 'a fence cuts the bridge from the processor bus until a complete reset; only SCOM and ASB still work',
    source: 'skiboot hw/phb3.c: phb3_fenced, phb3_eeh_freeze_clear',
    explains: all(
      ({ conditions }) => conditions.fenced,
      ({ place }) => place.path === 'mmio',
      oursAllOnes,
    ),
  },
  {
    id: 'utl-in-core-reset',
    reason: 'errors',
    where: 'UTL registers (0x400..0x5c8) while the core is in reset (DL_PGRESET)',
    qemu: 'answers',
    ours: 'loads read ones, stores are lost',
    why: 'firmware waits for DL_PGRESET to fall before it touches these registers: loads time out until then',
    source: 'skiboot hw/phb3.c: phb3_wait_dlp_reset',
    explains: all(unit('register'), named(...UTL_NAMES), oursAllOnes, ({ conditions }) => conditions.coreInReset),
  },
  {
    id: 'load-across-the-page-end',
    reason: 'choice',
    where: 'misaligned load of which one half lies beyond the register page',
    qemu: 'splits it: ones from the page, 0 from beyond',
    ours: 'all ones',
    why: 'it is one access of the bus, and refused as a whole',
    source: 'qemu pnv_phb3_reg_read; (M)',
    explains: all(
      unit('register-part'),
      oursAllOnes,
      qemuIs(0xffff_ffff_0000_0000n),
      ({ place }) => place.index + place.size > REGISTER_PAGE_BYTES,
    ),
  },
  {
    id: 'unnamed-offsets',
    reason: 'storage',
    where: 'offsets that no source names',
    qemu: 'stores what is written',
    ours: 'reads 0, and records a bad register address',
    why: 'QEMU keeps the page as an array of 512 words; a chip has registers only where it has them',
    source: 'qemu pnv_phb3_reg_write; (M)',
    explains: all(unit('register'), ({ place }) => place.name.startsWith('0x'), qemuStores, oursIs(0n)),
  },
  {
    id: 'read-only-registers',
    reason: 'storage',
    where: 'registers declared read-only: versions, capabilities, debug words, tag status',
    qemu: 'stores what is written',
    ours: 'a write changes nothing',
    why: 'they show state of the chip',
    source: 'skiboot include/phb3-regs.h; access kinds (M)',
    explains: all(
      registerOfKind('read-only'),
      qemuStores,
      ({ place, ours }) => ours === PHB_REGISTERS.byOffset(place.index)!.reset,
    ),
  },
  {
    id: 'write-one-clears',
    reason: 'storage',
    where: 'status registers: UTL, DLP and trap status',
    qemu: 'stores what is written',
    ours: 'ones clear; bits rise only with errors',
    why: 'firmware writes ones to clear them and expects 0 afterwards',
    source: 'skiboot hw/phb3.c: phb3_init_utl, phb3_err_ER_clear',
    explains: all(
      registerOfKind('write-1-to-clear'),
      qemuStores,
      ({ stored, ours }) => stored !== undefined && (ours & stored) === 0n,
    ),
  },
  {
    id: 'write-only-registers',
    reason: 'storage',
    where: 'registers that only take commands',
    qemu: 'reads back what was written',
    ours: 'reads 0',
    why: 'a command is no state; firmware never reads them for a value',
    source: 'skiboot include/phb3-regs.h; (M)',
    explains: all(registerOfKind('write-only'), qemuStores, oursIs(0n)),
  },
  {
    id: 'errors-recorded',
    reason: 'errors',
    where: 'trap status, first status and logs',
    qemu: 'plain storage: nothing is ever recorded',
    ours: 'shows errors met: here a bad register address or an injected error',
    why: 'QEMU has no error traps',
    source: 'skiboot hw/phb3.c: phb3_read_phb_status, phb3_err_ER_clear',
    explains: all(unit('register'), qemuStores, recordOfErrors),
  },
  {
    id: 'error-summaries',
    reason: 'errors',
    where: 'PHB_DMA_CHAN_STATUS, PHB_CPU_LOADSTORE_STATUS, PHB_ETU_ERR_SUMMARY',
    qemu: 'plain storage',
    ours: 'summary of the traps',
    why: 'firmware reads ETU_ERR_SUMMARY to learn whether anything is left to clear',
    source: 'skiboot hw/phb3.c: phb3_eeh_freeze_clear, phb3_read_phb_status',
    explains: all(register(...SUMMARIES), qemuStores),
  },
  {
    id: 'error-injection',
    reason: 'errors',
    where: 'PHB_ERR_INJECT, PHB_OUT_ERR_INJECT, PHB_INA_ERR_INJECT, PHB_INB_ERR_INJECT',
    qemu: 'plain storage',
    ours: 'an armed bit is gone when it has fired',
    why: 'QEMU has no error traps',
    source: 'open-power op-test OpTestEEH.py; (M)',
    explains: all(unit('register'), named(...ERROR_INJECTS), qemuStores, ({ ours, qemu }) => (ours & ~qemu) === 0n),
  },
  {
    id: 'lem-gathers',
    reason: 'errors',
    where: 'PHB_LEM_FIR_ACCUM, PHB_LEM_WOF',
    qemu: 'changes by writes only',
    ours: 'gathers the errors of the traps',
    why: 'QEMU has no error traps',
    source: 'skiboot hw/phb3.c: phb3_err_check_lem',
    explains: all(register('PHB_LEM_FIR_ACCUM', 'PHB_LEM_WOF'), qemuStores, lemGathers),
  },
  {
    id: 'reset-values',
    reason: 'empty',
    where: 'registers that do not start at 0, before they are written: PHB_RESET',
    qemu: '0',
    ours: 'the reset value: PERST is released',
    why: 'a log line of a real machine shows the register after the reset and before firmware writes it',
    source: 'skiboot issue 190',
    explains: all(unit('register'), qemuIs(0n), named('PHB_RESET'), neverWritten('PHB_RESET'), oursAtReset),
  },
  {
    id: 'lem-mask-at-reset',
    reason: 'choice',
    where: 'PHB_LEM_ERROR_MASK before it is first written',
    qemu: 'starts at 0',
    ours: 'starts with everything masked',
    why: 'no source gives the reset value; firmware writes all ones before it looks at the LEM',
    source: 'skiboot hw/phb3.c: phb3_init_errors; (M)',
    explains: all(register('PHB_LEM_ERROR_MASK'), neverWritten('PHB_LEM_ERROR_MASK')),
  },
  {
    id: 'dma-read-sync',
    reason: 'choice',
    where: 'PHB_DMARD_SYNC',
    qemu: 'complete, whatever was asked',
    ours: 'complete once a start was written',
    why: 'nobody reads it without having started a sync',
    source: 'qemu pnv_phb3_reg_read; (M)',
    explains: all(register('PHB_DMARD_SYNC'), onlyBits(0xc000_0000_0000_0000n)),
  },
  {
    id: 'system-config-fixed',
    reason: 'empty',
    where: 'PHB_PCIE_SYSTEM_CONFIG',
    qemu: 'always 0x441100fc30000000',
    ours: 'keeps what is written',
    why: 'firmware writes the slot bit and the highest link speed there',
    source: 'skiboot hw/phb3.c: phb3_init_hw (Init_8); qemu pnv_phb3_reg_read',
    explains: all(
      register('PHB_PCIE_SYSTEM_CONFIG'),
      qemuIs(0x4411_00fc_3000_0000n),
      ({ ours, stored }) => ours === stored,
    ),
  },
  {
    id: 'link-training',
    reason: 'link',
    where: 'PHB_PCIE_DLP_TRAIN_CTL',
    qemu: 'in-band presence and link active follow what is plugged in',
    ours: 'follow reset, PERST and training in time',
    why: 'QEMU has no link to train',
    source: 'skiboot hw/phb3.c: phb3_poll_link, phb3_wait_dlp_reset; qemu pnv_phb3_reg_read',
    explains: register('PHB_PCIE_DLP_TRAIN_CTL'),
  },
  {
    id: 'link-management',
    reason: 'link',
    where: 'PHB_PCIE_LINK_MANAGEMENT',
    qemu: 'plain storage',
    ours: 'shows whether the link is active; commands to change speed or width are gone once taken',
    why: 'QEMU has no link',
    source: 'skiboot hw/phb3.c: phb3_link_update',
    explains: all(register('PHB_PCIE_LINK_MANAGEMENT'), qemuStores),
  },
  {
    id: 'presence-pins',
    reason: 'link',
    where: 'PHB_HOTPLUG_OVERRIDE bits 10 and 11',
    qemu: 'plain storage',
    ours: 'show the presence pins of the slot, low while a card is in it',
    why: 'QEMU has no pins; firmware takes presence from here',
    source: 'skiboot hw/phb3.c: phb3_get_presence_state',
    explains: all(register('PHB_HOTPLUG_OVERRIDE'), qemuStores, onlyBits(PRESENCE_PINS)),
  },
  {
    id: 'quiesce-status',
    reason: 'empty',
    where: 'PHB_QUIESCE_DMA_G',
    qemu: 'keeps the quiesce bit only',
    ours: 'also shows which response queues are idle',
    why: 'QEMU completes everything at once and stops nothing',
    source: 'qemu pnv_phb3_reg_write; (M)',
    explains: register('PHB_QUIESCE_DMA_G'),
  },
  {
    id: 'locks-taken-by-reading',
    reason: 'choice',
    where: 'PHB_LOCK0, PHB_LOCK1',
    qemu: 'plain storage',
    ours: 'a read takes the lock, as with PHB_FFI_LOCK',
    why: 'no source says; the name and the place beside FFI_LOCK suggest it',
    source: '(M)',
    explains: all(register('PHB_LOCK0', 'PHB_LOCK1'), onlyBits(LOCK_BIT)),
  },
];
