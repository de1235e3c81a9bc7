/** PE numbers of one PHB and the RIDs they own, as the powernv code keeps them. Facts: eeh-linux 2.3. */
import { PortType } from '../../pcie/capabilities.js';
import type { Process } from '../../sim/process.js';
import type { PciBus, PciController } from '../pci/device.js';
import type { TceTable } from './tce-table.js';

/** One hardware PE in use. */
export interface PowernvPe {
  readonly number: number;
  /** The bus it covers whole. */
  readonly bus: PciBus;
  /** That bus, or the last one behind a bridge to PCI: what is below such a one cannot be told apart. */
  readonly lastBus: number;
  /** Devices set up for it; the last one to leave releases it. */
  deviceCount: number;
  readonly segments: Set<number>;
  /** Entry of the bridge that lets its messages in; 0 where bridges have none, undefined if firmware refused it. */
  mve: number | undefined;
  dma: PeDma | undefined;
}

export interface PeDma {
  readonly table: TceTable;
  readonly bypass: 'on' | 'off';
  readonly iommuGroup: number;
  /** Has the bridge forget every entry of the window that it may have cached. */
  dropAll(): Process<void>;
}

/** A bridge to conventional PCI takes all buses below it into one PE. */
export function takesAllBelow({ bridge }: PciBus): boolean {
  const { pcie, portType } = bridge?.capabilities ?? { pcie: 0, portType: 0 };
  return pcie !== 0 && portType === PortType.pciBridge;
}

export class PeNumbers {
  /** The root bus has its number set aside: the one below the reserved PE, or 1 when 0 is reserved. */
  readonly rootNumber: number;
  private readonly inUse: (PowernvPe | undefined)[] = [];

  constructor(readonly controller: PciController) {
    const { reservedPe } = controller.node;
    this.rootNumber = reservedPe === 0 ? 1 : reservedPe - 1;
  }

  /** The PE of a bus: new for most, the one set aside for the root bus. Undefined when all numbers are taken. */
  allocate(bus: PciBus): PowernvPe | undefined {
    const number = bus.isRoot ? this.rootNumber : this.highestFree();
    if (number < 0) return undefined;
    const lastBus = takesAllBelow(bus) ? bus.lastNumber : bus.number;
    const pe: PowernvPe = { number, bus, lastBus, deviceCount: 0, segments: new Set(), mve: 0, dma: undefined };
    this.inUse[number] = pe;
    return pe;
  }

  release(pe: PowernvPe): void {
    this.inUse[pe.number] = undefined;
  }

  ofBus(busNumber: number): PowernvPe | undefined {
    return this.inUse.find((pe) => pe !== undefined && pe.bus.number <= busNumber && busNumber <= pe.lastBus);
  }

  /** In ascending order. */
  all(): PowernvPe[] {
    return this.inUse.filter((pe) => pe !== undefined);
  }

  private highestFree(): number {
    const { totalPes, reservedPe } = this.controller.node;
    for (let number = totalPes - 1; number >= 0; number--) {
      const taken = number === reservedPe || number === this.rootNumber || this.inUse[number] !== undefined;
      if (!taken) return number;
    }
    return -1;
  }
}
