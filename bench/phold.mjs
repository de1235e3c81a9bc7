// PHOLD, the usual measure of an event queue: a fixed number of events is pending; each one, when it runs, schedules one new
// event for itself or another process after a random increment. The peers in bench/peers run the same, draw for draw.

import { Priority } from '../dist/sim/priority.js';
import { Simulator } from '../dist/sim/simulator.js';
import { defineTraceKind } from '../dist/sim/trace.js';

const HOP = defineTraceKind('phold.hop', 'from', 'to', 'ticks');
const FRACTION_BITS = 20;
const FRACTION_MASK = 2 ** FRACTION_BITS - 1;
const SEED = 0x2545f491;

/** `pending` must be a power of two; there are as many processes as pending events. */
export class Phold {
  constructor(pending) {
    this.sim = new Simulator();
    this.mask = pending - 1;
    this.state = SEED;
    this.checksum = 0;
    this.source = this.sim.trace.source('phold');
    this.handler = this.sim.handler('phold', (process) => this.hop(process));
    for (let process = 0; process < pending; process++) {
      this.sim.schedule(this.increment() / 8, Priority.DEVICE, this.handler, process);
    }
  }

  /** Marsaglia's xorshift, 32 bits. */
  next() {
    let x = this.state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.state = x;
    return x >>> 0;
  }

  /** Exponential but for straight lines between powers of two: -log2 of a uniform number, in 2^-20; in ticks of 1/8 ns. */
  increment() {
    const x = (this.next() | 1) >>> 0;
    const zeros = Math.clz32(x);
    const fraction = zeros >= 31 ? 0 : ((x << (zeros + 1)) >>> (32 - FRACTION_BITS)) & FRACTION_MASK;
    return (zeros + 1) * (FRACTION_MASK + 1) - fraction;
  }

  hop(process) {
    const draw = this.next();
    // One hop in four stays at home.
    const to = (draw & 3) === 0 ? process : (draw >>> 2) & this.mask;
    const ticks = this.increment();
    this.checksum = (Math.imul(this.checksum, 31) + to) | 0;
    this.sim.trace.emit(HOP, this.source, process, to, ticks);
    this.sim.schedule(ticks / 8, Priority.DEVICE, this.handler, to);
  }

  run(events) {
    this.sim.run({ maxEvents: events });
    return this.checksum;
  }
}
