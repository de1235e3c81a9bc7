import { describe, expect, it } from 'vitest';
import { Card, CardError } from '../../src/pcie/card.js';
import { completion } from '../../src/pcie/completion.js';
import { deviceHeader } from '../../src/pcie/config-header.js';
import { bdf, MessageCode, memoryRead, memoryWrite, type Tlp } from '../../src/pcie/tlp.js';
import { BAR0, BARS, Box, CE_STATUS, COMMAND, DEVCTL, layout, UE_STATUS } from './box.js';
import { Rig } from './rig.js';

const FN = (fn: number) => bdf(1, 0, fn);
const BASE = (fn: number) => 0x8000_0000 + fn * 0x10_0000;
const pinned = (interruptPin: 1 | 2) => ({
  ...layout(),
  ...deviceHeader({ vendorId: 0x1014, deviceId: 2, classCode: 0xff_0000, capabilityPointer: 0x40, interruptPin }, BARS),
});

/** Functions 0, 1 and 4 on one card; pins A, B and A. */
function bench() {
  const r = new Rig();
  const make = (pin: 1 | 2) => new Box(r.sim, { layout: pinned(pin) });
  const [f0, f1, f4] = [make(1), make(2), make(1)];
  const card = new Card([f0, f1, undefined, undefined, f4]);
  card.plugInto(r.link);
  r.powerOn();
  for (const fn of [0, 1, 4]) {
    r.cfgWrite(FN(fn), BAR0, 4, BASE(fn));
    r.cfgWrite(FN(fn), COMMAND, 2, 0x0006);
    r.cfgWrite(FN(fn), DEVCTL, 2, 0x202f);
  }
  const senders: number[] = [];
  r.link.down.observe((tlp) => tlp.kind === 'Msg' && senders.push(tlp.requesterId));
  const send = (tlp: Tlp) => {
    r.port.send(tlp);
    r.run(10_000);
  };
  return { r, card, f0, f1, f4, senders, send };
}

describe('a card of several functions', () => {
  it('has a configuration space for each, with the multi-function bit, and refuses the others', () => {
    const { r } = bench();
    for (const fn of [0, 1, 4]) {
      expect(r.config(FN(fn), 0x0e, 1)).toBe(0x80);
      expect(r.config(FN(fn), BAR0)).toBe(BASE(fn));
    }
    expect(r.config(FN(0), CE_STATUS)).toBe(0);
    for (const fn of [2, 3, 5, 7]) expect(r.cfgRead(FN(fn), 0)).toMatchObject({ status: 'UR', completerId: FN(fn) });
    // No function owns that error, so all have it on record.
    for (const fn of [0, 1, 4]) expect(r.config(FN(fn), CE_STATUS)).toBe(0x2000);
  });

  it('refuses configuration requests of type 1: a bus below it does not exist, and no register is reached', () => {
    const { r, f0, f1 } = bench();
    const target = bdf(2, 0, 1);
    // Bus 2 lies below the port, and no bridge has made the request one of type 0.
    expect(r.port.routeConfig(target)).toBe('type1');
    expect(r.cfgRead(target, 0)).toMatchObject({ status: 'UR', completerId: FN(0) });
    expect(r.cfgWrite(target, COMMAND, 2, 0)).toMatchObject({ status: 'UR', completerId: FN(0) });
    expect([f0.rid, f1.rid]).toEqual([FN(0), FN(1)]);
    expect(r.config(FN(1), COMMAND, 2)).toBe(0x0006);
    for (const fn of [0, 1, 4]) expect(r.config(FN(fn), CE_STATUS)).toBe(0x2000);
  });

  it('of one function refuses requests of type 1 alike, before it knows its own number too', () => {
    const r = new Rig();
    const box = new Box(r.sim);
    box.plugInto(r.link);
    r.powerOn();
    expect(r.cfgWrite(bdf(2, 0, 0), BAR0, 4, BASE(0))).toMatchObject({ status: 'UR', completerId: bdf(2, 0, 0) });
    expect([box.rid, r.config(FN(0), BAR0)]).toEqual([0, 0]);
  });

  it('of one function has no such bit', () => {
    const r = new Rig();
    new Box(r.sim).plugInto(r.link);
    r.powerOn();
    expect(r.config(FN(0), 0x0e, 1)).toBe(0);
  });

  it('sends loads and stores to the function whose BAR holds them, and answers under its identifier', () => {
    const { r, f0, f1, f4 } = bench();
    r.store(BASE(4) + 8, 0x44, 1);
    r.store(BASE(1) + 8, 0x11, 1);
    expect(r.load(BASE(4) + 8, 1)).toMatchObject({ completerId: FN(4), status: 'SC' });
    expect([f0, f1, f4].map((box) => box.storage[8])).toEqual([0, 0x11, 0x44]);
    r.cfgWrite(FN(1), COMMAND, 2, 0x0004);
    expect(r.load(BASE(1))?.status).toBe('UR');
    expect(r.load(BASE(4))?.status).toBe('SC');
  });

  it('reads host memory for each function under its own identifier, tags apart', () => {
    const { r, f0, f4 } = bench();
    r.setMemory32(0x100, 0xaaaa);
    r.setMemory32(0x200, 0xbbbb);
    f0.dma.read({ hi: 0, lo: 0x100 }, 4, 0);
    f4.dma.read({ hi: 0, lo: 0x200 }, 4, 0);
    r.run(10_000);
    expect(r.reads.map((tlp) => [tlp.requesterId, tlp.tag])).toEqual([
      [FN(0), 0],
      [FN(4), 0],
    ]);
    expect([f0.done[0]!.result.data[0], f4.done[0]!.result.data[0]]).toEqual([0xaa, 0xbb]);
  });

  it('resets one function alone: the others keep registers, reads and pins', () => {
    const { r, f1, f4 } = bench();
    r.answersReads = false;
    f1.dma.read({ hi: 0, lo: 0 }, 4, 1);
    f4.dma.read({ hi: 0, lo: 0 }, 4, 4);
    f1.interrupts.raise(0);
    f4.interrupts.raise(0);
    r.run(10_000);
    r.cfgWrite(FN(1), DEVCTL, 2, 0xa02f);
    r.run(10_000);
    expect([f1.done[0]?.result.status, f4.done]).toEqual(['reset', []]);
    expect(r.cfgRead(FN(1), 0)?.status).toBe('CRS');
    expect(r.config(FN(4), BAR0)).toBe(BASE(4));
    expect(r.messages).toEqual([MessageCode.ASSERT_INTB, MessageCode.ASSERT_INTA, MessageCode.DEASSERT_INTB]);
  });

  it('resets all functions with the link', () => {
    const { r, f0, f1, f4 } = bench();
    r.link.setHotReset('asserted');
    r.link.setHotReset('released');
    r.run(300e6);
    expect([f0, f1, f4].map((box) => [box.rid, box.resets.at(-1)])).toEqual([
      [0, 'hot'],
      [0, 'hot'],
      [0, 'hot'],
    ]);
    expect(r.config(FN(4), BAR0)).toBe(0);
  });

  it('joins functions that share a pin', () => {
    const { r, f0, f4 } = bench();
    f0.interrupts.raise(0);
    f4.interrupts.raise(0);
    f0.interrupts.clear();
    r.run(10_000);
    expect(r.messages).toEqual([MessageCode.ASSERT_INTA]);
    f4.interrupts.clear();
    r.run(10_000);
    expect(r.messages).toEqual([MessageCode.ASSERT_INTA, MessageCode.DEASSERT_INTA]);
    f0.interrupts.raise(0);
    r.run(10_000);
    r.link.setHotReset('asserted');
    r.link.setHotReset('released');
    r.run(300e6);
    r.messages.length = 0;
    f4.interrupts.raise(0);
    r.run(10_000);
    expect(r.messages).toEqual([MessageCode.ASSERT_INTA]);
  });

  it('logs a malformed packet in all functions and says it once', () => {
    const { r, send, senders } = bench();
    send({ ...memoryWrite(0, { hi: 0, lo: BASE(4) }, new Uint8Array(8)), header: { firstByteEnables: 0 } });
    expect([0, 1, 4].map((fn) => r.config(FN(fn), UE_STATUS))).toEqual([0x4_0000, 0x4_0000, 0x4_0000]);
    expect([r.messages, senders]).toEqual([[0x33], [FN(0)]]);
  });

  it('sends both kinds of message where its functions differ in severity', () => {
    const { r, send } = bench();
    r.cfgWrite(FN(1), 0x10c, 4, 0x10_0000);
    send(memoryWrite(0, { hi: 0, lo: 0x9000_0000 }, new Uint8Array(4)));
    expect(r.messages).toEqual([0x31, 0x33]);
  });

  it('takes payloads up to the largest limit of its functions', () => {
    const { r, f1, send } = bench();
    for (const fn of [0, 1, 4]) r.cfgWrite(FN(fn), DEVCTL, 2, fn === 4 ? 0x202f : 0x200f);
    send(memoryWrite(0, { hi: 0, lo: BASE(1) }, new Uint8Array(256).fill(3)));
    expect([r.messages, f1.storage[255]]).toEqual([[], 3]);
    send(memoryWrite(0, { hi: 0, lo: BASE(1) }, new Uint8Array(260).fill(4)));
    expect([r.messages, f1.storage[255]]).toEqual([[0x33], 3]);
  });

  it('checks digests if one of its functions does', () => {
    const { r, f1, send } = bench();
    const bad: Tlp = {
      ...memoryWrite(0, { hi: 0, lo: BASE(1) }, Uint8Array.of(9)),
      digest: true,
      digestDamaged: true,
    };
    send(bad);
    expect(f1.storage[0]).toBe(9);
    r.cfgWrite(FN(4), 0x118, 4, 0x100);
    send({ ...bad, data: Uint8Array.of(8) });
    expect([f1.storage[0], r.messages]).toEqual([9, [0x31]]);
  });

  it('calls a completion for none of its functions unexpected in all of them', () => {
    const { r, send } = bench();
    send(completion(memoryRead({ requesterId: FN(2), tag: 0 }, { hi: 0, lo: 0 }, 4), 0, 'UR'));
    expect([0, 1, 4].map((fn) => r.config(FN(fn), CE_STATUS))).toEqual([0x2000, 0x2000, 0x2000]);
  });

  it('goes on without a function that is deaf', () => {
    const { r, f0, send } = bench();
    f0.stopResponding();
    expect(r.cfgRead(FN(0), 0)).toBeUndefined();
    expect(r.load(BASE(4))?.status).toBe('SC');
    send(memoryWrite(0, { hi: 0, lo: BASE(4) }, new Uint8Array(512)));
    expect(r.messages).toEqual([0x33]);
  });

  it('must have a function 0, at most 8, none twice', () => {
    const { r } = bench();
    const box = new Box(r.sim);
    expect(() => new Card([])).toThrow(CardError);
    expect(() => new Card([undefined, box])).toThrow('function 0');
    expect(() => new Card(new Array(9).fill(box))).toThrow('at most 8');
    expect(() => new Card([box, box])).toThrow('twice');
  });
});
