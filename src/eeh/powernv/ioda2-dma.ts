/**
 * DMA of a PE on bridges of the second kind: window 0 with TCE tables, and window 1 open to all of memory.
 * Source: linux powernv/pci-ioda.c: pnv_pci_ioda2_setup_dma_pe, pnv_pci_ioda2_set_bypass, pnv_pci_ioda2_release_pe_dma.
 */
import type { Process } from '../../sim/process.js';
import type { KernelContext } from '../context.js';
import { hex } from '../pci/device.js';
import type { DmaOptions, DmaSetup, IommuGroups, Print } from './iommu.js';
import type { PeDma, PowernvPe } from './pe-numbers.js';
import type { RangeAllocator } from './range-allocator.js';
import { Ioda2TceKill } from './tce-kill.js';
import { TceTable } from './tce-table.js';

/** Bus addresses with this bit go to the second window. */
const BYPASS_START = 1n << 59n;
/** Bounds of an untranslated window count in these. */
const BYPASS_GRANULE = 2 ** 24;

export class Ioda2Dma implements DmaSetup {
  constructor(
    private readonly ctx: KernelContext,
    private readonly memory: RangeAllocator,
    private readonly groups: IommuGroups,
    private readonly options: DmaOptions,
  ) {}

  *setUp(pe: PowernvPe, print: Print): Process<PeDma> {
    const { phbId, node } = pe.bus.controller;
    const { pageShift, levels, bypass } = this.options;
    const sizeBytes = this.options.windowBytes ?? node.m32.pciBase;
    print(`Setting up 32-bit TCE table at 0..${hex(node.m32.pciBase, 8)}`);
    const { port } = this.ctx;
    const kill = new Ioda2TceKill({ port, address: node.tceKillAddress }, { pe: pe.number, pageShift });
    const owner = { pe: pe.number, memory: port.memory };
    const table = new TceTable({ sizeBytes, pageShift, levels }, this.memory, owner, kill);
    print(`Setting up window#0 0..${hex(sizeBytes - 1)} pg=${hex(table.pageBytes)}`);
    yield* this.ctx.opal.pciMapPeDmaWindow(phbId, {
      pe: pe.number,
      window: windowId(pe, 0),
      levels,
      tableAddress: BigInt(table.root),
      tableBytes: BigInt(table.tableBytes),
      pageBytes: BigInt(table.pageBytes),
    });
    yield* kill.all();
    if (bypass === 'on') yield* this.setBypass(pe, print, this.memoryBytes());
    return { table, bypass, iommuGroup: this.groups.of(pe), dropAll: () => kill.all() };
  }

  *tearDown(pe: PowernvPe, dma: PeDma, print: Print): Process<void> {
    const nothing = { levels: 0, tableAddress: 0n, tableBytes: 0n, pageBytes: 0n };
    const window = { pe: pe.number, window: windowId(pe, 0), ...nothing };
    print('Removing DMA window #0');
    yield* this.ctx.opal.pciMapPeDmaWindow(pe.bus.controller.phbId, window);
    yield* dma.dropAll();
    if (dma.bypass === 'on') yield* this.setBypass(pe, print, 0);
    dma.table.freeTables();
  }

  private *setBypass(pe: PowernvPe, print: Print, sizeBytes: number): Process<void> {
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
}

function windowId(pe: PowernvPe, window: 0 | 1): number {
  return 2 * pe.number + window;
}
