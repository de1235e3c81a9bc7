/** Builds TCE trees in memory the way an operating system does: tables appear as pages are mapped. */
import type { SystemMemory } from '../../src/hw/memory.js';
import { encodeIndirectTce, encodeTce, type Permission } from '../../src/tce/tce.js';
import { encodeTranslatedTve, type TranslatedWindow } from '../../src/tce/tve.js';

export class TceTree {
  readonly tve: bigint;
  private nextTable: number;

  constructor(
    private readonly memory: SystemMemory,
    private readonly window: Required<TranslatedWindow>,
  ) {
    this.tve = encodeTranslatedTve(window);
    this.nextTable = window.tableAddress + window.tableBytes;
  }

  map(dmaAddress: bigint, realPage: number, permission: Permission): void {
    this.memory.write64(this.entryAddress(dmaAddress), encodeTce(realPage, permission));
  }

  /** Real address of the entry for a DMA address, `above` levels over the last; makes the tables on the way. */
  entryAddress(dmaAddress: bigint, above = 0): number {
    const { levels, pageShift, tableBytes } = this.window;
    const entries = BigInt(tableBytes / 8);
    let table = this.window.tableAddress;
    for (let level = levels - 1; ; level--) {
      const pagesBelow = entries ** BigInt(level);
      const entry = table + Number((dmaAddress / (pagesBelow << BigInt(pageShift))) % entries) * 8;
      if (level === above) return entry;
      table = this.tableBehind(entry);
    }
  }

  private tableBehind(entry: number): number {
    const present = this.memory.read64(entry);
    if (present !== 0n) return Number((present >> 12n) << 12n);
    const table = this.nextTable;
    this.nextTable += this.window.tableBytes;
    this.memory.write64(entry, encodeIndirectTce(table));
    return table;
  }
}
