import { describe, expect, it } from 'vitest';
import { explain } from '../../src/diag/index.js';
import { decodeDiagData } from '../../src/diag/layout.js';
import { decodeHubDiagData, formatHubDiagData } from '../../src/diag/p7ioc/hub.js';
import { P7IOC_LAYOUT } from '../../src/diag/p7ioc/layout.js';
import { msbMask } from '../../src/hw/bits.js';
import type { HubUnit } from '../../src/ioda1/error-bits/units.js';
import type { HubRegisterName } from '../../src/ioda1/registers/hub.js';
import type { PhbRegisterName } from '../../src/ioda1/registers/phb.js';
import { invokeToken } from '../../src/opal/opal-abi.js';
import { OpalStatus, PciError, Severity } from '../../src/opal/opal-api.js';
import { NO_ERROR } from '../../src/opal/opal-results.js';
import { memoryWrite } from '../../src/pcie/tlp.js';
import { ONES, RGC_IRQ } from '../ioda1/layout.js';
import { type FirmwareOptions, P7iocFirmware } from './p7ioc-firmware.js';

const { SUCCESS, PARAMETER, CLOSED, INTERNAL_ERROR } = OpalStatus;
const booted = (options?: FirmwareOptions) => P7iocFirmware.booted(options).enableInterrupts();

/** Where each register stands in the data. Facts: ioda1-p7ioc 9.2. */
const DOUBLEWORDS: readonly (readonly [at: number, register: PhbRegisterName])[] = [
  [0x68, 'PHB_CPU_LOADSTORE_STATUS'],
  [0x70, 'PHB_DMA_CHAN_STATUS'],
  [0x78, 'PHB_LEM_FIR_ACCUM'],
  [0x80, 'PHB_LEM_ERROR_MASK'],
  [0x88, 'PHB_LEM_WOF'],
  [0x90, 'PHB_ERR_STATUS'],
  [0x98, 'PHB_ERR1_STATUS'],
  [0xa0, 'PHB_ERR_LOG_0'],
  [0xa8, 'PHB_ERR_LOG_1'],
  [0xb0, 'PHB_OUT_ERR_STATUS'],
  [0xb8, 'PHB_OUT_ERR1_STATUS'],
  [0xc0, 'PHB_OUT_ERR_LOG_0'],
  [0xc8, 'PHB_OUT_ERR_LOG_1'],
  [0xd0, 'PHB_INA_ERR_STATUS'],
  [0xd8, 'PHB_INA_ERR1_STATUS'],
  [0xe0, 'PHB_INA_ERR_LOG_0'],
  [0xe8, 'PHB_INA_ERR_LOG_1'],
  [0xf0, 'PHB_INB_ERR_STATUS'],
  [0xf8, 'PHB_INB_ERR1_STATUS'],
  [0x100, 'PHB_INB_ERR_LOG_0'],
  [0x108, 'PHB_INB_ERR_LOG_1'],
];
/** Upper halves of registers of the core. */
const CORE: readonly (readonly [at: number, register: PhbRegisterName])[] = [
  [0x10, 'UTL_PCIE_PORT_STATUS'],
  [0x14, 'UTL_RC_STATUS'],
  [0x18, 'UTL_SYS_BUS_AGENT_STATUS'],
];
/** Configuration space of the root port. */
const ROOT_PORT: readonly (readonly [at: number, offset: number, size: 2 | 4])[] = [
  [0x0c, 0x3e, 2],
  [0x1c, 0x50, 4],
  [0x20, 0x60, 4],
  [0x24, 0x58, 4],
  [0x28, 0x04, 4],
  [0x2c, 0x1e, 2],
  [0x30, 0x130, 4],
  [0x34, 0x104, 4],
  [0x38, 0x110, 4],
  [0x3c, 0x11c, 4],
  [0x40, 0x120, 4],
  [0x44, 0x124, 4],
  [0x48, 0x128, 4],
  [0x4c, 0x134, 4],
];

const phbDiag = (firmware: P7iocFirmware, length?: number) => firmware.run(firmware.opal.pciGetPhbDiagData2(0, length));
const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset);
const words = (bytes: Uint8Array, at: number): bigint[] =>
  Array.from({ length: 128 }, (_, pe) => view(bytes).getBigUint64(at + 8 * pe));
const frozenIn = (states: readonly bigint[]): number[] =>
  states.flatMap((word, pe) => (word >> 63n === 1n ? [pe] : []));

/** What the chip holds, in the form of the data. */
function expected(firmware: P7iocFirmware): Uint8Array {
  const bytes = new Uint8Array(0x910);
  const data = view(bytes);
  for (const [at, value] of [
    [0, 1],
    [4, 1],
    [8, 0x910],
  ] as const)
    data.setUint32(at, value);
  for (const [at, register] of DOUBLEWORDS) data.setBigUint64(at, firmware.register(register));
  for (const [at, register] of CORE) data.setUint32(at, Number(firmware.register(register) >> 32n));
  const space = firmware.hub.phbs[0]!.rootPort.config;
  for (const [at, offset, size] of ROOT_PORT) data.setUint32(at, space.read(offset, size));
  for (let pe = 0; pe < 128; pe++) {
    data.setBigUint64(0x110 + 8 * pe, firmware.table('PESTA', pe));
    data.setBigUint64(0x510 + 8 * pe, firmware.table('PESTB', pe));
  }
  return bytes;
}

describe('diagnostic data of a PHB', () => {
  it('are the registers, byte by byte, after errors of every trap', () => {
    const firmware = booted();
    firmware.dmaWrite(0x4000n, [1]);
    firmware.card.answers.push('UR');
    firmware.run(firmware.opal.pciEehFreezeSet(0, 77, 2));
    for (const trap of ['PHB_ERR', 'PHB_OUT_ERR', 'PHB_INB_ERR'] as const) {
      firmware.setRegister(`${trap}_INJECT`, msbMask(55));
      firmware.setRegister(`${trap}_LOG_1`, 0x1234_5678_9abc_def0n);
    }
    const packet = memoryWrite(0x0108, { hi: 0x1234_5678, lo: 0x9abc_def0 }, Uint8Array.of(1, 2, 3, 4));
    firmware.hub.phbs[0]!.rootPort.raiseUncorrectable('MALFORMED_TLP', packet);
    const { rc, data } = phbDiag(firmware);
    expect(rc).toBe(SUCCESS);
    expect(data).toEqual(expected(firmware));
    const { fields } = decodeDiagData(P7IOC_LAYOUT, data);
    const header = [fields.tlpHdr1, fields.tlpHdr2, fields.tlpHdr3, fields.tlpHdr4];
    expect(new Set(header).size).toBe(4);
    for (const field of ['phbErrorStatus', 'mmioErrorStatus', 'dma0ErrorStatus', 'dma1ErrorStatus'] as const)
      expect(fields[field]).not.toBe(0n);
  });

  it('name the PE and the error, when somebody explains them', () => {
    const firmware = booted();
    firmware.dmaWrite(0x4000n, [1]);
    const explained = explain(phbDiag(firmware).data);
    expect(explained.dumps).toHaveLength(1);
    expect(
      JSON.stringify(explained.dumps[0], (_, value) => (typeof value === 'bigint' ? String(value) : value)),
    ).toMatch(/p7ioc/i);
    expect(frozenIn(words(phbDiag(firmware).data, 0x110))).toEqual([127]);
  });

  it('need room for all of them', () => {
    const firmware = booted();
    expect(phbDiag(firmware, 0x90f)).toEqual({ rc: PARAMETER, data: new Uint8Array(0) });
    expect(phbDiag(firmware, 0x910).data).toHaveLength(0x910);
  });

  it('survive a fence, but for the states of the PEs: those are of the table that was selected before', () => {
    const firmware = booted();
    firmware.run(firmware.opal.pciEehFreezeSet(0, 77, 3));
    firmware.dmaWrite(0x4000n, [1]);
    firmware.run(firmware.opal.pciMapPeMmioWindow(0, { pe: 5, type: 1, window: 0, segment: 3 }));
    firmware.fence();
    const { rc, data } = phbDiag(firmware);
    expect(rc).toBe(SUCCESS);
    expect(data.subarray(0, 0x110)).toEqual(expected(firmware).subarray(0, 0x110));
    expect(new Set([...words(data, 0x110), ...words(data, 0x510)])).toEqual(new Set([5n << 57n]));
  });

  it('have the states of the PEs of a fenced PHB, when that is corrected', () => {
    const firmware = booted({ profile: { fencedPeStates: 'corrected' } });
    firmware.run(firmware.opal.pciEehFreezeSet(0, 77, 3));
    firmware.dmaWrite(0x4000n, [1]);
    firmware.fence();
    expect(phbDiag(firmware).data).toEqual(expected(firmware));
  });

  it('of a broken PHB have ones for its root port', () => {
    const firmware = booted();
    firmware.hub.phbs[0]!.jamFence();
    firmware.fence();
    firmware.reset(0, 1);
    const { rc, data } = phbDiag(firmware);
    expect([rc, view(data).getUint32(0x1c), view(data).getUint32(0x0c)]).toEqual([SUCCESS, 0xffff_ffff, 0xffff]);
    expect(data.subarray(0x68, 0x110)).toEqual(expected(firmware).subarray(0x68, 0x110));
  });

  it('end an informational error of the PHB that firmware knows, and clear it', () => {
    const firmware = booted({ phbs: [0, 1] });
    firmware.setRegister('PHB_LEM_FIR_OR_MASK', msbMask(20), 1);
    firmware.run(firmware.opal.handleInterrupt(RGC_IRQ));
    // The question to another PHB hands the error to the one it belongs to.
    expect(firmware.run(firmware.opal.pciNextError(0))).toEqual(NO_ERROR);
    expect(firmware.run(firmware.opal.pciGetPhbDiagData2(1)).rc).toBe(SUCCESS);
    expect([firmware.register('PHB_LEM_FIR_ACCUM', 1), firmware.register('PHB_LEM_WOF', 1)]).toEqual([0n, 0n]);
    expect(firmware.run(firmware.opal.pciNextError(1))).toEqual(NO_ERROR);
  });

  it('leave an informational error of the crossbar in front of the PHB to be told', () => {
    const firmware = booted({ phbs: [0, 1] });
    firmware.setHubRegister('GEM_RWOF', msbMask(7));
    firmware.setHubRegister('CI_P3_LEM_WOF', msbMask(16));
    firmware.run(firmware.opal.handleInterrupt(RGC_IRQ));
    firmware.run(firmware.opal.pciNextError(0));
    firmware.run(firmware.opal.pciGetPhbDiagData2(1));
    expect(firmware.run(firmware.opal.pciNextError(1))).toEqual({
      ...{ ...NO_ERROR, errorType: PciError.PHB },
      severity: Severity.INF,
    });
  });
});

const COMMON: readonly HubRegisterName[] = ['GEM_XFIR', 'GEM_RFIR', 'GEM_RIRQFIR', 'GEM_MASK', 'GEM_RWOF'];
const LEM = ['FIR_ACCUM', 'ERROR_MASK', 'ACTION0', 'ACTION1', 'WOF'] as const;

interface UnitRow {
  readonly unit: HubUnit;
  readonly bit: number;
  readonly type: number;
  readonly own: readonly HubRegisterName[];
  /** Where the byte stands that tells instances apart, and which it is. */
  readonly instance?: readonly [at: number, value: number];
}
/** Facts: ioda1-p7ioc 9.1, 12.4. Bits that report without stopping the hub. */
const UNITS: readonly UnitRow[] = [
  { unit: 'RGC', bit: 17, type: 1, own: ['RGC_STATUS', 'RGC_LDCP'] },
  {
    ...{ unit: 'BI_UP', bit: 40, type: 2, instance: [120, 0] },
    own: ['BI_UP_LDCP0', 'BI_UP_LDCP1', 'BI_UP_LDCP2', 'BI_FENCE_STATUS'],
  },
  {
    ...{ unit: 'BI_DOWN', bit: 28, type: 2, instance: [120, 1] },
    own: ['BI_DOWN_LDCP0', 'BI_DOWN_LDCP1', 'BI_DOWN_LDCP2', 'BI_FENCE_STATUS'],
  },
  {
    ...{ unit: 'CI_P0', bit: 4, type: 3, instance: [104, 0] },
    own: ['CI_P0_LEM_FIR_AND_MASK', 'CI_P0_LEM_FIR_OR_MASK'],
  },
  {
    ...{ unit: 'CI_P1', bit: 16, type: 3, instance: [104, 1] },
    own: ['CI_P1_LEM_FIR_AND_MASK', 'CI_P1_LEM_FIR_OR_MASK'],
  },
  { unit: 'MISC', bit: 17, type: 4, own: [] },
  { unit: 'I2C', bit: 0, type: 5, own: [] },
];

const GEM_BIT: Readonly<Record<string, number>> = {
  RGC: 1,
  BI_UP: 2,
  BI_DOWN: 3,
  CI_P0: 4,
  CI_P1: 5,
  MISC: 24,
  I2C: 25,
};

/** An error of the unit that firmware has found. */
function withError(unit: HubUnit, bit: number, options?: FirmwareOptions): P7iocFirmware {
  const firmware = booted(options);
  firmware.setHubRegister('BI_FENCE_STATUS', 0x77n);
  firmware.breakUnit(unit, bit);
  // Errors that the actions do not let through are shown as first all the same.
  firmware.setHubRegister('GEM_RWOF', msbMask(GEM_BIT[unit]!));
  firmware.run(firmware.opal.handleInterrupt(RGC_IRQ));
  return firmware;
}

const BUFFER = 0x4000;
const FILL = 0xa5;

/** The call as a system makes it, with a buffer full of something else. */
function hubDiag(firmware: P7iocFirmware, length = 128, hub = 1): { rc: number; bytes: Uint8Array } {
  const { memory } = firmware.machine;
  memory.fill(BUFFER, 256, FILL);
  const registers = [BigInt(hub), BigInt(BUFFER), BigInt(length)];
  const rc = firmware.run(invokeToken(firmware.opal, memory, { token: 50, registers }));
  return { rc, bytes: memory.readBlock(BUFFER, 128) };
}

describe('diagnostic data of the hub', () => {
  it.each(UNITS)('of $unit are its registers, byte by byte, and nothing else of the buffer', (row) => {
    const { unit, bit, type, own, instance } = row;
    const firmware = withError(unit, bit);
    const image = new Uint8Array(128).fill(FILL);
    const data = view(image);
    data.setUint16(0, type);
    const registers: HubRegisterName[] = [...COMMON, ...LEM.map((suffix) => `${unit}_LEM_${suffix}` as const), ...own];
    for (const [index, register] of registers.entries())
      data.setBigUint64(8 + 8 * index, firmware.hubRegister(register));
    if (instance !== undefined) data.setUint8(...instance);
    expect(firmware.hubRegister(`${unit}_LEM_FIR_ACCUM`)).toBe(msbMask(bit));
    const { rc, bytes } = hubDiag(firmware);
    expect([rc, [...bytes]]).toEqual([SUCCESS, [...image]]);
  });

  it.each([
    ['RGC', 17, 'P7IOC diag-data for RGC'],
    ['BI_UP', 40, 'P7IOC diag-data for BI Upbound'],
    ['BI_DOWN', 28, 'P7IOC diag-data for BI Downbound'],
    ['CI_P1', 16, 'P7IOC diag-data for CI Port 1'],
    ['MISC', 17, 'P7IOC diag-data for MISC'],
    ['I2C', 0, 'P7IOC diag-data for I2C'],
  ] as const)('of %s are printed as the kernel does', (unit, bit, title) => {
    const { bytes } = hubDiag(withError(unit, bit));
    const decoded = decodeHubDiagData(bytes)!;
    expect(formatHubDiagData(decoded)[0]!.trim()).toBe(title);
    expect(decoded.words['lemWof']).toBe(msbMask(bit));
  });

  it('of a crossbar port have its status and damage control, when that is corrected', () => {
    const own = (profile: 'skiboot' | 'corrected') => {
      const { bytes } = hubDiag(withError('CI_P0', 4, { profile: { crossbarDiagData: profile } }));
      return [88, 96].map((at) => view(bytes).getBigUint64(at));
    };
    expect(own('skiboot')).toEqual([msbMask(4), msbMask(4)]);
    expect(own('corrected')).toEqual([0n, 0x421a_0000_0000_75ffn]);
  });

  it('end the error', () => {
    const firmware = withError('MISC', 17);
    expect([hubDiag(firmware).rc, hubDiag(firmware).rc]).toEqual([SUCCESS, CLOSED]);
  });

  it('mask a malfunction', () => {
    const firmware = withError('CI_P0', 4);
    firmware.run(firmware.opal.pciNextError(0));
    hubDiag(firmware);
    expect(firmware.hubRegister('CI_P0_LEM_ERROR_MASK')).toBe(msbMask(6) | msbMask(4));
  });

  it('do not mask what nobody has classified', () => {
    const firmware = withError('CI_P0', 4);
    hubDiag(firmware);
    expect(firmware.hubRegister('CI_P0_LEM_ERROR_MASK')).toBe(msbMask(6));
  });

  it.each([
    ['a crossbar port of a PHB', 7],
    ['a PHB', 17],
  ])('are not there for %s, whose error they drop', (_name, gemBit) => {
    const firmware = booted();
    firmware.setHubRegister('GEM_RWOF', msbMask(gemBit));
    firmware.run(firmware.opal.handleInterrupt(RGC_IRQ));
    expect(hubDiag(firmware)).toEqual({ rc: CLOSED, bytes: new Uint8Array(128).fill(FILL) });
    expect(firmware.accessesOf(firmware.opal.pciNextError(0))[0]!.offset.toString(16)).toBe('3ec010');
  });

  it('are not there for a hub that is out of reach', () => {
    const firmware = booted();
    firmware.breakUnit('RGC', 0);
    firmware.run(firmware.opal.handleInterrupt(RGC_IRQ));
    expect([hubDiag(firmware).rc, hubDiag(firmware).rc]).toEqual([INTERNAL_ERROR, CLOSED]);
    expect(firmware.hubRegister('GEM_XFIR')).toBe(ONES);
  });

  it('need room for all of them, and a hub that exists', () => {
    const firmware = withError('MISC', 17);
    expect([hubDiag(firmware, 127).rc, hubDiag(firmware, 128, 2).rc]).toEqual([PARAMETER, PARAMETER]);
    expect(hubDiag(firmware).rc).toBe(SUCCESS);
  });
});
