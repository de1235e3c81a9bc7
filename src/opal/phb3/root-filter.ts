/**
 * Accesses to the root port that firmware turns into something else: link control becomes a width or speed change, and
 * missing upper prefetchable registers are kept in software. Source: skiboot hw/phb3.c: phb3_pcicfg_rc_link_speed,
 * phb3_link_update, phb3_pcicfg_rc_pref_window. Facts: ioda2-phb3 7.10.4.
 */
import { ALL_ONES, setField } from '../../hw/bits.js';
import { PHB_REGISTERS } from '../../ioda2/registers/phb.js';
import { delay, type Process } from '../../sim/process.js';
import { ms } from '../../sim/time.js';
import type { ConfigTarget } from '../pci-config.js';
import { CONFIG, EXPRESS } from '../pci-registers.js';
import { phbBits } from './access.js';
import { readByMmio, writeByMmio } from './config-cycle.js';
import type { Phb3 } from './phb3.js';

const ROOT_PORT = 0;
/** 0x28 to 0x33: prefetchable upper base and limit, I/O upper base and limit. */
export const PREFETCHABLE_BYTES = 12;
const TYPE_64_BIT = 1;
const MAX_WIDTH = 16;
const MAX_SPEED = 3;
const PENDING_POLLS = 10;
const DONE_POLLS = 100;
const AUTONOMOUS_SPEED_DISABLE = 0x0020;

const linkField = (name: string) => PHB_REGISTERS.field('PHB_PCIE_LINK_MANAGEMENT', name).at;
const WIDTH_CHANGE_PENDING = phbBits('PHB_PCIE_LINK_MANAGEMENT', 'WIDTH_CHANGE_PENDING');
const SPEED_NEEDS_LNKCTL2 = phbBits('PHB_PCIE_LINK_MANAGEMENT', 'SPEED_NEEDS_LNKCTL2');

function isRootPort(phb: Phb3, bdfn: number): boolean {
  return bdfn === ROOT_PORT && phb.rootCapabilities !== undefined;
}

/** Byte in the stand-in for the prefetchable upper registers, if the access falls there. */
function cachedByte({ offset }: ConfigTarget): number | undefined {
  const at = offset - CONFIG.PREFETCHABLE_BASE_UPPER;
  return at >= 0 && at < PREFETCHABLE_BYTES ? at : undefined;
}

/** The value of a read that does not reach the hardware. */
export function filterRead(phb: Phb3, target: ConfigTarget): number | undefined {
  const at = cachedByte(target);
  if (target.bdfn !== ROOT_PORT || phb.prefetchableCache === undefined || at === undefined) return undefined;
  let value = 0;
  for (let i = target.size - 1; i >= 0; i--) value = value * 256 + phb.prefetchableCache[at + i]!;
  return at === 0 ? value | TYPE_64_BIT : value;
}

/** True if the write is done with. */
export function* filterWrite(phb: Phb3, target: ConfigTarget, value: number): Process<boolean> {
  if (!isRootPort(phb, target.bdfn)) return false;
  const at = cachedByte(target);
  if (phb.prefetchableCache !== undefined && at !== undefined) {
    for (let i = 0; i < target.size; i++) phb.prefetchableCache[at + i] = Math.floor(value / 256 ** i) & 0xff;
    return true;
  }
  const status = requestedLinkStatus(phb, target, value);
  if (status === undefined) return false;
  yield* changeLink(phb, status);
  return true;
}

/** The link status half of a write to link control (4 bytes) or link status (2 bytes). */
function requestedLinkStatus(phb: Phb3, { offset, size }: ConfigTarget, value: number): number | undefined {
  const express = phb.rootCapabilities!.express;
  if (offset === express + EXPRESS.LNKCTL && size === 4) return value >>> 16;
  if (offset === express + EXPRESS.LNKSTA && size === 2) return value;
  return undefined;
}

const clamp = (value: number, max: number): number => Math.min(Math.max(value, 1), max);

function* changeLink(phb: Phb3, status: number): Process<void> {
  yield* changeWidth(phb, clamp((status >> 4) & 0x3f, MAX_WIDTH));
  yield* changeSpeed(phb, clamp(status & 0xf, MAX_SPEED));
}

function* changeWidth(phb: Phb3, width: number): Process<void> {
  const management = yield* phb.access.read('PHB_PCIE_LINK_MANAGEMENT');
  const request = setField(management, linkField('TARGET_WIDTH'), BigInt(width));
  yield* phb.access.write('PHB_PCIE_LINK_MANAGEMENT', setField(request, linkField('CHANGE_WIDTH'), 1n));
  if (!(yield* awaitPending(phb, PENDING_POLLS, 'set'))) return;
  yield* awaitPending(phb, DONE_POLLS, 'clear');
}

function* awaitPending(phb: Phb3, polls: number, wanted: 'set' | 'clear'): Process<boolean> {
  for (let poll = 0; poll < polls; poll++) {
    const management = yield* phb.access.read('PHB_PCIE_LINK_MANAGEMENT');
    if (management === ALL_ONES) return false;
    const pending = (management & WIDTH_CHANGE_PENDING) !== 0n ? 'set' : 'clear';
    if (pending === wanted) return true;
    yield* delay(ms(1));
  }
  return false;
}

/** The speed change is not awaited: firmware does not either. */
function* changeSpeed(phb: Phb3, speed: number): Process<void> {
  const management = yield* phb.access.read('PHB_PCIE_LINK_MANAGEMENT');
  if ((management & SPEED_NEEDS_LNKCTL2) !== 0n) yield* allowAutonomousSpeed(phb);
  const request = setField(management, linkField('TARGET_SPEED'), BigInt(speed));
  yield* phb.access.write('PHB_PCIE_LINK_MANAGEMENT', setField(request, linkField('CHANGE_SPEED'), 1n));
}

function* allowAutonomousSpeed(phb: Phb3): Process<void> {
  const target = { bdfn: ROOT_PORT, offset: phb.rootCapabilities!.express + EXPRESS.LNKCTL2, size: 2 } as const;
  const value = yield* readByMmio(phb, target);
  yield* writeByMmio(phb, target, value & ~AUTONOMOUS_SPEED_DISABLE);
}
