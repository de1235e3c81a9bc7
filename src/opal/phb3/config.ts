/**
 * Configuration accesses as OPAL checks them, for callers and for firmware itself.
 * Source: skiboot hw/phb3.c: phb3_pcicfg_check. Facts: opal-pci 5.1.
 */
import type { Process } from '../../sim/process.js';
import { OpalStatus } from '../opal-api.js';
import { allOnes, type ConfigReadResult, type ConfigTarget, checkTarget, configCallsOf } from '../pci-config.js';
import { readByAsb, readByMmio, writeByMmio } from './config-cycle.js';
import type { Phb3 } from './phb3.js';
import { filterRead, filterWrite } from './root-filter.js';

/** What firmware does while the AIB is fenced: refuse as for everybody, or go round by the side path. */
type ConfigPath = 'aib' | 'asb';

function* check(phb: Phb3, target: ConfigTarget, path: ConfigPath): Process<number> {
  const rc = checkTarget(target);
  if (rc !== OpalStatus.SUCCESS) return rc;
  if (phb.broken) return OpalStatus.HARDWARE;
  if (path === 'asb') return OpalStatus.SUCCESS;
  if (phb.profile.configFence === 'corrected') yield* phb.checkFence();
  if (phb.aibFenced) return OpalStatus.HARDWARE;
  if (phb.configBlocked && target.bdfn !== 0) return OpalStatus.HARDWARE;
  return OpalStatus.SUCCESS;
}

/** OPAL_PCI_CONFIG_READ_*. A cycle that fails on the link still succeeds here, with ones: the freeze tells. */
export function* configRead(phb: Phb3, target: ConfigTarget, path: ConfigPath = 'aib'): Process<ConfigReadResult> {
  const rc = yield* check(phb, target, path);
  if (rc !== OpalStatus.SUCCESS) {
    phb.refusedCycles++;
    return { rc, value: allOnes(target.size) };
  }
  const filtered = filterRead(phb, target);
  if (filtered !== undefined) return { rc: OpalStatus.SUCCESS, value: filtered };
  const value = path === 'asb' ? yield* readByAsb(phb, target) : yield* readByMmio(phb, target);
  return { rc: OpalStatus.SUCCESS, value };
}

/** OPAL_PCI_CONFIG_WRITE_*. */
export function* configWrite(phb: Phb3, target: ConfigTarget, value: number): Process<number> {
  const rc = yield* check(phb, target, 'aib');
  if (rc !== OpalStatus.SUCCESS) {
    phb.refusedCycles++;
    return rc;
  }
  if (yield* filterWrite(phb, target, value)) return OpalStatus.SUCCESS;
  yield* writeByMmio(phb, target, value);
  return OpalStatus.SUCCESS;
}

export const { configOf, readConfig, writeConfig, updateConfig } = configCallsOf<Phb3>({ configRead, configWrite });
