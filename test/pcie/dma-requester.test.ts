import { describe, expect, it } from 'vitest';
import { completion } from '../../src/pcie/tlp.js';
import { COMMAND, DEVCTL, DEVSTA, ready, UE_STATUS } from './box.js';
import { BUS1 } from './rig.js';

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
    expect(r.config(BUS1, UE_STATUS)).toBe(0x1_4000);
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
