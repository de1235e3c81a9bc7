/**
 * The part of an NVMe controller that moves commands: takes doorbells, fetches commands in turn, hands them on, and puts
 * their completions into the queues. Source: NVM Express 1.2, 4.1, 4.7 (round robin), 7.2.1.
 */
import { Priority } from '../sim/priority.js';
import type { HandlerId, Simulator } from '../sim/simulator.js';
import { quantize } from '../sim/time.js';
import { COMMAND_BYTES, NVME_STATUS, type NvmeStatus, parseCommand } from './nvme-format.js';
import type { NvmeMemory } from './nvme-memory.js';
import { ADMIN_QUEUE, type CompletionQueue, NvmeQueues, type NvmeRun, type SubmissionQueue } from './nvme-queues.js';
import { SlotStore } from './slot-store.js';

/** What is around the engine. */
export interface NvmeEngineParts {
  readonly memory: NvmeMemory;
  /** From a command's arrival until it is carried out. */
  readonly commandNs: number;
  execute(run: NvmeRun): void;
  /** New completions stand in a queue. */
  completed(queue: CompletionQueue): void;
  /** The controller can no longer do its work. */
  failed(): void;
  /** Software wrote nonsense to a doorbell. */
  invalidDoorbell(what: 'register' | 'value'): void;
}

/** Commands in work at once. It bounds what a host can make the device hold. */
const MOST_RUNNING = 64;

export class NvmeEngine {
  readonly queues = new NvmeQueues();
  private readonly later = new SlotStore<{ run: NvmeRun; then: () => void }>();
  private readonly laterEvent: HandlerId;
  private state: 'off' | 'on' | 'stopping' = 'off';
  private life = 0;
  private running = 0;
  /** The submission queue that was served last. */
  private served = ADMIN_QUEUE;

  constructor(
    private readonly sim: Simulator,
    name: string,
    private readonly parts: NvmeEngineParts,
  ) {
    this.laterEvent = sim.handler(`${name} command`, (slot, life) => this.due(slot, life));
  }

  start(): void {
    this.state = 'on';
  }

  /** No more commands are fetched; those that run end. */
  shutDown(): void {
    if (this.state === 'on') this.state = 'stopping';
  }

  /** Forgets all queues and commands. */
  reset(): void {
    this.state = 'off';
    this.life++;
    this.running = 0;
    this.served = ADMIN_QUEUE;
    this.queues.clear();
    this.parts.memory.forget();
  }

  /** Stops dead: nothing goes in or out until a reset. */
  fail(): void {
    if (this.state === 'off') return;
    this.reset();
    this.parts.failed();
  }

  // Doorbells.

  submissionDoorbell(id: number, tail: number): void {
    const queue = this.queues.submission(id);
    if (queue === undefined) this.parts.invalidDoorbell('register');
    else if (tail >= queue.ring.entries) this.parts.invalidDoorbell('value');
    else {
      queue.tail = tail;
      this.fetchMore();
    }
  }

  completionDoorbell(id: number, head: number): void {
    const queue = this.queues.completion(id);
    if (queue === undefined) this.parts.invalidDoorbell('register');
    else if (!queue.consume(head)) this.parts.invalidDoorbell('value');
    else {
      this.writeCompletions(queue);
      this.fetchMore();
    }
  }

  // Commands.

  /** Goes on with a command after a while, if it has not ended by then. */
  after(run: NvmeRun, delayNs: number, then: () => void): void {
    this.sim.schedule(quantize(delayNs), Priority.DEVICE, this.laterEvent, this.later.put({ run, then }), this.life);
  }

  complete(run: NvmeRun, status: NvmeStatus, result = 0): void {
    if (run.ended) return;
    this.release(run);
    const queue = run.queue.completions;
    queue.waiting.push({ run, status, result });
    this.writeCompletions(queue);
    this.fetchMore();
  }

  /** The command waits for something that may never happen. */
  park(run: NvmeRun): void {
    run.parked = true;
    this.running--;
  }

  /** Ends all commands of a submission queue and forgets it. */
  deleteSubmission(queue: SubmissionQueue): void {
    this.queues.removeSubmission(queue);
    for (const run of [...queue.running]) this.complete(run, NVME_STATUS.ABORTED_SQ_DELETED);
  }

  private release(run: NvmeRun): void {
    run.ended = true;
    run.queue.running.delete(run);
    if (!run.parked) this.running--;
  }

  private due(slot: number, life: number): void {
    const { run, then } = this.later.take(slot);
    if (life === this.life && !run.ended) then();
  }

  /** One command a queue at a time, queue by queue. */
  private fetchMore(): void {
    const queues = this.queues.allSubmissions;
    const from = queues.findIndex((queue) => queue.ring.id > this.served);
    const turn = from <= 0 ? queues : [...queues.slice(from), ...queues.slice(0, from)];
    for (const queue of turn) {
      if (this.state !== 'on' || this.running >= MOST_RUNNING) return;
      // Completions that find no room hold back the commands behind them, so that they cannot pile up.
      const isHeld = queue.completions.waiting.length > 0;
      if (!queue.fetching && !queue.isEmpty && !isHeld) this.fetch(queue);
    }
  }

  private fetch(queue: SubmissionQueue): void {
    queue.fetching = true;
    this.running++;
    this.served = queue.ring.id;
    this.parts.memory.read(queue.nextAddress, COMMAND_BYTES, ({ status, data }) => {
      queue.fetching = false;
      // A controller that cannot read its commands is lost: 9.5, and so do real ones.
      if (status !== 'SC') this.fail();
      else if (this.queues.submission(queue.ring.id) === queue) this.fetched(queue, data);
      else {
        this.running--;
        this.fetchMore();
      }
    });
  }

  private fetched(queue: SubmissionQueue, data: Uint8Array): void {
    queue.advance();
    const run: NvmeRun = { queue, command: parseCommand(data), ended: false, parked: false };
    const { commandId } = run.command;
    const isTwin = [...queue.running].some((other) => other.command.commandId === commandId);
    queue.running.add(run);
    if (isTwin) this.complete(run, NVME_STATUS.COMMAND_ID_CONFLICT);
    else this.after(run, this.parts.commandNs, () => this.parts.execute(run));
    this.fetchMore();
  }

  private writeCompletions(queue: CompletionQueue): void {
    let written = 0;
    while (queue.waiting.length > 0 && !queue.isFull) {
      const { address, bytes } = queue.next(queue.waiting.shift()!);
      if (!this.parts.memory.write(address, bytes)) {
        this.fail();
        return;
      }
      written++;
    }
    if (written > 0) this.parts.completed(queue);
  }
}
