/**
 * Data of a command on their way between device and host memory. A transfer that fails ends the command. One whose
 * command has ended meanwhile goes on to no effect.
 * Source: NVM Express 1.2, 4.3, 4.6.1.2.1 (Data Transfer Error).
 */
import type { NvmeEngine } from './nvme-engine.js';
import { NVME_STATUS } from './nvme-format.js';
import { fetchSegments, type NvmeMemory, PrpWalk, type Segment, storeSegments } from './nvme-memory.js';
import type { NvmeRun } from './nvme-queues.js';
import { NVME_SMALLEST_PAGE } from './nvme-registers.js';

export class NvmeData {
  /** Of a page of host memory: what software set when it enabled the controller. */
  pageBytes = NVME_SMALLEST_PAGE;

  constructor(
    private readonly engine: NvmeEngine,
    private readonly memory: NvmeMemory,
  ) {}

  /** Finds where a command's data lie in host memory. */
  locate(run: NvmeRun, lengthBytes: number, then: (segments: readonly Segment[]) => void): void {
    const extent = { lengthBytes, pageBytes: this.pageBytes };
    const walk = new PrpWalk(this.memory, extent, (found) => {
      if (typeof found === 'number') this.engine.complete(run, found);
      else then(found);
    });
    walk.start(run.command);
  }

  fetch(run: NvmeRun, lengthBytes: number, then: (data: Uint8Array) => void): void {
    this.locate(run, lengthBytes, (segments) => {
      fetchSegments(this.memory, segments, (data) => {
        if (data === undefined) this.engine.complete(run, NVME_STATUS.DATA_TRANSFER_ERROR);
        else then(data);
      });
    });
  }

  /** Stores data and completes the command. Whether posted writes arrive, the device does not learn. */
  store(run: NvmeRun, segments: readonly Segment[], data: Uint8Array): void {
    const left = storeSegments(this.memory, segments, data);
    this.engine.complete(run, left ? NVME_STATUS.SUCCESS : NVME_STATUS.DATA_TRANSFER_ERROR);
  }

  /** The whole answer to a command. */
  answer(run: NvmeRun, data: Uint8Array): void {
    this.locate(run, data.length, (segments) => this.store(run, segments, data));
  }
}
