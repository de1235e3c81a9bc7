import { readFileSync } from 'node:fs';
import { describe, expect, it, vi } from 'vitest';
import {
  type CompareLinuxOptions,
  type LinuxRecordingName,
  linuxCommand,
  runCompareLinux,
} from '../../src/cli/compare-linux.js';
import type { Streams } from '../../src/cli/host-streams.js';

class Captured implements Streams {
  readonly interactive = false;
  stdout = '';
  stderr = '';
  readFile = (path: string): Uint8Array => readFileSync(path);
  writeFile = (): void => {};
  out = (text: string): void => {
    this.stdout += `${text}\n`;
  };
  err = (text: string): void => {
    this.stderr += `${text}\n`;
  };
}

function run(name: LinuxRecordingName | undefined, options: CompareLinuxOptions = {}): Captured & { exit: number } {
  const streams = new Captured();
  const exit = runCompareLinux(name, options, streams);
  return Object.assign(streams, { exit });
}

describe('phbsim compare linux', () => {
  it('prints a row a mark with counts, durations and reasons for both recordings, and exits with 0', () => {
    const { exit, stdout } = run(undefined);
    expect(exit).toBe(0);
    expect(stdout).toMatch(
      /^L20 force-recover-nvme-pe +178 +60 +46 +0 +75\.82 +75\.\d\d +71\.\d\d {2}no-io, really-frozen$/m,
    );
    expect(stdout).toMatch(/^L14 err-inject \(42 times\) +40 +6 +10 +0 +no-io$/m);
    expect(stdout).toMatch(/^F10 dead PHB2: NFIR reads all ones +15 +12 +11 +0 +no-io$/m);
    expect(stdout.match(/Nothing is unexplained\./g)).toHaveLength(2);
  });

  it('shows one mark side by side, with the reason behind each difference', () => {
    const { exit, stdout } = run('linux-simple', { mark: 'L20' });
    expect(exit).toBe(0);
    expect(stdout).toContain('\n    PCI_EEH_FREEZE_SET(0, fd, 3)\n');
    expect(stdout).toContain('\n  + PCI_EEH_FREEZE_CLEAR(0, fd, 1)   [really-frozen]\n');
    expect(stdout).toContain('\n    EEH: Recovery successful.\n');
    expect(stdout).not.toContain('L22');
  });

  it('prints the same as JSON', () => {
    const { stdout } = run('linux-fence', { json: true });
    const [comparison] = JSON.parse(stdout) as {
      unexplained: number;
      marks: { mark: string; durations?: unknown }[];
    }[];
    expect(comparison!.unexplained).toBe(0);
    expect(comparison!.marks.filter(({ durations }) => durations !== undefined)).toHaveLength(2);
  });

  it('is reached by the command line, which sets the exit status', async () => {
    let printed = '';
    const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
      printed += String(text);
      return true;
    });
    await linuxCommand().parseAsync(['linux-fence', '--mark', 'F10'], { from: 'user' });
    write.mockRestore();
    expect(printed).toContain("EEH: Beginning: 'error_detected(permanent failure)'");
    expect(process.exitCode).toBe(0);
  });

  it('exits with 2 for a mark that is not in the recording, and names those that are', () => {
    const { exit, stderr } = run('linux-fence', { mark: 'L20' });
    expect(exit).toBe(2);
    expect(stderr).toContain('no mark "L20"; the marks are boot, L01, L02, F07, F08, F09, F10');
  });
});
