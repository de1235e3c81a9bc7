/**
 * What the kernel does differently on the two kinds of bridges when it sets up PEs: the 64-bit window, the filter for
 * messages, DMA. Source: linux powernv/pci-ioda.c: pnv_pci_init_ioda_phb, pnv_ioda1_init_m64, pnv_ioda2_init_m64,
 * pnv_ioda_configure_pe. Facts: opal-pci 11.1.
 */
import { MmioEnable, MveEnable, OpalStatus, WindowType } from '../../opal/opal-api.js';
import type { Process } from '../../sim/process.js';
import type { KernelContext } from '../context.js';
import type { PciController } from '../pci/device.js';
import { Ioda1Dma } from './ioda1-dma.js';
import { Ioda2Dma } from './ioda2-dma.js';
import { type DmaOptions, type DmaSetup, IommuGroups, type Print } from './iommu.js';
import type { PowernvPe } from './pe-numbers.js';
import type { RangeAllocator } from './range-allocator.js';

export interface IodaKind {
  readonly dma: DmaSetup;
  /** The 64-bit window of a PHB, once at boot. */
  initM64(controller: PciController): Process<void>;
  /** After a PE has its requesters and its group vector. */
  configureMessages(pe: PowernvPe, print: Print): Process<void>;
}

export interface IodaKinds {
  of(controller: PciController): IodaKind;
}

export function iodaKinds(ctx: KernelContext, memory: RangeAllocator, options: DmaOptions): IodaKinds {
  const groups = new IommuGroups();
  const first = new Ioda1(ctx, new Ioda1Dma(ctx, memory, groups));
  const second = new Ioda2(ctx, new Ioda2Dma(ctx, memory, groups, options));
  return { of: ({ model }) => (model === 'p7ioc' ? first : second) };
}

/** Sixteen windows of eight segments, and PE n always owns segment n. */
const M64_WINDOWS = 16;
const M64_SEGMENTS = 8;

class Ioda1 implements IodaKind {
  constructor(
    private readonly ctx: KernelContext,
    readonly dma: DmaSetup,
  ) {}

  *initM64({ phbId, node, domain }: PciController): Process<void> {
    const { m64, totalPes } = node;
    if (m64 === undefined) return;
    const { opal, log } = this.ctx;
    const size = m64.sizeBytes / M64_WINDOWS;
    for (let window = 0; window < M64_WINDOWS; window++) {
      const address = BigInt(m64.cpuBase + window * size);
      const set = { type: WindowType.M64, window, address, size: BigInt(size) };
      const rc = yield* opal.pciSetPhbMemWindow(phbId, set);
      const place = `M64 PHB#${domain.toString(16)}-BAR#${window}`;
      if (rc !== OpalStatus.SUCCESS) {
        log.warn(`  Error ${rc} setting ${place}`);
        return;
      }
      const enabled = yield* opal.pciPhbMmioEnable(phbId, WindowType.M64, window, MmioEnable.SPLIT);
      if (enabled !== OpalStatus.SUCCESS) {
        log.warn(`  Error ${enabled} enabling ${place}`);
        return;
      }
    }
    for (let pe = 0; pe < totalPes; pe++) {
      const place = { window: Math.floor(pe / M64_SEGMENTS), segment: pe % M64_SEGMENTS };
      yield* opal.pciMapPeMmioWindow(phbId, { pe, type: WindowType.M64, ...place });
    }
  }

  /** The entry with the number of the PE lets in messages of the PE's requesters. */
  *configureMessages(pe: PowernvPe, print: Print): Process<void> {
    const { opal } = this.ctx;
    const { phbId } = pe.bus.controller;
    const mve = pe.number;
    pe.mve = undefined;
    const set = yield* opal.pciSetMve(phbId, mve, pe.number);
    if (set !== OpalStatus.SUCCESS) {
      print(`OPAL error ${set} setting up MVE ${mve.toString(16)}`);
      return;
    }
    const enabled = yield* opal.pciSetMveEnable(phbId, mve, MveEnable.ENABLE);
    if (enabled !== OpalStatus.SUCCESS) print(`OPAL error ${enabled} enabling MVE ${mve.toString(16)}`);
    else pe.mve = mve;
  }
}

class Ioda2 implements IodaKind {
  constructor(
    private readonly ctx: KernelContext,
    readonly dma: DmaSetup,
  ) {}

  /** The last window register of the PHB, split into a segment for each PE. */
  *initM64({ phbId, node: { m64 } }: PciController): Process<void> {
    if (m64 === undefined) return;
    const { bar = LAST_M64_WINDOW, cpuBase, sizeBytes } = m64;
    const { opal } = this.ctx;
    const window = { type: WindowType.M64, window: bar, address: BigInt(cpuBase), size: BigInt(sizeBytes) };
    yield* opal.pciSetPhbMemWindow(phbId, window);
    yield* opal.pciPhbMmioEnable(phbId, WindowType.M64, bar, MmioEnable.SPLIT);
  }

  /** These bridges have no such filter. */
  *configureMessages(pe: PowernvPe): Process<void> {
    pe.mve = 0;
  }
}

const LAST_M64_WINDOW = M64_WINDOWS - 1;
