/**
 * The reset file of a device in sysfs: its driver steps back, state is kept, the function resets itself.
 * Source: linux drivers/pci/pci.c: pci_reset_function, pci_dev_save_and_disable, pcie_flr, pci_dev_wait.
 */
import { DEVCTL_FIELDS, DEVSTA_FIELDS } from '../../pcie/capabilities.js';
import { COMMAND_FIELDS } from '../../pcie/config-header.js';
import type { Process } from '../../sim/process.js';
import type { KernelContext } from '../context.js';
import { ENOTTY } from '../errno.js';
import { configTarget, type PciConfig } from './config.js';
import type { PciDevice } from './device.js';
import type { PciExpress } from './express.js';
import { allOnes, HEADER, PCIE } from './regs.js';
import type { PciSavedState } from './saved-state.js';

const FLR_WAIT_MS = 100;
const PENDING_WAITS_MS = [100, 200, 400] as const;
const READY_POLL_MS = 60_000;

export class SysfsReset {
  constructor(
    private readonly ctx: KernelContext,
    private readonly config: PciConfig,
    private readonly express: PciExpress,
    private readonly state: PciSavedState,
  ) {}

  /** 0, or why the function cannot be reset alone. */
  *reset(device: PciDevice): Process<number> {
    const able = device.capabilities.deviceCapabilities & PCIE.DEVCAP.fields!['FUNCTION_LEVEL_RESET']!;
    if (able === 0) return ENOTTY;
    return yield* device.lock.hold(this.resetLocked(device));
  }

  private *resetLocked(device: PciDevice): Process<number> {
    const handlers = device.driver?.errorHandlers;
    if (handlers?.resetPrepare !== undefined) yield* handlers.resetPrepare(device);
    const saved = yield* this.state.save(device);
    yield* this.config.write(configTarget(device), HEADER.COMMAND.at, 2, COMMAND_FIELDS.INTX_DISABLE);
    const rc = yield* this.functionLevelReset(device);
    yield* this.state.restore(device, saved);
    if (handlers?.resetDone !== undefined) yield* handlers.resetDone(device);
    return rc;
  }

  private *functionLevelReset(device: PciDevice): Process<number> {
    yield* this.waitForPending(device);
    yield* this.express.change(device, 'DEVCTL', { set: DEVCTL_FIELDS.FUNCTION_LEVEL_RESET });
    yield* this.ctx.clock.msleep(FLR_WAIT_MS);
    for (let waitMs = 1; waitMs <= READY_POLL_MS; waitMs *= 2) {
      const command = yield* this.config.value(configTarget(device), HEADER.COMMAND.at, 4);
      if (command !== allOnes(4)) return 0;
      yield* this.ctx.clock.msleep(waitMs);
    }
    return ENOTTY;
  }

  private *waitForPending(device: PciDevice): Process<void> {
    for (const waitMs of PENDING_WAITS_MS) {
      if (((yield* this.express.read(device, 'DEVSTA')) & DEVSTA_FIELDS.TRANSACTIONS_PENDING) === 0) return;
      yield* this.ctx.clock.msleep(waitMs);
    }
    this.ctx.log.err(
      `${device.logPrefix}: timed out waiting for pending transaction; performing function level reset anyway`,
    );
  }
}
