/**
 * What speed and width a link trains to: what both sides can, what software asks for, and what the wires allow.
 * Source: PCI Express base specification 4.2.4.4 (width), 4.2.6.3 (configuration), 4.2.6.4 (speed change).
 */
import type { LinkSpeed, LinkWidth } from './link-profile.js';

const WIDTHS: readonly LinkWidth[] = [16, 8, 4, 2, 1];
/** Every link comes up at 2.5 GT/s and changes its speed from there. */
export const FIRST_SPEED: LinkSpeed = 1;
/** The speed that needs equalisation. */
const EQUALISED_SPEED: LinkSpeed = 3;

/** The faster and the wider of these is what a side is capable of. */
export interface LinkReach {
  readonly maxSpeed: LinkSpeed;
  readonly maxWidth: LinkWidth;
}

export class LinkNegotiation {
  targetSpeed: LinkSpeed;
  targetWidth: LinkWidth;
  /** Speed beyond which this side does not go, whatever is aimed for. */
  speedLimit: LinkSpeed;
  private readonly deadLanes = new Set<number>();
  private failingEqualisations = 0;

  constructor(private readonly own: LinkReach) {
    this.targetSpeed = own.maxSpeed;
    this.targetWidth = own.maxWidth;
    this.speedLimit = own.maxSpeed;
  }

  /** Speed both sides aim for. */
  speed(partner: LinkReach): LinkSpeed {
    return Math.min(this.own.maxSpeed, this.speedLimit, this.targetSpeed, partner.maxSpeed) as LinkSpeed;
  }

  /**
   * The widest group of lanes from lane 0 up that all work; undefined if lane 0 does not. (M) Lanes are not reversed,
   * which the specification leaves to the implementation.
   */
  width(partner: LinkReach): LinkWidth | undefined {
    const limit = Math.min(this.own.maxWidth, this.targetWidth, partner.maxWidth);
    return WIDTHS.find((width) => width <= limit && this.lanesWork(width));
  }

  lanesWork(width: number): boolean {
    for (let lane = 0; lane < width; lane++) if (this.deadLanes.has(lane)) return false;
    return true;
  }

  failLanes(lanes: readonly number[]): void {
    for (const lane of lanes) {
      if (!Number.isInteger(lane) || lane < 0 || lane >= this.own.maxWidth) {
        throw new RangeError(`lane ${lane} does not exist: the link has lanes 0 to ${this.own.maxWidth - 1}`);
      }
      this.deadLanes.add(lane);
    }
  }

  repairLanes(): void {
    this.deadLanes.clear();
  }

  failNextEqualisations(count: number): void {
    if (!Number.isSafeInteger(count) || count < 0) throw new RangeError(`${count} equalisations cannot fail`);
    this.failingEqualisations += count;
  }

  /** One attempt to reach `wanted`: false if it needs equalisation and that fails. */
  reaches(wanted: LinkSpeed): boolean {
    if (wanted !== EQUALISED_SPEED || this.failingEqualisations === 0) return true;
    this.failingEqualisations--;
    return false;
  }

  /** Where a link goes that did not reach its speed: back to the one it came from, if that needs no equalisation. */
  fallback(from: LinkSpeed): LinkSpeed {
    return from === EQUALISED_SPEED ? FIRST_SPEED : from;
  }
}
