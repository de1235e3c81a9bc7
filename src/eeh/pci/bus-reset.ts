/**
 * The PCI core's reset of a bus for error recovery, and its wait for the child to answer again.
 * Source: linux drivers/pci/pci.c: pci_bus_error_reset, pci_bridge_wait_for_secondary_bus, pci_dev_wait; facts: eeh-linux 7.4.
 */
import { LNKSTA_FIELDS, PortType } from '../../pcie/capabilities.js';
import type { Process } from '../../sim/process.js';
import type { KernelContext } from '../context.js';
import { ENOTTY } from '../errno.js';
import { configTarget, type PciConfig } from './config.js';
import type { PciDevice } from './device.js';
import { allOnes, HEADER, LinkSpeeds, PCIE } from './regs.js';

const D3COLD_WAIT_MS = 100;
const CONVENTIONAL_WAIT_MS = 1000;
const LINK_REPORT_DELAY_MS = 20;
const LINK_POLL_MS = 10;
const LINK_TIMEOUT_MS = 1000;
const READY_POLL_MS = 60_000;
/** Up to here waiting is normal and not worth a message. */
const QUIET_WAIT_MS = 1000;

/** How the platform resets the bus below a bridge: both edges, settle time included. */
export type SecondaryBusReset = (bridge: PciDevice) => Process<void>;

export class PciBusReset {
  constructor(
    private readonly ctx: KernelContext,
    private readonly config: PciConfig,
  ) {}

  /** 0, or the errno that makes EEH reset once more by its own means. */
  *errorReset(bridge: PciDevice, reset: SecondaryBusReset): Process<number> {
    const bus = bridge.subordinate;
    if (bus === undefined) return ENOTTY;
    yield* reset(bridge);
    const older = this.ctx.quirks.busResetWait === 'for-bridge';
    const rc = older ? yield* this.waitForDevice(bridge) : yield* this.waitForSecondaryBus(bridge);
    // The hotplug driver's slot reset ignores how the wait ended.
    return bus.slot === undefined ? rc : 0;
  }

  private *waitForSecondaryBus(bridge: PciDevice): Process<number> {
    const child = bridge.subordinate?.devices[0];
    if (child === undefined) return 0;
    if (!bridge.subordinate!.devices.some((device) => device.capabilities.powerManagement !== 0)) return 0;
    if (bridge.capabilities.pcie === 0) {
      yield* this.ctx.clock.msleep(CONVENTIONAL_WAIT_MS + D3COLD_WAIT_MS);
      return 0;
    }
    const { portType } = bridge.capabilities;
    if (portType !== PortType.rootPort && portType !== PortType.downstream) return 0;
    if (yield* this.isSlowPort(bridge)) {
      yield* this.ctx.clock.msleep(D3COLD_WAIT_MS);
    } else if (!(yield* this.waitForLink(bridge))) {
      this.ctx.log.info(`${bridge.logPrefix}: Data Link Layer Link Active not set in 1000 msec`);
      return ENOTTY;
    }
    return yield* this.waitForDevice(child);
  }

  /** At most 5 GT/s by what the port says it supports; a port that says nothing counts as fast. */
  private *isSlowPort(bridge: PciDevice): Process<boolean> {
    const { pcie } = bridge.capabilities;
    const target = configTarget(bridge);
    const vector = (yield* this.config.value(target, pcie + PCIE.LNKCAP2.at, 4)) & LinkSpeeds.CAP2_MASK;
    const link = (yield* this.config.value(target, pcie + PCIE.LNKCAP.at, 4)) & LinkSpeeds.CAP_MASK;
    if (vector !== 0) return vector < 2 ** (LinkSpeeds.GEN2 + 1);
    return link === LinkSpeeds.GEN1 || link === LinkSpeeds.GEN2;
  }

  private *waitForLink(bridge: PciDevice): Process<boolean> {
    if (bridge.capabilities.linkReporting === 'no') {
      yield* this.ctx.clock.msleep(LINK_TIMEOUT_MS + D3COLD_WAIT_MS);
      return true;
    }
    yield* this.ctx.clock.msleep(LINK_REPORT_DELAY_MS);
    for (let left = LINK_TIMEOUT_MS; ; left -= LINK_POLL_MS) {
      const status = yield* this.config.value(configTarget(bridge), bridge.capabilities.pcie + PCIE.LNKSTA.at, 2);
      if ((status & LNKSTA_FIELDS.DLL_ACTIVE) !== 0) break;
      if (left <= 0) return false;
      yield* this.ctx.clock.msleep(LINK_POLL_MS);
    }
    yield* this.ctx.clock.msleep(D3COLD_WAIT_MS);
    return true;
  }

  /**
   * Doubling waits until the command register answers. During recovery the child's PE is blocked, so the kernel never
   * asks the child and waits in vain for 65 535 ms (facts, D2).
   */
  private *waitForDevice(device: PciDevice): Process<number> {
    const timeout = READY_POLL_MS - D3COLD_WAIT_MS;
    const { log, clock } = this.ctx;
    let waitMs = 1;
    for (; ; waitMs *= 2) {
      const command = yield* this.config.value(configTarget(device), HEADER.COMMAND.at, 4);
      if (command !== allOnes(4)) break;
      const soFar = `${device.logPrefix}: not ready ${waitMs - 1}ms after bus reset`;
      if (waitMs > timeout) {
        log.warn(`${soFar}; giving up`);
        return ENOTTY;
      }
      if (waitMs > QUIET_WAIT_MS) log.info(`${soFar}; waiting`);
      yield* clock.msleep(waitMs);
    }
    if (waitMs > QUIET_WAIT_MS) log.info(`${device.logPrefix}: ready ${waitMs - 1}ms after bus reset`);
    return 0;
  }
}
