import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { Streams } from '../../src/cli/host-streams.js';
import { replayCommand, runReplay } from '../../src/cli/replay.js';

class Captured implements Streams {
  readonly interactive = false;
  readonly written = new Map<string, Uint8Array>();
  stdout = '';
  stderr = '';
  readFile = (path: string): Uint8Array => readFileSync(path);
  writeFile = (path: string, data: Uint8Array): void => {
    this.written.set(path, data);
  };
  out = (text: string): void => {
    this.stdout += `${text}\n`;
  };
  err = (text: string): void => {
    this.stderr += `${text}\n`;
  };
}

const BOOT = 'scenarios/recordings/skiboot-boot-phb3-empty.rec.gz';

describe('phbsim replay', () => {
  it('reports a clean boot and exits with 0', () => {
    const streams = new Captured();
    expect(runReplay(BOOT, {}, streams)).toBe(0);
    expect(streams.stdout).toContain('1,782 compared: 1,710 equal, 72 explained, 0 unexplained');
    expect(streams.stdout).toMatch(/Digest {5}[0-9a-f]{16}/);
  });

  it('prints the counts as JSON', () => {
    const streams = new Captured();
    runReplay(BOOT, { json: true }, streams);
    expect(JSON.parse(streams.stdout)).toMatchObject({
      ...{ accesses: 8041, readsCompared: 1782, mismatchesExplained: 72, mismatchesUnexplained: 0, undeclared: 0 },
      digest: expect.stringMatching(/^[0-9a-f]{16}$/),
    });
  });

  it('lists every difference when asked', () => {
    const streams = new Captured();
    runReplay(BOOT, { list: true }, streams);
    expect(streams.stdout.split('\n').filter((line) => line.startsWith('line '))).toHaveLength(72);
  });

  it("saves the recording in the project's own form", () => {
    const streams = new Captured();
    runReplay(BOOT, { save: 'copy.rec.gz', json: true }, streams);
    const copy = gunzipSync(streams.written.get('copy.rec.gz')!);
    expect(copy.equals(gunzipSync(readFileSync(BOOT)))).toBe(true);
  });

  it.each([
    ['ENOENT', 'x.rec.gz: no such folder: make it first'],
    ['EACCES', 'x.rec.gz: not writable by you: name another place'],
    ['ENOSPC', 'x.rec.gz: disk full'],
  ])('exits with 2 and says why when it cannot save: %s', (code, message) => {
    const streams = new Captured();
    streams.writeFile = () => {
      throw Object.assign(new Error('disk full'), { code });
    };
    expect(runReplay(BOOT, { save: 'x.rec.gz' }, streams)).toBe(2);
    expect(streams.stderr).toBe(`phbsim replay: ${message}\n`);
  });

  it('calls standard input by its name', () => {
    const streams = new Captured();
    streams.readFile = () => new Uint8Array();
    runReplay('-', {}, streams);
    expect(streams.stderr).toContain('phbsim replay: standard input:1  the file is empty');
  });

  it('exits with 1 when a read has no explanation', () => {
    const streams = new Captured();
    streams.readFile = () => new TextEncoder().encode('{"meta":{}}\n[1,"R","nest0","42",8,"0000000000000001"]\n');
    expect(runReplay('x', {}, streams)).toBe(1);
    expect(streams.stdout).toContain('UNEXPLAINED line 2: PHB0 nest.PHB_BAR: recorded 0000000000000001');
  });

  it.each([
    ['missing.rec.gz', 'phbsim replay: missing.rec.gz: no such file'],
    ['scenarios', 'phbsim replay: scenarios: is a directory'],
    ['package.json', 'package.json:1  this is no recording'],
    ['scenarios/recordings/skiboot-calls-p7ioc.calls.gz', 'phbsim compare firmware takes it'],
  ])('refuses %s with a clear message and exit status 2', (file, message) => {
    const streams = new Captured();
    expect(runReplay(file, {}, streams)).toBe(2);
    expect(streams.stderr).toContain(message);
    expect(streams.stdout).toBe('');
  });

  it('shows examples in its help', () => {
    let help = '';
    const command = replayCommand().configureOutput({ writeOut: (text) => (help += text) });
    command.outputHelp();
    expect(help).toContain('phbsim replay --list boot.jsonl.gz');
  });
});
