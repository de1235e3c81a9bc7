/** The log in the words of the kernel: every format of facts eeh-linux 13.1 to 13.6, with its level and its line end. */
import { describe, expect, it } from 'vitest';
import type { LogRecord } from '../../src/eeh/log.js';
import { LOG_FORMATS, patternOf } from './log-formats.js';
import { RUN_NAMES, type RunName, recordsOf } from './log-runs.js';

const records = new Map<RunName, readonly LogRecord[]>(RUN_NAMES.map((run) => [run, recordsOf(run)]));
const all = [...records.values()].flat();

/** Other parts of the kernel print too: bus scan and resources, the drivers, and what dies. */
const OF_OTHERS =
  /^(PCI host bridge|PCI: Probing|pci_bus \S+: (busn_res|root bus|resource|Some PCI)|BUG: |note: |INFO: |Unbalanced|WARNING: )/;
const PCI_CORE =
  /^(pci|nic|other) [0-9a-f:.]+: ( *bridge window|[0-9.]+ Gb|[[B]|ROM|enabling device|can't enable|PCI bridge|PME#|disabling)/;

describe('a format of the log', () => {
  it('is recognised by width and kind of its values', () => {
    expect(patternOf('EEH: of node=%04x:%02x:%02x.%01x').test('EEH: of node=0000:01:00.0')).toBe(true);
    expect(patternOf('EEH: of node=%04x:%02x:%02x.%01x').test('EEH: of node=000:01:00.0')).toBe(false);
    expect(patternOf('PE[..%03x] A/B: as above').test('PE[..008] A/B: as above')).toBe(true);
    expect(patternOf('EEH: [%pK] %pS').test('EEH: [(____ptrval____)] nic_poll+0x40/0x120 [nic]')).toBe(true);
  });

  it.each(LOG_FORMATS.filter(({ run }) => run !== undefined))(
    '$level "$format" is printed in "$run"',
    ({ level, format, end, run }) => {
      const pattern = patternOf(format);
      const printed = records.get(run!)!.filter(({ text }) => pattern.test(text));
      expect(printed.length, `no record of "${run}" matches`).toBeGreaterThan(0);
      expect(new Set(printed.map((record) => `${record.level} ${record.end}`))).toEqual(new Set([`${level} ${end}`]));
    },
  );

  it.each(LOG_FORMATS.filter(({ never }) => never !== undefined))(
    '"$format" is not printed: $never',
    ({ format, never }) => {
      const pattern = patternOf(format);
      expect(all.filter(({ text }) => pattern.test(text))).toEqual([]);
      expect(never).not.toBe('');
    },
  );
});

describe('the log of all these runs', () => {
  it('holds no line of EEH that is not one of the formats', () => {
    const patterns = LOG_FORMATS.map(({ format }) => patternOf(format));
    const unknown = all.filter(({ text, level }) => {
      return (
        level !== 'debug' &&
        !OF_OTHERS.test(text) &&
        !PCI_CORE.test(text) &&
        !patterns.some((pattern) => pattern.test(text))
      );
    });
    expect([...new Set(unknown.map(({ text }) => text))]).toEqual([]);
  });
});
