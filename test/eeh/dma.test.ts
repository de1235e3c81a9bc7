import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NoDmaWindowError } from '../../src/eeh/drivers/services.js';
import { OutOfRangeSpaceError, RangeAllocator } from '../../src/eeh/powernv/range-allocator.js';
import { Ioda2TceKill } from '../../src/eeh/powernv/tce-kill.js';
import { TceTable } from '../../src/eeh/powernv/tce-table.js';
import { decodeTce, Permission } from '../../src/tce/tce.js';
import { FakeMachine } from './fake-machine.js';

const TCE_KILL = 0x3fff_e400_0210;

describe('the range allocator', () => {
  it('never hands out the same number twice and gets everything back, whatever the order', () => {
    const sizes = fc.array(fc.tuple(fc.integer({ min: 1, max: 40 }), fc.constantFrom(1, 2, 8, 16), fc.boolean()), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(sizes, (requests) => {
        const allocator = new RangeAllocator('test', 3, 500);
        const held: { start: number; size: number }[] = [];
        for (const [size, align, giveBack] of requests) {
          try {
            const start = allocator.allocate(size, align);
            expect(start % align).toBe(0);
            expect(start >= 3 && start + size <= 503).toBe(true);
            for (const other of held)
              expect(start + size <= other.start || other.start + other.size <= start).toBe(true);
            held.push({ start, size });
          } catch (error) {
            expect(error).toBeInstanceOf(OutOfRangeSpaceError);
          }
          const first = giveBack ? held.shift() : undefined;
          if (first !== undefined) allocator.release(first.start, first.size);
        }
        const inUse = held.reduce((sum, { size }) => sum + size, 0);
        expect(allocator.freeSize).toBe(500 - inUse);
        for (const { start, size } of held) allocator.release(start, size);
        expect(allocator.allocate(500)).toBe(3);
      }),
      { seed: 1, numRuns: 200 },
    );
  });

  it('refuses to take back what is free', () => {
    const allocator = new RangeAllocator('test', 0, 10);
    const start = allocator.allocate(4);
    allocator.release(start, 4);
    expect(() => allocator.release(start, 4)).toThrow(RangeError);
  });
});

describe('the TCE tables of a window', () => {
  function table(shape: { sizeBytes: number; pageShift: 12 | 16; levels: number }) {
    const machine = new FakeMachine();
    const memory = new RangeAllocator('memory', 0x10_0000, 0x800_0000);
    const kill = new Ioda2TceKill({ port: machine.port, address: TCE_KILL }, { pe: 0xfd, pageShift: shape.pageShift });
    const owner = { pe: 0xfd, memory: machine.port.memory };
    return { machine, memory, tces: new TceTable(shape, memory, owner, kill) };
  }

  it('hold one entry for each page, with the permission asked for, and drop it from the chip after each change', () => {
    const { machine, tces } = table({ sizeBytes: 2 ** 24, pageShift: 12, levels: 1 });
    const dma = machine.run(tces.map(0x123_4800, 0x1000, Permission.WRITE));
    expect(dma).toBe(0x1800);
    const entry = (index: number) => decodeTce(machine.port.memory.read64(tces.root + 8 * index), 12);
    expect(entry(1)).toEqual({ page: 0x123_4000n, read: 'refused', write: 'allowed' });
    expect(entry(2)).toEqual({ page: 0x123_5000n, read: 'refused', write: 'allowed' });
    expect(machine.port.memory.read64(tces.root)).toBe(0n);
    // ONE_PAGE, address and PE in one store, page by page.
    expect(machine.port.stores).toEqual([
      { address: TCE_KILL, size: 8, value: 0x2000_0000_0000_10fdn },
      { address: TCE_KILL, size: 8, value: 0x2000_0000_0000_20fdn },
    ]);
    machine.run(tces.unmap(dma, 0x1000));
    expect(machine.port.memory.read64(tces.root + 8)).toBe(0n);
    expect(machine.port.stores).toHaveLength(4);
    expect(machine.run(tces.map(0x5000, 1, Permission.READ))).toBe(0x1000);
  });

  it('of several levels grow when first needed', () => {
    const { machine, memory, tces } = table({ sizeBytes: 2 ** 31, pageShift: 12, levels: 2 });
    expect(tces.tableBytes).toBe(0x2000);
    const before = memory.freeSize;
    machine.run(tces.map(0x10_0000, 0x1000, Permission.READ_WRITE));
    expect(memory.freeSize).toBe(before - 0x2000);
    machine.run(tces.map(0x10_0000, 0x1000, Permission.READ_WRITE));
    expect(memory.freeSize).toBe(before - 0x2000);
    const indirect = machine.port.memory.read64(tces.root);
    expect(indirect & 3n).toBe(3n);
    const second = Number(indirect - 3n);
    expect(machine.port.memory.read64(second + 8)).toBe(0x10_0003n);
    tces.freeTables();
    expect(memory.freeSize).toBe(0x800_0000);
  });

  it('of 64 KiB pages name addresses to the chip in units of 4 KiB', () => {
    const { machine, tces } = table({ sizeBytes: 2 ** 31, pageShift: 16, levels: 1 });
    expect(machine.run(tces.map(0x12_0000, 1, Permission.READ))).toBe(0x1_0000);
    expect(machine.port.stores[0]?.value).toBe(0x2000_0000_0001_00fdn);
  });

  it('can lose an entry behind the books', () => {
    const { machine, tces } = table({ sizeBytes: 2 ** 24, pageShift: 12, levels: 1 });
    const dma = machine.run(tces.map(0x5000, 0x1000, Permission.READ));
    machine.run(tces.lose(dma));
    expect(machine.port.memory.read64(tces.root + 8)).toBe(0n);
    machine.run(tces.unmap(dma, 0x1000));
  });
});

describe('the DMA set-up of a PE', () => {
  it('can do without bypass and with a smaller window', () => {
    const dma = { bypass: 'off', windowBytes: 2 ** 28, pageShift: 16, levels: 1 } as const;
    const machine = new FakeMachine({ kernel: { dma } }).boot();
    machine.run(machine.kernel.removeDevice(machine.kernel.device('0000:01:00.0')!));
    const texts = machine.kernel.log.texts();
    expect(texts).toContain('pci 0000:01     : [PE# fd] Removing DMA window #0');
    expect(texts.join()).not.toContain('bypass');
    machine.run(machine.kernel.rescan());
    expect(machine.kernel.log.texts()).toContain('pci 0000:01     : [PE# fd] Setting up window#0 0..fffffff pg=10000');
  });

  it('is refused for a bridge, which has no window', () => {
    const { kernel } = new FakeMachine().boot();
    const port = kernel.device('0000:00:00.0')!;
    expect(() => kernel.services.map(port, 0, 1, 'both').next()).toThrow(NoDmaWindowError);
    expect(() => kernel.services.registerAddress(port, 0, 0)).toThrow(RangeError);
  });
});
