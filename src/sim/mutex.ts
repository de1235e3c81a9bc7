/** A sleeping lock of processes; waiters get it in the order in which they asked. */
import { type Process, Signal, wait } from './process.js';
import type { TaskKernel } from './task.js';

export class Mutex {
  private nextTicket = 0;
  private serving = 0;
  private readonly gone = new Set<number>();
  private readonly released: Signal;

  constructor(sim: TaskKernel, name: string) {
    this.released = new Signal(sim, `${name} released`);
  }

  get held(): boolean {
    return this.serving !== this.nextTicket;
  }

  /** Runs `body` with the lock held, and gives it back whatever happens, cancellation included. */
  *hold<T>(body: Process<T>): Process<T> {
    const ticket = this.nextTicket++;
    try {
      while (this.serving !== ticket) yield* wait(this.released);
      return yield* body;
    } finally {
      this.leave(ticket);
    }
  }

  private leave(ticket: number): void {
    this.gone.add(ticket);
    while (this.gone.delete(this.serving)) this.serving++;
    this.released.emit();
  }
}
