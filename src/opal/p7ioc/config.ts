/**
 * Configuration accesses of a P7IOC PHB: the fence is looked up before each, then two accesses make the cycle.
 * Source: skiboot p7ioc hw/p7ioc-phb.c: p7ioc_pcicfg_check, P7IOC_PCI_CFG_READ, P7IOC_PCI_CFG_WRITE.
 * Facts: ioda1-p7ioc 6.1, opal-pci 5.1.
 */
import { PHB_REGISTERS } from '../../ioda1/registers/phb.js';
import type { Process } from '../../sim/process.js';
import { word } from '../field-words.js';
import { OpalStatus } from '../opal-api.js';
import {
  allOnes,
  type ConfigReadResult,
  type ConfigTarget,
  checkTarget,
  configCallsOf,
  swapped,
} from '../pci-config.js';
import type { RegisterPath } from './access.js';
import type { P7iocPhb } from './phb.js';

/** What to do while the PHB is fenced: refuse as for everybody, or go by the side path, which stays open. */
export type WhenFenced = 'refuse' | 'side-path';

/** The way of the cycle, or why there is none. */
function* pathOf(phb: P7iocPhb, target: ConfigTarget, whenFenced: WhenFenced): Process<RegisterPath | number> {
  const rc = checkTarget(target);
  if (rc !== OpalStatus.SUCCESS) return rc;
  if (phb.broken) return OpalStatus.HARDWARE;
  if (yield* phb.isFenced()) return whenFenced === 'side-path' ? 'asb' : OpalStatus.HARDWARE;
  return phb.configBlocked && target.bdfn !== 0 ? OpalStatus.HARDWARE : 'aib';
}

function* selectCycle(phb: P7iocPhb, { bdfn, offset }: ConfigTarget, path: RegisterPath): Process<void> {
  const address = word(PHB_REGISTERS, 'PHB_CONFIG_ADDRESS', { ENABLE: 1, BDFN: bdfn, REGISTER: offset });
  yield* phb.port.store(phb.access.addressOf('PHB_CONFIG_ADDRESS', path), 8, address);
}

/** Address of the lanes of the data register that a cycle uses. */
function dataAddress(phb: P7iocPhb, { offset, size }: ConfigTarget, path: RegisterPath): number {
  return phb.access.addressOf('PHB_CONFIG_DATA', path) + (offset & (4 - size));
}

/** OPAL_PCI_CONFIG_READ_*. A cycle that fails on the link still succeeds here, with ones: the freeze tells. */
export function* configRead(
  phb: P7iocPhb,
  target: ConfigTarget,
  whenFenced: WhenFenced = 'refuse',
): Process<ConfigReadResult> {
  const path = yield* pathOf(phb, target, whenFenced);
  if (typeof path === 'number') {
    phb.refusedCycles++;
    return { rc: path, value: allOnes(target.size) };
  }
  yield* selectCycle(phb, target, path);
  const data = yield* phb.port.load(dataAddress(phb, target, path), target.size);
  return { rc: OpalStatus.SUCCESS, value: swapped(Number(data), target.size) };
}

/** OPAL_PCI_CONFIG_WRITE_*. */
export function* configWrite(phb: P7iocPhb, target: ConfigTarget, value: number): Process<number> {
  const path = yield* pathOf(phb, target, 'refuse');
  if (typeof path === 'number') {
    phb.refusedCycles++;
    return path;
  }
  yield* selectCycle(phb, target, path);
  yield* phb.port.store(dataAddress(phb, target, path), target.size, BigInt(swapped(value, target.size)));
  return OpalStatus.SUCCESS;
}

export const { configOf, readConfig, writeConfig, updateConfig } = configCallsOf<P7iocPhb>({ configRead, configWrite });
