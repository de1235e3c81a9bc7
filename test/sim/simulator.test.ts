import { describe, expect, it } from 'vitest';
import { DeadlockError, RunawayError, SimulationError, TimeError } from '../../src/sim/errors.js';
import { Priority } from '../../src/sim/priority.js';
import { delay, type Process, Signal, wait } from '../../src/sim/process.js';
import { Simulator, type SimulatorOptions } from '../../src/sim/simulator.js';
import { MAX_TIME_NS, seconds } from '../../src/sim/time.js';

/** A simulator with one event every `periodNs`, for ever. */
function ticking(periodNs: number, options: SimulatorOptions = {}): { sim: Simulator; tick: number; ticks: number[] } {
  const sim = new Simulator(options);
  const ticks: number[] = [];
  const tick = sim.handler('tick', () => {
    ticks.push(sim.now);
    sim.schedule(periodNs, Priority.CHIP, tick);
  });
  sim.schedule(periodNs, Priority.CHIP, tick);
  return { sim, tick, ticks };
}

describe('running', () => {
  it('until a time runs the events up to and including it and leaves the clock there', () => {
    const { sim, ticks } = ticking(10);
    expect(sim.run({ untilNs: 30 })).toBe('time');
    expect(ticks).toEqual([10, 20, 30]);
    expect(sim.run({ untilNs: 35 })).toBe('time');
    expect([sim.now, ticks.length]).toEqual([35, 3]);
    expect(sim.run({ untilNs: 35 })).toBe('time');
  });

  it('until a time goes there also when nothing is left to happen, unless told to stop when idle', () => {
    const sim = new Simulator();
    sim.schedule(
      5,
      Priority.CHIP,
      sim.handler('once', () => {}),
    );
    expect(sim.run({ untilNs: 100, idle: true })).toBe('idle');
    expect(sim.now).toBe(5);
    expect(sim.run({ untilNs: 100 })).toBe('time');
    expect(sim.now).toBe(100);
  });

  it('without a condition ends when nothing is left to happen', () => {
    const sim = new Simulator();
    sim.schedule(
      5,
      Priority.CHIP,
      sim.handler('once', () => {}),
    );
    expect(sim.run()).toBe('idle');
    expect(sim.run({ idle: true })).toBe('idle');
    expect([sim.now, sim.pendingEvents, sim.dispatchedEvents]).toEqual([5, 0, 1]);
    expect(sim.step()).toBe(false);
  });

  it('stops after an event of a handler, after so many events, or when a condition holds', () => {
    const { sim, tick } = ticking(10);
    const other = sim.handler('other', () => {});
    sim.schedule(25, Priority.CHIP, other);
    expect(sim.run({ event: other })).toBe('event');
    expect(sim.now).toBe(25);
    expect(sim.run({ event: tick })).toBe('event');
    expect(sim.now).toBe(30);
    expect(sim.run({ maxEvents: 3 })).toBe('max-events');
    expect(sim.now).toBe(60);
    expect(sim.run({ maxEvents: 0 })).toBe('max-events');
    expect(sim.run({ when: () => sim.now >= 100 })).toBe('condition');
    expect(sim.now).toBe(100);
    expect(sim.run({ when: () => true })).toBe('condition');
    expect(sim.now).toBe(100);
  });

  it('stops when a process has ended', () => {
    const { sim } = ticking(10);
    const nap = sim.spawn('nap', delay(45));
    expect(sim.run({ process: nap })).toBe('process');
    expect([sim.now, nap.state]).toEqual([45, 'done']);
  });

  it('one step runs one event', () => {
    const { sim, ticks } = ticking(10);
    expect([sim.step(), sim.step()]).toEqual([true, true]);
    expect(ticks).toEqual([10, 20]);
  });

  it('goes on after a handler threw: its event is spent, the others are not', () => {
    const sim = new Simulator();
    const ran: string[] = [];
    sim.schedule(
      1,
      Priority.CHIP,
      sim.handler('bad', () => {
        throw new RangeError('broken');
      }),
    );
    sim.schedule(
      1,
      Priority.CHIP,
      sim.handler('good', () => {
        ran.push('good');
      }),
    );
    expect(() => sim.run()).toThrow('broken');
    expect(sim.run()).toBe('idle');
    expect(ran).toEqual(['good']);
  });

  it('refuses to be run from within an event', () => {
    const sim = new Simulator();
    sim.schedule(
      1,
      Priority.CHIP,
      sim.handler('nested', () => sim.run()),
    );
    expect(() => sim.run()).toThrow(/from within an event/);
    sim.schedule(
      1,
      Priority.CHIP,
      sim.handler('nested step', () => {
        sim.step();
      }),
    );
    expect(() => sim.run()).toThrow(SimulationError);
  });

  it('schedules at a time as well as after a delay', () => {
    const sim = new Simulator();
    const seen: number[][] = [];
    const note = sim.handler('note', (a, b) => seen.push([sim.now, a, b]));
    sim.scheduleAt(7.125, Priority.CHIP, note, 1, 2);
    sim.run({ untilNs: 5 });
    sim.schedule(1, Priority.CHIP, note);
    sim.run();
    expect(seen).toEqual([
      [6, 0, 0],
      [7.125, 1, 2],
    ]);
    expect(sim.handlerName(note)).toBe('note');
    expect(sim.handlerName(99)).toBe('unknown handler 99');
  });
});

describe('times that are none', () => {
  const bad = [Number.NaN, -1, -0.125, 0.1, Number.POSITIVE_INFINITY, MAX_TIME_NS * 2];

  it.each(bad)('%d is refused as a delay, a time, a new time and an end of a run, with the handler named', (ns) => {
    const sim = new Simulator();
    const note = sim.handler('note', () => {});
    const id = sim.schedule(1, Priority.CHIP, note);
    expect(() => sim.schedule(ns, Priority.CHIP, note)).toThrow(TimeError);
    expect(() => sim.schedule(ns, Priority.CHIP, note)).toThrow(/"note"/);
    expect(() => sim.scheduleAt(ns, Priority.CHIP, note)).toThrow(TimeError);
    expect(() => sim.reschedule(id, ns)).toThrow(TimeError);
    expect(() => sim.run({ untilNs: ns })).toThrow(TimeError);
    expect(sim.pendingEvents).toBe(1);
  });

  it('the past is refused', () => {
    const sim = new Simulator();
    const note = sim.handler('note', () => {});
    sim.run({ untilNs: 10 });
    const id = sim.schedule(5, Priority.CHIP, note);
    expect(() => sim.scheduleAt(9.875, Priority.CHIP, note)).toThrow(/not in the past/);
    expect(() => sim.reschedule(id, 9)).toThrow(TimeError);
    expect(() => sim.run({ untilNs: 9 })).toThrow(TimeError);
    expect(() => sim.schedule(MAX_TIME_NS, Priority.CHIP, note)).toThrow(TimeError);
  });

  it('a fraction of a tick names the remedy', () => {
    const sim = new Simulator();
    expect(() =>
      sim.schedule(
        0.3,
        Priority.CHIP,
        sim.handler('note', () => {}),
      ),
    ).toThrow(/quantize/);
  });

  it('an unknown handler is refused', () => {
    const sim = new Simulator();
    for (const handler of [99, -1]) {
      expect(() => sim.schedule(1, Priority.CHIP, handler)).toThrow(/not registered/);
      expect(() => sim.scheduleAt(1, Priority.CHIP, handler)).toThrow(/not registered/);
    }
  });
});

describe('the deadlock guard', () => {
  function* waitsFor(signal: Signal): Process {
    yield* wait(signal);
  }

  it('names every process that should have ended and what it waits for', () => {
    const sim = new Simulator();
    sim.spawn('firmware', waitsFor(new Signal(sim, 'PHB0.link')));
    sim.spawn('linux', waitsFor(new Signal(sim, 'irq 42')));
    sim.spawn('interrupt loop', waitsFor(new Signal(sim, 'any irq')), { daemon: true });
    const error = caught(() => sim.run({ expectFinished: true }), DeadlockError);
    expect(error.stuck).toEqual([
      { name: 'firmware', waitsFor: 'signal "PHB0.link"' },
      { name: 'linux', waitsFor: 'signal "irq 42"' },
    ]);
    expect(error.message).toContain('"linux" waits for signal "irq 42"');
  });

  it('is content when only daemons wait, and does not ask unless told to', () => {
    const sim = new Simulator();
    sim.spawn('interrupt loop', waitsFor(new Signal(sim, 'irq')), { daemon: true });
    expect(sim.run({ expectFinished: true })).toBe('idle');
    sim.spawn('firmware', waitsFor(new Signal(sim, 'link')));
    expect(sim.run()).toBe('idle');
    expect(sim.run({ untilNs: 100 })).toBe('time');
  });

  it('speaks up when a process that is waited for can no longer end, daemon or not', () => {
    const sim = new Simulator();
    const loop = sim.spawn('loop', waitsFor(new Signal(sim, 'never')), { daemon: true });
    expect(() => sim.run({ process: loop })).toThrow(/"loop" waits for signal "never"/);
    expect(() => sim.complete('boot', waitsFor(new Signal(sim, 'link')))).toThrow(DeadlockError);
  });
});

describe('the runaway guard', () => {
  it('stops time that does not pass, and names the handler that spins', () => {
    const sim = new Simulator({ instantBudget: 1000 });
    const innocent = sim.handler('innocent', () => {});
    for (let i = 0; i < 600; i++) sim.schedule(5, Priority.LINK, innocent);
    const spin = sim.handler('spin', () => {
      sim.schedule(0, Priority.CHIP, spin);
    });
    sim.schedule(5, Priority.CHIP, spin);
    const error = caught(() => sim.run(), RunawayError);
    expect(error).toMatchObject({ budget: 'events without time passing', timeNs: 5 });
    expect(error.culprit).toContain('handler "spin"');
    expect(sim.dispatchedEvents).toBe(1000);
  });

  it('names the process that spins', () => {
    const sim = new Simulator({ instantBudget: 1000 });
    sim.spawn('quiet', delay(100));
    sim.spawn(
      'poll loop',
      (function* () {
        for (;;) yield* delay(0);
      })(),
    );
    expect(caught(() => sim.run(), RunawayError).culprit).toContain('process "poll loop"');
  });

  it('does not mind a busy instant within the budget, nor many instants', () => {
    const { sim } = ticking(0.125, { instantBudget: 10 });
    const note = sim.handler('note', () => {});
    for (let i = 0; i < 9; i++) sim.schedule(1, Priority.CHIP, note);
    expect(sim.run({ maxEvents: 500 })).toBe('max-events');
  });

  it('stops after the event budget of the whole run and names who used most of it', () => {
    const { sim } = ticking(10, { eventBudget: 100 });
    sim.spawn('nap', delay(3));
    const error = caught(() => sim.run(), RunawayError);
    expect(error).toMatchObject({ budget: 'events', culprit: 'handler "tick" (98 events)' });
    expect(sim.dispatchedEvents).toBe(100);
  });

  it('finds the event budget used up also between two instants', () => {
    const { sim } = ticking(10, { eventBudget: 3, instantBudget: 2 });
    expect(caught(() => sim.run({ untilNs: 1000 }), RunawayError).budget).toBe('events');
    expect(sim.now).toBe(40);
  });

  it('stops before virtual time exceeds its budget', () => {
    const { sim, ticks } = ticking(10, { timeBudgetNs: 45 });
    const error = caught(() => sim.run({ untilNs: seconds(1) }), RunawayError);
    expect(error).toMatchObject({ budget: 'virtual time', timeNs: 40 });
    expect(error.message).toContain('"tick"');
    expect(ticks).toEqual([10, 20, 30, 40]);
  });

  it('names nobody when nobody has run', () => {
    const { sim } = ticking(10, { timeBudgetNs: 5 });
    expect(caught(() => sim.run(), RunawayError).culprit).toContain('nobody');
  });
});

function caught<E extends Error>(run: () => unknown, type: new (...args: never[]) => E): E {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(type);
    return error as E;
  }
  throw new Error(`expected ${type.name}`);
}
