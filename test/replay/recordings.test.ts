import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { checkFinalState } from '../../src/replay/final-state.js';
import { readRecording } from '../../src/replay/read-recording.js';
import { isAccess, type RecordedStep, type Recording } from '../../src/replay/recording.js';
import { replay } from '../../src/replay/replay.js';
import { formatDifferences, formatReplayReport, isClean, summarize } from '../../src/replay/report.js';

function shipped(name: string): Recording {
  const file = `scenarios/recordings/${name}.rec.gz`;
  return readRecording(file, readFileSync(file));
}

/** The recording with one access changed: what the chip must notice. */
function changed(recording: Recording, wanted: (step: RecordedStep) => boolean, value: bigint): Recording {
  const index = recording.steps.findIndex(wanted);
  expect(index).toBeGreaterThanOrEqual(0);
  const steps = recording.steps.map((step, at) => (at === index && isAccess(step) ? { ...step, value } : step));
  return { ...recording, steps };
}

describe.each([
  { name: 'skiboot-boot-phb3', accesses: 8295, reads: 1814 },
  { name: 'skiboot-boot-phb3-empty', accesses: 8041, reads: 1782 },
])('the recorded firmware boot $name', ({ name, accesses, reads }) => {
  const recording = shipped(name);
  const result = replay(recording);
  const state = checkFinalState(recording, result.machine.phbs);
  const summary = summarize(result, state);

  it('replays whole: every access declared, every read equal or explained', () => {
    expect(summary).toMatchObject({
      accesses,
      readsCompared: reads,
      mismatchesUnexplained: 0,
      undeclared: 0,
    });
    expect(summary.mismatchesExplained).toBeLessThan(reads / 15);
    expect(isClean(summary)).toBe(true);
  });

  it('leaves the chips in the state that the writes describe', () => {
    expect(state.differences).toEqual([]);
    expect(state.registers).toBeGreaterThan(150);
    // Three PHBs with 512 TVEs, 256 M32 segments, 16 M64 windows, 8 LSI vectors and 8 migration registers each.
    expect(state.tableEntries).toBe(3 * (512 + 256 + 16 + 8 + 8));
  });

  it('ends with no error recorded, as firmware insists', () => {
    for (const phb of result.machine.phbs) {
      expect(phb.registers.peek('PHB_ETU_ERR_SUMMARY')).toBe(0n);
      expect(phb.peekTable('PEEV', 0) | phb.peekTable('PEEV', 3)).toBe(0n);
      expect(phb.pbcq.isFenced).toBe(false);
    }
  });

  it('has the same digest every time', () => {
    expect(replay(recording).digest).toBe(summary.digest);
  });
});

describe.each([
  { name: 'linux-simple', accesses: 36987, reads: 11550, mostExplained: 700 },
  { name: 'linux-fence-patchedqemu', accesses: 39661, reads: 11865, mostExplained: 550 },
])('Linux on that firmware, injecting errors: $name', ({ name, accesses, reads, mostExplained }) => {
  const recording = shipped(name);
  const result = replay(recording);
  const summary = summarize(result, checkFinalState(recording, result.machine.phbs));

  it('replays whole as well', () => {
    expect(summary).toMatchObject({ accesses, readsCompared: reads, mismatchesUnexplained: 0, undeclared: 0 });
    expect(summary.mismatchesExplained).toBeLessThan(mostExplained);
    expect(isClean(summary)).toBe(true);
  });
});

describe('the injections of the recorded Linux', () => {
  it('freeze PEs on the chip where the recorder froze none', () => {
    const frozen = replay(shipped('linux-simple')).mismatches.filter(
      ({ target, explanation }) => target.kind === 'table' && explanation?.id === 'recorder-never-freezes',
    );
    const tables = new Set(frozen.map(({ target }) => (target.kind === 'table' ? target.table : '')));
    expect([...tables].sort()).toEqual(['PEEV', 'PESTA', 'PESTB']);
  });

  it('fence a PHB where the operator forced it, until the complete reset', () => {
    const { machine } = replay(shipped('linux-fence-patchedqemu'));
    // PHB0 was fenced and reset, PHB2 was declared dead and left so.
    expect(machine.phbs.map((phb) => phb.pbcq.isFenced)).toEqual([false, false, true]);
  });
});

describe('what firmware does call by call', () => {
  const recording = shipped('skiboot-calls-phb3');
  const result = replay(recording);

  it('reaches only declared registers and gets no answer that would stop it', () => {
    const summary = summarize(result, checkFinalState(recording, result.machine.phbs));
    expect(summary).toMatchObject({ accesses: 14538, readsCompared: 0, mismatchesUnexplained: 0, undeclared: 0 });
    expect(isClean(summary)).toBe(true);
  });

  it('is judged: a write that would hold the core in reset is noticed at the next poll', () => {
    const held = changed(
      recording,
      (step) => isAccess(step) && step.direction === 'write' && step.window === 'phb' && step.offset === 0x808,
      0n,
    );
    const rejected = replay(held).mismatches.map((mismatch) => mismatch.rejected ?? '');
    expect(rejected.some((why) => why.includes('the core stays in reset'))).toBe(true);
    const report = formatReplayReport(replay(held), { registers: 0, tableEntries: 0, differences: [] });
    expect(report).toMatch(/UNEXPLAINED line \d+: PHB0 PHB_PCIE_DLP_TRAIN_CTL/);
  });
});

describe('the links of the recorded machine', () => {
  it('are up where a card was plugged in, down where the slot was empty', () => {
    const withCards = replay(shipped('skiboot-boot-phb3')).machine.phbs.map((phb) => phb.link.isUp);
    const empty = replay(shipped('skiboot-boot-phb3-empty')).machine.phbs.map((phb) => phb.link.isUp);
    expect(withCards).toEqual([true, true, true]);
    expect(empty).toEqual([false, false, false]);
  });
});

describe('a recording that the chip does not follow', () => {
  const recording = shipped('skiboot-boot-phb3');

  it('has an unexplained read where a value differs outside the rules', () => {
    const version = changed(recording, (step) => isAccess(step) && step.asbOffset === 0x800, 0xa3_0000_0004n);
    const result = replay(version);
    const unexplained = result.mismatches.filter((mismatch) => !mismatch.explanation);
    expect(unexplained).toHaveLength(1);
    expect(unexplained[0]).toMatchObject({ recorded: 0xa3_0000_0004n, answered: 0xa3_0000_0005n });
    const report = formatReplayReport(result, checkFinalState(version, result.machine.phbs));
    expect(report).toContain('1 unexplained');
    expect(report).toMatch(/UNEXPLAINED line \d+: PHB0 PHB_VERSION: recorded 000000a300000004, chip 000000a300000005/);
  });

  it('has an undeclared access where an offset has no register', () => {
    const index = recording.steps.findIndex((step) => isAccess(step) && step.window === 'phb');
    const steps = recording.steps.map((step, at) =>
      at === index && isAccess(step) ? { ...step, offset: 0xff8 } : step,
    );
    const result = replay({ ...recording, steps });
    expect(result.undeclared).toHaveLength(1);
    expect(formatReplayReport(result, { registers: 0, tableEntries: 0, differences: [] })).toContain('UNDECLARED line');
  });

  it('is not clean when a register does not hold what was written', () => {
    const result = replay(recording);
    const wrong = changed(
      recording,
      (step) => isAccess(step) && step.direction === 'write' && step.window === 'phb' && step.offset === 0x168,
      0x8000_0000_1234_0000n,
    );
    const state = checkFinalState(wrong, result.machine.phbs);
    expect(state.differences).toHaveLength(1);
    expect(state.differences[0]).toMatchObject({ what: 'PHB_RTT_BAR', written: 0x8000_0000_1234_0000n });
    expect(isClean(summarize(result, state))).toBe(false);
    expect(formatReplayReport(result, state)).toContain('do not hold what was written last');
  });
});

describe('the list of differences', () => {
  it('names each with its rule', () => {
    const lines = formatDifferences(replay(shipped('skiboot-boot-phb3-empty'))).split('\n');
    expect(lines).toHaveLength(72);
    expect(
      lines.every((line) => /^line \d+: PHB\d .*: recorded [0-9a-f]+, chip [0-9a-f]+ {2}\[[a-z-]+\]$/.test(line)),
    ).toBe(true);
  });
});
