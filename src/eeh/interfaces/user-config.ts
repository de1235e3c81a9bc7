/**
 * Configuration space as user space reaches it: through the accessors of the PCI core, so an answer of all ones runs the
 * EEH check. Refused accesses show as all ones, without an error. Source: linux drivers/pci/pci-sysfs.c: pci_read_config,
 * pci_write_config; facts: eeh-linux 17.6.
 */
import type { Process } from '../../sim/process.js';
import { type ConfigSize, configTarget, type PciConfig } from '../pci/config.js';
import type { PciDevice } from '../pci/device.js';

export class UserConfig {
  constructor(private readonly config: PciConfig) {}

  /** 256, or 4096 where extended space answers. */
  size(device: PciDevice): number {
    return device.capabilities.configBytes;
  }

  *read(device: PciDevice, offset: number, length: number): Process<Uint8Array> {
    const target = configTarget(device);
    const bytes = new Uint8Array(length);
    for (const { at, size } of accesses(offset, length)) {
      const value = yield* this.config.value(target, at, size);
      for (let i = 0; i < size; i++) bytes[at - offset + i] = value >>> (8 * i);
    }
    return bytes;
  }

  *write(device: PciDevice, offset: number, bytes: Uint8Array): Process<void> {
    const target = configTarget(device);
    for (const { at, size } of accesses(offset, Math.min(bytes.length, this.size(device) - offset))) {
      let value = 0;
      for (let i = 0; i < size; i++) value += bytes[at - offset + i]! * 2 ** (8 * i);
      yield* this.config.write(target, at, size, value);
    }
  }
}

/** The widest aligned accesses that cover a range. */
function accesses(offset: number, length: number): { at: number; size: ConfigSize }[] {
  const found: { at: number; size: ConfigSize }[] = [];
  for (let at = offset; at < offset + length; ) {
    const left = offset + length - at;
    const size: ConfigSize = at % 4 === 0 && left >= 4 ? 4 : at % 2 === 0 && left >= 2 ? 2 : 1;
    found.push({ at, size });
    at += size;
  }
  return found;
}
