/** Runs one generator: starts it, suspends it on a wait, resumes it through an event, cancels it, and tells its owner how it ended. */
import { SimulationError } from './errors.js';
import type { EventId } from './event-queue.js';
import type { TimeNs } from './time.js';

/** What a process yields: the one thing it waits for. */
export interface Wait {
  /** For messages: `signal "PHB0.irq"`. */
  readonly about: string;
  /** The task is suspended: arrange for it to be resumed. */
  begin(task: Task): void;
  /** The task was resumed by its timer or by `wake`, or will never be: forget it. */
  end(task: Task): void;
}

/** The value is what `yield*` gives; the generator yields waits only. */
export type Process<T = void> = Generator<Wait, T, unknown>;

/** What a task needs of the simulator. */
export interface TaskKernel {
  readonly now: TimeNs;
  /** The innermost body on the stack. Tasks keep it. */
  executing: Task | undefined;
  /** Resumes the task by an event; `reschedule` and `cancel` work on what it returns. */
  resumeAfter(delayNs: TimeNs, task: Task): EventId;
  reschedule(id: EventId, timeNs: TimeNs): boolean;
  cancel(id: EventId): boolean;
  adopt(task: Task): number;
  release(task: Task): void;
  /** True: the kernel calls `cancel` again when the event that runs is through. */
  cancelLater(task: Task): boolean;
}

export type Outcome =
  | { readonly state: 'done'; readonly value: unknown }
  | { readonly state: 'failed'; readonly error: unknown }
  | { readonly state: 'cancelled' };

const NO_EVENT = -1;

/** How a body goes on: with the value of its wait, with an error, or towards its end. */
interface Step {
  readonly how: 'next' | 'throw' | 'return';
  readonly value: unknown;
}

const UNWIND: Step = { how: 'return', value: undefined };

export class Task {
  readonly id: number;
  /** How often it went on so far. */
  resumptions = 0;
  private waiting: Wait | undefined;
  private timer: EventId = NO_EVENT;
  private inbox: unknown;
  private executing = false;
  /** It is in the midst of `Simulator.waitInPlace`. */
  private waitsInPlace = false;
  private cancelRequested = false;
  /** The body was told of the cancellation; from then on its finally blocks may wait. */
  private cancelTold = false;
  private ended = false;

  constructor(
    readonly kernel: TaskKernel,
    /** Name of the process this task belongs to; the branches of a race bear the name of theirs. */
    readonly name: string,
    private readonly body: Process<unknown>,
    private readonly onEnd: (outcome: Outcome) => void,
  ) {
    this.id = kernel.adopt(this);
  }

  get waitsFor(): string {
    if (this.waiting !== undefined) return this.waiting.about;
    return this.executing ? 'nothing: it is running' : 'its start';
  }

  /** Starts the body by an event at the current instant. */
  startSoon(): void {
    this.wakeAfter(0);
  }

  /** Runs the body up to its first wait, here and now. */
  start(): void {
    this.advance('next', undefined);
  }

  /** A wait arms the task's one timer. */
  wakeAfter(delayNs: TimeNs): void {
    this.timer = this.kernel.resumeAfter(delayNs, this);
  }

  /** A wait is over: the body goes on at this instant, behind what is already scheduled for it, with `value`. */
  wake(value: unknown): void {
    this.inbox = value;
    if (this.timer === NO_EVENT || !this.kernel.reschedule(this.timer, this.kernel.now)) this.wakeAfter(0);
  }

  /** The kernel's resume event. */
  resume(): void {
    const value = this.inbox;
    this.resumptions++;
    this.timer = NO_EVENT;
    this.stopWaiting();
    // In place the body is on the stack already: it goes on when this event is through.
    if (this.waitsInPlace) this.waitsInPlace = false;
    else this.advance('next', value);
  }

  get isCancelled(): boolean {
    return this.cancelRequested;
  }

  /** The body begins to wait before it yields, as it may not have to. */
  beginInPlace(wait: Wait): void {
    this.beginWait(wait);
    this.waitsInPlace = true;
  }

  /**
   * Ends the body at its wait; its finally blocks run now. Where one of them waits in turn, the task lives on until it is through.
   * A task that cancels itself ends at its next wait.
   */
  cancel(): void {
    if (this.ended || this.cancelRequested || this.kernel.cancelLater(this)) return;
    this.cancelRequested = true;
    if (this.executing) return;
    this.stopWaiting();
    this.cancelTold = true;
    this.advance('return', undefined);
  }

  private stopWaiting(): void {
    if (this.timer !== NO_EVENT) this.kernel.cancel(this.timer);
    this.timer = NO_EVENT;
    this.inbox = undefined;
    const wait = this.waiting;
    this.waiting = undefined;
    wait?.end(this);
  }

  private advance(how: Step['how'], value: unknown): void {
    let step = this.stepOnce(how, value);
    while (step !== undefined) step = this.stepOnce(step.how, step.value);
  }

  /** One stretch of the body, up to a wait or its end. Returns what to do at once, if anything. */
  private stepOnce(how: Step['how'], value: unknown): Step | undefined {
    const outer = this.kernel.executing;
    this.kernel.executing = this;
    this.executing = true;
    let result: IteratorResult<Wait, unknown>;
    try {
      result = take(this.body, how, value);
    } catch (error) {
      this.end({ state: 'failed', error });
      return undefined;
    } finally {
      this.executing = false;
      this.kernel.executing = outer;
    }
    if (result.done === true) {
      this.end(this.cancelRequested ? { state: 'cancelled' } : { state: 'done', value: result.value });
      return undefined;
    }
    const begun = this.waitsInPlace;
    this.waitsInPlace = false;
    if (this.cancelRequested && !this.cancelTold) {
      this.stopWaiting();
      this.cancelTold = true;
      return UNWIND;
    }
    return begun ? undefined : this.suspend(result.value);
  }

  private suspend(wait: Wait): Step | undefined {
    if (typeof wait?.begin !== 'function') {
      const value = new SimulationError(
        `process "${this.name}" yielded what is not a wait: write yield* before delay, wait, race...`,
      );
      return { how: 'throw', value };
    }
    try {
      this.beginWait(wait);
      return undefined;
    } catch (error) {
      // A bad delay or a foreign signal is the body's mistake: raise it where the body made it.
      return { how: 'throw', value: error };
    }
  }

  private beginWait(wait: Wait): void {
    this.waiting = wait;
    try {
      wait.begin(this);
    } catch (error) {
      this.stopWaiting();
      throw error;
    }
  }

  private end(outcome: Outcome): void {
    this.ended = true;
    this.kernel.release(this);
    this.onEnd(outcome);
  }
}

function take(body: Process<unknown>, how: Step['how'], value: unknown): IteratorResult<Wait, unknown> {
  if (how === 'next') return body.next(value);
  return how === 'throw' ? body.throw(value) : body.return(undefined);
}
