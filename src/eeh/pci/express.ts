/**
 * Registers of the PCI Express capability as the kernel reaches them: one that the device's kind or the version of its
 * capability lacks is not touched and reads 0.
 * Source: linux drivers/pci/access.c: pcie_capability_reg_implemented, pcie_capability_clear_and_set_word.
 */
import { PortType } from '../../pcie/capabilities.js';
import type { Process } from '../../sim/process.js';
import { type ConfigSize, configTarget, type PciConfig } from './config.js';
import type { PciDevice } from './device.js';
import { PCIE } from './regs.js';

const DEVICE = ['DEVCAP', 'DEVCTL', 'DEVSTA'] as const;
const LINK = ['LNKCAP', 'LNKCTL', 'LNKSTA'] as const;
const SLOT = ['SLTCAP', 'SLTCTL', 'SLTSTA'] as const;
const ROOT = ['RTCTL', 'RTCAP', 'RTSTA'] as const;
const SECOND = ['DEVCAP2', 'DEVCTL2', 'LNKCAP2', 'LNKCTL2'] as const;
export type ExpressRegister =
  | (typeof DEVICE)[number]
  | (typeof LINK)[number]
  | (typeof SLOT)[number]
  | (typeof ROOT)[number]
  | (typeof SECOND)[number];

const includes = (list: readonly string[], name: string): boolean => list.includes(name);

export function implementsRegister(device: PciDevice, name: ExpressRegister): boolean {
  const { pcie, pcieFlags, portType } = device.capabilities;
  if (pcie === 0) return false;
  if (includes(SLOT, name)) return device.isDownstreamPort && (pcieFlags & PCIE.PCIE_FLAGS.fields!['SLOT']!) !== 0;
  if (includes(ROOT, name)) return portType === PortType.rootPort;
  if (includes(SECOND, name)) return (pcieFlags & PCIE.PCIE_FLAGS.fields!['VERSION']!) > 1;
  return true;
}

export class PciExpress {
  constructor(private readonly config: PciConfig) {}

  *read(device: PciDevice, name: ExpressRegister): Process<number> {
    if (!implementsRegister(device, name)) return 0;
    const size: ConfigSize = PCIE[name].size === 4 ? 4 : 2;
    return yield* this.config.value(configTarget(device), device.capabilities.pcie + PCIE[name].at, size);
  }

  *write(device: PciDevice, name: ExpressRegister, value: number): Process<void> {
    if (!implementsRegister(device, name)) return;
    yield* this.config.write(configTarget(device), device.capabilities.pcie + PCIE[name].at, 2, value & 0xffff);
  }

  /** Reads and writes, also where nothing changes. */
  *change(device: PciDevice, name: ExpressRegister, bits: { clear?: number; set?: number }): Process<void> {
    if (!implementsRegister(device, name)) return;
    const value = yield* this.read(device, name);
    yield* this.write(device, name, (value & ~(bits.clear ?? 0)) | (bits.set ?? 0));
  }
}
