import { describe, expect, it } from 'vitest';
import { ALL_ONES, msbMask } from '../../src/hw/bits.js';
import { LocalErrorMacro, lemCellsOf } from '../../src/hw/lem.js';
import { declareRegisters, type RegisterDeclaration } from '../../src/hw/register.js';
import { RegisterFile } from '../../src/hw/register-file.js';

function opened(mask: bigint): LocalErrorMacro {
  const lem = new LocalErrorMacro();
  lem.mask = mask;
  return lem;
}

describe('a local error macro', () => {
  it('starts with everything masked', () => {
    const lem = new LocalErrorMacro();
    lem.report(ALL_ONES);
    expect([lem.fir, lem.mask, lem.unmasked, lem.wof]).toEqual([ALL_ONES, ALL_ONES, 0n, 0n]);
  });

  it('accumulates errors, and keeps the first unmasked ones in WOF', () => {
    const lem = opened(msbMask(43));
    lem.report(msbMask(43));
    expect([lem.fir, lem.wof]).toEqual([msbMask(43), 0n]);
    lem.report(msbMask(0) | msbMask(9) | msbMask(43));
    lem.report(msbMask(1));
    expect(lem.fir).toBe(msbMask(0) | msbMask(1) | msbMask(9) | msbMask(43));
    expect(lem.wof).toBe(msbMask(0) | msbMask(9));
    expect(lem.unmasked).toBe(msbMask(0) | msbMask(1) | msbMask(9));
  });

  it('does not take an old error for a new one after WOF was cleared', () => {
    const lem = opened(0n);
    lem.report(msbMask(5));
    lem.wof = 0n;
    lem.report(msbMask(5));
    expect(lem.wof).toBe(0n);
    lem.report(msbMask(5) | msbMask(6));
    expect(lem.wof).toBe(msbMask(6));
  });

  it('applies the same rule to bits that software sets', () => {
    const lem = opened(msbMask(1));
    const before = lem.fir;
    lem.fir = msbMask(1) | msbMask(2);
    lem.firChanged(before);
    expect(lem.wof).toBe(msbMask(2));
  });

  it('gives the two action bits of an error as one number', () => {
    const lem = new LocalErrorMacro();
    lem.action0 = msbMask(2) | msbMask(3);
    lem.action1 = msbMask(1) | msbMask(3);
    expect([0, 1, 2, 3].map((n) => lem.action(msbMask(n)))).toEqual([0, 1, 2, 3]);
    expect([lem.action0, lem.action1]).toEqual([0x3000_0000_0000_0000n, 0x5000_0000_0000_0000n]);
  });

  it('shares one value with the registers that software sees', () => {
    const R: RegisterDeclaration = { offset: 0, access: 'read-write', about: 'a', source: '(M)', known: 'stated' };
    const bank = declareRegisters('LEM', 8, {
      FIR: R,
      FIR_AND: { ...R, offset: 0x08, access: 'and-mask', target: 'FIR' },
      MASK: { ...R, offset: 0x18, reset: ALL_ONES },
      ACTION0: { ...R, offset: 0x30 },
      ACTION1: { ...R, offset: 0x38 },
      WOF: { ...R, offset: 0x40, access: 'write-clears' },
    });
    const file = new RegisterFile(bank);
    const lem = new LocalErrorMacro(
      lemCellsOf(file, { fir: 'FIR', mask: 'MASK', action0: 'ACTION0', action1: 'ACTION1', wof: 'WOF' }),
    );
    file.write(0x18, 0n);
    lem.report(msbMask(7));
    expect([file.read(0x00), file.read(0x40)]).toEqual([msbMask(7), msbMask(7)]);
    file.write(0x08, ~msbMask(7));
    file.write(0x40, 0n);
    expect([lem.fir, lem.wof]).toEqual([0n, 0n]);
  });
});
