/** Virtual time: nanoseconds as exact multiples of 1/8 ns in a double (125 ps is one bit at 8 GT/s), exact for 13 days. */
export type TimeNs = number;

export const TICKS_PER_NS = 8;
export const TICK_NS = 1 / TICKS_PER_NS;

/** The last instant: beyond it a double no longer holds every multiple of 1/8 ns. */
export const MAX_TIME_NS: TimeNs = Number.MAX_SAFE_INTEGER / TICKS_PER_NS;

const NS_PER_US = 1e3;
const NS_PER_MS = 1e6;
const NS_PER_S = 1e9;

export function us(n: number): TimeNs {
  return quantize(n * NS_PER_US);
}

export function ms(n: number): TimeNs {
  return quantize(n * NS_PER_MS);
}

export function seconds(n: number): TimeNs {
  return quantize(n * NS_PER_S);
}

/** Rounds up to the next 1/8 ns: a thing that takes a fraction of a tick is not over before the tick is. */
export function quantize(ns: number): TimeNs {
  return Math.ceil(ns * TICKS_PER_NS) / TICKS_PER_NS;
}

/** True for a finite, non-negative multiple of 1/8 ns in the exact range. */
export function isTime(ns: number): boolean {
  return ns >= 0 && ns <= MAX_TIME_NS && Math.floor(ns * TICKS_PER_NS) === ns * TICKS_PER_NS;
}

/** Milliseconds to the nanosecond, digits after the point in groups of three: `5.000 412 ms`. Fractions of a ns are cut off. */
export function formatTime(t: TimeNs): string {
  const ns = Math.floor(t);
  const whole = Math.floor(ns / NS_PER_MS);
  const rest = String(ns - whole * NS_PER_MS).padStart(6, '0');
  return `${whole}.${rest.slice(0, 3)} ${rest.slice(3)} ms`;
}
