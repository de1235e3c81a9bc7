/** The simulator: virtual time, the event loop, processes, random streams, trace and digest of one run. Knows nothing of PCI. */
import { Digest, hashName } from './digest.js';
import { DeadlockError, RunawayError, SimulationError, TimeError } from './errors.js';
import { type EventId, EventQueue } from './event-queue.js';
import { RunawayGuard, type Usage } from './guard.js';
import { Priority, type PriorityLevel } from './priority.js';
import { type Process, ProcessHandle, type SpawnOptions } from './process.js';
import { ProcessTable } from './process-table.js';
import { RandomStream } from './random.js';
import type { Task, TaskKernel, Wait } from './task.js';
import { formatTime, isTime, MAX_TIME_NS, TICKS_PER_NS, type TimeNs } from './time.js';
import { Trace } from './trace.js';

export type { EventId } from './event-queue.js';

export type HandlerId = number;
export type Handler = (a: number, b: number) => void;

export interface SimulatorOptions {
  /** Root of all random streams. */
  readonly seed?: string;
  /** Records the trace's ring keeps. */
  readonly traceCapacity?: number;
  /** Events this simulator may dispatch in its life. */
  readonly eventBudget?: number;
  /** Events it may dispatch without time passing. */
  readonly instantBudget?: number;
  /** Virtual time it may reach. */
  readonly timeBudgetNs?: TimeNs;
}

/** When to stop; the first that holds ends the run. Without any, the run ends when nothing is left to happen. */
export interface StopCondition {
  /** Runs the events up to and including this time and leaves `now` there, also if nothing is left to happen. */
  readonly untilNs?: TimeNs;
  /** With `untilNs`: stop when nothing is left to happen, at the time of the last event. */
  readonly idle?: true;
  /** Stop after an event of this handler. */
  readonly event?: HandlerId;
  readonly maxEvents?: number;
  /** Asked before each event. */
  readonly when?: () => boolean;
  /** Stop when this process has ended; DeadlockError if nothing is left to happen before. */
  readonly process?: ProcessHandle<unknown>;
  /** When nothing is left to happen, every process that is no daemon must have ended: else DeadlockError. */
  readonly expectFinished?: true;
}

export type StopReason = 'time' | 'idle' | 'event' | 'max-events' | 'condition' | 'process';

const DEFAULT_INSTANT_BUDGET = 1_000_000;
const NEVER = Number.NEGATIVE_INFINITY;
/** Marks the start of a process in the digest. */
const SPAWN = hashName('spawn');

export class Simulator implements TaskKernel {
  readonly seed: string;
  readonly trace: Trace;
  private readonly queue = new EventQueue();
  private readonly runDigest = new Digest();
  private readonly timeBudgetNs: TimeNs;
  private readonly guard: RunawayGuard;
  private readonly streams = new Map<string, RandomStream>();

  private readonly handlers: Handler[] = [];
  private readonly handlerNames: string[] = [];
  private readonly handlerHashes: number[] = [];
  private readonly handlerCounts: number[] = [];

  private readonly processes = new ProcessTable();
  private readonly resumeHandler: HandlerId;

  private clock: TimeNs = 0;
  private dispatched = 0;
  private busy = false;
  /** @internal The innermost body on the stack. */
  executing: Task | undefined;
  /** The task whose resumption is the running event: the event ends when its body waits. */
  private resumed: Task | undefined;
  /** Up to here the run is free to let a process wait in place. */
  private inPlaceUntilNs: TimeNs = NEVER;
  /** The running event is a process's. */
  private inProcess = false;
  /** Tasks that the running event has cancelled. */
  private readonly cancelled: Task[] = [];
  /** What an event threw while a process waited in place for another: it leaves through run(). */
  private thrown: { readonly error: unknown } | undefined;

  constructor(options: SimulatorOptions = {}) {
    this.seed = options.seed ?? '';
    this.trace = new Trace(this.runDigest, options.traceCapacity);
    this.timeBudgetNs = options.timeBudgetNs ?? MAX_TIME_NS;
    this.guard = new RunawayGuard(
      {
        events: options.eventBudget ?? Number.POSITIVE_INFINITY,
        instantEvents: options.instantBudget ?? DEFAULT_INSTANT_BUDGET,
      },
      () => this.usage(),
    );
    this.resumeHandler = this.handler('process', (taskId) => this.resumeTask(taskId));
  }

  get now(): TimeNs {
    return this.clock;
  }

  get pendingEvents(): number {
    return this.queue.size;
  }

  get dispatchedEvents(): number {
    return this.dispatched;
  }

  /** Registers what an event does; once, when a block is built. The name stands in messages and, as a hash, in the digest. */
  handler(name: string, fn: Handler): HandlerId {
    this.handlerNames.push(name);
    this.handlerHashes.push(hashName(name));
    this.handlerCounts.push(0);
    return this.handlers.push(fn) - 1;
  }

  handlerName(handler: HandlerId): string {
    return this.handlerNames[handler] ?? `unknown handler ${handler}`;
  }

  /** Events of one instant go by priority, then in the order in which they were scheduled. */
  schedule(delayNs: TimeNs, priority: PriorityLevel, handler: HandlerId, a = 0, b = 0): EventId {
    const time = this.clock + delayNs;
    // The clock is on the grid, so their sum is if the delay is.
    const ticks = delayNs * TICKS_PER_NS;
    if (!(ticks >= 0 && time <= MAX_TIME_NS && Math.floor(ticks) === ticks))
      throw this.badTime('a delay of', delayNs, handler);
    if (handler >>> 0 >= this.handlers.length) throw this.unknownHandler(handler);
    return this.queue.push(time, priority, handler, a, b);
  }

  scheduleAt(timeNs: TimeNs, priority: PriorityLevel, handler: HandlerId, a = 0, b = 0): EventId {
    if (!(timeNs >= this.clock && isTime(timeNs))) throw this.badTime('the time', timeNs, handler);
    if (handler >>> 0 >= this.handlers.length) throw this.unknownHandler(handler);
    return this.queue.push(timeNs, priority, handler, a, b);
  }

  /** True if the event was still to come. A stale id does nothing. */
  cancel(id: EventId): boolean {
    return this.queue.cancel(id);
  }

  /** Moves an event that is still to come, as if cancelled and scheduled anew: among its equals it is now the last. The id stays good. */
  reschedule(id: EventId, timeNs: TimeNs): boolean {
    if (!(timeNs >= this.clock && isTime(timeNs))) throw this.badTime('the time', timeNs, undefined);
    return this.queue.reschedule(id, timeNs);
  }

  /** Runs one event. False when none is left. */
  step(): boolean {
    this.enter();
    try {
      const time = this.queue.nextTime();
      if (time === Number.POSITIVE_INFINITY) return false;
      this.inPlaceUntilNs = NEVER;
      this.dispatch(time);
      return true;
    } finally {
      this.leave();
    }
  }

  run(stop: StopCondition = {}): StopReason {
    const untilNs = stop.untilNs;
    if (untilNs !== undefined && !(untilNs >= this.clock && isTime(untilNs)))
      throw this.badTime('run until', untilNs, undefined);
    this.enter();
    try {
      const reason = this.loop(stop, untilNs ?? MAX_TIME_NS);
      if (reason === 'idle' && untilNs !== undefined && stop.idle === undefined) return this.reach(untilNs);
      return reason === 'time' ? this.reach(untilNs!) : reason;
    } finally {
      this.leave();
    }
  }

  /** Starts a process at the current time, by an event of Priority.SOFTWARE. */
  spawn<T>(name: string, body: Process<T>, options: SpawnOptions = {}): ProcessHandle<T> {
    this.runDigest.pair(SPAWN, hashName(name));
    const handle = new ProcessHandle(this, name, body, options);
    this.processes.add(handle);
    return handle;
  }

  /** Spawns a process, runs until it has ended and gives its result: the way in for tools and tests. */
  complete<T>(name: string, body: Process<T>): T {
    const handle = this.spawn(name, body);
    this.run({ process: handle });
    return handle.take();
  }

  /** Processes that have not ended, daemons included, in the order of their start. */
  liveProcesses(): readonly ProcessHandle<unknown>[] {
    return this.processes.live();
  }

  /** The stream of this path: the same object each time, its numbers given by root seed and path alone. */
  random(path: string): RandomStream {
    let stream = this.streams.get(path);
    if (stream === undefined) {
      stream = new RandomStream(this.seed, path);
      this.streams.set(path, stream);
    }
    return stream;
  }

  /** 16 hex digits over all trace records and dispatched events so far; the same however the run was cut into pieces. */
  digest(): string {
    return this.runDigest.hex();
  }

  /** @internal */
  resumeAfter(delayNs: TimeNs, task: Task): EventId {
    return this.schedule(delayNs, Priority.SOFTWARE, this.resumeHandler, task.id);
  }

  /**
   * For a process that is about to yield `wait`, which brings no value: runs what comes before its own resumption while it stays on the stack, which
   * saves leaving and entering it again. True: the wait is over. False: it has begun, and the process has to yield it, for
   * another process comes first, or the run must be able to stop between events. Nothing else can tell the difference.
   */
  waitInPlace(wait: Wait): boolean {
    const task = this.resumed;
    if (task === undefined || task !== this.executing || task.isCancelled) return false;
    if (this.inPlaceUntilNs === NEVER) return false;
    task.beginInPlace(wait);
    this.resumed = undefined;
    while (this.queue.nextTime() <= this.inPlaceUntilNs) {
      const resumes = this.queue.nextHandler() === this.resumeHandler;
      if (resumes && this.queue.nextA() !== task.id) return false;
      if (!this.dispatchInPlace() || this.cancelled.length > 0) return false;
      if (resumes) {
        this.resumed = task;
        return true;
      }
    }
    return false;
  }

  /** @internal What an event cancels ends when the event is through; a process cancels at once. */
  cancelLater(task: Task): boolean {
    if (!this.busy || this.inProcess) return false;
    this.cancelled.push(task);
    return true;
  }

  /** @internal */
  adopt(task: Task): number {
    return this.processes.adopt(task);
  }

  /** @internal */
  release(task: Task): void {
    this.processes.release(task);
  }

  /** @internal */
  ended(handle: ProcessHandle<unknown>): void {
    this.processes.remove(handle);
  }

  private resumeTask(taskId: number): void {
    const task = this.processes.task(taskId);
    this.resumed = task;
    task.resume();
    this.resumed = undefined;
  }

  /** Its errors are not for the process that happens to be on the stack. */
  private dispatchInPlace(): boolean {
    try {
      this.dispatch(this.queue.nextTime());
      return true;
    } catch (error) {
      this.thrown = { error };
      return false;
    }
  }

  private endCancelled(): void {
    this.inProcess = true;
    for (let task = this.cancelled.shift(); task !== undefined; task = this.cancelled.shift()) task.cancel();
  }

  private enter(): void {
    if (this.busy)
      throw new SimulationError(
        'run() and step() cannot be called from within an event: schedule an event or wait in a process',
      );
    this.busy = true;
  }

  /** Also behind an error, what was cancelled ends. */
  private leave(): void {
    try {
      this.endCancelled();
    } finally {
      this.busy = false;
    }
  }

  private loop(stop: StopCondition, untilNs: TimeNs): StopReason {
    const { when, event, process } = stop;
    const lastEvent = this.dispatched + (stop.maxEvents ?? Number.POSITIVE_INFINITY);
    const free = when === undefined && event === undefined && stop.maxEvents === undefined;
    this.inPlaceUntilNs = free ? untilNs : NEVER;
    for (;;) {
      if (process !== undefined && process.state !== 'running') return 'process';
      if (when?.() === true) return 'condition';
      if (this.dispatched >= lastEvent) return 'max-events';
      const next = this.queue.nextTime();
      if (next > untilNs) {
        if (next !== Number.POSITIVE_INFINITY) return 'time';
        this.checkFinished(stop);
        return 'idle';
      }
      const handler = this.dispatch(next);
      if (this.thrown !== undefined) {
        const { error } = this.thrown;
        this.thrown = undefined;
        throw error;
      }
      if (this.cancelled.length > 0) this.endCancelled();
      if (handler === event) return 'event';
    }
  }

  /** Runs the next event, which is at `time`, and gives its handler. */
  private dispatch(time: TimeNs): HandlerId {
    const queue = this.queue;
    if (time !== this.clock) this.moveTo(time);
    if (this.dispatched >= this.guard.limit) this.guard.check(this.dispatched, time);
    const slot = queue.pop();
    const handler = queue.slots.handler(slot);
    const a = queue.slots.a(slot);
    const b = queue.slots.b(slot);
    this.dispatched++;
    this.handlerCounts[handler]!++;
    this.runDigest.event(time * TICKS_PER_NS, this.handlerHashes[handler]!, a, b);
    this.inProcess = handler === this.resumeHandler;
    this.handlers[handler]!(a, b);
    return handler;
  }

  private moveTo(time: TimeNs): void {
    if (time > this.timeBudgetNs) throw this.outOfTime(time);
    this.clock = time;
    this.trace.setTime(time);
    this.guard.newInstant(this.dispatched);
  }

  private outOfTime(next: TimeNs): RunawayError {
    const detail = `${formatTime(this.timeBudgetNs)}, the next event is at ${formatTime(next)}`;
    return new RunawayError('virtual time', this.clock, this.guard.culprit(undefined), detail);
  }

  private reach(untilNs: TimeNs): StopReason {
    this.clock = untilNs;
    this.trace.setTime(untilNs);
    return 'time';
  }

  private checkFinished(stop: StopCondition): void {
    if (stop.process === undefined && stop.expectFinished === undefined) return;
    const stuck = this.processes.stuck(stop.process);
    if (stuck.length > 0) throw new DeadlockError(this.clock, stuck);
  }

  private usage(): readonly Usage[] {
    const handlers = this.handlerNames
      .map((name, id) => ({ name: `handler "${name}"`, count: this.handlerCounts[id]! }))
      .filter((_, id) => id !== this.resumeHandler);
    return [...handlers, ...this.processes.resumptions()];
  }

  private unknownHandler(handler: HandlerId): SimulationError {
    return new SimulationError(`handler ${handler} is not registered with this simulator`);
  }

  private badTime(what: string, ns: number, handler: HandlerId | undefined): TimeError {
    const whom = handler === undefined ? '' : ` for handler "${this.handlerName(handler)}"`;
    const remedy =
      ns >= 0 && ns < Number.POSITIVE_INFINITY
        ? 'round up with quantize()'
        : 'a time is a finite, non-negative number of ns';
    return new TimeError(
      `${what} ${ns} ns${whom} is not possible at ${formatTime(this.clock)}: ` +
        `times are multiples of 1/8 ns, not in the past and at most ${MAX_TIME_NS} ns; ${remedy}`,
    );
  }
}
