import { describe, expect, it } from 'vitest';
import { INTERRUPT_ENDED, INTERRUPT_REJECTED, InterruptController, MASKED_PRIORITY } from '../../src/hw/interrupts.js';
import { wait } from '../../src/sim/process.js';
import { Simulator } from '../../src/sim/simulator.js';

function setUp() {
  const sim = new Simulator();
  return { sim, interrupts: new InterruptController(sim) };
}

const ASSERTED = 'asserted';
const DEASSERTED = 'released';

describe('pending interrupts', () => {
  it('are taken by priority, and in order of arrival among equals', () => {
    const { interrupts } = setUp();
    for (const [irq, priority] of [
      [10, 5],
      [11, 5],
      [12, 2],
      [13, 7],
      [14, 5],
    ] as const) {
      expect(interrupts.present(irq, 1, priority)).toBe(true);
    }
    expect(interrupts.pending()).toEqual([12, 10, 11, 14, 13]);
    expect(interrupts.take()).toEqual({ irq: 12, server: 1, priority: 2 });
    expect(interrupts.pending()).toEqual([10, 11, 14, 13]);
  });

  it('can be taken for one server', () => {
    const { interrupts } = setUp();
    interrupts.present(10, 1, 5);
    interrupts.present(11, 2, 6);
    expect(interrupts.take(2)?.irq).toBe(11);
    expect(interrupts.take(2)).toBeUndefined();
    expect(interrupts.take()?.irq).toBe(10);
    expect(interrupts.take()).toBeUndefined();
  });

  it('wake software that waits for one', () => {
    const { sim, interrupts } = setUp();
    const handle = sim.spawn('kernel', wait(interrupts.raised));
    sim.run();
    interrupts.present(0x17fe, 0, 5);
    sim.run();
    expect(handle.result).toBe(0x17fe);
  });
});

describe('a message interrupt', () => {
  it('is rejected while masked, pending or in service, and the trace says so', () => {
    const { sim, interrupts } = setUp();
    expect(interrupts.present(10, 0, MASKED_PRIORITY)).toBe(false);
    expect(interrupts.present(10, 0, 5)).toBe(true);
    expect(interrupts.present(10, 0, 5)).toBe(false);
    interrupts.take();
    expect(interrupts.present(10, 0, 5)).toBe(false);
    interrupts.eoi(10);
    expect(interrupts.pending()).toEqual([]);
    expect(interrupts.present(10, 0, 5)).toBe(true);
    expect(sim.trace.tail(99).filter((record) => record.kind === INTERRUPT_REJECTED)).toHaveLength(3);
  });
});

describe('a level interrupt', () => {
  it('comes again after its end while it is asserted', () => {
    const { interrupts } = setUp();
    interrupts.setLevel(10, 0, 5, ASSERTED);
    interrupts.setLevel(10, 0, 5, ASSERTED);
    expect(interrupts.pending()).toEqual([10]);
    interrupts.take();
    interrupts.setLevel(10, 0, 5, ASSERTED);
    expect(interrupts.pending()).toEqual([]);
    interrupts.eoi(10);
    expect(interrupts.pending()).toEqual([10]);
    interrupts.take();
    interrupts.setLevel(10, 0, 5, DEASSERTED);
    interrupts.eoi(10);
    expect(interrupts.pending()).toEqual([]);
  });

  it('that goes away before it is taken leaves nothing pending', () => {
    const { interrupts } = setUp();
    interrupts.setLevel(10, 0, 5, ASSERTED);
    interrupts.setLevel(10, 0, 5, DEASSERTED);
    expect(interrupts.take()).toBeUndefined();
  });

  it('asserted anew while in service waits for the end', () => {
    const { interrupts } = setUp();
    interrupts.setLevel(10, 0, 5, ASSERTED);
    interrupts.take();
    interrupts.setLevel(10, 0, 5, DEASSERTED);
    interrupts.setLevel(10, 0, 5, ASSERTED);
    expect(interrupts.pending()).toEqual([]);
    interrupts.eoi(10);
    expect(interrupts.pending()).toEqual([10]);
  });

  it('follows its routing: moved when the priority changes, shown when it is unmasked', () => {
    const { interrupts } = setUp();
    interrupts.present(11, 0, 4);
    interrupts.setLevel(10, 0, MASKED_PRIORITY, ASSERTED);
    expect(interrupts.pending()).toEqual([11]);
    interrupts.setLevel(10, 0, 5, ASSERTED);
    expect(interrupts.pending()).toEqual([11, 10]);
    interrupts.setLevel(10, 0, 3, ASSERTED);
    expect(interrupts.pending()).toEqual([10, 11]);
    interrupts.setLevel(10, 7, 3, ASSERTED);
    expect(interrupts.take()?.server).toBe(7);
  });

  it('that was never asserted does not withdraw a message of its number', () => {
    const { interrupts } = setUp();
    interrupts.present(10, 0, 5);
    interrupts.setLevel(10, 0, 5, DEASSERTED);
    expect(interrupts.pending()).toEqual([10]);
  });
});

it('the end of an interrupt that is not in service does nothing but leave a record', () => {
  const { sim, interrupts } = setUp();
  interrupts.setLevel(10, 0, 5, ASSERTED);
  interrupts.eoi(10);
  expect(interrupts.pending()).toEqual([10]);
  expect(sim.trace.tail(1)[0]?.kind).toBe(INTERRUPT_ENDED);
  expect(sim.trace.tail(1)[0]?.values).toEqual([10, 0]);
});

describe('an edge', () => {
  it('is presented once, and not again after its end', () => {
    const { interrupts } = setUp();
    interrupts.signal(10, 1, 5);
    expect(interrupts.pending()).toEqual([10]);
    interrupts.signal(10, 1, 5);
    expect(interrupts.pending()).toEqual([10]);
    interrupts.take();
    interrupts.eoi(10);
    expect(interrupts.pending()).toEqual([]);
  });

  it('that comes while its like is in service waits for the end, with the routing it came with', () => {
    const { interrupts } = setUp();
    interrupts.signal(10, 1, 5);
    interrupts.take();
    interrupts.signal(10, 1, 5);
    interrupts.signal(10, 2, 3);
    expect(interrupts.pending()).toEqual([]);
    interrupts.eoi(10);
    expect(interrupts.take()).toEqual({ irq: 10, server: 2, priority: 3 });
    interrupts.eoi(10);
    expect(interrupts.pending()).toEqual([]);
  });
});
