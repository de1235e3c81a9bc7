/** Errors that bridges and hubs find in themselves, by the names that faults have for them. */
import type { HubUnit } from '../ioda1/error-bits/units.js';

/** Fatal errors of a bridge; on a PHB3 each is some bits of the FIR of its power bus queue. */
export const NEST_ERRORS = {
  forced: ['ASB_ERROR', 'FOREIGN_LINK', 'FOREIGN_HANG', 'CAPP'],
  'register-parity': ['REGISTER_PARITY'],
  'bus-data': ['BUS_DATA_UE'],
  'array-bad': ['ARRAY_SUE'],
} as const satisfies Record<string, readonly string[]>;
export type NestError = keyof typeof NEST_ERRORS;

/** What a unit of a hub can find, by how bad it is. */
export const HUB_ERRORS = ['informational', 'malfunction', 'bridge', 'register-access', 'clock', 'fatal'] as const;
export type HubErrorKind = (typeof HUB_ERRORS)[number];

/** `BI_UP` is called bi-up. */
export const hubUnitKey = (unit: HubUnit): string => unit.toLowerCase().replaceAll('_', '-');
