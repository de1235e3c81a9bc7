/**
 * Which of the things that cross a wire are hit: the next few, all for a while, or a share of them drawn from the
 * simulator's own stream of this name. One each for packets, symbols and data-link packets of an end.
 */
import type { Simulator } from '../sim/simulator.js';
import type { TimeNs } from '../sim/time.js';

export class Disturbance {
  /** How many were hit. */
  hits = 0;

  private active = false;
  private next = 0;
  private until: TimeNs = Number.NEGATIVE_INFINITY;
  private numerator = 0;
  private denominator = 1;

  constructor(
    private readonly sim: Simulator,
    readonly name: string,
  ) {}

  /** False as long as nothing can be hit, so that a healthy wire costs one comparison. */
  get armed(): boolean {
    return this.active;
  }

  hitNext(count: number): void {
    this.next += wholeNumber(count, `${this.name}: hitNext`);
    this.active = true;
  }

  /** Everything from now on, for this time. */
  hitFor(durationNs: TimeNs): void {
    if (!(durationNs >= 0)) throw new RangeError(`${this.name}: hitFor(${durationNs}) needs a time of 0 ns or more`);
    this.until = Math.max(this.until, this.sim.now + durationNs);
    this.active = true;
  }

  /** `numerator` of `denominator`, until told otherwise; 0 of anything ends it. */
  hitShare(numerator: number, denominator: number): void {
    const top = wholeNumber(numerator, `${this.name}: hitShare`);
    if (wholeNumber(denominator, `${this.name}: hitShare`) < Math.max(top, 1)) {
      throw new RangeError(`${this.name}: hitShare(${numerator}, ${denominator}) is not a ratio from 0 to 1`);
    }
    this.numerator = top;
    this.denominator = denominator;
    this.active = true;
  }

  stop(): void {
    this.next = 0;
    this.until = Number.NEGATIVE_INFINITY;
    this.numerator = 0;
    this.active = false;
  }

  /** One more thing crosses the wire: is it hit? */
  strikes(): boolean {
    if (!this.active || !this.decide()) return false;
    this.hits++;
    return true;
  }

  private decide(): boolean {
    if (this.next > 0) {
      this.next--;
      return true;
    }
    if (this.sim.now < this.until) return true;
    if (this.numerator > 0) return this.sim.random(this.name).chance(this.numerator, this.denominator);
    this.active = false;
    return false;
  }
}

function wholeNumber(value: number, what: string): number {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${what}(${value}) needs a whole number from 0`);
  return value;
}
