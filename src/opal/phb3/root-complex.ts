/**
 * Set-up of the root port's configuration space. Source: skiboot hw/phb3.c: phb3_init_rc_cfg. Facts: ioda2-phb3 8.2 (45 to 76), 8.3.
 */
import { CORRECTABLE } from '../../pcie/aer-capability.js';
import { BRIDGE_CONTROL_FIELDS, COMMAND_FIELDS, STATUS_FIELDS } from '../../pcie/config-header.js';
import type { Process } from '../../sim/process.js';
import { findAer, findExpress } from '../pci-capability.js';
import type { ConfigSize } from '../pci-config.js';
import {
  AER,
  AER_ECRC_CHECK,
  AER_ECRC_GENERATE,
  ALL_DEVICE_ERRORS,
  CE_MASK,
  CONFIG,
  EXPRESS,
  REPORT_ALL_ERRORS,
  ROOT_UE_MASK,
  ROOT_UE_SEVERITY,
} from '../pci-registers.js';
import { configOf, updateConfig, writeConfig } from './config.js';
import type { Phb3 } from './phb3.js';

export const ROOT_PORT = 0;
const ALL_ONES_32 = 0xffff_ffff;

/** Primary 0, secondary 1, subordinate 255: everything is below until the scan knows better. */
const BUS_NUMBERS = 0x00ff_0100;
/** Base above limit: nothing is forwarded downwards by address, everything upwards. */
const CLOSED_WINDOW = 0x0010;

/** System errors on all three severities, and retry status made visible. */
const ROOT_CONTROL = 0x0017;
/** Timeout value 0xf leaves the timing of requests to the core; ARI is forwarded. */
const DEVICE_CONTROL_2 = 0x002f;
export const ROOT_ERROR_COMMAND = 0x7;
export const ECRC = AER_ECRC_GENERATE | AER_ECRC_CHECK;

const ALL_STATUS =
  STATUS_FIELDS.SENT_TARGET_ABORT |
  STATUS_FIELDS.RECEIVED_TARGET_ABORT |
  STATUS_FIELDS.RECEIVED_MASTER_ABORT |
  STATUS_FIELDS.SENT_SERR |
  STATUS_FIELDS.DETECTED_PARITY;

type ConfigWrite = readonly [offset: number, size: ConfigSize, value: number];

function* writeAll(phb: Phb3, writes: readonly ConfigWrite[]): Process<void> {
  for (const [offset, size, value] of writes) yield* writeConfig(phb, { bdfn: ROOT_PORT, offset, size }, value);
}

/** What is missing, if the root port is not what it should be. */
export function* initRootComplex(phb: Phb3): Process<'PCI Express capability' | 'AER capability' | undefined> {
  yield* writeAll(phb, [
    [CONFIG.PRIMARY_BUS, 4, BUS_NUMBERS],
    [CONFIG.IO_BASE, 2, CLOSED_WINDOW],
    [CONFIG.MEMORY_BASE, 4, CLOSED_WINDOW],
    [CONFIG.PREFETCHABLE_BASE, 4, CLOSED_WINDOW],
    [CONFIG.BRIDGE_CONTROL, 2, BRIDGE_CONTROL_FIELDS.SERR],
  ]);
  const express = phb.rootCapabilities?.express ?? (yield* findExpress(configOf(phb), ROOT_PORT));
  if (express === undefined) return 'PCI Express capability';
  yield* writeAll(phb, [
    [express + EXPRESS.DEVSTA, 2, ALL_DEVICE_ERRORS],
    [express + EXPRESS.DEVCTL, 2, REPORT_ALL_ERRORS],
    [express + EXPRESS.RTCTL, 2, ROOT_CONTROL],
    [express + EXPRESS.DEVCTL2, 2, DEVICE_CONTROL_2],
  ]);
  const aer = phb.rootCapabilities?.aer ?? (yield* findAer(configOf(phb), ROOT_PORT));
  if (aer === undefined) return 'AER capability';
  phb.rootCapabilities = { express, aer };
  yield* initErrorReporting(phb, aer);
  return undefined;
}

function* initErrorReporting(phb: Phb3, aer: number): Process<void> {
  yield* writeAll(phb, [
    [aer + AER.UE_STATUS, 4, ALL_ONES_32],
    [aer + AER.UE_MASK, 4, ROOT_UE_MASK],
    [aer + AER.UE_SEVERITY, 4, ROOT_UE_SEVERITY],
    [aer + AER.CE_STATUS, 4, ALL_ONES_32],
    // Without a link the receiver sees noise.
    [aer + AER.CE_MASK, 4, CE_MASK | (phb.hasLink ? 0 : CORRECTABLE.RECEIVER)],
  ]);
  yield* updateConfig(phb, { bdfn: ROOT_PORT, offset: aer + AER.AER_CONTROL, size: 4 }, { set: ECRC });
  yield* writeAll(phb, [
    [aer + AER.ROOT_ERROR_COMMAND, 4, ROOT_ERROR_COMMAND],
    [aer + AER.ROOT_ERROR_STATUS, 4, ALL_ONES_32],
  ]);
}

/** Lets requests through; I/O stays off, there is none. */
export function* enableRootComplex(phb: Phb3): Process<void> {
  const { MEMORY, BUS_MASTER, PARITY, SERR } = COMMAND_FIELDS;
  yield* writeAll(phb, [
    [CONFIG.COMMAND, 2, MEMORY | BUS_MASTER | PARITY | SERR],
    [CONFIG.STATUS, 2, ALL_STATUS],
  ]);
}
