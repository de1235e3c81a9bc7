/** Where recovery holds the rescan lock: from end to end, or around removal and addition only (facts: eeh-linux 22, D7). */
import type { Process } from '../sim/process.js';
import type { KernelContext } from './context.js';
import type { KernelThread } from './rescan-lock.js';

/** The one thread that handles EEH events. */
export const EEHD: KernelThread = { name: 'eehd' };

/** A whole event. */
export function* recoverySection<T>(ctx: KernelContext, body: Process<T>): Process<T> {
  return ctx.quirks.recoveryLock === 'whole-event' ? yield* ctx.rescanLock.hold(body, EEHD) : yield* body;
}

/** A step of recovery that removes or adds devices. */
export function* hotplugSection<T>(ctx: KernelContext, body: Process<T>): Process<T> {
  return ctx.quirks.recoveryLock === 'around-hotplug' ? yield* ctx.rescanLock.hold(body, EEHD) : yield* body;
}
