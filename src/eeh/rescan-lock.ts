/**
 * The PCI rescan and remove lock, and what becomes of those who can never get it: a task that asks for it again, and all
 * who ask after the holder died. Nobody waits in silence: it stands in `hungTasks`, in the log, and as a typed error.
 * Source: linux drivers/pci/probe.c: pci_lock_rescan_remove; kernel/hung_task.c: check_hung_task, whose line has the process
 * number too (M). Facts: eeh-linux 22, D7.
 */
import { delay, type Process, Signal, wait } from '../sim/process.js';
import type { Simulator } from '../sim/simulator.js';
import { seconds, type TimeNs } from '../sim/time.js';
import type { KernelLog } from './log.js';
import { KernelOopsError } from './oops.js';

/** Default of hung_task_timeout_secs. */
const HUNG_TASK_SECONDS = 120;

/** One thread, by itself and not by its name: it can be seen to ask for what it holds. */
export interface KernelThread {
  readonly name: string;
}
/** Of a call from outside only the name is known: several of one name are several tasks. */
export type LockTask = KernelThread | string;

const nameOf = (task: LockTask): string => (typeof task === 'string' ? task : task.name);

export interface HungTask {
  readonly task: string;
  readonly sinceNs: TimeNs;
  /** Why it waits for ever. */
  readonly because: 'holds-it-already' | 'holder-died' | 'holder-hangs';
  readonly holder: string;
}

export class KernelHungTaskError extends Error {
  override readonly name = 'KernelHungTaskError';
  constructor(readonly hung: HungTask) {
    super(
      `task "${hung.task}" waits for the PCI rescan lock for ever: "${hung.holder}" has it (${hung.because}). ` +
        `A kernel version without the defect D7, D9 or D11 recovers here.`,
    );
  }
}

export class RescanLock {
  readonly hungTasks: HungTask[] = [];
  private nextTicket = 0;
  private serving = 0;
  private readonly gone = new Set<number>();
  private readonly released: Signal;
  private readonly never: Signal;
  private owner: LockTask | undefined;
  /** Set once the owner can never release it. */
  private lost: 'holder-died' | 'holder-hangs' | undefined;

  constructor(
    private readonly sim: Simulator,
    private readonly log: KernelLog,
  ) {
    this.released = new Signal(sim, 'PCI rescan and remove released');
    this.never = new Signal(sim, 'a lock that is never released');
  }

  /** Who has it. */
  get holder(): string | undefined {
    return this.owner === undefined ? undefined : nameOf(this.owner);
  }

  /** Runs `body` under the lock. A task that dies of an oops in it never gives it back. */
  *hold<T>(body: Process<T>, task: LockTask): Process<T> {
    if (typeof task !== 'string' && this.owner === task) yield* this.hangOnItself(task);
    const ticket = this.nextTicket++;
    let died = false;
    try {
      while (this.serving !== ticket) yield* this.waitForTurn(task);
      this.owner = task;
      return yield* body;
    } catch (error) {
      died = error instanceof KernelOopsError;
      if (died) this.lose('holder-died');
      throw error;
    } finally {
      if (!died) this.leave(ticket);
    }
  }

  private *waitForTurn(task: LockTask): Process<void> {
    if (this.lost !== undefined) yield* this.hang(task, this.lost);
    yield* wait(this.released);
  }

  /** For the holder there is no way on: it stays where it is, as the real one does. */
  private *hangOnItself(task: LockTask): Process<void> {
    this.lose('holder-hangs');
    yield* this.report(task, 'holds-it-already');
    yield* wait(this.never);
  }

  private *hang(task: LockTask, because: HungTask['because']): Process<void> {
    throw new KernelHungTaskError(yield* this.report(task, because));
  }

  private *report(task: LockTask, because: HungTask['because']): Process<HungTask> {
    const name = nameOf(task);
    const hung: HungTask = { task: name, sinceNs: this.sim.now, because, holder: this.holder ?? name };
    this.hungTasks.push(hung);
    yield* delay(seconds(HUNG_TASK_SECONDS));
    this.log.err(`INFO: task ${name} blocked for more than ${HUNG_TASK_SECONDS} seconds.`);
    return hung;
  }

  private lose(why: 'holder-died' | 'holder-hangs'): void {
    this.lost = why;
    this.released.emit();
  }

  private leave(ticket: number): void {
    if (this.serving === ticket) this.owner = undefined;
    this.gone.add(ticket);
    while (this.gone.delete(this.serving)) this.serving++;
    this.released.emit();
  }
}
