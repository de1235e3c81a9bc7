/**
 * Dumps of the P7IOC hub in kernel text, short and long, and how bad their first error is.
 * Facts: ioda1-p7ioc 7.4 (classes), 9.3 and 9.4 (text).
 */
import { type ErrorClass, type UnitKind, unitClassMask } from '../../ioda1/error-bits/units.js';
import { setBits } from '../bit-table.js';

/** Words of a line of the short form, by its label. */
export const HUB_LINES: Readonly<Record<string, readonly string[]>> = {
  GEM: ['gemXfir', 'gemRfir', 'gemRirqfir', 'gemMask', 'gemRwof'],
  LEM: ['lemFir', 'lemErrMask', 'lemAction0', 'lemAction1', 'lemWof'],
  RGC: ['rgcStatus', 'rgcLdcp'],
  BI: ['biLdcp0', 'biLdcp1', 'biLdcp2', 'biFenceStatus'],
  CI: ['ciPortStatus', 'ciPortLdcp'],
};

/** The long form of kernels before 3.15: one word a line. */
export const HUB_LONG_NAMES: ReadonlyMap<string, string> = new Map([
  ['GEM XFIR', 'gemXfir'],
  ['GEM RFIR', 'gemRfir'],
  ['GEM RIRQFIR', 'gemRirqfir'],
  ['GEM Mask', 'gemMask'],
  ['GEM RWOF', 'gemRwof'],
  ['LEM FIR', 'lemFir'],
  ['LEM Error Mask', 'lemErrMask'],
  ['LEM Action 0', 'lemAction0'],
  ['LEM Action 1', 'lemAction1'],
  ['LEM WOF', 'lemWof'],
  ['RGC Status', 'rgcStatus'],
  ['RGC LDCP', 'rgcLdcp'],
  ['BI LDCP 0', 'biLdcp0'],
  ['BI LDCP 1', 'biLdcp1'],
  ['BI LDCP 2', 'biLdcp2'],
  ['BI Fence Status', 'biFenceStatus'],
  ['CI Port Status', 'ciPortStatus'],
  ['CI Port LDCP', 'ciPortLdcp'],
]);

export interface HubDump {
  /** "RGC", "BI Upbound", "CI Port 0" */
  readonly unit: string;
  readonly line: number;
  lastLine: number;
  readonly words: Map<string, bigint>;
}

export type HubClass = 'hub dead' | 'clock' | 'register access' | 'malfunction' | 'informational' | 'bridge';

/** What firmware makes of an error bit, in words; the gravest first. */
const CLASSES: readonly (readonly [ErrorClass, HubClass])[] = [
  ['GXE', 'hub dead'],
  ['PLL', 'clock'],
  ['RGA', 'register access'],
  ['MAL', 'malfunction'],
  ['PHB', 'bridge'],
  ['ER', 'bridge'],
];

const UNITS: Readonly<Record<string, UnitKind>> = {
  RGC: 'RGC',
  'BI Upbound': 'BI_UP',
  'BI Downbound': 'BI_DOWN',
  'CI Port 0': 'CI_UPSTREAM',
  'CI Port 1': 'CI_RGC',
  MISC: 'MISC',
  I2C: 'I2C',
};

/** The first error's class and bits; a unit without error bits is informational. */
export function classifyHub(dump: HubDump): { kind: HubClass; bits: readonly number[] } {
  const fir = dump.words.get('lemFir') ?? 0n;
  const mask = dump.words.get('lemErrMask') ?? 0n;
  const wof = dump.words.get('lemWof') ?? 0n;
  const first = [wof & ~mask, wof, fir].find((word) => word !== 0n) ?? 0n;
  const unit = UNITS[dump.unit] ?? 'CI_PHB';
  const found = CLASSES.find(([errorClass]) => (unitClassMask(unit, errorClass) & first) !== 0n);
  return { kind: found?.[1] ?? 'informational', bits: setBits(first) };
}
