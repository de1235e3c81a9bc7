import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Priority } from '../../src/sim/priority.js';
import { delay, type Process, type ProcessHandle, race, Signal, type Wait, waitFor } from '../../src/sim/process.js';
import { Simulator, type StopCondition } from '../../src/sim/simulator.js';
import type { Task } from '../../src/sim/task.js';

class Pause implements Wait {
  readonly about = 'a pause';

  constructor(private readonly ns: number) {}

  begin(task: Task): void {
    task.wakeAfter(this.ns);
  }

  end(): void {}
}

function* pause(sim: Simulator, ns: number): Process {
  const wait = new Pause(ns);
  if (!sim.waitInPlace(wait)) yield wait;
}

/** What an event does when it comes. */
type Deed =
  | { readonly do: 'cancel'; readonly who: number }
  | { readonly do: 'emit' | 'throw' | 'spawn' }
  | { readonly do: 'plan'; readonly ns: number; readonly deeds: readonly Deed[] };

type Step =
  | { readonly do: 'pause' | 'delay' | 'listen'; readonly ns: number }
  | { readonly do: 'act'; readonly deed: Deed }
  | { readonly do: 'race'; readonly left: readonly Step[]; readonly right: readonly Step[] }
  | { readonly do: 'try'; readonly steps: readonly Step[]; readonly last: readonly Step[] };

const PROCESSES = 3;
/** More than any world has deeds. */
const MOST_ERRORS = 1000;
const ns = fc.integer({ min: 0, max: 6 });
const { steps: programs } = fc.letrec<{ steps: readonly Step[]; step: Step; deeds: readonly Deed[]; deed: Deed }>(
  (tie) => ({
    deeds: fc.array(tie('deed'), { maxLength: 3 }),
    deed: fc.oneof(
      { maxDepth: 3 },
      fc.record({ do: fc.constantFrom('emit' as const, 'throw' as const, 'spawn' as const) }),
      fc.record({ do: fc.constant('cancel' as const), who: fc.nat(PROCESSES - 1) }),
      fc.record({ do: fc.constant('plan' as const), ns, deeds: tie('deeds') }),
    ),
    steps: fc.array(tie('step'), { maxLength: 5 }),
    step: fc.oneof(
      { maxDepth: 4 },
      fc.record({ do: fc.constantFrom('pause' as const, 'pause' as const, 'delay' as const, 'listen' as const), ns }),
      fc.record({ do: fc.constant('act' as const), deed: tie('deed') }),
      fc.record({ do: fc.constant('race' as const), left: tie('steps'), right: tie('steps') }),
      fc.record({ do: fc.constant('try' as const), steps: tie('steps'), last: tie('steps') }),
    ),
  }),
);

class World {
  readonly log: string[] = [];
  private readonly sim = new Simulator();
  private readonly signal = new Signal(this.sim, 'news');
  private readonly plans: (readonly Deed[])[] = [];
  private readonly planned = this.sim.handler('planned', (plan) => {
    this.note(`plan ${plan}`);
    for (const deed of this.plans[plan]!) this.act(deed);
    this.note(`plan ${plan} is through`);
  });
  private readonly handles: ProcessHandle<void>[] = [];

  constructor(bodies: readonly (readonly Step[])[]) {
    for (const [who, steps] of bodies.entries()) {
      this.handles.push(this.sim.spawn(`process ${who}`, this.body(`${who}`, steps)));
    }
  }

  /** Errors leave through `run`; it is called again until nothing is left. */
  run(stop: StopCondition): readonly string[] {
    return this.drive(() => this.sim.run(stop) === 'idle');
  }

  step(): readonly string[] {
    let left = true;
    return this.drive(() => {
      if (left) left = this.sim.step();
      return !left;
    });
  }

  private drive(ended: () => boolean): readonly string[] {
    for (let errors = 0; errors < MOST_ERRORS; ) {
      try {
        if (ended()) break;
      } catch (error) {
        errors++;
        this.note(`leaves: ${String(error)}`);
      }
    }
    for (const { name, state, waitsFor } of this.handles) this.note(`${name} ${state} ${waitsFor}`);
    return [...this.log, this.sim.digest(), `${this.sim.dispatchedEvents} events`];
  }

  private note(text: string): void {
    this.log.push(`${this.sim.now} ${text}`);
  }

  private act(deed: Deed): void {
    this.note(deed.do);
    switch (deed.do) {
      case 'cancel':
        this.handles[deed.who]!.cancel();
        return;
      case 'emit':
        this.signal.emit();
        return;
      case 'throw':
        throw new RangeError('thrown');
      case 'spawn':
        this.sim.spawn('child', this.body('child', [{ do: 'pause', ns: 2 }]));
        return;
      case 'plan':
        this.sim.schedule(deed.ns, Priority.CHIP, this.planned, this.plans.push(deed.deeds) - 1);
    }
  }

  private *body(who: string, steps: readonly Step[]): Process {
    for (const step of steps) {
      this.note(`${who} ${step.do}`);
      yield* this.one(who, step);
    }
    this.note(`${who} done`);
  }

  private *one(who: string, step: Step): Process {
    switch (step.do) {
      case 'pause':
        yield* pause(this.sim, step.ns);
        return;
      case 'delay':
        yield* delay(step.ns);
        return;
      case 'listen':
        yield* waitFor(this.signal, step.ns);
        return;
      case 'act':
        this.act(step.deed);
        return;
      case 'race':
        yield* race(this.body(`${who}l`, step.left), this.body(`${who}r`, step.right));
        return;
      case 'try':
        try {
          yield* this.body(who, step.steps);
        } finally {
          yield* this.body(`${who} at last`, step.last);
        }
    }
  }
}

const worlds = fc.array(programs, { minLength: 1, maxLength: PROCESSES });
const PARAMETERS = { seed: 1, numRuns: 3000 };

describe('a process that waits in place', () => {
  it('does what one does that yields, event by event', () => {
    fc.assert(
      fc.property(worlds, (bodies) => {
        const ordinary = new World(bodies).run({ when: () => false });
        expect(new World(bodies).run({})).toEqual(ordinary);
        expect(new World(bodies).step()).toEqual(ordinary);
      }),
      PARAMETERS,
    );
  });

  it('is entered once, however often it waits, while nobody else has something to do', () => {
    const sim = new Simulator();
    const seen: string[] = [];
    const tick = sim.handler('tick', () => seen.push(`${sim.now} ${handle.waitsFor}`));
    function* body(): Process {
      for (let i = 0; i < 10; i++) {
        sim.schedule(1, Priority.CHIP, tick);
        yield* pause(sim, 2);
      }
    }
    const { entries, counted } = countEntries(body());
    const handle = sim.spawn('body', counted);
    expect(sim.run({})).toBe('idle');
    expect([entries(), sim.now, seen.length, seen[0]]).toEqual([1, 20, 10, '1 a pause']);
  });

  it('leaves the stack where the run may have to stop: at its time, or between any two events', () => {
    const stops: readonly StopCondition[] = [{ maxEvents: 100 }, { when: () => false }];
    for (const stop of stops) {
      const sim = new Simulator();
      const { entries, counted } = countEntries(tenPauses(sim));
      sim.spawn('body', counted);
      sim.run(stop);
      expect(entries()).toBe(11);
    }
    const sim = new Simulator();
    sim.spawn('body', tenPauses(sim));
    expect(sim.run({ untilNs: 7 })).toBe('time');
    expect([sim.now, sim.pendingEvents, sim.dispatchedEvents]).toEqual([7, 1, 4]);
  });

  it('does not get the errors of the events that come meanwhile', () => {
    const sim = new Simulator();
    const broken = sim.handler('broken', () => {
      throw new RangeError('a broken chip');
    });
    let caught = false;
    function* body(): Process {
      sim.schedule(1, Priority.CHIP, broken);
      try {
        yield* pause(sim, 2);
      } catch {
        caught = true;
      }
    }
    const handle = sim.spawn('body', body());
    expect(() => sim.run({})).toThrow('a broken chip');
    expect([caught, handle.state, sim.now]).toEqual([false, 'running', 1]);
    sim.run({});
    expect([caught, handle.state, sim.now]).toEqual([false, 'done', 2]);
  });
});

describe('a wait that cannot begin', () => {
  it.each([{}, { when: () => false }] as const)('throws in the process, which can wait again', (stop) => {
    const sim = new Simulator();
    const caught: unknown[] = [];
    function* body(): Process {
      try {
        yield* pause(sim, Number.NaN);
      } catch (error) {
        caught.push(error);
      }
      yield* delay(3);
      yield* pause(sim, 4);
    }
    const handle = sim.spawn('body', body());
    sim.run(stop);
    expect([caught.length, handle.state, sim.now]).toEqual([1, 'done', 7]);
  });
});

describe('an event that cancels a process', () => {
  it('is through before the process cleans up', () => {
    for (const stop of [{}, { when: () => false }] as const) {
      const sim = new Simulator();
      const log: string[] = [];
      const operator = sim.handler('operator', () => {
        handle.cancel();
        log.push('operator is through');
      });
      function* body(): Process {
        try {
          yield* pause(sim, 10);
        } finally {
          log.push('cleaned up');
        }
      }
      const handle = sim.spawn('body', body());
      sim.schedule(5, Priority.CHIP, operator);
      sim.run(stop);
      expect([log, handle.state, sim.now]).toEqual([['operator is through', 'cleaned up'], 'cancelled', 5]);
    }
  });
});

function* tenPauses(sim: Simulator): Process {
  for (let i = 0; i < 10; i++) yield* pause(sim, 2);
}

/** Counts how often the body is resumed. */
function countEntries(body: Process): { entries: () => number; counted: Process } {
  let entries = 0;
  const next = body.next.bind(body);
  const counted = Object.assign(body, {
    next: (value: unknown) => {
      entries++;
      return next(value);
    },
  });
  return { entries: () => entries, counted };
}
