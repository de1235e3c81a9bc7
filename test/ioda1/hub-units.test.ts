/**
 * Units of the hub one by one, where the whole chip hides what they do: error macro, error tree, RGC.
 * Facts: ioda1-p7ioc 3.1, 3.5, 7.1.
 */
import { describe, expect, it } from 'vitest';
import { msbMask } from '../../src/hw/bits.js';
import { RegisterFile } from '../../src/hw/register-file.js';
import { HUB_UNIT_NAMES, HUB_UNITS, type HubUnit } from '../../src/ioda1/error-bits/units.js';
import { ErrorMacro } from '../../src/ioda1/error-macro.js';
import { HubErrors } from '../../src/ioda1/hub-errors.js';
import { HUB_REGISTERS, type HubRegisterName } from '../../src/ioda1/registers/hub.js';
import { Rgc } from '../../src/ioda1/rgc.js';
import { Simulator } from '../../src/sim/simulator.js';
import { ONES, vector } from './rig.js';

const hubFile = () => new RegisterFile<HubRegisterName>(HUB_REGISTERS);
const hubWrite = (file: RegisterFile<HubRegisterName>, name: HubRegisterName, value: bigint) =>
  file.write(HUB_REGISTERS.get(name).offset, value);
const hubRead = (file: RegisterFile<HubRegisterName>, name: HubRegisterName) =>
  file.read(HUB_REGISTERS.get(name).offset);

describe('a local error macro', () => {
  function macro() {
    const file = hubFile();
    const reported: bigint[] = [];
    let changes = 0;
    const made = new ErrorMacro<'I2C'>(file, 'I2C', {
      reported: (bits) => reported.push(bits),
      changed: () => changes++,
    });
    return { file, made, reported, changes: () => changes };
  }

  it('tells of bits that were not set before, from hardware as from software', () => {
    const { file, made, reported, changes } = macro();
    made.report(msbMask(3));
    made.report(msbMask(3));
    expect([reported, changes()]).toEqual([[msbMask(3)], 1]);
    hubWrite(file, 'I2C_LEM_FIR_OR_MASK', msbMask(3) | msbMask(4));
    expect([reported.at(-1), made.fir, changes()]).toEqual([msbMask(4), msbMask(3) | msbMask(4), 2]);
    hubWrite(file, 'I2C_LEM_FIR_OR_MASK', msbMask(3));
    expect([reported.length, changes()]).toEqual([2, 2]);
  });

  it.each([
    'FIR_ACCUM',
    'FIR_AND_MASK',
    'ERROR_MASK',
    'ERROR_AND_MASK',
    'ERROR_OR_MASK',
    'ACTION0',
    'ACTION1',
  ] as const)('tells of a change when software writes %s, and reports nothing', (suffix) => {
    const { file, reported, changes } = macro();
    hubWrite(file, `I2C_LEM_${suffix}`, msbMask(7));
    expect([changes(), reported]).toEqual([1, []]);
  });

  it('tells nobody of a write to what came first', () => {
    const { file, changes } = macro();
    hubWrite(file, 'I2C_LEM_WOF', ONES);
    expect([changes(), hubRead(file, 'I2C_LEM_WOF')]).toEqual([0, ONES]);
  });

  it('keeps what came first, masked or not, while nothing else is set', () => {
    const { file, made } = macro();
    hubWrite(file, 'I2C_LEM_ERROR_MASK', ONES);
    made.report(msbMask(1) | msbMask(2));
    made.report(msbMask(3));
    expect(hubRead(file, 'I2C_LEM_WOF')).toBe(msbMask(1) | msbMask(2));
    hubWrite(file, 'I2C_LEM_FIR_ACCUM', 0n);
    made.report(msbMask(4));
    expect(hubRead(file, 'I2C_LEM_WOF')).toBe(msbMask(1) | msbMask(2) | msbMask(4));
  });

  it('drives unmasked bits: fatal without any action, recoverable with either', () => {
    const { file, made } = macro();
    hubWrite(file, 'I2C_LEM_ERROR_MASK', 0n);
    hubWrite(file, 'I2C_LEM_ACTION0', msbMask(1));
    hubWrite(file, 'I2C_LEM_ACTION1', msbMask(2));
    for (const bit of [0, 1, 2, 3]) made.report(msbMask(bit));
    hubWrite(file, 'I2C_LEM_ERROR_OR_MASK', msbMask(3));
    expect(made.driven('recoverable')).toBe(msbMask(1) | msbMask(2));
    expect(made.driven('fatal')).toBe(msbMask(0));
    expect([made.mask, hubRead(file, 'I2C_LEM_ERROR_AND_MASK')]).toEqual([msbMask(3), msbMask(3)]);
  });
});

describe('the error tree of the hub', () => {
  interface Tree {
    readonly file: RegisterFile<HubRegisterName>;
    readonly errors: HubErrors;
    readonly fenced: number[];
    readonly levels: boolean[];
    readonly phb: { fatal: bigint[]; recoverable: bigint[] };
  }

  /** Everything unmasked and recoverable, the global mask clear. */
  function tree(): Tree {
    const file = hubFile();
    const fenced: number[] = [];
    const levels: boolean[] = [];
    const none = () => new Array<bigint>(6).fill(0n);
    const phb = { fatal: none(), recoverable: none() };
    const errors = new HubErrors(
      { registers: file, trace: new Simulator().trace, source: 1 },
      {
        phbDrives: (index, severity) => phb[severity][index]!,
        fencePhb: (index) => fenced.push(index),
        errorLevel: (asserted) => levels.push(asserted),
      },
    );
    for (const unit of HUB_UNIT_NAMES) {
      hubWrite(file, `${unit}_LEM_ACTION0`, ONES);
      hubWrite(file, `${unit}_LEM_ERROR_MASK`, 0n);
    }
    hubWrite(file, 'GEM_MASK', 0n);
    return { file, errors, fenced, levels, phb };
  }

  it('shows each bridge at its own bit, and masks them one by one', () => {
    const { file, errors, phb, levels } = tree();
    phb.recoverable.fill(1n);
    errors.update();
    const all = hubRead(file, 'GEM_RFIR');
    expect(all.toString(2).match(/1/g)).toHaveLength(6);
    hubWrite(file, 'GEM_MASK', all);
    expect([hubRead(file, 'GEM_RFIR'), hubRead(file, 'GEM_RIRQFIR'), levels.at(-1)]).toEqual([all, 0n, false]);
    phb.recoverable.fill(0n);
    phb.recoverable[2] = 1n;
    hubWrite(file, 'GEM_MASK', 0n);
    const third = hubRead(file, 'GEM_RIRQFIR');
    expect([third & all, third.toString(2).match(/1/g)!.length, levels.at(-1)]).toEqual([third, 1, true]);
  });

  it('keeps a fatal error of a bridge though it has gone, and the hub lives', () => {
    const { file, errors, phb } = tree();
    phb.fatal[4] = 1n;
    errors.update();
    const bit = hubRead(file, 'GEM_XFIR');
    phb.fatal[4] = 0n;
    phb.fatal[5] = 1n;
    errors.update();
    expect([hubRead(file, 'GEM_XFIR'), errors.isDead]).toEqual([bit | (bit >> 1n), false]);
  });

  it('holds the level while anything stands, and the first units until they are written', () => {
    const { file, errors, levels } = tree();
    errors.report('I2C', 5);
    expect([levels.at(-1), hubRead(file, 'GEM_RWOF')]).toEqual([true, msbMask(HUB_UNITS.I2C.gemBit)]);
    errors.report('MISC', 5);
    expect(hubRead(file, 'GEM_RWOF')).toBe(msbMask(HUB_UNITS.I2C.gemBit));
    hubWrite(file, 'I2C_LEM_FIR_ACCUM', 0n);
    expect(levels.at(-1)).toBe(true);
    hubWrite(file, 'MISC_LEM_FIR_ACCUM', 0n);
    expect([levels.at(-1), hubRead(file, 'GEM_RWOF')]).toEqual([false, msbMask(HUB_UNITS.I2C.gemBit)]);
  });

  it('writes nothing down as first when nothing new has come', () => {
    const { file, errors } = tree();
    errors.report('I2C', 5);
    hubWrite(file, 'GEM_RWOF', 0n);
    errors.report('I2C', 6);
    expect(hubRead(file, 'GEM_RWOF')).toBe(0n);
  });

  it('fences the bridge of each of the six ports, by the first sixteen bits that damage control names', () => {
    const { file, errors, fenced } = tree();
    const ldcp = (port: number) => `CI_P${port}_LDCP` as HubRegisterName;
    const unit = (port: number) => `CI_P${port}` as HubUnit;
    for (let port = 0; port < 8; port++) file.setField(ldcp(port), 'PHB_FENCE', 0xffffn);
    for (let port = 0; port < 8; port++) errors.report(unit(port), 15);
    expect(fenced).toEqual([0, 1, 2, 3, 4, 5]);
    for (let port = 2; port < 8; port++) errors.report(unit(port), 16);
    expect(fenced).toHaveLength(6);
    file.setField(ldcp(2), 'PHB_FENCE', 0x8000n);
    errors.report('CI_P2', 1);
    expect(fenced).toHaveLength(6);
    errors.report('CI_P2', 0);
    expect(fenced).toEqual([0, 1, 2, 3, 4, 5, 0]);
  });

  it('stops the link for what damage control names in RGC and BI, for the first sixteen bits of a port, else always', () => {
    const dies = (unit: HubUnit, bit: number, control?: [HubRegisterName, bigint]) => {
      const { file, errors } = tree();
      hubWrite(file, `${unit}_LEM_ACTION0`, 0n);
      if (control !== undefined) hubWrite(file, ...control);
      errors.report(unit, bit);
      return errors.isDead;
    };
    for (const [unit, register] of [
      ['RGC', 'RGC_LDCP'],
      ['BI_UP', 'BI_UP_LDCP0'],
      ['BI_DOWN', 'BI_DOWN_LDCP0'],
    ] as const) {
      const two = (bit: number) => dies(unit, bit, [register, msbMask(9)]);
      expect([two(8), two(9), two(10)], unit).toEqual([false, true, false]);
    }
    expect([dies('I2C', 40), dies('MISC', 0)]).toEqual([true, true]);
    const port = (bit: number, field: bigint) => {
      const { file, errors } = tree();
      hubWrite(file, 'CI_P3_LEM_ACTION0', 0n);
      file.setField('CI_P3_LDCP', 'GX_ERROR', field);
      errors.report('CI_P3', bit);
      return errors.isDead;
    };
    expect([port(0, 0x8000n), port(15, 1n), port(16, 0xffffn), port(0, 1n)]).toEqual([true, true, false, false]);
  });

  it('tells of a fence in shadow and WOF, at the port and in the RGC; the shadow alone goes with it', () => {
    const { file, errors } = tree();
    errors.phbFenced(5);
    const [shadow, wof] = [hubRead(file, 'CHIP_FENCE_SHADOW'), hubRead(file, 'CHIP_FENCE_WOF')];
    expect([shadow === 0n, wof === 0n]).toEqual([false, false]);
    expect([hubRead(file, 'CI_P7_LEM_FIR_ACCUM'), hubRead(file, 'RGC_LEM_FIR_ACCUM')]).toEqual([
      msbMask(0),
      msbMask(18),
    ]);
    errors.phbUnfenced(4);
    expect(hubRead(file, 'CHIP_FENCE_SHADOW')).toBe(shadow);
    errors.phbUnfenced(5);
    expect([hubRead(file, 'CHIP_FENCE_SHADOW'), hubRead(file, 'CHIP_FENCE_WOF')]).toEqual([0n, wof]);
  });
});

describe('register and interrupt control of the hub', () => {
  function control() {
    const file = hubFile();
    const interrupts: number[][] = [];
    const resets: string[] = [];
    const rgc = new Rgc(file, {
      interrupt: (...interrupt) => interrupts.push(interrupt) > 0,
      phbReset: (phb, state) => resets.push(`${phb} ${state}`),
    });
    hubWrite(file, 'RGC_BUID', 0x10n << 32n);
    hubWrite(file, 'RGC_IODA_ADDR', 2n << 48n);
    hubWrite(file, 'RGC_IODA_DATA', vector({ server: 0x15, priority: 0x28 }));
    return { file, rgc, interrupts, resets };
  }

  it('interrupts at the change of its level, by level 0 of its unit', () => {
    const { rgc, interrupts } = control();
    rgc.setErrorLevel(false);
    expect(interrupts).toEqual([]);
    rgc.setErrorLevel(true);
    rgc.setErrorLevel(true);
    expect(interrupts).toEqual([[0x10, 0, 0x15, 0x28]]);
    rgc.interruptEnded(0x11, 0);
    rgc.setErrorLevel(false);
    rgc.setErrorLevel(true);
    expect(interrupts).toHaveLength(1);
    rgc.interruptEnded(0x10, 0);
    expect(interrupts).toHaveLength(2);
  });

  it('resets the bridge whose bit changes, and no other', () => {
    const { file, resets } = control();
    hubWrite(file, 'RGC_CCRR', msbMask(32) | msbMask(37) | msbMask(31) | msbMask(38));
    hubWrite(file, 'RGC_CCRR', msbMask(37));
    hubWrite(file, 'RGC_CCRR', msbMask(37));
    hubWrite(file, 'RGC_CCRR', 0n);
    expect(resets).toEqual(['0 held', '5 held', '0 released', '5 released']);
  });

  it('steps the index at stores only if asked, and starts over at the end of the table', () => {
    const { file, rgc } = control();
    hubWrite(file, 'RGC_IODA_ADDR', 3n);
    hubWrite(file, 'RGC_IODA_DATA', 5n);
    expect(hubRead(file, 'RGC_IODA_ADDR')).toBe(3n);
    hubWrite(file, 'RGC_IODA_ADDR', msbMask(0) | 3n);
    hubWrite(file, 'RGC_IODA_DATA', 6n);
    expect([hubRead(file, 'RGC_IODA_ADDR'), rgc.table('HRT').read(3)]).toEqual([msbMask(0), 6n]);
    hubWrite(file, 'RGC_IODA_ADDR', 7n);
    expect(hubRead(file, 'RGC_IODA_DATA')).toBe(6n);
  });
});
