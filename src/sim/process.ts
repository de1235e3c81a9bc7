/** Software as generator processes: what they can wait for, and the handle by which others hold them. */
import { CancelledError, ProcessError, SimulationError } from './errors.js';
import { type Outcome, type Process, Task, type TaskKernel, type Wait } from './task.js';
import { formatTime, type TimeNs } from './time.js';

export type { Process, Wait } from './task.js';

export type ProcessState = 'running' | 'done' | 'failed' | 'cancelled';

class DelayWait implements Wait {
  about = 'a delay';

  constructor(private readonly ns: TimeNs) {}

  begin(task: Task): void {
    task.wakeAfter(this.ns);
    this.about = `a delay until ${formatTime(task.kernel.now + this.ns)}`;
  }

  end(): void {}
}

/** Lets virtual time pass. `delay(0)` lets everything already scheduled for this instant go first. */
export function* delay(ns: TimeNs): Process<void> {
  yield new DelayWait(ns);
}

/** A named occasion. It keeps nothing: a value emitted while nobody waits is gone. */
export class Signal<T = void> {
  private waiters: SignalWait<T>[] = [];

  constructor(
    readonly sim: TaskKernel,
    readonly name: string,
  ) {}

  /** Wakes all who wait now, in the order in which they began to; they go on at this instant, through the queue. */
  emit(value: T): void {
    const woken = this.waiters;
    this.waiters = [];
    for (const waiter of woken) waiter.fire(value);
  }

  get waiting(): number {
    return this.waiters.length;
  }

  /** @internal */
  enter(waiter: SignalWait<T>): void {
    this.waiters.push(waiter);
  }

  /** @internal */
  leave(waiter: SignalWait<T>): void {
    const index = this.waiters.indexOf(waiter);
    if (index >= 0) this.waiters.splice(index, 1);
  }
}

class SignalWait<T> implements Wait {
  private task: Task | undefined;

  constructor(
    private readonly signal: Signal<T>,
    private readonly timeoutNs?: TimeNs,
  ) {}

  get about(): string {
    return `signal "${this.signal.name}"`;
  }

  begin(task: Task): void {
    if (this.signal.sim !== task.kernel) {
      throw new SimulationError(`process "${task.name}" waits for signal "${this.signal.name}" of another simulator`);
    }
    if (this.timeoutNs !== undefined) task.wakeAfter(this.timeoutNs);
    this.task = task;
    this.signal.enter(this);
  }

  fire(value: T): void {
    this.task?.wake(value);
  }

  end(): void {
    this.signal.leave(this);
  }
}

/** Waits for the next emission. */
export function* wait<T>(signal: Signal<T>): Process<T> {
  return (yield new SignalWait(signal)) as T;
}

/** Waits for the next emission, or until the time is up: then `undefined`. */
export function* waitFor<T>(signal: Signal<T>, timeoutNs: TimeNs): Process<T | undefined> {
  return (yield new SignalWait(signal, timeoutNs)) as T | undefined;
}

export interface RaceResult {
  readonly index: number;
  readonly value: unknown;
}

/** The branches of one race. The first to end decides; the others are cancelled in that moment. */
class RaceWait implements Wait {
  private branches: Task[] = [];
  private alive = 0;
  private parent: Task | undefined;
  private decided: { readonly index: number; readonly outcome: Outcome } | undefined;
  private cleanUpFailure: { readonly error: unknown } | undefined;

  constructor(private readonly bodies: readonly Process<unknown>[]) {}

  get about(): string {
    return `a race of ${this.bodies.length} (${this.branches.map((b) => b.waitsFor).join(' | ')})`;
  }

  get unwinding(): boolean {
    return this.alive > 0;
  }

  begin(task: Task): void {
    this.parent = task;
    // Entered a second time, after a cancellation: only what is left of the branches counts.
    if (this.branches.length > 0) return;
    this.alive = this.bodies.length;
    this.branches = this.bodies.map(
      (body, index) => new Task(task.kernel, task.name, body, (outcome) => this.branchEnded(index, outcome)),
    );
    for (const branch of this.branches) {
      if (this.decided === undefined) branch.start();
    }
  }

  end(): void {
    this.parent = undefined;
  }

  cancelBranches(): void {
    for (const branch of this.branches) branch.cancel();
  }

  /** What the race gives, or throws. */
  settle(): RaceResult {
    if (this.cleanUpFailure !== undefined) throw this.cleanUpFailure.error;
    const { index, outcome } = this.decided!;
    if (outcome.state === 'failed') throw outcome.error;
    return { index, value: outcome.state === 'done' ? outcome.value : undefined };
  }

  private branchEnded(index: number, outcome: Outcome): void {
    this.alive--;
    if (this.decided === undefined) {
      this.decided = { index, outcome };
      this.cancelBranches();
    } else if (outcome.state === 'failed') {
      this.cleanUpFailure ??= outcome;
    }
    if (this.alive === 0) this.parent?.wake(undefined);
  }
}

/**
 * Runs the branches side by side until the first ends; its value or error is the race's. The losers are cancelled at that moment,
 * and the race goes on when their finally blocks are through.
 */
export function* race<A extends readonly Process<unknown>[]>(...branches: A): Process<RaceResult> {
  if (branches.length === 0) throw new SimulationError('race() needs at least one branch: a race of none never ends');
  const group = new RaceWait(branches);
  try {
    yield group;
  } finally {
    group.cancelBranches();
    while (group.unwinding) yield group;
  }
  return group.settle();
}

class JoinWait implements Wait {
  constructor(private readonly handle: ProcessHandle<unknown>) {}

  get about(): string {
    return `the end of "${this.handle.name}"`;
  }

  begin(task: Task): void {
    this.handle.joiners.add(task);
  }

  end(task: Task): void {
    this.handle.joiners.delete(task);
  }
}

/** Waits for a process to end and gives its result. Throws ProcessError if it failed, CancelledError if it was cancelled. */
export function* join<T>(handle: ProcessHandle<T>): Process<T> {
  while (handle.state === 'running') yield new JoinWait(handle);
  return handle.take();
}

export interface SpawnOptions {
  /** A process that may wait for ever (a device, an interrupt loop): no deadlock check counts it. */
  readonly daemon?: boolean;
}

/** A process as others see it. */
export class ProcessHandle<T> {
  /** @internal Tasks that joined and have not gone on yet. */
  readonly joiners = new Set<Task>();
  readonly daemon: boolean;
  private readonly task: Task;
  private current: ProcessState = 'running';
  private value: T | undefined;
  private failure: ProcessError | undefined;

  /** @internal Use `Simulator.spawn`. */
  constructor(
    private readonly kernel: TaskKernel & { ended(handle: ProcessHandle<unknown>): void },
    readonly name: string,
    body: Process<T>,
    options: SpawnOptions,
  ) {
    this.daemon = options.daemon === true;
    this.task = new Task(kernel, name, body, (outcome) => this.finish(outcome));
    this.task.startSoon();
  }

  get state(): ProcessState {
    return this.current;
  }

  get result(): T | undefined {
    return this.value;
  }

  /** Why it failed; undefined unless `state` is `failed`. */
  get error(): ProcessError | undefined {
    return this.failure;
  }

  /** What it waits for, in words. */
  get waitsFor(): string {
    return this.task.waitsFor;
  }

  /**
   * Ends it at its wait; its finally blocks run. Without effect once it has ended. What an event cancels, it finds ended when
   * it is through; a process, and whoever stands outside of the run, at once.
   * A finally block that waits is best in the body itself: behind one in a process called with `yield*`, the caller goes on.
   */
  cancel(): void {
    this.task.cancel();
  }

  /** The result of an ended process; throws as `join` does. */
  take(): T {
    if (this.current === 'done') return this.value as T;
    if (this.failure !== undefined) throw this.failure;
    if (this.current === 'cancelled') throw new CancelledError(this.name);
    throw new SimulationError(`process "${this.name}" has no result yet: it waits for ${this.waitsFor}`);
  }

  private finish(outcome: Outcome): void {
    this.current = outcome.state;
    if (outcome.state === 'done') this.value = outcome.value as T;
    if (outcome.state === 'failed') this.failure = new ProcessError(this.name, this.kernel.now, outcome.error);
    this.kernel.ended(this);
    const joined = this.joiners.size > 0;
    for (const task of this.joiners) task.wake(undefined);
    // An error that nobody joined for must not be lost: it leaves through run().
    if (this.failure !== undefined && !joined) throw this.failure;
  }
}
