/**
 * Resets as PowerNV does them: through the firmware's slots where it has them, else by the bridge control register.
 * Source: linux powernv/eeh-powernv.c: pnv_eeh_reset, pnv_eeh_phb_reset, pnv_eeh_root_reset, pnv_eeh_bridge_reset,
 * pnv_eeh_poll; facts: eeh-linux 7.1 to 7.4.
 */
import { OpalStatus, ResetAssert, ResetScope, slotId } from '../../opal/opal-api.js';
import type { Process } from '../../sim/process.js';
import type { KernelContext } from '../context.js';
import { BRIDGE_CONTROL_AT, withBusReset } from '../eeh-config.js';
import { EehLimits, PeState, PeType, type ResetOption } from '../eeh-flags.js';
import { EEHD } from '../eeh-locking.js';
import { type EehPe, edevOf } from '../eeh-pe.js';
import type { EehTree } from '../eeh-tree.js';
import { EIO } from '../errno.js';
import type { HotplugSlots } from '../hotplug-slot.js';
import type { PciBusReset } from '../pci/bus-reset.js';
import type { PciBus, PciController, PciDevice } from '../pci/device.js';
import { AER, AER_SURPRISE_DOWN } from '../pci/regs.js';
import type { EehPlatform } from './eeh-platform.js';
import { FunctionReset } from './function-reset.js';

/** Who resets: the thread that recovers, or the owner of a passed PE, who holds no lock. */
export type Resetter = 'recovery' | 'owner';

export class EehPlatformReset {
  private readonly functions: FunctionReset;

  constructor(
    private readonly ctx: KernelContext,
    private readonly platform: EehPlatform,
    private readonly tree: EehTree,
    private readonly parts: { readonly busReset: PciBusReset; readonly slots: HotplugSlots },
  ) {
    this.functions = new FunctionReset(ctx, platform);
  }

  *reset(pe: EehPe, option: ResetOption, by: Resetter): Process<number> {
    if (pe.is(PeType.PHB)) return yield* this.resetPhb(pe.controller, option);
    if (option !== 'deactivate' && (yield* this.disarmInjection(pe.controller)) !== 0) return EIO;
    if (pe.is(PeType.VF)) return yield* this.functions.reset(pe, option);
    const bus = yield* this.findBus(pe, by);
    if (bus === undefined) {
      this.ctx.log.err(`pnv_eeh_reset: Cannot find PCI bus for ${pe.label}`);
      return EIO;
    }
    const { bridge } = bus;
    if (bridge === undefined) return yield* this.resetRoot(pe.controller, option);
    if (option === 'deactivate') return 0;
    if (option === 'hot' && (yield* this.resetBus(bridge, bus)) === 0) return 0;
    if (bridge.bus.isRoot) return yield* this.resetRoot(pe.controller, option);
    return yield* this.resetBridge(bridge, option);
  }

  /** By the PCI core; a registered slot resets itself, with its interrupt masked. */
  private *resetBus(bridge: PciDevice, bus: PciBus): Process<number> {
    const { busReset, slots } = this.parts;
    const reset = busReset.errorReset(bridge, (port) => this.resetSecondaryBus(port));
    return bus.slot === undefined ? yield* reset : yield* slots.withoutInterrupt(bus.slot, reset);
  }

  /** What was armed would hit the recovery again: P7IOC does not drop it by itself. */
  private *disarmInjection(controller: PciController): Process<number> {
    if (controller.model !== 'p7ioc') return 0;
    const rc = yield* this.ctx.opal.pciReset(controller.phbId, ResetScope.PHB_ERROR, ResetAssert.ASSERT);
    if (rc === OpalStatus.SUCCESS) return 0;
    this.ctx.log.warn(`pnv_eeh_reset: Failure ${rc} clearing error injection registers`);
    return EIO;
  }

  /** Without a cached bus the first device is looked up under the rescan lock, which recovery may hold (facts, D7). */
  private *findBus(pe: EehPe, by: Resetter): Process<PciBus | undefined> {
    const cached = pe.in(PeState.PRI_BUS);
    if (cached || this.ctx.quirks.busLookup === 'does-not-lock') return this.tree.busOf(pe);
    const { tree } = this;
    function* lookUp(): Process<PciBus | undefined> {
      return tree.busOf(pe);
    }
    return yield* this.ctx.rescanLock.hold(lookUp(), by === 'recovery' ? EEHD : 'owner of a passed PE');
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
