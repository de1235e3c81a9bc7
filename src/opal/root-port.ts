/**
 * Set-up of the root port's configuration space, as both bridges want it; what differs stays with them.
 * Source: skiboot hw/phb3.c: phb3_init_rc_cfg; skiboot p7ioc hw/p7ioc-phb.c: p7ioc_phb_init_rc_cfg.
 * Facts: ioda2-phb3 8.2 (45 to 76), 8.3, ioda1-p7ioc 8.6.
 */
import { BRIDGE_CONTROL_FIELDS, STATUS_FIELDS } from '../pcie/config-header.js';
import type { Process } from '../sim/process.js';
import { type ConfigAccess, type ConfigSize, writeConfig } from './pci-config.js';
import {
  AER,
  AER_ECRC_CHECK,
  AER_ECRC_GENERATE,
  ALL_DEVICE_ERRORS,
  CONFIG,
  EXPRESS,
  REPORT_ALL_ERRORS,
  ROOT_UE_MASK,
  ROOT_UE_SEVERITY,
} from './pci-registers.js';

export const ROOT_PORT = 0;
const ALL_ONES_32 = 0xffff_ffff;

/** Offsets of the root port's capabilities. */
export interface RootCapabilities {
  readonly express: number;
  readonly aer: number;
}

/** Primary 0, secondary 1, subordinate 255: everything is below until the scan knows better. */
const BUS_NUMBERS = 0x00ff_0100;
/** Base above limit: nothing is forwarded downwards by address, everything upwards. */
const CLOSED_WINDOW = 0x0010;
/** System errors on all three severities, and retry status made visible. */
const ROOT_CONTROL = 0x0017;
export const ROOT_ERROR_COMMAND = 0x7;
export const ECRC = AER_ECRC_GENERATE | AER_ECRC_CHECK;

export const ROOT_STATUS =
  STATUS_FIELDS.SENT_TARGET_ABORT |
  STATUS_FIELDS.RECEIVED_TARGET_ABORT |
  STATUS_FIELDS.RECEIVED_MASTER_ABORT |
  STATUS_FIELDS.SENT_SERR |
  STATUS_FIELDS.DETECTED_PARITY;

export type ConfigWrite = readonly [offset: number, size: ConfigSize, value: number];

export function* writeRootPort(pci: ConfigAccess, writes: readonly ConfigWrite[]): Process<void> {
  for (const [offset, size, value] of writes) yield* writeConfig(pci, { bdfn: ROOT_PORT, offset, size }, value);
}

/** Bus numbers, closed windows, system errors passed on. */
export const ROOT_HEADER: readonly ConfigWrite[] = [
  [CONFIG.PRIMARY_BUS, 4, BUS_NUMBERS],
  [CONFIG.IO_BASE, 2, CLOSED_WINDOW],
  [CONFIG.MEMORY_BASE, 4, CLOSED_WINDOW],
  [CONFIG.PREFETCHABLE_BASE, 4, CLOSED_WINDOW],
  [CONFIG.BRIDGE_CONTROL, 2, BRIDGE_CONTROL_FIELDS.SERR],
];

/** Every error is reported; `control2` is the chip's. */
export const rootExpress = (express: number, control2: number): readonly ConfigWrite[] => [
  [express + EXPRESS.DEVSTA, 2, ALL_DEVICE_ERRORS],
  [express + EXPRESS.DEVCTL, 2, REPORT_ALL_ERRORS],
  [express + EXPRESS.RTCTL, 2, ROOT_CONTROL],
  [express + EXPRESS.DEVCTL2, 2, control2],
];

/** What is left to the PHB's own traps is masked. */
export const rootErrors = (aer: number, correctableMask: number): readonly ConfigWrite[] => [
  [aer + AER.UE_STATUS, 4, ALL_ONES_32],
  [aer + AER.UE_MASK, 4, ROOT_UE_MASK],
  [aer + AER.UE_SEVERITY, 4, ROOT_UE_SEVERITY],
  [aer + AER.CE_STATUS, 4, ALL_ONES_32],
  [aer + AER.CE_MASK, 4, correctableMask],
];

export const rootReporting = (aer: number): readonly ConfigWrite[] => [
  [aer + AER.ROOT_ERROR_COMMAND, 4, ROOT_ERROR_COMMAND],
  [aer + AER.ROOT_ERROR_STATUS, 4, ALL_ONES_32],
];
