import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { call, delay, type Process, type ProcessHandle } from '../../src/sim/process.js';
import { Simulator } from '../../src/sim/simulator.js';

/** A program: what it does, step by step. */
type Step =
  | { readonly do: 'wait'; readonly ns: number }
  | { readonly do: 'throw' | 'cancel itself' }
  | { readonly do: 'run'; readonly steps: readonly Step[] }
  | { readonly do: 'try'; readonly steps: readonly Step[]; readonly last: readonly Step[]; readonly catches: boolean };

type Invoke = <T>(body: Process<T>) => Process<T>;

const invokeDirectly: Invoke = function* (body) {
  return yield* body;
};

class Interpreter {
  readonly sim = new Simulator();
  readonly log: string[] = [];
  handle: ProcessHandle<number> | undefined;
  private steps = 0;

  constructor(private readonly invoke: Invoke) {}

  run(program: readonly Step[], cancelAtNs?: number): readonly string[] {
    this.handle = this.sim.spawn('program', this.all(program));
    if (cancelAtNs !== undefined) this.cancelAt(cancelAtNs, this.handle);
    try {
      this.sim.run({});
    } catch (error) {
      this.note(`run throws ${String(error)}`);
    }
    this.note(`${this.handle.state} with ${String(this.handle.result)}`);
    return [...this.log, this.sim.digest()];
  }

  private cancelAt(ns: number, handle: ProcessHandle<number>): void {
    function* body(): Process {
      yield* delay(ns);
      handle.cancel();
    }
    this.sim.spawn('operator', body());
  }

  private note(text: string): void {
    this.log.push(`${this.sim.now} ${text}`);
  }

  private *all(steps: readonly Step[]): Process<number> {
    let sum = 0;
    for (const step of steps) sum += yield* this.one(step);
    this.note(`sum ${sum}`);
    return sum;
  }

  private *one(step: Step): Process<number> {
    const number = this.steps++;
    this.note(`${step.do} ${number}`);
    switch (step.do) {
      case 'wait':
        yield* delay(step.ns);
        return number;
      case 'throw':
        throw new RangeError(`thrown by ${number}`);
      case 'cancel itself':
        this.handle?.cancel();
        return number;
      case 'run':
        return yield* this.invoke(this.all(step.steps));
      case 'try':
        return yield* this.guarded(step);
    }
  }

  private *guarded(step: Step & { do: 'try' }): Process<number> {
    try {
      return yield* this.invoke(this.all(step.steps));
    } catch (error) {
      this.note(`caught ${String(error)}`);
      if (!step.catches) throw error;
      return -1;
    } finally {
      yield* this.invoke(this.all(step.last));
    }
  }
}

type Kind = 'with cancellation' | 'with failing clean-up';

/**
 * Steps of a finally block do not wait, and throw only where nothing is cancelled: `yield*` lets callers go on behind a
 * clean-up that took time, and `call` those that catch the error of one.
 */
function programs(kind: Kind): fc.Arbitrary<readonly Step[]> {
  const thrown = fc.constant({ do: 'throw' as const });
  const cancels = fc.constant({ do: 'cancel itself' as const });
  return fc.letrec<{ steps: readonly Step[]; step: Step; last: readonly Step[] }>((tie) => {
    const nested = (inner: 'steps' | 'last') => [
      fc.record({ do: fc.constant('run' as const), steps: tie(inner) }),
      fc.record({ do: fc.constant('try' as const), steps: tie(inner), last: tie('last'), catches: fc.boolean() }),
    ];
    const cancelling = kind === 'with cancellation';
    const waits = fc.record({ do: fc.constant('wait' as const), ns: fc.integer({ min: 0, max: 20 }) });
    return {
      steps: fc.array(tie('step'), { maxLength: 4 }),
      step: fc.oneof({ maxDepth: 4 }, waits, thrown, ...(cancelling ? [cancels] : []), ...nested('steps')),
      last: fc.array(fc.oneof({ maxDepth: 3 }, cancelling ? cancels : thrown, ...nested('last')), { maxLength: 2 }),
    };
  }).steps;
}

describe('call', () => {
  it('does what yield* does, whatever the callee does', () => {
    fc.assert(
      fc.property(programs('with failing clean-up'), (steps) => {
        expect(new Interpreter(call).run(steps)).toEqual(new Interpreter(invokeDirectly).run(steps));
      }),
      { seed: 1, numRuns: 1000 },
    );
  });

  it('does what yield* does, whenever it is cancelled', () => {
    const cancelAt = fc.option(fc.integer({ min: 0, max: 60 }), { nil: undefined });
    fc.assert(
      fc.property(programs('with cancellation'), cancelAt, (steps, cancelAtNs) => {
        const called = new Interpreter(call).run(steps, cancelAtNs);
        expect(called).toEqual(new Interpreter(invokeDirectly).run(steps, cancelAtNs));
      }),
      { seed: 1, numRuns: 2000 },
    );
  });

  it('ends the caller too when the callee was cancelled and its clean-up took time', () => {
    const sim = new Simulator();
    const log: string[] = [];
    function* slowToEnd(): Process {
      try {
        yield* delay(100);
      } finally {
        yield* delay(5);
        log.push(`${sim.now} cleaned up`);
      }
    }
    function* caller(): Process {
      yield* call(slowToEnd());
      log.push('went on');
    }
    const handle = sim.spawn('caller', caller());
    sim.run({ untilNs: 10 });
    handle.cancel();
    sim.run({});
    expect(log).toEqual(['15 cleaned up']);
    expect(handle.state).toBe('cancelled');
  });

  it('leaves a chain of callers alone while its body waits', () => {
    const sim = new Simulator();
    let resumptions = 0;
    const counted = (body: Process<void>): Process<void> => {
      const next = body.next.bind(body);
      return Object.assign(body, {
        next: (value: unknown) => {
          resumptions++;
          return next(value);
        },
      });
    };
    function* waits(): Process {
      for (let i = 0; i < 10; i++) yield* delay(1);
    }
    function* caller(): Process {
      yield* call(waits());
    }
    sim.complete('caller', counted(caller()));
    // Its start, and the return of the call.
    expect(resumptions).toBe(2);
  });
});
