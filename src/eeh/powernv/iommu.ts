/**
 * DMA set-up of a PE: window 0 with TCE tables, and window 1 open to all of memory. Drivers map and unmap buffers here.
 * Source: linux powernv/pci-ioda.c: pnv_pci_ioda2_setup_dma_pe, pnv_pci_ioda2_set_bypass, pnv_pci_ioda2_release_pe_dma.
 */
import type { Process } from '../../sim/process.js';
import { Permission } from '../../tce/tce.js';
import type { KernelContext } from '../context.js';
import { hex } from '../pci/device.js';
import type { PeDma, PowernvPe } from './pe-numbers.js';
import type { RangeAllocator } from './range-allocator.js';
import { TceTable } from './tce-table.js';

export interface DmaOptions {
  readonly pageShift: 12 | 16 | 24 | 28;
  readonly levels: number;
  /** Default: up to where the 32-bit MMIO window begins on the bus. */
  readonly windowBytes?: number;
  readonly bypass: 'on' | 'off';
}

export const DEFAULT_DMA: DmaOptions = { pageShift: 12, levels: 2, bypass: 'on' };

/** Bus addresses with this bit go to the second window. */
const BYPASS_START = 1n << 59n;
/** Bounds of an untranslated window count in these. */
const BYPASS_GRANULE = 2 ** 24;

export class Iommu {
  private nextGroup = 0;
  /** The group of a PE stays the same over unplug and replug. */
  private readonly groups = new Map<string, number>();

  constructor(
    private readonly ctx: KernelContext,
    readonly memory: RangeAllocator,
    private readonly options: DmaOptions,
  ) {}

  *setUp(pe: PowernvPe, print: (text: string) => void): Process<PeDma> {
    const { phbId, node } = pe.bus.controller;
    const { pageShift, levels, bypass } = this.options;
    const sizeBytes = this.options.windowBytes ?? node.m32.pciBase;
    print(`Setting up 32-bit TCE table at 0..${hex(node.m32.pciBase, 8)}`);
    const kill = { port: this.ctx.port, address: node.tceKillAddress, pe: pe.number };
    const table = new TceTable({ sizeBytes, pageShift, levels }, this.memory, kill);
    print(`Setting up window#0 0..${hex(sizeBytes - 1)} pg=${hex(table.pageBytes)}`);
    yield* this.ctx.opal.pciMapPeDmaWindow(phbId, {
      pe: pe.number,
      window: windowId(pe, 0),
      levels,
      tableAddress: BigInt(table.root),
      tableBytes: BigInt(table.tableBytes),
      pageBytes: BigInt(table.pageBytes),
    });
    yield* table.invalidateAll();
    if (bypass === 'on') yield* this.setBypass(pe, print, this.memoryBytes());
    return { table, bypass, iommuGroup: this.groupOf(pe) };
  }

  *tearDown(pe: PowernvPe, dma: PeDma, print: (text: string) => void): Process<void> {
    const nothing = { levels: 0, tableAddress: 0n, tableBytes: 0n, pageBytes: 0n };
    const window = { pe: pe.number, window: windowId(pe, 0), ...nothing };
    print('Removing DMA window #0');
    yield* this.ctx.opal.pciMapPeDmaWindow(pe.bus.controller.phbId, window);
    yield* dma.table.invalidateAll();
    if (dma.bypass === 'on') yield* this.setBypass(pe, print, 0);
    dma.table.freeTables();
  }

  private *setBypass(pe: PowernvPe, print: (text: string) => void, sizeBytes: number): Process<void> {
    print(sizeBytes === 0 ? 'Disabling 64-bit DMA bypass' : 'Enabling 64-bit DMA bypass');
    const { phbId } = pe.bus.controller;
    yield* this.ctx.opal.pciMapPeDmaWindowReal(phbId, {
      pe: pe.number,
      window: windowId(pe, 1),
      pciStart: BYPASS_START,
      size: BigInt(sizeBytes),
    });
  }

  private memoryBytes(): number {
    const { baseAddress, sizeBytes } = this.ctx.port.memory;
    return Math.max(BYPASS_GRANULE, 2 ** Math.ceil(Math.log2(baseAddress + sizeBytes)));
  }

  private groupOf(pe: PowernvPe): number {
    const key = `${pe.bus.controller.domain}:${pe.number}`;
    const known = this.groups.get(key) ?? this.nextGroup++;
    this.groups.set(key, known);
    return known;
  }
}

function windowId(pe: PowernvPe, window: 0 | 1): number {
  return 2 * pe.number + window;
}

export type DmaDirection = 'to-device' | 'from-device' | 'both';

/** The permission a buffer needs: a device that receives writes memory. */
export const PERMISSION: Readonly<Record<DmaDirection, Permission>> = {
  'to-device': Permission.READ,
  'from-device': Permission.WRITE,
  both: Permission.READ_WRITE,
};
