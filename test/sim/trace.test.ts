import { describe, expect, it } from 'vitest';
import { hashName } from '../../src/sim/digest.js';
import { SimulationError } from '../../src/sim/errors.js';
import { Priority } from '../../src/sim/priority.js';
import { Simulator } from '../../src/sim/simulator.js';
import { defineTraceKind, type TraceRecord } from '../../src/sim/trace.js';

const STORE = defineTraceKind('test.store', 'register:hex', 'valueHi', 'valueLo', 'pe');
const COLLISION = findCollision();
const TICK = defineTraceKind('test.tick', 'n');

function simulatorThatTicks(count: number, traceCapacity?: number): Simulator {
  const sim = new Simulator(traceCapacity === undefined ? {} : { traceCapacity });
  const source = sim.trace.source('clock');
  const tick = sim.handler('tick', (n) => {
    sim.trace.emit(TICK, source, n);
    if (n + 1 < count) sim.schedule(10, Priority.CHIP, tick, n + 1);
  });
  sim.schedule(0, Priority.CHIP, tick, 0);
  return sim;
}

describe('the trace', () => {
  it('keeps time, kind, source and values of a record, and prints it for a person', () => {
    const sim = new Simulator();
    const phb = sim.trace.source('PHB0');
    sim.run({ untilNs: 5_000_412.125 });
    sim.trace.emit(STORE, phb, 0x210, 0x8000_0000, 0x2000_0001, 5);
    const [record] = sim.trace.tail(1);
    expect(record).toMatchObject({
      time: 5_000_412.125,
      kind: STORE,
      source: 'PHB0',
      values: [0x210, 0x8000_0000, 0x2000_0001, 5],
    });
    expect(String(record)).toBe('      5.000 412 ms  PHB0  test.store register=00000210 value=8000000020000001 pe=5');
  });

  it('keeps times beyond 32 bits of ticks exactly', () => {
    const sim = new Simulator();
    const late = 9_876_543_210_987.625;
    sim.run({ untilNs: late });
    sim.trace.emit(TICK, sim.trace.source('clock'), 1);
    expect(sim.trace.tail(1)[0]!.time).toBe(late);
  });

  it('gives the last records, oldest first, and no more than the ring holds', () => {
    const sim = simulatorThatTicks(40, 10);
    sim.run();
    expect(sim.trace.capacity).toBe(16);
    expect(sim.trace.total).toBe(40);
    expect(sim.trace.tail(3).map((r) => r.values[0])).toEqual([37, 38, 39]);
    expect(sim.trace.tail(1000).map((r) => r.values[0])).toEqual(Array.from({ length: 16 }, (_, i) => 24 + i));
    expect(sim.trace.tail(0)).toEqual([]);
    expect(sim.trace.tail(-5)).toEqual([]);
  });

  it('shows each record to the subscribers of its kind as it is written, until they leave', () => {
    const sim = simulatorThatTicks(4);
    const all: TraceRecord[] = [];
    const stores: TraceRecord[] = [];
    const leave = sim.trace.subscribe((r) => all.push(r));
    sim.trace.subscribe((r) => stores.push(r), [STORE]);
    sim.run({ untilNs: 10 });
    sim.trace.emit(STORE, sim.trace.source('PHB0'), 1);
    leave();
    sim.run();
    expect(all.map((r) => r.kind.name)).toEqual(['test.tick', 'test.tick', 'test.store']);
    expect(stores.map((r) => r.source)).toEqual(['PHB0']);
  });

  it('changes nothing by being watched', () => {
    const watched = simulatorThatTicks(20);
    watched.trace.subscribe(() => {});
    const alone = simulatorThatTicks(20, 1);
    watched.run();
    alone.run();
    expect(watched.digest()).toBe(alone.digest());
  });

  it('gives a source the same id in every run, whatever was named before', () => {
    const one = new Simulator().trace;
    const other = new Simulator().trace;
    other.source('something else');
    expect(other.source('PHB0')).toBe(one.source('PHB0'));
    expect(one.source('PHB0')).toBe(one.source('PHB0'));
    expect(one.source('PHB1')).not.toBe(one.source('PHB0'));
  });

  it('keeps apart two sources whose names hash alike', () => {
    const { first, second } = COLLISION;
    const sim = new Simulator();
    const a = sim.trace.source(first);
    const b = sim.trace.source(second);
    expect(b).not.toBe(a);
    sim.trace.emit(TICK, a, 1);
    sim.trace.emit(TICK, b, 2);
    expect(sim.trace.tail(2).map((r) => r.source)).toEqual([first, second]);
  });

  it('names an unknown source rather than failing', () => {
    const sim = new Simulator();
    sim.trace.emit(TICK, 77, 1);
    expect(sim.trace.tail(1)[0]!.source).toBe('source 77');
  });

  it('takes a kind that is declared twice alike, and refuses one that differs', () => {
    expect(defineTraceKind('test.tick', 'n')).toBe(TICK);
    expect(() => defineTraceKind('test.tick', 'm')).toThrow(SimulationError);
    expect(() => defineTraceKind('test.wide', 'a', 'b', 'c', 'd', 'e', 'f', 'g')).toThrow(/6 is the most/);
    const { first, second } = COLLISION;
    defineTraceKind(first);
    expect(() => defineTraceKind(second)).toThrow(/choose another name/);
  });

  it('refuses a capacity that makes no sense', () => {
    for (const traceCapacity of [0, -1, 1.5, 2 ** 30, Number.NaN]) {
      expect(() => new Simulator({ traceCapacity })).toThrow(/capacity/);
    }
  });
});

/** Two names with one hash, found by trying. */
function findCollision(): { first: string; second: string } {
  const seen = new Map<number, string>();
  for (let i = 0; ; i++) {
    const second = `name ${i}`;
    const first = seen.get(hashName(second));
    if (first !== undefined) return { first, second };
    seen.set(hashName(second), second);
  }
}
