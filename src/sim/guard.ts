/** The runaway guard: counts what each handler and process uses of the event budgets, and names the greediest when one is used up. */
import { RunawayError } from './errors.js';
import type { TimeNs } from './time.js';

/** Who has run how many events so far. */
export interface Usage {
  readonly name: string;
  readonly count: number;
}

export interface Budgets {
  /** Events over the simulator's life. */
  readonly events: number;
  /** Events at one instant: time that does not pass is the usual runaway. */
  readonly instantEvents: number;
}

/**
 * `limit` is the number of dispatched events at which the simulator must ask again: half of what may still run at this instant
 * (usage is noted there, so that the culprit is who ran since), then all of it, or the whole life's budget.
 */
export class RunawayGuard {
  limit: number;
  private instantStart = 0;
  private readonly half: number;
  private before: ReadonlyMap<string, number> | undefined;

  constructor(
    private readonly budgets: Budgets,
    private readonly usage: () => readonly Usage[],
  ) {
    this.half = Math.ceil(budgets.instantEvents / 2);
    this.limit = Math.min(budgets.events, this.half);
  }

  /** Time has passed. */
  newInstant(dispatched: number): void {
    this.instantStart = dispatched;
    this.before = undefined;
    this.limit = Math.min(this.budgets.events, dispatched + this.half);
  }

  /** `dispatched` has reached `limit`. */
  check(dispatched: number, now: TimeNs): void {
    const { events, instantEvents } = this.budgets;
    if (dispatched >= events) {
      throw new RunawayError('events', now, this.culprit(undefined), `${events} events`);
    }
    if (dispatched - this.instantStart >= instantEvents) {
      throw new RunawayError('events without time passing', now, this.culprit(this.before), `${instantEvents} events`);
    }
    this.before = new Map(this.usage().map((u) => [u.name, u.count]));
    this.limit = Math.min(events, this.instantStart + instantEvents);
  }

  /** Names who used most since `before`. */
  culprit(before: ReadonlyMap<string, number> | undefined): string {
    let worst: Usage = { name: 'nobody', count: 0 };
    for (const { name, count } of this.usage()) {
      const used = count - (before?.get(name) ?? 0);
      if (used > worst.count) worst = { name, count: used };
    }
    return `${worst.name} (${worst.count} events)`;
  }
}
