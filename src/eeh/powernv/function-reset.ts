/**
 * Function level reset of a virtual function, by its PCI Express or its Advanced Features capability.
 * Source: linux powernv/eeh-powernv.c: pnv_eeh_do_flr, pnv_eeh_do_af_flr, pnv_eeh_wait_for_pending; facts: eeh-linux 7.3.
 */
import { DEVCTL_FIELDS, DEVSTA_FIELDS } from '../../pcie/capabilities.js';
import type { Process } from '../../sim/process.js';
import type { KernelContext } from '../context.js';
import { EehLimits, type ResetOption } from '../eeh-flags.js';
import type { EehDev, EehPe } from '../eeh-pe.js';
import { ENOTTY, ENXIO } from '../errno.js';
import { deviceName } from '../pci/device.js';
import { AdvancedFeatures, DEVCAP_FUNCTION_LEVEL_RESET, PCIE } from '../pci/regs.js';
import type { EehPlatform } from './eeh-platform.js';

const PENDING_READS = 4;
const FIRST_PENDING_WAIT_MS = 100;

interface PendingPlace {
  readonly at: number;
  readonly mask: number;
  readonly kind: '' | 'AF ';
}

export class FunctionReset {
  constructor(
    private readonly ctx: KernelContext,
    private readonly platform: EehPlatform,
  ) {}

  /** The PE of a virtual function has one device. */
  *reset(pe: EehPe, option: ResetOption): Process<number> {
    const edev = pe.edevs[0];
    if (edev === undefined) return ENXIO;
    const rc = yield* this.express(edev, option);
    return rc === 0 ? 0 : yield* this.advancedFeatures(edev, option);
  }

  private *express(edev: EehDev, option: ResetOption): Process<number> {
    const { pcieCapability: capability } = edev;
    if (capability === 0) return ENOTTY;
    const able = yield* this.platform.readConfig(edev, capability + PCIE.DEVCAP.at, 4);
    if ((able & DEVCAP_FUNCTION_LEVEL_RESET) === 0) return ENOTTY;
    const at = capability + PCIE.DEVSTA.at;
    if (option !== 'deactivate') {
      yield* this.waitForPending(edev, { at, mask: DEVSTA_FIELDS.TRANSACTIONS_PENDING, kind: '' });
    }
    const control = yield* this.platform.readConfig(edev, capability + PCIE.DEVCTL.at, 4);
    const bit = DEVCTL_FIELDS.FUNCTION_LEVEL_RESET;
    const value = option === 'deactivate' ? control & ~bit : control | bit;
    yield* this.platform.writeConfig(edev, capability + PCIE.DEVCTL.at, 4, value >>> 0);
    yield* this.hold(option);
    return 0;
  }

  private *advancedFeatures(edev: EehDev, option: ResetOption): Process<number> {
    const { advancedFeatures: capability } = edev;
    if (capability === 0) return ENOTTY;
    const able = yield* this.platform.readConfig(edev, capability + AdvancedFeatures.CAP, 1);
    const needed = AdvancedFeatures.CAP_PENDING | AdvancedFeatures.CAP_RESET;
    if ((able & needed) !== needed) return ENOTTY;
    const at = capability + AdvancedFeatures.CONTROL;
    if (option !== 'deactivate') {
      // Read together with the control byte below it, so the status bit stands one byte higher.
      yield* this.waitForPending(edev, { at, mask: AdvancedFeatures.STATUS_PENDING << 8, kind: 'AF ' });
    }
    yield* this.platform.writeConfig(edev, at, 1, option === 'deactivate' ? 0 : AdvancedFeatures.CONTROL_RESET);
    yield* this.hold(option);
    return 0;
  }

  /** A device that never gets done is reset all the same. */
  private *waitForPending(edev: EehDev, { at, mask, kind }: PendingPlace): Process<void> {
    for (let read = 0; read < PENDING_READS; read++) {
      if (((yield* this.platform.readConfig(edev, at, 2)) & mask) === 0) return;
      yield* this.ctx.clock.msleep(FIRST_PENDING_WAIT_MS * 2 ** read);
    }
    const name = deviceName(edev.controller, edev.bdfn);
    this.ctx.log.warn(`pnv_eeh_wait_for_pending: Pending transaction while issuing ${kind}FLR to ${name}`);
  }

  private *hold(option: ResetOption): Process<void> {
    yield* this.ctx.clock.msleep(option === 'deactivate' ? EehLimits.resetSettleMs : EehLimits.resetHoldMs);
  }
}
