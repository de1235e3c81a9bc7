/** The processes that live, their tasks by number, and how often each name was resumed. */
import type { StuckProcess } from './errors.js';
import type { Usage } from './guard.js';
import type { ProcessHandle } from './process.js';
import type { Task } from './task.js';

export class ProcessTable {
  private readonly tasks = new Map<number, Task>();
  private readonly processes = new Set<ProcessHandle<unknown>>();
  /** Resumptions of the tasks that have ended, by the name of their process. */
  private readonly ended = new Map<string, number>();
  private nextTask = 0;

  /** Gives the task its number. */
  adopt(task: Task): number {
    const id = this.nextTask++;
    this.tasks.set(id, task);
    return id;
  }

  release(task: Task): void {
    this.tasks.delete(task.id);
    addResumptions(this.ended, task);
  }

  task(id: number): Task {
    return this.tasks.get(id)!;
  }

  add(handle: ProcessHandle<unknown>): void {
    this.processes.add(handle);
  }

  remove(handle: ProcessHandle<unknown>): void {
    this.processes.delete(handle);
  }

  /** In the order of their start. */
  live(): readonly ProcessHandle<unknown>[] {
    return [...this.processes];
  }

  /** Who should have ended: all but daemons, and a daemon that is waited for. */
  stuck(waitedFor: ProcessHandle<unknown> | undefined): readonly StuckProcess[] {
    return this.live()
      .filter((p) => !p.daemon || p === waitedFor)
      .map((p) => ({ name: p.name, waitsFor: p.waitsFor }));
  }

  resumptions(): readonly Usage[] {
    const counts = new Map(this.ended);
    for (const task of this.tasks.values()) addResumptions(counts, task);
    return [...counts].map(([name, count]) => ({ name: `process "${name}"`, count }));
  }
}

function addResumptions(counts: Map<string, number>, { name, resumptions }: Task): void {
  counts.set(name, (counts.get(name) ?? 0) + resumptions);
}
