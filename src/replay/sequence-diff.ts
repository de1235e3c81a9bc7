/** The longest common subsequence of two lists of texts, and what is left over on either side. */

export type Side = 'recorded' | 'ours';

/** One row of two aligned lists. */
export interface AlignedRow {
  readonly kind: 'same' | Side;
  /** Position in each list; of a leftover, where it would stand in the other. */
  readonly recorded: number;
  readonly ours: number;
}

export function align(recorded: readonly string[], ours: readonly string[]): AlignedRow[] {
  let first = 0;
  while (first < recorded.length && first < ours.length && recorded[first] === ours[first]) first++;
  let [lastRecorded, lastOurs] = [recorded.length, ours.length];
  while (lastRecorded > first && lastOurs > first && recorded[lastRecorded - 1] === ours[lastOurs - 1]) {
    lastRecorded--;
    lastOurs--;
  }
  const same = (r: number, o: number): AlignedRow => ({ kind: 'same', recorded: r, ours: o });
  const middle = { recorded: recorded.slice(first, lastRecorded), ours: ours.slice(first, lastOurs) };
  return [
    ...Array.from({ length: first }, (_, i) => same(i, i)),
    ...alignMiddle(middle.recorded, middle.ours).map((row) => {
      return { kind: row.kind, recorded: row.recorded + first, ours: row.ours + first };
    }),
    ...Array.from({ length: recorded.length - lastRecorded }, (_, i) => same(lastRecorded + i, lastOurs + i)),
  ];
}

function alignMiddle(recorded: readonly string[], ours: readonly string[]): AlignedRow[] {
  const width = ours.length + 1;
  // Common length of what follows each pair of positions.
  const common = new Uint32Array((recorded.length + 1) * width);
  for (let r = recorded.length - 1; r >= 0; r--) {
    for (let o = ours.length - 1; o >= 0; o--) {
      common[r * width + o] =
        recorded[r] === ours[o]
          ? common[(r + 1) * width + o + 1]! + 1
          : Math.max(common[(r + 1) * width + o]!, common[r * width + o + 1]!);
    }
  }
  const rows: AlignedRow[] = [];
  for (let r = 0, o = 0; r < recorded.length || o < ours.length; ) {
    if (r < recorded.length && o < ours.length && recorded[r] === ours[o]) {
      rows.push({ kind: 'same', recorded: r++, ours: o++ });
    } else if (
      o >= ours.length ||
      (r < recorded.length && common[(r + 1) * width + o]! >= common[r * width + o + 1]!)
    ) {
      rows.push({ kind: 'recorded', recorded: r++, ours: o });
    } else rows.push({ kind: 'ours', recorded: r, ours: o++ });
  }
  return rows;
}
