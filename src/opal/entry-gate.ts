/**
 * Who may enter firmware: a processor that is in it already may make few calls, and while firmware is being quiesced the
 * others wait or are sent away. Source: skiboot core/opal.c: opal_entry_check, opal_quiesce; asm/head.S.
 * Facts: opal-pci 1.1, 2 (158).
 */
import { type Process, Signal, wait, waitFor } from '../sim/process.js';
import type { TaskKernel } from '../sim/task.js';
import { ms } from '../sim/time.js';
import { OpalStatus, Quiesce } from './opal-api.js';

/** What a processor may call from within a call: console, events, tokens, reboot. */
const REENTRANT_TOKENS: readonly number[] = [1, 2, 6, 10, 25, 80, 116, 117, 145];
const QUIESCE_TOKEN = 158;
const QUIESCE_LIMIT_NS = ms(1000);
const EVERY_PROCESSOR = -1;

const { SUCCESS, PARAMETER, PARTIAL, BUSY, INTERNAL_ERROR } = OpalStatus;

/** One quiet time: who asked for it, of whom, and what happens to those who call. */
interface Quiet {
  readonly owner: number;
  readonly target: number;
  readonly kind: number;
}

export interface Entry {
  readonly token: number;
  /** Processor that calls. Without one every call comes from a processor of its own. */
  readonly cpu?: number;
}

export class EntryGate {
  private readonly inside = new Map<number, number>();
  private anonymous = 0;
  private quiet: Quiet | undefined;
  /** The last who asked for quiet: real firmware does not forget it when the quiet ends. */
  private owner: number | undefined;
  private readonly changed: Signal;

  constructor(
    sim: TaskKernel,
    private readonly name: string,
    private readonly log: (line: string) => void,
  ) {
    this.changed = new Signal(sim, `${name} OPAL entry`);
  }

  /** Runs one call, if its processor is let in. */
  *pass(entry: Entry, body: Process<number>): Process<number> {
    const refused = yield* this.admit(entry);
    if (refused !== SUCCESS) return refused;
    // Who asks for silence does not disturb it.
    if (entry.token === QUIESCE_TOKEN) return yield* body;
    this.count(entry.cpu, 1);
    try {
      return yield* body;
    } finally {
      this.count(entry.cpu, -1);
      this.changed.emit();
    }
  }

  private *admit({ token, cpu }: Entry): Process<number> {
    while (this.quiet !== undefined && this.concerns(this.quiet, cpu)) {
      if (this.quiet.kind === Quiesce.REJECT) return BUSY;
      yield* wait(this.changed);
    }
    if (cpu === undefined || this.quiet !== undefined || (this.inside.get(cpu) ?? 0) === 0) return SUCCESS;
    if (REENTRANT_TOKENS.includes(token)) return SUCCESS;
    this.log(`CPU ATTEMPT TO RE-ENTER FIRMWARE! PIR=${cpu.toString(16).padStart(4, '0')} ${this.name} token=${token}`);
    return INTERNAL_ERROR;
  }

  /** Calls without a processor are never held up: nobody could tell them from the owner's. */
  private concerns({ owner, target }: Quiet, cpu: number | undefined): boolean {
    return cpu !== undefined && cpu !== owner && (target === EVERY_PROCESSOR || target === cpu);
  }

  private count(cpu: number | undefined, by: number): void {
    if (cpu === undefined) this.anonymous += by;
    else this.inside.set(cpu, (this.inside.get(cpu) ?? 0) + by);
  }

  /** OPAL_QUIESCE, called by processor `cpu`. */
  *quiesce(kind: number, target: number, cpu = 0): Process<number> {
    if (target < EVERY_PROCESSOR) return PARAMETER;
    const begins = kind === Quiesce.HOLD || kind === Quiesce.REJECT;
    if (begins && this.quiet !== undefined) {
      if (this.quiet.owner !== cpu) this.log('opal_quiesce already quiescing');
      return BUSY;
    }
    if (begins) this.begin({ owner: cpu, target, kind });
    if (this.owner !== cpu) {
      this.log('opal_quiesce CPU does not own quiesce state (must call QUIESCE_HOLD or QUIESCE_REJECT)');
      return BUSY;
    }
    if (kind === Quiesce.RESUME || kind === Quiesce.RESUME_FAST_REBOOT) return this.resume();
    if (kind === Quiesce.LOCK_BREAK) return this.breakLocks();
    return yield* this.awaitSilence(target, cpu);
  }

  private begin(quiet: Quiet): void {
    this.quiet = quiet;
    this.owner = quiet.owner;
  }

  private resume(): number {
    this.quiet = undefined;
    this.changed.emit();
    return SUCCESS;
  }

  private breakLocks(): number {
    if (this.quiet === undefined || this.quiet.target === EVERY_PROCESSOR) return SUCCESS;
    this.log('opal_quiesce has not quiesced all CPUs (must target -1)');
    return BUSY;
  }

  /** Until those it is about have left firmware, or the time is up. */
  private *awaitSilence(target: number, cpu: number): Process<number> {
    const until = this.now + QUIESCE_LIMIT_NS;
    while (this.busy(target, cpu)) {
      const leftNs = until - this.now;
      if (leftNs <= 0) {
        this.log('OPAL quiesce could not kick all CPUs out of OPAL');
        return PARTIAL;
      }
      yield* waitFor(this.changed, leftNs);
    }
    return SUCCESS;
  }

  private get now(): number {
    return this.changed.sim.now;
  }

  private busy(target: number, cpu: number): boolean {
    if (target !== EVERY_PROCESSOR) return (this.inside.get(target) ?? 0) > 0;
    const named = [...this.inside].some(([other, calls]) => other !== cpu && calls > 0);
    return named || this.anonymous > 0;
  }
}
