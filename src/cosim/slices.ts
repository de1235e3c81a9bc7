/** Runs a simulator in slices of a few milliseconds of the host's time, so that a server can do something in between. */
import type { ProcessHandle } from '../sim/process.js';
import type { Simulator } from '../sim/simulator.js';
import type { TimeNs } from '../sim/time.js';
import type { Work } from './qtest-protocol.js';

/** Time does not pass, however much happens: something inside the simulator runs in circles. */
export class StandstillError extends Error {
  override readonly name = 'StandstillError';
  constructor(events: number, timeNs: number) {
    super(`${events} events ran at ${timeNs} ns and the clock does not get past it: please report this sequence`);
  }
}

const SLICE_EVENTS = 10_000;
const MOST_EVENTS_AT_ONCE = 2_000_000;

/** Ends at the time, or when the process has ended. */
export function* runInSlices(
  sim: Simulator,
  goal: { readonly untilNs: TimeNs } | { readonly process: ProcessHandle<unknown> },
): Work<void> {
  let eventsAtOnce = 0;
  for (;;) {
    const before = sim.now;
    if (sim.run({ ...goal, maxEvents: SLICE_EVENTS }) !== 'max-events') return;
    eventsAtOnce = sim.now === before ? eventsAtOnce + SLICE_EVENTS : 0;
    if (eventsAtOnce >= MOST_EVENTS_AT_ONCE) throw new StandstillError(eventsAtOnce, Math.floor(sim.now));
    yield;
  }
}
