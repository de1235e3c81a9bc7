/** The pages of a DMA window as the TCE tables in memory have them: what a driver mapped, for what, and what is free. */
import type { TceTable } from '../eeh/powernv/tce-table.js';
import type { DmaPages, PageKind } from '../faults/target.js';
import type { SystemMemory } from '../hw/memory.js';
import type { RandomStream } from '../sim/random.js';
import { decodeTce, Permission } from '../tce/tce.js';

const TCE_BYTES = 8;
/** Tables stand on pages of 4 KiB. */
const TABLE_SHIFT = 12;
/** An almost full window is given up on after this many draws. */
const DRAWS = 1000;

const PERMISSION_OF: Readonly<Record<Exclude<PageKind, 'unmapped'>, Permission>> = {
  'read-only': Permission.READ,
  'write-only': Permission.WRITE,
};

export class WindowPages implements DmaPages {
  constructor(
    private readonly memory: SystemMemory,
    private readonly table: TceTable,
  ) {}

  get pageBytes(): number {
    return this.table.pageBytes;
  }

  get windowEnd(): bigint {
    return BigInt(this.table.start + this.table.shape.sizeBytes);
  }

  pick(kind: PageKind, random: RandomStream): bigint | undefined {
    const page = kind === 'unmapped' ? this.pickUnmapped(random) : this.pickMapped(PERMISSION_OF[kind], random);
    return page === undefined ? undefined : BigInt(this.table.start + page * this.pageBytes);
  }

  private pickUnmapped(random: RandomStream): number | undefined {
    const pages = Math.floor(this.table.shape.sizeBytes / this.pageBytes);
    for (let draw = 0; draw < DRAWS; draw++) {
      const page = random.below(pages);
      if (this.permissionOf(page) === Permission.NONE) return page;
    }
    return undefined;
  }

  private pickMapped(permission: Permission, random: RandomStream): number | undefined {
    const mapped: number[] = [];
    this.collect(this.table.root, this.table.shape.levels - 1, 0, (page, granted) => {
      if (granted === permission) mapped.push(page);
    });
    return mapped.length === 0 ? undefined : random.pick(mapped);
  }

  private get entriesPerTable(): number {
    return this.table.tableBytes / TCE_BYTES;
  }

  /** Upper levels whose table was never made grant nothing. */
  private permissionOf(page: number): Permission {
    let table = this.table.root;
    for (let level = this.table.shape.levels - 1; ; level--) {
      const index = Math.floor(page / this.entriesPerTable ** level) % this.entriesPerTable;
      const tce = this.memory.read64(table + index * TCE_BYTES);
      if (level === 0 || tce === 0n) return permissionIn(tce);
      table = Number(decodeTce(tce, TABLE_SHIFT).page);
    }
  }

  private collect(
    table: number,
    level: number,
    firstPage: number,
    found: (page: number, granted: Permission) => void,
  ): void {
    const span = this.entriesPerTable ** level;
    for (let index = 0; index < this.entriesPerTable; index++) {
      const tce = this.memory.read64(table + index * TCE_BYTES);
      if (tce === 0n) continue;
      const page = firstPage + index * span;
      if (level === 0) found(page, permissionIn(tce));
      else this.collect(Number(decodeTce(tce, TABLE_SHIFT).page), level - 1, page, found);
    }
  }
}

function permissionIn(tce: bigint): Permission {
  const { read, write } = decodeTce(tce, TABLE_SHIFT);
  return ((read === 'allowed' ? Permission.READ : 0) | (write === 'allowed' ? Permission.WRITE : 0)) as Permission;
}
