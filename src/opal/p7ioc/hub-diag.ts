/**
 * The diagnostic data of a P7IOC hub: of the unit whose error is pending.
 * Source: skiboot p7ioc hw/p7ioc.c: p7ioc_get_diag_data, p7ioc_get_diag_common. Facts: ioda1-p7ioc 9.1, 12.4, opal-pci 5.15.
 */

import { encodeHubDiagData, HUB_DIAG_BYTES, type HubDiagType, hubDiagParts } from '../../diag/p7ioc/hub.js';
import { msbMask } from '../../hw/bits.js';
import type { HubUnit } from '../../ioda1/error-bits/units.js';
import type { HubRegisterName } from '../../ioda1/registers/hub.js';
import type { LemSuffix } from '../../ioda1/registers/lem.js';
import type { Process } from '../../sim/process.js';
import type { FirmwareProfile } from '../firmware-profile.js';
import { OpalStatus } from '../opal-api.js';
import type { DiagResult } from '../opal-results.js';
import type { P7iocHub } from './hub.js';
import { lemReader } from './hub-errors.js';

type RegisterField = readonly [field: string, register: HubRegisterName];

interface UnitDiag {
  readonly type: HubDiagType;
  readonly registers: readonly RegisterField[];
  /** BI: 1 is downbound. CI: the port. */
  readonly instance?: number;
}

/** Units of a PHB, and the crossbar ports of PHBs, have none: their errors were handed to the PHB. */
function unitDiag(source: HubUnit, profile: FirmwareProfile): UnitDiag | undefined {
  switch (source) {
    case 'RGC':
      return {
        type: 'RGC',
        registers: [
          ['rgcStatus', 'RGC_STATUS'],
          ['rgcLdcp', 'RGC_LDCP'],
        ],
      };
    case 'BI_UP':
    case 'BI_DOWN':
      return { type: 'BI', registers: busInterface(source), instance: source === 'BI_DOWN' ? 1 : 0 };
    case 'CI_P0':
    case 'CI_P1':
      return { type: 'CI', registers: crossbarPort(source, profile), instance: source === 'CI_P1' ? 1 : 0 };
    case 'MISC':
    case 'I2C':
      return { type: source, registers: [] };
    default:
      return undefined;
  }
}

const busInterface = (unit: 'BI_UP' | 'BI_DOWN'): RegisterField[] => [
  ['biLdcp0', `${unit}_LDCP0`],
  ['biLdcp1', `${unit}_LDCP1`],
  ['biLdcp2', `${unit}_LDCP2`],
  ['biFenceStatus', 'BI_FENCE_STATUS'],
];

/** Real firmware adds the offsets of the port to the base of its error macro, and meets two doors to the error bits. */
function crossbarPort(unit: 'CI_P0' | 'CI_P1', { crossbarDiagData }: FirmwareProfile): RegisterField[] {
  const meant = crossbarDiagData === 'corrected';
  return [
    ['ciPortStatus', meant ? `${unit}_STATUS` : `${unit}_LEM_FIR_AND_MASK`],
    ['ciPortLdcp', meant ? `${unit}_LDCP` : `${unit}_LEM_FIR_OR_MASK`],
  ];
}

const GEM: readonly RegisterField[] = [
  ['gemXfir', 'GEM_XFIR'],
  ['gemRfir', 'GEM_RFIR'],
  ['gemRirqfir', 'GEM_RIRQFIR'],
  ['gemMask', 'GEM_MASK'],
  ['gemRwof', 'GEM_RWOF'],
];
const LEM: readonly (readonly [field: string, suffix: LemSuffix])[] = [
  ['lemFir', 'FIR_ACCUM'],
  ['lemErrMask', 'ERROR_MASK'],
  ['lemAction0', 'ACTION0'],
  ['lemAction1', 'ACTION1'],
  ['lemWof', 'WOF'],
];

const refused = (rc: number): DiagResult => ({ rc, data: new Uint8Array(0) });

/** OPAL_PCI_GET_HUB_DIAG_DATA into a buffer of `length` bytes. Reading it is what ends the error. */
export function* getHubDiagData(hub: P7iocHub, length: number): Process<DiagResult> {
  const { access, error, profile } = hub;
  if (length < HUB_DIAG_BYTES) return refused(OpalStatus.PARAMETER);
  if (!error.pending) return refused(OpalStatus.CLOSED);
  const { source } = error;
  const readLem = lemReader(hub, source);
  if (readLem === undefined) {
    error.setPending(false);
    return refused(OpalStatus.INTERNAL_ERROR);
  }
  const unit = unitDiag(source as HubUnit, profile);
  if (unit === undefined) {
    error.setPending(false);
    return refused(OpalStatus.CLOSED);
  }
  const words: Record<string, bigint> = {};
  for (const [field, register] of GEM) words[field] = yield* access.read(register);
  for (const [field, suffix] of LEM) words[field] = yield* readLem(suffix);
  for (const [field, register] of unit.registers) words[field] = yield* access.read(register);
  // A malfunction goes on and on: it is told once, then masked.
  if (error.class === 'MAL') yield* access.write(`${source as HubUnit}_LEM_ERROR_OR_MASK`, msbMask(error.bit));
  error.setPending(false);
  const { type, instance = 0 } = unit;
  return { rc: OpalStatus.SUCCESS, data: encodeHubDiagData({ type, words, instance }), written: hubDiagParts(type) };
}
