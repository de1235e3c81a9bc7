/**
 * Kernel sleeps: nominal, or rounded up as the kernel's timer wheel does at 250 ticks a second (facts: eeh-linux 17.0).
 * Source: linux kernel/time/timer.c: msleep, calc_wheel_index.
 */
import { delay, type Process } from '../sim/process.js';
import type { Simulator } from '../sim/simulator.js';
import { ms } from '../sim/time.js';

export type SleepRounding = 'nominal' | 'timer-wheel';

const TICK_MS = 4;
const NS_PER_TICK = TICK_MS * 1e6;
/** Every level of the wheel holds 64 slots and is eight times coarser than the one below. */
const LEVEL_SLOTS = 64;
const LEVEL_CLOCK_SHIFT = 3;
const LAST_LEVEL = 7;

export class KernelClock {
  constructor(
    private readonly sim: Simulator,
    private readonly rounding: SleepRounding,
  ) {}

  /** Whole seconds since boot. */
  get seconds(): number {
    return Math.floor(this.sim.now / 1e9);
  }

  *msleep(milliseconds: number): Process<void> {
    if (this.rounding === 'nominal') {
      yield* delay(ms(milliseconds));
      return;
    }
    const expiryNs = wheelExpiryTick(this.sim.now / NS_PER_TICK, milliseconds) * NS_PER_TICK;
    yield* delay(expiryNs - this.sim.now);
  }
}

/** The tick at which a sleep of `milliseconds` begun at `nowTicks` ends. */
export function wheelExpiryTick(nowTicks: number, milliseconds: number): number {
  const clock = Math.floor(nowTicks);
  const ticks = Math.ceil(milliseconds / TICK_MS) + 1;
  let level = 0;
  while (level < LAST_LEVEL && ticks >= (LEVEL_SLOTS - 1) * 2 ** (LEVEL_CLOCK_SHIFT * level)) level++;
  const granularity = 2 ** (LEVEL_CLOCK_SHIFT * level);
  return (Math.floor((clock + ticks) / granularity) + 1) * granularity;
}
