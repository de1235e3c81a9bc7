/** What the comparison of a recording must say where our firmware does all that the real one does. */
import { expect, it } from 'vitest';
import { countPhase, type FirmwareComparison, isExplained } from '../../src/replay/firmware-comparison.js';
import { formatFirmwareComparison, formatPhase } from '../../src/replay/firmware-comparison-report.js';

export interface WholeRecording {
  readonly phases: number;
  readonly calls: number;
  readonly accesses: number;
  readonly memoryWords: number;
}

/** To be called in a `describe`. */
export function itIsTheSame(comparison: FirmwareComparison, whole: WholeRecording): void {
  it('is compared with the whole recording', () => {
    const counts = comparison.phases.map(countPhase);
    const sum = (of: (count: ReturnType<typeof countPhase>) => number): number =>
      counts.reduce((all, each) => all + of(each), 0);
    const memoryWords = comparison.phases.reduce((all, phase) => all + phase.memoryWords, 0);
    const compared = {
      phases: counts.length,
      calls: sum(({ calls }) => calls),
      accesses: sum((each) => each.accesses),
    };
    expect({ ...compared, memoryWords }).toEqual(whole);
    expect(sum(({ same }) => same)).toBe(whole.accesses);
  });

  it.each(comparison.phases.map((phase) => [phase.name, phase] as const))('%s', (_, phase) => {
    const { different, missing, extra, differences } = countPhase(phase);
    const first = formatPhase(phase)
      .split('\n')
      .find((line, index) => index > 0 && /^[*<>]/.test(line));
    expect({ different, missing, extra, differences, first }).toEqual({
      ...{ different: 0, missing: 0, extra: 0, differences: 0, first: undefined },
    });
  });

  it('ends with nothing unexplained', () => {
    expect(isExplained(comparison)).toBe(true);
    expect(formatFirmwareComparison(comparison)).toMatch(/Nothing is unexplained\.$/);
  });
}
