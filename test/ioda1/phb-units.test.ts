/**
 * Units of a PHB one by one, where the whole chip hides what they do: interrupts, messages, TCE cache, core, link.
 * Facts: ioda1-p7ioc 3.10, 3.11, 5, 6.4.
 */
import { describe, expect, it } from 'vitest';
import { fieldMask, msbMask } from '../../src/hw/bits.js';
import { RegisterFile } from '../../src/hw/register-file.js';
import { InterruptSources } from '../../src/ioda1/interrupt-sources.js';
import { MsiUnit, messageData } from '../../src/ioda1/msi.js';
import { PHB_REGISTERS, type PhbRegisterName } from '../../src/ioda1/registers/phb.js';
import { IODA_TABLES } from '../../src/ioda1/tables.js';
import { TceCache } from '../../src/ioda1/tce-cache.js';
import { P7IOC_TIMING } from '../../src/ioda1/timing.js';
import { UtlCore } from '../../src/ioda1/utl.js';
import { memoryWrite } from '../../src/pcie/tlp.js';
import { ms } from '../../src/sim/time.js';
import { booted, mve, ONES, RID, Rig, vector } from './rig.js';

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
