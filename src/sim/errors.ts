/** Every error the kernel raises. Each names what, where in virtual time, and the remedy where there is one. */
import { formatTime, type TimeNs } from './time.js';

/** Root of all typed errors of the simulator. */
export class SimulationError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** A time that is not a number, negative, off the 1/8 ns grid, in the past or beyond the exact range. */
export class TimeError extends SimulationError {}

/** A process ended with an error: carries the process's name, the virtual time and the cause. */
export class ProcessError extends SimulationError {
  constructor(
    readonly processName: string,
    readonly timeNs: TimeNs,
    cause: unknown,
  ) {
    super(`process "${processName}" failed at ${formatTime(timeNs)}: ${describeCause(cause)}`, { cause });
  }
}

/** Thrown by `join` when the joined process was cancelled and so has no result. */
export class CancelledError extends SimulationError {
  constructor(readonly processName: string) {
    super(`process "${processName}" was cancelled and has no result`);
  }
}

export interface StuckProcess {
  readonly name: string;
  readonly waitsFor: string;
}

/** Nothing is left to happen, and processes that should have ended still wait. */
export class DeadlockError extends SimulationError {
  constructor(
    readonly timeNs: TimeNs,
    readonly stuck: readonly StuckProcess[],
  ) {
    const lines = stuck.map((p) => `  "${p.name}" waits for ${p.waitsFor}`);
    super(
      `deadlock at ${formatTime(timeNs)}: no event is left and ${stuck.length} process(es) still wait\n${lines.join('\n')}\n` +
        'A process that may wait for ever is spawned with { daemon: true }.',
    );
  }
}

export type Budget = 'events' | 'events without time passing' | 'virtual time';

/** A budget of the simulator ran out; names the handler or process that used most of it. */
export class RunawayError extends SimulationError {
  constructor(
    readonly budget: Budget,
    readonly timeNs: TimeNs,
    readonly culprit: string,
    detail: string,
  ) {
    super(`runaway at ${formatTime(timeNs)}: the budget of ${budget} is used up (${detail}); most of it by ${culprit}`);
  }
}

function describeCause(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
