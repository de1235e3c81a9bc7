/**
 * Asynchronous events: commands that wait until there is something to tell. Source: NVM Express 1.2, 5.2.
 */
import type { NvmeEngine } from './nvme-engine.js';
import { NVME_STATUS } from './nvme-format.js';
import { ASYNC_EVENT_LIMIT, LOG_PAGE } from './nvme-identify.js';
import type { NvmeRun } from './nvme-queues.js';

/** Events of the type "error": type in bits 2:0, information in 15:8, log page in 23:16. */
const ERROR_EVENT = LOG_PAGE.ERRORS << 16;
export const ASYNC_EVENT = {
  INVALID_DOORBELL_REGISTER: ERROR_EVENT,
  INVALID_DOORBELL_VALUE: ERROR_EVENT | 0x0100,
} as const;
export type AsyncEvent = (typeof ASYNC_EVENT)[keyof typeof ASYNC_EVENT];

export class NvmeAsyncEvents {
  private waiting: NvmeRun[] = [];
  private untold: AsyncEvent | undefined;
  /** An event was told, and its log page not read since: no more of its type. */
  private told = false;

  constructor(private readonly engine: NvmeEngine) {}

  request(run: NvmeRun): void {
    if (this.waiting.length >= ASYNC_EVENT_LIMIT) {
      this.engine.complete(run, NVME_STATUS.ASYNC_EVENT_LIMIT);
      return;
    }
    this.engine.park(run);
    this.waiting.push(run);
    this.tell();
  }

  /** Of several events that nobody was told of, the first is kept. */
  happened(event: AsyncEvent): void {
    if (this.told) return;
    this.untold ??= event;
    this.tell();
  }

  logRead(page: number): void {
    if (page === LOG_PAGE.ERRORS) this.told = false;
  }

  /** True if it was a waiting request, which now ends. */
  abort(run: NvmeRun): boolean {
    if (!this.waiting.includes(run)) return false;
    this.waiting = this.waiting.filter((each) => each !== run);
    this.engine.complete(run, NVME_STATUS.ABORT_REQUESTED);
    return true;
  }

  reset(): void {
    this.waiting = [];
    this.untold = undefined;
    this.told = false;
  }

  private tell(): void {
    const run = this.waiting[0];
    if (run === undefined || this.untold === undefined) return;
    const event = this.untold;
    this.waiting.shift();
    this.untold = undefined;
    this.told = true;
    this.engine.complete(run, NVME_STATUS.SUCCESS, event);
  }
}
