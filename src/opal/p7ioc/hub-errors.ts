/**
 * Errors that the hub reports: which unit, which class, and whose they are.
 * Source: skiboot p7ioc hw/p7ioc.c: p7ioc_check_GEM, p7ioc_check_LEM, p7ioc_err_bit, p7ioc_LEM_base, p7ioc_rgc_interrupt.
 * Facts: ioda1-p7ioc 7.4, 7.7, 12.2, 12.3.
 */
import { ALL_ONES, msbMask } from '../../hw/bits.js';
import {
  ciPortOfPhb,
  ERROR_CLASSES,
  type ErrorClass,
  gemBitOfPhb,
  HUB_UNIT_NAMES,
  HUB_UNITS,
  type HubUnit,
  type UnitKind,
  unitClassMask,
} from '../../ioda1/error-bits/units.js';
import { PHB_INDICES } from '../../ioda1/registers/hub-rgc.js';
import { type LemSuffix, lemRegisterName } from '../../ioda1/registers/lem.js';
import type { Process } from '../../sim/process.js';
import type { FirmwareProfile } from '../firmware-profile.js';
import { OpalStatus, PciError, Severity } from '../opal-api.js';
import { type NextError, NO_ERROR } from '../opal-results.js';
import { P7iocPhbAccess } from './access.js';
import type { ErrorSource, P7iocHub, PhbUnit } from './hub.js';

/** In the order in which firmware looks: the unit with the lowest bit wins. */
const GEM_ORDER: readonly (readonly [bit: number, source: HubUnit | PhbUnit])[] = [
  ...HUB_UNIT_NAMES.map((unit) => [HUB_UNITS[unit].gemBit, unit] as const),
  ...PHB_INDICES.map((phb) => [gemBitOfPhb(phb), `PHB${phb}`] as const),
].sort(([a], [b]) => a - b);

/** The hub's error interrupt. The event is raised for the first PHB: systems ask all of them anyway. */
export function* rgcInterrupt(hub: P7iocHub, irq: number): Process<void> {
  hub.log(`Got RGC interrupt 0x${irq.toString(16).padStart(4, '0')}`);
  yield* tellSource(hub);
}

/** After an error was cleared: the hub notes the next one as the first; what others report meanwhile is told again. */
export function* noteNextError(hub: P7iocHub): Process<void> {
  const reporting = yield* hub.access.read('GEM_RIRQFIR');
  yield* hub.access.write('GEM_RWOF', reporting);
  if (reporting !== 0n) yield* tellSource(hub);
}

function* tellSource(hub: P7iocHub): Process<void> {
  if (yield* findSource(hub)) hub.services.raisePciError(hub.phbAt(0)?.id ?? 0);
}

/** Finds the unit that reported first. The reads without a use have no effect on the chip. */
function* findSource({ access, error }: P7iocHub): Process<boolean> {
  if ((yield* access.read('GEM_XFIR')) === ALL_ONES) {
    error.source = 'NONE';
    error.class = 'GXE';
    error.setPending(true);
    return true;
  }
  yield* access.read('GEM_RFIR');
  yield* access.read('GEM_RIRQFIR');
  const first = yield* access.read('GEM_RWOF');
  yield* access.read('CHIP_FENCE_SHADOW');
  yield* access.read('CHIP_FENCE_WOF');
  error.source = GEM_ORDER.find(([bit]) => (first & msbMask(bit)) !== 0n)?.[1] ?? 'NONE';
  if (error.source === 'NONE') return false;
  error.setPending(true);
  return true;
}

/**
 * What next error says of the hub, if anything: decides the class of the error that is pending, and hands it to the PHB
 * it belongs to.
 */
export function* checkHub(hub: P7iocHub): Process<NextError | undefined> {
  const { error } = hub;
  if (!error.pending) return undefined;
  const known = error.source === 'NONE' && error.class !== 'NONE';
  if (!known && !(yield* classify(hub))) {
    error.setPending(false);
    return undefined;
  }
  if (movedToPhb(hub)) return undefined;
  switch (error.class) {
    case 'GXE':
    case 'PLL':
    case 'RGA':
      return hubError(Severity.IOC_DEAD);
    case 'INF':
    case 'MAL':
      return hub.profile.hubInformation === 'corrected' ? hubError(Severity.INF) : undefined;
    default:
      error.setPending(false);
      return undefined;
  }
}

const hubError = (severity: Severity): NextError => ({
  ...NO_ERROR,
  rc: OpalStatus.SUCCESS,
  errorType: PciError.IOC,
  severity,
  untouched: 'first-frozen-pe',
});

/** Errors of a PHB and of the crossbar port in front of it are that PHB's, unless the whole hub is lost. */
function movedToPhb(hub: P7iocHub): boolean {
  const { error } = hub;
  const index = PHB_INDICES.find((phb) => error.source === `PHB${phb}` || error.source === `CI_P${ciPortOfPhb(phb)}`);
  const phb = index === undefined || error.class === 'GXE' ? undefined : hub.phbAt(index);
  if (phb === undefined) return false;
  phb.error.set(error.source, error.class, error.bit);
  phb.error.setPending(true);
  error.setPending(false);
  return true;
}

/** Reads registers of the error macro of a source. */
export type LemReader = (suffix: LemSuffix) => Process<bigint>;

/** Undefined for a source without registers. Macros of PHBs are read through the side path, wired or not. */
export function lemReader({ access, port, place }: P7iocHub, source: ErrorSource): LemReader | undefined {
  if (source === 'NONE' || source === 'EI') return undefined;
  if (!isPhbUnit(source)) return (suffix) => access.read(lemRegisterName(source, suffix));
  const phb = new P7iocPhbAccess(port, place.mwin1, phbIndex(source));
  return (suffix) => phb.readAsb(lemRegisterName('PHB', suffix));
}

const isPhbUnit = (source: HubUnit | PhbUnit): source is PhbUnit => source.startsWith('PHB');
const phbIndex = (unit: PhbUnit): number => PHB_INDICES.findIndex((phb) => unit === `PHB${phb}`);

/** False: no bit is set, or there are no registers to look at. */
function* classify(hub: P7iocHub): Process<boolean> {
  const { error, profile } = hub;
  const { source } = error;
  const read = lemReader(hub, source);
  if (source === 'NONE' || source === 'EI' || read === undefined) return false;
  if ((yield* read('FIR_ACCUM')) === ALL_ONES) {
    error.source = 'NONE';
    error.class = 'GXE';
    return true;
  }
  const first = yield* read('WOF');
  const mask = isPhbUnit(source) ? 0n : yield* read('ERROR_MASK');
  if (!isPhbUnit(source)) {
    yield* read('ACTION0');
    yield* read('ACTION1');
  }
  // Bits that are not masked go first; masked ones count where there are no others.
  const unmasked = first & ~mask;
  const found = classOf(unitKind(source), unmasked === 0n ? first : unmasked, profile);
  if (found === undefined) return false;
  error.class = found.class;
  error.bit = found.bit;
  return true;
}

const unitKind = (source: HubUnit | PhbUnit): UnitKind => (isPhbUnit(source) ? 'PHB' : HUB_UNITS[source].kind);

/** Where firmware's table and the chip disagree about the upbound bus interface. */
const UPBOUND_IN_TABLE = msbMask(32);
const UPBOUND_IN_CHIP = msbMask(40);

function classMask(kind: UnitKind, errorClass: ErrorClass, profile: FirmwareProfile): bigint {
  const mask = unitClassMask(kind, errorClass);
  if (kind !== 'BI_UP' || mask === 0n || profile.upboundInformation === 'skiboot') return mask;
  return mask ^ UPBOUND_IN_TABLE ^ UPBOUND_IN_CHIP;
}

/** The gravest class that has a bit, and of it the most significant. */
function classOf(
  kind: UnitKind,
  bits: bigint,
  profile: FirmwareProfile,
): { class: ErrorClass; bit: number } | undefined {
  for (const errorClass of ERROR_CLASSES) {
    const inClass = bits & classMask(kind, errorClass, profile);
    if (inClass !== 0n) return { class: errorClass, bit: 64 - inClass.toString(2).length };
  }
  return undefined;
}
