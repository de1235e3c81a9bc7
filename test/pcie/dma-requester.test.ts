import { describe, expect, it } from 'vitest';
import { type PciExpressOption, pciExpressCapability } from '../../src/pcie/capabilities.js';
import { completion, completionWithData } from '../../src/pcie/completion.js';
import { ATTRIBUTE, atomicRequest } from '../../src/pcie/tlp.js';
import { Box, CE_STATUS, COMMAND, DEVCTL, DEVSTA, layout, ready, UE_STATUS } from './box.js';
import { BUS1, Rig } from './rig.js';

describe('DMA', () => {
  const at = (lo: number) => ({ hi: 0, lo });

  it('writes in packets of the payload size', () => {
    const { r, box } = ready();
    expect(
      box.dma.write(
        at(0x1000),
        Uint8Array.from({ length: 600 }, (_, i) => i),
      ),
    ).toBe(true);
    r.run(10_000);
    expect(r.writes.map((tlp) => [tlp.addressLo, tlp.lengthBytes])).toEqual([
      [0x1000, 256],
      [0x1100, 256],
      [0x1200, 88],
    ]);
    expect(r.memory[0x1000 + 599]).toBe(599 & 0xff);
  });

  it('reads in requests of MRRS and puts the pieces together', () => {
    const { r, box } = ready();
    r.memory.set(
      Uint8Array.from({ length: 5000 }, (_, i) => i * 3),
      0x2f80,
    );
    box.dma.read(at(0x2f80), 5000, 7);
    r.run(100_000);
    expect(box.done).toHaveLength(1);
    expect(box.done[0]).toMatchObject({ context: 7, result: { status: 'SC' } });
    expect([...box.done[0]!.result.data]).toEqual(Array.from({ length: 5000 }, (_, i) => (i * 3) & 0xff));
    expect(Math.max(...r.reads.map((tlp) => tlp.lengthBytes))).toBe(512);
    expect(r.reads[0]!.lengthBytes).toBe(0x80);
  });

  it('has no two reads under one tag and never more than it has tags', () => {
    const { r, box } = ready({ tags: 4 });
    const open = new Set<number>();
    r.answersReads = false;
    box.dma.read(at(0), 0x2000, 0);
    r.run(5000);
    for (const tlp of r.reads) open.add(tlp.tag);
    expect(r.reads).toHaveLength(4);
    expect(open.size).toBe(4);
    expect(box.dma.outstandingReads).toBe(4);
    expect(r.config(BUS1, DEVSTA, 2) & 0x20).toBe(0x20);
  });

  it('reads as fast as the link with tags enough, and slower with few: tags x size / round trip', () => {
    const gbps = (tags: number) => {
      const { r, box } = ready({ tags });
      const start = r.sim.now;
      box.dma.read(at(0), 0x8_0000, 0);
      r.sim.run({ when: () => box.done.length > 0 });
      return (0x8_0000 * 8) / (r.sim.now - start);
    };
    expect(Math.abs(gbps(32) / 53.7 - 1)).toBeLessThan(0.05);
    const single = gbps(1);
    expect(single).toBeLessThan(15);
    expect(Math.abs(gbps(2) / (2 * single) - 1)).toBeLessThan(0.1);
  });

  it('times out after 50 ms, records it, frees the tag, and calls a late answer unexpected', () => {
    const { r, box } = ready();
    r.cfgWrite(BUS1, DEVCTL, 2, 0x2022);
    r.answersReads = false;
    const start = r.sim.now;
    box.dma.read(at(0x100), 64, 1);
    r.run(49.9e6);
    expect(box.done).toHaveLength(0);
    r.run(0.2e6);
    expect(box.done[0]!.at - start).toBe(50e6);
    expect(box.done[0]!.result.status).toBe('timeout');
    expect(r.messages).toEqual([0x31]);
    expect(r.config(BUS1, UE_STATUS)).toBe(0x4000);
    expect(box.dma.outstandingReads).toBe(0);
    r.port.send({ ...completion(r.reads[0]!, 0, 'SC'), kind: 'CplD', data: new Uint8Array(64), lengthBytes: 64 });
    r.run(10_000);
    expect(box.unexpectedCompletions).toBe(1);
    // Advisory, and that is masked: the uncorrectable status keeps the timeout alone.
    expect(r.config(BUS1, UE_STATUS)).toBe(0x4000);
    expect(r.config(BUS1, CE_STATUS)).toBe(0x2000);
  });

  it.each(['UR', 'CA'] as const)('ends with %s when the completion says so', (status) => {
    const { r, box } = ready();
    r.answersReads = false;
    box.dma.read(at(0x200), 1024, 1);
    r.run(5000);
    r.port.send(completion(r.reads[1]!, 0, status));
    r.answersReads = true;
    r.receive(r.reads[0]!);
    r.run(5000);
    expect(box.done.map((d) => d.result.status)).toEqual([status]);
  });

  it('ends poisoned when the data are', () => {
    const { r, box } = ready();
    r.answersReads = false;
    box.dma.read(at(0x100), 64, 1);
    r.run(5000);
    const data = new Uint8Array(64);
    r.port.send({ ...completion(r.reads[0]!, 0, 'SC'), kind: 'CplD', data, lengthBytes: 64, poisoned: true });
    r.run(5000);
    expect(box.done[0]!.result.status).toBe('poisoned');
  });

  it('does nothing without bus master', () => {
    const { r, box } = ready();
    r.cfgWrite(BUS1, COMMAND, 2, 0x0002);
    expect(box.dma.write(at(0), new Uint8Array(4))).toBe(false);
    box.dma.read(at(0), 4, 9);
    expect(box.done[0]).toMatchObject({ context: 9, result: { status: 'not-master' } });
    r.run(10_000);
    expect(r.writes).toHaveLength(0);
  });

  it('is aborted by a reset, waiting requests included', () => {
    const { r, box } = ready({ tags: 1 });
    r.answersReads = false;
    box.dma.read(at(0), 1024, 1);
    box.dma.read(at(0), 64, 2);
    r.run(5000);
    r.link.setHotReset('asserted');
    expect(box.done.map((d) => [d.context, d.result.status])).toEqual([
      [1, 'reset'],
      [2, 'reset'],
    ]);
    r.run(100e6);
    expect(box.done).toHaveLength(2);
  });

  it('poisons as many writes as asked', () => {
    const { r, box } = ready();
    box.dma.poisonNextWrites(1);
    box.strayWrite(0x100n, 8);
    box.strayWrite(0x200n, 8);
    r.run(10_000);
    expect(r.writes.map((tlp) => tlp.poisoned ?? false)).toEqual([true, false]);
  });
});

const RAISED = 0x104;
const at = (lo: number) => ({ hi: 0, lo });

function optioned(options: PciExpressOption[], tags = 32) {
  const pcie = pciExpressCapability({ at: 0x40, next: 0x80, port: 'endpoint', maxSpeed: 3, maxWidth: 8, options });
  return ready({ layout: { ...layout(), ...pcie }, tags });
}

describe('what device control lets a requester do', () => {
  it('more than 32 tags only with extended tags', () => {
    const { r, box } = optioned(['extended-tags'], 64);
    r.answersReads = false;
    box.dma.read(at(0), 0x1_0000, 0);
    r.run(20_000);
    expect(box.dma.outstandingReads).toBe(32);
    expect(Math.max(...r.reads.map((tlp) => tlp.tag))).toBe(31);
    r.cfgWrite(BUS1, DEVCTL, 2, 0x2120);
    r.receive(r.reads[0]!);
    r.answersReads = true;
    for (const tlp of [...r.reads]) r.receive(tlp);
    r.run(50_000);
    expect(box.done[0]?.result.status).toBe('SC');
    expect(Math.max(...r.reads.map((tlp) => tlp.tag))).toBe(63);
  });

  it('no tag over 31 again once extended tags are off', () => {
    const { r, box } = optioned(['extended-tags'], 64);
    r.cfgWrite(BUS1, DEVCTL, 2, 0x2120);
    box.dma.read(at(0), 0x1_0000, 0);
    r.run(100_000);
    r.cfgWrite(BUS1, DEVCTL, 2, 0x2020);
    r.reads.length = 0;
    box.dma.read(at(0), 0x1_0000, 1);
    r.run(100_000);
    expect(box.done).toHaveLength(2);
    expect(Math.max(...r.reads.map((tlp) => tlp.tag))).toBe(31);
  });

  it('attributes it has and that are enabled', () => {
    const { r, box } = optioned(['relaxed-ordering', 'no-snoop']);
    const both = ATTRIBUTE.RELAXED_ORDERING | ATTRIBUTE.NO_SNOOP;
    const sent = (control: number) => {
      r.cfgWrite(BUS1, DEVCTL, 2, control);
      r.writes.length = 0;
      box.dma.write(at(0x100), new Uint8Array(4), both);
      r.run(5000);
      return r.writes[0]!.attributes;
    };
    expect([sent(0x2830), sent(0x2030), sent(0x2820), sent(0x2020)]).toEqual([3, 2, 1, undefined]);
    box.dma.read(at(0x100), 4, 0, both);
    r.cfgWrite(BUS1, DEVCTL, 2, 0x2830);
    box.dma.read(at(0x100), 4, 0, ATTRIBUTE.RELAXED_ORDERING);
    r.run(5000);
    expect(r.reads.map((tlp) => tlp.attributes)).toEqual([undefined, 2]);
    const plain = ready();
    plain.r.cfgWrite(BUS1, DEVCTL, 2, 0x2830);
    expect(plain.r.config(BUS1, DEVCTL, 2)).toBe(0x2020);
  });

  it.each([
    [0x1, 100e3],
    [0x2, 10e6],
    [0x3, 50e6],
    [0x5, 55e6],
    [0x6, 210e6],
    [0x9, 900e6],
    [0xa, 3.5e9],
    [0xd, 13e9],
    [0xe, 64e9],
  ])('completion timeout %i: %i ns', (code, ns) => {
    const { r, box } = ready();
    r.cfgWrite(BUS1, 0x68, 2, code);
    r.answersReads = false;
    const start = r.sim.now;
    box.dma.read(at(0), 4, 0);
    r.sim.run({ when: () => box.done.length > 0 });
    expect([box.done[0]!.result.status, box.done[0]!.at - start]).toEqual(['timeout', ns]);
  });

  it('no completion timeout at all', () => {
    const { r, box } = ready();
    r.cfgWrite(BUS1, 0x68, 2, 0x0010);
    r.answersReads = false;
    box.dma.read(at(0), 4, 0);
    r.run(100e9);
    expect([box.done.length, box.dma.outstandingReads]).toEqual([0, 1]);
    expect(r.config(BUS1, RAISED)).toBe(0);
  });

  it('a masked timeout without a message, a fatal one with another', () => {
    const { r, box } = ready();
    r.cfgWrite(BUS1, DEVCTL, 2, 0x202f);
    r.cfgWrite(BUS1, 0x68, 2, 0x1);
    r.answersReads = false;
    r.cfgWrite(BUS1, 0x108, 4, 0x4000);
    box.dma.read(at(0), 4, 0);
    r.run(1e6);
    expect([r.messages, r.config(BUS1, RAISED)]).toEqual([[], 0x4000]);
    r.cfgWrite(BUS1, 0x108, 4, 0);
    r.cfgWrite(BUS1, 0x10c, 4, 0x4000);
    box.dma.read(at(0), 4, 0);
    r.run(1e6);
    expect(r.messages).toEqual([0x33]);
  });
});

describe('atomics', () => {
  const atomics = () => {
    const bench = optioned(['atomic-requester']);
    bench.r.cfgWrite(BUS1, 0x68, 2, 0x0040);
    return bench;
  };

  it('carry their operands and bring the old value', () => {
    const { r, box } = atomics();
    r.answersReads = false;
    box.dma.atomic('CAS', at(0x200), Uint8Array.of(1, 0, 0, 0, 2, 0, 0, 0), 5);
    r.run(5000);
    expect(r.reads[0]).toMatchObject({ kind: 'CAS', addressLo: 0x200, lengthBytes: 8 });
    r.port.send(completionWithData(r.reads[0]!, 0, Uint8Array.of(9, 0, 0, 0)));
    r.run(5000);
    expect(box.done[0]).toMatchObject({ context: 5, result: { status: 'SC', data: Uint8Array.of(9, 0, 0, 0) } });
    box.dma.atomic('FetchAdd', at(0x200), new Uint8Array(8), 6);
    r.run(5000);
    r.port.send(completion(r.reads[1]!, 0, 'UR'));
    r.run(5000);
    expect(box.done[1]!.result.status).toBe('UR');
  });

  it('are not sent unless enabled, nor without bus master', () => {
    const { r, box } = atomics();
    r.cfgWrite(BUS1, 0x68, 2, 0);
    box.dma.atomic('Swap', at(0), new Uint8Array(4), 0);
    r.cfgWrite(BUS1, COMMAND, 2, 0x0002);
    box.dma.atomic('Swap', at(0), new Uint8Array(4), 1);
    r.run(5000);
    expect(box.done.map((d) => d.result.status)).toEqual(['atomics-off', 'not-master']);
    expect(r.reads).toEqual([]);
  });

  it('on a device without any are unsupported; poisoned ones are refused', () => {
    const { r } = ready();
    const ask = (poison: object) =>
      r.ask((tag) => ({
        ...atomicRequest('Swap', { requesterId: 0, tag }, at(0x8000_0000), new Uint8Array(4)),
        ...poison,
      }));
    expect(ask({})).toMatchObject({ kind: 'Cpl', status: 'UR' });
    expect(r.config(BUS1, 0x06, 2) & 0x8000).toBe(0);
    expect(ask({ poisoned: true })?.status).toBe('UR');
    expect(r.config(BUS1, 0x06, 2) & 0x8000).toBe(0x8000);
  });

  it('on a device that has them exchange operand and old value', () => {
    class Counter extends Box {
      protected override atomicBar(_kind: string, { offset }: { offset: number }, operands: Uint8Array): Uint8Array {
        const old = this.storage.slice(offset, offset + 4);
        this.storage.set(operands, offset);
        return old;
      }
    }
    const r = new Rig();
    const box = new Counter(r.sim);
    box.plugInto(r.link);
    r.powerOn();
    r.cfgWrite(BUS1, 0x10, 4, 0x8000_0000);
    r.cfgWrite(BUS1, COMMAND, 2, 0x0002);
    box.storage[4] = 0x77;
    const swap = (tag: number) =>
      atomicRequest('Swap', { requesterId: 0, tag }, at(0x8000_0004), Uint8Array.of(5, 0, 0, 0));
    expect([...r.ask(swap)!.data!]).toEqual([0x77, 0, 0, 0]);
    expect(box.storage[4]).toBe(5);
  });
});

describe('a completion that cannot be right', () => {
  it.each([
    ['longer than what is due', { data: new Uint8Array(68), lengthBytes: 68, byteCount: 68 }],
    ['with a wrong byte count', { byteCount: 128 }],
    ['successful without data', { kind: 'Cpl', data: undefined, lengthBytes: 0 }],
    ['that asks to try again', { kind: 'Cpl', data: undefined, lengthBytes: 0, status: 'CRS' }],
  ] as const)('%s is malformed and does not end the read', (_what, wrong) => {
    const { r, box } = ready();
    r.cfgWrite(BUS1, DEVCTL, 2, 0x202f);
    r.answersReads = false;
    box.dma.read(at(0x100), 64, 1);
    r.run(5000);
    const right = completionWithData(r.reads[0]!, 0, new Uint8Array(64).fill(1));
    const { data, ...rest } = { ...right, ...wrong };
    r.port.send(data === undefined ? rest : { ...rest, data });
    r.run(5000);
    expect([r.messages, r.config(BUS1, RAISED), box.done]).toEqual([[0x33], 0x4_0000, []]);
    r.port.send(right);
    r.run(5000);
    expect(box.done[0]!.result).toMatchObject({ status: 'SC' });
  });

  it('poisoned is an error of the requester, with parity response on also in its status', () => {
    const { r, box } = ready();
    r.cfgWrite(BUS1, DEVCTL, 2, 0x202f);
    const answer = () => {
      r.answersReads = false;
      box.dma.read(at(0x100), 4, 1);
      r.run(5000);
      r.port.send({ ...completionWithData(r.reads.at(-1)!, 0, new Uint8Array(4)), poisoned: true });
      r.run(5000);
      return r.config(BUS1, 0x06, 2) & 0x8100;
    };
    expect(answer()).toBe(0x8000);
    expect([r.messages, r.config(BUS1, RAISED)]).toEqual([[0x31], 0x1000]);
    r.cfgWrite(BUS1, COMMAND, 2, 0x0046);
    expect(answer()).toBe(0x8100);
  });

  it.each([
    ['UR', 0x2000],
    ['CA', 0x1000],
  ] as const)('%s leaves its mark in the status register', (status, bits) => {
    const { r, box } = ready();
    r.answersReads = false;
    box.dma.read(at(0x100), 4, 1);
    r.run(5000);
    r.port.send(completion(r.reads[0]!, 0, status));
    r.run(5000);
    expect(r.config(BUS1, 0x06, 2) & 0x3000).toBe(bits);
  });
});
