/** The saved configuration header of a device, its restore, and the link check of ports. Facts: eeh-linux 9. */

import { LNKCTL_FIELDS, LNKSTA_FIELDS, SLTSTA_FIELDS } from '../pcie/capabilities.js';
import { BRIDGE_CONTROL_FIELDS, COMMAND_FIELDS } from '../pcie/config-header.js';
import type { Process } from '../sim/process.js';
import type { KernelContext } from './context.js';
import { DevMode, EehLimits } from './eeh-flags.js';
import type { EehDev, EehPe } from './eeh-pe.js';
import { BRIDGE, DWORD, HEADER, HEADER_DWORDS, PCIE, Slot } from './pci/regs.js';
import type { EehPlatform } from './powernv/eeh-platform.js';

const FIRST_BAR = DWORD.BAR0;
const LAST_DEVICE_BAR = 9;
const LAST_BRIDGE_WINDOW = 12;
/** What a device gets back of its command register; the rest is its driver's business. */
const RESTORED_COMMAND_BITS = COMMAND_FIELDS.PARITY | COMMAND_FIELDS.SERR;

export class EehConfig {
  constructor(
    private readonly ctx: KernelContext,
    private readonly platform: EehPlatform,
  ) {}

  /** Source: linux eeh.c: eeh_save_bars. */
  *save(edev: EehDev): Process<void> {
    for (let i = 0; i < HEADER_DWORDS; i++) edev.configSpace[i] = yield* this.platform.readConfig(edev, 4 * i, 4);
    // A bridge that comes back without bus mastering would keep its devices from answering.
    if (edev.has(DevMode.BRIDGE)) edev.configSpace[DWORD.COMMAND]! |= COMMAND_FIELDS.BUS_MASTER;
  }

  /** Every device of the subtree. Source: linux eeh_pe.c: eeh_pe_restore_bars. */
  *restoreSubtree(pe: EehPe): Process<void> {
    for (const edev of pe.devicesBelow()) yield* this.restore(edev);
  }

  *restore(edev: EehDev): Process<void> {
    if (edev.has(DevMode.BRIDGE)) yield* this.restoreBridge(edev);
    else yield* this.restoreDevice(edev);
    yield* this.platform.restoreConfig(edev);
  }

  private *restoreDevice(edev: EehDev): Process<void> {
    for (let i = FIRST_BAR; i <= LAST_DEVICE_BAR; i++) yield* this.writeSaved(edev, i);
    yield* this.writeSaved(edev, DWORD.ROM);
    yield* this.writeCommonTail(edev);
    const command = yield* this.platform.readConfig(edev, HEADER.COMMAND.at, 4);
    const saved = edev.configSpace[DWORD.COMMAND]! & RESTORED_COMMAND_BITS;
    yield* this.platform.writeConfig(edev, HEADER.COMMAND.at, 4, ((command & ~RESTORED_COMMAND_BITS) | saved) >>> 0);
  }

  private *restoreBridge(edev: EehDev): Process<void> {
    for (let i = FIRST_BAR; i <= LAST_BRIDGE_WINDOW; i++) yield* this.writeSaved(edev, i);
    yield* this.writeSaved(edev, DWORD.BRIDGE_ROM);
    yield* this.writeCommonTail(edev);
    const command = edev.configSpace[DWORD.COMMAND]! | COMMAND_FIELDS.MEMORY | COMMAND_FIELDS.BUS_MASTER;
    yield* this.platform.writeConfig(edev, HEADER.COMMAND.at, 4, command >>> 0);
    if (edev.has(DevMode.ROOT_PORT | DevMode.DS_PORT)) yield* this.checkLink(edev);
  }

  private *writeCommonTail(edev: EehDev): Process<void> {
    for (const at of [HEADER.CACHE_LINE.at, HEADER.LATENCY_TIMER.at]) {
      yield* this.platform.writeConfig(edev, at, 1, savedByte(edev, at));
    }
    yield* this.writeSaved(edev, DWORD.INTERRUPT);
  }

  private *writeSaved(edev: EehDev, dword: number): Process<void> {
    yield* this.platform.writeConfig(edev, 4 * dword, 4, edev.configSpace[dword]!);
  }

  /** Source: linux eeh_pe.c: eeh_bridge_check_link. */
  private *checkLink(edev: EehDev): Process<void> {
    const capability = edev.pcieCapability;
    const read = (at: number): Process<number> => this.platform.readConfig(edev, capability + at, 2);
    const slotStatus = yield* read(PCIE.SLTSTA.at);
    if ((slotStatus & SLTSTA_FIELDS.PRESENCE) === 0) {
      this.ctx.log.debug(`${edev.logPrefix}No card in the slot (0x${slotStatus.toString(16).padStart(4, '0')}) !`);
      return;
    }
    if (((yield* read(PCIE.SLTCAP.at)) & Slot.CAP_POWER_CONTROLLER) !== 0) yield* this.powerOn(edev);
    const control = (yield* read(PCIE.LNKCTL.at)) & ~LNKCTL_FIELDS.DISABLE;
    yield* this.platform.writeConfig(edev, capability + PCIE.LNKCTL.at, 2, control);
    yield* this.waitForLink(edev);
  }

  private *powerOn(edev: EehDev): Process<void> {
    const at = edev.pcieCapability + PCIE.SLTCTL.at;
    const control = yield* this.platform.readConfig(edev, at, 2);
    if ((control & Slot.CONTROL_POWER_OFF) === 0) return;
    const on = (control & ~(Slot.CONTROL_POWER_OFF | Slot.CONTROL_POWER_INDICATOR)) | Slot.CONTROL_POWER_INDICATOR_ON;
    yield* this.platform.writeConfig(edev, at, 2, on);
    yield* this.ctx.clock.msleep(EehLimits.bridgePowerOnMs);
  }

  private *waitForLink(edev: EehDev): Process<void> {
    if (edev.linkReporting === 'no') {
      yield* this.ctx.clock.msleep(EehLimits.bridgeNoReportMs);
      return;
    }
    for (let waited = 0; waited < EehLimits.bridgeLinkTimeoutMs; waited += EehLimits.bridgeLinkStepMs) {
      yield* this.ctx.clock.msleep(EehLimits.bridgeLinkStepMs);
      const status = yield* this.platform.readConfig(edev, edev.pcieCapability + PCIE.LNKSTA.at, 2);
      if ((status & LNKSTA_FIELDS.DLL_ACTIVE) !== 0) return;
    }
  }
}

/** Bridge control with or without the secondary bus reset. */
export function withBusReset(control: number, reset: 'on' | 'off'): number {
  const bit = BRIDGE_CONTROL_FIELDS.SECONDARY_BUS_RESET;
  return reset === 'on' ? control | bit : control & ~bit;
}

export const BRIDGE_CONTROL_AT = BRIDGE.BRIDGE_CONTROL.at;

/**
 * The kernel counts the bytes of a saved dword as a big-endian machine has them. On a little-endian one the cache line size
 * gets the self-test register, and the latency timer the header type (recorded: 1 for a root port).
 */
function savedByte(edev: EehDev, at: number): number {
  return (edev.configSpace[at >> 2]! >>> (8 * (3 - (at & 3)))) & 0xff;
}
