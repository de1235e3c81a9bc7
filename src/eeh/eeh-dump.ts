/** Log collection: config space of the devices of a PE, then the diag data of its PHB. Facts: eeh-linux 8.5, 13.4. */
import type { Process } from '../sim/process.js';
import type { KernelContext } from './context.js';
import type { EehConfig } from './eeh-config.js';
import { DevMode, EehOption, type LogSeverity, PeState, PeType } from './eeh-flags.js';
import type { EehDev, EehPe } from './eeh-pe.js';
import type { EehThaw } from './eeh-thaw.js';
import { deviceName, hex } from './pci/device.js';
import { BRIDGE, EXTENDED_START, HEADER, PciX } from './pci/regs.js';
import type { EehPlatform } from './powernv/eeh-platform.js';

/** Read whatever the capability's length: past its end the dump shows what follows (facts, D23). */
const PCIE_DWORDS = 9;
const AER_DWORDS = 14;
const DWORDS_PER_ROW = 4;

export class EehDump {
  constructor(
    private readonly ctx: KernelContext,
    private readonly platform: EehPlatform,
    private readonly thaw: EehThaw,
    private readonly config: EehConfig,
  ) {}

  /** Source: linux eeh.c: eeh_slot_error_detail. */
  *collect(pe: EehPe, severity: LogSeverity): Process<void> {
    if (!pe.is(PeType.PHB)) {
      // The drivers are about to be removed and need working registers to quiet their devices.
      if (severity === 'permanent' || this.ioForLog) yield* this.thaw.enable(pe, EehOption.THAW_MMIO);
      if (!pe.in(PeState.CFG_BLOCKED)) {
        yield* this.config.restoreSubtree(pe);
        for (const edev of pe.devicesBelow()) yield* this.dumpDevice(edev);
      }
    }
    this.platform.printLog(pe);
  }

  /** A hub of the P7IOC kind answers config cycles of a frozen PE with ones, so the kernel thaws before it dumps. */
  private get ioForLog(): boolean {
    return this.ctx.controllers[0]?.model === 'p7ioc';
  }

  private *dumpDevice(edev: EehDev): Process<void> {
    const { log } = this.ctx;
    const read = (offset: number, size: 2 | 4): Process<number> => this.platform.readConfig(edev, offset, size);
    log.warn(`EEH: of node=${deviceName(edev.controller, edev.bdfn)}`);
    log.warn(`EEH: PCI device/vendor: ${hex(yield* read(HEADER.VENDOR_ID.at, 4), 8)}`);
    log.warn(`EEH: PCI cmd/status register: ${hex(yield* read(HEADER.COMMAND.at, 4), 8)}`);
    if (edev.has(DevMode.BRIDGE)) {
      log.warn(`EEH: Bridge secondary status: ${hex(yield* read(BRIDGE.SECONDARY_STATUS.at, 2), 4)}`);
      log.warn(`EEH: Bridge control: ${hex(yield* read(BRIDGE.BRIDGE_CONTROL.at, 2), 4)}`);
    }
    if (edev.pcixCapability !== 0) {
      log.warn(`EEH: PCI-X cmd: ${hex(yield* read(edev.pcixCapability + PciX.DEVICE_COMMAND, 4), 8)}`);
      log.warn(`EEH: PCI-X status: ${hex(yield* read(edev.pcixCapability + PciX.DEVICE_STATUS, 4), 8)}`);
    }
    if (edev.pcieCapability !== 0) {
      log.warn('EEH: PCI-E capabilities and status follow:');
      yield* this.dumpRows(edev, { title: 'PCI-E', at: edev.pcieCapability, dwords: PCIE_DWORDS });
    }
    if (edev.aerCapability !== 0) {
      log.warn('EEH: PCI-E AER capability register set follows:');
      yield* this.dumpRows(edev, { title: 'PCI-E AER', at: edev.aerCapability, dwords: AER_DWORDS });
    }
  }

  /** A row is printed when the first value of the next one has been read. */
  private *dumpRows(edev: EehDev, block: { title: string; at: number; dwords: number }): Process<void> {
    let row = '';
    for (let i = 0; i < block.dwords; i++) {
      const inside = block.at >= EXTENDED_START || block.at + 4 * i < EXTENDED_START;
      if (!inside && this.ctx.quirks.pcieDump === 'inside-256-bytes') break;
      const value = yield* this.platform.readConfig(edev, block.at + 4 * i, 4);
      if (i % DWORDS_PER_ROW === 0) {
        if (i > 0) this.ctx.log.warn(row);
        row = `EEH: ${block.title} ${hex(4 * i, 2)}: `;
      }
      row += `${hex(value, 8)} `;
    }
    this.ctx.log.warn(row);
  }
}
