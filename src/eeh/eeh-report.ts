/** Report passes: each device of the subtree is told in turn, and the drivers' votes are merged. Facts: eeh-linux 8.4. */
import type { Process } from '../sim/process.js';
import type { KernelContext } from './context.js';
import { type ErsVote, mergeVotes } from './drivers/votes.js';
import { type ChannelState, DevMode } from './eeh-flags.js';
import type { EehDev } from './eeh-pe.js';
import { type EehPe, isActionable } from './eeh-pe.js';
import { KernelOopsError } from './oops.js';
import type { BoundDriver, PciDevice } from './pci/device.js';

/** What udev is told about a device. Source: linux drivers/pci/pci-driver.c: pci_uevent_ers. */
export interface Uevent {
  readonly device: string;
  readonly errorEvent: 'BEGIN_RECOVERY' | 'SUCCESSFUL_RECOVERY' | 'FAILED_RECOVERY';
  readonly deviceOnline: 0 | 1;
}

export const PASS_NAMES = {
  error: 'error_detected(IO frozen)',
  mmio: 'mmio_enabled',
  reset: 'slot_reset',
  resume: 'resume',
  failure: 'error_detected(permanent failure)',
} as const;
export type PassKind = keyof typeof PASS_NAMES;

/** Text after `Invoking <driver>->`. */
const INVOCATION: Readonly<Record<PassKind, string>> = {
  error: 'error_detected(IO frozen)',
  mmio: 'mmio_enabled()',
  reset: 'slot_reset()',
  resume: 'resume()',
  failure: 'error_detected(permanent failure)',
};

interface Told {
  readonly edev: EehDev;
  readonly device: PciDevice;
  readonly driver: BoundDriver;
}

export class EehReport {
  readonly uevents: Uevent[] = [];

  constructor(private readonly ctx: KernelContext) {}

  /** A pass whose result counts, starting from `result`. */
  *vote(kind: 'error' | 'mmio' | 'reset', pe: EehPe, result: ErsVote): Process<ErsVote> {
    this.ctx.log.info(`EEH: Beginning: '${PASS_NAMES[kind]}'`);
    let merged = result;
    for (const edev of pe.devicesBelow()) {
      const vote = yield* this.reportDevice(kind, edev);
      if (vote === 'gone') merged = 'disconnect';
      else if (vote !== undefined) merged = mergeVotes(merged, vote);
    }
    this.ctx.log.info(`EEH: Finished:'${PASS_NAMES[kind]}' with aggregate recovery state:'${merged}'`);
    return merged;
  }

  /** A pass that only tells. A device that is gone has a result all the same, and no place to store it (facts, D11). */
  *tell(kind: 'resume' | 'failure', pe: EehPe): Process<void> {
    this.ctx.log.info(`EEH: Beginning: '${PASS_NAMES[kind]}'`);
    for (const edev of pe.devicesBelow()) {
      if ((yield* this.reportDevice(kind, edev)) !== 'gone') continue;
      if (this.ctx.quirks.missingDevice === 'skipped') continue;
      this.ctx.log.err('BUG: Kernel NULL pointer dereference on write at 0x00000000');
      throw new KernelOopsError(`pass '${PASS_NAMES[kind]}' stores a result it has no place for`);
    }
    this.ctx.log.open('info', `EEH: Finished:'${PASS_NAMES[kind]}'`);
  }

  private *reportDevice(kind: PassKind, edev: EehDev): Process<ErsVote | 'gone' | undefined> {
    const { device } = edev;
    if (device === undefined) {
      this.say(edev, 'no device');
      return 'gone';
    }
    const vote = yield* device.lock.hold(this.reportLocked(kind, edev, device));
    if (edev.device !== device) this.ctx.log.warn(`${edev.logPrefix}Device changed during processing!`);
    return vote;
  }

  private *reportLocked(kind: PassKind, edev: EehDev, device: PciDevice): Process<ErsVote | undefined> {
    const { driver } = device;
    if (!isActionable(edev)) {
      const notRemoved = edev.has(DevMode.REMOVED) ? 0 : 1;
      this.say(edev, `not actionable (1,${notRemoved},${edev.pe?.isPassed === true ? 0 : 1})`);
    } else if (driver === undefined) {
      this.say(edev, 'no driver');
    } else if (driver.errorHandlers === undefined) {
      this.say(edev, 'driver not EEH aware');
    } else if (edev.has(DevMode.NO_HANDLER)) {
      this.say(edev, 'driver bound too late');
    } else {
      const vote = yield* this.callDriver(kind, { edev, device, driver });
      this.say(edev, `${driver.name} driver reports: '${vote}'`);
      return vote;
    }
    return undefined;
  }

  private *callDriver(kind: PassKind, told: Told): Process<ErsVote> {
    switch (kind) {
      case 'error':
        return yield* this.errorDetected(told, 'frozen');
      case 'failure':
        return yield* this.errorDetected(told, 'perm-failure');
      case 'mmio':
        return yield* this.mmioEnabled(told);
      case 'reset':
        return yield* this.slotReset(told);
      case 'resume':
        return yield* this.resume(told);
    }
  }

  private *errorDetected({ edev, device, driver }: Told, state: ChannelState): Process<ErsVote> {
    const handler = driver.errorHandlers?.errorDetected;
    if (handler === undefined) return 'none';
    this.invoking(edev, driver, state === 'frozen' ? 'error' : 'failure');
    const vote = yield* handler.call(driver.errorHandlers, device, state);
    if (state === 'frozen') {
      edev.inError = 'yes';
      this.uevent(device, vote);
    } else {
      this.uevent(device, 'disconnect');
    }
    return vote;
  }

  private *mmioEnabled({ edev, device, driver }: Told): Process<ErsVote> {
    const handler = driver.errorHandlers?.mmioEnabled;
    if (handler === undefined) return 'none';
    this.invoking(edev, driver, 'mmio');
    return yield* handler.call(driver.errorHandlers, device);
  }

  private *slotReset({ edev, device, driver }: Told): Process<ErsVote> {
    const handler = driver.errorHandlers?.slotReset;
    if (handler === undefined || edev.inError === 'no') return 'none';
    this.invoking(edev, driver, 'reset');
    return yield* handler.call(driver.errorHandlers, device);
  }

  private *resume({ edev, device, driver }: Told): Process<ErsVote> {
    const handler = driver.errorHandlers?.resume;
    if (handler === undefined || edev.inError === 'no') return 'none';
    this.invoking(edev, driver, 'resume');
    yield* handler.call(driver.errorHandlers, device);
    this.uevent(device, 'recovered');
    return 'none';
  }

  private uevent(device: PciDevice, vote: ErsVote): void {
    const { name } = device;
    switch (vote) {
      case 'none':
      case 'can recover':
      case 'need reset':
        this.uevents.push({ device: name, errorEvent: 'BEGIN_RECOVERY', deviceOnline: 0 });
        break;
      case 'recovered':
        this.uevents.push({ device: name, errorEvent: 'SUCCESSFUL_RECOVERY', deviceOnline: 1 });
        break;
      case 'disconnect':
        this.uevents.push({ device: name, errorEvent: 'FAILED_RECOVERY', deviceOnline: 0 });
        break;
      case 'no AER driver':
        break;
    }
  }

  private invoking(edev: EehDev, driver: BoundDriver, kind: PassKind): void {
    this.say(edev, `Invoking ${driver.name}->${INVOCATION[kind]}`);
  }

  private say(edev: EehDev, text: string): void {
    this.ctx.log.open('info', edev.logPrefix + text);
  }
}
