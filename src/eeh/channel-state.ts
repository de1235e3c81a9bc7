/** The state of channels, as drivers see it, and how they are told that there will be none any more. */
import type { Process } from '../sim/process.js';
import type { ChannelState } from './eeh-flags.js';
import { type EehPe, isActionable } from './eeh-pe.js';
import type { EehReport } from './eeh-report.js';
import type { KernelQuirks } from './kernel-versions.js';

/** Only devices recovery may deal with; one that was given up stays given up. */
export function setChannels(pe: EehPe, state: ChannelState): void {
  for (const edev of pe.devicesBelow()) {
    if (isActionable(edev) && edev.device !== undefined) edev.device.channel = state;
  }
}

/**
 * Once its channel says so a device is not actionable: who asks the drivers only then reaches none (facts: eeh-linux 22, D1).
 * For the same reason the kernel's order to switch their interrupts off at this point reaches none either.
 */
export function* announceFailure(
  pe: EehPe,
  report: EehReport,
  notice: KernelQuirks['permanentFailureNotice'],
): Process<void> {
  if (notice === 'drivers-told') yield* report.tell('failure', pe);
  setChannels(pe, 'perm-failure');
  if (notice === 'drivers-not-told') yield* report.tell('failure', pe);
}
