/**
 * Resets as PowerNV does them: through the firmware's slots where it has them, else by the bridge control register.
 * Source: linux powernv/eeh-powernv.c: pnv_eeh_reset, pnv_eeh_phb_reset, pnv_eeh_root_reset, pnv_eeh_bridge_reset,
 * pnv_eeh_poll; facts: eeh-linux 7.1 to 7.4.
 */
import { OpalStatus, ResetAssert, ResetScope, slotId } from '../../opal/opal-api.js';
import type { Process } from '../../sim/process.js';
import type { KernelContext } from '../context.js';
import { BRIDGE_CONTROL_AT, withBusReset } from '../eeh-config.js';
import { EehLimits, PeType, type ResetOption } from '../eeh-flags.js';
import { type EehPe, edevOf } from '../eeh-pe.js';
import type { EehTree } from '../eeh-tree.js';
import { EIO } from '../errno.js';
import type { PciBusReset } from '../pci/bus-reset.js';
import type { PciController, PciDevice } from '../pci/device.js';
import { AER, AER_SURPRISE_DOWN } from '../pci/regs.js';
import type { EehPlatform } from './eeh-platform.js';

export class EehPlatformReset {
  constructor(
    private readonly ctx: KernelContext,
    private readonly platform: EehPlatform,
    private readonly tree: EehTree,
    private readonly busReset: PciBusReset,
  ) {}

  *reset(pe: EehPe, option: ResetOption): Process<number> {
    if (pe.is(PeType.PHB)) return yield* this.resetPhb(pe.controller, option);
    const bus = this.tree.busOf(pe);
    if (bus === undefined) {
      this.ctx.log.err(`pnv_eeh_reset: Cannot find PCI bus for ${pe.label}`);
      return EIO;
    }
    const { bridge } = bus;
    if (bridge === undefined) return yield* this.resetRoot(pe.controller, option);
    if (option === 'deactivate') return 0;
    if (option === 'hot') {
      const rc = yield* this.busReset.errorReset(bridge, (port) => this.resetSecondaryBus(port));
      if (rc === 0) return 0;
    }
    if (bridge.bus.isRoot) return yield* this.resetRoot(pe.controller, option);
    return yield* this.resetBridge(bridge, option);
  }

  private *resetPhb(controller: PciController, option: ResetOption): Process<number> {
    const assert = option === 'deactivate' ? ResetAssert.DEASSERT : ResetAssert.ASSERT;
    const rc = yield* this.ctx.opal.pciReset(controller.phbId, ResetScope.PHB_COMPLETE, assert);
    return yield* this.finish(controller.phbId, rc, option);
  }

  /** Firmware does nothing when a root reset is released; the kernel still lets the bus settle. */
  private *resetRoot(controller: PciController, option: ResetOption): Process<number> {
    const scope = option === 'fundamental' ? ResetScope.PCI_FUNDAMENTAL : ResetScope.PCI_HOT;
    const assert = option === 'deactivate' ? ResetAssert.DEASSERT : ResetAssert.ASSERT;
    const rc = yield* this.ctx.opal.pciReset(controller.phbId, scope, assert);
    return yield* this.finish(controller.phbId, rc, option);
  }

  /** The platform hook of the PCI core: both edges. */
  private *resetSecondaryBus(bridge: PciDevice): Process<void> {
    for (const option of ['hot', 'deactivate'] as const) {
      if (bridge.bus.isRoot) yield* this.resetRoot(bridge.bus.controller, option);
      else yield* this.resetBridge(bridge, option);
    }
  }

  private *resetBridge(bridge: PciDevice, option: ResetOption): Process<number> {
    const { controller } = bridge.bus;
    if (controller.slotBelow(bridge)?.reset !== 'by-firmware') return yield* this.resetByBridgeControl(bridge, option);
    if (option === 'deactivate') return 0;
    const scope = option === 'fundamental' ? ResetScope.PCI_FUNDAMENTAL : ResetScope.PCI_HOT;
    const id = slotId(controller.phbId, bridge.bdfn);
    const rc = yield* this.ctx.opal.pciReset(id, scope, ResetAssert.ASSERT);
    return yield* this.finish(id, rc, option);
  }

  private *resetByBridgeControl(bridge: PciDevice, option: ResetOption): Process<number> {
    if (option === 'deactivate') {
      yield* this.driveBridge(bridge, 'off');
      yield* this.ctx.clock.msleep(EehLimits.resetSettleMs);
      yield* this.maskSurpriseDown(bridge, 'unmasked');
      return 0;
    }
    yield* this.maskSurpriseDown(bridge, 'masked');
    yield* this.driveBridge(bridge, 'on');
    yield* this.ctx.clock.msleep(EehLimits.resetHoldMs);
    return 0;
  }

  private *driveBridge(bridge: PciDevice, reset: 'on' | 'off'): Process<void> {
    const edev = edevOf(bridge);
    if (edev === undefined) return;
    const control = yield* this.platform.readConfig(edev, BRIDGE_CONTROL_AT, 2);
    yield* this.platform.writeConfig(edev, BRIDGE_CONTROL_AT, 2, withBusReset(control, reset));
  }

  /** The reset takes the link down; that is no surprise and must not be reported. */
  private *maskSurpriseDown(bridge: PciDevice, wanted: 'masked' | 'unmasked'): Process<void> {
    const edev = edevOf(bridge);
    if (edev === undefined || edev.aerCapability === 0) return;
    const at = edev.aerCapability + AER.UE_MASK.at;
    const mask = yield* this.platform.readConfig(edev, at, 4);
    const value = wanted === 'masked' ? mask | AER_SURPRISE_DOWN : mask & ~AER_SURPRISE_DOWN;
    yield* this.platform.writeConfig(edev, at, 4, value >>> 0);
  }

  /**
   * A positive answer of the reset only says "poll": the first poll follows at once and names the time that is left;
   * only answers of polls are slept on.
   */
  private *finish(id: number | bigint, resetRc: number, option: ResetOption): Process<number> {
    const rc = resetRc > 0 ? yield* this.poll(id) : resetRc;
    if (option === 'deactivate' && resetRc >= 0) yield* this.ctx.clock.msleep(EehLimits.resetSettleMs);
    return rc === OpalStatus.SUCCESS ? 0 : EIO;
  }

  private *poll(id: number | bigint): Process<number> {
    for (;;) {
      const rc = yield* this.ctx.opal.pciPoll(id);
      if (rc <= 0) return rc;
      yield* this.ctx.clock.msleep(rc);
    }
  }
}
