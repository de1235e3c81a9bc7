/** Units of a P7IOC one by one, where the whole chip hides what they do: macros, hub error tree, core, sources, link states. */
import { describe, expect, it } from 'vitest';
import { fieldMask, msbMask } from '../../src/hw/bits.js';
import { RegisterFile } from '../../src/hw/register-file.js';
import { HUB_UNIT_NAMES, HUB_UNITS, type HubUnit } from '../../src/ioda1/error-bits/units.js';
import { ErrorMacro } from '../../src/ioda1/error-macro.js';
import { HubErrors } from '../../src/ioda1/hub-errors.js';
import { InterruptSources } from '../../src/ioda1/interrupt-sources.js';
import { MsiUnit, messageData } from '../../src/ioda1/msi.js';
import { HUB_REGISTERS, type HubRegisterName } from '../../src/ioda1/registers/hub.js';
import { PHB_REGISTERS, type PhbRegisterName } from '../../src/ioda1/registers/phb.js';
import { Rgc } from '../../src/ioda1/rgc.js';
import { IODA_TABLES } from '../../src/ioda1/tables.js';
import { TceCache } from '../../src/ioda1/tce-cache.js';
import { P7IOC_TIMING } from '../../src/ioda1/timing.js';
import { UtlCore } from '../../src/ioda1/utl.js';
import { memoryWrite } from '../../src/pcie/tlp.js';
import { Simulator } from '../../src/sim/simulator.js';
import { ms } from '../../src/sim/time.js';
import { booted, mve, ONES, RID, Rig, vector } from './rig.js';

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

describe('interrupt sources', () => {
  function sources(kind: 'level' | 'message', once?: number) {
    const sent: number[][] = [];
    let open = true;
    const made = new InterruptSources({
      ...{ state: IODA_TABLES.LIST, vectors: IODA_TABLES.LXIVT, kind },
      ...(once === undefined ? {} : { once }),
      send: (...interrupt) => {
        if (open) sent.push(interrupt);
        return open;
      },
    });
    const way = (state: 'open' | 'shut') => {
      open = state === 'open';
    };
    made.vectors.write(7, vector({ server: 0x1_abcd, priority: 0x28 }));
    return { made, sent, way };
  }

  it('send the last level to its server and priority, the low bits of the priority lost', () => {
    const { made, sent } = sources('level');
    made.raise(7);
    expect(sent).toEqual([[7, 0x1_abcd, 0x28]]);
    made.vectors.write(6, vector({ server: 7, priority: 0xf0 }));
    made.raise(6);
    expect(sent.at(-1)).toEqual([6, 7, 0xf0]);
  });

  it('present a level again at its end while it stands, one that tells of errors once, a message once', () => {
    const times = (kind: 'level' | 'message', once?: number) => {
      const { made, sent } = sources(kind, once);
      made.raise(7);
      made.ended(7);
      made.ended(7);
      return sent.length;
    };
    expect([times('level'), times('level', 7), times('level', 6), times('message')]).toEqual([3, 1, 3, 1]);
  });

  it('present nothing before the end of what is presented', () => {
    const { made, sent } = sources('message');
    made.raise(7);
    made.raise(7);
    made.raise(7);
    expect(sent).toHaveLength(1);
    made.ended(7);
    made.ended(7);
    expect(sent).toHaveLength(2);
  });

  it('wait where the way is shut, and come when it opens', () => {
    const { made, sent, way } = sources('message');
    way('shut');
    made.raise(7);
    expect([sent, made.state.read(7)]).toEqual([[], msbMask(1)]);
    way('open');
    made.refreshAll();
    expect([sent.length, made.state.read(7)]).toEqual([1, msbMask(0)]);
  });

  it('that go away before they are sent are forgotten, and a mask holds them', () => {
    const { made, sent } = sources('level');
    made.vectors.write(7, vector({ priority: 0xff }));
    made.raise(7);
    expect(sent).toEqual([]);
    made.lower(7);
    made.vectors.write(7, vector({ server: 1 }));
    expect([sent, made.state.read(7)]).toEqual([[], 0n]);
  });

  it('take an end of a level that does not exist for nothing', () => {
    const { made, sent } = sources('level');
    made.raise(7);
    made.ended(8);
    made.ended(255);
    expect(sent).toHaveLength(1);
    made.reset();
    expect([made.state.read(7), made.vectors.read(7)]).toEqual([0n, 0n]);
  });
});

describe('the message ranges', () => {
  it('begin and end where they should, each with its own switch', () => {
    const msi = new MsiUnit(() => true);
    const taken = (hi: number, lo: number) => msi.isMessageAddress(hi, lo);
    const places = [
      [0, 0xfffe_ffff],
      [0, 0xffff_0000],
      [0, 0xffff_ffff],
      [1, 0xffff_0000],
      [0x8fff_ffff, 0xffff_ffff],
      [0x9000_0000, 0],
      [0x9fff_ffff, 0xffff_ffff],
      [0xa000_0000, 0],
    ] as const;
    const all = () => places.map(([hi, lo]) => taken(hi, lo));
    expect(all()).toEqual(places.map(() => false));
    msi.msi32 = 'on';
    expect(all()).toEqual([false, true, true, false, false, false, false, false]);
    msi.msi32 = 'off';
    msi.msi64 = 'on';
    expect(all()).toEqual([false, false, false, false, false, true, true, false]);
    msi.reset();
    expect(all()).toEqual(places.map(() => false));
  });

  const message = (hi: number, lo: number, data: readonly number[], rid = RID) =>
    memoryWrite(rid, { hi, lo }, Uint8Array.from(data));

  it('take the first entry and the last, and the first vector and the last', () => {
    const sent: number[] = [];
    const msi = new MsiUnit((number) => sent.push(number) > 0);
    for (const entry of [0, 255]) msi.mvt.write(entry, mve(RID, 9));
    for (const data of [0, 255]) msi.sources.vectors.write(data, vector({ pe: 9 }));
    expect(msi.receive(message(0, 0xffff_0000, [0, 0, 0, 0]))).toBeUndefined();
    expect(msi.receive(message(0, 0xffff_0ff0, [255, 0, 0, 0]))).toBeUndefined();
    expect(msi.receive(message(0x90ff_0000, 0, [255, 0, 0, 0]))).toBeUndefined();
    expect(sent).toEqual([0, 255]);
    expect(msi.receive(message(0, 0xffff_0000, [0, 1, 0, 0]))).toBe('msi-data');
    expect(msi.receive(message(0, 0xffff_1000, [0, 0, 0, 0]))).toBe('msi-address');
    expect(msi.receive(message(0, 0xffff_0010, [0, 0, 0, 0]))).toBe('mve-invalid');
    expect(msi.receive(message(0, 0xffff_0000, [0, 0, 0, 0], RID + 1))).toBe('mve-requester');
    msi.sources.vectors.write(0, vector({ pe: 8 }));
    expect(msi.receive(message(0, 0xffff_0000, [0, 0, 0, 0]))).toBe('msi-pe-mismatch');
  });

  it('read the data of a message least significant byte first, all four', () => {
    expect(messageData(message(0, 0, [0x11, 0x22, 0x33, 0xf4]))).toBe(0xf433_2211);
    expect(messageData(message(0, 0, [0x11]))).toBe(0x11);
  });

  it('look at the form before anything else', () => {
    const msi = new MsiUnit(() => true);
    expect(msi.formFault(message(0, 0xffff_0000, [1, 2]))).toBe('msi-size');
    expect(msi.formFault(message(0, 0xffff_0002, [1, 2, 3, 4]))).toBe('msi-alignment');
    expect(msi.formFault(message(0, 0xffff_0004, [1, 2, 3, 4]))).toBeUndefined();
  });
});

describe('the TCE cache', () => {
  it('drops one TCE or both of sixteen bytes, whichever of them is named', () => {
    for (const named of [0x1000, 0x1008]) {
      const cache = new TceCache();
      for (const at of [0x0ff8, 0x1000, 0x1008, 0x1010]) cache.keep(3, at, 1, at);
      cache.kill(3, named);
      expect([0x0ff8, 0x1000, 0x1008, 0x1010].map((at) => cache.find(3, at) >= 0)).toEqual([
        ...[true, named !== 0x1000, named !== 0x1008, true],
      ]);
      cache.killPair(3, named);
      expect([0x0ff8, 0x1000, 0x1008, 0x1010].map((at) => cache.find(3, at) >= 0)).toEqual([true, false, false, true]);
      expect(cache.size).toBe(2);
      cache.kill(2, 0x0ff8);
      expect(cache.size).toBe(2);
    }
  });

  it('holds 64 TCEs, and both halves of each', () => {
    const cache = new TceCache();
    for (let page = 0; page < 65; page++) cache.keep(0, 8 * page, page, page + 1000);
    expect(cache.size).toBe(64);
    const slot = cache.find(0, 8 * 64);
    expect([cache.hi[slot], cache.lo[slot]]).toEqual([64, 1064]);
    cache.killAll();
    expect([cache.size, cache.find(0, 8 * 64)]).toEqual([0, -1]);
  });
});

describe('the core', () => {
  const bits = (name: 'LINK_STATUS' | 'LINK_DOWN' | 'LINK_UP') => {
    const at = { LINK_STATUS: 8, LINK_DOWN: 9, LINK_UP: 10 }[name];
    return msbMask(at);
  };

  function core() {
    const registers = new RegisterFile<PhbRegisterName>(PHB_REGISTERS);
    const raised: string[] = [];
    const utl = new UtlCore({ registers, timing: P7IOC_TIMING }, (event) => raised.push(event));
    const write = (name: PhbRegisterName, value: bigint) => registers.write(PHB_REGISTERS.get(name).offset, value);
    return { registers, raised, utl, write };
  }

  it('latches events, and raises one only where it is enabled, new, and by its severity', () => {
    const { registers, raised, utl, write } = core();
    utl.latch('LINK_STATUS', 'LINK_DOWN');
    expect([registers.get('UTL_PCIE_PORT_STATUS'), raised]).toEqual([bits('LINK_STATUS') | bits('LINK_DOWN'), []]);
    write('UTL_PCIE_PORT_IRQ_EN', bits('LINK_UP') | bits('LINK_STATUS'));
    expect(raised).toEqual(['utl-nonfatal']);
    utl.latch('LINK_STATUS');
    expect(raised).toHaveLength(1);
    write('UTL_PCIE_PORT_ERROR_SEV', bits('LINK_UP'));
    utl.latch('LINK_UP');
    expect(raised).toEqual(['utl-nonfatal', 'utl-fatal']);
    write('UTL_PCIE_PORT_IRQ_EN', bits('LINK_UP') | bits('LINK_STATUS'));
    expect(raised).toHaveLength(2);
  });

  it('takes the errors of the port that are its own, unless AER masks them', () => {
    const { raised, utl } = core();
    const found = (error: Parameters<UtlCore['portError']>[0]['error'], masked: boolean) =>
      utl.portError({ error, masked } as Parameters<UtlCore['portError']>[0]);
    for (const error of ['MALFORMED_TLP', 'FLOW_CONTROL', 'RECEIVER_OVERFLOW', 'DATA_LINK_PROTOCOL'] as const) {
      found(error, false);
      found(error, true);
    }
    expect(raised).toEqual(new Array(4).fill('utl-fatal'));
    for (const error of ['SURPRISE_DOWN', 'POISONED_TLP', 'UNEXPECTED_COMPLETION'] as const) found(error, false);
    expect(raised).toHaveLength(4);
  });

  it('starts anew with each of its registers, and only those', () => {
    const { registers, utl, write } = core();
    write('UTL_PCIE_PORT_CONTROL', ONES);
    write('UTL_PCIE_PORT_IRQ_EN', ONES);
    write('PHB_BUID', ONES);
    utl.reset();
    expect([registers.get('UTL_PCIE_PORT_CONTROL'), registers.get('UTL_PCIE_PORT_IRQ_EN')]).toEqual([0n, 0n]);
    expect(registers.get('PHB_BUID')).not.toBe(0n);
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

describe('the state of a link', () => {
  const train = (rig: Rig) => rig.asbRead('PHB_PCIE_DLP_TRAIN_CTL');

  it('shows presence, link and core in bits of their own, with a card and without', () => {
    const rig = booted();
    const up = train(rig);
    const empty = new Rig({ slot: 'none' }).boot();
    const without = train(empty);
    const fresh = train(new Rig());
    expect(new Set([up, without, fresh]).size).toBe(3);
    const states = (value: bigint) =>
      ['INBAND_PRESENCE', 'LINK_UP', 'LINK_ACTIVE', 'DL_PGRESET', 'TX_DISABLE', 'RX_DISABLED'].map(
        (name) => (value & fieldMask(PHB_REGISTERS.field('PHB_PCIE_DLP_TRAIN_CTL', name).at)) !== 0n,
      );
    expect(states(up)).toEqual([true, true, true, false, false, false]);
    expect(states(without)).toEqual([false, false, false, false, false, false]);
    expect(states(fresh)).toEqual([false, false, false, true, false, false]);
  });

  it.each([
    [16, 8],
    [8, 8],
    [7, 4],
    [4, 4],
    [3, 2],
    [2, 2],
    [1, 1],
    [0, 1],
  ])('of a target of %i lanes has %i', (target, width) => {
    const rig = booted();
    const { registers } = rig.hub.phbs[0]!;
    registers.setField('PHB_PCIE_LINK_MANAGEMENT', 'TARGET_WIDTH', BigInt(target));
    const value = registers.get('PHB_PCIE_LINK_MANAGEMENT');
    rig.write('PHB_PCIE_LINK_MANAGEMENT', value | msbMask(0));
    rig.run(ms(400));
    expect(rig.link.width).toBe(width);
  });

  it('keeps its speed and width where no change is asked for', () => {
    const rig = booted();
    const { registers } = rig.hub.phbs[0]!;
    registers.setField('PHB_PCIE_LINK_MANAGEMENT', 'TARGET_WIDTH', 1n);
    registers.setField('PHB_PCIE_LINK_MANAGEMENT', 'TARGET_SPEED', 1n);
    rig.write('PHB_PCIE_LINK_MANAGEMENT', registers.get('PHB_PCIE_LINK_MANAGEMENT'));
    rig.run(1);
    expect([rig.link.isUp, rig.link.width]).toEqual([true, 8]);
  });

  it('stays down while PERST or one of the core resets is asserted', () => {
    for (const value of [0xc000_0000_0000_0000n, 0xa000_0000_0000_0000n, 0x6000_0000_0000_0000n]) {
      const rig = booted();
      rig.write('PHB_RESET', value);
      rig.run(ms(400));
      expect(rig.link.isUp, value.toString(16)).toBe(false);
      rig.write('PHB_RESET', 0xe000_0000_0000_0000n);
      rig.run(ms(400));
      expect(rig.link.isUp).toBe(true);
    }
  });
});
