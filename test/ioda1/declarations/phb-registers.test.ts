import { describe, expect, it } from 'vitest';
import { ALL_ONES, setField } from '../../../src/hw/bits.js';
import { formatFields } from '../../../src/hw/decode.js';
import { RegisterFile } from '../../../src/hw/register-file.js';
import { TRAP_NAMES } from '../../../src/ioda/bit-lists.js';
import { trapRegisterName } from '../../../src/ioda/trap-registers.js';
import { HUB_REGISTERS } from '../../../src/ioda1/registers/hub.js';
import { PHB_REGISTERS, type PhbRegisterName } from '../../../src/ioda1/registers/phb.js';
import { touchedRegisters } from '../firmware/accesses.js';
import { PHB_CHECKLIST } from './checklist.js';

const TOUCHED = touchedRegisters();

const file = () => new RegisterFile<PhbRegisterName>(PHB_REGISTERS);
const offsetOf = (name: PhbRegisterName) => PHB_REGISTERS.get(name).offset;
const compose = (register: PhbRegisterName, fields: Record<string, bigint>) =>
  Object.entries(fields).reduce(
    (value, [name, part]) => setField(value, PHB_REGISTERS.field(register, name).at, part),
    0n,
  );

describe('the registers of a P7IOC PHB', () => {
  it('are exactly those of the index, each at its offset', () => {
    const declared = PHB_REGISTERS.registers.map(({ offset, name }) => [offset, name] as const);
    expect([...declared].sort(([a], [b]) => a - b)).toEqual(PHB_CHECKLIST);
  });

  it('include every register that firmware touches', () => {
    expect(TOUCHED.phb).toHaveLength(102);
    expect(TOUCHED.phb.filter((offset) => PHB_REGISTERS.byOffset(offset) === undefined)).toEqual([]);
  });

  it('say one sentence and a source each, and a word about every field', () => {
    for (const { name, about, source, fields } of PHB_REGISTERS.registers) {
      expect(about, name).toMatch(/^[^.]+\.$/);
      expect(source, name).not.toBe('');
      for (const field of fields) expect(field.about, `${name}.${field.name}`).not.toBe('');
    }
  });

  it('are called assumed where no bit is known', () => {
    const vague = PHB_REGISTERS.registers.filter(({ about }) => about.includes('meaning unknown'));
    expect(vague.filter(({ known }) => known !== 'assumed')).toEqual([]);
    expect(vague.length).toBeGreaterThan(30);
  });

  it('reset to zero but for version, system configuration, abilities and the masked error macro', () => {
    const reset = PHB_REGISTERS.registers.filter((register) => register.reset !== 0n);
    expect(reset.map((register) => [register.name, register.reset])).toEqual([
      ['PHB_IRQ_CAP', 0x108n],
      ['PHB_EEH_CAP', 0x0800000000000000n],
      ['PHB_PCIE_SYSTEM_CONFIG', 0x422800fc20000000n],
      ['PHB_VERSION', 0x000000a200000002n],
      ['PHB_LEM_ERROR_MASK', ALL_ONES],
    ]);
  });
});

describe('P7IOC PHB fields', () => {
  it.each([
    ['PHB_BUID', { LSI: 0x040n, MSI: 0x060n }, 0x0040006000000000n],
    ['PHB_BUID', { LSI: 0x180n, MSI: 0x1a0n }, 0x018001a000000000n],
    ['PHB_CONFIG_ADDRESS', { ENABLE: 1n, BDFN: 0x0100n, REGISTER: 0x10n }, 0x8010001000000000n],
    ['PHB_IODA_ADDR', { AUTOINCREMENT: 1n, TABLE: 6n, INDEX: 5n }, 0x8006000000000005n],
    ['PHB_PHB2_CONFIG', { TCE_64B: 1n, MSI_32: 1n, IO: 1n, MSI_64: 1n, M32: 1n }, 0x208a800000000000n],
    ['PHB_TCE_PREFETCH', { DMA_READ: 1n, DMA_WRITE: 1n }, 0x0000c00000000000n],
    ['PHB_PAPR_ERR_INJ_CTL', { OUTBOUND: 1n, READ: 1n }, 0x4800000000000000n],
    ['PHB_PAPR_ERR_INJ_CTL', { INBOUND: 1n, WRITE: 1n }, 0x8400000000000000n],
    ['PHB_PAPR_ERR_INJ_CTL', { CONFIG: 1n, READ: 1n }, 0x1800000000000000n],
    ['PHB_PAPR_ERR_INJ_MASK', { BUS: 0xffn }, 0x0ff0000000000000n],
    ['PHB_PAPR_ERR_INJ_MASK', { MMIO: 0xffffffn }, 0x0000ffffff000000n],
    ['PHB_PAPR_ERR_INJ_MASK', { IO: 0xffffffffn }, 0x0000ffffffff0000n],
    ['PHB_PAPR_ERR_INJ_MASK', { TVE: 0xfn }, 0x000000000000000fn],
    ['PHB_AIB_TX_CHAN_MAPPING', { DMA_READ: 2n, MMIO_RESPONSE: 1n, INTERRUPT: 1n, TCE_READ: 3n }, 0x0211300000000000n],
    ['PHB_AIB_RX_CMD_CRED', { CHANNEL_0: 32n, CHANNEL_1: 32n, CHANNEL_2: 32n, CHANNEL_3: 1n }, 0x0020002000200001n],
    ['PHB_AIB_RX_DATA_CRED', { CHANNEL_1: 32n, CHANNEL_3: 1n }, 0x0000002000000001n],
    ['PHB_RESET', { CORE_0: 1n, CORE_1: 1n, PERST: 1n, ERROR_REPORT: 1n }, 0xe800000000000000n],
    ['PHB_CONTROL', { RAM_ECC: 0x7fn, TCAM_ENABLE: 7n }, 0x7f38000000000000n],
    ['PHB_PCIE_SYSTEM_CONFIG', { MAX_LINK_WIDTH: 8n, MAX_PAYLOAD: 5n, MAX_LINK_SPEED: 2n }, 0x0228000020000000n],
    ['UTL_PCIE_PORT_STATUS', { LINK_STATUS: 1n, LINK_DOWN: 1n, LINK_UP: 1n }, 0x00e0000000000000n],
    ['PHB_HOTPLUG_OVERRIDE', { POWER: 1n, OVERRIDE_5: 1n }, 0x8400000000000000n],
    ['PHB_HOTPLUG_OVERRIDE', { OVERRIDE_4: 1n, OVERRIDE_5: 1n }, 0x0c00000000000000n],
  ] as const)('%s carries the value firmware uses for %o', (register, fields, value) => {
    expect(compose(register, fields)).toBe(value);
  });

  it('name the errors of a status, and the operation of a log', () => {
    const status = PHB_REGISTERS.get('PHB_OUT_ERR_STATUS').fields;
    expect(formatFields(status, 0x8000000800000000n)).toBe('AIB_COMMAND=1 PAPR_INJECTION=1');
    const log = PHB_REGISTERS.get('PHB_INA_ERR_LOG_0').fields;
    expect(formatFields(log, 0x0100802b00000005n)).toBe('REQUESTER_ID=0x100 TRANSACTION_TYPE=4 LEM_BIT=0x2b PE=5');
  });
});

describe('P7IOC PHB access rules', () => {
  it('keep the nine bits of an LSI unit and the top five of the message units', () => {
    const registers = file();
    registers.write(offsetOf('PHB_BUID'), ALL_ONES);
    expect(registers.get('PHB_BUID')).toBe(0x01ff01f000000000n);
  });

  it('keep only the upper half of a UTL register', () => {
    const registers = file();
    registers.write(offsetOf('UTL_PCIE_PORT_CONTROL'), ALL_ONES);
    expect(registers.get('UTL_PCIE_PORT_CONTROL')).toBe(0xffffffff00000000n);
  });

  it('let a store replace the LEM FIR and WOF, and ones clear a trap status', () => {
    const registers = file();
    registers.set('PHB_LEM_WOF', 7n);
    registers.write(offsetOf('PHB_LEM_WOF'), 5n);
    registers.set('PHB_INA_ERR_STATUS', 7n);
    registers.write(offsetOf('PHB_INA_ERR_STATUS'), 5n);
    registers.write(offsetOf('PHB_LEM_FIR_ACCUM'), 3n);
    registers.write(offsetOf('PHB_LEM_FIR_ACCUM'), 4n);
    expect([registers.get('PHB_LEM_WOF'), registers.get('PHB_INA_ERR_STATUS')]).toEqual([5n, 2n]);
    expect(registers.get('PHB_LEM_FIR_ACCUM')).toBe(4n);
  });

  it('let the AND and OR ports act on the LEM FIR and its mask', () => {
    const registers = file();
    registers.write(offsetOf('PHB_LEM_FIR_OR_MASK'), 0xf0n);
    registers.write(offsetOf('PHB_LEM_FIR_AND_MASK'), ~0x30n & ALL_ONES);
    registers.write(offsetOf('PHB_LEM_ERROR_AND_MASK'), 0xffn);
    registers.write(offsetOf('PHB_LEM_ERROR_OR_MASK'), 0x100n);
    expect([registers.get('PHB_LEM_FIR_ACCUM'), registers.get('PHB_LEM_ERROR_MASK')]).toEqual([0xc0n, 0x1ffn]);
  });

  it('give software of link training only the transmitter', () => {
    const registers = file();
    registers.write(offsetOf('PHB_PCIE_DLP_TRAIN_CTL'), ALL_ONES);
    expect(registers.get('PHB_PCIE_DLP_TRAIN_CTL')).toBe(0x4000000000000000n);
  });

  it('keep status, summary and ability registers from being written', () => {
    const registers = file();
    for (const name of ['PHB_ETU_ERR_SUMMARY', 'PHB_DMA_CHAN_STATUS', 'PHB_PCIE_SLOTCTL2', 'PHB_GEN_CAP'] as const) {
      registers.write(offsetOf(name), ALL_ONES);
      expect(registers.get(name), name).toBe(0n);
    }
  });

  it('place the four traps 0x80 apart with a hole at 0x38', () => {
    expect(TRAP_NAMES.map((trap) => offsetOf(trapRegisterName(trap, 'ERR_STATUS')))).toEqual([
      0xc80, 0xd00, 0xd80, 0xe00,
    ]);
    for (const base of [0xc80, 0xd00, 0xd80, 0xe00]) expect(PHB_REGISTERS.byOffset(base + 0x38)).toBeUndefined();
  });
});

describe('the registers of the hub', () => {
  it('include every offset that firmware touches', () => {
    expect(TOUCHED.hub).toHaveLength(346);
    expect(TOUCHED.hub.filter((offset) => HUB_REGISTERS.byOffset(offset) === undefined)).toEqual([]);
  });

  it('say one sentence and a source each', () => {
    for (const { name, about, source } of HUB_REGISTERS.registers) {
      expect(about, name).toMatch(/^[^.]+\.$/);
      expect(source, name).not.toBe('');
    }
  });
});
