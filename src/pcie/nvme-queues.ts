/**
 * The queues of an NVMe controller, as it sees them: rings in host memory, of which it knows head and tail.
 * Source: NVM Express 1.2, 4.1.
 */
import { COMMAND_BYTES, COMPLETION_BYTES, completionBytes, type NvmeCommand, type NvmeStatus } from './nvme-format.js';
import { type Address, addressPlus } from './tlp.js';

export const ADMIN_QUEUE = 0;

interface Ring {
  readonly id: number;
  readonly base: Address;
  readonly entries: number;
}

/** A command on its way from a submission queue to its completion. */
export interface NvmeRun {
  readonly command: NvmeCommand;
  readonly queue: SubmissionQueue;
  /** It was completed, or its queue is gone. */
  ended: boolean;
  /** It waits for an event and keeps nothing busy. */
  parked: boolean;
}

export class SubmissionQueue {
  head = 0;
  tail = 0;
  /** A command is being read. */
  fetching = false;
  readonly running = new Set<NvmeRun>();

  constructor(
    readonly ring: Ring,
    readonly completions: CompletionQueue,
  ) {
    completions.submitters.add(this);
  }

  get isEmpty(): boolean {
    return this.head === this.tail;
  }

  /** Where the next command stands. */
  get nextAddress(): Address {
    return addressPlus(this.ring.base, this.head * COMMAND_BYTES);
  }

  advance(): void {
    this.head = (this.head + 1) % this.ring.entries;
  }
}

export interface WaitingCompletion {
  readonly run: NvmeRun;
  readonly status: NvmeStatus;
  readonly result: number;
}

export class CompletionQueue {
  head = 0;
  readonly submitters = new Set<SubmissionQueue>();
  /** Completions that wait for room. */
  readonly waiting: WaitingCompletion[] = [];
  private tail = 0;
  private phase: 0 | 1 = 1;

  constructor(
    readonly ring: Ring,
    /** Vector its completions raise, if any. */
    readonly vector: number | undefined,
  ) {}

  get isFull(): boolean {
    return (this.tail + 1) % this.ring.entries === this.head;
  }

  /** Completions that software has not taken. */
  get unconsumed(): number {
    return (this.tail - this.head + this.ring.entries) % this.ring.entries;
  }

  /** The next entry, and where it goes. */
  next({ run, status, result }: WaitingCompletion): { address: Address; bytes: Uint8Array } {
    const { queue, command } = run;
    const address = addressPlus(this.ring.base, this.tail * COMPLETION_BYTES);
    const { commandId } = command;
    const { phase } = this;
    this.tail = (this.tail + 1) % this.ring.entries;
    if (this.tail === 0) this.phase = phase === 1 ? 0 : 1;
    return {
      address,
      bytes: completionBytes({ result, status, commandId, phase, head: queue.head, queue: queue.ring.id }),
    };
  }

  /** Takes a head from software. False: there are not that many completions to have taken. */
  consume(head: number): boolean {
    const taken = (head - this.head + this.ring.entries) % this.ring.entries;
    if (head >= this.ring.entries || taken > this.unconsumed) return false;
    this.head = head;
    return true;
  }
}

/** All queues by their number. */
export class NvmeQueues {
  private readonly submissions: (SubmissionQueue | undefined)[] = [];
  private readonly completions: (CompletionQueue | undefined)[] = [];

  submission(id: number): SubmissionQueue | undefined {
    return this.submissions[id];
  }

  completion(id: number): CompletionQueue | undefined {
    return this.completions[id];
  }

  get allSubmissions(): readonly SubmissionQueue[] {
    return this.submissions.filter((queue) => queue !== undefined);
  }

  get allCompletions(): readonly CompletionQueue[] {
    return this.completions.filter((queue) => queue !== undefined);
  }

  /** True if there is any beside the admin queues. */
  get hasIoQueues(): boolean {
    return [...this.submissions, ...this.completions].some(
      (queue) => queue !== undefined && queue.ring.id !== ADMIN_QUEUE,
    );
  }

  addSubmission(queue: SubmissionQueue): void {
    this.submissions[queue.ring.id] = queue;
  }

  addCompletion(queue: CompletionQueue): void {
    this.completions[queue.ring.id] = queue;
  }

  removeSubmission(queue: SubmissionQueue): void {
    this.submissions[queue.ring.id] = undefined;
    queue.completions.submitters.delete(queue);
  }

  removeCompletion(queue: CompletionQueue): void {
    this.completions[queue.ring.id] = undefined;
  }

  clear(): void {
    this.submissions.length = 0;
    this.completions.length = 0;
  }
}
