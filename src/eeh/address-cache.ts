/** From an MMIO address to the device that owns it. Source: linux eeh_cache.c; facts: eeh-linux 5.4. */
import { type EehDev, edevOf } from './eeh-pe.js';
import type { KernelLog } from './log.js';
import { type PciDevice, ROM_INDEX } from './pci/device.js';

export interface AddressRange {
  readonly first: number;
  readonly last: number;
  readonly edev: EehDev;
  readonly device: PciDevice;
}

export class AddressCache {
  /** Ascending, disjoint. */
  private readonly ranges: AddressRange[] = [];

  constructor(private readonly log: KernelLog) {}

  /** BARs and ROM that have an address. */
  insertDevice(device: PciDevice): void {
    const edev = edevOf(device);
    if (edev === undefined) {
      this.log.warn(`PCI: no EEH dev found for ${device.name}`);
      return;
    }
    const { pciBase, cpuBase } = device.bus.controller.node.m32;
    for (const { index, pciAddress, sizeBytes } of device.resources) {
      if (index > ROM_INDEX || pciAddress === undefined) continue;
      const first = pciAddress - pciBase + cpuBase;
      this.insert({ first, last: first + sizeBytes - 1, edev, device });
    }
  }

  removeDevice(device: PciDevice): void {
    const kept = this.ranges.filter((range) => range.device !== device);
    this.ranges.splice(0, this.ranges.length, ...kept);
  }

  find(address: number): EehDev | undefined {
    return this.ranges.find((range) => address >= range.first && address <= range.last)?.edev;
  }

  entries(): readonly AddressRange[] {
    return this.ranges;
  }

  private insert(added: AddressRange): void {
    if (this.ranges.some((range) => range.first <= added.last && added.first <= range.last)) {
      this.log.warn('PIAR: overlapping address range');
      return;
    }
    const at = this.ranges.findIndex((range) => range.first > added.first);
    this.ranges.splice(at < 0 ? this.ranges.length : at, 0, added);
  }
}
