/** A raw diag-data buffer, as firmware hands it out, read as a dump. */

import { readContext } from './context.js';
import type { Dump, DumpWord, PestRun } from './dump.js';
import type { LogExplanation } from './explain.js';
import { explainDump } from './interpret.js';
import { type DiagLayout, decodeDiagData, hasDiagHeader } from './layout.js';
import { PHB3_LAYOUT } from './phb3/layout.js';
import { PHB4_LAYOUT } from './phb4/layout.js';

function layoutOf(bytes: Uint8Array): DiagLayout | undefined {
  return [PHB3_LAYOUT, PHB4_LAYOUT].find((layout) => hasDiagHeader(layout, bytes));
}

function foldPest(pestA: readonly bigint[], pestB: readonly bigint[]): PestRun[] {
  const runs: PestRun[] = [];
  pestA.forEach((a, index) => {
    const b = pestB[index]!;
    if (a === 0n && b === 0n) return;
    const previous = runs.at(-1);
    if (previous !== undefined && previous.last === index - 1 && previous.a === a && previous.b === b) {
      runs[runs.length - 1] = { ...previous, last: index };
    } else {
      runs.push({ first: index, last: index, a, b, line: 0 });
    }
  });
  return runs;
}

/** The dump inside a buffer that starts with a PHB3 or PHB4 diag-data header; undefined for anything else. */
export function dumpFromBytes(bytes: Uint8Array): Dump | undefined {
  const layout = layoutOf(bytes);
  if (layout === undefined) return undefined;
  const data = decodeDiagData(layout, bytes);
  const words = new Map<string, DumpWord>();
  for (const field of layout.fields) words.set(field.name, { value: data.fields[field.name] ?? 0n, line: 0 });
  return {
    chip: layout.chip,
    form: 'binary',
    phbText: undefined,
    phbNumbers: [],
    version: data.version,
    firstLine: 0,
    lastLine: 0,
    words,
    pest: foldPest(data.pestA, data.pestB),
    printsZeros: true,
    fenceDetected: false,
    problems: [],
  };
}

export function explainBinary(dump: Dump): LogExplanation {
  return {
    lineCount: 0,
    dumps: [{ ...explainDump(dump, readContext([])), sameEventAs: undefined }],
    without: undefined,
  };
}
