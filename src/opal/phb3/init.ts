/**
 * Initialisation of one PHB3, at boot and inside a complete reset. Numbers are the firmware's step numbers.
 * Source: skiboot hw/phb3.c: phb3_init_hw and what it calls. Facts: ioda2-phb3 8.2.
 */
import { ALL_ONES, setField } from '../../hw/bits.js';
import { CORE_ERROR_LOG_NAMES } from '../../ioda/phb-registers.js';
import { TRAP_NAMES } from '../../ioda2/error-bits/bit-lists.js';
import { trapRegisterName } from '../../ioda2/registers/errors.js';
import { PHB_REGISTERS, type PhbRegisterName } from '../../ioda2/registers/phb.js';
import { delay, type Process } from '../../sim/process.js';
import { ms, us } from '../../sim/time.js';
import { awaitCoreReset, trapSetup } from '../bridge-init.js';
import { word } from '../field-words.js';
import { OpalStatus } from '../opal-api.js';
import { phbBits } from './access.js';
import {
  aibSetup,
  CORE_RESETS_RELEASED,
  foldRevision,
  LEM_ERROR_MASK,
  LEM_SETUP,
  OLDEST_REVISION,
  PHB_CONTROL,
  PHB_CONTROL_NAPLES,
  PHB3_CONFIG_STEPS,
  pecSetup,
  type RegisterWrite,
  Revision,
  representTimer,
  SYS_LINK_INIT_PHB2,
  TCE_SPECULATION,
  TCE_WATERMARK_MURANO_DD20,
  TIMEOUTS,
  TRAP_ROUTING,
  utlSetup,
} from './init-values.js';
import { loadTables } from './mapping.js';
import type { Phb3 } from './phb3.js';
import { M32_PCI_START, PHB_LSI_SOURCE_ID } from './probe.js';
import { enableRootComplex, initRootComplex } from './root-complex.js';
import { ISN_COUNT } from './tables.js';

const ETU_RELEASE_NS = ms(100);
const IODA_READY_NS = us(2);
const CORE_RESET_POLL_NS = us(10);
const MAX_LINK_SPEED = 3;

/** `boot`: the first initialisation after power-on; `reset`: inside a complete reset, with caches to load again. */
export type InitOccasion = 'boot' | 'reset';

/** Leaves the PHB broken, and says why in the log, if it does not come up. */
export function* initPhb3(phb: Phb3, occasion: InitOccasion): Process<number> {
  if (phb.profile.brokenInit === 'corrected') phb.broken = false;
  if (occasion === 'reset' && phb.profile.reinitLinkFlag === 'corrected') phb.hasLink = false;
  const failure = yield* runInit(phb, occasion);
  phb.broken = failure !== undefined;
  if (failure === undefined) return OpalStatus.SUCCESS;
  phb.log(`Failed to initialize PHB: ${failure}`);
  return OpalStatus.HARDWARE;
}

function* runInit(phb: Phb3, occasion: InitOccasion): Process<string | undefined> {
  const unusable = (yield* releaseEtu(phb)) ?? (yield* checkRevision(phb));
  if (unusable !== undefined) return unusable;
  for (const [register, value] of aibSetup(phb.revision)) yield* phb.access.writeAsb(register, value);
  yield* initPcieStack(phb);
  yield* initIoda(phb);
  for (const register of CORE_ERROR_LOG_NAMES) yield* phb.access.write(register, ALL_ONES);
  // 43.
  const root = (yield* awaitCoreReset(phb.access, CORE_RESET_POLL_NS)) ?? (yield* initRootPort(phb));
  if (root !== undefined) return root;
  yield* writeAll(phb, utlSetup(phb.hasLink ? 'link-up' : 'link-down'));
  yield* phb.access.write('PHB_CONTROL', controlWord(phb, occasion));
  yield* initErrors(phb);
  const errors = yield* phb.access.read('PHB_ETU_ERR_SUMMARY');
  if (errors !== 0n) return `errors before the first transaction: ${errors.toString(16)}`;
  yield* enableRootComplex(phb);
  yield* enableErrors(phb);
  return undefined;
}

function* writeAll(phb: Phb3, writes: readonly RegisterWrite[]): Process<void> {
  for (const [register, value] of writes) yield* phb.access.write(register, value);
}

/** 1: nothing but SCOM reaches the PHB before this. */
function* releaseEtu(phb: Phb3): Process<string | undefined> {
  const config = yield* phb.access.readNest('HARDWARE_CONFIG0');
  if (config === ALL_ONES) return 'SCOM does not answer';
  yield* phb.access.writeNest('HARDWARE_CONFIG0', pecSetup(config));
  yield* phb.access.writePci('ETU_RESET', 0n);
  yield* delay(ETU_RELEASE_NS);
  return undefined;
}

function* checkRevision(phb: Phb3): Process<string | undefined> {
  const version = yield* phb.access.readAsb('PHB_VERSION');
  if (version === 0n || version === ALL_ONES) return 'no version: the PHB does not answer';
  phb.revision = foldRevision(version);
  if (phb.revision < OLDEST_REVISION) return `revision ${phb.revision.toString(16)} is too old`;
  return undefined;
}

/** 8 to 13. The AIB carries MMIO from here on. PERST stays asserted. */
function* initPcieStack(phb: Phb3): Process<void> {
  const { access, board } = phb;
  const config = yield* access.read('PHB_PCIE_SYSTEM_CONFIG');
  const field = (name: string) => PHB_REGISTERS.field('PHB_PCIE_SYSTEM_CONFIG', name).at;
  const speed = Math.min(board.maxLinkSpeed ?? MAX_LINK_SPEED, MAX_LINK_SPEED);
  const noSlot = setField(config, field('SLOT_IMPLEMENTED'), 0n);
  yield* access.write('PHB_PCIE_SYSTEM_CONFIG', setField(noSlot, field('MAX_LINK_SPEED'), BigInt(speed)));
  yield* access.read('PHB_PCIE_SYSTEM_CONFIG');
  for (const [lane, preset] of (board.laneEqualisation ?? []).entries()) {
    yield* access.write(`PHB_PCIE_LANE_EQ_CNTL${lane}` as PhbRegisterName, preset);
  }
  if (phb.index === 2 && phb.revision < Revision.NAPLES_DD10) {
    yield* access.write('PHB_PCIE_SYS_LINK_INIT', SYS_LINK_INIT_PHB2);
  }
  yield* access.read('PHB_RESET');
  yield* access.write('PHB_RESET', CORE_RESETS_RELEASED);
}

/** 14 to 36: where the tables are, then what is in them. */
function* initIoda(phb: Phb3): Process<void> {
  const { rtt, peltv, pest, ivt } = phb.tables.addresses;
  const { m32 } = phb.unit.windows;
  const bar = (register: PhbRegisterName, address: number): bigint => BigInt(address) | phbBits(register, 'ENABLE');
  yield* writeAll(phb, [
    ['PHB_LSI_SOURCE_ID', word(PHB_REGISTERS, 'PHB_LSI_SOURCE_ID', { LSI_SOURCE_ID: PHB_LSI_SOURCE_ID })],
    ['PHB_RTT_BAR', bar('PHB_RTT_BAR', rtt)],
    ['PHB_PELTV_BAR', bar('PHB_PELTV_BAR', peltv)],
    ['PHB_IVT_BAR', bar('PHB_IVT_BAR', ivt) | BigInt(ISN_COUNT)],
    ['PHB_RBA_BAR', 0n],
    ['PHB_M32_BASE_ADDR', BigInt(m32.base)],
    ['PHB_M32_BASE_MASK', BigInt.asUintN(64, -BigInt(m32.bytes))],
    ['PHB_M32_START_ADDR', BigInt(M32_PCI_START)],
    ['PHB_PEST_BAR', bar('PHB_PEST_BAR', pest)],
    ['PHB_M64_UPPER_BITS', 0n],
    ['PHB_INTREP_TIMER', representTimer(phb.revision)],
  ]);
  for (const step of PHB3_CONFIG_STEPS) yield* phb.access.write('PHB_PHB3_CONFIG', step);
  yield* delay(IODA_READY_NS);
  yield* loadTables(phb);
}

/** 44 to 76. */
function* initRootPort(phb: Phb3): Process<string | undefined> {
  yield* phb.access.write('UTL_PCIE_PORT_STATUS', ALL_ONES);
  const missing = yield* initRootComplex(phb);
  return missing && `the root port has no ${missing}`;
}

/** 87. The 32-bit bypass of Naples is set at the first initialisation only, probably by oversight. */
function controlWord(phb: Phb3, occasion: InitOccasion): bigint {
  const bypasses = occasion === 'boot' || phb.profile.naplesBypass === 'corrected';
  return phb.revision >= Revision.NAPLES_DD10 && bypasses ? PHB_CONTROL | PHB_CONTROL_NAPLES : PHB_CONTROL;
}

/** 88 to 128: clears and routes every error; freezes and fences are live from here on. */
function* initErrors(phb: Phb3): Process<void> {
  yield* phb.access.write('PHB_LEM_ERROR_MASK', ALL_ONES);
  for (const trap of TRAP_NAMES) yield* writeAll(phb, trapSetup(trap, TRAP_ROUTING[trap]));
  yield* writeAll(phb, LEM_SETUP);
}

/** 136 to 143. */
function* enableErrors(phb: Phb3): Process<void> {
  for (const trap of TRAP_NAMES) {
    yield* phb.access.write(trapRegisterName(trap, 'ERR_IRQ_ENABLE'), TRAP_ROUTING[trap].irq);
  }
  yield* phb.access.write('PHB_LEM_ERROR_MASK', LEM_ERROR_MASK);
  yield* phb.access.write('PHB_TCE_SPEC_CTL', TCE_SPECULATION);
  if (phb.revision === Revision.MURANO_DD20) {
    yield* phb.access.writeAsb('PHB_TCE_WATERMARK', TCE_WATERMARK_MURANO_DD20);
  }
  yield* writeAll(phb, TIMEOUTS);
}
