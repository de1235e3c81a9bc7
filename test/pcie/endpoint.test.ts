import { describe, expect, it } from 'vitest';
import { Endpoint, littleEndian } from '../../src/pcie/endpoint.js';
import { bdf, memoryRead, memoryWrite, type Tlp } from '../../src/pcie/tlp.js';
import { BAR0, BARS, CE_STATUS, COMMAND, DEVCTL, DEVSTA, layout, ready, rig, UE_STATUS } from './box.js';
import { BUS1, Rig } from './rig.js';

describe('configuration', () => {
  it('answers reads and captures its bus and device from the first write', () => {
    const { r, box } = rig();
    const before = r.cfgRead(BUS1, 0)!;
    expect([littleEndian(before.data!), before.completerId]).toEqual([0x0002_1014, BUS1]);
    expect(box.rid).toBe(0);
    r.cfgWrite(BUS1, 0, 4, 0);
    expect(box.rid).toBe(BUS1);
  });

  it('is unsupported for functions it does not have', () => {
    const { r } = rig();
    expect(r.cfgRead(bdf(1, 0, 1), 0)?.status).toBe('UR');
    expect(r.cfgWrite(bdf(1, 0, 7), COMMAND, 2, 6)?.status).toBe('UR');
    expect(r.config(BUS1, COMMAND, 2)).toBe(0);
  });

  it('answers CRS for its time after a reset and takes no write then', () => {
    const configRetryNs = { value: 400e6, known: 'assumed', source: 'test' } as const;
    const { r } = rig({ timing: { configRetryNs } });
    expect(r.cfgWrite(BUS1, COMMAND, 2, 6)?.status).toBe('CRS');
    expect(r.cfgRead(BUS1, 0)?.status).toBe('CRS');
    r.run(100e6);
    expect(r.config(BUS1, COMMAND, 2)).toBe(0);
  });

  it('takes 1 to 2 microseconds', () => {
    const { r } = rig();
    const start = r.sim.now;
    r.cfgRead(BUS1, 0);
    expect(r.sim.now - start).toBeGreaterThan(700);
    expect(r.sim.now - start).toBeLessThan(2000);
  });
});

describe('register access', () => {
  it('reads and writes in PCI byte order through 32-bit and 64-bit BARs', () => {
    const { r, box } = ready();
    r.store(0x8000_0010, 0x1122_3344);
    expect(r.register(0x8000_0010)).toBe(0x1122_3344);
    expect([...box.storage.subarray(0x10, 0x14)]).toEqual([0x44, 0x33, 0x22, 0x11]);
    r.store(0x12_2000_0008, 0xab, 1);
    expect(r.register(0x12_2000_0008, 1)).toBe(0xab);
    expect(box.storage[0x1008]).toBe(0xab);
  });

  it('is unsupported outside the BARs, across their end, and with memory disabled', () => {
    const { r } = ready();
    expect(r.load(0x8000_1000)?.status).toBe('UR');
    expect(r.load(0x12_2000_1ffc, 4)?.status).toBe('SC');
    expect(r.load(0x12_2000_2000, 4)?.status).toBe('UR');
    expect(r.load(0x7fff_fffc)?.status).toBe('UR');
    r.cfgWrite(BUS1, COMMAND, 2, 0x0004);
    expect(r.load(0x8000_0000)?.status).toBe('UR');
  });

  it('is unsupported in D3hot, while configuration still works', () => {
    const { r, box } = ready();
    r.cfgWrite(BUS1, 0x84, 2, 0x0003);
    expect(r.load(0x8000_0000)?.status).toBe('UR');
    expect(r.config(BUS1, 0)).toBe(0x0002_1014);
    expect(box.strayWrite(0n, 4)).toBe(false);
    r.cfgWrite(BUS1, 0x84, 2, 0x0000);
    expect(r.load(0x8000_0000)?.status).toBe('SC');
  });

  it('takes about one microsecond', () => {
    const { r } = ready();
    const start = r.sim.now;
    r.load(0x8000_0000);
    expect(r.sim.now - start).toBeGreaterThan(500);
    expect(r.sim.now - start).toBeLessThan(1500);
  });

  it('records a rejected store and says so if reporting is on', () => {
    const { r } = ready();
    r.store(0x9000_0000, 1);
    r.run(10_000);
    expect(r.messages).toEqual([]);
    expect(r.config(BUS1, DEVSTA, 2)).toBe(0x000a);
    expect(r.config(BUS1, UE_STATUS)).toBe(0x10_0000);
    r.cfgWrite(BUS1, DEVCTL, 2, 0x202e);
    r.store(0x9000_0000, 1);
    r.run(10_000);
    expect(r.messages).toEqual([0x31]);
  });

  it('treats an unsupported load as advisory: the requester knows', () => {
    const { r } = ready();
    r.cfgWrite(BUS1, DEVCTL, 2, 0x202f);
    r.load(0x9000_0000);
    expect(r.config(BUS1, CE_STATUS)).toBe(0x2000);
    expect(r.messages).toEqual([]);
    r.cfgWrite(BUS1, 0x114, 4, 0);
    r.load(0x9000_0000);
    expect(r.messages).toEqual([0x30]);
    r.cfgWrite(BUS1, 0x10c, 4, 0x10_0000);
    r.load(0x9000_0000);
    expect(r.messages).toEqual([0x30, 0x33]);
  });

  it('aborts where the register block does', () => {
    const { r, box } = ready();
    box.refuses = true;
    expect(r.load(0x8000_0000)?.status).toBe('CA');
    expect(r.config(BUS1, 0x06, 2) & 0x0800).toBe(0x0800);
    r.store(0x8000_0000, 1);
    r.run(10_000);
    expect(r.config(BUS1, UE_STATUS) & 0x8000).toBe(0x8000);
  });

  it('drops a poisoned store', () => {
    const { r, box } = ready();
    r.port.send({ ...memoryWrite(0, { hi: 0, lo: 0x8000_0000 }, Uint8Array.of(1, 2, 3, 4)), poisoned: true });
    r.run(10_000);
    expect(box.storage[0]).toBe(0);
    expect(r.config(BUS1, UE_STATUS)).toBe(0x1000);
  });

  it('cuts a long answer at its payload size', () => {
    const { r } = ready();
    const sizes: number[] = [];
    r.link.down.observe((tlp) => sizes.push(tlp.lengthBytes));
    r.port.send(memoryRead({ requesterId: 0, tag: 0xf0 }, { hi: 0, lo: 0x8000_0040 }, 0x300));
    r.run(10_000);
    expect(sizes).toEqual([0xc0, 0x100, 0x100, 0x40]);
  });
});

describe('resets', () => {
  it('forget configuration and bus number; answers under way are lost', () => {
    const { r, box } = ready();
    r.port.send(memoryRead({ requesterId: 0, tag: 0x77 }, { hi: 0, lo: 0x8000_0000 }, 4));
    r.run(200);
    r.link.setHotReset('asserted');
    r.run(1e6);
    r.link.setHotReset('released');
    r.run(300e6);
    expect(box.rid).toBe(0);
    expect(r.config(BUS1, BAR0)).toBe(0);
    expect(box.resets.slice(-1)).toEqual(['hot']);
    expect(r.link.down.refusedPackets).toBe(0);
  });

  it('keep sticky error status over a hot reset and not over PERST', () => {
    const { r, box } = ready();
    box.raiseUncorrectable('POISONED_TLP');
    r.link.setHotReset('asserted');
    r.link.setHotReset('released');
    r.run(300e6);
    expect(r.config(BUS1, UE_STATUS)).toBe(0x1000);
    r.link.setPerst('asserted');
    r.powerOn();
    expect(r.config(BUS1, UE_STATUS)).toBe(0);
  });

  it('of the function keep payload size and bus number and answer CRS meanwhile', () => {
    const { r, box } = ready();
    r.cfgWrite(BUS1, DEVCTL, 2, 0xa020);
    expect(box.resets.slice(-1)).toEqual(['function']);
    expect(r.cfgRead(BUS1, 0)?.status).toBe('CRS');
    r.run(1e6);
    expect(r.config(BUS1, COMMAND, 2)).toBe(0);
    expect(r.config(BUS1, DEVCTL, 2) & 0x80e0).toBe(0x0020);
    expect(box.rid).toBe(BUS1);
  });
});

describe('a device made to fail', () => {
  it('gives wrong answers to as many requests as asked', () => {
    const { r, box } = ready();
    box.answerNextRequests('memory', 'UR', 1);
    box.answerNextRequests('memory', 'CA', 1);
    box.answerNextRequests('memory', 'nothing', 1);
    box.answerNextRequests('configuration', 'CRS', 2);
    expect([r.load(0x8000_0000)?.status, r.load(0x8000_0000)?.status, r.load(0x8000_0000)]).toEqual([
      'UR',
      'CA',
      undefined,
    ]);
    expect(r.load(0x8000_0000)?.status).toBe('SC');
    expect([0, 1, 2].map(() => r.cfgRead(BUS1, 0)?.status)).toEqual(['CRS', 'CRS', 'SC']);
    box.answerNextRequests('configuration', 'nothing', 1);
    expect(r.cfgRead(BUS1, 0)).toBeUndefined();
  });

  it('swallows a store when told to answer nothing', () => {
    const { r, box } = ready();
    box.answerNextRequests('memory', 'nothing', 1);
    r.store(0x8000_0000, 0x55);
    expect(r.register(0x8000_0000)).toBe(0);
  });

  it('goes deaf and dumb until the next fundamental reset', () => {
    const { r, box } = ready();
    box.stopResponding();
    expect(r.cfgRead(BUS1, 0)).toBeUndefined();
    expect(r.link.isUp).toBe(true);
    box.sendErrorMessage('ERR_FATAL');
    r.link.setHotReset('asserted');
    r.link.setHotReset('released');
    r.run(300e6);
    expect(r.cfgRead(BUS1, 0)).toBeUndefined();
    r.link.setPerst('asserted');
    r.powerOn();
    expect(r.config(BUS1, 0)).toBe(0x0002_1014);
    expect(r.messages).toEqual([]);
  });

  it('strays with its own requester id', () => {
    const { r, box } = ready();
    box.strayWrite(0x4_0000n, 64);
    box.strayRead(0x4_0000n, 64);
    r.run(10_000);
    expect(r.writes[0]).toMatchObject({ requesterId: BUS1, addressLo: 0x4_0000, lengthBytes: 64 });
    expect(box.strayReads[0]).toMatchObject({ status: 'SC' });
    expect(box.done).toHaveLength(0);
  });

  it('reports correctable errors when enabled, and fatal messages as asked', () => {
    const { r, box } = ready();
    box.raiseCorrectable('BAD_TLP');
    r.cfgWrite(BUS1, DEVCTL, 2, 0x2021);
    box.raiseCorrectable('BAD_TLP');
    box.sendErrorMessage('ERR_FATAL');
    r.run(10_000);
    expect(r.messages).toEqual([0x30, 0x33]);
    expect(r.config(BUS1, CE_STATUS)).toBe(0x40);
  });

  it('ignores messages from above', () => {
    const { r, box } = ready();
    const tlp: Tlp = {
      kind: 'Msg',
      requesterId: 0,
      tag: 0,
      addressHi: 0,
      addressLo: 0,
      lengthBytes: 0,
      messageCode: 0x19,
    };
    r.port.send(tlp);
    r.run(10_000);
    expect(box.unexpectedCompletions).toBe(0);
    expect(r.config(BUS1, 0)).toBe(0x0002_1014);
  });
});

it('the base claims no register of its own', () => {
  const r = new Rig();
  const bare = new Endpoint(r.sim, 'bare', { layout: layout(), bars: BARS });
  bare.plugInto(r.link);
  r.powerOn();
  r.cfgWrite(BUS1, BAR0, 4, 0x8000_0000);
  r.cfgWrite(BUS1, COMMAND, 2, 0x0006);
  expect(r.load(0x8000_0000)?.status).toBe('UR');
  r.store(0x8000_0000, 1);
  r.run(10_000);
  expect(r.config(BUS1, UE_STATUS) & 0x10_0000).toBe(0x10_0000);
  expect(bare.slot).toBe(r.link);
});
