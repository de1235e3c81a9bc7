/**
 * Initialisation of one PHB, at boot and inside a complete reset. Numbers are the firmware's step numbers. The link is left to
 * the slot. Source: skiboot p7ioc hw/p7ioc-phb.c: p7ioc_phb_init and what it calls. Facts: ioda1-p7ioc 8.6.
 */
import { ALL_ONES } from '../../hw/bits.js';
import { CORE_ERROR_LOG_NAMES } from '../../ioda/phb-registers.js';
import { PHB_REGISTERS } from '../../ioda1/registers/phb.js';
import { COMMAND_FIELDS } from '../../pcie/config-header.js';
import type { Process } from '../../sim/process.js';
import { ms } from '../../sim/time.js';
import { awaitCoreReset } from '../bridge-init.js';
import { word } from '../field-words.js';
import { OpalStatus } from '../opal-api.js';
import { findAer, findExpress } from '../pci-capability.js';
import { AER, CE_MASK, CONFIG } from '../pci-registers.js';
import {
  ECRC,
  ROOT_HEADER,
  ROOT_PORT,
  ROOT_STATUS,
  rootErrors,
  rootExpress,
  rootReporting,
  writeRootPort,
} from '../root-port.js';
import { configOf } from './config.js';
import {
  AIB_SETUP,
  ERROR_SETUP,
  PHB_CONTROL,
  PHB2_CONFIG,
  type PhbWrite,
  RESET_FIRST,
  RESET_RUNNING,
  RUNNING_SETUP,
  SYSTEM_CONFIG,
  UTL_SETUP,
} from './init-values.js';
import { M32_PCI_START, type P7iocPhb } from './phb.js';
import { loadTables } from './table-load.js';

const CORE_RESET_POLL_NS = ms(1);

/** Leaves the PHB broken, and says why in the log, if it does not come up. */
export function* initPhb(phb: P7iocPhb): Process<number> {
  phb.broken = false;
  const failure = yield* runInit(phb);
  phb.broken = failure !== undefined;
  if (failure === undefined) return OpalStatus.SUCCESS;
  phb.log(`Initialization failed: ${failure}`);
  return OpalStatus.HARDWARE;
}

function* runInit(phb: P7iocPhb): Process<string | undefined> {
  const { access } = phb;
  phb.revision = chipLevel(phb, yield* access.readAsb('PHB_VERSION'));
  for (const [register, value] of AIB_SETUP) yield* access.writeAsb(register, value);
  yield* writeAll(phb, decoderSetup(phb));
  yield* loadTables(phb);
  for (const register of CORE_ERROR_LOG_NAMES) yield* access.write(register, ALL_ONES);
  // 48.
  const root = (yield* awaitCoreReset(access, CORE_RESET_POLL_NS)) ?? (yield* initRootPort(phb));
  if (root !== undefined) return root;
  yield* writeAll(phb, UTL_SETUP);
  yield* access.write('PHB_RESET', RESET_RUNNING);
  yield* access.write('PHB_CONTROL', PHB_CONTROL);
  // TCEs are dropped by the kill register only, not by what processors broadcast.
  yield* access.write('PHB_LEGACY_CTRL', 0n);
  yield* writeAll(phb, ERROR_SETUP);
  const errors = yield* access.read('PHB_ETU_ERR_SUMMARY');
  if (errors !== 0n) return `errors before the first transaction: ${errors.toString(16)}`;
  yield* enableRootPort(phb);
  yield* writeAll(phb, RUNNING_SETUP);
  return undefined;
}

function* writeAll(phb: P7iocPhb, writes: readonly PhbWrite[]): Process<void> {
  for (const [register, value] of writes) yield* phb.access.write(register, value);
}

const FAMILY_SHIFT = 16n;

/** The mask of the real firmware is as wide as the level alone, so that the family is lost. */
function chipLevel(phb: P7iocPhb, version: bigint): number {
  const familyMask = phb.profile.chipLevel === 'corrected' ? 0x00ff_0000n : 0xffffn;
  return Number(((version >> FAMILY_SHIFT) & familyMask) | (version & 0xffffn));
}

/** 7 to 17: the core leaves reset, interrupts get their names, windows and messages their addresses. */
function decoderSetup(phb: P7iocPhb): PhbWrite[] {
  const { ioWindow, m32Window } = phb;
  return [
    ['PHB_PCIE_SYSTEM_CONFIG', SYSTEM_CONFIG],
    ['PHB_RESET', RESET_FIRST],
    ['PHB_BUID', word(PHB_REGISTERS, 'PHB_BUID', { LSI: phb.lsiBuid, MSI: phb.msiBuid })],
    ['PHB_IO_BASE_ADDR', BigInt(ioWindow.base)],
    ['PHB_IO_BASE_MASK', BigInt.asUintN(64, -BigInt(ioWindow.bytes))],
    ['PHB_IO_START_ADDR', 0n],
    ['PHB_M32_BASE_ADDR', BigInt(m32Window.base)],
    ['PHB_M32_BASE_MASK', BigInt.asUintN(m32MaskBits(phb), -BigInt(m32Window.bytes))],
    ['PHB_M32_START_ADDR', BigInt(M32_PCI_START)],
    ['PHB_M64_UPPER_BITS', 0n],
    ['PHB_PHB2_CONFIG', PHB2_CONFIG],
  ];
}

const m32MaskBits = (phb: P7iocPhb): number => (phb.profile.m32Mask === 'corrected' ? 64 : 32);

/** Completion timeout of its second range; ARI is forwarded. */
const DEVICE_CONTROL_2 = 0x0022;

/** 49 to 81. */
function* initRootPort(phb: P7iocPhb): Process<string | undefined> {
  const pci = configOf(phb);
  yield* phb.access.write('UTL_PCIE_PORT_STATUS', ALL_ONES);
  yield* writeRootPort(pci, ROOT_HEADER);
  const express = phb.rootCapabilities?.express ?? (yield* findExpress(pci, ROOT_PORT));
  if (express === undefined) return 'the root port has no PCI Express capability';
  yield* writeRootPort(pci, rootExpress(express, DEVICE_CONTROL_2));
  // Looked for at every initialisation, unlike the other.
  const aer = yield* findAer(pci, ROOT_PORT);
  if (aer === undefined) return 'the root port has no AER capability';
  phb.rootCapabilities = { express, aer };
  yield* writeRootPort(pci, [...rootErrors(aer, CE_MASK), [aer + AER.AER_CONTROL, 4, ECRC], ...rootReporting(aer)]);
  return undefined;
}

/** 143 and 144: lets requests through. */
function* enableRootPort(phb: P7iocPhb): Process<void> {
  const { IO, MEMORY, BUS_MASTER, PARITY, SERR } = COMMAND_FIELDS;
  yield* writeRootPort(configOf(phb), [
    [CONFIG.STATUS, 2, ROOT_STATUS],
    [CONFIG.COMMAND, 2, IO | MEMORY | BUS_MASTER | PARITY | SERR],
  ]);
}
