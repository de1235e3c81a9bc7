import { describe, expect, it } from 'vitest';
import { msbMask } from '../../../src/hw/bits.js';
import {
  ERROR_EVENT_NAMES,
  ERROR_EVENTS,
  type ErrorEventDeclaration,
  type ErrorEventName,
  eventScope,
  pestOfEvent,
  trapBitOf,
} from '../../../src/ioda2/error-bits/events.js';
import { TRANSACTION_TYPE } from '../../../src/ioda2/error-bits/pest.js';

type Row = readonly [name: ErrorEventName, bit: string, lem: number, scope: string, summary: string, pestA: bigint];

const FROZEN = msbMask(0);

/** Event, trap bit, LEM bit, frozen PEs, summary, and PEST A of the first type without requester or MSI data. */
const CATALOGUE: readonly Row[] = [
  ['mmio-load-ca', 'INA 0', 43, 'single', 'load-store', 0x8480002b00000000n],
  ['mmio-load-ur', 'INA 1', 43, 'single', 'load-store', 0x8440002b00000000n],
  ['mmio-load-timeout', 'INA 0', 43, 'single', 'load-store', 0x8480002b00000000n],
  ['config-read-ur', 'INA 1', 43, 'single', 'load-store', 0x8440002b00000000n],
  ['config-read-ca', 'INA 0', 43, 'single', 'load-store', 0x8480002b00000000n],
  ['config-read-timeout', 'INA 0', 43, 'single', 'load-store', 0x8480002b00000000n],
  ['config-write-ur', 'OUT 17', 12, 'single', 'load-store', 0xad40000c00000000n],
  ['config-write-ca', 'OUT 17', 12, 'single', 'load-store', 0xad80000c00000000n],
  ['config-write-timeout', 'OUT 29', 15, 'none', 'load-store', 0x8500000f00000000n],
  ['config-not-enabled', 'OUT 24', 15, 'none', 'load-store', 0x8400000f00000000n],
  ['config-size', 'OUT 25', 15, 'none', 'load-store', 0x8400000f00000000n],
  ['config-target', 'OUT 26', 15, 'none', 'load-store', 0x8400000f00000000n],
  ['config-link-down', 'OUT 27', 15, 'none', 'load-store', 0x8400000f00000000n],
  ['mmio-no-window', 'OUT 2', 1, 'none', 'load-store', 0x8400000100000000n],
  ['papr-mmio', 'OUT 28', 27, 'single', 'load-store', 0xa400001b00000000n],
  ['papr-config-read', 'OUT 28', 27, 'single', 'load-store', 0xb400001b00000000n],
  ['papr-config-write', 'OUT 28', 27, 'single', 'load-store', 0xad00001b00000000n],
  ['papr-dma', 'INA 39', 39, 'single', 'dma', 0x8000002700000000n],
  ['tve-invalid', 'INA 26', 35, 'single', 'dma', 0x8000802300000000n],
  ['tve-range', 'INA 28', 35, 'single', 'dma', 0x8000802300000000n],
  ['tce-page-fault', 'INA 49', 58, 'single', 'dma', 0x8000b03a00000000n],
  ['tce-access-fault', 'INA 49', 58, 'single', 'dma', 0x8000903a00000000n],
  ['msi-pe-mismatch', 'INA 31', 33, 'single', 'dma', 0x8100802100000000n],
  ['msi-source', 'INA 23', 34, 'single', 'dma', 0x8100802200000000n],
  ['msi-size', 'INA 2', 42, 'fence', 'dma', 0x8100002a00000000n],
  ['msi-alignment', 'INA 3', 42, 'fence', 'dma', 0x8100002a00000000n],
  ['poisoned-write', 'INA 24', 41, 'single', 'dma', 0x8004002900000000n],
  ['poisoned-completion', 'INA 24', 41, 'single', 'load-store', 0x8404002900000000n],
  ['request-unsupported', 'INA 18', 56, 'none', 'dma', 0x8700003800000000n],
  ['rte-invalid', 'INA 40', 53, 'none', 'dma', 0x8000003500000000n],
  ['table-bar-disabled', 'INA 32', 42, 'fence', 'dma', 0x8000002a00000000n],
  ['pest-bar-disabled', 'INB 51', 49, 'fence', 'dma', 0x8700003100000000n],
  ['fetch-ue', 'INA 36', 40, 'fence', 'dma', 0x8000002800000000n],
  ['err-fatal', 'INB 57', 36, 'pelt-v', 'dma', 0x8710002400000000n],
  ['err-nonfatal', 'INB 58', 37, 'pelt-v', 'dma', 0x8720002500000000n],
  ['err-corr', 'INB 59', 38, 'none', 'dma', 0x8702002600000000n],
  ['completion-table-timeout', 'INA 34', 44, 'fence', 'load-store', 0x8400002c00000000n],
  ['utl-error', 'PHB 32', 60, 'all', 'both', 0x8701003c00000000n],
  ['register-address', 'PHB 26', 16, 'none', 'none', 0x8400001000000000n],
];

describe('the error events', () => {
  it('are exactly those of the catalogue', () => {
    expect([...ERROR_EVENT_NAMES].sort()).toEqual(CATALOGUE.map(([name]) => name).sort());
  });

  it.each(CATALOGUE)('%s sets %s and LEM %i', (name, bit, lem, scope, summary, pestA) => {
    const trapBit = trapBitOf(name);
    expect(`${trapBit.trap} ${trapBit.bit}`).toBe(bit);
    expect(trapBit.lem).toBe(lem);
    expect(eventScope(name)).toBe(scope);
    expect(ERROR_EVENTS[name].summary).toBe(summary);
    expect(pestOfEvent(name, {}).a | FROZEN).toBe(pestA);
  });

  it('leave the words of the worked example: a write to an empty TCE', () => {
    const words = pestOfEvent('tce-page-fault', { type: 'dma-write', requesterId: 0x0100, address: 0x1000n });
    expect(words).toEqual({ a: 0x0000b03a01000000n, b: 0x1000n });
  });

  it('tell a DMA read from a write, and a store from a load', () => {
    expect(pestOfEvent('tve-invalid', { type: 'dma-read' }).a).toBe(0x0200802300000000n);
    expect(pestOfEvent('papr-mmio', { type: 'mmio-store', address: 0x3fe001800000n })).toEqual({
      a: 0x2500001b00000000n,
      b: 0x3fe001800000n,
    });
  });

  it('keep MSI data and requester of a refused MSI', () => {
    expect(pestOfEvent('msi-pe-mismatch', { requesterId: 0x0208, msiData: 0x11 }).a).toBe(0x0100802102080011n);
  });

  it('keep nothing of a failed completion but its kind', () => {
    const words = pestOfEvent('mmio-load-ca', { requesterId: 0x0100, msiData: 3, address: 0x1234n });
    expect(words).toEqual({ a: 0x0480002b00000000n, b: 0n });
  });

  it('can show at least one type, the same one always first', () => {
    for (const name of ERROR_EVENT_NAMES) {
      const { types }: ErrorEventDeclaration = ERROR_EVENTS[name];
      expect(
        types.every((type) => type in TRANSACTION_TYPE),
        name,
      ).toBe(true);
      expect(types.length, name).toBeGreaterThan(0);
    }
  });
});
