/** What the finder hands out: one register dump as read from text, still without meaning. */
import type { DiagChip } from './layout.js';

export type DumpForm = 'linux' | 'opal' | 'binary';

export interface DumpWord {
  readonly value: bigint;
  readonly line: number;
}

/** Equal neighbours of the PEST, as the kernel folds them. */
export interface PestRun {
  readonly first: number;
  readonly last: number;
  readonly a: bigint;
  readonly b: bigint;
  readonly line: number;
}

export interface DumpProblem {
  readonly line: number;
  readonly text: string;
}

export interface Dump {
  readonly chip: DiagChip;
  readonly form: DumpForm;
  /** PHB number as printed; undefined when the header is missing. */
  readonly phbText: string | undefined;
  /** The numbers that text can mean: the kernel prints some headers in decimal, some in hex. */
  readonly phbNumbers: readonly number[];
  readonly version: number | undefined;
  readonly firstLine: number;
  readonly lastLine: number;
  /** By the name of the structure's field. A missing word is either 0 or lost: see `printsZeros`. */
  readonly words: ReadonlyMap<string, DumpWord>;
  readonly pest: readonly PestRun[];
  /** True when the source prints zero words too, so that a missing one is lost. */
  readonly printsZeros: boolean;
  /** The console said "Freeze/Fence detected". */
  readonly fenceDetected: boolean;
  /** The PE whose freeze firmware made a fence of. */
  readonly escalated: PestRun | undefined;
  /** The console counts its bridges as POWER10 does; a kernel dump of a PHB5 says PHB4. */
  readonly isPhb5: boolean;
  readonly problems: readonly DumpProblem[];
}

export function word(dump: Dump, field: string): bigint {
  return dump.words.get(field)?.value ?? 0n;
}
