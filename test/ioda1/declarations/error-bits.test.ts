import { describe, expect, it } from 'vitest';
import { ALL_ONES, msbMask } from '../../../src/hw/bits.js';
import { TRAP_NAMES, type TrapName } from '../../../src/ioda/bit-lists.js';
import { ERROR_EVENT_NAMES, ERROR_EVENTS, pestOfEvent, trapBitOf } from '../../../src/ioda1/error-bits/events.js';
import { LEM_BITS } from '../../../src/ioda1/error-bits/lem.js';
import { PEST_A_FIELDS, PEST_FORMAT } from '../../../src/ioda1/error-bits/pest.js';
import { TRAP_BITS, trapClassMask } from '../../../src/ioda1/error-bits/traps.js';
import {
  ERROR_CLASSES,
  type ErrorClass,
  gemBitOfPhb,
  HUB_UNIT_NAMES,
  HUB_UNITS,
  UNIT_CLASSES,
  type UnitKind,
  unitClassMask,
  unitClassOf,
} from '../../../src/ioda1/error-bits/units.js';
import { CI_DAMAGE, GEM_MASK, PHB_LEM_MASK, RGC_DAMAGE, TRAP_ENABLES, UNIT_SETUP } from '../firmware-values.js';

/** Severity masks of the firmware, unit by unit. Source: skiboot p7ioc hw/p7ioc.c. */
const SEVERITY: Readonly<Record<UnitKind, Partial<Record<ErrorClass, bigint>>>> = {
  RGC: { GXE: 0xf00086e0f4fcffffn, RGA: 0x0000010000000000n, INF: 0x0fff781f0b030000n },
  BI_UP: { GXE: 0xf7ffffff7fffffffn, INF: 0x0800000080000000n },
  BI_DOWN: { GXE: 0xdffff7f35f8000bfn, INF: 0x2000080ca07fff40n },
  CI_UPSTREAM: { GXE: 0xf5ff000000000000n, MAL: 0x0800000000000000n, INF: 0x0200ffffffffffffn },
  CI_RGC: { GXE: 0xffff000000000000n, INF: 0x0000ffffffffffffn },
  CI_PHB: { GXE: 0x5b0b000000000000n, PHB: 0xa4f4000000000000n, INF: 0x0000ffffffffffffn },
  MISC: { GXE: 0x0000000310000000n, PLL: 0x0000000001c00000n, MAL: 0xaaa0000c00000000n, INF: 0x555ffff0ee3fffffn },
  I2C: { GXE: 0x1100000000000000n, INF: 0xeeffffffffffffffn },
  PHB: { PHB: 0xadb650cb808dd051n, ER: 0x0000a0147f50092cn, INF: 0x52490f2000222682n },
};
const UNIT_KINDS = Object.keys(UNIT_CLASSES) as UnitKind[];

describe.each(UNIT_KINDS)('error bits of unit %s', (unit) => {
  it('have the classes that firmware gives them', () => {
    for (const errorClass of ERROR_CLASSES)
      expect(unitClassMask(unit, errorClass), errorClass).toBe(SEVERITY[unit][errorClass] ?? 0n);
  });

  it('are each in one class', () => {
    const masks = ERROR_CLASSES.map((errorClass) => unitClassMask(unit, errorClass));
    expect(masks.reduce((sum, mask) => sum + mask, 0n)).toBe(ALL_ONES);
    expect(masks.reduce((all, mask) => all | mask, 0n)).toBe(ALL_ONES);
  });
});

describe('units of the hub', () => {
  it('have no bit 64', () => {
    expect(() => unitClassOf('RGC', 64)).toThrow(RangeError);
  });

  it('have one bit each in the global macro, all of them let through by firmware', () => {
    const bits = [...HUB_UNIT_NAMES.map((unit) => HUB_UNITS[unit].gemBit), ...[0, 1, 2, 3, 4, 5].map(gemBitOfPhb)];
    expect(new Set(bits).size).toBe(bits.length);
    const all = bits.reduce((mask, bit) => mask | msbMask(bit), 0n);
    // Bit 0 is the elastic interface, which is nobody's here.
    expect(~GEM_MASK & ALL_ONES).toBe(all | msbMask(0));
  });

  it('have the bits and bases of the register map', () => {
    expect(HUB_UNIT_NAMES.map((unit) => [unit, HUB_UNITS[unit].gemBit, HUB_UNITS[unit].lemBase])).toEqual([
      ['RGC', 1, 0x3e1e00],
      ['BI_UP', 2, 0x3c0000],
      ['BI_DOWN', 3, 0x3c0050],
      ...[0, 1, 2, 3, 4, 5, 6, 7].map((port) => [`CI_P${port}`, 4 + port, 0x3d0200 + 0x1000 * port]),
      ['MISC', 24, 0x3ea000],
      ['I2C', 25, 0x3eb000],
    ]);
  });

  it('make recoverable exactly the classes that the actions stand for', () => {
    const recoverable = (unit: UnitKind) => ALL_ONES & ~unitClassMask(unit, 'GXE');
    expect(UNIT_SETUP.RGC.action0).toBe(unitClassMask('RGC', 'INF') | unitClassMask('RGC', 'RGA'));
    expect(UNIT_SETUP.BI_DOWN.action0).toBe(unitClassMask('BI_DOWN', 'INF'));
    expect(UNIT_SETUP.MISC.action0 | UNIT_SETUP.MISC.action1).toBe(recoverable('MISC'));
    expect(UNIT_SETUP.MISC.action1).toBe(unitClassMask('MISC', 'PLL'));
    expect(UNIT_SETUP.CI_P2.action0).toBe(unitClassMask('CI_PHB', 'PHB'));
  });

  it('stop the link for the fatal bits, and fence a PHB for its class but bit 0, which tells of the fence', () => {
    expect(CI_DAMAGE[2] & 0xffffn).toBe(unitClassMask('CI_PHB', 'GXE') >> 48n);
    expect((CI_DAMAGE[2] >> 32n) & 0xffffn).toBe((unitClassMask('CI_PHB', 'PHB') >> 48n) & 0x7fffn);
    expect(unitClassMask('RGC', 'GXE') & ~RGC_DAMAGE).toBe(msbMask(26) | msbMask(33));
  });
});

describe.each(TRAP_NAMES)('trap %s', (trap: TrapName) => {
  it('has masks of its classes equal to the programmed enables', () => {
    expect(trapClassMask(trap, 'FENCE')).toBe(TRAP_ENABLES[trap].fence);
    expect(trapClassMask(trap, 'ER')).toBe(TRAP_ENABLES[trap].freeze);
    expect(trapClassMask(trap, 'log')).toBe(~(TRAP_ENABLES[trap].fence | TRAP_ENABLES[trap].freeze) & ALL_ONES);
  });

  it('reports fences as errors of the PHB class', () => {
    for (const { class: trapClass, lem, name } of TRAP_BITS[trap])
      if (trapClass === 'FENCE') expect(LEM_BITS[lem]!.class, name).toBe('PHB');
  });

  it('reports what only logs as information', () => {
    for (const { class: trapClass, lem, name } of TRAP_BITS[trap])
      if (trapClass === 'log' && name !== 'ERR_CORR') expect(LEM_BITS[lem]!.class, name).toBe('INF');
  });

  it('has unique names, in brackets where nothing is known', () => {
    expect(new Set(TRAP_BITS[trap].map(({ name }) => name)).size).toBe(64);
    const nameless = TRAP_BITS[trap].filter(({ name }) => name.includes('['));
    expect(nameless.every(({ known, name, bit }) => known === 'assumed' && name === `${trap}[${bit}]`)).toBe(true);
  });
});

describe('the macro of a PHB', () => {
  it('keeps PE errors from the hub: they travel by interrupt', () => {
    expect(unitClassMask('PHB', 'ER') & ~PHB_LEM_MASK).toBe(0n);
    expect(unitClassMask('PHB', 'PHB') & PHB_LEM_MASK).toBe(0n);
  });

  it('has 64 unique names', () => {
    expect(new Set(LEM_BITS.map(({ name }) => name)).size).toBe(64);
  });
});

describe('PE state words', () => {
  it('place cause bits where the entry has them', () => {
    const bits = Object.entries(PEST_A_FIELDS).map(([name, { at }]) => [name, at.first, at.last]);
    expect(bits.sort(([, a], [, b]) => Number(a) - Number(b))).toEqual([
      ['MMIO_FROZEN', 0, 0],
      ['MMIO_CAUSE', 2, 2],
      ['CONFIG_READ', 3, 3],
      ['CONFIG_WRITE', 4, 4],
      ['TRANSACTION_TYPE', 5, 7],
      ['COMPLETER_ABORT', 8, 8],
      ['UNSUPPORTED_REQUEST', 9, 9],
      ['NONFATAL', 10, 10],
      ['FATAL', 11, 11],
      ['TAG_REUSE', 12, 12],
      ['PARITY', 13, 13],
      ['CORRECTABLE', 14, 14],
      ['CORE', 15, 15],
      ['IODA_ERROR', 16, 16],
      ['TVT_RANGE', 17, 17],
      ['TCE_PAGE_FAULT', 18, 18],
      ['TCE_ACCESS_FAULT', 19, 19],
      ['DMA_RESPONSE_TIMEOUT', 20, 20],
      ['AIB_SIZE', 21, 21],
      ['LEM_BIT', 26, 31],
      ['REQUESTER_ID', 32, 47],
      ['MSI_DATA', 48, 63],
    ]);
  });

  it('of a probe of an empty device number are those that firmware clears', () => {
    const { a, b } = pestOfEvent('config-read-ur', { requesterId: 0x0108 });
    expect([a, b]).toEqual([0xb440002b01080000n, 0x8000000000000000n]);
    expect(PEST_FORMAT.decode(a, b)).toMatchObject({
      causes: ['MMIO_CAUSE', 'CONFIG_READ', 'UNSUPPORTED_REQUEST'],
      transactionType: 'mmio-load',
      lemBit: 43,
    });
  });
});

describe('error events', () => {
  it('have trap bits that freeze, fence or log as facts say', () => {
    const classes = Object.fromEntries(ERROR_EVENT_NAMES.map((name) => [name, trapBitOf(name).class]));
    const of = (trapClass: string) => Object.keys(classes).filter((name) => classes[name] === trapClass);
    expect(of('FENCE')).toEqual(['mmio-size', 'mmio-alignment', 'msi-size', 'msi-alignment']);
    expect(of('log')).toEqual([
      'config-not-enabled',
      'config-size',
      'config-link-down',
      'mmio-no-window',
      'request-unsupported',
      'err-corr',
    ]);
  });

  it('can each show at least one kind of operation', () => {
    for (const name of ERROR_EVENT_NAMES) expect(ERROR_EVENTS[name].types.length, name).toBeGreaterThan(0);
  });

  it.each([
    ['papr-mmio', 3],
    ['config-write-ur', 12],
    ['mmio-load-ca', 43],
    ['poisoned-completion', 43],
    ['msi-pe-mismatch', 33],
    ['mve-invalid', 34],
    ['tve-range', 35],
    ['tce-page-fault', 58],
    ['dma-memory-error', 41],
    ['papr-dma', 39],
    ['err-fatal', 36],
    ['err-nonfatal', 37],
    ['err-corr', 38],
    ['utl-fatal', 60],
    ['utl-nonfatal', 61],
    ['mmio-size', 2],
    ['msi-size', 40],
  ] as const)('%s sets LEM bit %d', (name, lem) => {
    expect(trapBitOf(name).lem).toBe(lem);
  });
});
