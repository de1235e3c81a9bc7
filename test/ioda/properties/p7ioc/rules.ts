/** What each error of a P7IOC PHB leaves behind under the enables that firmware programs, written from the tables. Facts: ioda1-p7ioc 4.10, 6, 7.5, 7.6. */
import { type ErrorRule, FROM_DEVICE, LOAD, MSI, OTHER, READ, rule, STORE, WRITE } from '../rules.js';

const DATA = ['rid', 'address', 'data'] as const;

export const RULES = {
  'completion-ca': rule(43, 'pe and row', [2, 8], LOAD, ['address']),
  'completion-ur': rule(43, 'pe and row', [2, 9], LOAD, ['address']),
  'config-read-ca': rule(43, 'pe and row', [2, 3, 8], LOAD, ['rid']),
  'config-read-ur': rule(43, 'pe and row', [2, 3, 9], LOAD, ['rid']),
  'config-write-ca': rule(12, 'pe and row', [2, 4, 8], STORE, ['rid']),
  'config-write-ur': rule(12, 'pe and row', [2, 4, 9], STORE, ['rid']),
  'no-window': rule(1, 'none', [], LOAD),
  'papr-load': rule(3, 'pe and row', [2], LOAD, ['address']),
  'papr-store': rule(3, 'pe and row', [2], STORE, ['address']),
  'papr-config-read': rule(3, 'pe and row', [2, 3], LOAD, ['rid']),
  'papr-config-write': rule(3, 'pe and row', [2, 4], STORE, ['rid']),
  'papr-dma-read': rule(39, 'pe and row', [], READ, FROM_DEVICE),
  'papr-dma-write': rule(39, 'pe and row', [], WRITE, FROM_DEVICE),
  'tve-read': rule(35, 'pe and row', [16], READ, FROM_DEVICE),
  'tve-write': rule(35, 'pe and row', [16], WRITE, FROM_DEVICE),
  'range-read': rule(35, 'pe and row', [17], READ, FROM_DEVICE),
  'range-write': rule(35, 'pe and row', [17], WRITE, FROM_DEVICE),
  'page-fault-read': rule(58, 'pe and row', [18], READ, FROM_DEVICE),
  'page-fault-write': rule(58, 'pe and row', [18], WRITE, FROM_DEVICE),
  'access-fault-read': rule(58, 'pe and row', [19], READ, FROM_DEVICE),
  'access-fault-write': rule(58, 'pe and row', [19], WRITE, FROM_DEVICE),
  'memory-read': rule(41, 'pe and row', [20], READ, FROM_DEVICE),
  'memory-write': rule(41, 'pe and row', [20], WRITE, FROM_DEVICE),
  poisoned: rule(43, 'pe and row', [13], WRITE, FROM_DEVICE),
  'msi-form': rule(40, 'fence', [], MSI),
  'msi-entry': rule(34, 'pe and row', [16], MSI, DATA),
  'msi-mismatch': rule(33, 'pe and row', [16], MSI, DATA),
  ERR_FATAL: rule(36, 'pe and row', [11], OTHER, ['rid']),
  ERR_NONFATAL: rule(37, 'pe and row', [10], OTHER, ['rid']),
  ERR_COR: rule(38, 'none', [14], OTHER, ['rid']),
  'link-down': rule(60, 'all', [15], OTHER),
} as const satisfies Record<string, ErrorRule>;
export type ErrorName = keyof typeof RULES;
