import { describe, expect, it } from 'vitest';
import { ALL_ONES } from '../../src/hw/bits.js';
import { declareRegisters } from '../../src/hw/register.js';
import { REGISTER_READ, REGISTER_WRITE, RegisterFile, UnknownRegisterError } from '../../src/hw/register-file.js';
import { Simulator } from '../../src/sim/simulator.js';
import { MMIO_BANK, SCOM_BANK } from './banks.js';

const OFFSET = (name: (typeof MMIO_BANK.names)[number]) => MMIO_BANK.get(name).offset;

describe('software', () => {
  it('changes only the writable bits', () => {
    const file = new RegisterFile(MMIO_BANK);
    file.write(OFFSET('MASKED'), 0n);
    expect(file.read(OFFSET('MASKED'))).toBe(0xde00_00ef_0023_4500n);
    file.write(OFFSET('MASKED'), ALL_ONES);
    expect(file.read(OFFSET('MASKED'))).toBe(0xdeff_ffef_ff23_45ffn);
  });

  it('sets and clears bits of a FIR through its OR and AND forms, within what either lets change', () => {
    const file = new RegisterFile(MMIO_BANK);
    file.write(OFFSET('FIR_OR'), ALL_ONES);
    expect(file.get('FIR')).toBe(0xffff_0000_0000_ff00n);
    file.write(OFFSET('FIR_AND'), ~(1n << 63n));
    expect(file.get('FIR')).toBe(0x7fff_0000_0000_ff00n);
    expect(file.read(OFFSET('FIR_AND'))).toBe(0n);
  });

  it('finds the command bit clear again and the rest as written', () => {
    const file = new RegisterFile(MMIO_BANK);
    file.write(OFFSET('LINK'), 0x8123_0000_0000_0000n);
    expect(file.read(OFFSET('LINK'))).toBe(0x0123_0000_0000_0000n);
  });

  it('gets an error that names bank and offset for what is not declared', () => {
    const file = new RegisterFile(MMIO_BANK);
    for (const offset of [0x110, 0x104, 0xf8, 0x800, -8, 0x100 + 2 ** 32, 0.5, Number.NaN]) {
      expect(file.has(offset)).toBe(false);
      expect(() => file.read(offset)).toThrow(UnknownRegisterError);
      expect(() => file.write(offset, 0n)).toThrow(UnknownRegisterError);
    }
    expect(() => file.read(0x110)).toThrow(/TEST declares no register at 0x110/);
    expect(file.has(0x118)).toBe(true);
    expect(new RegisterFile(SCOM_BANK).has(0x0201_2003)).toBe(false);
    expect(new RegisterFile(declareRegisters('EMPTY', 8, {})).has(0)).toBe(false);
  });

  it('reads and writes in halves what it would in whole words', () => {
    const file = new RegisterFile(MMIO_BANK);
    file.write32(OFFSET('PLAIN'), 0x8000_0001, 0xffff_fffe);
    file.read32(OFFSET('PLAIN'));
    expect([file.hi, file.lo]).toEqual([0x8000_0001, 0xffff_fffe]);
    expect(file.read(OFFSET('PLAIN'))).toBe(0x8000_0001_ffff_fffen);
  });
});

describe('a hook', () => {
  it('sees a write after it took effect, as software wrote it, with the value before', () => {
    const seen: bigint[][] = [];
    const file: RegisterFile<'MASKED' | (typeof MMIO_BANK.names)[number]> = new RegisterFile(MMIO_BANK, {
      MASKED: { onWrite: (value, old) => seen.push([value, old, file.get('MASKED')]) },
    });
    file.write(OFFSET('MASKED'), ALL_ONES);
    expect(seen).toEqual([[ALL_ONES, 0xdead_beef_0123_4567n, 0xdeff_ffef_ff23_45ffn]]);
  });

  it('of an alias gets the old value of its target', () => {
    const seen: bigint[] = [];
    const file = new RegisterFile(MMIO_BANK, { FIR_OR: { onWrite: (_, old) => seen.push(old) } });
    file.set('FIR', 0x10n);
    file.write(OFFSET('FIR_OR'), 0x8000_0000_0000_0000n);
    expect(seen).toEqual([0x10n]);
    expect(file.get('FIR')).toBe(0x8000_0000_0000_0010n);
  });

  it('answers reads, and can change the register: a lock that is taken by reading', () => {
    const file: RegisterFile<(typeof MMIO_BANK.names)[number]> = new RegisterFile(MMIO_BANK);
    file.attach('PLAIN', {
      onRead(stored) {
        file.or('PLAIN', 1n << 63n);
        return stored;
      },
    });
    expect(file.read(OFFSET('PLAIN'))).toBe(0n);
    expect(file.read(OFFSET('PLAIN'))).toBe(1n << 63n);
    expect(file.peek('PLAIN')).toBe(1n << 63n);
  });

  it('answers for a write-only register, from what was written', () => {
    const file = new RegisterFile(MMIO_BANK);
    file.write(OFFSET('KILL'), 0x80n);
    expect(file.read(OFFSET('KILL'))).toBe(0n);
    file.attach('KILL', { onRead: (stored) => stored + 1n });
    expect(file.read(OFFSET('KILL'))).toBe(0x81n);
  });

  it('can show a command as busy although its bit clears itself', () => {
    const file: RegisterFile<(typeof MMIO_BANK.names)[number]> = new RegisterFile(MMIO_BANK, {
      LINK: { onWrite: () => file.or('LINK', 1n << 63n) },
    });
    file.write(OFFSET('LINK'), 0n);
    expect(file.read(OFFSET('LINK'))).toBe(1n << 63n);
  });

  it('runs for a write to a read-only register, which stays as it is', () => {
    const seen: bigint[] = [];
    const file = new RegisterFile(MMIO_BANK, { VERSION: { onWrite: (value) => seen.push(value) } });
    file.write(OFFSET('VERSION'), 7n);
    expect(seen).toEqual([7n]);
    expect(file.read(OFFSET('VERSION'))).toBe(0xa3_0000_0005n);
  });

  it('has one owner', () => {
    const file = new RegisterFile(MMIO_BANK, { PLAIN: {} });
    expect(() => file.attach('PLAIN', {})).toThrow('TEST.PLAIN already has hooks');
  });

  it('works in a bank spread too wide for a table', () => {
    const seen: bigint[] = [];
    const file = new RegisterFile(SCOM_BANK, { NFIR_AND: { onWrite: (value) => seen.push(value) } });
    file.write(0x0201_2000, 0xffn);
    file.write(0x0201_2001, 0x0fn);
    expect(file.read(0x0201_2000)).toBe(0x0fn);
    expect(seen).toEqual([0x0fn]);
  });
});

describe('hardware', () => {
  it('bypasses access kinds and hooks', () => {
    const file = new RegisterFile(MMIO_BANK, {
      STATUS: {
        onWrite: () => {
          throw new Error('not software');
        },
      },
    });
    file.set('STATUS', 0xf0n);
    file.or('STATUS', 0x0fn);
    file.clear('STATUS', 0x81n);
    expect(file.get('STATUS')).toBe(0x7en);
    file.set('VERSION', 1n);
    expect(file.read(OFFSET('VERSION'))).toBe(1n);
  });

  it('reaches a register by its slot in hot paths', () => {
    const file = new RegisterFile(MMIO_BANK);
    const slot = file.slotOf('PLAIN');
    file.setAt(slot, 0x8000_0000, 1);
    expect(file.get('PLAIN')).toBe(0x8000_0000_0000_0001n);
    expect([file.hiAt(slot), file.loAt(slot)]).toEqual([file.getHi('PLAIN'), file.getLo('PLAIN')]);
    expect(() => file.slotOf('NOPE' as 'PLAIN')).toThrow(/no register is called NOPE/);
  });

  it('reads and sets fields by name', () => {
    const file = new RegisterFile(MMIO_BANK);
    file.setField('KILL', 'PE', 5n);
    file.setField('KILL', 'ALL', 1n);
    expect(file.get('KILL')).toBe(0x8000_0000_0000_0005n);
    expect(file.field('KILL', 'PE')).toBe(5n);
  });

  it('resets every register, or one, to its declared value', () => {
    const file = new RegisterFile(MMIO_BANK);
    for (const name of MMIO_BANK.names) file.set(name, ALL_ONES);
    file.reset('VERSION');
    expect(file.get('VERSION')).toBe(0xa3_0000_0005n);
    expect(file.get('PLAIN')).toBe(ALL_ONES);
    file.resetAll();
    for (const name of MMIO_BANK.names) expect(file.get(name)).toBe(MMIO_BANK.get(name).reset);
    file.write(OFFSET('MASKED'), 0n);
    expect(file.get('MASKED')).toBe(0xde00_00ef_0023_4500n);
  });
});

describe('decoding', () => {
  const file = new RegisterFile(MMIO_BANK);

  it('names every field with its value', () => {
    const decoded = file.decode('KILL', 0xc000_0000_0000_0005n);
    expect(decoded.map(({ name, value, valueName }) => [name, value, valueName])).toEqual([
      ['ALL', 1n, undefined],
      ['MODE', 2n, 'by_pe'],
      ['PE', 5n, undefined],
    ]);
    expect(decoded[2]?.about).toBe('the PE');
  });

  it('gives one line, without fields that are 0, with bits that have no name', () => {
    expect(file.format('KILL', 0x8000_0000_0000_0005n)).toBe('ALL=1 PE=5');
    expect(file.format('KILL', 0x2000_0000_0000_00ffn)).toBe('MODE=page PE=0xff');
    expect(file.format('KILL', 0xf00n)).toBe('0');
    expect(file.format('KILL', 0x1000_0000_0000_0001n)).toBe('PE=1 other=0x1000000000000000');
    expect(file.format('KILL')).toBe('0');
    expect(file.format('PLAIN', 0x2an)).toBe('000000000000002a');
  });
});

it('software’s accesses leave records in the trace, a write before what it causes', () => {
  const sim = new Simulator();
  const trace = { trace: sim.trace, source: sim.trace.source('PHB0') };
  const file: RegisterFile<(typeof MMIO_BANK.names)[number]> = new RegisterFile(
    MMIO_BANK,
    { COMMAND: { onWrite: () => file.read(OFFSET('PLAIN')) } },
    { trace },
  );
  file.write(OFFSET('COMMAND'), 0x8000_0000_0000_0001n);
  file.set('PLAIN', 1n);
  const records = sim.trace.tail(10);
  expect(records.map((record) => record.kind)).toEqual([REGISTER_WRITE, REGISTER_READ]);
  expect(records[0]?.values).toEqual([OFFSET('COMMAND'), 0x8000_0000, 1]);
  expect(records[0]?.toString()).toContain('PHB0  register-write offset=00000150 value=8000000000000001');
});
