import { describe, expect, it } from 'vitest';
import { ALL_ONES, getField } from '../../../src/hw/bits.js';
import { RegisterFile } from '../../../src/hw/register-file.js';
import {
  PBCQ_NEST_REGISTERS,
  PBCQ_PCI_REGISTERS,
  PBCQ_SCOM_RANGES,
  PBCQ_SPCI_REGISTERS,
} from '../../../src/ioda2/registers/pbcq.js';

const numbers = (bank: { registers: readonly { offset: number }[] }) =>
  bank.registers.map(({ offset }) => offset).sort((a, b) => a - b);
const range = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, step) => first + step);

describe('the PBCQ banks', () => {
  it('hold every register of the nest, PCI and SPCI ranges', () => {
    const nest = [...range(0x00, 0x08), 0x0a, 0x0b, 0x0d, 0x0f, ...range(0x10, 0x20), ...range(0x40, 0x45)];
    expect(numbers(PBCQ_NEST_REGISTERS)).toEqual(nest);
    expect(numbers(PBCQ_PCI_REGISTERS)).toEqual([0x0a, 0x0b, 0x0c, 0x0d, 0x0f]);
    expect(numbers(PBCQ_SPCI_REGISTERS)).toEqual([0, 1, 2, 3, 4]);
  });

  it('fit the SCOM range of one PHB and do not reach into the next', () => {
    for (const { bank, registers, strideOfPhb } of Object.values(PBCQ_SCOM_RANGES)) {
      expect(Math.max(...numbers(bank))).toBeLessThan(registers);
      expect(registers).toBeLessThanOrEqual(strideOfPhb);
    }
  });

  it('reset to zero: service firmware programs the BARs', () => {
    const banks = [PBCQ_NEST_REGISTERS, PBCQ_PCI_REGISTERS, PBCQ_SPCI_REGISTERS];
    expect(banks.flatMap((bank) => bank.registers.filter((register) => register.reset !== 0n))).toEqual([]);
  });

  it('implement only the address bits of the BARs', () => {
    const nest = new RegisterFile(PBCQ_NEST_REGISTERS);
    for (const { name, offset } of PBCQ_NEST_REGISTERS.registers) {
      if (offset < 0x40) continue;
      nest.write(offset, ALL_ONES);
      const expected =
        name === 'BAR_ENABLE' ? 0xf800000000000000n : name === 'PHB_BAR' ? 0xfffffffffc000000n : 0xffffffffc0000000n;
      expect(nest.get(name), name).toBe(expected);
    }
  });

  it('hold a bus address shifted by 14', () => {
    const nest = new RegisterFile(PBCQ_NEST_REGISTERS);
    nest.write(0x42, 0x3fffe40000000n << 14n);
    expect(nest.field('PHB_BAR', 'ADDRESS') << 12n).toBe(0x3fffe40000000n);
    nest.write(0x40, 0x3fe000000000n << 14n);
    expect(nest.field('MMIO_BAR0', 'ADDRESS') << 16n).toBe(0x3fe000000000n);
  });

  it('place the interrupt base and its mask', () => {
    const base = PBCQ_NEST_REGISTERS.field('IRSN_COMPARE', 'BASE').at;
    expect(getField(0x2800n << 45n, base)).toBe(0x2800n);
    const mask = getField(0xff00000000000000n, PBCQ_NEST_REGISTERS.field('IRSN_MASK', 'MASK').at);
    expect((~mask & 0x7ffffn) + 1n).toBe(2048n);
  });

  it('force and clear a fence through the OR and AND registers', () => {
    const nest = new RegisterFile(PBCQ_NEST_REGISTERS);
    nest.write(0x02, 0x000000f000000000n);
    expect(nest.get('NFIR')).toBe(0x000000f000000000n);
    nest.write(0x01, ~nest.get('NFIR') & ALL_ONES);
    expect(nest.get('NFIR')).toBe(0n);
    nest.write(0x05, 3n);
    nest.write(0x04, 1n);
    expect(nest.get('NFIR_MASK')).toBe(1n);
    nest.set('NFIR_WOF', 9n);
    nest.write(0x08, 0n);
    expect(nest.get('NFIR_WOF')).toBe(0n);
  });

  it('take a byte offset inside the register block for the side path', () => {
    const spci = new RegisterFile(PBCQ_SPCI_REGISTERS);
    spci.write(0, 0xffff_f2c8n);
    expect(spci.get('ASB_ADDRESS')).toBe(0x2c8n);
  });
});
