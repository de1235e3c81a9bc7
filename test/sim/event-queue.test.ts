// The order contract of the queue, through the simulator's own doors.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Priority, type PriorityLevel } from '../../src/sim/priority.js';
import { type EventId, Simulator } from '../../src/sim/simulator.js';

interface Expected {
  readonly id: EventId;
  readonly label: number;
  time: number;
  readonly priority: PriorityLevel;
  sequence: number;
}

/** The queue as a sorted array: slow, and plainly right. */
class Oracle {
  readonly pending: Expected[] = [];
  private sequence = 0;

  add(id: EventId, label: number, time: number, priority: PriorityLevel): void {
    this.pending.push({ id, label, time, priority, sequence: this.sequence++ });
  }

  move(entry: Expected, time: number): void {
    entry.time = time;
    entry.sequence = this.sequence++;
  }

  remove(entry: Expected): void {
    this.pending.splice(this.pending.indexOf(entry), 1);
  }

  takeFirst(): Expected | undefined {
    this.pending.sort((x, y) => x.time - y.time || x.priority - y.priority || x.sequence - y.sequence);
    return this.pending.shift();
  }
}

/** A simulator and its oracle, driven side by side. */
class Pair {
  readonly sim = new Simulator();
  readonly oracle = new Oracle();
  readonly gone: EventId[] = [];
  private readonly ran: number[] = [];
  private readonly handler = this.sim.handler('label', (label) => this.ran.push(label));
  private labels = 0;

  schedule(ticks: number, priority: PriorityLevel): void {
    const label = this.labels++;
    const id = this.sim.schedule(ticks / 8, priority, this.handler, label);
    this.oracle.add(id, label, this.sim.now + ticks / 8, priority);
  }

  cancel(choice: number): void {
    const entry = this.choose(choice);
    if (entry === undefined) return;
    expect(this.sim.cancel(entry.id)).toBe(true);
    this.oracle.remove(entry);
    this.gone.push(entry.id);
  }

  reschedule(choice: number, ticks: number): void {
    const entry = this.choose(choice);
    if (entry === undefined) return;
    const time = this.sim.now + ticks / 8;
    expect(this.sim.reschedule(entry.id, time)).toBe(true);
    this.oracle.move(entry, time);
  }

  pop(): void {
    const entry = this.oracle.takeFirst();
    expect(this.sim.step()).toBe(entry !== undefined);
    if (entry === undefined) return;
    expect(this.ran.at(-1)).toBe(entry.label);
    expect(this.sim.now).toBe(entry.time);
    this.gone.push(entry.id);
  }

  check(): void {
    expect(this.sim.pendingEvents).toBe(this.oracle.pending.length);
    for (const id of this.gone.slice(-20)) {
      expect(this.sim.cancel(id)).toBe(false);
      expect(this.sim.reschedule(id, this.sim.now)).toBe(false);
    }
  }

  drain(): void {
    while (this.oracle.pending.length > 0) this.pop();
    this.pop();
    this.check();
  }

  private choose(choice: number): Expected | undefined {
    return this.oracle.pending[choice % Math.max(1, this.oracle.pending.length)];
  }
}

type Command = (pair: Pair) => void;

const priority = fc.constantFrom<PriorityLevel>(...Object.values(Priority));
// Few different delays make ties; a few far ones reach every tier of the queue.
const delay = fc.oneof(
  { weight: 4, arbitrary: fc.nat(12) },
  { weight: 2, arbitrary: fc.nat(5_000) },
  { weight: 1, arbitrary: fc.nat(2 ** 40) },
);

const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.tuple(delay, priority).map(
      ([d, p]): Command =>
        (pair) =>
          pair.schedule(d, p),
    ),
  },
  { weight: 3, arbitrary: fc.constant<Command>((pair) => pair.pop()) },
  {
    weight: 1,
    arbitrary: fc.nat().map(
      (n): Command =>
        (pair) =>
          pair.cancel(n),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.nat(), delay).map(
      ([n, d]): Command =>
        (pair) =>
          pair.reschedule(n, d),
    ),
  },
);

const burst: fc.Arbitrary<Command> = fc
  .record({
    count: fc.integer({ min: 50, max: 600 }),
    step: fc.nat(400),
    spread: fc.integer({ min: 1, max: 3_000 }),
    priority,
  })
  .map(
    ({ count, step, spread, priority: p }): Command =>
      (pair) => {
        for (let i = 0; i < count; i++) pair.schedule(((i * 7919) % spread) * (step + 1), p);
      },
  );

const manyPops: fc.Arbitrary<Command> = fc.integer({ min: 20, max: 300 }).map(
  (count): Command =>
    (pair) => {
      for (let i = 0; i < count; i++) pair.pop();
    },
);

function agree(commands: readonly Command[]): void {
  const pair = new Pair();
  for (const run of commands) {
    run(pair);
    pair.check();
  }
  pair.drain();
}

describe('the event queue', () => {
  it('equals a sorted array under any mix of schedule, cancel, reschedule and pop', () => {
    fc.assert(fc.property(fc.array(command, { maxLength: 120 }), agree), { seed: 1, numRuns: 300 });
  });

  it('equals a sorted array also with hundreds of pending events, bunched or spread', () => {
    const mixed = fc.oneof(
      { weight: 8, arbitrary: command },
      { weight: 2, arbitrary: burst },
      { weight: 1, arbitrary: manyPops },
    );
    fc.assert(fc.property(fc.array(mixed, { minLength: 5, maxLength: 40 }), agree), { seed: 2, numRuns: 60 });
  });

  it('runs events of equal time and priority in the order of scheduling', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1500 }), fc.nat(3), priority, (count, times, p) => {
        const sim = new Simulator();
        const ran: number[][] = Array.from({ length: times + 1 }, () => []);
        const handler = sim.handler('note', (label, time) => ran[time]!.push(label));
        for (let i = 0; i < count; i++) {
          const time = i % (times + 1);
          sim.schedule(time, p, handler, i, time);
        }
        sim.run();
        for (const labels of ran) expect(labels).toEqual([...labels].sort((x, y) => x - y));
        expect(ran.flat()).toHaveLength(count);
      }),
      { seed: 3, numRuns: 40 },
    );
  });

  it('runs the smaller priority first at one instant, also one scheduled while the instant runs', () => {
    const sim = new Simulator();
    const order: string[] = [];
    const late = sim.handler('late', () => order.push('link, scheduled late'));
    const chip = sim.handler('chip', () => {
      order.push('chip');
      sim.schedule(0, Priority.LINK, late);
    });
    const device = sim.handler('device', () => order.push('device'));
    sim.schedule(1, Priority.DEVICE, device);
    sim.schedule(1, Priority.CHIP, chip);
    sim.run();
    expect(order).toEqual(['chip', 'link, scheduled late', 'device']);
  });

  it('stays in order when equals of the running event are cancelled while its slot already has a later tenant', () => {
    for (let victim = 0; victim < 39; victim++) {
      const pair = new Pair();
      for (let i = 0; i < 40; i++) pair.schedule(8, Priority.CHIP);
      for (let i = 0; i < 300; i++) pair.schedule(1000 + i * 50, Priority.CHIP);
      pair.pop();
      pair.schedule(100_000, Priority.OBSERVER);
      pair.cancel(victim);
      pair.cancel(0);
      pair.drain();
    }
  });

  it('puts a rescheduled event behind its new equals and keeps its handle good', () => {
    const sim = new Simulator();
    const order: number[] = [];
    const note = sim.handler('note', (label) => order.push(label));
    const first = sim.schedule(5, Priority.CHIP, note, 1);
    sim.schedule(5, Priority.CHIP, note, 2);
    expect(sim.reschedule(first, 5)).toBe(true);
    sim.schedule(5, Priority.CHIP, note, 3);
    const moved = sim.schedule(1, Priority.CHIP, note, 4);
    expect(sim.reschedule(moved, 9)).toBe(true);
    expect(sim.cancel(moved)).toBe(true);
    sim.run();
    expect(order).toEqual([2, 1, 3]);
  });

  it('lets a stale handle do nothing, also when its slot has a new tenant', () => {
    const sim = new Simulator();
    let ran = 0;
    const count = sim.handler('count', () => ran++);
    const old = sim.schedule(1, Priority.CHIP, count);
    sim.run();
    sim.schedule(1, Priority.CHIP, count);
    expect(sim.cancel(old)).toBe(false);
    expect(sim.reschedule(old, 100)).toBe(false);
    expect(sim.cancel(Number.NaN)).toBe(false);
    expect(sim.cancel(-3)).toBe(false);
    expect(sim.cancel(12_345_678_901)).toBe(false);
    sim.run();
    expect(ran).toBe(2);
    expect(sim.now).toBe(2);
  });

  it('hands an event both its numbers unchanged, whatever they are', () => {
    const sim = new Simulator();
    const seen: number[][] = [];
    const note = sim.handler('note', (a, b) => seen.push([a, b]));
    sim.schedule(0, Priority.CHIP, note, 2 ** 50, -1.5);
    sim.schedule(0, Priority.CHIP, note);
    sim.schedule(0, Priority.CHIP, note, 0xffff_ffff, Number.NEGATIVE_INFINITY);
    sim.run();
    expect(seen).toEqual([
      [2 ** 50, -1.5],
      [0, 0],
      [0xffff_ffff, Number.NEGATIVE_INFINITY],
    ]);
  });

  it('keeps its order with a hundred thousand events, most of them cancelled', () => {
    const sim = new Simulator();
    let last = -1;
    let ran = 0;
    const note = sim.handler('note', () => {
      expect(sim.now).toBeGreaterThanOrEqual(last);
      last = sim.now;
      ran++;
    });
    const ids: EventId[] = [];
    for (let i = 0; i < 100_000; i++) ids.push(sim.schedule((Math.imul(i, 0x9e3779b1) >>> 8) / 8, Priority.CHIP, note));
    for (let i = 0; i < ids.length; i++) if (i % 10 !== 0) sim.cancel(ids[i]!);
    expect(sim.pendingEvents).toBe(10_000);
    sim.run();
    expect(ran).toBe(10_000);
  });
});
