/**
 * What a P7IOC PHB wants set in each device it finds, and again after each reset; and its bus numbers.
 * Source: skiboot p7ioc hw/p7ioc-phb.c: p7ioc_device_init, p7ioc_choose_bus. Facts: ioda1-p7ioc 4.7.
 */
import type { Process } from '../../sim/process.js';
import { initErrorReporting } from '../device-errors.js';
import { initCommon } from '../device-init.js';
import type { PciDevice } from '../pci-device.js';
import type { BusChoice, BusRange, PciHost } from '../pci-host.js';

export function* initDevice(host: PciHost, device: PciDevice): Process<void> {
  yield* initCommon(host, device);
  yield* initErrorReporting(host, device, {
    ecrc: 'on',
    surpriseDown: 'reported',
    switchCorrectable: 'reported',
  });
}

/** A switch's downstream port, or a bridge to buses that are not PCI Express. */
function beginsPe({ type, isBridge }: PciDevice): boolean {
  return type === 'downstream-port' || (type === 'endpoint' && isBridge);
}

/** Most buses that one entry of the PE lookup can cover. */
const MOST_BUSES = 32;

/**
 * An entry of the PE lookup covers a power of two of buses, aligned to it. Below the downstream port of a switch, where a PE
 * begins, buses are taken so that one entry fits: the largest range there is room for, kept whether it is used or not.
 */
export function chooseBus(bridge: PciDevice, { first, last }: BusRange): BusChoice | undefined {
  if (!beginsPe(bridge)) return { secondary: first, subordinate: last, subordinateIs: 'as-found' };
  for (let buses = MOST_BUSES; buses >= 1; buses /= 2) {
    const secondary = Math.ceil(first / buses) * buses;
    const subordinate = secondary + buses - 1;
    if (subordinate <= last) return { secondary, subordinate, subordinateIs: 'fixed' };
  }
  return undefined;
}
