/**
 * Hardware PEs of buses, and of all buses behind a bridge to PCI: RID map, group vector, 32-bit segments, DMA windows; and
 * their release when the last device goes.
 * Source: linux powernv/pci-ioda.c: pnv_pci_configure_bus, pnv_ioda_setup_bus_PE, pnv_ioda_release_pe; order of calls as
 * recorded (facts: eeh-linux 24.2, 24.7).
 */
import { BusCompare, FreezeAction, PeAction, PeltvAction, RidCompare, WindowType } from '../../opal/opal-api.js';
import type { Process } from '../../sim/process.js';
import type { KernelContext } from '../context.js';
import type { MmioSegmentRequest } from '../firmware.js';
import { hex, type PciBus, type PciController, type PciDevice } from '../pci/device.js';
import { segmentBytes } from '../pci/windows.js';
import type { IodaKinds } from './ioda-kind.js';
import { PeNumbers, type PowernvPe, takesAllBelow } from './pe-numbers.js';

export class PeSetup {
  private readonly phbs: PeNumbers[];

  constructor(
    private readonly ctx: KernelContext,
    private readonly kinds: IodaKinds,
  ) {
    this.phbs = ctx.controllers.map((controller) => new PeNumbers(controller));
  }

  numbers(controller: PciController): PeNumbers {
    return this.phbs.find((phb) => phb.controller === controller)!;
  }

  peOf(device: PciDevice): PowernvPe | undefined {
    return this.numbers(device.bus.controller).ofBus(device.bus.number);
  }

  /** The 64-bit window of a PHB, once its tables are empty. */
  *initM64(controller: PciController): Process<void> {
    yield* this.kinds.of(controller).initM64(controller);
  }

  /** A device comes: the first of a bus without a PE makes the bus get one. */
  *addDevice(device: PciDevice): Process<void> {
    const known = this.peOf(device);
    if (known === undefined) this.ctx.log.info(`pci_bus ${device.bus.name}: Configuring PE for bus`);
    const pe = known ?? (yield* this.createBusPe(device.bus));
    if (pe !== undefined) yield* this.join(pe, device);
  }

  /** A device leaves; the last one takes the PE with it. */
  *removeDevice(device: PciDevice): Process<void> {
    const pe = this.peOf(device);
    if (pe === undefined) return;
    device.node.peNumber = undefined;
    pe.deviceCount--;
    if (pe.deviceCount <= 0) yield* this.releasePe(pe);
  }

  private *createBusPe(bus: PciBus): Process<PowernvPe | undefined> {
    const { phbId } = bus.controller;
    const numbers = this.numbers(bus.controller);
    const pe = numbers.allocate(bus);
    if (pe === undefined) return undefined;
    if (!bus.isRoot) yield* this.ctx.opal.pciEehFreezeClear(phbId, pe.number, FreezeAction.ALL);
    this.print(pe, `Secondary bus ${busesOf(pe)} associated with PE#${hex(pe.number)}`);
    yield* this.setRidMap(pe, PeAction.MAP);
    yield* this.ctx.opal.pciEehFreezeClear(phbId, pe.number, FreezeAction.ALL);
    yield* this.ctx.opal.pciSetPeltv(phbId, pe.number, pe.number, PeltvAction.ADD);
    yield* this.setInAncestors(pe, PeltvAction.ADD);
    yield* this.kinds.of(bus.controller).configureMessages(pe, (text) => this.print(pe, text));
    yield* this.mapSegments(pe);
    return pe;
  }

  private *join(pe: PowernvPe, device: PciDevice): Process<void> {
    const what = pe.deviceCount === 0 ? 'Configured' : 'Added to existing';
    this.ctx.log.info(`pci ${device.name}: ${what} PE#${hex(pe.number)}`);
    if (pe.dma === undefined && !device.isBridge) {
      pe.dma = yield* this.kinds.of(pe.bus.controller).dma.setUp(pe, (text) => this.print(pe, text));
    }
    if (!device.isBridge && pe.dma !== undefined) {
      this.ctx.log.info(`pci ${device.name}: Adding to iommu group ${pe.dma.iommuGroup}`);
    }
    device.node.peNumber = pe.number;
    pe.deviceCount++;
  }

  private *releasePe(pe: PowernvPe): Process<void> {
    const { phbId, node } = pe.bus.controller;
    const { dma } = this.kinds.of(pe.bus.controller);
    this.print(pe, 'Releasing PE');
    if (pe.dma !== undefined) yield* dma.tearDown(pe, pe.dma, (text) => this.print(pe, text));
    pe.dma = undefined;
    for (const segment of pe.segments) {
      yield* this.ctx.opal.pciMapPeMmioWindow(phbId, m32Segment(node.reservedPe, segment));
    }
    pe.segments.clear();
    yield* this.setInAncestors(pe, PeltvAction.REMOVE);
    yield* this.ctx.opal.pciEehFreezeClear(phbId, pe.number, FreezeAction.ALL);
    yield* this.ctx.opal.pciSetPeltv(phbId, pe.number, pe.number, PeltvAction.REMOVE);
    yield* this.setRidMap(pe, PeAction.UNMAP);
    this.numbers(pe.bus.controller).release(pe);
  }

  private *setRidMap(pe: PowernvPe, action: 0 | 1): Process<void> {
    const match = { bus: this.compare(pe), device: RidCompare.IGNORE, function: RidCompare.IGNORE };
    const rid = pe.bus.number << 8;
    yield* this.ctx.opal.pciSetPe(pe.bus.controller.phbId, { pe: pe.number, rid, match, action });
  }

  /** How many bits of a bus number tell that it is one of the PE's. */
  private compare({ bus, lastBus }: PowernvPe): number {
    const count = lastBus - bus.number + 1;
    const compare = COMPARE_OF_COUNT[count];
    if (compare !== undefined) return compare;
    this.ctx.log.err(`pci_bus ${bus.name}: Number of subordinate buses ${count} unsupported`);
    return BusCompare.ALL;
  }

  /** An error of a bus above freezes this PE too: every ancestor's vector names it, nearest first. */
  private *setInAncestors(pe: PowernvPe, action: 0 | 1): Process<void> {
    const { controller } = pe.bus;
    for (let bus = pe.bus.parent; bus !== undefined; bus = bus.parent) {
      const parent = this.numbers(controller).ofBus(bus.number);
      if (parent === undefined) continue;
      yield* this.ctx.opal.pciSetPeltv(controller.phbId, parent.number, pe.number, action);
    }
  }

  /** One call per memory resource and segment, repeated for resources that share one. */
  private *mapSegments(pe: PowernvPe): Process<void> {
    const { controller } = pe.bus;
    const segmentSize = segmentBytes(controller.node);
    const { pciBase } = controller.node.m32;
    for (const resource of pe.bus.devices.flatMap((device) => device.resources)) {
      if (resource.pciAddress === undefined) continue;
      const first = Math.floor((resource.pciAddress - pciBase) / segmentSize);
      const last = Math.floor((resource.pciAddress + resource.sizeBytes - 1 - pciBase) / segmentSize);
      for (let segment = first; segment <= last; segment++) {
        pe.segments.add(segment);
        yield* this.ctx.opal.pciMapPeMmioWindow(controller.phbId, m32Segment(pe.number, segment));
      }
    }
  }

  private print(pe: PowernvPe, text: string): void {
    const { controller, number } = pe.bus;
    const bus = `${hex(controller.domain, 4)}:${hex(number, 2)}`;
    this.ctx.log.info(`pci ${bus}     : [PE# ${hex(pe.number, 2)}] ${text}`);
  }
}

const COMPARE_OF_COUNT: Readonly<Record<number, number>> = {
  1: BusCompare.ALL,
  2: BusCompare.BITS_7,
  4: BusCompare.BITS_6,
  8: BusCompare.BITS_5,
  16: BusCompare.BITS_4,
  32: BusCompare.BITS_3,
};

function busesOf({ bus, lastBus }: PowernvPe): string {
  const first = `0x${hex(bus.number, 16)}`;
  return takesAllBelow(bus) ? `${first}..0x${hex(lastBus, 16)}` : first;
}

function m32Segment(pe: number, segment: number): MmioSegmentRequest {
  return { pe, type: WindowType.M32, window: 0, segment };
}
