/**
 * Configuration accesses as OPAL checks them, for callers and for firmware itself.
 * Source: skiboot hw/phb3.c: phb3_pcicfg_check. Facts: opal-pci 5.1.
 */
import type { Process } from '../sim/process.js';
import { OpalStatus } from './opal-api.js';
import type { Phb3 } from './phb3.js';
import { type ConfigSize, type ConfigTarget, readByAsb, readByMmio, writeByMmio } from './phb3-config-cycle.js';
import { filterRead, filterWrite } from './phb3-root-filter.js';

export interface ConfigReadResult {
  readonly rc: number;
  /** All ones of the access size whenever the read fails. */
  readonly value: number;
}

/** What firmware does while the AIB is fenced: refuse as for everybody, or go round by the side path. */
type ConfigPath = 'aib' | 'asb';

const MAX_OFFSET = 0xfff;
const MAX_BDFN = 0xffff;

export const allOnes = (size: ConfigSize): number => 2 ** (8 * size) - 1;

function check(phb: Phb3, { bdfn, offset, size }: ConfigTarget, path: ConfigPath): number {
  if (offset < 0 || offset > MAX_OFFSET || bdfn < 0 || bdfn > MAX_BDFN) return OpalStatus.PARAMETER;
  if (offset % size !== 0) return OpalStatus.PARAMETER;
  // Bus 0 holds the root port and nothing else.
  if (bdfn > 0 && bdfn < 0x100) return OpalStatus.HARDWARE;
  if (phb.broken) return OpalStatus.HARDWARE;
  if (path === 'asb') return OpalStatus.SUCCESS;
  if (phb.aibFenced) return OpalStatus.HARDWARE;
  if (phb.configBlocked && bdfn !== 0) return OpalStatus.HARDWARE;
  return OpalStatus.SUCCESS;
}

/** OPAL_PCI_CONFIG_READ_*. A cycle that fails on the link still succeeds here, with ones: the freeze tells. */
export function* configRead(phb: Phb3, target: ConfigTarget, path: ConfigPath = 'aib'): Process<ConfigReadResult> {
  const rc = check(phb, target, path);
  if (rc !== OpalStatus.SUCCESS) return { rc, value: allOnes(target.size) };
  const filtered = filterRead(phb, target);
  if (filtered !== undefined) return { rc: OpalStatus.SUCCESS, value: filtered };
  const value = path === 'asb' ? yield* readByAsb(phb, target) : yield* readByMmio(phb, target);
  return { rc: OpalStatus.SUCCESS, value };
}

/** OPAL_PCI_CONFIG_WRITE_*. */
export function* configWrite(phb: Phb3, target: ConfigTarget, value: number): Process<number> {
  const rc = check(phb, target, 'aib');
  if (rc !== OpalStatus.SUCCESS) return rc;
  if (yield* filterWrite(phb, target, value)) return OpalStatus.SUCCESS;
  yield* writeByMmio(phb, target, value);
  return OpalStatus.SUCCESS;
}

// ---- firmware's own accesses: a refused read gives ones, a refused write is lost ---------------------------------------

export function* readConfig(phb: Phb3, bdfn: number, offset: number, size: ConfigSize): Process<number> {
  return (yield* configRead(phb, { bdfn, offset, size })).value;
}

export function* writeConfig(phb: Phb3, target: ConfigTarget, value: number): Process<void> {
  yield* configWrite(phb, target, value);
}

/** Reads, changes and writes back, always both. */
export function* updateConfig(
  phb: Phb3,
  target: ConfigTarget,
  change: { set?: number; clear?: number },
): Process<void> {
  const { value } = yield* configRead(phb, target);
  yield* configWrite(phb, target, ((value & ~(change.clear ?? 0)) | (change.set ?? 0)) >>> 0);
}
