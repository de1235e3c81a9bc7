import { describe, expect, it } from 'vitest';
import { bit, bits } from '../../src/hw/bits.js';
import { DeclarationError, declareRegisters, type RegisterDeclaration } from '../../src/hw/register.js';
import { MMIO_BANK } from './banks.js';

const R: RegisterDeclaration = { offset: 0, access: 'read-write', about: 'a', source: '(M)', known: 'stated' };

function declaring(registers: Record<string, RegisterDeclaration>, stride: 8 | 1 = 8) {
  return () => declareRegisters('BANK', stride, registers);
}

describe('a register bank', () => {
  it('finds a register by offset and by name, with every default filled in', () => {
    const fir = MMIO_BANK.byOffset(0x138);
    expect(fir?.name).toBe('FIR_AND');
    expect(MMIO_BANK.get('FIR_AND')).toBe(fir);
    expect(MMIO_BANK.get('PLAIN')).toMatchObject({
      reset: 0n,
      writable: 0xffff_ffff_ffff_ffffn,
      selfClearing: 0n,
      fields: [],
    });
    expect(MMIO_BANK.byOffset(0x110)).toBeUndefined();
    expect(MMIO_BANK.names).toContain('WOF');
    expect(MMIO_BANK.name).toBe('TEST');
  });

  it('says how well a reset value is known: as the register if it is declared, else assumed', () => {
    const bank = declareRegisters('BANK', 8, {
      A: R,
      B: { ...R, offset: 8, reset: 1n },
      C: { ...R, offset: 16, reset: 1n, resetKnown: 'inferred' },
    });
    expect(bank.registers.map((register) => register.resetKnown)).toEqual(['assumed', 'stated', 'inferred']);
  });

  it('finds a field, and names those it has when there is no such field', () => {
    expect(MMIO_BANK.field('KILL', 'PE').at).toEqual({ first: 56, last: 63 });
    expect(() => MMIO_BANK.field('KILL', 'PF')).toThrow(
      'TEST.KILL: no field is called PF; declared: ALL, MODE, PE, LOW',
    );
    expect(() => MMIO_BANK.field('PLAIN', 'X')).toThrow(/declared: none/);
  });

  it('refuses a name it does not have', () => {
    expect(() => MMIO_BANK.get('NOPE' as 'WOF')).toThrow('TEST: no register is called NOPE');
  });
});

describe('a declaration is refused, with bank and register named, when', () => {
  it.each<[string, Record<string, RegisterDeclaration>, RegExp]>([
    ['two registers share an offset', { A: R, B: { ...R } }, /BANK\.B: offset 0x0 already belongs to A/],
    ['an offset is off the stride', { A: { ...R, offset: 4 } }, /BANK\.A: offset 4 is not a multiple of 8/],
    ['an offset is negative', { A: { ...R, offset: -8 } }, /offset -8/],
    ['a mask has no target', { A: { ...R, access: 'and-mask' } }, /target \(none\) is not in the bank/],
    ['a target is unknown', { A: { ...R, access: 'or-mask', target: 'B' } }, /target B is not in the bank/],
    [
      'a target is an alias itself',
      {
        F: R,
        A: { ...R, offset: 8, access: 'or-mask', target: 'F' },
        B: { ...R, offset: 16, access: 'or-mask', target: 'A' },
      },
      /target A is itself an alias/,
    ],
    ['a plain register has a target', { A: { ...R, target: 'A' } }, /a read-write register has no target/],
    ['a reset value is too wide', { A: { ...R, reset: 1n << 64n } }, /BANK\.A: reset .* is not a 64-bit value/],
    ['a mask is negative', { A: { ...R, writable: -1n } }, /writable -1 is not/],
    [
      'self-clearing bits cannot be written',
      { A: { ...R, writable: 1n, selfClearing: 3n } },
      /0000000000000002 are not writable/,
    ],
    [
      'self-clearing means nothing',
      { A: { ...R, access: 'read-only', selfClearing: 1n } },
      /no meaning for a read-only/,
    ],
    [
      'fields overlap',
      { A: { ...R, fields: { X: bits(0, 7), Y: bits(7, 9) } } },
      /BANK\.A: fields X and Y overlap at bit 7/,
    ],
    [
      'fields overlap out of order',
      { A: { ...R, fields: { X: bits(8, 9), Y: bits(0, 8) } } },
      /Y and X overlap at bit 8/,
    ],
    ['a field leaves the register', { A: { ...R, fields: { X: bit(64) } } }, /BANK\.A\.X: bit 64 does not exist/],
    ['a field is upside down', { A: { ...R, fields: { X: { first: 4, last: 3 } } } }, /4:3 is no field/],
    [
      'a value does not fit',
      { A: { ...R, fields: { X: { at: bit(0), about: '', values: { two: 2 } } } } },
      /two = 2 does not fit in 1 bits/,
    ],
  ])('%s', (_, registers, message) => {
    expect(declaring(registers)).toThrow(DeclarationError);
    expect(declaring(registers)).toThrow(message);
  });

  it('fields of different registers may of course share bits, and a view may overlap', () => {
    const fields = { X: bits(0, 7), Y: { at: bits(4, 9), about: 'again', view: true } } as const;
    expect(declaring({ A: { ...R, fields }, B: { ...R, offset: 8, fields } })).not.toThrow();
    expect(declaring({ A: { ...R, offset: 3 } }, 1)).not.toThrow();
  });
});
