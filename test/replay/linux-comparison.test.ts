import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  type ComparedRow,
  compareLinux,
  type LinuxComparison,
  type MarkComparison,
  unexplained,
} from '../../src/replay/linux-comparison.js';
import { RecordedMachine } from '../../src/replay/linux-machine.js';
import { LINUX_REASONS } from '../../src/replay/linux-reasons.js';
import { readRecording } from '../../src/replay/read-recording.js';

function recorded(name: string) {
  return readRecording(name, readFileSync(`scenarios/recordings/${name}.rec.gz`));
}

/** Runs when a test first asks: what it covers is then that test's. */
function comparedOnce(name: string): () => LinuxComparison {
  let comparison: LinuxComparison | undefined;
  return () => {
    comparison ??= compareLinux(recorded(name));
    return comparison;
  };
}

const simple = comparedOnce('linux-simple');
const fence = comparedOnce('linux-fence-patchedqemu');

function mark({ marks }: LinuxComparison, code: string): MarkComparison {
  return marks.find((each) => each.code === code)!;
}

function counts(rows: readonly ComparedRow[]): [same: number, recorded: number, ours: number] {
  const of = (kind: ComparedRow['kind']): number => rows.filter((row) => row.kind === kind).length;
  return [of('same'), of('recorded'), of('ours')];
}

function totals({ marks }: LinuxComparison, what: 'calls' | 'lines', codes: RegExp): [number, number, number] {
  return counts(marks.filter(({ code }) => codes.test(code)).flatMap((each) => each[what]));
}

/** Without interrupts of data, which the models of the drivers do not move. */
function withoutIo(rows: readonly ComparedRow[]): ComparedRow[] {
  return rows.filter(({ text }) => !text.startsWith('PCI_MSI_EOI('));
}

describe('Linux as recorded against Linux here', () => {
  it('leaves no difference without a declared reason', () => {
    expect(unexplained(simple())).toEqual([]);
    expect(unexplained(fence())).toEqual([]);
  });

  it('counts a recovery that is too fast or too slow as a difference', () => {
    const { marks } = simple();
    const took = (recordedMs: number, oursMs: number) => {
      const [first] = marks;
      const durations = { recordedMs, oursMs, nominalMs: 1000 };
      return unexplained({ ...simple(), marks: [{ ...first!, calls: [], lines: [], durations }] }).map(
        ({ kind }) => kind,
      );
    };
    expect([took(1000, 1130), took(999, 1000), took(1000, 1131), took(999, 1131)]).toEqual([
      [],
      ['recorded'],
      ['ours'],
      ['recorded', 'ours'],
    ]);
  });

  it('needs every declared reason', () => {
    const rows = [simple(), fence()].flatMap(({ marks }) => marks.flatMap(({ calls, lines }) => [...calls, ...lines]));
    const met = new Set(rows.map(({ reason }) => reason));
    expect(LINUX_REASONS.filter((reason) => !met.has(reason)).map(({ id }) => id)).toEqual([]);
  });

  it('comes to the figures of docs/fidelity.md', () => {
    const text = readFileSync('docs/fidelity.md', 'utf8').replace(/\s+/g, ' ');
    const of = (comparison: LinuxComparison): string[] => {
      const [same, left] = totals(comparison, 'calls', /./);
      return [same + left, same].map((count) => count.toLocaleString('en-US'));
    };
    const [[all, ours], [allOfFence, oursOfFence]] = [of(simple()), of(fence())];
    expect(text).toContain(`Of ${all} calls of the first recording ${ours} are ours too`);
    expect(text).toContain(`and of ${allOfFence} of the second ${oursOfFence};`);
  });

  it('boots with the same calls: PHBs, enumeration, addresses, PEs, EEH records', () => {
    const boot = mark(simple(), 'boot');
    expect(counts(boot.calls)).toEqual([2964, 18, 4]);
    expect(counts(boot.lines)).toEqual([126, 0, 0]);
  });

  it('probes nvme and e1000e with the same configuration accesses and message set-up', () => {
    for (const code of ['L02', 'L05', 'L06', 'L26', 'L27']) {
      const { calls, lines } = mark(simple(), code);
      expect(counts(withoutIo(calls)).slice(1), code).toEqual([0, 0]);
      expect(counts(lines).slice(1), code).toEqual([0, 0]);
    }
    expect(counts(withoutIo(mark(simple(), 'L02').calls))[0]).toBe(77);
    expect(counts(mark(simple(), 'L05').calls)[0]).toBe(50);
  });

  it('hands every injection to firmware as it was handed over', () => {
    expect(
      counts(
        withoutIo(
          simple()
            .marks.filter(({ code }) => /^L1[45]$/.test(code))
            .flatMap(({ calls }) => calls),
        ),
      ),
    ).toEqual([52, 0, 0]);
  });

  it('recovers a device with a driver by the same calls and lines, its chip really frozen', () => {
    for (const [code, same] of [
      ['L20', 178],
      ['L22', 139],
    ] as const) {
      const { calls, lines } = mark(simple(), code);
      expect(counts(withoutIo(calls)), code).toEqual([same, 0, 6]);
      expect(counts(lines).slice(1), code).toEqual([0, 0]);
      expect(new Set(withoutIo(calls).flatMap(({ reason }) => reason?.id ?? []))).toEqual(new Set(['really-frozen']));
    }
  });

  it('stalls 65 s after the hot reset of a device that is still there, and asks nobody meanwhile', () => {
    const { calls, lines, durations } = mark(simple(), 'L20');
    const texts = lines.map(({ text }) => text);
    expect(texts.filter((text) => /not ready \d+ms after bus reset/.test(text))).toHaveLength(7);
    const port = calls.findIndex(({ text }) => text === 'PCI_CONFIG_READ_WORD(0, 0, 54)');
    expect(calls.slice(port + 1).find(({ text }) => !text.startsWith('PCI_MSI_EOI'))?.text).toBe(
      'PCI_RESET(0, 4, 1) = 1000',
    );
    expect(durations!.nominalMs).toBeGreaterThan(71_800);
    expect(durations!.nominalMs).toBeLessThan(71_900);
  });

  it('unplugs and replugs a device without driver, and a removed one, by the same calls', () => {
    expect(counts(withoutIo(mark(simple(), 'L24').calls))).toEqual([190, 0, 6]);
    expect(counts(mark(simple(), 'L24').lines).slice(1)).toEqual([0, 0]);
    expect(counts(mark(simple(), 'L28').calls)).toEqual([13, 0, 0]);
    expect(counts(mark(simple(), 'L29').calls)).toEqual([774, 0, 1]);
    expect(counts(mark(simple(), 'L29').lines)).toEqual([33, 0, 0]);
  });

  it('recovers the root port with what is below it, and resets a function alone', () => {
    expect(counts(withoutIo(mark(simple(), 'L30').calls))).toEqual([261, 0, 6]);
    expect(counts(withoutIo(mark(simple(), 'L25').calls))).toEqual([141, 0, 0]);
  });

  it('takes an informative error, two fences and a dead bridge as the recorded kernel took them', () => {
    expect(counts(withoutIo(mark(fence(), 'F07').calls))).toEqual([4, 0, 0]);
    expect(counts(withoutIo(mark(fence(), 'F08').calls))).toEqual([198, 2, 3]);
    expect(totals(fence(), 'lines', /^F08$/)).toEqual([30, 1, 1]);
    expect(counts(withoutIo(mark(fence(), 'F10').calls))).toEqual([15, 0, 0]);
    expect(counts(mark(fence(), 'F10').lines)).toEqual([11, 0, 0]);
  });

  it('checks a healthy device, takes an injection, asks firmware once more and fences a bridge that has one card', () => {
    const pinned = [simple(), fence()].flatMap(({ marks }) =>
      marks.filter(({ code }) => /^(L12|L16|L19|F09)$/.test(code)),
    );
    expect(pinned.map(({ code, calls, lines }) => [code, counts(calls), counts(lines)])).toEqual([
      ['L12', [2, 1, 0], [1, 0, 0]],
      ['L16', [0, 1, 0], [0, 0, 0]],
      ['L19', [3, 1, 0], [0, 1, 1]],
      ['F09', [159, 12, 4], [28, 1, 2]],
    ]);
    const reasons = pinned.map(({ code, calls, lines }) => {
      const met = new Map<string, number>();
      for (const { reason } of [...calls, ...lines])
        if (reason !== undefined) met.set(reason.id, (met.get(reason.id) ?? 0) + 1);
      return [code, Object.fromEntries(met)];
    });
    expect(Object.fromEntries(reasons)).toEqual({
      L12: { 'no-io': 1 },
      L16: { 'no-io': 1 },
      L19: { 'no-io': 1, 'interrupt-number': 2 },
      F09: { 'card-reset': 8, 'no-io': 9, 'port-status': 2 },
    });
  });

  it.each([
    ['an interrupt before its driver is bound', 'boot', 'recorded', 'PCI_MSI_EOI(0, 1)'],
    ['an interrupt that no device has', 'L20', 'recorded', 'PCI_MSI_EOI(1, 3)'],
    ['an interrupt of ours', 'L20', 'ours', 'PCI_MSI_EOI(1, 0)'],
    ['a thaw of a PE that nobody forced', 'L20', 'ours', 'PCI_EEH_FREEZE_CLEAR(1, fd, 1)'],
    ['a thaw of both halves at once', 'L20', 'ours', 'PCI_EEH_FREEZE_CLEAR(0, fd, 3)'],
    ['a status word that neither had', 'L10', 'ours', 'RootSts:     0000000f 004801c0 90110000 00100107 00000000'],
    ['another mask of errors', 'L30', 'ours', 'EEH: PCI-E AER 00: 00020001 00000000 0008d021 00072030 '],
  ] as const)('has no reason for %s', (_, code, side, text) => {
    const difference = { code, side, text, what: /^[A-Z_0-9]+\(/.test(text) ? 'call' : 'line' } as const;
    expect(LINUX_REASONS.filter((reason) => reason.explains(difference)).map(({ id }) => id)).toEqual([]);
  });

  it('takes as long as recorded: at least the nominal time, at most 13 % more', () => {
    const timed = [...simple().marks, ...fence().marks].filter(({ durations }) => durations !== undefined);
    expect(timed.map(({ code }) => code)).toEqual(['L20', 'L22', 'L24', 'L30', 'F08', 'F09']);
    for (const { code, durations } of timed) {
      const { recordedMs, oursMs, nominalMs } = durations!;
      for (const measured of [recordedMs, oursMs]) {
        expect(measured, code).toBeGreaterThanOrEqual(nominalMs);
        expect(measured, code).toBeLessThanOrEqual(1.13 * nominalMs);
      }
    }
  });
});

/** A kernel that asks the bridge instead of the blocked child, as older ones did. */
class OlderKernelMachine extends RecordedMachine {
  override boot(): void {
    super.boot();
    Object.assign(this.kernel.context.quirks, { busResetWait: 'for-bridge' });
  }
}

describe('a kernel step that is not the recorded one', () => {
  it('is found: the wait for the child left out', () => {
    const found = compareLinux(recorded('linux-simple'), (options) => new OlderKernelMachine(options));
    const texts = unexplained(found).map(({ text }) => text);
    expect(texts).toContain('nvme 0000:01:00.0: not ready 65535ms after bus reset; giving up');
    expect(counts(mark(found, 'L28').calls)).toEqual([13, 0, 0]);
  });
});
