import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NVME_TIMING } from '../../src/pcie/nvme.js';
import { BLOCK_BYTES } from '../../src/pcie/nvme-blocks.js';
import { ADMIN, IO, NVME_STATUS } from '../../src/pcie/nvme-format.js';
import { IDENTIFY, MOST_TRANSFER_BYTES } from '../../src/pcie/nvme-identify.js';
import { NVME_CSTS } from '../../src/pcie/nvme-registers.js';
import { blockCommand, type Command, NvmeDriver, PAGE, pattern } from './nvme-driver.js';
import { BUS1 } from './rig.js';

const BUFFER = 0x8_0000;
const LISTS = 0x4_0000;
const BLOCKS = 10_000;
const PAGE_BLOCKS = PAGE / BLOCK_BYTES;
const { RDY, CFS } = NVME_CSTS;

function ready() {
  return new NvmeDriver({ blocks: BLOCKS }).enable().createQueues(1, 64);
}

function setEntry(driver: NvmeDriver, at: number, value: number): void {
  driver.r.setMemory32(at, value);
  driver.r.setMemory32(at + 4, 0);
}

/** A list at `at` that names pages; returns the two entries of a command whose first page is the first of them. */
function listed(driver: NvmeDriver, at: number, pages: readonly number[]): [number, number] {
  for (const [i, page] of pages.slice(1).entries()) setEntry(driver, at + 8 * i, page);
  return [pages[0]!, at];
}

describe('blocks', () => {
  it('that were never written are zeros', () => {
    const driver = ready();
    driver.r.memory.fill(0xee, BUFFER, BUFFER + PAGE);
    expect(driver.execute(1, blockCommand('READ', 77, 2, [BUFFER])).status).toBe(0);
    expect(driver.r.memory.slice(BUFFER, BUFFER + 1024)).toEqual(new Uint8Array(1024));
    expect(driver.r.memory[BUFFER + 1024]).toBe(0xee);
    expect(driver.disk.blocks.used).toBe(0);
  });

  it('take the media as long as it says', () => {
    const driver = ready();
    const took = (command: Command) => {
      const start = driver.r.sim.now;
      driver.execute(1, command);
      return driver.r.sim.now - start;
    };
    const { mediaReadNs, mediaWriteNs, flushNs, commandNs } = NVME_TIMING;
    for (const [command, figure] of [
      [blockCommand('READ', 0, 1, [BUFFER]), mediaReadNs],
      [blockCommand('WRITE', 0, 1, [BUFFER]), mediaWriteNs],
      [{ opcode: IO.FLUSH, namespace: 0xffff_ffff }, flushNs],
    ] as const) {
      const ns = took(command);
      expect(ns).toBeGreaterThan(figure.value + commandNs.value);
      expect(ns).toBeLessThan(figure.value + commandNs.value + 10_000);
    }
  });

  it('end where the disk ends', () => {
    const driver = ready();
    const status = (first: number, count: number) =>
      driver.execute(1, blockCommand('READ', first, count, [BUFFER])).status;
    expect([status(BLOCKS - 8, 8), status(BLOCKS - 7, 8), status(2 ** 32, 1), status(2 ** 63, 1)]).toEqual([
      ...[0, NVME_STATUS.LBA_OUT_OF_RANGE, NVME_STATUS.LBA_OUT_OF_RANGE, NVME_STATUS.LBA_OUT_OF_RANGE],
    ]);
  });

  it.each([
    [{ ...blockCommand('READ', 0, 1, [BUFFER]), namespace: 2 }, NVME_STATUS.INVALID_NAMESPACE],
    [{ ...blockCommand('WRITE', 0, 1, [BUFFER]), namespace: 0xffff_ffff }, NVME_STATUS.INVALID_NAMESPACE],
    [{ opcode: IO.FLUSH, namespace: 0 }, NVME_STATUS.INVALID_NAMESPACE],
    [{ ...blockCommand('READ', 0, 1, [BUFFER]), opcode: 0x05 }, NVME_STATUS.INVALID_OPCODE],
    [{ ...blockCommand('READ', 0, 1, [BUFFER]), flags: 0x80 }, NVME_STATUS.INVALID_FIELD],
    [blockCommand('READ', 0, MOST_TRANSFER_BYTES / BLOCK_BYTES + 1, [BUFFER]), NVME_STATUS.INVALID_FIELD],
    [blockCommand('READ', 0, 1, [BUFFER + 1]), NVME_STATUS.INVALID_PRP_OFFSET],
    [blockCommand('READ', 0, 9, [BUFFER, BUFFER + 0x1800]), NVME_STATUS.INVALID_PRP_OFFSET],
    [blockCommand('READ', 0, 32, [BUFFER, LISTS + 4]), NVME_STATUS.INVALID_PRP_OFFSET],
  ])('refuse %o', (command, status) => {
    expect(ready().execute(1, command).status).toBe(status);
  });
});

describe('data pages', () => {
  const ROUND = pattern(64 * BLOCK_BYTES, 3);

  it('are one or two in the command, the first from anywhere in a page', () => {
    const driver = ready();
    driver.r.memory.set(ROUND.slice(0, PAGE), BUFFER + 0x204);
    expect(driver.execute(1, blockCommand('WRITE', 3, PAGE_BLOCKS, [BUFFER + 0x204, BUFFER + PAGE])).status).toBe(0);
    expect(driver.execute(1, blockCommand('READ', 3, PAGE_BLOCKS, [0xa_0ff8, 0xc_0000])).status).toBe(0);
    expect(driver.r.memory.slice(0xa_0ff8, 0xa_1000)).toEqual(ROUND.slice(0, 8));
    expect(driver.r.memory.slice(0xc_0000, 0xc_0ff8)).toEqual(ROUND.slice(8, PAGE));
  });

  it('are more in a list, in any order', () => {
    const driver = ready();
    const pages = [0x9_0000, 0x8_3000, 0xa_1000, 0x8_0000];
    for (const [i, page] of pages.entries()) driver.r.memory.set(ROUND.slice(i * PAGE, (i + 1) * PAGE), page);
    const status = driver.execute(1, blockCommand('WRITE', 100, 32, listed(driver, LISTS + 0x18, pages))).status;
    expect(status).toBe(0);
    const back = [0xb_0000, 0xb_1000, 0xb_2000, 0xb_3000];
    driver.execute(1, blockCommand('READ', 100, 32, listed(driver, LISTS, back)));
    expect(driver.r.memory.slice(0xb_0000, 0xb_4000)).toEqual(ROUND.slice(0, 4 * PAGE));
  });

  it('may be in a chain of lists', () => {
    const driver = ready();
    driver.r.memory.set(ROUND.slice(0, 5 * PAGE), BUFFER);
    // Two entries are left in the first list page: one data page, and the way to the next list.
    setEntry(driver, LISTS + 0xff0, BUFFER + PAGE);
    setEntry(driver, LISTS + 0xff8, LISTS + PAGE);
    for (const i of [2, 3, 4]) setEntry(driver, LISTS + PAGE + 8 * (i - 2), BUFFER + i * PAGE);
    expect(driver.execute(1, blockCommand('WRITE', 0, 40, [BUFFER, LISTS + 0xff0])).status).toBe(0);
    expect(driver.disk.blocks.read(0, 40)).toEqual(ROUND.slice(0, 5 * PAGE));
    setEntry(driver, LISTS + 0xff8, LISTS + 0xff8);
    expect(driver.execute(1, blockCommand('WRITE', 0, 40, [BUFFER, LISTS + 0xff8])).status).toBe(
      NVME_STATUS.INVALID_PRP_OFFSET,
    );
    setEntry(driver, LISTS + 8, BUFFER + 0x100);
    setEntry(driver, LISTS, BUFFER);
    expect(driver.execute(1, blockCommand('WRITE', 0, 40, [BUFFER, LISTS])).status).toBe(
      NVME_STATUS.INVALID_PRP_OFFSET,
    );
  });

  it('are up to half a mebibyte', () => {
    const driver = ready();
    const pages = Array.from({ length: MOST_TRANSFER_BYTES / PAGE }, (_, i) => BUFFER + i * PAGE);
    driver.r.memory.set(pattern(MOST_TRANSFER_BYTES, 9), BUFFER);
    const all = MOST_TRANSFER_BYTES / BLOCK_BYTES;
    expect(driver.execute(1, blockCommand('WRITE', 0, all, listed(driver, LISTS, pages))).status).toBe(0);
    driver.r.memory.fill(0, BUFFER);
    expect(driver.execute(1, blockCommand('READ', 0, all, listed(driver, LISTS, pages))).status).toBe(0);
    expect(Buffer.compare(driver.r.memory.subarray(BUFFER), pattern(MOST_TRANSFER_BYTES, 9))).toBe(0);
  });
});

describe('a DMA that fails', () => {
  const refuse = (driver: NvmeDriver, address: number) => driver.r.refused.add(Math.floor(address / PAGE));

  it('while data are read ends the command with Data Transfer Error, and the disk keeps what it had', () => {
    const driver = ready();
    driver.r.memory.set(pattern(2 * PAGE, 1), BUFFER);
    driver.execute(1, blockCommand('WRITE', 0, 8, [BUFFER]));
    refuse(driver, BUFFER + PAGE);
    expect(driver.execute(1, blockCommand('WRITE', 0, 16, [BUFFER, BUFFER + PAGE])).status).toBe(
      NVME_STATUS.DATA_TRANSFER_ERROR,
    );
    expect(driver.disk.blocks.read(0, 8)).toEqual(pattern(2 * PAGE, 1).slice(0, PAGE));
    expect([driver.disk.blocks.used, driver.get('CSTS')]).toEqual([8, RDY]);
    expect(driver.execute(1, blockCommand('WRITE', 0, 8, [BUFFER])).status).toBe(0);
  });

  it('while a list is read does, too', () => {
    const driver = ready();
    refuse(driver, LISTS);
    for (const kind of ['READ', 'WRITE'] as const) {
      const { status } = driver.execute(1, blockCommand(kind, 0, 32, [BUFFER, LISTS]));
      expect(status).toBe(NVME_STATUS.DATA_TRANSFER_ERROR);
    }
    expect(driver.get('CSTS')).toBe(RDY);
  });

  it('while data are written goes unnoticed: writes are posted', () => {
    const driver = ready();
    refuse(driver, BUFFER);
    expect(driver.execute(1, blockCommand('READ', 0, 8, [BUFFER])).status).toBe(0);
    const identify = { opcode: ADMIN.IDENTIFY, prp1: BUFFER, dwords: [IDENTIFY.CONTROLLER] };
    expect(driver.admin(identify).status).toBe(0);
  });

  it.each(['refused', 'unanswered', 'not allowed'])('because it is %s, while a command is read, is fatal', (how) => {
    const driver = ready();
    driver.submit(1, blockCommand('READ', 0, 1, [BUFFER]));
    driver.r.run(10_000);
    if (how === 'refused') refuse(driver, driver.ringBase(1, 'SQ'));
    else if (how === 'unanswered') driver.r.answersReads = false;
    else driver.r.cfgWrite(BUS1, 0x04, 2, 0x0002);
    driver.submit(1, blockCommand('READ', 0, 1, [BUFFER]));
    driver.submit(0, { opcode: ADMIN.ASYNC_EVENT_REQUEST });
    driver.r.run(60e6);
    expect(driver.get('CSTS')).toBe(RDY | CFS);
    driver.r.refused.clear();
    driver.r.answersReads = true;
    driver.r.cfgWrite(BUS1, 0x04, 2, 0x0006);
    driver.r.reads.length = 0;
    driver.ring(1);
    driver.r.run(1e6);
    // Not even the command that ran is completed any more.
    expect([driver.take(0), driver.r.reads]).toEqual([[], []]);
    expect(driver.take(1).length).toBe(how === 'unanswered' ? 1 : 0);
    driver.set('CC', 0);
    driver.r.run(2e6);
    expect(driver.enable().get('CSTS')).toBe(RDY);
  });

  it('because the bus master bit fell meanwhile ends the data transfer, and with the completion the controller', () => {
    const driver = ready();
    driver.submit(1, blockCommand('READ', 0, 1, [BUFFER]));
    driver.r.run(20_000);
    driver.r.cfgWrite(BUS1, 0x04, 2, 0x0002);
    driver.r.run(1e6);
    expect([driver.get('CSTS'), driver.take(1)]).toEqual([RDY | CFS, []]);
  });
});

describe('in ten thousand commands', () => {
  it('what was written is read back, whatever else goes on', { timeout: 30_000 }, () => {
    const COMMANDS = 10_000;
    const driver = new NvmeDriver({ blocks: BLOCKS }).enable().enableMsiX();
    for (const queue of [1, 2, 3]) driver.createQueues(queue, 16, queue);
    const model = new Map<number, number>();
    let done = 0;
    let generation = 1;
    const round = fc.array(
      fc.record({
        queue: fc.integer({ min: 1, max: 3 }),
        kind: fc.constantFrom('READ', 'WRITE', 'FLUSH'),
        first: fc.nat(299),
        count: fc.integer({ min: 1, max: 3 }),
        offset: fc.nat(1023).map((word) => 4 * word),
      }),
      { minLength: 16, maxLength: 24 },
    );
    const stamped = (block: number, stamp: number) => pattern(BLOCK_BYTES, block * 65_599 + stamp);
    fc.assert(
      fc.property(round, (commands) => {
        if (done >= COMMANDS) return;
        const touched = new Set<number>();
        const pending = new Map<string, () => void>();
        for (const [slot, { queue, kind, first, count, offset }] of commands.entries()) {
          const blocks = Array.from({ length: count }, (_, i) => first + i);
          // Commands that run at once have no order among them.
          if (kind !== 'FLUSH' && blocks.some((block) => touched.has(block))) continue;
          for (const block of blocks) touched.add(block);
          const at = BUFFER + slot * 2 * PAGE + offset;
          const command =
            kind === 'FLUSH'
              ? { opcode: IO.FLUSH, namespace: 1 }
              : blockCommand(kind, first, count, [at, at - (at % PAGE) + PAGE]);
          if (kind === 'WRITE') {
            for (const [i, block] of blocks.entries()) {
              model.set(block, ++generation);
              driver.r.memory.set(stamped(block, generation), at + i * BLOCK_BYTES);
            }
          }
          const id = driver.put(queue, command);
          pending.set(`${queue}:${id}`, () => {
            if (kind !== 'READ') return;
            for (const [i, block] of blocks.entries()) {
              const stamp = model.get(block);
              const expected = stamp === undefined ? new Uint8Array(BLOCK_BYTES) : stamped(block, stamp);
              const found = driver.r.memory.subarray(at + i * BLOCK_BYTES, at + (i + 1) * BLOCK_BYTES);
              expect(Buffer.compare(found, expected)).toBe(0);
            }
          });
        }
        for (const queue of [1, 2, 3]) driver.ring(queue);
        for (let turn = 0; turn < 100 && pending.size > 0; turn++) {
          driver.r.run(20_000);
          for (const queue of [1, 2, 3]) {
            for (const { commandId, status } of driver.take(queue)) {
              expect(status).toBe(0);
              pending.get(`${queue}:${commandId}`)!();
              pending.delete(`${queue}:${commandId}`);
              done++;
            }
          }
        }
        expect(pending.size).toBe(0);
        driver.r.writes.length = 0;
        driver.r.reads.length = 0;
      }),
      { seed: 7, numRuns: 900, endOnFailure: true },
    );
    expect(done).toBeGreaterThanOrEqual(COMMANDS);
    expect(driver.get('CSTS')).toBe(RDY);
    expect(driver.disk.blocks.read(0, 300)).toEqual(
      Uint8Array.from(
        Array.from({ length: 300 }, (_, block) => {
          const stamp = model.get(block);
          return stamp === undefined ? Array.from(new Uint8Array(BLOCK_BYTES)) : Array.from(stamped(block, stamp));
        }).flat(),
      ),
    );
  });

  it('none hurts, however wrong it is', () => {
    const driver = new NvmeDriver({ blocks: 64 }).enable();
    const word = fc.oneof(fc.nat(300), fc.integer({ min: 0, max: 0xffff_ffff }));
    const wild = fc.record({
      opcode: fc.oneof(fc.constantFrom(...Object.values(ADMIN)), fc.nat(255)),
      flags: fc.constantFrom(0, 0, 0, 0x40),
      namespace: fc.constantFrom(0, 1, 2, 0xffff_ffff),
      prp1: fc.oneof(
        fc.nat(0xf).map((page) => BUFFER + page * PAGE),
        fc.nat(0xf_ffff),
      ),
      prp2: fc.nat(0xf_ffff),
      dwords: fc.array(word, { minLength: 6, maxLength: 6 }),
    });
    fc.assert(
      fc.property(wild, fc.integer({ min: 1, max: 4 }), (command, queue) => {
        if (driver.submissions[queue] === undefined) driver.createQueues(queue, 8);
        for (const target of [0, queue]) {
          if (driver.submissions[target] !== undefined) driver.submit(target, command);
        }
        driver.r.run(300_000);
        driver.take(0);
        for (const id of [1, 2, 3, 4]) if (driver.completions[id] !== undefined) driver.take(id);
        expect(driver.get('CSTS') & RDY).toBe(RDY);
        driver.r.reads.length = 0;
      }),
      { seed: 3, numRuns: 600 },
    );
  });
});
