/**
 * The commands of the NVM command set: reading, writing and flushing blocks. Source: NVM Express 1.2, 6.
 */
import { BLOCK_BYTES, type NvmeBlocks } from './nvme-blocks.js';
import type { NvmeData } from './nvme-data.js';
import type { NvmeEngine } from './nvme-engine.js';
import { IO, NVME_STATUS, type NvmeCommand, type NvmeStatus } from './nvme-format.js';
import { ALL_NAMESPACES, MOST_TRANSFER_BYTES, NAMESPACE, type NvmeCounters } from './nvme-identify.js';
import type { NvmeRun } from './nvme-queues.js';

export interface NvmeMediaTimes {
  readonly readNs: number;
  readonly writeNs: number;
  readonly flushNs: number;
}

export interface NvmeIoParts {
  readonly engine: NvmeEngine;
  readonly data: NvmeData;
  readonly blocks: NvmeBlocks;
  readonly counters: NvmeCounters;
  readonly media: NvmeMediaTimes;
}

interface BlockRange {
  readonly first: number;
  readonly count: number;
}

export class NvmeIo {
  constructor(private readonly parts: NvmeIoParts) {}

  execute(run: NvmeRun): void {
    const problem = this.carryOut(run);
    if (problem !== undefined) this.parts.engine.complete(run, problem);
  }

  private carryOut(run: NvmeRun): NvmeStatus | undefined {
    const { command } = run;
    const { opcode, namespace } = command;
    if (command.flags !== 0) return NVME_STATUS.INVALID_FIELD;
    if (opcode !== IO.FLUSH && opcode !== IO.READ && opcode !== IO.WRITE) return NVME_STATUS.INVALID_OPCODE;
    const isMine = namespace === NAMESPACE || (opcode === IO.FLUSH && namespace === ALL_NAMESPACES);
    if (!isMine) return NVME_STATUS.INVALID_NAMESPACE;
    if (opcode === IO.FLUSH) {
      this.flush(run);
      return undefined;
    }
    const range = rangeOf(command);
    if (range.count * BLOCK_BYTES > MOST_TRANSFER_BYTES) return NVME_STATUS.INVALID_FIELD;
    if (!this.parts.blocks.contains(range.first, range.count)) return NVME_STATUS.LBA_OUT_OF_RANGE;
    if (opcode === IO.READ) this.read(run, range);
    else this.write(run, range);
    return undefined;
  }

  /** There is no volatile cache: what was completed is safe already. */
  private flush(run: NvmeRun): void {
    const { engine, media } = this.parts;
    engine.after(run, media.flushNs, () => engine.complete(run, NVME_STATUS.SUCCESS));
  }

  private read(run: NvmeRun, { first, count }: BlockRange): void {
    const { engine, data, blocks, counters, media } = this.parts;
    data.locate(run, count * BLOCK_BYTES, (segments) => {
      engine.after(run, media.readNs, () => {
        counters.readCommands++;
        counters.blocksRead += count;
        data.store(run, segments, blocks.read(first, count));
      });
    });
  }

  private write(run: NvmeRun, { first, count }: BlockRange): void {
    const { engine, data, blocks, counters, media } = this.parts;
    data.fetch(run, count * BLOCK_BYTES, (bytes) => {
      engine.after(run, media.writeNs, () => {
        counters.writeCommands++;
        counters.blocksWritten += count;
        blocks.write(first, bytes);
        engine.complete(run, NVME_STATUS.SUCCESS);
      });
    });
  }
}

/** Beyond 2^53 a number is not exact, but beyond the end of any disk all the same. */
function rangeOf({ dwords }: NvmeCommand): BlockRange {
  return { first: dwords[11] * 2 ** 32 + dwords[10], count: (dwords[12] & 0xffff) + 1 };
}
