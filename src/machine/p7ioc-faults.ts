/**
 * Faults of a P7IOC itself: fatal errors of its PHBs, set through the test registers of their traps as a service processor
 * can, and errors of the hub's units, which no software can cause. Facts: ioda1-p7ioc 7.4 to 7.6.
 */
import type { HubErrorKind, NestError } from '../faults/bridge-errors.js';
import type { FaultTarget } from '../faults/target.js';
import { ALL_ONES, getField, bit as lemBit, msbMask } from '../hw/bits.js';
import { expandBits, type TrapName } from '../ioda/bit-lists.js';
import { trapRegisterName } from '../ioda/trap-registers.js';
import { type ErrorClass, HUB_UNITS, type HubUnit, UNIT_CLASSES } from '../ioda1/error-bits/units.js';
import type { P7ioc } from '../ioda1/p7ioc.js';
import type { Ioda1Phb } from '../ioda1/phb.js';
import { HUB_REGISTERS, type HubRegisterName } from '../ioda1/registers/hub.js';
import { PHB_REGISTERS } from '../ioda1/registers/phb.js';

/** The trap bit of each fatal error; all of them fence. `forced`: the one an operating system's test files set too. */
export const P7IOC_FATAL: Readonly<Record<NestError, { readonly trap: TrapName; readonly bit: number }>> = {
  forced: { trap: 'OUT', bit: 0 },
  'register-parity': { trap: 'PHB', bit: 5 },
  'bus-data': { trap: 'OUT', bit: 10 },
  'array-bad': { trap: 'OUT', bit: 40 },
};

const CLASS_OF: Readonly<Record<HubErrorKind, ErrorClass>> = {
  informational: 'INF',
  malfunction: 'MAL',
  bridge: 'PHB',
  'register-access': 'RGA',
  clock: 'PLL',
  fatal: 'GXE',
};

export function p7iocFaultTargets(hub: P7ioc, phbs: readonly Ioda1Phb[]): readonly FaultTarget[] {
  return [
    ...phbs.map(phbTarget),
    { kind: 'hub', name: 'hub', report: (unit, error) => reportUnitError(hub, unit, CLASS_OF[error]) },
  ];
}

function phbTarget(phb: Ioda1Phb): FaultTarget {
  return {
    kind: 'phb',
    name: `phb${phb.index}`,
    raiseFatal: (error) => {
      const { trap, bit } = P7IOC_FATAL[error];
      const { offset } = PHB_REGISTERS.get(trapRegisterName(trap, 'ERR_INJECT'));
      phb.registerStore('asb', offset, WORD_BYTES, msbMask(bit));
    },
    jamReset: () => phb.jamCoreReset(),
  };
}

const WORD_BYTES = 8;

/**
 * The first error of the class that firmware lets through, else the first of it; of a port's errors of its bridge the first
 * that damage control makes fence it. Says why if the unit has none such.
 */
function reportUnitError(hub: P7ioc, unit: HubUnit, errorClass: ErrorClass): string | undefined {
  const bits = expandBits(UNIT_CLASSES[HUB_UNITS[unit].kind][errorClass] ?? []);
  if (bits.length === 0) return `${unit} has no error of that kind`;
  const mask = hub.registers.get(`${unit}_LEM_ERROR_MASK`);
  const fencing = errorClass === 'PHB' ? fencingErrors(hub, unit) : ALL_ONES;
  const seen = bits.find((bit) => getField(fencing & ~mask, lemBit(bit)) === 1n);
  hub.reportUnitError(unit, seen ?? bits[0]!);
  return undefined;
}

/** Error bits 0 to 15 of a port have an effect of their own. */
function fencingErrors(hub: P7ioc, unit: HubUnit): bigint {
  const register = `${unit}_LDCP` as HubRegisterName;
  const { at } = HUB_REGISTERS.field(register, 'PHB_FENCE');
  return getField(hub.registers.get(register), at) << FENCING_SHIFT;
}

const FENCING_SHIFT = 48n;
