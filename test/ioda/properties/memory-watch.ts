/** Notes what a chip does to system memory, by standing before the methods it calls. */
import type { SystemMemory } from '../../../src/hw/memory.js';
import type { Direction, MemoryAccess } from './chip.js';

const BLOCKS = { readBlock: 'read', writeBlock: 'write' } as const;
const WRITES = { write8: 1, write16: 2, write32: 4, write64: 8, write64Halves: 8 } as const;

export class MemoryWatch {
  accesses: MemoryAccess[] = [];
  private blind = 0;

  constructor(memory: SystemMemory) {
    const writable = memory as unknown as Record<string, (...args: unknown[]) => unknown>;
    for (const [name, direction] of Object.entries(BLOCKS)) {
      this.wrap(writable, name, direction, (length) =>
        typeof length === 'number' ? length : (length as Uint8Array).length,
      );
    }
    for (const [name, length] of Object.entries(WRITES)) this.wrap(writable, name, 'write', () => length);
  }

  private wrap(
    memory: Record<string, (...args: unknown[]) => unknown>,
    name: string,
    direction: Direction,
    lengthOf: (argument: unknown) => number,
  ): void {
    const original = memory[name]!.bind(memory);
    memory[name] = (...args) => {
      if (this.blind === 0) this.accesses.push({ direction, address: args[0] as number, length: lengthOf(args[1]) });
      return original(...args);
    };
  }

  unseen<T>(look: () => T): T {
    this.blind++;
    try {
      return look();
    } finally {
      this.blind--;
    }
  }
}
