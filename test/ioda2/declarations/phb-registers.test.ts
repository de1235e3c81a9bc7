import { describe, expect, it } from 'vitest';
import { ALL_ONES, fieldMask, getField, setField } from '../../../src/hw/bits.js';
import { formatFields } from '../../../src/hw/decode.js';
import { RegisterFile } from '../../../src/hw/register-file.js';
import { TRAP_NAMES } from '../../../src/ioda2/error-bits/bit-lists.js';
import { trapRegisterName } from '../../../src/ioda2/registers/errors.js';
import { PHB_REGISTER_SPACE_BYTES, PHB_REGISTERS, type PhbRegisterName } from '../../../src/ioda2/registers/phb.js';
import { PHB3_CHECKLIST } from './checklist.js';

const file = () => new RegisterFile(PHB_REGISTERS);
const field = (register: PhbRegisterName, name: string) => PHB_REGISTERS.field(register, name).at;

/** Composes a register value from its fields. */
const compose = (register: PhbRegisterName, fields: Record<string, bigint>) =>
  Object.entries(fields).reduce((value, [name, part]) => setField(value, field(register, name), part), 0n);

describe('the PHB3 register block', () => {
  it('holds exactly the registers of the index, each at its offset', () => {
    const declared = PHB_REGISTERS.registers.map(({ offset, name }) => [offset, name] as const);
    expect([...declared].sort(([a], [b]) => a - b)).toEqual(PHB3_CHECKLIST);
  });

  it('fits its 4 KiB window', () => {
    expect(PHB_REGISTERS.registers.filter(({ offset }) => offset >= PHB_REGISTER_SPACE_BYTES)).toEqual([]);
  });

  it('says one sentence and a source about every register, and a word about every field', () => {
    for (const { name, about, source, fields } of PHB_REGISTERS.registers) {
      expect(about, name).toMatch(/^[^.]+\.$/);
      expect(source, name).not.toBe('');
      for (const { name: fieldName, about: meaning } of fields) expect(meaning, `${name}.${fieldName}`).not.toBe('');
    }
  });

  it('calls every register without a known bit assumed or says so', () => {
    const vague = PHB_REGISTERS.registers.filter(({ about }) => about.includes('meaning unknown'));
    expect(vague.filter(({ known }) => known !== 'assumed')).toEqual([]);
    expect(vague.length).toBeGreaterThan(40);
  });

  it('resets to zero but for version, system configuration, a released PERST line and the masked error macro', () => {
    const reset = PHB_REGISTERS.registers.filter((register) => register.reset !== 0n);
    expect(reset.map((register) => [register.name, register.reset])).toEqual([
      ['PHB_PCIE_SYSTEM_CONFIG', 0x441100fc30000000n],
      ['PHB_VERSION', 0x000000a300000005n],
      ['PHB_RESET', 0x2000000000000000n],
      ['PHB_LEM_ERROR_MASK', ALL_ONES],
    ]);
  });
});

describe('PHB3 fields', () => {
  it('place the parts of the configuration address as the worked example does', () => {
    const value = compose('PHB_CONFIG_ADDRESS', { ENABLE: 1n, BDFN: 0x0100n, REGISTER: 0x104n, PE: 5n });
    expect(value).toBe(0x8010010400050000n);
    expect(getField(value, field('PHB_CONFIG_ADDRESS', 'BUS'))).toBe(1n);
    expect(getField(value, field('PHB_CONFIG_ADDRESS', 'DEVICE'))).toBe(0n);
    expect(formatFields(PHB_REGISTERS.get('PHB_CONFIG_ADDRESS').fields, value)).toBe(
      'ENABLE=1 BUS=1 REGISTER=0x104 PE=5',
    );
  });

  it.each([
    ['PHB_LSI_SOURCE_ID', { LSI_SOURCE_ID: 0xffn }, 0x07f8000000000000n],
    ['PHB_PHB3_CONFIG', { TCE_64B: 1n }, 0x2000000000000000n],
    ['PHB_PHB3_CONFIG', { MSI_32: 1n, MSI_64: 1n, M32: 1n }, 0x0082800000000000n],
    ['PHB_TCE_SPEC_CTL', { TCE_SPECULATION: 0xfn }, 0xf000000000000000n],
    ['PHB_RESET', { PERST: 1n }, 0x2000000000000000n],
    ['PHB_RESET', { CORE_0: 1n, CORE_1: 1n, CORE_3: 1n }, 0xd000000000000000n],
    ['PHB_CONTROL', { IVC_ENABLE: 1n }, 0x0000010000000000n],
    ['PHB_CONTROL', { IVE_128: 1n }, 0x0000008000000000n],
    ['PHB_CPU_LOADSTORE_STATUS', { ANY_ERROR: 1n, FIRST_ERROR: 1n, FREEZE: 1n }, 0x0000001c00000000n],
    ['PHB_FFI_REQUEST', { LOCK_CLEAR: 1n, ISN: 0x10n }, 0x1000000000000100n],
    [
      'PHB_IVC_UPDATE',
      { ENABLE_SERVER: 1n, ENABLE_PRIORITY: 1n, SERVER: 0x20n, PRIORITY: 5n, ISN: 0x10n },
      0x3000200500000010n,
    ],
    [
      'PHB_IVC_UPDATE',
      { ENABLE_P: 1n, ENABLE_GENERATION: 1n, CONDITIONAL: 1n, MATCH_GENERATION: 1n, GENERATION: 2n, ISN: 0x10n },
      0x8d00000080000010n,
    ],
    ['PHB_PAPR_ERR_INJ_CTL', { OUTBOUND: 1n, READ: 1n }, 0x4800000000000000n],
    ['PHB_PAPR_ERR_INJ_CTL', { CONFIG: 1n, READ: 1n }, 0x1800000000000000n],
    ['PHB_PAPR_ERR_INJ_CTL', { INBOUND: 1n, WRITE: 1n }, 0x8400000000000000n],
    ['PHB_PAPR_ERR_INJ_MASK', { BUS: 0xffn }, 0x0ff0000000000000n],
    ['PHB_PAPR_ERR_INJ_MASK', { BDFN: 0xffffn }, 0x0ffff00000000000n],
    ['UTL_PCIE_PORT_IRQ_EN', { LINK_DOWN: 1n }, 0xad52800000000000n ^ 0xad42800000000000n],
    ['UTL_PCIE_PORT_CONTROL', { RTOS_TIMEOUT: 0xfn }, 0x000000f000000000n],
    ['PHB_PCIE_SYSTEM_CONFIG', { SLOT_IMPLEMENTED: 1n }, 0x441100fc30000000n ^ 0x441000fc30000000n],
  ] as const)('%s carries the value firmware uses for %o', (register, fields, value) => {
    expect(compose(register, fields)).toBe(value);
  });

  it('read revision and speed out of the reset values', () => {
    const registers = file();
    expect(registers.field('PHB_VERSION', 'FAMILY')).toBe(0xa3n);
    expect(registers.field('PHB_VERSION', 'LEVEL')).toBe(5n);
    expect(registers.field('PHB_PCIE_SYSTEM_CONFIG', 'MAX_LINK_SPEED')).toBe(3n);
  });

  it('give the table BARs a granule of the table size', () => {
    const granule = (register: PhbRegisterName) =>
      fieldMask(field(register, 'BASE')) & -fieldMask(field(register, 'BASE'));
    expect(granule('PHB_IVT_BAR')).toBe(32n * 1024n);
    expect(granule('PHB_RBA_BAR')).toBe(256n);
    expect(granule('PHB_RTT_BAR')).toBe(128n * 1024n);
    expect(granule('PHB_PELTV_BAR')).toBe(8n * 1024n);
    expect(granule('PHB_PEST_BAR')).toBe(4n * 1024n);
  });
});

describe('PHB3 access rules', () => {
  const offsetOf = (name: PhbRegisterName) => PHB_REGISTERS.get(name).offset;

  it('keep only the LSI source id and the upper M64 bits of a write', () => {
    const registers = file();
    registers.write(offsetOf('PHB_LSI_SOURCE_ID'), ALL_ONES);
    registers.write(offsetOf('PHB_M64_UPPER_BITS'), ALL_ONES);
    expect(registers.get('PHB_LSI_SOURCE_ID')).toBe(0x07f8000000000000n);
    expect(registers.get('PHB_M64_UPPER_BITS')).toBe(0xfffc000000000000n);
  });

  it('let the AND and OR registers act on the LEM FIR and its mask', () => {
    const registers = file();
    registers.write(offsetOf('PHB_LEM_FIR_OR_MASK'), 0xf0n);
    registers.write(offsetOf('PHB_LEM_FIR_AND_MASK'), ~0x30n & ALL_ONES);
    registers.write(offsetOf('PHB_LEM_ERROR_AND_MASK'), 0xffn);
    registers.write(offsetOf('PHB_LEM_ERROR_OR_MASK'), 0x100n);
    expect(registers.get('PHB_LEM_FIR_ACCUM')).toBe(0xc0n);
    expect(registers.get('PHB_LEM_ERROR_MASK')).toBe(0x1ffn);
  });

  it('clear WOF on any write and a trap status by ones', () => {
    const registers = file();
    registers.set('PHB_LEM_WOF', 5n);
    registers.write(offsetOf('PHB_LEM_WOF'), ALL_ONES);
    registers.set('PHB_INA_ERR_STATUS', 7n);
    registers.write(offsetOf('PHB_INA_ERR_STATUS'), 5n);
    expect(registers.get('PHB_LEM_WOF')).toBe(0n);
    expect(registers.get('PHB_INA_ERR_STATUS')).toBe(2n);
  });

  it('refuse software the status bits of link training, link management and the DMA read sync', () => {
    const registers = file();
    registers.write(offsetOf('PHB_PCIE_DLP_TRAIN_CTL'), ALL_ONES);
    registers.write(offsetOf('PHB_PCIE_LINK_MANAGEMENT'), ALL_ONES);
    registers.write(offsetOf('PHB_DMARD_SYNC'), ALL_ONES);
    expect(registers.get('PHB_PCIE_DLP_TRAIN_CTL')).toBe(0x4000000000000000n);
    // Commands 0 and 11 are done at once, status 8 and 9 belong to the link.
    expect(registers.get('PHB_PCIE_LINK_MANAGEMENT')).toBe(0x7f2fffffffffffffn);
    expect(registers.get('PHB_DMARD_SYNC')).toBe(0n);
  });

  it('keep status, summary and capability registers from being written', () => {
    const registers = file();
    for (const name of ['PHB_ETU_ERR_SUMMARY', 'PHB_DMA_CHAN_STATUS', 'PHB_PHB3_EEH_CAP', 'UTL_STATUS'] as const) {
      registers.write(offsetOf(name), ALL_ONES);
      expect(registers.get(name), name).toBe(0n);
    }
  });
});

describe('the four traps', () => {
  const layout = (trap: (typeof TRAP_NAMES)[number]) => PHB_REGISTERS.get(trapRegisterName(trap, 'ERR_STATUS')).offset;

  it('stand 0x80 apart with one layout and a hole at 0x38', () => {
    expect(TRAP_NAMES.map(layout)).toEqual([0xc80, 0xd00, 0xd80, 0xe00]);
    for (const trap of TRAP_NAMES) {
      expect(PHB_REGISTERS.byOffset(layout(trap) + 0x38), trap).toBeUndefined();
      expect(PHB_REGISTERS.byOffset(layout(trap) + 0x58)?.name).toBe(trapRegisterName(trap, 'ERR1_STATUS_MASK'));
    }
  });

  it('name their errors when a status is decoded, and the operation when the log is', () => {
    expect(formatFields(PHB_REGISTERS.get('PHB_INA_ERR_STATUS').fields, 1n << 63n)).toBe('COMPLETION_CA=1');
    expect(formatFields(PHB_REGISTERS.get('PHB_OUT_ERR_STATUS').fields, 1n << 57n)).toBe('OUT[6]=1');
    const log = PHB_REGISTERS.get('PHB_INA_ERR_LOG_0').fields;
    expect(formatFields(log, 0x0402030000000000n)).toBe('TRANSACTION_TYPE=4 other=0x2030000000000');
  });
});
