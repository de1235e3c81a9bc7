/**
 * EEH's own walk through the capabilities of a device it is about to watch, byte by byte and past the PCI core's checks.
 * Source: linux powernv/eeh-powernv.c: pnv_eeh_find_cap, pnv_eeh_find_ecap, pnv_eeh_probe.
 */
import { STATUS_FIELDS } from '../../pcie/config-header.js';
import type { Process } from '../../sim/process.js';
import type { KernelContext } from '../context.js';
import type { EehDev } from '../eeh-pe.js';
import type { ConfigSize } from '../pci/config.js';
import {
  CAPABILITY_LIST_LIMIT,
  Capability,
  type CapabilityNumber,
  EXTENDED_LIST_LIMIT,
  EXTENDED_START,
  ExtendedCapability,
  HEADER,
  PCIE,
} from '../pci/regs.js';

const FIRST_CAPABILITY = 0x40;
const NOBODY = 0xff;

export class EehCapabilities {
  constructor(private readonly ctx: KernelContext) {}

  *find(edev: EehDev): Process<void> {
    edev.pcixCapability = yield* this.capability(edev, Capability.PCIX);
    edev.pcieCapability = yield* this.capability(edev, Capability.PCI_EXPRESS);
    edev.advancedFeatures = yield* this.capability(edev, Capability.ADVANCED_FEATURES);
    edev.aerCapability = yield* this.extended(edev, ExtendedCapability.AER);
  }

  /** Of a bridge with a PCI Express capability. */
  *portType(edev: EehDev): Process<number> {
    const flags = yield* this.read(edev, edev.pcieCapability + PCIE.PCIE_FLAGS.at, 2);
    return (flags & PCIE.PCIE_FLAGS.fields!['PORT_TYPE']!) >> 4;
  }

  private *capability(edev: EehDev, id: CapabilityNumber): Process<number> {
    const status = yield* this.read(edev, HEADER.STATUS.at, 2);
    if ((status & STATUS_FIELDS.CAPABILITY_LIST) === 0) return 0;
    let pointer: number = HEADER.CAPABILITY_POINTER.at;
    for (let hops = 0; hops < CAPABILITY_LIST_LIMIT; hops++) {
      const at = (yield* this.read(edev, pointer, 1)) & ~3;
      if (at < FIRST_CAPABILITY) return 0;
      const found = yield* this.read(edev, at, 1);
      if (found === NOBODY) return 0;
      if (found === id) return at;
      pointer = at + 1;
    }
    return 0;
  }

  /** Ones are taken for a capability like any other: where extended space does not answer, the walk goes round until it is tired. */
  private *extended(edev: EehDev, id: number): Process<number> {
    if (edev.pcieCapability === 0) return 0;
    let at: number = EXTENDED_START;
    let header = yield* this.read(edev, at, 4);
    if (header === 0) return 0;
    for (let hops = 0; hops < EXTENDED_LIST_LIMIT; hops++) {
      if ((header & 0xffff) === id) return at;
      at = (header >>> 20) & ~3;
      if (at < EXTENDED_START) return 0;
      header = yield* this.read(edev, at, 4);
    }
    return 0;
  }

  private *read(edev: EehDev, at: number, size: ConfigSize): Process<number> {
    return (yield* this.ctx.opal.pciConfigRead(edev.controller.phbId, edev.bdfn, at, size)).value;
  }
}
