/** Configuration cycles as firmware makes them, whatever the bridge below. Source: skiboot core/pci.c, include/pci-cfg.h. */
import type { Process } from '../sim/process.js';

export type ConfigSize = 1 | 2 | 4;

export interface ConfigTarget {
  readonly bdfn: number;
  readonly offset: number;
  readonly size: ConfigSize;
}

export interface ConfigReadResult {
  readonly rc: number;
  /** All ones of the access size whenever the read fails. */
  readonly value: number;
}

/** What every bridge can do. Values are in the processor's order. */
export interface ConfigAccess {
  configRead(target: ConfigTarget): Process<ConfigReadResult>;
  configWrite(target: ConfigTarget, value: number): Process<number>;
}

export const allOnes = (size: ConfigSize): number => 2 ** (8 * size) - 1;

// ---- firmware's own accesses: a refused read gives ones, a refused write is lost ---------------------------------------

export function* readConfig(pci: ConfigAccess, bdfn: number, offset: number, size: ConfigSize): Process<number> {
  return (yield* pci.configRead({ bdfn, offset, size })).value;
}

export function* writeConfig(pci: ConfigAccess, target: ConfigTarget, value: number): Process<void> {
  yield* pci.configWrite(target, value);
}

export interface ConfigChange {
  readonly set?: number;
  readonly clear?: number;
}

/** Reads, changes and writes back, always both. */
export function* updateConfig(pci: ConfigAccess, target: ConfigTarget, change: ConfigChange): Process<void> {
  const { value } = yield* pci.configRead(target);
  yield* pci.configWrite(target, ((value & ~(change.clear ?? 0)) | (change.set ?? 0)) >>> 0);
}
