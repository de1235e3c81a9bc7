/** One reason why QEMU's PHB3 and ours answer differently, which differences it covers, and how such rules are put together. */

import type { AccessKind } from '../../../../src/hw/register.js';
import { PHB_REGISTERS, type PhbRegisterName } from '../../../../src/ioda2/registers/phb.js';
import type { Difference } from '../compare.js';
import type { Unit } from '../places.js';
import { ONES, PHB_BASE } from '../steps.js';

/** The reasons, in words. */
export const REASONS = {
  storage: 'QEMU stores what is written; the chip acts on it',
  empty: 'QEMU leaves this out: it answers nothing, or always the same',
  unchecked: 'QEMU does not check; the chip refuses and records an error',
  errors: 'QEMU records no errors and never freezes, fences or resets',
  link: 'QEMU has no link: what is plugged in is there at once and stays',
  wrong: 'QEMU does something else than firmware or the architecture rely on',
  choice: 'No source says how the chip behaves; this model chose, and so did QEMU',
  card: 'The emulated card or root port differs, not the bridge',
} as const satisfies Record<string, string>;

export type Reason = keyof typeof REASONS;

export interface DifferenceRule {
  readonly id: string;
  readonly reason: Reason;
  /** Registers, tables or flows. */
  readonly where: string;
  readonly qemu: string;
  readonly ours: string;
  readonly why: string;
  readonly source: string;
  readonly explains: (difference: Difference) => boolean;
}

type Test = (difference: Difference) => boolean;

export const all =
  (...tests: readonly Test[]): Test =>
  (difference) =>
    tests.every((test) => test(difference));
export const any =
  (...tests: readonly Test[]): Test =>
  (difference) =>
    tests.some((test) => test(difference));

// ---- where ----------------------------------------------------------------------------------------------------------

export const unit =
  (...units: readonly Unit[]): Test =>
  ({ place }) =>
    units.includes(place.unit);

export const named =
  (...names: readonly string[]): Test =>
  ({ place }) =>
    names.includes(place.name);

export const register = (...names: readonly PhbRegisterName[]): Test => all(unit('register'), named(...names));
export const table = (...names: readonly string[]): Test => all(unit('table'), named(...names));

export const registerOfKind =
  (...kinds: readonly AccessKind[]): Test =>
  ({ place }) => {
    const found = place.unit === 'register' ? PHB_REGISTERS.byOffset(place.index) : undefined;
    return found !== undefined && kinds.includes(found.access);
  };

// ---- what is answered -----------------------------------------------------------------------------------------------

/** What QEMU holds before the first write. */
const QEMU_AT_START: Readonly<Record<string, bigint>> = { PHB_VERSION: 0x0000_00a3_0000_0005n };

export const qemuStores: Test = ({ place, qemu, stored }) => qemu === (stored ?? QEMU_AT_START[place.name] ?? 0n);
export const qemuIs =
  (value: bigint): Test =>
  ({ qemu }) =>
    qemu === value;
export const oursIs =
  (value: bigint): Test =>
  ({ ours }) =>
    ours === value;
export const onesOf = (size: number): bigint => 2n ** BigInt(8 * size) - 1n;
export const oursAllOnes: Test = ({ ours, place }) => ours === onesOf(place.size);
export const qemuAllOnes: Test = ({ qemu, place }) => qemu === onesOf(place.size);
/** Only these bits differ. */
export const onlyBits =
  (mask: bigint): Test =>
  ({ qemu, ours }) =>
    ((qemu ^ ours) & ~mask & ONES) === 0n;

/** No store to the register itself came before; its AND and OR forms do not count. */
export const neverWritten =
  (name: PhbRegisterName): Test =>
  ({ steps, step }) =>
    !steps
      .slice(0, step)
      .some((each) => each.do === 'write' && each.size === 8 && each.at === PHB_BASE + PHB_REGISTERS.get(name).offset);

/** The register was last written with some of these bits set. */
export const writtenWith =
  (name: PhbRegisterName, bits: bigint): Test =>
  ({ written }) =>
    ((written(`register ${name} ${PHB_REGISTERS.get(name).offset}`) ?? 0n) & bits) !== 0n;
