/**
 * Config space as the PCI core of the kernel reaches it: refused locally for blocked devices; every all-ones answer runs
 * the EEH check, or, on a PHB without the EEH flag, a freeze is cleared silently after each access.
 * Source: linux powernv/pci.c: pnv_pci_read_config, pnv_pci_config_check_eeh; facts: eeh-linux 5.1.
 */

import { OpalStatus } from '../../opal/opal-api.js';
import { STATUS_FIELDS } from '../../pcie/config-header.js';
import type { Process } from '../../sim/process.js';
import type { OpalCalls } from '../firmware.js';
import type { EehRecord, PciController, PciDevice, PciNode } from './device.js';
import {
  allOnes,
  CAPABILITY_LIST_LIMIT,
  type CapabilityNumber,
  EXTENDED_LIST_LIMIT,
  EXTENDED_START,
  type ExtendedCapabilityNumber,
  HEADER,
} from './regs.js';

export type ConfigStatus = 'ok' | 'not-found';
export interface ConfigAnswer {
  readonly status: ConfigStatus;
  readonly value: number;
}
export type ConfigSize = 1 | 2 | 4;

/** One function to talk to. `node` is absent while the kernel only looks whether something is there. */
export interface ConfigTarget {
  readonly controller: PciController;
  readonly bdfn: number;
  readonly node?: PciNode | undefined;
}

/** What EEH does about config accesses. */
export interface ConfigGuard {
  /** Above 0: the device is isolated. */
  checkDevice(record: EehRecord): Process<number>;
  /** Clears a freeze the access left behind. */
  clearSilently(controller: PciController, peNumber: number): Process<void>;
}

const FIRST_CAPABILITY = 0x40;
/** The number an absent device shows. */
const NO_CAPABILITY = 0xff;

export class PciConfig {
  private guard: ConfigGuard | undefined;

  constructor(private readonly opal: OpalCalls) {}

  attachGuard(guard: ConfigGuard): void {
    this.guard = guard;
  }

  *read(target: ConfigTarget, offset: number, size: ConfigSize): Process<ConfigAnswer> {
    const refused: ConfigAnswer = { status: 'not-found', value: allOnes(size) };
    if (isRefused(target)) return refused;
    const { controller, bdfn, node } = target;
    const answer = yield* this.opal.pciConfigRead(controller.phbId, bdfn, offset, size);
    const value = answer.rc === OpalStatus.SUCCESS ? answer.value : allOnes(size);
    if (controller.eeh === 'checked' && node?.edev !== undefined) {
      if (value === allOnes(size) && (yield* this.check(node.edev)) > 0) return refused;
    } else {
      yield* this.clearFreeze(target);
    }
    return { status: 'ok', value };
  }

  *write(target: ConfigTarget, offset: number, size: ConfigSize, value: number): Process<ConfigStatus> {
    if (isRefused(target)) return 'not-found';
    yield* this.opal.pciConfigWrite(target.controller.phbId, { bdfn: target.bdfn, offset, size }, value);
    if (target.controller.eeh !== 'checked') yield* this.clearFreeze(target);
    return 'ok';
  }

  /** The value alone, all ones when refused. */
  *value(target: ConfigTarget, offset: number, size: ConfigSize): Process<number> {
    return (yield* this.read(target, offset, size)).value;
  }

  /**
   * Offset of a capability, 0 if the function has none of that kind. Every question walks the list anew.
   * Source: linux drivers/pci/pci.c: pci_find_capability.
   */
  *findCapability(target: ConfigTarget, id: CapabilityNumber): Process<number> {
    const status = yield* this.value(target, HEADER.STATUS.at, 2);
    if ((status & STATUS_FIELDS.CAPABILITY_LIST) === 0) return 0;
    let at = yield* this.value(target, HEADER.CAPABILITY_POINTER.at, 1);
    for (let hops = 0; at >= FIRST_CAPABILITY && hops < CAPABILITY_LIST_LIMIT; hops++) {
      at &= ~3;
      const header = yield* this.value(target, at, 2);
      if ((header & 0xff) === NO_CAPABILITY) return 0;
      if ((header & 0xff) === id) return at;
      at = header >> 8;
    }
    return 0;
  }

  /** Nothing is asked of a device whose extended configuration space does not answer. */
  *findExtendedCapability(device: PciDevice, id: ExtendedCapabilityNumber): Process<number> {
    if (device.capabilities.configBytes <= EXTENDED_START) return 0;
    const target = configTarget(device);
    let at: number = EXTENDED_START;
    for (let hops = 0; at >= EXTENDED_START && hops < EXTENDED_LIST_LIMIT; hops++) {
      const header = yield* this.value(target, at, 4);
      if (header === 0) return 0;
      if ((header & 0xffff) === id) return at;
      at = (header >>> 20) & ~3;
    }
    return 0;
  }

  private *check(record: EehRecord): Process<number> {
    return this.guard === undefined ? 0 : yield* this.guard.checkDevice(record);
  }

  /** A function outside any PE answers through the reserved one. */
  private *clearFreeze(target: ConfigTarget): Process<void> {
    const { controller, node } = target;
    yield* this.guard?.clearSilently(controller, node?.peNumber ?? controller.node.reservedPe) ?? noProcess();
  }
}

function* noProcess(): Process<void> {}

function isRefused(target: ConfigTarget): boolean {
  if (target.controller.mayExist(target.bdfn) === 'no') return true;
  return target.node?.edev?.refusesConfig === true;
}

export function configTarget(device: PciDevice): ConfigTarget {
  return { controller: device.bus.controller, bdfn: device.bdfn, node: device.node };
}
