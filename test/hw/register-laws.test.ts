import { describe, expect, it } from 'vitest';
import { declareRegisters, type RegisterBank, type RegisterDeclaration } from '../../src/hw/register.js';
import { MMIO_BANK, SCOM_BANK } from './banks.js';
import { checkRegisterLaws } from './register-laws.js';

describe('every declared register obeys its declaration', () => {
  it('in a bank of MMIO offsets with one register of every access kind', () => {
    checkRegisterLaws(MMIO_BANK, { seed: 1, numRuns: 300 });
  });

  it('in a bank of SCOM numbers far apart', () => {
    checkRegisterLaws(SCOM_BANK, { seed: 2, numRuns: 100 });
  });

  it('and the check finds a register that does not', () => {
    const declared = { offset: 0, about: 'a', source: '(M)', known: 'assumed' } as const;
    const honest = declareRegisters('A', 8, { R: { ...declared, access: 'write-1-to-clear' } });
    const lying: RegisterBank<Record<'R', RegisterDeclaration>> = {
      name: honest.name,
      stride: honest.stride,
      names: honest.names,
      registers: honest.registers,
      byOffset: (offset) => honest.byOffset(offset),
      get: (name) => honest.get(name),
      field: (name, fieldName) => honest.field(name, fieldName),
      declarations: { R: { ...declared, access: 'read-write' } },
    };
    expect(() => checkRegisterLaws(honest)).not.toThrow();
    expect(() => checkRegisterLaws(lying)).toThrow(/R (holds|reads) 0/);
  });
});
