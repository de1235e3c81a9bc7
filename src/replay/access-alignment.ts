/**
 * Two sequences of accesses side by side: the longest common subsequence is the same; what stands between two common accesses
 * and goes to the same place differs in value or time; the rest is missing here or extra.
 */
import type { FirmwareAccess } from './firmware-phases.js';
import { samePlace } from './firmware-port.js';

export type AccessOutcome = 'same' | 'different' | 'missing' | 'extra';

export interface AlignedAccess {
  readonly outcome: AccessOutcome;
  readonly recorded?: FirmwareAccess;
  readonly ours?: FirmwareAccess;
}

type Accesses = readonly FirmwareAccess[];

/** Sequences that differ over more than this are compared by place alone. */
const MOST_CELLS = 2 ** 25;

/** A read answers what it is told; a write is what firmware makes of it. */
function isCommon(a: FirmwareAccess, b: FirmwareAccess): boolean {
  return samePlace(a, b) && (a.direction === 'read' || a.value === b.value);
}

export function alignAccesses(recorded: Accesses, ours: Accesses): AlignedAccess[] {
  const head = commonLength(recorded, ours, 'head');
  const tail = commonLength(recorded.slice(head), ours.slice(head), 'tail');
  const middle = (list: Accesses): Accesses => list.slice(head, list.length - tail);
  const aligned: AlignedAccess[] = [];
  for (let at = 0; at < head; at++) aligned.push(pair(recorded[at]!, ours[at]!));
  aligned.push(...alignMiddle(middle(recorded), middle(ours)));
  for (let at = tail; at > 0; at--) aligned.push(pair(recorded.at(-at)!, ours.at(-at)!));
  return withWaits(aligned);
}

/** The time since the last pair must be the same on both sides, whatever was done in between. */
function withWaits(aligned: readonly AlignedAccess[]): AlignedAccess[] {
  let lateUs = 0;
  return aligned.map((each) => {
    lateUs += (each.ours?.afterUs ?? 0) - (each.recorded?.afterUs ?? 0);
    if (each.outcome === 'missing' || each.outcome === 'extra') return each;
    const isLate = lateUs !== 0;
    lateUs = 0;
    return isLate ? { ...each, outcome: 'different' } : each;
  });
}

function commonLength(recorded: Accesses, ours: Accesses, from: 'head' | 'tail'): number {
  const most = Math.min(recorded.length, ours.length);
  const at = (list: Accesses, index: number) => (from === 'head' ? list[index]! : list.at(-1 - index)!);
  for (let index = 0; index < most; index++) {
    if (!isCommon(at(recorded, index), at(ours, index))) return index;
  }
  return most;
}

/** Accesses to the same place. */
function pair(recorded: FirmwareAccess, ours: FirmwareAccess): AlignedAccess {
  return { outcome: isCommon(recorded, ours) ? 'same' : 'different', recorded, ours };
}

function alignMiddle(recorded: Accesses, ours: Accesses): AlignedAccess[] {
  if (recorded.length * ours.length > MOST_CELLS) return alignGap(recorded, ours);
  const numbers = new Map<string, number>();
  const [left, right] = [numbersOf(recorded, numbers), numbersOf(ours, numbers)];
  const lengths = commonLengths(left, right);
  const width = ours.length + 1;
  const aligned: AlignedAccess[] = [];
  let [i, j] = [0, 0];
  let [gapI, gapJ] = [0, 0];
  const closeGap = (): void => {
    aligned.push(...alignGap(recorded.slice(gapI, i), ours.slice(gapJ, j)));
  };
  while (i < recorded.length && j < ours.length) {
    if (left[i] === right[j]) {
      closeGap();
      aligned.push(pair(recorded[i++]!, ours[j++]!));
      [gapI, gapJ] = [i, j];
    } else if (lengths[(i + 1) * width + j]! >= lengths[i * width + j + 1]!) i++;
    else j++;
  }
  [i, j] = [recorded.length, ours.length];
  closeGap();
  return aligned;
}

/** Accesses that are common to both sides get the same number. */
function numbersOf(accesses: Accesses, numbers: Map<string, number>): Uint32Array {
  return Uint32Array.from(accesses, ({ direction, window, register, size, value }) => {
    const name = `${direction} ${window} ${register} ${size} ${direction === 'read' ? '' : value}`;
    const number = numbers.get(name) ?? numbers.size;
    numbers.set(name, number);
    return number;
  });
}

/** Of what is left from each position on, row by row. */
function commonLengths(recorded: Uint32Array, ours: Uint32Array): Uint16Array {
  const width = ours.length + 1;
  const lengths = new Uint16Array((recorded.length + 1) * width);
  for (let i = recorded.length - 1; i >= 0; i--) {
    for (let j = ours.length - 1; j >= 0; j--) {
      const at = i * width + j;
      lengths[at] =
        recorded[i] === ours[j] ? lengths[at + width + 1]! + 1 : Math.max(lengths[at + width]!, lengths[at + 1]!);
    }
  }
  return lengths;
}

/** Nothing in the gap is common: what goes to the same place, in order, is taken for another value of the same access. */
function alignGap(recorded: Accesses, ours: Accesses): AlignedAccess[] {
  const aligned: AlignedAccess[] = [];
  let next = 0;
  for (const each of recorded) {
    const at = ours.findIndex((candidate, index) => index >= next && samePlace(candidate, each));
    if (at < 0) {
      aligned.push({ outcome: 'missing', recorded: each });
      continue;
    }
    for (const extra of ours.slice(next, at)) aligned.push({ outcome: 'extra', ours: extra });
    aligned.push(pair(each, ours[at]!));
    next = at + 1;
  }
  for (const extra of ours.slice(next)) aligned.push({ outcome: 'extra', ours: extra });
  return aligned;
}
