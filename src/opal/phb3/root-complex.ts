/**
 * Set-up of the root port's configuration space. Source: skiboot hw/phb3.c: phb3_init_rc_cfg. Facts: ioda2-phb3 8.2 (45 to 76), 8.3.
 */
import { CORRECTABLE } from '../../pcie/aer-capability.js';
import { COMMAND_FIELDS } from '../../pcie/config-header.js';
import type { Process } from '../../sim/process.js';
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
import { configOf, updateConfig } from './config.js';
import type { Phb3 } from './phb3.js';

/** Timeout value 0xf leaves the timing of requests to the core; ARI is forwarded. */
const DEVICE_CONTROL_2 = 0x002f;

/** What is missing, if the root port is not what it should be. */
export function* initRootComplex(phb: Phb3): Process<'PCI Express capability' | 'AER capability' | undefined> {
  const pci = configOf(phb);
  yield* writeRootPort(pci, ROOT_HEADER);
  const express = phb.rootCapabilities?.express ?? (yield* findExpress(pci, ROOT_PORT));
  if (express === undefined) return 'PCI Express capability';
  yield* writeRootPort(pci, rootExpress(express, DEVICE_CONTROL_2));
  const aer = phb.rootCapabilities?.aer ?? (yield* findAer(pci, ROOT_PORT));
  if (aer === undefined) return 'AER capability';
  phb.rootCapabilities = { express, aer };
  // Without a link the receiver sees noise.
  yield* writeRootPort(pci, rootErrors(aer, CE_MASK | (phb.hasLink ? 0 : CORRECTABLE.RECEIVER)));
  yield* updateConfig(phb, { bdfn: ROOT_PORT, offset: aer + AER.AER_CONTROL, size: 4 }, { set: ECRC });
  yield* writeRootPort(pci, rootReporting(aer));
  return undefined;
}

/** Lets requests through; I/O stays off, there is none. */
export function* enableRootComplex(phb: Phb3): Process<void> {
  const { MEMORY, BUS_MASTER, PARITY, SERR } = COMMAND_FIELDS;
  yield* writeRootPort(configOf(phb), [
    [CONFIG.COMMAND, 2, MEMORY | BUS_MASTER | PARITY | SERR],
    [CONFIG.STATUS, 2, ROOT_STATUS],
  ]);
}
