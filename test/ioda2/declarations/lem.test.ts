import { describe, expect, it } from 'vitest';
import { msbMasks } from '../../../src/hw/bits.js';
import { LEM_BITS, lemClassMask } from '../../../src/ioda2/error-bits/lem.js';
import { TRAP_BITS, trapBitsOfLem } from '../../../src/ioda2/error-bits/traps.js';

/** Masks firmware leaves in the LEM. Source: skiboot hw/phb3.c: phb3_init_hw (Init_136), phb3_init_capp_errors. */
const PCIE_MASK = 0x42498e367f502eaen;
const CAPI_MASK = 0x40018e2400022482n;

describe('the local error macro', () => {
  it('declares its 64 bits in order, with unique names', () => {
    expect(LEM_BITS.map((entry) => entry.bit)).toEqual(Array.from({ length: 64 }, (_, bit) => bit));
    expect(new Set(LEM_BITS.map((entry) => entry.name)).size).toBe(64);
  });

  it('has the classes firmware sorts its bits into', () => {
    expect(lemClassMask('FENCE')).toBe(0xadb670c980add151n);
    expect(lemClassMask('ER')).toBe(0x000800107f500a2cn);
    expect(lemClassMask('INF')).toBe(0x42018e2200002482n);
    expect(lemClassMask('none')).toBe(msbMasks(3, 9, 23, 29, 46));
  });

  it('is masked for exactly the bits that are not fatal, and two unclassified ones', () => {
    expect(lemClassMask('ER') | lemClassMask('INF') | msbMasks(9, 29)).toBe(PCIE_MASK);
  });

  it('opens every recoverable bit in CAPI mode, and 6, 9 and 30', () => {
    expect(PCIE_MASK & ~CAPI_MASK).toBe(lemClassMask('ER') | msbMasks(6, 9, 30));
    expect(CAPI_MASK & ~PCIE_MASK).toBe(msbMasks(46));
  });

  it('is fed by trap bits of its own class, but for correctable messages', () => {
    const crossed = LEM_BITS.flatMap((entry) =>
      trapBitsOfLem(entry.bit)
        .filter((trapBit) => trapBit.class !== entry.class)
        .map((trapBit) => `${trapBit.trap} ${trapBit.bit} -> ${entry.bit}`),
    );
    // Firmware lists LEM 38 as recoverable, while the freeze of ERR_COR is off since DD2.
    expect(crossed).toEqual(['INB 59 -> 38']);
  });

  it('takes a trap bit at most once', () => {
    const fed = LEM_BITS.flatMap((entry) => trapBitsOfLem(entry.bit));
    expect(new Set(fed).size).toBe(fed.length);
    const mapped = Object.values(TRAP_BITS).flatMap((bits) => bits.filter((entry) => entry.lem !== undefined));
    expect(fed.length).toBe(mapped.length);
  });
});
