/**
 * The admin commands of an NVMe controller. Source: NVM Express 1.2, 5.
 */
import type { NvmeAsyncEvents } from './nvme-async-events.js';
import type { NvmeBlocks } from './nvme-blocks.js';
import type { NvmeData } from './nvme-data.js';
import type { NvmeEngine } from './nvme-engine.js';
import { FEATURE, type NvmeFeatures } from './nvme-features.js';
import { ADMIN, NVME_STATUS, type NvmeStatus } from './nvme-format.js';
import {
  activeNamespaces,
  IDENTIFY,
  identifyController,
  identifyNamespace,
  logPage,
  NAMESPACE,
  type NvmeCounters,
  type NvmeIdentity,
  PAGE_BYTES,
} from './nvme-identify.js';
import { ADMIN_QUEUE, CompletionQueue, type NvmeRun, SubmissionQueue } from './nvme-queues.js';
import { NVME_MOST_ENTRIES } from './nvme-registers.js';

/** What the commands act on. */
export interface NvmeAdminParts {
  readonly engine: NvmeEngine;
  readonly data: NvmeData;
  readonly features: NvmeFeatures;
  readonly events: NvmeAsyncEvents;
  readonly blocks: NvmeBlocks;
  readonly identity: NvmeIdentity;
  readonly counters: NvmeCounters;
  /** Interrupt vectors that queues may name now: all of MSI-X, or that of the pin. */
  vectors(): number;
  /** Entry sizes as software set them fit those of the command set. */
  entrySizesFit(): boolean;
}

const CONTIGUOUS = 0x1;
const INTERRUPTS = 0x2;
const SAVE = 0x8000_0000;
const SELECT = 0x0700;
const NOT_ABORTED = 1;
/** Asks for more queues than any controller has. */
const TOO_MANY_QUEUES = 0xffff;
const FIRST_RESERVED_NAMESPACE = 0xffff_fffe;

export class NvmeAdmin {
  constructor(private readonly parts: NvmeAdminParts) {}

  execute(run: NvmeRun): void {
    const outcome = run.command.flags === 0 ? this.carryOut(run) : NVME_STATUS.INVALID_FIELD;
    if (outcome !== undefined) this.parts.engine.complete(run, outcome);
  }

  /** The status, or nothing if the command was completed or will be. */
  private carryOut(run: NvmeRun): NvmeStatus | undefined {
    switch (run.command.opcode) {
      case ADMIN.CREATE_CQ:
        return this.createCompletionQueue(run);
      case ADMIN.CREATE_SQ:
        return this.createSubmissionQueue(run);
      case ADMIN.DELETE_CQ:
        return this.deleteCompletionQueue(run);
      case ADMIN.DELETE_SQ:
        return this.deleteSubmissionQueue(run);
      case ADMIN.IDENTIFY:
        return this.identify(run);
      case ADMIN.GET_LOG_PAGE:
        return this.getLogPage(run);
      case ADMIN.SET_FEATURES:
        return this.setFeatures(run);
      case ADMIN.GET_FEATURES:
        return this.getFeatures(run);
      case ADMIN.ABORT:
        return this.abort(run);
      case ADMIN.ASYNC_EVENT_REQUEST:
        this.parts.events.request(run);
        return undefined;
      default:
        return NVME_STATUS.INVALID_OPCODE;
    }
  }

  // Queues.

  /** What is wrong with a new queue, whichever kind it is. */
  private queueProblem(run: NvmeRun, exists: boolean): NvmeStatus | undefined {
    const { id, entries, flags } = newQueue(run);
    if (id === ADMIN_QUEUE || id > this.parts.features.ioQueues || exists) return NVME_STATUS.INVALID_QUEUE_ID;
    if (entries < 2 || entries > NVME_MOST_ENTRIES) return NVME_STATUS.INVALID_QUEUE_SIZE;
    if (run.command.prp1.lo % this.parts.data.pageBytes !== 0) return NVME_STATUS.INVALID_PRP_OFFSET;
    if ((flags & CONTIGUOUS) === 0 || !this.parts.entrySizesFit()) return NVME_STATUS.INVALID_FIELD;
    return undefined;
  }

  private createCompletionQueue(run: NvmeRun): NvmeStatus {
    const { queues } = this.parts.engine;
    const { id, entries, flags, upper: vector } = newQueue(run);
    const problem = this.queueProblem(run, queues.completion(id) !== undefined);
    if (problem !== undefined) return problem;
    if (vector >= this.parts.vectors()) return NVME_STATUS.INVALID_INTERRUPT_VECTOR;
    const ring = { id, entries, base: run.command.prp1 };
    queues.addCompletion(new CompletionQueue(ring, (flags & INTERRUPTS) === 0 ? undefined : vector));
    return NVME_STATUS.SUCCESS;
  }

  private createSubmissionQueue(run: NvmeRun): NvmeStatus {
    const { queues } = this.parts.engine;
    const { id, entries, upper: completionId } = newQueue(run);
    const completions = completionId === ADMIN_QUEUE ? undefined : queues.completion(completionId);
    if (completions === undefined) return NVME_STATUS.INVALID_CQ;
    const problem = this.queueProblem(run, queues.submission(id) !== undefined);
    if (problem !== undefined) return problem;
    queues.addSubmission(new SubmissionQueue({ id, entries, base: run.command.prp1 }, completions));
    return NVME_STATUS.SUCCESS;
  }

  private deleteCompletionQueue(run: NvmeRun): NvmeStatus {
    const { queues } = this.parts.engine;
    const { id } = newQueue(run);
    const queue = id === ADMIN_QUEUE ? undefined : queues.completion(id);
    if (queue === undefined) return NVME_STATUS.INVALID_QUEUE_ID;
    if (queue.submitters.size > 0) return NVME_STATUS.INVALID_QUEUE_DELETION;
    queues.removeCompletion(queue);
    return NVME_STATUS.SUCCESS;
  }

  private deleteSubmissionQueue(run: NvmeRun): NvmeStatus {
    const { engine } = this.parts;
    const { id } = newQueue(run);
    const queue = id === ADMIN_QUEUE ? undefined : engine.queues.submission(id);
    if (queue === undefined) return NVME_STATUS.INVALID_QUEUE_ID;
    engine.deleteSubmission(queue);
    return NVME_STATUS.SUCCESS;
  }

  // What the controller tells.

  private identify(run: NvmeRun): NvmeStatus | undefined {
    const { data, identity, blocks } = this.parts;
    const { namespace, dwords } = run.command;
    switch (dwords[10] & 0xff) {
      case IDENTIFY.CONTROLLER:
        data.answer(run, identifyController(identity));
        return undefined;
      case IDENTIFY.NAMESPACE:
        if (namespace !== NAMESPACE) return NVME_STATUS.INVALID_NAMESPACE;
        data.answer(run, identifyNamespace(blocks.count));
        return undefined;
      case IDENTIFY.ACTIVE_NAMESPACES:
        if (namespace >= FIRST_RESERVED_NAMESPACE) return NVME_STATUS.INVALID_NAMESPACE;
        data.answer(run, activeNamespaces(namespace));
        return undefined;
      default:
        return NVME_STATUS.INVALID_FIELD;
    }
  }

  private getLogPage(run: NvmeRun): NvmeStatus | undefined {
    const { data, counters, identity, events } = this.parts;
    const { dwords } = run.command;
    const id = dwords[10] & 0xff;
    const page = logPage(id, counters, identity);
    if (page === undefined) return NVME_STATUS.INVALID_LOG_PAGE;
    events.logRead(id);
    const lengthBytes = 4 * (((dwords[10] >>> 16) & 0xfff) + 1);
    const bytes = new Uint8Array(Math.min(lengthBytes, PAGE_BYTES));
    bytes.set(page.subarray(0, bytes.length));
    data.answer(run, bytes);
    return undefined;
  }

  private setFeatures(run: NvmeRun): NvmeStatus | undefined {
    const { features, engine } = this.parts;
    const { 10: selector, 11: value } = run.command.dwords;
    const feature = selector & 0xff;
    if ((selector & SAVE) !== 0) return NVME_STATUS.FEATURE_NOT_SAVEABLE;
    if (feature !== FEATURE.NUMBER_OF_QUEUES) {
      return features.set(feature, value) ? NVME_STATUS.SUCCESS : NVME_STATUS.INVALID_FIELD;
    }
    const [submissions, completions] = [value & 0xffff, value >>> 16];
    if (submissions === TOO_MANY_QUEUES || completions === TOO_MANY_QUEUES) return NVME_STATUS.INVALID_FIELD;
    if (engine.queues.hasIoQueues) return NVME_STATUS.COMMAND_SEQUENCE_ERROR;
    features.grantQueues(submissions + 1, completions + 1);
    engine.complete(run, NVME_STATUS.SUCCESS, features.get(feature));
    return undefined;
  }

  private getFeatures(run: NvmeRun): NvmeStatus | undefined {
    const { 10: selector } = run.command.dwords;
    const value = this.parts.features.get(selector & 0xff);
    if (value === undefined || (selector & SELECT) !== 0) return NVME_STATUS.INVALID_FIELD;
    this.parts.engine.complete(run, NVME_STATUS.SUCCESS, value);
    return undefined;
  }

  /** Only what waits for an event can be aborted; all else ends soon enough by itself. */
  private abort(run: NvmeRun): undefined {
    const { engine, events } = this.parts;
    const target = run.command.dwords[10];
    const queue = engine.queues.submission(target & 0xffff);
    const victim = [...(queue?.running ?? [])].find((each) => each.command.commandId === target >>> 16);
    const aborted = victim !== undefined && events.abort(victim);
    engine.complete(run, NVME_STATUS.SUCCESS, aborted ? 0 : NOT_ABORTED);
    return undefined;
  }
}

/** The fields that commands about queues have in common. `upper`: interrupt vector, or completion queue. */
function newQueue({ command }: NvmeRun): { id: number; entries: number; flags: number; upper: number } {
  const { 10: first, 11: second } = command.dwords;
  return { id: first & 0xffff, entries: (first >>> 16) + 1, flags: second & 0xffff, upper: second >>> 16 };
}
