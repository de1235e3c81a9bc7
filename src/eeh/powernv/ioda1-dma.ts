/**
 * DMA of a PE on bridges of the first kind: a share of the eight 256 MiB segments below the 32-bit window, by weight, with
 * one contiguous TCE table. Firmware refuses to take a segment back, so that what a PE had is lost with it (facts, D15).
 * Source: linux powernv/pci-ioda.c: pnv_pci_ioda1_setup_dma_pe, pnv_pci_ioda1_unset_window, pnv_pci_ioda1_release_pe_dma.
 */
import { OpalStatus } from '../../opal/opal-api.js';
import type { Process } from '../../sim/process.js';
import type { KernelContext } from '../context.js';
import { hex, type PciController, type PciDevice } from '../pci/device.js';
import { ClassCode } from '../pci/regs.js';
import type { DmaSetup, IommuGroups, Print } from './iommu.js';
import type { PeDma, PowernvPe } from './pe-numbers.js';
import type { RangeAllocator } from './range-allocator.js';
import { Ioda1TceKill } from './tce-kill.js';
import { TceTable } from './tce-table.js';

const SEGMENT_BYTES = 0x1000_0000;
const PAGE_SHIFT = 12;
const TCE_BYTES = 8;
/** Of each segment. */
const SEGMENT_TABLE_BYTES = (SEGMENT_BYTES / 2 ** PAGE_SHIFT) * TCE_BYTES;

const WEIGHT = { usual: 10, slowUsb: 3, raid: 15 } as const;
/** USB controllers before xHCI, with their programming interface. */
const SLOW_USB: readonly number[] = [0x0c_0300, 0x0c_0310, 0x0c_0320];

/** How much DMA a device is expected to do. Source: linux pci-ioda.c: pnv_pci_ioda_dev_dma_weight. */
export function dmaWeight({ isBridge, identity: { classCode } }: Pick<PciDevice, 'isBridge' | 'identity'>): number {
  if (isBridge) return 0;
  if (SLOW_USB.includes(classCode)) return WEIGHT.slowUsb;
  return classCode >> 8 === ClassCode.RAID ? WEIGHT.raid : WEIGHT.usual;
}

const weightOf = (devices: readonly PciDevice[]): number => devices.reduce((sum, device) => sum + dmaWeight(device), 0);

interface Segments {
  readonly base: number;
  readonly count: number;
}

export class Ioda1Dma implements DmaSetup {
  /** Owner of each segment, by number of its PE. */
  private readonly owners = new Map<PciController, (number | undefined)[]>();

  constructor(
    private readonly ctx: KernelContext,
    private readonly memory: RangeAllocator,
    private readonly groups: IommuGroups,
  ) {}

  *setUp(pe: PowernvPe, print: Print): Process<PeDma | undefined> {
    const { controller, devices } = pe.bus;
    const weight = weightOf(devices);
    if (weight === 0) return undefined;
    const total = weightOf(controller.buses().flatMap((bus) => [...bus.devices]));
    const owners = this.ownersOf(controller);
    const segments = findFree(owners, Math.max(1, Math.floor((weight * owners.length) / total)));
    if (segments === undefined) {
      print('No available DMA32 segments');
      return undefined;
    }
    const { base, count } = segments;
    const start = base * SEGMENT_BYTES;
    const end = (base + count) * SEGMENT_BYTES;
    print(`DMA weight ${weight} (${total}), assigned (${base}) ${count} DMA32 segments`);
    print(` Setting up 32-bit TCE table at ${hex(start, 8)}..${hex(end - 1, 8)}`);
    const table = this.makeTable(pe, { start, sizeBytes: end - start });
    if ((yield* this.map(pe, segments, { table, print })) !== OpalStatus.SUCCESS) {
      table.freeTables();
      return undefined;
    }
    owners.fill(pe.number, base, base + count);
    const pages = (end - start) / table.pageBytes;
    return {
      ...{ table, bypass: 'off', iommuGroup: this.groups.of(pe) },
      dropAll: () => this.killOf(controller).entries(0, pages, table.root),
    };
  }

  *tearDown(pe: PowernvPe, dma: PeDma, print: Print): Process<void> {
    print('Removing DMA window #0');
    const { controller } = pe.bus;
    const owners = this.ownersOf(controller);
    const nothing = { levels: 0, tableAddress: 0n, tableBytes: 0n, pageBytes: 0n };
    for (const [window, owner] of owners.entries()) {
      if (owner !== pe.number) continue;
      const rc = yield* this.ctx.opal.pciMapPeDmaWindow(controller.phbId, { pe: pe.number, window, ...nothing });
      if (rc !== OpalStatus.SUCCESS) {
        print(`Failure ${rc} unmapping DMA32 segment#${window}`);
        return;
      }
      owners[window] = undefined;
    }
    yield* dma.dropAll();
    dma.table.freeTables();
  }

  private *map(
    { number, bus }: PowernvPe,
    { base, count }: Segments,
    { table, print }: { table: TceTable; print: Print },
  ): Process<number> {
    for (let i = 0; i < count; i++) {
      const rc = yield* this.ctx.opal.pciMapPeDmaWindow(bus.controller.phbId, {
        ...{ pe: number, window: base + i, levels: 1, pageBytes: BigInt(table.pageBytes) },
        tableAddress: BigInt(table.root + SEGMENT_TABLE_BYTES * i),
        tableBytes: BigInt(SEGMENT_TABLE_BYTES),
      });
      if (rc !== OpalStatus.SUCCESS) {
        print(` Failed to configure 32-bit TCE table, err ${rc}`);
        return rc;
      }
    }
    return OpalStatus.SUCCESS;
  }

  private makeTable({ number, bus }: PowernvPe, window: { start: number; sizeBytes: number }): TceTable {
    const owner = { pe: number, memory: this.ctx.port.memory };
    const shape = { ...window, pageShift: PAGE_SHIFT, levels: 1 } as const;
    return new TceTable(shape, this.memory, owner, this.killOf(bus.controller));
  }

  private killOf({ node }: PciController): Ioda1TceKill {
    return new Ioda1TceKill({ port: this.ctx.port, address: node.tceKillAddress });
  }

  private ownersOf(controller: PciController): (number | undefined)[] {
    const known = this.owners.get(controller);
    if (known !== undefined) return known;
    const made = new Array<number | undefined>(controller.node.m32.pciBase / SEGMENT_BYTES).fill(undefined);
    this.owners.set(controller, made);
    return made;
  }
}

/** The first run of so many free segments, or of fewer if there is none. */
function findFree(owners: readonly (number | undefined)[], wanted: number): Segments | undefined {
  for (let count = wanted; count > 0; count--) {
    for (let base = 0; base <= owners.length - count; base++) {
      if (owners.slice(base, base + count).every((owner) => owner === undefined)) return { base, count };
    }
  }
  return undefined;
}
