/** Configuration cycles as firmware makes them, whatever the bridge below. Source: skiboot core/pci.c, include/pci-cfg.h. */
import type { Process } from '../sim/process.js';
import { OpalStatus } from './opal-api.js';

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

/** Configuration space is little-endian, the data registers of bridges big-endian. */
export function swapped(value: number, size: ConfigSize): number {
  if (size === 1) return value & 0xff;
  if (size === 2) return ((value & 0xff) << 8) | ((value >> 8) & 0xff);
  return (((value & 0xff) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0;
}

const MAX_OFFSET = 0xfff;
const MAX_BDFN = 0xffff;

/** What every bridge refuses before it looks at its own state. Source: skiboot hw/phb3.c: phb3_pcicfg_check. */
export function checkTarget({ bdfn, offset, size }: ConfigTarget): number {
  if (!(offset >= 0 && offset <= MAX_OFFSET && bdfn >= 0 && bdfn <= MAX_BDFN)) return OpalStatus.PARAMETER;
  if (offset % size !== 0) return OpalStatus.PARAMETER;
  // Bus 0 holds the root port and nothing else.
  return bdfn > 0 && bdfn < 0x100 ? OpalStatus.HARDWARE : OpalStatus.SUCCESS;
}

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

/** The same for one driver's code, which holds its PHB. */
export function configCallsOf<P>(calls: {
  readonly configRead: (phb: P, target: ConfigTarget) => Process<ConfigReadResult>;
  readonly configWrite: (phb: P, target: ConfigTarget, value: number) => Process<number>;
}) {
  /** For code that knows nothing of the chip. */
  const configOf = (phb: P): ConfigAccess => ({
    configRead: (target) => calls.configRead(phb, target),
    configWrite: (target, value) => calls.configWrite(phb, target, value),
  });
  return {
    configOf,
    readConfig: (phb: P, bdfn: number, offset: number, size: ConfigSize) =>
      readConfig(configOf(phb), bdfn, offset, size),
    writeConfig: (phb: P, target: ConfigTarget, value: number) => writeConfig(configOf(phb), target, value),
    updateConfig: (phb: P, target: ConfigTarget, change: ConfigChange) => updateConfig(configOf(phb), target, change),
  };
}
