/** A number nobody should have to take on trust: what it is, how well it is known, and who says so. */
import type { Known } from './register.js';

export interface Figure {
  /** In the unit that the figure's name ends in. */
  readonly value: number;
  readonly known: Known;
  readonly source: string;
}
