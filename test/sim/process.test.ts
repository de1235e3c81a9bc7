import { describe, expect, it } from 'vitest';
import { CancelledError, ProcessError, SimulationError, TimeError } from '../../src/sim/errors.js';
import { Priority } from '../../src/sim/priority.js';
import { delay, join, type Process, type ProcessHandle, race, Signal, wait, waitFor } from '../../src/sim/process.js';
import { Simulator } from '../../src/sim/simulator.js';

/** A simulator and a log in which each entry carries the time. */
function logged(): { sim: Simulator; log: string[]; note: (text: string) => void } {
  const sim = new Simulator();
  const log: string[] = [];
  return { sim, log, note: (text) => log.push(`${sim.now} ${text}`) };
}

function* later<T>(ns: number, value: T): Process<T> {
  yield* delay(ns);
  return value;
}

/** A process that never waits. */
function* atOnce<T>(act: () => T): Process<T> {
  yield* [];
  return act();
}

function* failing(ns: number, message: string): Process<never> {
  yield* delay(ns);
  throw new RangeError(message);
}

/** Waits for ever, and notes when its finally block runs. */
function* guarded(sim: Simulator, note: (text: string) => void, name: string): Process {
  try {
    yield* wait(new Signal(sim, `never (${name})`));
  } finally {
    note(`${name} cleans up`);
  }
}

describe('a process', () => {
  it('starts by an event at the current time, lets time pass with delay, and gives a result', () => {
    const { sim, log, note } = logged();
    function* body(): Process<string> {
      note('starts');
      yield* delay(10);
      note('goes on');
      return 'result';
    }
    const handle = sim.spawn('p', body());
    expect([log.length, handle.state, handle.waitsFor]).toEqual([0, 'running', 'its start']);
    sim.run();
    expect(log).toEqual(['0 starts', '10 goes on']);
    expect([handle.state, handle.result, handle.take()]).toEqual(['done', 'result', 'result']);
  });

  it('runs after the hardware of the same instant', () => {
    const { sim, log, note } = logged();
    sim.spawn(
      'p',
      atOnce(() => note('software')),
    );
    sim.schedule(
      0,
      Priority.DEVICE,
      sim.handler('device', () => note('device')),
    );
    sim.run();
    expect(log).toEqual(['0 device', '0 software']);
  });

  it('calls other procedures with yield*, as deep as it likes', () => {
    const { sim } = logged();
    function* sum(depth: number): Process<number> {
      if (depth === 0) return 0;
      yield* delay(1);
      return depth + (yield* sum(depth - 1));
    }
    expect(sim.complete('sum', sum(50))).toBe(1275);
    expect(sim.now).toBe(50);
  });

  it('that fails surfaces through run() with its name, the virtual time and the cause', () => {
    const { sim } = logged();
    const handle = sim.spawn('firmware', failing(5_000_412, 'PEEV is odd'));
    const error = caught(() => sim.run());
    expect(error).toBeInstanceOf(ProcessError);
    expect(error).toMatchObject({ processName: 'firmware', timeNs: 5_000_412 });
    expect((error as Error).message).toBe('process "firmware" failed at 5.000 412 ms: PEEV is odd');
    expect((error as Error).cause).toBeInstanceOf(RangeError);
    expect([handle.state, handle.error]).toEqual(['failed', error]);
    expect(() => handle.take()).toThrow(ProcessError);
  });

  it('that throws what is no error surfaces too', () => {
    const { sim } = logged();
    const notAnError: unknown = 'a string';
    const body = atOnce(() => {
      throw notAnError;
    });
    sim.spawn('p', body);
    expect(() => sim.run()).toThrow(/a string/);
  });

  it('leaves the others running when it fails', () => {
    const { sim } = logged();
    const other = sim.spawn('other', later(10, 'fine'));
    sim.spawn('bad', failing(5, 'x'));
    expect(() => sim.run()).toThrow(ProcessError);
    sim.run();
    expect(other.result).toBe('fine');
  });

  it('gets a bad delay thrown where it made it, and may catch it', () => {
    const { sim } = logged();
    function* body(): Process<string> {
      try {
        yield* delay(0.3);
      } catch (error) {
        yield* delay(1);
        return error instanceof TimeError ? 'caught' : 'other';
      }
      return 'not thrown';
    }
    expect(sim.complete('p', body())).toBe('caught');
    expect(() => sim.complete('q', delay(-1))).toThrow(ProcessError);
  });

  it('that forgets the star in yield* is told so', () => {
    const { sim } = logged();
    const forgetful = (function* () {
      yield delay(5);
    })() as unknown as Process;
    expect(() => sim.complete('p', forgetful)).toThrow(/write yield\*/);
    const odd = (function* () {
      yield undefined;
    })() as unknown as Process;
    expect(() => sim.complete('q', odd)).toThrow(/write yield\*/);
  });

  it('has no result to take before its end', () => {
    const { sim } = logged();
    const handle = sim.spawn('p', delay(5));
    sim.run({ untilNs: 1 });
    expect(() => handle.take()).toThrow(/has no result yet: it waits for a delay until 0.000 005 ms/);
    expect(handle.result).toBeUndefined();
  });

  it('is listed while it lives', () => {
    const { sim } = logged();
    sim.spawn('a', delay(5));
    sim.spawn('b', delay(9), { daemon: true });
    expect(sim.liveProcesses().map((p) => [p.name, p.daemon])).toEqual([
      ['a', false],
      ['b', true],
    ]);
    sim.run({ untilNs: 6 });
    expect(sim.liveProcesses().map((p) => p.name)).toEqual(['b']);
  });
});

describe('a signal', () => {
  it('wakes all who wait, in the order in which they began, with its value', () => {
    const { sim, log, note } = logged();
    const signal = new Signal<number>(sim, 'irq');
    function* waiter(name: string): Process {
      note(`${name} got ${yield* wait(signal)}`);
    }
    for (const name of ['a', 'b', 'c']) sim.spawn(name, waiter(name));
    sim.run({ untilNs: 7 });
    expect(signal.waiting).toBe(3);
    signal.emit(42);
    expect(log).toEqual([]);
    sim.run();
    expect(log).toEqual(['7 a got 42', '7 b got 42', '7 c got 42']);
    expect(signal.waiting).toBe(0);
  });

  it('keeps nothing for those who come later', () => {
    const { sim } = logged();
    const signal = new Signal<number>(sim, 'irq');
    signal.emit(1);
    const late = sim.spawn('late', wait(signal));
    sim.run();
    expect(late.state).toBe('running');
    signal.emit(2);
    signal.emit(3);
    sim.run();
    expect(late.result).toBe(2);
  });

  it('comes in time, or the wait gives undefined and the waiter is forgotten', () => {
    const { sim } = logged();
    const signal = new Signal<string>(sim, 'irq');
    const patient = sim.spawn('patient', waitFor(signal, 100));
    const hasty = sim.spawn('hasty', waitFor(signal, 10));
    sim.run({ untilNs: 50 });
    expect([hasty.state, hasty.result, signal.waiting]).toEqual(['done', undefined, 1]);
    signal.emit('here');
    sim.run();
    expect(patient.result).toBe('here');
    expect([sim.now, sim.pendingEvents]).toEqual([50, 0]);
  });

  it('emitted in the instant of the timeout: whichever was first in the queue decides', () => {
    const { sim } = logged();
    const signal = new Signal<string>(sim, 'irq');
    const emit = sim.handler('emit', () => signal.emit('here'));
    sim.schedule(10, Priority.DEVICE, emit);
    const waiter = sim.spawn('w', waitFor(signal, 10));
    sim.run();
    expect(waiter.result).toBe('here');

    const late = sim.spawn('late', waitFor(signal, 10));
    sim.schedule(10, Priority.OBSERVER, emit);
    sim.run();
    expect([late.state, late.result]).toEqual(['done', undefined]);
  });

  it('of another simulator is refused', () => {
    const { sim } = logged();
    const foreign = new Signal(new Simulator(), 'elsewhere');
    expect(() => sim.complete('p', wait(foreign))).toThrow(/"elsewhere" of another simulator/);
  });
});

describe('a race', () => {
  it('is won by the first branch to end; the losers are cancelled in that moment and clean up', () => {
    const { sim, log, note } = logged();
    function* body(): Process {
      const { index, value } = yield* race(guarded(sim, note, 'first'), later(5, 'won'), guarded(sim, note, 'third'));
      note(`branch ${index} ${value}`);
    }
    sim.complete('p', body());
    expect(log).toEqual(['5 first cleans up', '5 third cleans up', '5 branch 1 won']);
    expect([sim.now, sim.pendingEvents]).toEqual([5, 0]);
  });

  it('goes to the first named of two branches that end in one instant', () => {
    const { sim } = logged();
    expect(sim.complete('p', race(later(5, 'a'), later(5, 'b')))).toEqual({ index: 0, value: 'a' });
  });

  it('does not even start the branches behind one that ends at once', () => {
    const { sim, log, note } = logged();
    function* never(): Process {
      note('started');
      yield* delay(1);
    }
    expect(
      sim.complete(
        'p',
        race(
          later(3, 'x'),
          atOnce(() => 'at once'),
          never(),
        ),
      ),
    ).toEqual({ index: 1, value: 'at once' });
    expect([log, sim.now]).toEqual([[], 0]);
  });

  it('throws the error of a branch that fails first', () => {
    const { sim, log, note } = logged();
    function* body(): Process<string> {
      try {
        yield* race(guarded(sim, note, 'loser'), failing(5, 'branch broke'));
      } catch (error) {
        return (error as Error).message;
      }
      return '';
    }
    expect(sim.complete('p', body())).toBe('branch broke');
    expect(log).toEqual(['5 loser cleans up']);
  });

  it('waits for losers whose clean-up takes time', () => {
    const { sim, log, note } = logged();
    function* slow(): Process {
      try {
        yield* delay(1000);
      } finally {
        yield* delay(20);
        note('slow is through');
      }
    }
    sim.complete('p', race(slow(), later(5, 0)));
    expect(log).toEqual(['25 slow is through']);
  });

  it("reports an error in a loser's clean-up", () => {
    const { sim } = logged();
    function* broken(): Process {
      try {
        yield* delay(1000);
      } finally {
        fail('clean-up broke');
      }
    }
    expect(() => sim.complete('p', race(broken(), later(5, 0)))).toThrow(/clean-up broke/);
  });

  it('nests, and cancelling the outermost cleans up all of them', () => {
    const { sim, log, note } = logged();
    const body = race(race(guarded(sim, note, 'a'), guarded(sim, note, 'b')), guarded(sim, note, 'c'));
    const handle = sim.spawn('p', body);
    sim.run({ untilNs: 3 });
    expect(handle.waitsFor).toContain('signal "never (c)"');
    handle.cancel();
    expect(log).toEqual(['3 a cleans up', '3 b cleans up', '3 c cleans up']);
    expect(handle.state).toBe('cancelled');
  });

  it('that is cancelled waits for the slow clean-up of its branches before its own', () => {
    const { sim, log, note } = logged();
    function* slow(): Process {
      try {
        yield* delay(1000);
      } finally {
        yield* delay(20);
        note('branch through');
      }
    }
    function* body(): Process {
      try {
        yield* race(slow(), slow());
      } finally {
        note('race over');
      }
    }
    const handle = sim.spawn('p', body());
    sim.run({ untilNs: 3 });
    handle.cancel();
    expect(handle.state).toBe('running');
    sim.run();
    expect(log).toEqual(['23 branch through', '23 branch through', '23 race over']);
    expect(handle.state).toBe('cancelled');
  });

  it('of nobody is refused', () => {
    const { sim } = logged();
    expect(() => sim.complete('p', race())).toThrow(/at least one branch/);
  });

  it('may end its own process from within a branch', () => {
    const { sim, log, note } = logged();
    function* suicidal(): Process {
      yield* delay(5);
      handle.cancel();
      note('still runs to its next wait');
      yield* delay(5);
      note('never');
    }
    function* body(): Process {
      yield* race(suicidal(), guarded(sim, note, 'other'));
    }
    const handle = sim.spawn('p', body());
    sim.run();
    expect(log).toEqual(['5 other cleans up', '5 still runs to its next wait']);
    expect(handle.state).toBe('cancelled');
  });
});

describe('cancelling', () => {
  it('runs the finally blocks from the inside out, at once, and leaves no event behind', () => {
    const { sim, log, note } = logged();
    function* inner(): Process {
      try {
        yield* delay(100);
      } finally {
        note('inner');
      }
    }
    function* outer(): Process {
      try {
        yield* inner();
      } finally {
        note('outer');
      }
    }
    const handle = sim.spawn('p', outer());
    sim.run({ untilNs: 4 });
    handle.cancel();
    handle.cancel();
    expect(log).toEqual(['4 inner', '4 outer']);
    expect([handle.state, handle.result, sim.pendingEvents]).toEqual(['cancelled', undefined, 0]);
    expect(() => handle.take()).toThrow(CancelledError);
  });

  it('a process that has not started runs nothing of it', () => {
    const { sim, log, note } = logged();
    const handle = sim.spawn('p', guarded(sim, note, 'p'));
    handle.cancel();
    sim.run();
    expect([log, handle.state]).toEqual([[], 'cancelled']);
  });

  it('a process that was woken but has not gone on yet still ends it', () => {
    const { sim, log, note } = logged();
    const signal = new Signal(sim, 's');
    function* body(): Process {
      yield* wait(signal);
      note('went on');
    }
    const handle = sim.spawn('p', body());
    sim.run({ untilNs: 1 });
    signal.emit();
    handle.cancel();
    sim.run();
    expect([log, handle.state]).toEqual([[], 'cancelled']);
  });

  it('an ended process changes nothing', () => {
    const { sim } = logged();
    const handle = sim.spawn('p', later(1, 'x'));
    sim.run();
    handle.cancel();
    expect([handle.state, handle.result]).toEqual(['done', 'x']);
  });

  it('oneself ends at the next wait', () => {
    const { sim, log, note } = logged();
    function* body(): Process {
      yield* delay(1);
      handle.cancel();
      try {
        yield* delay(1);
      } finally {
        note('cleans up');
      }
    }
    const handle = sim.spawn('p', body());
    sim.run();
    expect([log, handle.state, sim.now]).toEqual([['1 cleans up'], 'cancelled', 1]);
  });

  it('oneself with no wait to come counts as cancelled', () => {
    const { sim } = logged();
    const handle: ProcessHandle<void> = sim.spawn(
      'p',
      atOnce(() => handle.cancel()),
    );
    sim.run();
    expect(handle.state).toBe('cancelled');
  });

  it('throws in the one who cancels if the clean-up fails and nobody joined', () => {
    const { sim } = logged();
    function* broken(): Process {
      try {
        yield* delay(9);
      } finally {
        fail('clean-up broke');
      }
    }
    const handle = sim.spawn('p', broken());
    sim.run({ untilNs: 1 });
    expect(() => handle.cancel()).toThrow(/clean-up broke/);
    expect(handle.state).toBe('failed');
  });
});

describe('joining', () => {
  it('gives the result, whether the process has ended or not', () => {
    const { sim } = logged();
    const worker = sim.spawn('worker', later(10, 'done'));
    const early = sim.spawn('early', join(worker));
    sim.run({ untilNs: 5 });
    expect(early.waitsFor).toBe('the end of "worker"');
    sim.run({ untilNs: 20 });
    const late = sim.spawn('late', join(worker));
    sim.run();
    expect([early.result, late.result]).toEqual(['done', 'done']);
  });

  it('throws the error of the joined process in the one who joined, not out of run()', () => {
    const { sim } = logged();
    const worker = sim.spawn('worker', failing(10, 'broke'));
    function* body(): Process<string> {
      try {
        yield* join(worker);
      } catch (error) {
        return (error as Error).message;
      }
      return '';
    }
    const joiner = sim.spawn('joiner', body());
    sim.run();
    expect(joiner.result).toContain('process "worker" failed');
  });

  it('names both when the joiner fails in turn', () => {
    const { sim } = logged();
    const worker = sim.spawn('worker', failing(10, 'broke'));
    expect(() => sim.complete('joiner', join(worker))).toThrow(
      /process "joiner" failed .* process "worker" failed .* broke/,
    );
  });

  it('a cancelled process throws CancelledError', () => {
    const { sim } = logged();
    const worker = sim.spawn('worker', delay(100));
    function* body(): Process<boolean> {
      try {
        yield* join(worker);
      } catch (error) {
        return error instanceof CancelledError && error instanceof SimulationError;
      }
      return false;
    }
    const joiner = sim.spawn('joiner', body());
    sim.run({ untilNs: 5 });
    worker.cancel();
    sim.run();
    expect(joiner.result).toBe(true);
  });

  it('can be given up', () => {
    const { sim } = logged();
    const worker = sim.spawn('worker', failing(100, 'late trouble'));
    const result = sim.complete('p', race(join(worker), later(5, 'gave up')));
    expect(result).toEqual({ index: 1, value: 'gave up' });
    expect(() => sim.run()).toThrow(/late trouble/);
  });
});

function fail(message: string): never {
  throw new RangeError(message);
}

function caught(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}
